//! What may change along with what is wanted: the facts that follow from others, by how their names begin.

/// What follows from a wanted fact on the same item, by how the facts' names begin: what has to change for it, or cannot but change along.
pub(super) const FOLLOWS: [(&str, &[&str]); 22] = [
    // An upgrade needs `Connection` and HTTP/1.1, or in httpd another scheme; plain requests then carry what the map or the server gives them.
    ("handshake.request_header.upgrade", UPGRADED),
    ("handshake.request_header.connection", &["plain.request_header.connection"]),
    ("plain.forced", &["plain.request_header.upgrade", "plain.request_header.connection"]),
    ("forged_headers", UPGRADED),
    ("handshake.lacks", &["handshake.request_header.", "plain.request_header.", "http_version", "method", "origin"]),
    ("handshake.verdict", &["handshake.request_header.", "answer_buffer"]),
    ("host", &["handshake.request_header.host", "plain.request_header.host"]),
    ("scheme_forwarded", &["handshake.request_header.x-forwarded-proto", "plain.request_header.x-forwarded-proto"]),
    ("timeout.idle", &["timeout.read"]),
    ("timeout.read", &["timeout.idle"]),
    ("timeout.zero", &["timeout.read", "timeout.connect", "timeout.idle"]),
    // A worker comes with all of its parameters.
    ("shadowed_by", WORKERS),
    ("worker_of.lost", WORKERS),
    ("upgrade_lost_at", WORKERS),
    ("upgrade_parameter.allows_websocket", UPGRADED),
    // The address is another one: that is what is wanted.
    ("rewrite_target.fault", &["target.", "plain.request_header.host", "handshake.request_header.host", "host"]),
    ("target.path_fault", &["target.uri"]),
    ("redirected_before", &["target.uri"]),
    ("section_pattern", &["target.uri", "handshake.request_header.", "plain.request_header.connection", "timeout."]),
    ("subrequest.upgrading", UPGRADED),
    ("missing_modules", &["handshake.request_header.", "plain.request_header."]),
    // A line that was read otherwise than it was meant, of the routes that it makes.
    (
        "noted",
        &[
            "target.",
            "timeout.",
            "handshake.request_header.",
            "plain.request_header.",
            "http_version",
            "host",
            "resolver_missing",
        ],
    ),
];

/// What an upgrade changes of the requests that are sent.
const UPGRADED: &[&str] = &[
    "handshake.request_header.upgrade",
    "handshake.request_header.connection",
    "plain.request_header.connection",
    "plain.request_header.upgrade",
    "target.scheme",
];

/// What a worker decides.
const WORKERS: &[&str] = &[
    "handshake.request_header.upgrade",
    "handshake.request_header.connection",
    "plain.request_header.connection",
    "timeout.read",
    "timeout.idle",
    "target.keepalive",
];

/// What may change on any item where what is wanted serves them all, by how the facts' names begin.
pub(super) const SERVES_ALL: [(&str, &[&str]); 8] = [
    // What one site says counts for all on its socket.
    ("listen.http2_without_tls", &["listen.http2_without_tls"]),
    ("missing_modules", &["modules", "missing_modules", "required_for", "handshake."]),
    // A rule that leads handshakes to `ws://` needs modules that the mapping did without.
    ("handshake.request_header.upgrade", &["modules"]),
    ("scheme_forwarded", &["modules", "scheme_forwarded"]),
    // A level that many sites have in common.
    ("tls.weak", &["tls.weak"]),
    ("connections_per_worker", &["connections_per_worker", "websockets_per_worker", "open_file_limit"]),
    ("open_file_limit.suffices", &["open_file_limit"]),
    // Who asks a group of backends asks it with what the group does.
    ("target.affinity", &["target.affinity", "affinity"]),
];

/// The upgrade that plain requests ask for.
pub(super) const FORCED: &str = "plain.request_header.upgrade";

/// Facts that say who takes a request: where one of them is wanted of a route, that may take plain requests that another took.
pub(super) const TAKES: [&str; 5] =
    ["shadowed_by", "handshake.taken_before", "redirected_before", "section_pattern", "rewrite_target.fault"];

/// Facts that a line decides which was read otherwise than it was meant: they may change on any route where it is the evidence.
pub(super) const LINES_DECIDE: [&str; 4] = ["timeout.", "refused_clients", "rewrite_engine", "handshake."];

/// Facts that say what is wrong, or what becomes of a handshake: on an item that is mended they follow from what is done there. All others
/// stay as they are but for what is wanted.
const SAYS: [&str; 32] = [
    "host.told",
    "timeout.in_vain",
    "forged_headers.effect",
    "handshake.",
    "lost_headers",
    "refused_clients",
    "shadowed_by",
    "missing_modules",
    "required_for",
    "target.answered_before",
    "target.websocket",
    "target.path_fault",
    "target.path_example",
    "endpoint.",
    "plain.forced",
    "upgrade.other_protocols",
    "subrequest.upgrading",
    "worker_of",
    "upgrade_advice",
    "upgrade_parameter",
    "upgrade_lost_at",
    "checks_upgrade",
    "section_pattern",
    "rewrite_engine",
    "rewrite_target.fault",
    "not_inherited_by",
    "detached_conditions",
    "redirected_before",
    "timeout.raised_instead",
    "timeout.of_other_protocol",
    "grpc.streams",
    "mapped_by",
];

/// Whether a fact is about what becomes of the handshake.
pub(super) fn is_verdict(fact: &str) -> bool {
    fact.starts_with("handshake.") && !fact.starts_with("handshake.request_header.")
}

/// Whether a fact is of [`SAYS`].
pub(super) fn says(fact: &str) -> bool {
    !fact.starts_with("handshake.request_header.") && SAYS.iter().any(|said| fact.starts_with(said))
}
