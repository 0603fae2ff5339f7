//! The standard requests that are followed through every route.

use std::borrow::Cow;

/// A word of a request's head. Probes are made for every route, and most of what they say is the same for all.
pub type Word = Cow<'static, str>;

/// A request as a client sends it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Word,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The host it asks for: lower case, without the port.
    pub host: String,
    /// The port that was reached.
    pub port: u16,
    /// The path: decoded, without the query.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
    /// The target as the client sent it: undecoded path and query. `None`: the path and the query as they are.
    pub target: Option<String>,
    /// The target of the request line, where the server has begun anew with another. `None`: there is but one.
    pub first_target: Option<String>,
    /// All headers in the order sent, `Host` among them.
    pub headers: Vec<(Word, Word)>,
}

/// One of the standard requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A handshake as Chrome sends it: `Connection: Upgrade`.
    Chrome,
    /// A handshake as Firefox sends it: `Connection: keep-alive, Upgrade`.
    Firefox,
    /// A handshake that writes the tokens in another case, as RFC 6455 allows (section 4.2.1: "case-insensitive").
    OtherCase,
    /// A GET of a page.
    Plain,
}

impl Probe {
    /// The request of this probe for `path` at `host`.
    #[must_use]
    pub fn request(self, host: &str, path: &str, tls: bool) -> Request {
        let handshake: &[(&'static str, &'static str)] = match self {
            Self::Chrome => &[("Connection", "Upgrade"), ("Upgrade", "websocket")],
            Self::Firefox => &[("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket")],
            Self::OtherCase => &[("Connection", "upgrade"), ("Upgrade", "WebSocket")],
            Self::Plain => &[("Connection", "keep-alive")],
        };
        let mut headers: Vec<(Word, Word)> = Vec::with_capacity(6);
        headers.push(("Host".into(), host.to_owned().into()));
        headers.extend(handshake.iter().map(|&(name, value)| (name.into(), value.into())));
        if self != Self::Plain {
            headers.push(("Origin".into(), format!("{}://{host}", if tls { "https" } else { "http" }).into()));
            headers.push(("Sec-WebSocket-Version".into(), "13".into()));
            // The key of RFC 6455, section 1.3: any 16 bytes do.
            headers.push(("Sec-WebSocket-Key".into(), "dGhlIHNhbXBsZSBub25jZQ==".into()));
        }
        Request {
            method: "GET".into(),
            tls,
            host: host.to_owned(),
            port: if tls { 443 } else { 80 },
            path: path.to_owned(),
            query: None,
            target: None,
            first_target: None,
            headers,
        }
    }
}

impl Request {
    /// The target as the client sent it.
    #[must_use]
    pub fn sent_target(&self) -> String {
        self.target.clone().unwrap_or_else(|| match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        })
    }

    /// The value of a header by name, in any case; the first where there are several.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}
