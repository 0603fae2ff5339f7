//! Areas: parts of a site's requests for which more is set, by path, file, backend or condition; httpd's sections.
//!
//! The first area of a site is the site itself. Those that cover a request are merged in order; the later wins.

use super::{ExpressionId, Matcher, Rewrite, RouteId, ScopeId, SymbolicId, TextId, Unknown};
use crate::source::Span;

/// A part of a site's requests for which more is set.
#[derive(Debug)]
pub struct Area {
    /// The head of the block.
    pub span: Span,
    /// Which requests it covers.
    pub covers: Covers,
    /// The area that it stands in, by its index in the site's areas.
    pub within: usize,
    /// The level that holds its headers and timeouts.
    pub scope: ScopeId,
    /// Where its requests are passed to, before the site's mappings are tried.
    pub proxy: Option<RouteId>,
    /// What handles its requests where nothing maps them: `SetHandler`.
    pub handler: Option<Handler>,
    /// Its rewrite rules, where it has any directive about rewriting.
    pub rewriting: Option<Box<Rewriting>>,
    /// Who is let in.
    pub access: Option<Box<Access>>,
    /// Set where it is written in the directory itself.
    pub file: Option<Box<DirectoryFile>>,
    /// What else is set.
    pub settings: Settings,
    /// Variables that are set for its requests, in order.
    pub variables: Vec<Assignment>,
    /// Redirects, in order.
    pub redirects: Vec<Redirect>,
    /// Directories elsewhere that paths stand for, in order.
    pub aliases: Vec<Alias>,
}

/// Which requests an [`Area`] covers.
#[derive(Clone, Debug)]
pub enum Covers {
    /// Those of the area around it.
    Everything,
    /// Those whose path matches: `<Location>`.
    Path(Matcher),
    /// Those for what lies in a directory: `<Directory>`.
    Directory(Matcher),
    /// Those for what lies in one of several directories: `<Directory>` with wildcards.
    Directories {
        /// Their path as written.
        written: TextId,
        /// What a path must match.
        pattern: TextId,
        /// How many segments it has.
        segments: usize,
    },
    /// Those for a file of that name: `<Files>`.
    File(Matcher),
    /// Those that are passed to a URL that begins so, or `*` for all: `<Proxy>`.
    Proxied(Matcher),
    /// Those for which a condition holds: `<If>`.
    Condition(ExpressionId),
    /// Cannot be known.
    Unknown(Unknown),
}

/// What handles requests that nothing maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// They are passed on: `SetHandler "proxy:…"`.
    Proxy(RouteId),
    /// A module answers, e.g. `server-status`.
    Named(TextId),
    /// Files are served as if no handler were set: `None`.
    Files,
}

/// The rewrite rules of an area.
#[derive(Debug, Default)]
pub struct Rewriting {
    /// The rules, in order.
    pub rules: Vec<Rewrite>,
    /// The path that stands for the directory: `RewriteBase`.
    pub base: Option<TextId>,
    /// `RewriteOptions`, where any are set here.
    pub options: Option<RewriteOptions>,
}

/// httpd's `RewriteOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct RewriteOptions {
    /// Whether the rules around apply too: `Inherit`, `InheritBefore`.
    pub inherit: Option<Inherits>,
    /// Whether what lies inside takes these rules too: `InheritDown`, `InheritDownBefore`.
    pub hands_down: Option<Inherits>,
    /// Whether no rules are taken that are handed down: `IgnoreInherit`.
    pub ignores: bool,
    /// Whether a directory's rules are tried for its own name without a slash: `AllowNoSlash`.
    pub without_slash: bool,
    /// Whether `RewriteBase` is inherited: `MergeBase`.
    pub merges_base: bool,
    /// Whether the path that an alias stands for is not put back: `IgnoreContextInfo`.
    pub ignores_context: bool,
    /// Whether a URL at this very server may become a file outside of the document root: `LegacyPrefixDocRoot`.
    pub reduces_plainly: bool,
    /// Whether any new path may be a file outside of the document root: `UnsafePrefixStat`.
    pub allows_any_file: bool,
}

/// Where inherited rules go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherits {
    /// Before the own ones.
    Before,
    /// Behind them.
    Behind,
}

impl RewriteOptions {
    /// Where the rules of `outer` go in a level whose options in force these are; `None`: they do not apply (`config_server_merge`,
    /// `config_perdir_merge`).
    #[must_use]
    pub fn inherits(self, outer: Self) -> Option<Inherits> {
        let handed = outer.hands_down.filter(|_| !self.ignores);
        let behind = [self.inherit, handed].contains(&Some(Inherits::Behind));
        if behind { Some(Inherits::Behind) } else { self.inherit.or(handed) }
    }
}

/// Scalars of an area; `None`: not set here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where files are: `DocumentRoot`.
    pub document_root: Option<Result<TextId, Unknown>>,
    /// Whether several slashes in a path are one: `MergeSlashes`.
    pub merge_slashes: Option<bool>,
    /// Whether a host may have any name: `HttpProtocolOptions Unsafe`.
    pub any_host: Option<bool>,
    /// Whether an encoded slash is let through: `AllowEncodedSlashes`.
    pub encoded_slashes: Option<EncodedSlashes>,
    /// Whether TLS ends here: `SSLEngine`.
    pub tls: Option<bool>,
    /// Whether only TLS is let in, and the line that says so: `SSLRequireSSL`.
    pub requires_tls: Option<Span>,
    /// Whether backends may be asked over TLS: `SSLProxyEngine`.
    pub proxy_tls: Option<bool>,
    /// Whether certificates of backends must be signed by someone known: `SSLProxyVerify require`.
    pub proxy_verify: Option<(bool, Span)>,
    /// Where those who may sign them are named: `SSLProxyCACertificateFile` and its kin.
    pub proxy_authorities: Option<Span>,
    /// The methods that are let in: `AllowMethods`.
    pub methods: Option<(Box<[TextId]>, Span)>,
    /// Hosts that are not passed on to: `ProxyBlock`.
    pub blocked: Vec<(TextId, Span)>,
    /// Another proxy that backends are asked through: `ProxyRemote`.
    pub remote: Option<Span>,
    /// Whether `ws` is left to `mod_proxy_http`: `ProxyWebsocketFallbackToProxyHttp`.
    pub http_tunnels: Option<(bool, Span)>,
    /// Whether `X-Forwarded-*` are added: `ProxyAddHeaders`.
    pub add_headers: Option<bool>,
    /// What becomes of `Via`: `ProxyVia`.
    pub via: Option<Via>,
    /// How many servers may pass a request on where the client does not say: `ProxyMaxForwards`.
    pub max_forwards: Option<u64>,
    /// How much a request's head may hold.
    pub limits: HeadLimits,
    /// Whether a site must have the name that is asked for: `StrictHostCheck`.
    pub strict_host: Option<(bool, Span)>,
    /// Whether any URL is passed on that a client asks for: `ProxyRequests`.
    pub forward_proxy: Option<(bool, Span)>,
    /// The files that stand for a directory: `DirectoryIndex`.
    pub indexes: Option<Box<[TextId]>>,
    /// The status by which the client is sent to what stands for a directory; `None` within: it is answered at once: `DirectoryIndexRedirect`.
    pub index_redirect: Option<Option<u16>>,
    /// What stands for a path where no file is: `FallbackResource`.
    pub fallback: Option<(TextId, Span)>,
    /// Whether directories without a slash behind are redirected: `DirectorySlash`.
    pub slash: Option<bool>,
    /// Whether a file with a name like it is looked for where none is: `CheckSpelling`.
    pub spelling: Option<bool>,
    /// Whether directories may be listed, `Options Indexes`.
    pub listing: Option<bool>,
    /// Whether symbolic links are followed, which rewriting in a directory needs: `Options FollowSymLinks`.
    pub follow_links: Option<bool>,
    /// What directories themselves may set: `AllowOverride`.
    pub overrides: Option<Box<Overrides>>,
    /// Kind of password that is asked for: `AuthType`.
    pub password: Option<(TextId, Span)>,
    /// Whether it is said what the password is for: `AuthName`.
    pub realm: Option<bool>,
    /// What becomes of the requirements of the areas before: `AuthMerging`.
    pub merging: Option<Merging>,
    /// What is answered instead of an error, by status: `ErrorDocument`.
    pub error_pages: Vec<(u16, ErrorPage)>,
    /// By what name and port the site calls itself: `UseCanonicalName`.
    pub canonical_name: Option<OwnName>,
    /// Whether the port that was reached is used, where the client names none: `UseCanonicalPhysicalPort`.
    pub physical_port: Option<bool>,
    /// Whether what an area's alias stands for has the rest of the path behind it: `AliasPreservePath`.
    pub keeps_path: Option<bool>,
    /// Whether what lies behind a file's name in a path may be passed over: `AcceptPathInfo On`.
    pub path_info: Option<bool>,
}

/// How much a request's head may hold, each with the line that says so; a host's are those that the main server has where the host begins,
/// unless it sets its own (`init_virtual_host`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadLimits {
    /// The bytes of the request line: `LimitRequestLine`.
    pub line: Option<(u64, Span)>,
    /// How many headers: `LimitRequestFields`.
    pub fields: Option<(u64, Span)>,
    /// The bytes of a header: `LimitRequestFieldSize`.
    pub field: Option<(u64, Span)>,
}

/// The name that a site uses for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnName {
    /// The one that the client asked for, and the port.
    #[default]
    Asked,
    /// Its own.
    Written,
    /// What the name service says of the address that was reached.
    LookedUp,
}

/// How the requirements of an area go with those of the areas before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// They take their place.
    Off,
    /// Both must be met.
    And,
    /// One must be met.
    Or,
}

/// What is answered instead of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPage {
    /// A text, or the server's own.
    Text,
    /// What stands at this path.
    Path(TextId),
    /// The client is sent there.
    Elsewhere(TextId),
}

/// What becomes of `%2F` in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodedSlashes {
    /// It is not found.
    Refused,
    /// It becomes `/`.
    Decoded,
    /// It stays.
    Kept,
}

/// What becomes of the header `Via`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Nothing.
    Off,
    /// The server adds itself.
    On,
    /// The server adds itself with its version.
    Full,
    /// It is removed.
    Block,
}

/// What the file of a directory (`.htaccess`) may set: `AllowOverride` and `AllowOverrideList`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Anything.
    pub all: bool,
    /// Directives of these classes.
    pub classes: Vec<OverrideClass>,
    /// Directives of these names, in lower case.
    pub names: Vec<TextId>,
    /// Whether what is not allowed is passed over instead of refused: `Nonfatal=Override`.
    pub passes_forbidden: bool,
    /// Whether directives that no module has are passed over: `Nonfatal=Unknown`.
    pub passes_unknown: bool,
}

impl Overrides {
    /// Whether the file is read at all.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.all || !self.classes.is_empty() || !self.names.is_empty() || self.is_lenient()
    }

    /// Whether anything is passed over that would else be refused.
    #[must_use]
    pub fn is_lenient(&self) -> bool {
        self.passes_forbidden || self.passes_unknown
    }

    /// Whether a directive may stand in the file.
    #[must_use]
    pub fn allow(&self, needed: &Needed) -> bool {
        self.all || self.names.contains(&needed.name) || needed.classes.iter().any(|class| self.classes.contains(class))
    }
}

/// A class of directives that `AllowOverride` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideClass {
    /// Passwords and requirements: `AuthConfig`.
    Authentication,
    /// Handlers, headers, rewriting: `FileInfo`.
    FileInfo,
    /// Directories: `Indexes`.
    Indexes,
    /// Hosts: `Limit`.
    Hosts,
    /// `Options`.
    Options,
}

impl OverrideClass {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Authentication, Self::FileInfo, Self::Indexes, Self::Hosts, Self::Options];
}

/// The file of a directory: `.htaccess`.
#[derive(Clone, Debug, Default)]
pub struct DirectoryFile {
    /// What it holds, and what must be allowed for it.
    pub needs: Vec<Needed>,
    /// What makes the server refuse it whatever is allowed, and why; each request is then answered with 500.
    pub refused: Option<(Span, &'static str)>,
    /// The lines whose words are refused where the lines are allowed.
    pub faulty: Vec<Needed>,
    /// Where something is passed over, what is allowed then; the area holds what is left.
    pub under: Option<Leniency>,
}

/// What is allowed in the file of a directory where something is passed over.
#[derive(Clone, Debug)]
pub struct Leniency {
    /// What is allowed.
    pub overrides: Overrides,
    /// What is refused even so, and why.
    pub refused: Option<(Span, &'static str)>,
}

/// A directive in the file of a directory.
#[derive(Clone, Debug)]
pub struct Needed {
    /// The directive.
    pub span: Span,
    /// The classes that allow it.
    pub classes: Box<[OverrideClass]>,
    /// Its name, in lower case.
    pub name: TextId,
}

/// A variable that is set for requests: `SetEnvIf`, `SetEnv`.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The directive.
    pub span: Span,
    /// When it is set: what must match.
    pub when: When,
    /// Its name.
    pub name: TextId,
    /// Its value; `None`: it is unset.
    pub value: Option<SymbolicId>,
    /// Whether it is set only when the request is mapped already: `SetEnv`.
    pub late: bool,
}

/// What must match for a variable to be set.
#[derive(Clone, Debug)]
pub enum When {
    /// Nothing.
    Always,
    /// A pattern must match a value.
    Matches {
        /// The value.
        subject: SymbolicId,
        /// The pattern.
        pattern: TextId,
        /// Whether case is ignored.
        ignore_case: bool,
    },
    /// A condition must hold.
    Condition(ExpressionId),
    /// Cannot be known.
    Unknown(Unknown),
}

/// A redirect.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The directive.
    pub span: Span,
    /// The paths that are redirected; `None`: those of the area.
    pub matcher: Option<Matcher>,
    /// The status.
    pub status: u16,
    /// Where to; the rest of the path is appended, unless the matcher is a pattern.
    pub target: Option<SymbolicId>,
}

/// A directory elsewhere that paths stand for.
#[derive(Clone, Debug)]
pub struct Alias {
    /// The directive.
    pub span: Span,
    /// The paths; `None`: those of the area.
    pub matcher: Option<Matcher>,
    /// The directory; the rest of the path is appended, unless the matcher is a pattern. For an area it is the whole file.
    pub target: SymbolicId,
    /// What handles the files there, unless something else is said: `ScriptAlias`.
    pub handler: Option<TextId>,
}

/// Who is let in: a tree of requirements, a parent before its children. The first is met where any of its children is.
#[derive(Debug, Default)]
pub struct Access {
    /// `Require` and the containers around it.
    pub required: Vec<Required>,
    /// `Allow` and `Deny`.
    pub hosts: Vec<HostRule>,
    /// `Order`, the later for the methods that both are for.
    pub orders: Vec<HostOrder>,
    /// Whether one way of being let in suffices, and for which methods: `Satisfy`.
    pub any: Vec<(Option<Methods>, bool)>,
}

/// Methods that something is for: these, or (`false`) all others.
pub type Methods = (Box<[TextId]>, bool);

/// `Order`.
#[derive(Clone, Debug)]
pub struct HostOrder {
    /// The directive.
    pub span: Span,
    /// The methods that it is for.
    pub methods: Option<Methods>,
    /// Whether `Allow` beats `Deny` and what neither names is let in: `deny,allow`, which is the default.
    pub deny_first: bool,
}

/// One requirement, or a container of some.
#[derive(Clone, Debug)]
pub struct Required {
    /// The directive.
    pub span: Span,
    /// The container that it stands in, by index; the outermost stand in none.
    pub parent: Option<u32>,
    /// Whether it must not be met.
    pub negated: bool,
    /// The methods that it is for.
    pub methods: Option<Methods>,
    /// What is required.
    pub kind: RequiredKind,
}

/// What is required of a request.
#[derive(Clone, Debug)]
pub enum RequiredKind {
    /// All of what stands in it.
    All,
    /// Any of what stands in it.
    Any,
    /// None of what stands in it.
    None,
    /// Nothing, or (`false`) the impossible.
    Granted(bool),
    /// An address of the client: addresses and networks as written.
    Client(Box<[TextId]>),
    /// A name of the client, or what it ends with.
    Host(Box<[TextId]>),
    /// That the client is on this machine.
    Local,
    /// A method.
    Method(Box<[TextId]>),
    /// That a variable is set.
    Variable(Box<[TextId]>),
    /// That a condition holds.
    Condition(ExpressionId),
    /// A user who gave a password.
    User,
    /// Cannot be known.
    Unknown(Unknown),
}

/// `Allow` or `Deny`.
#[derive(Clone, Debug)]
pub struct HostRule {
    /// The directive.
    pub span: Span,
    /// The methods that it is for.
    pub methods: Option<Methods>,
    /// Whether the client is let in.
    pub allowed: bool,
    /// An address, network or name as written, `all`, or `env=…`.
    pub from: TextId,
}

impl Area {
    /// Whether anything is set in it, its level aside.
    #[must_use]
    pub fn sets_anything(&self) -> bool {
        let has_any = self.proxy.is_some() || self.handler.is_some() || self.rewriting.is_some() || self.access.is_some();
        let lists = !self.variables.is_empty() || !self.redirects.is_empty() || !self.aliases.is_empty();
        has_any || lists || self.file.is_some() || self.settings != Settings::default()
    }

    /// An area in which nothing is set.
    #[must_use]
    pub fn new(span: Span, covers: Covers, within: usize, scope: ScopeId) -> Self {
        Self {
            span,
            covers,
            within,
            scope,
            proxy: None,
            handler: None,
            rewriting: None,
            access: None,
            file: None,
            settings: Settings::default(),
            variables: Vec::new(),
            redirects: Vec::new(),
            aliases: Vec::new(),
        }
    }
}
