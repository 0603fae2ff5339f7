//! The facts of groups of backends.

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::Upstream;
use crate::source::Span;

/// The facts of groups of backends.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "servers",
        Subject::Upstream,
        Type::Number,
        upstream_servers,
        "The number of backends in the group that are asked in turn.",
    ),
    fact("affinity", Subject::Upstream, Type::Flag, upstream_affinity, "Whether a client is kept with one backend."),
    fact(
        "keepalive",
        Subject::Upstream,
        Type::Flag,
        upstream_keepalive,
        "Whether idle connections to the backends are kept open.",
    ),
];

fn upstream(reader: &Reader<'_>, read: impl FnOnce(&Upstream) -> Reading) -> Reading {
    match reader.item {
        Item::Upstream(id) => read(reader.view.gateway.upstream(id)),
        _ => Reading::absent(),
    }
}

fn upstream_servers(reader: &Reader<'_>, _: &str) -> Reading {
    upstream(reader, servers)
}

fn upstream_affinity(reader: &Reader<'_>, _: &str) -> Reading {
    upstream(reader, affinity)
}

fn upstream_keepalive(reader: &Reader<'_>, _: &str) -> Reading {
    upstream(reader, keepalive)
}

/// The number of backends that are asked in turn.
pub(super) fn servers(upstream: &Upstream) -> Reading {
    let asked = upstream.members.iter().filter(|member| !member.backup);
    let reading = match upstream.partial {
        Some(why) => Reading::unknown(why),
        None => Reading::new(Value::Number(i64::try_from(asked.clone().count()).unwrap_or(i64::MAX))),
    };
    asked.fold(reading.at(upstream.span, "the group"), |reading, member| reading.at(member.span, "a backend"))
}

/// Whether a client is kept with one backend.
pub(super) fn affinity(upstream: &Upstream) -> Reading {
    flag(upstream, upstream.affinity)
}

/// Whether idle connections to the backends are kept open.
pub(super) fn keepalive(upstream: &Upstream) -> Reading {
    flag(upstream, upstream.keepalive)
}

fn flag(upstream: &Upstream, set: Option<Span>) -> Reading {
    match (set, upstream.partial) {
        (Some(span), _) => Reading::new(Value::Flag(true)).at(span, "set here"),
        (None, Some(why)) => Reading::unknown(why),
        (None, None) => Reading::new(Value::Flag(false)).at(upstream.span, "the group"),
    }
}
