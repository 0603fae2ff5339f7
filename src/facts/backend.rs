//! The facts of the backends that a route leads to: how many, what holds a client or a connection to one, what their ports speak.

use smallvec::{SmallVec, smallvec};

use super::route::proxied;
use super::{Definition, Reader, Reading, Subject, Type, Value, fact, upstream};
use crate::gateway::{Assigned, Known, Millis, Property, Server, Setting, Unknown, split_authority};
use crate::handshake::{Verdict, backend_timeout, timeout};
use crate::source::Span;

/// The facts of a route's backends.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "target.servers",
        Subject::Route,
        Type::Number,
        servers,
        "The number of backends that are asked in turn; 1 where no group is named.",
    ),
    fact("target.affinity", Subject::Route, Type::Flag, affinity, "Whether a client is kept with one of them."),
    fact(
        "target.keepalive",
        Subject::Route,
        Type::Flag,
        keepalive,
        "Whether the configuration says that idle connections to them are kept open.",
    ),
    fact(
        "several_requests",
        Subject::Route,
        Type::Text,
        several_requests,
        "The library whose path this is and whose sessions take several requests: `socket.io`, `SockJS` or `SignalR`; absent for others.",
    ),
    fact(
        "target.port_speaks",
        Subject::Route,
        Type::Text,
        port_speaks,
        "What the port of the upstream, or of one of its backends, is for by its number: `TLS` or `plain HTTP`; absent where the number does not say.",
    ),
    fact(
        "timeout.zero",
        Subject::Route,
        Type::Text,
        zero,
        "The timeout towards the upstream that is zero, so that every request fails at once; absent where none is.",
    ),
    fact(
        "resolver_missing",
        Subject::Route,
        Type::Text,
        resolver_missing,
        "The host that variables name and no resolver can look up; absent where there is none.",
    ),
    fact(
        "tls.server_name",
        Subject::Route,
        Type::Flag,
        server_name,
        "Whether the upstream is told in the TLS handshake which name is asked for; absent where no TLS is spoken to it.",
    ),
];

fn group(reader: &Reader<'_>, single: Reading, read: impl FnOnce(&crate::gateway::Upstream) -> Reading) -> Reading {
    proxied(reader, |_, proxy| match (proxy.upstream, proxy.authority) {
        (Some(id), _) => read(reader.view.gateway.upstream(id)),
        (None, Some(_)) => single,
        (None, None) => Reading::unknown(Unknown::Runtime),
    })
}

fn servers(reader: &Reader<'_>, _: &str) -> Reading {
    group(reader, Reading::new(Value::Number(1)), upstream::servers)
}

fn affinity(reader: &Reader<'_>, _: &str) -> Reading {
    group(reader, Reading::new(Value::Flag(true)), upstream::affinity)
}

fn keepalive(reader: &Reader<'_>, _: &str) -> Reading {
    group(reader, Reading::new(Value::Flag(false)), upstream::keepalive)
}

fn several_requests(reader: &Reader<'_>, _: &str) -> Reading {
    const PATHS: [(&str, &str); 7] = [
        ("socket.io", "socket.io"),
        ("engine.io", "socket.io"),
        ("sockjs", "SockJS"),
        ("sockjs-node", "SockJS"),
        ("signalr", "SignalR"),
        ("_blazor", "SignalR"),
        ("hubs", "SignalR"),
    ];
    proxied(reader, |route, _| {
        let path = reader.route_path(route).to_ascii_lowercase();
        let found = PATHS.iter().find(|(segment, _)| path.split('/').any(|own| own == *segment));
        match found {
            Some((_, library)) => Reading::new(Value::text(*library)).at(route.span, "its path"),
            None => Reading::absent(),
        }
    })
}

/// What a port is for, where its number alone says so.
fn spoken_at(authority: &str) -> Option<&'static str> {
    match split_authority(authority).1? {
        "443" | "8443" | "9443" | "6443" => Some("TLS"),
        "80" | "8080" => Some("plain HTTP"),
        _ => None,
    }
}

fn port_speaks(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| {
        let texts = &reader.view.gateway.texts;
        let members: Vec<(_, Span)> = match proxy.upstream {
            Some(id) => reader.view.gateway.upstream(id).members.iter().map(|member| (member.address, member.span)).collect(),
            None => proxy.authority.map(|authority| (authority, proxy.span)).into_iter().collect(),
        };
        let found = members.into_iter().find_map(|(address, span)| Some((spoken_at(&texts.show(address))?, span)));
        match found {
            Some((speaks, span)) => Reading::new(Value::text(speaks)).at(span, "the port of the backend"),
            None => Reading::absent(),
        }
    })
}

/// A timeout by the name that people know it by.
type Timeout = (&'static str, Known<Setting<Millis>>);

fn zero(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let gateway = reader.view.gateway;
        let timeouts: SmallVec<[Timeout; 2]> = match gateway.server {
            // Seen on 1.22.1: a send timeout of zero does no harm.
            Server::Nginx => smallvec![
                ("read timeout", timeout(gateway, route.scope, Property::read_timeout(proxy.protocol))),
                ("connect timeout", timeout(gateway, route.scope, Property::connect_timeout(proxy.protocol))),
            ],
            Server::Apache => match timeout(gateway, route.scope, Property::ClientTimeout) {
                // Seen on 2.4.71: what is set for the backend hides a `Timeout 0`. A zero of its own is refused.
                Ok(client) => match backend_timeout(gateway, route, proxy, client) {
                    Ok(backend) if backend.origin != client.origin => smallvec![],
                    backend => smallvec![("timeout", backend)],
                },
                Err(why) => smallvec![("timeout", Err(why))],
            },
        };
        for (name, setting) in timeouts {
            match setting {
                Ok(setting) if setting.value.0 == 0 => {
                    let reading = Reading::new(Value::text(name));
                    let reading = setting.origin.span().into_iter().fold(reading, |reading, span| reading.at(span, "set here"));
                    return reading.at(proxy.span, "in force here");
                }
                // What surrounds a fragment is taken to set nothing.
                Ok(_) | Err(Unknown::Fragment(_)) => {}
                Err(why) => return Reading::unknown(why),
            }
        }
        Reading::absent()
    })
}

fn resolver_missing(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((id, route)) = reader.route() else { return Reading::absent() };
    proxied(reader, |_, proxy| {
        if reader.view.gateway.server != Server::Nginx || proxy.authority.is_some() {
            return Reading::absent();
        }
        // What surrounds a fragment may well set one.
        if let Err(why) = reader.view.gateway.scopes.scalar(route.scope, Property::Resolver) {
            return Reading::unknown(why);
        }
        let Some(walk) = reader.walk().filter(|walk| walk.route == Some(id)) else { return Reading::absent() };
        if walk.verdict != (Verdict::BadGateway { status: 502 }) {
            return Reading::absent();
        }
        match walk.unresolved.as_ref() {
            Some(host) => Reading::new(Value::text(host.clone())).at(proxy.span, "a variable names the host"),
            None => Reading::absent(),
        }
    })
}

fn server_name(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        if proxy.protocol != crate::gateway::Protocol::Https || reader.view.gateway.server != Server::Nginx {
            return Reading::absent();
        }
        match reader.view.gateway.scopes.scalar(route.scope, Property::SendServerName) {
            Err(why) if !matches!(why, Unknown::Fragment(_)) => Reading::unknown(why),
            Ok(Some(setting)) if setting.value == Assigned::Flag(true) => Reading::new(Value::Flag(true)),
            Ok(Some(setting)) if let Some(span) = setting.origin.span() => {
                Reading::new(Value::Flag(false)).at(proxy.span, "asked over TLS here").at(span, "switched off here")
            }
            _ => Reading::new(Value::Flag(false)).at(proxy.span, "asked over TLS here"),
        }
    })
}
