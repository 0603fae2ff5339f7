//! The table of facts.

use super::{Definition, Subject, Type, others, route};

const fn fact(
    name: &'static str,
    subject: Subject,
    kind: Type,
    read: fn(&super::Reader<'_>, &str) -> super::Reading,
    meaning: &'static str,
) -> Definition {
    Definition { name, subject, kind, meaning, read }
}

use Subject::{Directive, Gateway, Route, Site, Upstream};
use Type::{Duration, Flag, List, Number, Text, Version};

/// All facts, by subject. Facts of a gateway can be read of every item.
pub static FACTS: &[Definition] = &[
    fact("server", Gateway, Text, others::server, "The server that reads the configuration: `nginx` or `apache`."),
    fact("server_version", Gateway, Version, others::server_version, "The version it is judged for; absent where none is named."),
    fact(
        "partial",
        Gateway,
        Flag,
        others::partial,
        "Whether something that the server reads is not here: a fragment, a missing include, a template hole.",
    ),
    fact("modules", Gateway, List, others::modules, "The modules seen to be loaded, by name without `_module`."),
    fact(
        "intent",
        Route,
        Text,
        route::intent,
        "How sure it is that the route is meant for WebSockets: `declared`, `inferred`, `possible` or `none`.",
    ),
    fact(
        "target.kind",
        Route,
        Text,
        route::target_kind,
        "What happens to a request: `proxy`, `excluded` from proxying, `answer` by the server itself, or `files`.",
    ),
    fact(
        "target.scheme",
        Route,
        Text,
        route::target_scheme,
        "The scheme of the upstream: `http`, `https`, `ws`, `wss`, `h2`, `fcgi`, `uwsgi`, `scgi`, `grpc`, `ajp`, `balancer` or `other`.",
    ),
    fact(
        "target.websocket",
        Route,
        Flag,
        route::is_websocket_scheme,
        "Whether the scheme is `ws` or `wss`, with which the server upgrades by itself.",
    ),
    fact("target.host", Route, Text, route::target_host, "The host of the upstream or the name of its group, as written."),
    fact("target.port", Route, Number, route::target_port, "The port of the upstream; absent where none is written."),
    fact(
        "target.uri",
        Route,
        Text,
        route::target_uri,
        "The path that replaces the matched part of the request's; absent where none is written.",
    ),
    fact("http_version", Route, Version, route::http_version, "The HTTP version that the upstream is asked with: 1.0, 1.1 or 2."),
    fact(
        "handshake.request_header.<name>",
        Route,
        List,
        route::handshake_header,
        "A header of the request that the upstream is sent for a WebSocket handshake as Chrome makes it: its comma-separated tokens, in lower case; absent where it is not sent.",
    ),
    fact("plain.request_header.<name>", Route, List, route::plain_header, "The same for a plain GET."),
    fact(
        "handshake.taken",
        Route,
        Flag,
        route::taken,
        "Whether a handshake to the route's own path comes to this route, and is not taken by a rewrite rule, another mapping or a redirect.",
    ),
    fact(
        "lost_headers",
        Route,
        List,
        route::lost_headers,
        "The request headers, in lower case, that are set for a level around the route and dropped because the route's level sets others.",
    ),
    fact(
        "refused_clients",
        Route,
        List,
        route::refused_clients,
        "The clients whose handshakes the conditions of a rewrite rule keep out while they let others in.",
    ),
    fact(
        "shadowed_by",
        Route,
        Text,
        route::shadowed_by,
        "The earlier mapping that takes every request of this one; absent where there is none.",
    ),
    fact(
        "shadowing_upgrades",
        Route,
        Flag,
        route::shadowing_upgrades,
        "Whether the mapping that shadows this one lets a handshake through itself; absent where nothing shadows it.",
    ),
    fact(
        "worker_of",
        Route,
        Text,
        route::worker_of,
        "The mapping whose worker is used, so that this one's own parameters are ignored; absent where they are in force.",
    ),
    fact(
        "missing_modules",
        Route,
        List,
        route::missing_modules,
        "The modules that the target needs and that are not loaded; absent where none is missing or that cannot be seen.",
    ),
    fact("required_for", Route, Text, route::required_for, "What the first missing module is needed for."),
    fact(
        "timeout.idle",
        Route,
        Duration,
        route::timeout_idle,
        "After how long a WebSocket that both sides leave silent is closed; absent where it never is.",
    ),
    fact("timeout.read", Route, Duration, route::timeout_read, "How long the server waits for the upstream between two reads."),
    fact("timeout.send", Route, Duration, route::timeout_send, "How long the server waits for the upstream between two writes."),
    fact(
        "timeout.connect",
        Route,
        Duration,
        route::timeout_connect,
        "How long the server waits for a connection to the upstream.",
    ),
    fact(
        "noted",
        Directive,
        Text,
        others::noted,
        "What was noted about the directive: `syntax`, `include-missing`, `undefined-variable` or `unit-ignored`.",
    ),
    fact("refused.message", Directive, Text, others::refusal_message, "Why the server refuses to start with this, in its own words."),
    fact("include.path", Directive, Text, others::include_path, "What a failed include names, as written."),
    fact(
        "include.inside",
        Directive,
        Flag,
        others::include_inside,
        "Whether that lies inside the given files, so that the server will not find it either.",
    ),
    fact("variable.name", Directive, Text, others::variable_name, "A variable that nothing defines, without `$`."),
    fact("duration.name", Directive, Text, others::duration_name, "What is set to a duration whose unit is ignored."),
    fact("duration.written", Directive, Text, others::duration_written, "That duration as written."),
    fact("duration.read_as", Directive, Duration, others::duration_read_as, "That duration as the server reads it."),
    fact("duration.meant", Directive, Duration, others::duration_meant, "That duration as it was meant."),
    fact("servers", Upstream, Number, others::upstream_servers, "The number of backends in the group that are asked in turn."),
    fact("affinity", Upstream, Flag, others::upstream_affinity, "Whether a client is kept with one backend."),
    fact("keepalive", Upstream, Flag, others::upstream_keepalive, "Whether idle connections to the backends are kept open."),
    fact("names", Site, List, others::site_names, "The names that the site answers to."),
    fact("listen", Site, List, others::site_listen, "The sockets that the site answers on."),
    fact("tls", Site, Flag, others::site_tls, "Whether TLS ends at the site."),
];
