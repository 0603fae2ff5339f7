//! The facts of directives, upstreams, sites and whole configurations.

use super::{Item, Reader, Reading, Value};
use crate::gateway::{Fault, Refusal, Remark, RemarkKind, Site, Upstream};
use crate::source::Span;

fn absent() -> Reading {
    Reading::new(Value::Absent)
}

/// A fact of the remark that is read.
fn remark(reader: &Reader<'_>, read: impl FnOnce(&RemarkKind) -> Option<Value>) -> Reading {
    let Item::Directive(index) = reader.item else { return absent() };
    let Remark { span, labels, kind } = &reader.view.gateway.remarks[index];
    read(kind).map_or_else(absent, |value| shown(value, *span, labels))
}

/// The refusal that is read, where no remark says more of the same.
fn refused<'a>(reader: &Reader<'a>) -> Option<&'a Refusal> {
    let Item::Refused(index) = reader.item else { return None };
    Some(&reader.view.gateway.refusals[index]).filter(|refusal| !matches!(refusal.fault, Fault::Include | Fault::Variable))
}

/// A value with the place it is read off, and others that explain it.
fn shown(value: Value, span: Span, labels: &[(Span, String)]) -> Reading {
    labels.iter().fold(Reading::new(value).at(span, "here"), |reading, (span, note)| reading.at(*span, note.clone()))
}

pub(super) fn noted(reader: &Reader<'_>, _: &str) -> Reading {
    if let Some(refusal) = refused(reader) {
        return shown(Value::Text(refusal.fault.name().to_owned()), refusal.span, &refusal.labels);
    }
    remark(reader, |kind| {
        let name = match kind {
            RemarkKind::IncludeMissing { .. } => "include-missing",
            RemarkKind::UndefinedVariable { .. } => "undefined-variable",
            RemarkKind::UnitIgnored { .. } => "unit-ignored",
        };
        Some(Value::Text(name.to_owned()))
    })
}

pub(super) fn refusal_message(reader: &Reader<'_>, _: &str) -> Reading {
    match refused(reader) {
        Some(refusal) => shown(Value::Text(refusal.message.clone()), refusal.span, &refusal.labels),
        None => absent(),
    }
}

pub(super) fn include_path(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::IncludeMissing { path, .. } => Some(Value::Text(path.clone())),
        _ => None,
    })
}

pub(super) fn include_inside(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::IncludeMissing { inside, .. } => Some(Value::Flag(*inside)),
        _ => None,
    })
}

pub(super) fn variable_name(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UndefinedVariable { name } => Some(Value::Text(name.clone())),
        _ => None,
    })
}

pub(super) fn duration_name(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { name, .. } => Some(Value::Text(name.clone())),
        _ => None,
    })
}

pub(super) fn duration_written(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { written, .. } => Some(Value::Text(written.clone())),
        _ => None,
    })
}

pub(super) fn duration_read_as(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { read_as, .. } => Some(Value::Duration(*read_as)),
        _ => None,
    })
}

pub(super) fn duration_meant(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { meant, .. } => Some(Value::Duration(*meant)),
        _ => None,
    })
}

fn upstream(reader: &Reader<'_>, read: impl FnOnce(&Upstream) -> Reading) -> Reading {
    match reader.item {
        Item::Upstream(id) => read(reader.view.gateway.upstream(id)),
        _ => absent(),
    }
}

pub(super) fn upstream_servers(reader: &Reader<'_>, _: &str) -> Reading {
    upstream(reader, |upstream| {
        let asked = upstream.members.iter().filter(|member| !member.backup);
        let reading = match upstream.partial {
            Some(why) => Reading { value: Err(why), ..absent() },
            None => Reading::new(Value::Number(i64::try_from(asked.clone().count()).unwrap_or(i64::MAX))),
        };
        asked.fold(reading.at(upstream.span, "the group"), |reading, member| reading.at(member.span, "a backend"))
    })
}

fn flag(upstream: &Upstream, set: Option<Span>) -> Reading {
    match (set, upstream.partial) {
        (Some(span), _) => Reading::new(Value::Flag(true)).at(span, "set here"),
        (None, Some(why)) => Reading { value: Err(why), ..absent() },
        (None, None) => Reading::new(Value::Flag(false)).at(upstream.span, "the group"),
    }
}

pub(super) fn upstream_affinity(reader: &Reader<'_>, _: &str) -> Reading {
    upstream(reader, |upstream| flag(upstream, upstream.affinity))
}

pub(super) fn upstream_keepalive(reader: &Reader<'_>, _: &str) -> Reading {
    upstream(reader, |upstream| flag(upstream, upstream.keepalive))
}

fn site(reader: &Reader<'_>, read: impl FnOnce(&Site) -> Reading) -> Reading {
    match reader.item {
        Item::Site(id) => read(reader.view.gateway.site(id)),
        _ => absent(),
    }
}

pub(super) fn site_names(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let texts = &reader.view.gateway.texts;
        let names = site.names.iter().map(|name| texts.show(name.text).into_owned()).collect();
        site.names.iter().fold(Reading::new(Value::List(names)), |reading, name| reading.at(name.span, "named here"))
    })
}

pub(super) fn site_listen(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let texts = &reader.view.gateway.texts;
        let socket = |listen: &crate::gateway::Listen| match listen.port {
            Some(port) => format!("{}:{port}", texts.show(listen.address)),
            None => texts.show(listen.address).into_owned(),
        };
        let sockets = site.listens.iter().map(socket).collect();
        site.listens.iter().fold(Reading::new(Value::List(sockets)), |reading, listen| reading.at(listen.span, "listens here"))
    })
}

pub(super) fn site_tls(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| match site.listens.iter().find(|listen| listen.tls) {
        Some(listen) => Reading::new(Value::Flag(true)).at(listen.span, "TLS ends here"),
        None => Reading::new(Value::Flag(false)).at(site.span, "the site"),
    })
}

pub(super) fn server(reader: &Reader<'_>, _: &str) -> Reading {
    Reading::new(Value::Text(reader.view.gateway.server.name().to_owned()))
}

pub(super) fn server_version(reader: &Reader<'_>, _: &str) -> Reading {
    Reading::new(reader.view.gateway.version.map_or(Value::Absent, Value::Version))
}

pub(super) fn partial(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.partial {
        Some(why) => {
            let reading = Reading::new(Value::Flag(true));
            why.span().map_or(reading.clone(), |span| reading.at(span, why.reason()))
        }
        None => Reading::new(Value::Flag(false)),
    }
}

pub(super) fn modules(reader: &Reader<'_>, _: &str) -> Reading {
    let mut names: Vec<String> = reader.view.gateway.modules.loaded.keys().cloned().collect();
    names.sort_unstable();
    Reading::new(Value::List(names))
}
