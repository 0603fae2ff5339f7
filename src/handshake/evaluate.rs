//! Symbolic values made concrete for one request.

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::change::changed;
use super::follow::Files;
use super::pattern::{Patterns, Undecided};
use super::request::Request;
use super::send::Changed;
use super::site::Socket;
use crate::gateway::{
    Definition, FileTest, Gateway, Known, OwnName, Part, Protocol, Proxy, ScopeId, Server, Site, SymbolicId, TextId, Unknown,
    Variable, host_and_port,
};
use crate::source::{FileKind, Span};

/// How deep maps may look up maps; nginx has no limit of its own but no configuration comes near.
pub(crate) const DEPTH: u8 = 16;

/// What the value of a variable depends on.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    /// The model.
    pub gateway: &'a Gateway,
    /// Its compiled patterns.
    pub patterns: &'a Patterns,
    /// The request.
    pub request: &'a Request,
    /// The site that handles it.
    pub site: &'a Site,
    /// Where it is passed to.
    pub proxy: Option<&'a Proxy>,
    /// The captures of the pattern that matched last, the whole match first; `None`: not known.
    pub captures: Option<&'a [String]>,
    /// The captures of the rewrite condition that matched last.
    pub condition_captures: Option<&'a [String]>,
    /// What became of the request so far, where it is followed step by step.
    pub notes: Option<&'a Notes<'a>>,
    /// How far the request has come, where it is followed through its site.
    pub followed: Option<&'a Followed<'a>>,
}

/// What becomes of a request while a server handles it.
#[derive(Clone, Default)]
pub struct Notes<'a> {
    /// The file that it is mapped to; before that its path.
    pub file: Option<String>,
    /// The variables that are set for it.
    pub variables: Vec<(String, String)>,
    /// The client's address.
    pub from: Option<IpAddr>,
    /// The address that it reached.
    pub reached: Option<IpAddr>,
    /// Whether it is on behalf of another.
    pub is_subrequest: bool,
    /// What of the path lies behind the file.
    pub path_info: String,
    /// What a rule says that handles the request.
    pub handler: Option<TextId>,
    /// What handles it where nothing else is said: an alias for programs took it.
    pub aliased: Option<TextId>,
    /// What stands in the file system.
    pub files: Option<Files<'a>>,
    /// Whether the headers are those that early changes have left.
    pub begun: bool,
    /// What `RequestHeader` has made of the headers, once it was carried out.
    pub changed: Option<Changed>,
    /// By what name and port the site calls itself.
    pub own_name: OwnName,
    /// Whether the port that was reached is used, where the client names none.
    pub physical_port: bool,
    /// The port that the client has named, whatever has become of its `Host` since (`fix_hostname`).
    pub named_port: Option<u16>,
    /// Whether the client waits to be told to go on, whatever has become of its `Expect` since (`expecting_100`).
    pub expects: bool,
}

impl Notes<'_> {
    /// The value of a variable; case does not matter (`apr_table_get`).
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Sets a variable, or unsets it.
    pub fn set_variable(&mut self, name: &str, value: Option<String>) {
        self.variables.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.variables.extend(value.map(|value| (name.to_owned(), value)));
    }
}

impl fmt::Debug for Notes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").field("file", &self.file).field("variables", &self.variables).finish_non_exhaustive()
    }
}

/// What is known of a request that is followed, and not of a probe to a route.
#[derive(Clone)]
pub struct Followed<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// The local address and port that it reached.
    pub socket: Socket,
    /// The given tree.
    pub files: Files<'a>,
    /// What the request has come to hold by now.
    pub memory: RefCell<Memory>,
    /// The level whose settings are in force.
    pub scope: ScopeId,
    /// Whether the path stands behind an alias that replaces all of it (`add_uri_to_alias`).
    pub behind_alias: bool,
    /// Host and port of the upstream, and how it is asked, where variables decide them.
    pub upstream: Option<(String, Protocol)>,
}

/// What a request of nginx's holds, and what looking at a variable may change: a value that was looked up once stays, and a pattern that
/// matches on the way leaves its captures (`ngx_http_get_flushed_variable`, `ngx_http_regex_exec`).
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The variables that have a value of their own.
    values: FxHashMap<TextId, String>,
    /// What the pattern that matched last has captured, the whole match first.
    captures: Vec<String>,
    /// How often captures were kept.
    kept: u32,
}

impl fmt::Debug for Followed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followed").field("client", &self.client).field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Followed<'_> {
    /// Gives a variable its value.
    pub(super) fn assign(&self, name: TextId, value: String) {
        self.memory.borrow_mut().values.insert(name, value);
    }

    /// Keeps what a pattern has captured, instead of what another one did; groups with names are variables.
    pub(super) fn keep(&self, captures: Vec<String>, names: Vec<(TextId, usize)>) {
        let mut memory = self.memory.borrow_mut();
        for (name, number) in names {
            if let Some(value) = captures.get(number) {
                memory.values.insert(name, value.clone());
            }
        }
        memory.captures = captures;
        memory.kept = memory.kept.wrapping_add(1);
    }

    /// Takes over the variables of a request beside it.
    pub(super) fn take_variables(&mut self, other: RefCell<Memory>) {
        self.memory.get_mut().values = other.into_inner().values;
    }

    /// How often captures were kept so far: as long as it stays, so do they.
    pub(super) fn kept(&self) -> u32 {
        self.memory.borrow().kept
    }

    /// Forgets what was captured.
    pub(super) fn forget_captures(&self) {
        self.memory.borrow_mut().captures.clear();
    }
}

impl Environment<'_> {
    /// The value as text.
    ///
    /// # Errors
    /// Where a part of it cannot be known.
    pub fn evaluate(&self, value: SymbolicId) -> Known<String> {
        self.value(value, DEPTH)
    }

    pub(super) fn value(&self, value: SymbolicId, depth: u8) -> Known<String> {
        if let [part] = self.gateway.symbolics.get(value) {
            return self.part(*part, depth);
        }
        let mut text = String::new();
        for part in self.gateway.symbolics.get(value) {
            text.push_str(&self.part(*part, depth)?);
        }
        if !self.recaptures(value) {
            return Ok(text);
        }
        // nginx measures all parts before it writes them (`ngx_http_complex_value`): what a part captures is in force for all of them then.
        let length = text.len();
        text.clear();
        for part in self.gateway.symbolics.get(value) {
            text.push_str(&self.part(*part, depth)?);
        }
        if text.len() == length { Ok(text) } else { Err(Unknown::Runtime) }
    }

    /// Whether a part of the value may change the captures that others of its parts stand for.
    fn recaptures(&self, value: SymbolicId) -> bool {
        let parts = self.gateway.symbolics.get(value);
        let has = |wanted: fn(&Variable) -> bool| parts.iter().any(|part| matches!(part, Part::Variable(own) if wanted(own)));
        self.followed.is_some()
            && has(|own| matches!(own, Variable::Capture(_)))
            && has(|own| matches!(own, Variable::Defined(_)))
    }

    fn part(&self, part: Part, depth: u8) -> Known<String> {
        match part {
            Part::Text(id) => Ok(self.gateway.texts.show(id).into_owned()),
            Part::Variable(variable) => self.variable_at(variable, depth),
            Part::Unknown(why) => Err(why),
        }
    }

    /// One part of a value as text.
    ///
    /// # Errors
    /// Where it cannot be known.
    pub(super) fn evaluate_part(&self, part: Part) -> Known<String> {
        self.part(part, DEPTH)
    }

    /// The parts of a value, each as text.
    ///
    /// # Errors
    /// Where one cannot be known.
    pub(super) fn parts(&self, value: SymbolicId) -> Known<Vec<(Part, String)>> {
        self.parts_at(value, DEPTH)
    }

    pub(super) fn parts_at(&self, value: SymbolicId, depth: u8) -> Known<Vec<(Part, String)>> {
        // What they capture is in force for all of them.
        if self.recaptures(value) {
            self.value(value, depth)?;
        }
        self.gateway.symbolics.get(value).iter().map(|&part| Ok((part, self.part(part, depth)?))).collect()
    }

    fn variable_at(&self, variable: Variable, depth: u8) -> Known<String> {
        let request = self.request;
        let texts = &self.gateway.texts;
        Ok(match variable {
            Variable::RequestHeader(name) => {
                // nginx's `$http_user_agent` and httpd's `%{HTTP:User-Agent}` name the same header.
                let dashed = texts.show(name).replace('_', "-");
                let found = request.header(dashed.as_bytes());
                // A name with underscores is the same to nginx where it lets it in (`ngx_http_variable_unknown_header`).
                let found = found.or_else(|| request.header(dashed.replace('-', "_").as_bytes()));
                found.unwrap_or_default().to_owned()
            }
            Variable::RequestHeaderLike(pattern) => {
                let mut value = "";
                for (name, own) in &request.headers {
                    let found = self.patterns.captures(texts, pattern, false, name).map_err(|Undecided| Unknown::Runtime)?;
                    if found.is_some() {
                        value = own;
                    }
                }
                value.to_owned()
            }
            Variable::Argument(name) => argument(request.query.as_deref().unwrap_or_default(), &texts.show(name)).to_owned(),
            Variable::Path => request.path.clone(),
            Variable::RequestTarget => request.first_target.clone().unwrap_or_else(|| request.sent_target()),
            Variable::Query => request.query.clone().unwrap_or_default(),
            Variable::QueryMark => if request.query.as_ref().is_none_or(String::is_empty) { "" } else { "?" }.to_owned(),
            // `ngx_http_variable_host`.
            Variable::Host if request.host.is_empty() && self.gateway.server == Server::Nginx => self.site_name()?,
            Variable::Host => request.host.clone(),
            Variable::SiteName => self.site_name()?,
            Variable::Scheme => self.scheme(),
            Variable::Tls => if request.tls { "on" } else { "" }.to_owned(),
            Variable::Method => request.method.clone().into_owned(),
            Variable::ServerPort => self.server_port().to_string(),
            Variable::ClientAddress => self.client()?.to_string(),
            Variable::ServerAddress => self.notes.and_then(|notes| notes.reached).ok_or(Unknown::Runtime)?.to_string(),
            Variable::DocumentRoot => {
                let main = self.gateway.sites.first().filter(|main| main.is_main);
                let mut areas = [Some(self.site), main].into_iter().flatten().filter_map(|site| site.areas.first());
                let root = areas.find_map(|area| area.settings.document_root);
                texts.show(root.ok_or(Unknown::Environment)??).into_owned()
            }
            Variable::IsSubrequest => self.notes.is_some_and(|notes| notes.is_subrequest).to_string(),
            Variable::PathInfo => self.notes.map(|notes| notes.path_info.clone()).unwrap_or_default(),
            Variable::Changed(change, value) => {
                let value = self.value(value, depth.checked_sub(1).ok_or(Unknown::Runtime)?)?;
                return changed(change, &value);
            }
            Variable::FileName => self.notes.and_then(|notes| notes.file.clone()).unwrap_or_else(|| request.path.clone()),
            Variable::Process(name) => self.process(name)?.unwrap_or_default(),
            Variable::ProcessOrNull(name) => self.process(name)?.unwrap_or_else(|| "(null)".to_owned()),
            Variable::ForwardedFor => {
                let client = self.client()?;
                match request.header(b"X-Forwarded-For") {
                    Some(before) if !before.is_empty() => format!("{before}, {client}"),
                    _ => client.to_string(),
                }
            }
            Variable::Runtime(name) => return self.runtime(&texts.show(name), depth),
            Variable::UpstreamHost => self.authority()?.0,
            Variable::UpstreamPort => self.authority()?.1,
            Variable::Capture(group) => match self.followed {
                Some(followed) => capture(Some(&followed.memory.borrow().captures), group)?,
                None => capture(self.captures, group)?,
            },
            Variable::ConditionCapture(group) => capture(self.condition_captures, group)?,
            Variable::Defined(name) => return self.defined(name, depth),
        })
    }

    /// The port that the server takes for its own; httpd (`ap_get_server_port`): the one that the client asks for, else the site's.
    pub(super) fn server_port(&self) -> u16 {
        if self.gateway.server == Server::Nginx {
            return self.request.port;
        }
        // A request on behalf of another has its name and not its port (`ap_set_sub_req_protocol`).
        let is_own_request = !self.notes.is_some_and(|notes| notes.is_subrequest);
        let asked = match self.notes.filter(|notes| notes.begun) {
            Some(notes) => notes.named_port,
            None => host_and_port(self.request.header(b"host").unwrap_or_default()).1.and_then(|port| port.parse().ok()),
        };
        let asked = asked.filter(|_| is_own_request);
        let reached = self.notes.filter(|notes| notes.physical_port).map(|_| self.request.port);
        let own = self.site.identity.port;
        let is_own = self.notes.is_some_and(|notes| notes.own_name == OwnName::Written);
        let port = if is_own { own.or(reached) } else { asked.or(reached).or(own) };
        port.unwrap_or_else(|| self.default_port())
    }

    /// The scheme of requests; httpd's `ServerName` may say another (`ap_http_scheme`).
    pub(super) fn scheme(&self) -> String {
        match self.site.identity.scheme {
            _ if self.request.tls => "https".to_owned(),
            Some(scheme) => self.gateway.texts.show(scheme).into_owned(),
            None => "http".to_owned(),
        }
    }

    pub(super) fn default_port(&self) -> u16 {
        if self.scheme() == "https" { 443 } else { 80 }
    }

    /// A path at this very server, as a URL; httpd (`ap_construct_url`).
    ///
    /// # Errors
    /// Where the machine's name service says what the server is called.
    pub(super) fn own_url(&self, path: &str) -> Known<String> {
        let port = self.server_port();
        let port = if port == self.default_port() { String::new() } else { format!(":{port}") };
        Ok(format!("{}://{}{port}{path}", self.scheme(), self.site_name()?))
    }

    /// A variable that is set for the request while it is handled.
    fn process(&self, name: TextId) -> Known<Option<String>> {
        let notes = self.notes.ok_or(Unknown::Runtime)?;
        let name = self.gateway.texts.show(name);
        match notes.variable(&name) {
            // What the pattern of a section has captured by name (`ap_location_walk`).
            None if name.starts_with("MATCH_") => Err(Unknown::Runtime),
            value => Ok(value.map(str::to_owned)),
        }
    }

    /// The client's address.
    ///
    /// # Errors
    /// Where no request is followed.
    pub(super) fn client(&self) -> Known<IpAddr> {
        let followed = self.followed.map(|followed| followed.client);
        followed.or(self.notes.and_then(|notes| notes.from)).ok_or(Unknown::Runtime)
    }

    /// The first name of the site; `.example.com` is `example.com` here (`ngx_http_core_merge_srv_conf`). In httpd the name that the client
    /// asks for, unless the site insists on its own (`ap_get_server_name`).
    ///
    /// # Errors
    /// Where it is the machine's name.
    pub(super) fn site_name(&self) -> Known<String> {
        if self.gateway.server == Server::Apache {
            let kind = self.notes.map(|notes| notes.own_name).unwrap_or_default();
            return match (kind, self.site.identity.name) {
                (OwnName::Written, Some(name)) => Ok(self.gateway.texts.show(name).into_owned()),
                (OwnName::Written, None) | (OwnName::Asked, _) => Ok(self.request.host.clone()),
                // Every machine calls itself so.
                (OwnName::LookedUp, _) if self.notes.and_then(|notes| notes.reached).is_some_and(|at| at.is_loopback()) => {
                    Ok("localhost".to_owned())
                }
                (OwnName::LookedUp, _) => Err(Unknown::Environment),
            };
        }
        let name = self.site.names.first().map(|name| self.gateway.texts.show(name.text).into_owned()).unwrap_or_default();
        if name == "$hostname" {
            return Err(Unknown::Environment);
        }
        Ok(name.strip_prefix('.').map(str::to_owned).unwrap_or(name))
    }

    /// Host and port of the upstream as a `Host` header names it, and the port (`ngx_http_proxy_set_vars`).
    fn authority(&self) -> Known<(String, String)> {
        let (authority, protocol) = match self.followed.map(|followed| followed.upstream.clone()) {
            Some(Some(upstream)) => upstream,
            // Not yet: they are set when the request is passed on.
            Some(None) => return Ok((String::new(), String::new())),
            None => {
                let proxy = self.proxy.ok_or(Unknown::Runtime)?;
                (self.gateway.texts.show(proxy.authority.ok_or(Unknown::Runtime)?).into_owned(), proxy.protocol)
            }
        };
        let default = if matches!(protocol, Protocol::Https | Protocol::Wss) { "443" } else { "80" };
        if authority.starts_with("unix:") {
            return Ok(("localhost".to_owned(), String::new()));
        }
        if protocol == Protocol::HttpOrHttps {
            return Err(Unknown::Runtime);
        }
        Ok(match host_and_port(&authority) {
            (host, Some(port)) if port == default => (host.to_owned(), port.to_owned()),
            (_, port) => {
                let port = port.unwrap_or(default).to_owned();
                (authority, port)
            }
        })
    }

    /// Whether `path` names what the test asks for.
    ///
    /// # Errors
    /// Where no request is followed, or the permissions of a file decide.
    pub(super) fn file_test(&self, test: FileTest, path: &str) -> Known<bool> {
        let files = self.followed.map(|followed| followed.files).or(self.notes.and_then(|notes| notes.files));
        let found = files.ok_or(Unknown::Environment)?(std::path::Path::new(path));
        match (test, found) {
            (_, None) => Ok(false),
            (FileTest::File, Some(kind)) => Ok(kind == FileKind::File),
            (FileTest::Directory, Some(kind)) => Ok(kind == FileKind::Directory),
            (FileTest::Any, Some(_)) => Ok(true),
            (FileTest::Executable, Some(_)) => Err(Unknown::Environment),
        }
    }

    fn defined(&self, name: TextId, depth: u8) -> Known<String> {
        let depth = depth.checked_sub(1).ok_or(Unknown::Runtime)?;
        if let Some(value) = self.followed.and_then(|followed| followed.memory.borrow().values.get(&name).cloned()) {
            return Ok(value);
        }
        match self.gateway.variables.get(&name) {
            // No step has assigned it yet.
            Some(Definition::Assigned(_)) if self.followed.is_some() => Ok(self.of_family(&self.gateway.texts.show(name))),
            Some(Definition::Map(map)) => {
                let value = self.look_up(map, depth)?;
                if let Some(followed) = self.followed.filter(|_| !map.volatile) {
                    followed.assign(name, value.clone());
                }
                Ok(value)
            }
            Some(&Definition::Opaque(span)) => Err(Unknown::Code(span)),
            // Which assignment is carried out, if any, the request's way decides.
            Some(Definition::Assigned(_)) | None => Err(Unknown::Runtime),
        }
    }

    /// The captures of a pattern in `text`; `Ok(None)` where it does not match.
    ///
    /// # Errors
    /// Where the pattern is beyond what can be decided; `span` is where it stands.
    pub fn captures(&self, pattern: TextId, ignore_case: bool, text: &str, span: Span) -> Known<Option<Vec<String>>> {
        self.patterns.captures(&self.gateway.texts, pattern, ignore_case, text).map_err(|Undecided| Unknown::Pattern(span))
    }
}

fn capture(captures: Option<&[String]>, group: u8) -> Known<String> {
    let captures = captures.ok_or(Unknown::Runtime)?;
    Ok(captures.get(usize::from(group)).cloned().unwrap_or_default())
}

pub(super) fn argument<'a>(query: &'a str, name: &str) -> &'a str {
    // The name may hold a `=` itself (`ngx_http_arg`).
    let value = |pair: &'a str| {
        let (key, rest) = pair.split_at_checked(name.len())?;
        rest.strip_prefix('=').filter(|_| key.eq_ignore_ascii_case(name))
    };
    query.split('&').find_map(value).unwrap_or_default()
}
