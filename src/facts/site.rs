//! The facts of sites.

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Assigned, Known, Listen, Property, Site, Unknown};
use crate::source::Span;

/// The facts of sites.
pub(super) const FACTS: &[Definition] = &[
    fact("names", Subject::Site, Type::List, site_names, "The names that the site answers to."),
    fact("listen", Subject::Site, Type::List, site_listen, "The sockets that the site answers on."),
    fact(
        "tls.weak",
        Subject::Site,
        Type::List,
        weak_protocols,
        "The versions of TLS below 1.2 that the configuration lets clients speak; absent where it lets them speak none, or says nothing.",
    ),
    fact(
        "tls.weak_by_name",
        Subject::Site,
        Type::Flag,
        weak_by_name,
        "Whether the configuration names them, and does not merely leave them in, as in `all -SSLv3`.",
    ),
    fact("tls", Subject::Site, Type::Flag, site_tls, "Whether TLS ends at the site."),
];

/// A fact of a site.
pub(super) fn site(reader: &Reader<'_>, read: impl FnOnce(&Site) -> Reading) -> Reading {
    match reader.item {
        Item::Site(id) => read(reader.view.gateway.site(id)),
        _ => Reading::absent(),
    }
}

fn site_names(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let texts = &reader.view.gateway.texts;
        let names = site.names.iter().map(|name| texts.show(name.text).into_owned()).collect();
        site.names.iter().fold(Reading::new(Value::List(names)), |reading, name| reading.at(name.span, "named here"))
    })
}

fn site_listen(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let texts = &reader.view.gateway.texts;
        let socket = |listen: &Listen| match listen.port {
            Some(port) => format!("{}:{port}", texts.show(listen.address)),
            None => texts.show(listen.address).into_owned(),
        };
        let sockets = site.listens.iter().map(socket).collect();
        site.listens.iter().fold(Reading::new(Value::List(sockets)), |reading, listen| reading.at(listen.span, "listens here"))
    })
}

/// The line that lets clients speak versions below 1.2, and which.
fn weak(reader: &Reader<'_>, site: &Site) -> Known<Option<(Vec<String>, Span)>> {
    let gateway = reader.view.gateway;
    let setting = match gateway.scopes.scalar(site.scope, Property::TlsProtocols) {
        Err(Unknown::Fragment(_)) => None,
        other => other?,
    };
    let Some((Assigned::Text(spoken), Some(span))) = setting.map(|setting| (setting.value, setting.origin.span())) else {
        return Ok(None);
    };
    let spoken = gateway.symbolics.literal(spoken, &gateway.texts).ok_or(Unknown::Runtime)?;
    let spoken = String::from_utf8_lossy(spoken);
    let is_weak = |name: &&str| matches!(name.to_ascii_lowercase().as_str(), "sslv2" | "sslv3" | "tlsv1" | "tlsv1.0" | "tlsv1.1");
    let weak: Vec<String> = spoken.split(',').filter(is_weak).map(str::to_owned).collect();
    Ok((!weak.is_empty()).then_some((weak, span)))
}

fn weak_protocols(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| match weak(reader, site) {
        Err(why) => Reading::unknown(why),
        Ok(None) => Reading::absent(),
        Ok(Some((weak, span))) => Reading::new(Value::List(weak)).at(span, "set here"),
    })
}

fn weak_by_name(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| match weak(reader, site) {
        Err(why) => Reading::unknown(why),
        Ok(None) => Reading::new(Value::Flag(false)),
        Ok(Some((weak, span))) => {
            let written = String::from_utf8_lossy(reader.view.sources.slice(span)).to_ascii_lowercase();
            let names =
                |name: &String| written.split_whitespace().any(|word| word.trim_start_matches('+') == name.to_ascii_lowercase());
            Reading::new(Value::Flag(weak.iter().any(names)))
        }
    })
}

fn site_tls(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| match site.listens.iter().find(|listen| listen.tls) {
        Some(listen) => Reading::new(Value::Flag(true)).at(listen.span, "TLS ends here"),
        None => Reading::new(Value::Flag(false)).at(site.span, "the site"),
    })
}
