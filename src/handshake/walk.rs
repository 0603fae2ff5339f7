//! The way of one request through a gateway, step by step, and the verdict at its end.

use std::borrow::Cow;

use crate::gateway::{Millis, RouteId, SiteId, Unknown};
use crate::source::Span;

/// What becomes of a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The site that handled it.
    pub site: Option<SiteId>,
    /// The route that took it last.
    pub route: Option<RouteId>,
    /// What the upstream was sent, where it was asked.
    pub upstream_request: Option<UpstreamRequest>,
    /// What came of it.
    pub verdict: Verdict,
    /// The upstream's host, where variables name it and nothing says how to look it up.
    pub unresolved: Option<String>,
    /// The steps on the way, in order; the last ones decide.
    pub because: Vec<Because>,
}

/// A step of a walk: a place and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// The directive; `None` for a default of the server.
    pub span: Option<Span>,
    /// What it did, lower case, without full stop.
    pub message: Cow<'static, str>,
    /// Whether this step is to blame for a verdict other than `upgraded`.
    pub culprit: bool,
}

/// A request as the upstream receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRequest {
    /// The method.
    pub method: String,
    /// The request target: path and query.
    pub target: String,
    /// `1.0`, `1.1` or `2`.
    pub http_version: String,
    /// All headers, in order.
    pub headers: Headers,
}

/// The headers of a request, in order: names and values side by side in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    text: String,
    /// Where each name and its value end.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    /// Puts one behind the others.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name = self.text.len();
        self.text.push_str(value);
        self.ends.push((name, self.text.len()));
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(_, end)| end));
        starts.zip(&self.ends).map(|(start, &(name, value))| (&self.text[start..name], &self.text[name..value]))
    }

    /// The value of a header by name, in any case; the first where there are several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl FromIterator<(String, String)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(headers: I) -> Self {
        let mut all = Self::default();
        for (name, value) in headers {
            all.push(&name, &value);
        }
        all
    }
}

/// What comes of a WebSocket handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A correct backend answers 101 and bytes flow both ways.
    Upgraded {
        /// After how long silence closes it; `None`: never.
        idle_limit: Result<Option<Millis>, Unknown>,
    },
    /// The upstream is asked, but not for a valid upgrade.
    ForwardedPlain,
    /// The server answers by itself.
    Answered {
        /// The status.
        status: u16,
        /// Where the client is sent, for a redirect.
        location: Option<String>,
    },
    /// The upstream cannot be asked, or its answer is of no use.
    BadGateway {
        /// The status that the client gets.
        status: u16,
    },
    /// The server does not start with this configuration.
    RefusesToStart {
        /// Its message.
        message: String,
    },
    /// It cannot be said.
    Unknown(Unknown),
}

impl Verdict {
    /// The name of the kind, as in the JSON of `proxylint trace`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Upgraded { .. } => "upgraded",
            Self::ForwardedPlain => "forwarded-plain",
            Self::Answered { .. } => "answered",
            Self::BadGateway { .. } => "bad-gateway",
            Self::RefusesToStart { .. } => "refuses-to-start",
            Self::Unknown(_) => "unknown",
        }
    }
}
