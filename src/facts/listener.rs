//! The facts of the sockets that a site answers on.

use super::site::site;
use super::{Definition, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Listen, Protocol, Target, Version};

/// The facts of sockets.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "listen.http2_without_tls",
        Subject::Site,
        Type::Flag,
        http2_without_tls,
        "Whether a socket of the site speaks HTTP/2 without TLS and understands no HTTP/1.1 because of it.",
    ),
    fact(
        "serves_http",
        Subject::Site,
        Type::Flag,
        serves_http,
        "Whether the site has a use for clients of HTTP/1.1: a route that leads to anything but gRPC.",
    ),
];

/// Since this version a socket for HTTP/2 without TLS recognises HTTP/1.1.
const RECOGNISES_HTTP_1: Version = Version::new(1, 25, 1);

fn http2_without_tls(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let gateway = reader.view.gateway;
        let until = match gateway.version {
            Some(version) if version >= RECOGNISES_HTTP_1 => return Reading::new(Value::Flag(false)),
            Some(_) => None,
            None => Some(RECOGNISES_HTTP_1),
        };
        // The options of one site count for all on its socket.
        let plain = |listen: &Listen| {
            let socket = (listen.address, listen.port?);
            let line = reader.view.http2_sockets().get(&socket)?;
            (!listen.tls && !reader.view.tls_sockets().contains(&socket)).then_some(*line)
        };
        match site.listens.iter().find_map(plain) {
            Some(line) => Reading { until, ..Reading::new(Value::Flag(true)).at(line, "HTTP/2, and no TLS") },
            None => Reading::new(Value::Flag(false)),
        }
    })
}

fn serves_http(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let gateway = reader.view.gateway;
        let routes = || site.route_ids().map(|id| gateway.route(id));
        let is_grpc = |target: &Target| matches!(target, Target::Proxy(proxy) if proxy.protocol == Protocol::Grpc);
        let answers_http = |target: &Target| matches!(target, Target::Proxy(proxy) if proxy.protocol != Protocol::Grpc);
        let any_grpc = routes().any(|route| is_grpc(&route.target));
        let any_http = routes().any(|route| answers_http(&route.target));
        Reading::new(Value::Flag(any_http || !any_grpc && routes().next().is_some()))
    })
}
