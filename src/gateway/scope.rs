//! Settings by the level at which they are written, and how a level inherits.
//!
//! A scalar is taken from the innermost level that sets it. A list (request headers) is taken whole from the innermost level that
//! has any of it: one `proxy_set_header` drops all inherited ones (`ngx_http_proxy_module.c`, `ngx_http_proxy_merge_loc_conf`).

use std::ops::Range;

use smallvec::SmallVec;

use super::{ExpressionId, Known, Protocol, SymbolicId, TextId, Unknown, Version};
use crate::source::Span;

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// Names a [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeId(pub u32);

/// What can be set on a level. The comment names the directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    /// A header of the request to the upstream: `proxy_set_header`, `RequestHeader set`. A list.
    RequestHeader,
    /// A header withheld from the client: `proxy_hide_header`. A list.
    HiddenResponseHeader,
    /// The protocol version towards the upstream: `proxy_http_version`.
    HttpVersion,
    /// How long to wait for the upstream between two reads: `proxy_read_timeout`, httpd's worker `timeout=` and `ProxyTimeout`.
    ReadTimeout,
    /// How long between two writes: `proxy_send_timeout`.
    SendTimeout,
    /// How long to wait for a connection: `proxy_connect_timeout`, `connectiontimeout=`.
    ConnectTimeout,
    /// How long to wait for the client: httpd's `Timeout`.
    ClientTimeout,
    /// Whether the client's headers go to the upstream: `proxy_pass_request_headers`.
    PassRequestHeaders,
    /// The method towards the upstream: `proxy_method`.
    Method,
    /// Whether the client's `Host` goes to the upstream: `ProxyPreserveHost`.
    PreserveHost,
    /// Which protocols a worker may upgrade to: httpd's `upgrade=`, as one comma-separated text.
    Upgrade,
    /// Whether rewriting is on: `RewriteEngine`.
    RewriteEngine,
    /// Whether connections to a worker are used again: httpd's `disablereuse=`, as its opposite.
    Reuse,
    /// Whether a worker is out of service: httpd's `status=+D`.
    Disabled,
    /// [`Property::ReadTimeout`] towards upstreams of another protocol than HTTP: `uwsgi_read_timeout` and its like.
    ReadTimeoutOf(Protocol),
    /// [`Property::SendTimeout`] towards those.
    SendTimeoutOf(Protocol),
    /// [`Property::ConnectTimeout`] towards those.
    ConnectTimeoutOf(Protocol),
    /// Whether the client's headers go to upstreams of another protocol than HTTP: `uwsgi_pass_request_headers` and its like.
    PassRequestHeadersOf(Protocol),
    /// The body towards the upstream instead of the client's: `proxy_set_body`.
    Body,
    /// How many bytes of an answer's head are taken in: `proxy_buffer_size`.
    BufferSize,
    /// Whether the upstream's certificate is checked: `proxy_ssl_verify`.
    VerifyUpstream,
    /// Whether errors that the upstream answers are handled as the server's own: `proxy_intercept_errors`.
    InterceptErrors,
    /// Whether a resolver for names that variables hold is set: `resolver`.
    Resolver,
    /// The proxies that are trusted to name the client: `set_real_ip_from`.
    TrustedProxies,
    /// The header in which they do: `real_ip_header`.
    ClientHeader,
    /// Whether trusted proxies in it are passed over: `real_ip_recursive`.
    ClientRecursive,
    /// Whether any file stands for a directory: `random_index`.
    RandomIndex,
    /// The address that an upstream is asked from: `proxy_bind`.
    SourceAddress,
    /// Where files are: `root`, `alias`.
    DocumentRoot,
    /// The files that stand for a directory: `index`. A list.
    Index,
    /// Whether directories are listed: `autoindex`.
    Autoindex,
    /// What is answered instead of an error: `error_page`. A list.
    ErrorPage,
    /// Whether errors on the way to what is answered instead of an error are handled as well: `recursive_error_pages`.
    RecursiveErrorPages,
    /// Which clients are let in: `allow`, `deny`. A list.
    Access,
    /// The realm for which a password is asked: `auth_basic`; `off` asks for none.
    Password,
    /// The file of users and their passwords: `auth_basic_user_file`.
    PasswordFile,
    /// The location that is asked whether a request is let in: `auth_request`; `off` asks none.
    AskedForAccess,
    /// Code or a module that decides whether a request is let in.
    AccessCode,
    /// Whether one way of being let in suffices: `satisfy any`.
    AnyAccess,
    /// The location that gets a copy of each request: `mirror`; `off` for none. A list.
    Mirror,
    /// A site that a client may come from: a list of names.
    CameFrom,
    /// Whether only the server itself comes here: `internal`.
    Internal,
    /// Whether redirects name scheme and host: `absolute_redirect`.
    AbsoluteRedirect,
    /// Whether redirects name the site's first name: `server_name_in_redirect`.
    SiteNameInRedirect,
    /// Whether redirects name the port: `port_in_redirect`.
    PortInRedirect,
    /// Whether the sockets that the site is the default of end TLS: `ssl`, until 1.25.1.
    EndsTls,
    /// Whether several slashes in a path are one: `merge_slashes`.
    MergeSlashes,
    /// How many headers a request may have: `max_headers`.
    MaxHeaders,
    /// How long a line of a request's head may be: `large_client_header_buffers`.
    LongestLine,
    /// How long a request's head may be without its lines being counted: `client_header_buffer_size`.
    HeadBuffer,
    /// Whether names of headers may have underscores: `underscores_in_headers`.
    Underscores,
    /// Whether headers with other names are dropped: `ignore_invalid_headers`.
    DropInvalid,
    /// How many ranges of a file are sent at once: `max_ranges`.
    MaxRanges,
    /// Whether requests that no location takes are answered with the server's state: `stub_status`.
    State,
    /// How many bytes a second the client is sent: `limit_rate`.
    Rate,
    /// Whether answers are searched for commands, which holds them back: `ssi`.
    Commands,
    /// The types of the answers that are searched: `ssi_types`. A list.
    CommandTypes,
    /// Whether clients need a certificate: `ssl_verify_client on`.
    VerifyClient,
    /// A header that is added to answers: `add_header`, `Header set`. A list.
    ResponseHeader,
    /// Whether the upstream is told the name that is asked for when TLS begins: `proxy_ssl_server_name`.
    SendServerName,
    /// How many connections at a time one client may have: `limit_conn`. A list.
    ConnectionLimit,
    /// How long an idle connection of a client is kept: `keepalive_timeout`.
    KeepaliveTimeout,
    /// How long to wait for the client between two writes: `send_timeout`.
    ClientSendTimeout,
    /// How long to wait for the client between two reads of a body: `client_body_timeout`.
    ClientBodyTimeout,
    /// How long to wait for the head of a request: `client_header_timeout`.
    ClientHeadTimeout,
    /// Whether answers are collected before they are passed on: `proxy_buffering`; httpd's `flushpackets=`, as its opposite.
    Buffering,
    /// [`Property::Buffering`] of answers of upstreams of another protocol than HTTP: `uwsgi_buffering` and its like.
    BufferingOf(Protocol),
    /// The zone in which answers are kept: `proxy_cache`; `off` for none.
    Cache,
    /// [`Property::Cache`] for upstreams of another protocol than HTTP: `uwsgi_cache` and its like.
    CacheOf(Protocol),
    /// Whether answers are compressed: `gzip`.
    Compress,
    /// The types of the answers that are compressed: `gzip_types`. A list.
    CompressedTypes,
    /// The certificate that the server shows: `ssl_certificate`, `SSLCertificateFile`. A list.
    Certificate,
    /// Its key: `ssl_certificate_key`.
    CertificateKey,
    /// Whether every TLS handshake is refused: `ssl_reject_handshake`.
    RejectTls,
    /// The versions of TLS that clients may speak, as one comma-separated text: `ssl_protocols`, `SSLProtocol`.
    TlsProtocols,
}

impl Property {
    /// The read timeout towards upstreams of `protocol`.
    #[must_use]
    pub fn read_timeout(protocol: Protocol) -> Self {
        if protocol.has_own_settings() { Self::ReadTimeoutOf(protocol) } else { Self::ReadTimeout }
    }

    /// Whether answers of upstreams of `protocol` are collected.
    #[must_use]
    pub fn buffering(protocol: Protocol) -> Self {
        if protocol.has_own_settings() { Self::BufferingOf(protocol) } else { Self::Buffering }
    }

    /// The zone for answers of upstreams of `protocol`.
    #[must_use]
    pub fn cache(protocol: Protocol) -> Self {
        if protocol.has_own_settings() { Self::CacheOf(protocol) } else { Self::Cache }
    }

    /// The send timeout towards upstreams of `protocol`.
    #[must_use]
    pub fn send_timeout(protocol: Protocol) -> Self {
        if protocol.has_own_settings() { Self::SendTimeoutOf(protocol) } else { Self::SendTimeout }
    }

    /// The connect timeout towards upstreams of `protocol`.
    #[must_use]
    pub fn connect_timeout(protocol: Protocol) -> Self {
        if protocol.has_own_settings() { Self::ConnectTimeoutOf(protocol) } else { Self::ConnectTimeout }
    }
}

/// The status of what is answered instead of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// The error's own.
    Kept,
    /// This one, whatever is answered.
    Set(u16),
    /// That of what is answered.
    Answered,
}

/// What a property is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// A duration.
    Duration(Millis),
    /// On or off.
    Flag(bool),
    /// A protocol version, e.g. 1.1, as major and minor.
    Version(Version),
    /// A text.
    Text(SymbolicId),
    /// A header: its name as written, its name in lower case, and its value.
    Header {
        /// As written: it is sent so.
        name: TextId,
        /// For comparing.
        lower: TextId,
        /// The value; empty: the header is not sent.
        value: SymbolicId,
    },
    /// A change of a header that is more than to set or to withhold it.
    HeaderEdit(HeaderEditId),
    /// A number: of bytes, of headers.
    Number(u64),
    /// A directory that replaces the matched part of the path: `alias`.
    Alias(SymbolicId),
    /// What is answered instead of an error.
    ErrorPage {
        /// The error.
        status: u16,
        /// The status that the client gets.
        answer: Instead,
        /// A path, a named location or a URL.
        target: SymbolicId,
    },
    /// Clients that are let in or not.
    Clients {
        /// Whether they are let in.
        allowed: bool,
        /// An address, a network or `all`.
        from: TextId,
    },
    /// Set, to something that cannot be known.
    Unknown(Unknown),
}

/// Names a [`HeaderEdit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderEditId(pub u32);

/// A change of a header: httpd's `RequestHeader` with a condition, or one that depends on what the client sent.
#[derive(Clone, Debug)]
pub struct HeaderEdit {
    /// As written: it is sent so.
    pub name: TextId,
    /// For comparing.
    pub lower: TextId,
    /// What is done.
    pub change: HeaderChange,
    /// The value.
    pub value: SymbolicId,
    /// When.
    pub when: EditWhen,
    /// Whether it is done before anything else sees the request.
    pub early: bool,
}

/// What is done to a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderChange {
    /// It is set.
    Set,
    /// It is set where the client sent none.
    SetIfEmpty,
    /// The value is put behind the client's, with a comma.
    Append,
    /// The same, unless it is there already.
    Merge,
    /// It is sent a second time.
    Add,
    /// It is withheld.
    Unset,
    /// What a pattern matches in it is replaced.
    Edit {
        /// The pattern.
        pattern: TextId,
        /// Every match, or (`false`) the first.
        every: bool,
    },
}

/// When a header is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditWhen {
    /// Always.
    Always,
    /// Where a variable of the request is set, or (`false`) is not.
    Variable(TextId, bool),
    /// Where a condition holds.
    Condition(ExpressionId),
}

/// One setting as written.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What is set.
    pub property: Property,
    /// To what.
    pub assigned: Assigned,
    /// The directive: its name and words.
    pub span: Span,
}

/// One level: a block of the configuration, or a backend's own parameters.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The level around it.
    pub parent: Option<ScopeId>,
    /// The head of the block.
    pub span: Span,
    /// Set where this level may hold settings that we do not see.
    pub open: Option<Unknown>,
    /// The runs of entries written on this level; an included file that many levels share is one run, stored once.
    own: Range<u32>,
}

/// All levels of a gateway.
#[derive(Debug, Default)]
pub struct Scopes {
    levels: Vec<Scope>,
    runs: Vec<Range<u32>>,
    entries: Vec<Entry>,
}

/// Where an effective value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written on the level asked about.
    Here(Span),
    /// Written on a level around it.
    Inherited(Span),
    /// Written nowhere: the server's default.
    Default,
}

impl Origin {
    /// The directive that sets the value; `None` for a default.
    #[must_use]
    pub fn span(self) -> Option<Span> {
        match self {
            Self::Here(span) | Self::Inherited(span) => Some(span),
            Self::Default => None,
        }
    }
}

/// An effective value with its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// Collects what is written on one level while it is being lowered.
#[derive(Debug, Default)]
pub struct ScopeBuilder {
    runs: SmallVec<[Range<u32>; 1]>,
    pending: Vec<Entry>,
    /// Set where this level may hold settings that we do not see.
    pub open: Option<Unknown>,
}

impl ScopeBuilder {
    /// Adds a setting written on this level.
    pub fn push(&mut self, entry: Entry) {
        self.pending.push(entry);
    }

    /// Adds a run of entries that was stored before: the settings of an included file.
    pub fn share(&mut self, run: Range<u32>, scopes: &mut Scopes) {
        self.flush(scopes);
        if !run.is_empty() {
            self.runs.push(run);
        }
    }

    /// What was written on this level since the last shared run.
    #[must_use]
    pub fn pending(&self) -> &[Entry] {
        &self.pending
    }

    fn flush(&mut self, scopes: &mut Scopes) {
        if !self.pending.is_empty() {
            let run = scopes.store(&self.pending);
            self.pending.clear();
            self.runs.push(run);
        }
    }
}

impl Scopes {
    /// Stores entries that several levels may share, and returns their run.
    pub fn store(&mut self, entries: &[Entry]) -> Range<u32> {
        let start = index(self.entries.len());
        self.entries.extend_from_slice(entries);
        start..index(self.entries.len())
    }

    /// Opens a level inside `parent`; what is written on it is given when it is closed, so that levels inside it can be added first.
    pub fn open(&mut self, parent: Option<ScopeId>, span: Span) -> ScopeId {
        let id = ScopeId(index(self.levels.len()));
        self.levels.push(Scope { parent, span, open: None, own: 0..0 });
        id
    }

    /// Makes room for so many levels, and settings on them.
    pub fn reserve(&mut self, levels: usize, settings: usize) {
        self.levels.reserve(levels);
        self.runs.reserve(levels);
        self.entries.reserve(settings);
    }

    /// Closes the level `id`: `builder` holds what is written on it, and can collect for another when it comes back.
    pub fn close(&mut self, id: ScopeId, mut builder: ScopeBuilder) -> ScopeBuilder {
        builder.flush(self);
        let start = index(self.runs.len());
        self.runs.extend(builder.runs.drain(..));
        let scope = &mut self.levels[id.0 as usize];
        scope.own = start..index(self.runs.len());
        scope.open = builder.open.take();
        builder
    }

    /// The level that `id` names.
    #[must_use]
    pub fn get(&self, id: ScopeId) -> &Scope {
        &self.levels[id.0 as usize]
    }

    /// The level `id` and those around it, innermost first.
    pub fn chain(&self, id: ScopeId) -> impl Iterator<Item = ScopeId> + '_ {
        std::iter::successors(Some(id), |&scope| self.get(scope).parent)
    }

    /// What is written on the level `id` itself, in order.
    pub fn own(&self, id: ScopeId) -> impl Iterator<Item = &Entry> + '_ {
        let Range { start, end } = self.get(id).own.clone();
        self.runs[start as usize..end as usize].iter().flat_map(|run| &self.entries[run.start as usize..run.end as usize])
    }

    /// The effective value of a scalar: `None` where no level sets it. Of several on one level the last counts.
    ///
    /// # Errors
    /// Where a level that may hold unseen settings is met before one that sets the property.
    pub fn scalar(&self, id: ScopeId, property: Property) -> Known<Option<Setting<Assigned>>> {
        for (depth, scope) in self.chain(id).enumerate() {
            if let Some(entry) = self.own(scope).filter(|entry| entry.property == property).last() {
                if let Assigned::Unknown(why) = entry.assigned {
                    return Err(why);
                }
                let origin = if depth == 0 { Origin::Here(entry.span) } else { Origin::Inherited(entry.span) };
                return Ok(Some(Setting { value: entry.assigned, origin }));
            }
            if let Some(why) = self.get(scope).open {
                return Err(why);
            }
        }
        Ok(None)
    }

    /// The level whose list of `property` is in force for `id`: the innermost that has any of it; and why more of the list may be
    /// unseen, where a level on the way may hold unseen settings.
    #[must_use]
    pub fn list(&self, id: ScopeId, property: Property) -> (Option<ScopeId>, Option<Unknown>) {
        let mut unseen = None;
        for scope in self.chain(id) {
            unseen = unseen.or(self.get(scope).open);
            if self.own(scope).any(|entry| entry.property == property) {
                return (Some(scope), unseen);
            }
        }
        (None, unseen)
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
