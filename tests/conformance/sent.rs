//! What a backend was sent, reduced to what decides a handshake.

use std::fmt;

/// The request line and the deciding headers of one request that reached a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// An HTTP request head.
    Http(Request),
    /// Another protocol, or bytes that are none: the recorded text.
    Other(String),
}

/// An HTTP request head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// `GET`.
    pub(crate) method: String,
    /// The target as it stood on the request line.
    pub(crate) target: String,
    /// `HTTP/1.1`.
    pub(crate) version: String,
    /// `Host`; several are joined by `|`, `None` is absent. Likewise the next two.
    pub(crate) host: Option<String>,
    /// `Upgrade`.
    pub(crate) upgrade: Option<String>,
    /// `Connection`.
    pub(crate) connection: Option<String>,
    /// Further headers the case records, `name=value` each.
    pub(crate) shown: Vec<String>,
    /// The nominal port of the backend, or the name of its socket; `None` where not recorded.
    pub(crate) backend: Option<String>,
}

impl Sent {
    /// Reads the form used in `expected.json`: `GET /ws HTTP/1.1 Host=… Upgrade=… Connection=… @19001`.
    pub(crate) fn from_record(line: &str) -> Self {
        Self::parse(line).unwrap_or_else(|| Self::Other(line.to_owned()))
    }

    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('[') {
            return None;
        }
        let (rest, backend) = match line.rsplit_once(" @") {
            Some((rest, backend)) => (rest, Some(backend.to_owned())),
            None => (line, None),
        };
        let (request_line, fields) = rest.split_once(" Host=")?;
        let (host, fields) = fields.split_once(" Upgrade=")?;
        let (upgrade, fields) = fields.split_once(" Connection=")?;
        let (request_line, version) = request_line.rsplit_once(' ')?;
        // A target may hold blanks where a record stands for a path of the build.
        let (method, target) = request_line.split_once(' ')?;
        // Further headers follow the Connection value, each as ` name=value`; a Connection value itself has no `=`.
        let mut words = fields.split(' ').peekable();
        let mut connection = Vec::new();
        while let Some(word) = words.next_if(|word| !word.contains('=')) {
            connection.push(word);
        }
        let value = |text: &str| (text != "-").then(|| text.to_owned());
        Some(Self::Http(Request {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            host: value(host),
            upgrade: value(upgrade),
            connection: value(&connection.join(" ")),
            shown: words.map(str::to_owned).collect(),
            backend,
        }))
    }

    /// Whether the record says which backend it was.
    pub(crate) fn names_its_backend(&self) -> bool {
        matches!(self, Self::Http(Request { backend: Some(_), .. }))
    }

    /// Whether what arrived is what was recorded: a backend is compared only where the record names one, and bytes that
    /// are no HTTP only by being none.
    pub(crate) fn agrees_with(&self, recorded: &Self) -> bool {
        match (self, recorded) {
            (Self::Http(now), Self::Http(then)) => {
                let now = Request { backend: then.backend.as_ref().and(now.backend.clone()), ..now.clone() };
                now.same_target(then) && Request { target: then.target.clone(), ..now } == *then
            }
            (Self::Other(now), Self::Other(then)) => {
                now == then || now.starts_with(char::is_control) && then.starts_with(char::is_control)
            }
            _ => false,
        }
    }
}

impl Request {
    /// Compares targets, where a record may stand for a path compiled into httpd.
    pub(crate) fn same_target(&self, recorded: &Self) -> bool {
        match recorded.target.strip_prefix("(compiled-in DocumentRoot)") {
            Some(rest) => self.target.ends_with(rest),
            None => self.target == recorded.target,
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(text) => write!(out, "{}", text.escape_debug()),
            Self::Http(request) => {
                let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                let Request { method, target, version, host, upgrade, connection, shown, backend } = request;
                write!(
                    out,
                    "{method} {target} {version} Host={} Upgrade={} Connection={}",
                    or_dash(host),
                    or_dash(upgrade),
                    or_dash(connection)
                )?;
                shown.iter().try_for_each(|shown| write!(out, " {shown}"))?;
                backend.as_ref().map_or(Ok(()), |backend| write!(out, " @{backend}"))
            }
        }
    }
}
