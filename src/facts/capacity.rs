//! The facts of what bounds connections: of the whole server, and of one client.

use super::{Definition, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Assigned, Property};

/// The facts of bounds.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "connections_per_worker",
        Subject::Gateway,
        Type::Number,
        connections,
        "How many connections one worker process may have, those to upstreams included; absent where nothing says.",
    ),
    fact(
        "websockets_per_worker",
        Subject::Gateway,
        Type::Number,
        websockets,
        "How many WebSockets that makes: each takes two, and two are the server's own.",
    ),
    fact(
        "open_file_limit",
        Subject::Gateway,
        Type::Number,
        open_files,
        "How many files, connections among them, one worker process may have open; absent where nothing says, and the machine decides.",
    ),
    fact(
        "open_file_limit.suffices",
        Subject::Gateway,
        Type::Flag,
        suffices,
        "Whether that is at least as many as its connections; absent where one of the two is not written.",
    ),
    fact(
        "request_workers",
        Subject::Gateway,
        Type::Number,
        request_workers,
        "How many requests httpd serves at a time, WebSockets among them (`MaxRequestWorkers`); absent where nothing says.",
    ),
    fact(
        "shutdown_timeout",
        Subject::Gateway,
        Type::Duration,
        shutdown,
        "How long a worker process that is to end, as after a reload, waits for its connections; absent where it waits for ever.",
    ),
    fact(
        "reload.effect",
        Subject::Gateway,
        Type::Text,
        reload,
        "What a reload of the configuration does to open WebSockets, as the end of a sentence.",
    ),
    fact(
        "limits.connections",
        Subject::Route,
        Type::Number,
        connection_limit,
        "How many connections at a time one key, such as a client's address, may have; absent where there is no limit.",
    ),
];

fn number(value: u64) -> Value {
    Value::Number(i64::try_from(value).unwrap_or(i64::MAX))
}

fn request_workers(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.capacity.request_workers {
        Some(limit) => Reading::new(number(limit.value)).at(limit.span, "set here"),
        None => Reading::absent(),
    }
}

fn connections(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.capacity.connections {
        Some(limit) => Reading::new(number(limit.value)).at(limit.span, "set here"),
        None => Reading::absent(),
    }
}

fn websockets(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.capacity.connections {
        // Measured: 8 connections carry 3 WebSockets, 16 carry 7, 32 carry 15.
        Some(limit) => Reading::new(number(limit.value.saturating_sub(2) / 2)).at(limit.span, "set here"),
        None => Reading::absent(),
    }
}

fn open_files(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.capacity.open_files {
        Some(limit) => Reading::new(number(limit.value)).at(limit.span, "set here"),
        None => Reading::absent(),
    }
}

fn suffices(reader: &Reader<'_>, _: &str) -> Reading {
    let capacity = reader.view.gateway.capacity;
    match (capacity.open_files, capacity.connections) {
        (Some(files), Some(connections)) => Reading::new(Value::Flag(files.value >= connections.value))
            .at(files.span, "the files that a worker may open")
            .at(connections.span, "the connections that it may have"),
        _ => Reading::absent(),
    }
}

fn shutdown(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.capacity.shutdown {
        Some(limit) => Reading::new(Value::Duration(limit.value)).at(limit.span, "set here"),
        None => Reading::absent(),
    }
}

fn reload(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.capacity.shutdown {
        Some(limit) => {
            let time = Value::Duration(limit.value);
            Reading::text(format!("cuts each WebSocket after {time}")).at(limit.span, "set here")
        }
        None => Reading::text("leaves a set of old workers behind until the last of their WebSockets ends"),
    }
}

fn connection_limit(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let scopes = &reader.view.gateway.scopes;
    // The limits of the innermost level that has any are in force (`ngx_http_limit_conn_merge_conf`).
    let (level, _) = scopes.list(route.scope, Property::ConnectionLimit);
    let limits = level.into_iter().flat_map(|level| scopes.own(level)).filter_map(|entry| match entry.assigned {
        Assigned::Number(limit) if entry.property == Property::ConnectionLimit => Some((limit, entry.span)),
        _ => None,
    });
    match limits.min_by_key(|&(limit, _)| limit) {
        Some((limit, span)) => Reading::new(number(limit)).at(span, "limited here"),
        None => Reading::absent(),
    }
}
