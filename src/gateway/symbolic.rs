//! Values with variables in them, as written; `handshake` makes them concrete for one request.

use std::net::IpAddr;

use super::pool::Pool;
use super::{Change, TextId, Unknown};
use crate::source::Span;

/// Names a value of a [`Symbolics`], a row of parts; no parts is the empty string. Values written alike have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SymbolicId(pub u32);

/// One part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that stands for itself.
    Text(TextId),
    /// A variable.
    Variable(Variable),
    /// Something that cannot be known.
    Unknown(Unknown),
}

/// A variable, under a name that both servers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// The value of a header of the client's request, by lower-case name; empty where the request lacks it.
    RequestHeader(TextId),
    /// The value of the last header of the client's request whose name the pattern matches.
    RequestHeaderLike(TextId),
    /// A query argument.
    Argument(TextId),
    /// The path of the request as it stands now: decoded, without the query.
    Path,
    /// The request target as the client sent it: path and query, undecoded.
    RequestTarget,
    /// The query string, without `?`.
    Query,
    /// `?` where there is a query, else nothing.
    QueryMark,
    /// The host that the request asks for: lower case, without the port.
    Host,
    /// The name of the site that serves the request.
    SiteName,
    /// `http` or `https`: how the client came.
    Scheme,
    /// `on` where the client came over TLS, else empty.
    Tls,
    /// The request method.
    Method,
    /// Whether the request is one on behalf of another, `true` or `false`: httpd's `IS_SUBREQ`.
    IsSubrequest,
    /// The port that the client reached.
    ServerPort,
    /// The client's address.
    ClientAddress,
    /// The address that the client reached.
    ServerAddress,
    /// The directory that paths are looked for in, where nothing says otherwise.
    DocumentRoot,
    /// What of the path lies behind the file that it is mapped to.
    PathInfo,
    /// A value with something done to it.
    Changed(Change, SymbolicId),
    /// `X-Forwarded-For` of the request with the client's address appended.
    ForwardedFor,
    /// Host and port of the upstream, as written in the target.
    UpstreamHost,
    /// The port of the upstream.
    UpstreamPort,
    /// The file that the request is mapped to as it stands now; before that its path.
    FileName,
    /// A variable that the configuration sets for the request while it is handled: httpd's `SetEnvIf`; by name, case matters.
    Process(TextId),
    /// The same; `(null)` where it is not set.
    ProcessOrNull(TextId),
    /// The n-th capture of the pattern that matched last: the route's, or the rewrite rule's.
    Capture(u8),
    /// The n-th capture of the condition that matched last.
    ConditionCapture(u8),
    /// One that the configuration defines, by lower-case name; see [`Definition`].
    Defined(TextId),
    /// One that the server has and whose value depends on what only a running server knows.
    Runtime(TextId),
}

/// What the configuration says about a variable it defines.
#[derive(Debug)]
pub enum Definition {
    /// The value follows from another value by a table.
    Map(Map),
    /// Assigned while a request is handled: each assignment with whether it is always carried out on its level.
    Assigned(Vec<(SymbolicId, Span)>),
    /// Defined, by means that only a running server can carry out (an address table, a cookie, code).
    Opaque(Span),
}

/// A table from the values of one expression to those of a variable.
#[derive(Debug)]
pub struct Map {
    /// Where the table is defined: its head.
    pub span: Span,
    /// The expression looked up.
    pub subject: SymbolicId,
    /// The rows, in the order in which they are tried within their kind: exact texts first, then patterns.
    pub entries: Vec<MapEntry>,
    /// The value where no row matches.
    pub default: SymbolicId,
    /// Whether it is looked up anew for each use, and not once for a request.
    pub volatile: bool,
    /// Whether host names are looked up, whose final dot does not count.
    pub hostnames: bool,
    /// The proxies that are trusted to name the client whose address is looked up.
    pub proxies: Vec<TextId>,
    /// Whether those among them that name one another are passed over.
    pub recursive: bool,
    /// Set where rows may be missing from what we see.
    pub partial: Option<Unknown>,
}

/// One row of a [`Map`].
#[derive(Debug)]
pub struct MapEntry {
    /// What the expression is compared with.
    pub key: MapKey,
    /// The variable's value where it matches.
    pub value: SymbolicId,
    /// The row in the file.
    pub span: Span,
}

/// What the expression of a [`Map`] is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKey {
    /// A text, compared without regard to case; stored in lower case.
    Text(TextId),
    /// A host name with a wildcard at one end, as in `*.example.com`, or `.example.com`; lower case.
    Host(TextId),
    /// A regular expression.
    Regex {
        /// The pattern without its markers.
        pattern: TextId,
        /// Whether case is ignored.
        ignore_case: bool,
    },
    /// The addresses from the first to the last one; of several rows the one with the fewest counts.
    Addresses(IpAddr, IpAddr),
    /// The share of all values whose hash (`MurmurHash2`) lies below this number.
    Share(u32),
}

/// All values of a gateway, each stored once.
#[derive(Debug, Default)]
pub struct Symbolics(Pool<Part>);

impl Symbolics {
    /// Makes room for so many values.
    pub fn reserve(&mut self, values: usize) {
        self.0.reserve(values);
    }

    /// The id of the value with these parts, which is added where it is new.
    pub fn intern(&mut self, parts: &[Part]) -> SymbolicId {
        SymbolicId(self.0.intern(parts))
    }

    /// The parts of a value.
    #[must_use]
    pub fn get(&self, id: SymbolicId) -> &[Part] {
        self.0.get(id.0)
    }

    /// The text of a value without variables; the empty value is the empty text.
    #[must_use]
    pub fn literal<'a>(&self, id: SymbolicId, texts: &'a super::Texts) -> Option<&'a [u8]> {
        match self.get(id) {
            [] => Some(b""),
            [Part::Text(text)] => Some(texts.get(*text)),
            _ => None,
        }
    }
}
