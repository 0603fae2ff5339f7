//! The facts of whole configurations.

use super::{Definition, Reader, Reading, Subject, Type, Value, fact};

/// The facts of whole configurations; they can be read of every item.
pub(super) const FACTS: &[Definition] = &[
    fact("server", Subject::Gateway, Type::Text, server, "The server that reads the configuration: `nginx` or `apache`."),
    fact(
        "server_version",
        Subject::Gateway,
        Type::Version,
        server_version,
        "The version it is judged for; absent where none is named.",
    ),
    fact(
        "partial",
        Subject::Gateway,
        Type::Flag,
        partial,
        "Whether something that the server reads is not here: a fragment, a missing include, a template hole.",
    ),
    fact("modules", Subject::Gateway, Type::List, modules, "The modules seen to be loaded, by name without `_module`."),
    fact(
        "modules.complete",
        Subject::Gateway,
        Type::Flag,
        modules_complete,
        "Whether every line that loads a module was seen, so that a module not among `modules` is not loaded.",
    ),
];

fn server(reader: &Reader<'_>, _: &str) -> Reading {
    Reading::new(Value::text(reader.view.gateway.server.name()))
}

fn server_version(reader: &Reader<'_>, _: &str) -> Reading {
    Reading::new(reader.view.gateway.version.map_or(Value::Absent, Value::Version))
}

fn partial(reader: &Reader<'_>, _: &str) -> Reading {
    match reader.view.gateway.partial {
        Some(why) => {
            let reading = Reading::new(Value::Flag(true));
            why.span().map_or(reading.clone(), |span| reading.at(span, why.reason()))
        }
        None => Reading::new(Value::Flag(false)),
    }
}

fn modules_complete(reader: &Reader<'_>, _: &str) -> Reading {
    Reading::new(Value::Flag(reader.view.gateway.modules.complete))
}

fn modules(reader: &Reader<'_>, _: &str) -> Reading {
    let mut names: Vec<String> = reader.view.gateway.modules.loaded.keys().cloned().collect();
    names.sort_unstable();
    Reading::new(Value::List(names))
}
