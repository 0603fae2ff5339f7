//! How a WebSocket server answers a request: the strict judgement of RFC 6455 section 4.2.1, and less careful ones.

use tungstenite::handshake::derive_accept_key;

use crate::head::Head;

/// How careful a WebSocket server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As the RFC says.
    Strict,
    /// Strict, and 403 unless `Origin` names the `Host`.
    OwnOrigin,
    /// Strict, but a request that asks for no upgrade gets a page.
    PagesToo,
    /// Strict, but the 101 names another protocol.
    ForeignUpgrade,
    /// 101 to anything.
    Lenient,
}

/// An answer, and whether a tunnel follows.
pub(crate) struct Reply {
    /// What is written.
    pub(crate) bytes: Vec<u8>,
    /// Whether it is a 101.
    pub(crate) upgraded: bool,
}

/// What a WebSocket server of this manner answers; `None`: it closes the connection.
pub(crate) fn answer(head: &Head, manner: Manner) -> Option<Reply> {
    if manner == Manner::Lenient {
        return Some(switch(head, "websocket"));
    }
    if manner == Manner::PagesToo && head.all("upgrade").next().is_none() {
        return page();
    }
    match refusal(head) {
        Some(Refusal::Hangup) => None,
        Some(Refusal::Status(status)) => Some(refuse(status)),
        None if manner == Manner::OwnOrigin && !is_own_origin(head) => Some(refuse("403 Forbidden")),
        None if manner == Manner::ForeignUpgrade => Some(switch(head, "foo")),
        None => Some(switch(head, "websocket")),
    }
}

/// A web page.
#[expect(clippy::unnecessary_wraps, reason = "the same form as the other answers")]
pub(crate) fn page() -> Option<Reply> {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n".to_vec();
    Some(Reply { bytes, upgraded: false })
}

/// How an invalid handshake is turned down.
enum Refusal {
    /// By an answer with this status.
    Status(&'static str),
    /// By closing the connection.
    Hangup,
}

/// Why this is no valid handshake.
fn refusal(head: &Head) -> Option<Refusal> {
    let mut line = head.start.split(' ');
    let (method, version) = (line.next().unwrap_or_default(), line.next_back().unwrap_or_default());
    if line.count() != 1 {
        return Some(Refusal::Status("400 Bad Request"));
    }
    if version != "HTTP/1.1" {
        return Some(Refusal::Status("505 HTTP Version Not Supported"));
    }
    if method != "GET" {
        return Some(Refusal::Status("405 Method Not Allowed"));
    }
    if head.joined("content-length").is_some_and(|length| length != "0") || head.joined("transfer-encoding").is_some() {
        return Some(Refusal::Hangup);
    }
    if !["connection", "upgrade"].into_iter().all(|name| head.elements(name).all(is_protocol)) {
        return Some(Refusal::Status("400 Bad Request"));
    }
    let upgrades: Vec<_> = head.elements("upgrade").collect();
    if !head.has_token("connection", "upgrade") || !matches!(upgrades[..], [one] if one.eq_ignore_ascii_case("websocket")) {
        return Some(Refusal::Status("426 Upgrade Required"));
    }
    if !head.joined("sec-websocket-key").is_some_and(|key| is_key(&key))
        || head.joined("sec-websocket-version").as_deref() != Some("13")
    {
        return Some(Refusal::Status("400 Bad Request"));
    }
    None
}

/// A token, or a token and a version (`HTTP/2.0`).
fn is_protocol(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    text.splitn(2, '/').all(token)
}

/// Sixteen bytes in base 64.
fn is_key(key: &str) -> bool {
    key.strip_suffix("==")
        .is_some_and(|key| key.len() == 22 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)))
}

fn is_own_origin(head: &Head) -> bool {
    let origin = head.joined("origin").unwrap_or_default();
    origin.split_once("://").map(|(_, host)| host) == head.joined("host").as_deref()
}

/// An answer that is no 101.
pub(crate) fn refuse(status: &str) -> Reply {
    let upgrade = if status.starts_with("426") { "Upgrade: websocket\r\n" } else { "" };
    let text =
        format!("HTTP/1.1 {status}\r\n{upgrade}Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno\n");
    Reply { bytes: text.into_bytes(), upgraded: false }
}

fn switch(head: &Head, protocol: &str) -> Reply {
    let accept = derive_accept_key(head.joined("sec-websocket-key").unwrap_or_default().as_bytes());
    let text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Reply { bytes: text.into_bytes(), upgraded: true }
}
