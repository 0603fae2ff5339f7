//! What httpd refuses when it starts, in its own order: first what it meets while it reads the files (the resolver and the trees have
//! noted that), then line by line in effect (`ap_walk_config`, `server/config.c`), then what the whole lacks.

mod balancer;
mod context;
mod filter;
mod header;
mod module;
mod path;
mod proxy;
mod requirement;
pub(super) mod rewrite;
mod server;
pub(super) mod value;

use rustc_hash::{FxHashMap, FxHashSet};

use self::context::Around;
pub(super) use self::proxy::integer;
use super::directives::{self, Arguments, Row};
use super::resolve::Resolved;
use super::statement::{Kind, Statement, Word};
use super::values::switch;
use crate::gateway::{Fault, Gateway, Refusal, RemarkKind, Target, Unknown, Version};
use crate::project::{Root, Store};
use crate::source::Span;

/// Why httpd refuses a line.
type Refused = (Fault, String);

/// Notes in `gateway` what httpd refuses in `root` and what it includes.
pub(super) fn refuse(gateway: &mut Gateway, store: &Store, root: &Root, resolved: &Resolved) {
    gateway.refusals = reading(gateway, store, resolved);
    let foreign = gateway.modules.loaded.keys().any(|name| !directives::is_own_module(name));
    let mut checker = Checker {
        store,
        resolved,
        version: gateway.version,
        is_main: root.is_main,
        modules: &gateway.modules,
        foreign,
        refusals: Vec::new(),
        doubt: None,
        around: Vec::new(),
        proxies: Vec::new(),
        required: Vec::new(),
        balancer: gateway.plain_balancer,
        protocol: Vec::new(),
        main_protocol: Vec::new(),
        unknown_workers: gateway.unknown_workers.iter().copied().collect(),
        sockets: FxHashSet::default(),
        taken: FxHashMap::default(),
        balancers: balancer::Balancers::default(),
        listens: false,
        aliases: resolved.statements.iter().any(|statement| {
            statement.kind == Kind::Begin && resolved.name(store, statement).eq_ignore_ascii_case(b"authzprovideralias")
        }),
        shared: gateway
            .routes
            .iter()
            .filter_map(|route| match &route.target {
                Target::Proxy(proxy) => proxy.shares.map(|_| proxy.span),
                _ => None,
            })
            .collect(),
        assumed: false,
    };
    checker.walk();
    checker.whole(gateway.partial);
    let Checker { refusals, doubt, .. } = checker;
    gateway.refusals.extend(refusals);
    gateway.doubt = doubt;
}

/// What httpd meets while it reads the files.
fn reading(gateway: &Gateway, store: &Store, resolved: &Resolved) -> Vec<Refusal> {
    let mut refusals = resolved.refusals.clone();
    for &source in &resolved.sources {
        for error in store.tree(source).errors() {
            let mut refusal = Refusal::new(Span::new(source, error.start, error.end), Fault::Syntax, error.message.clone());
            if let Some((start, end, label)) = error.related {
                refusal.labels.push((Span::new(source, start, end), label.to_owned()));
            }
            refusals.push(refusal);
        }
    }
    for remark in &gateway.remarks {
        if let RemarkKind::IncludeMissing { path, inside: true } = &remark.kind {
            let message = format!("Could not open configuration file {path}: No such file or directory");
            refusals.push(Refusal::new(remark.span, Fault::Include, message));
        }
    }
    if let Some(span) = resolved.macros.filter(|_| gateway.modules.has("macro") == Some(false)) {
        refusals.push(Refusal::new(span, Fault::UnknownDirective, invalid_command(b"Macro", true)));
    }
    refusals
}

/// The state of the walk.
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
struct Checker<'a> {
    store: &'a Store,
    resolved: &'a Resolved,
    version: Option<Version>,
    is_main: bool,
    modules: &'a crate::gateway::Modules,
    /// Whether a module that is not httpd's own is loaded.
    foreign: bool,
    refusals: Vec<Refusal>,
    doubt: Option<Unknown>,
    /// The open sections, outermost first.
    around: Vec<Around>,
    /// The URLs of the open `<Proxy>` sections.
    proxies: Vec<Vec<u8>>,
    /// Lines that set something on a backend that no line before them names.
    unknown_workers: FxHashSet<Span>,
    /// The words of `HttpProtocolOptions` in the server that is open, which add up.
    protocol: Vec<Word<'a>>,
    /// Those of the main server, while a virtual host is open.
    main_protocol: Vec<Word<'a>>,
    /// The first balancer that has no method of its own.
    balancer: Option<Span>,
    /// By open section, the requirements that stand in it.
    required: Vec<requirement::Inside>,
    /// What `Listen` bound.
    sockets: FxHashSet<Vec<u8>>,
    /// What of each port is listened on.
    taken: FxHashMap<Vec<u8>, server::Taken>,
    balancers: balancer::Balancers,
    listens: bool,
    /// Whether the configuration defines requirements of its own: `<AuthzProviderAlias>`.
    aliases: bool,
    /// The mappings whose parameters are not looked at, for another's worker is theirs.
    shared: FxHashSet<Span>,
    /// Whether the line is in effect only if a condition holds which cannot be decided.
    assumed: bool,
}

/// Directives of httpd's trunk that no release has; some copies of the manual list them.
const UNRELEASED: [&str; 5] =
    ["ProxyWebsocketIdleTimeout", "ProxyWebsocketAsync", "ProxyWebsocketAsyncDelay", "ProxyAsyncDelay", "ProxyAsyncIdleTimeout"];

/// A line in effect with what is known of it.
struct Line<'a> {
    statement: &'a Statement,
    row: &'static Row,
    words: Vec<Word<'a>>,
    span: Span,
}

impl<'a> Checker<'a> {
    fn walk(&mut self) {
        let resolved = self.resolved;
        let mut previous_if: Vec<bool> = vec![false];
        let mut assumed = vec![false; resolved.statements.len()];
        for range in &resolved.undecided {
            assumed[range.clone()].fill(true);
        }
        for (statement, assumed) in resolved.statements.iter().zip(assumed) {
            self.assumed = assumed;
            match statement.kind {
                Kind::Begin => {
                    let name = resolved.name(self.store, statement);
                    let around = Around::of(&name);
                    if around == Around::VirtualHost {
                        self.main_protocol = std::mem::take(&mut self.protocol);
                    }
                    self.line(statement, previous_if.last() == Some(&true));
                    if let Some(last) = previous_if.last_mut() {
                        *last = matches!(around, Around::If(_)) && !name.eq_ignore_ascii_case(b"else");
                    }
                    if let Around::Proxy(_) = around {
                        let url = resolved.words(self.store, statement).first().map(|word| word.value.to_vec());
                        self.proxies.push(url.unwrap_or_default());
                    }
                    previous_if.push(false);
                    self.around.push(around);
                    self.required.push(requirement::Inside::default());
                }
                Kind::End => {
                    let inside = self.required.pop().unwrap_or_default();
                    let closed = self.around.pop();
                    self.close(statement, closed, inside);
                    match closed {
                        Some(Around::Proxy(_)) => drop(self.proxies.pop()),
                        Some(Around::VirtualHost) => self.protocol = std::mem::take(&mut self.main_protocol),
                        _ => {}
                    }
                    previous_if.pop();
                }
                // What stands between is no section that counts (`ifsection`).
                Kind::Line => self.line(statement, false),
                Kind::Hole | Kind::Unseen(_) => {}
            }
        }
    }

    fn refuse(&mut self, span: Span, fault: Fault, message: String, statement: &Statement) {
        if self.assumed {
            return;
        }
        let mut refusal = Refusal::new(span, fault, message);
        if let Some(used) = self.resolved.used(statement) {
            refusal.labels.push((used, "the macro is used here".to_owned()));
        }
        self.refusals.push(refusal);
    }

    fn line(&mut self, statement: &'a Statement, follows_if: bool) {
        let name = self.resolved.name(self.store, statement);
        let span = statement.span(self.store);
        let is_section = statement.kind == Kind::Begin;
        if super::expand::has_reference(&name) || self.around.contains(&Around::Foreign) {
            return;
        }
        let rows = directives::directive(&name);
        let mut rows = rows.iter().filter(|row| row.is_section == is_section);
        let Some(first) = rows.clone().next() else {
            // Some modules have a section beside the directive, or instead of it; a section's name alone is none.
            if !is_section || directives::directive(&name).is_empty() {
                self.unknown(&name, span, statement);
            } else {
                self.doubt.get_or_insert(Unknown::ForeignDirective(span));
            }
            return;
        };
        let row = rows.find(|row| self.has(row.module) != Some(false)).unwrap_or(first);
        if self.has(row.module) == Some(false) {
            let message = invalid_command(&name, is_section);
            return self.refuse(span, Fault::UnknownDirective, message, statement);
        }
        if row.since.is_some_and(|since| self.version.is_some_and(|version| version < Version::new(2, 4, since))) {
            self.doubt.get_or_insert(Unknown::ForeignDirective(span));
        }
        let words = self.resolved.words(self.store, statement);
        let line = Line { statement, row, words, span };
        if let Err((fault, message)) = self.check(&line, follows_if) {
            // What stands behind `#` is not a comment but arguments (`ap_getword_conf` knows none).
            let is_comment = |word: &Word<'_>| word.value.starts_with(b"#");
            let fault = if line.words.iter().skip(1).any(is_comment) { Fault::TrailingComment } else { fault };
            self.refuse(span, fault, message, statement);
        }
    }

    /// Whether a module is loaded; those that every httpd has, and all MPMs, count as loaded.
    fn has(&self, module: &str) -> Option<bool> {
        if module == "core" || module.starts_with("mpm_") { Some(true) } else { self.modules.has(module) }
    }

    fn check(&mut self, line: &Line<'a>, follows_if: bool) -> Result<(), Refused> {
        if let Err(refused) = self.allowed(line) {
            return if self.is_template(line) { Ok(()) } else { Err(refused) };
        }
        let unknown = line.words.iter().any(|word| word.unknown.is_some());
        if unknown {
            self.listens |= line.row.name == "Listen";
            return Ok(());
        }
        count(line.row, &line.words)?;
        compiles(line.row.name, &line.words)?;
        match line.row.name {
            "Else" | "ElseIf" if !follows_if => {
                let message = "<Else> or <ElseIf> section without previous <If> or <ElseIf> section in same scope";
                Err((Fault::Syntax, message.to_owned()))
            }
            "ProxyPass" | "ProxyPassMatch" => self.proxy_pass(line),
            "BalancerMember" => self.balancer_member(line),
            "ProxySet" => self.proxy_set(line),
            "RewriteRule" | "RewriteCond" => self.rewriting(line),
            "Require" => self.require(line),
            "Listen" => self.listen(line),
            "ServerName" => server::name(line),
            "VirtualHost" => server::virtual_host(line),
            "ProxyTimeout" => proxy::timeout(line),
            "Location" | "Directory" | "Files" | "Limit" | "LimitExcept" | "LocationMatch" | "DirectoryMatch" | "FilesMatch"
                if line.words.is_empty() =>
            {
                Err((Fault::Arguments, format!("<{}> directive requires additional arguments", line.row.name)))
            }
            name @ ("Location" | "Directory" | "Files" | "LocationMatch" | "DirectoryMatch" | "FilesMatch") => {
                let tilde = line.words.first().is_some_and(|word| *word.value == *b"~");
                match line.words.len() {
                    count if count > 1 + usize::from(tilde) => {
                        Err((Fault::Value, format!("Multiple <{name}> arguments not (yet) supported.")))
                    }
                    _ => Ok(()),
                }
            }
            "Proxy" | "ProxyMatch" => self.proxy_section(line),
            name @ ("RequireAll" | "RequireAny" | "RequireNone") if !line.words.is_empty() => {
                Err((Fault::Arguments, format!("<{name}> directive doesn't take additional arguments")))
            }
            name => {
                let (raw, _) = self.resolved.arguments(self.store, line.statement);
                let place = value::Place {
                    in_area: self.has_path(),
                    in_host: self.around.contains(&Around::VirtualHost),
                    modules: self.modules,
                };
                // A fragment may stand anywhere.
                if !self.is_main
                    && self.around.is_empty()
                    && matches!(name, "ServerAlias" | "ServerPath" | "RewriteBase" | "Alias" | "ScriptAlias" | "ProxyPassReverse")
                {
                    return Ok(());
                }
                value::check(name, &line.words, &raw, place)?;
                if name == "HttpProtocolOptions" {
                    self.protocol.extend(line.words.iter().cloned());
                    value::exclusive(name, &self.protocol)?;
                }
                Ok(())
            }
        }
    }

    /// A directive that httpd itself does not have.
    fn unknown(&mut self, name: &[u8], span: Span, statement: &Statement) {
        let is_section = statement.kind == Kind::Begin;
        let is_name =
            !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        let text = String::from_utf8_lossy(name);
        let near = directives::nearest(&text);
        if self.assumed {
            return;
        }
        let is_unreleased = UNRELEASED.iter().any(|known| known.eq_ignore_ascii_case(&text));
        let fault = if is_unreleased { Fault::Unsupported } else { Fault::UnknownDirective };
        let certain = self.modules.complete && !self.foreign
            || self.is_main && !is_name && !name.iter().any(|byte| matches!(byte, b'%' | b'@'));
        if certain || near.is_some() && !self.foreign {
            let message = invalid_command(name, is_section);
            let mut refusal = Refusal::new(span, fault, message);
            if let Some(near) = near.filter(|_| !is_unreleased) {
                let is_written = self.store.sources.slice(span).starts_with(name);
                let end = if is_written { span.start + u32::try_from(name.len()).unwrap_or(0) } else { span.end };
                refusal.labels.push((Span::new(span.source, span.start, end), format!("did you mean `{near}`?")));
            }
            if let Some(used) = self.resolved.used(statement) {
                refusal.labels.push((used, "the macro is used here".to_owned()));
            }
            self.refusals.push(refusal);
        } else {
            self.doubt.get_or_insert(Unknown::ForeignDirective(span));
        }
    }
}

/// What httpd says of a directive that none of its modules has.
fn invalid_command(name: &[u8], is_section: bool) -> String {
    let mark = if is_section { "<" } else { "" };
    let name = escaped(name);
    format!("Invalid command '{mark}{name}', perhaps misspelled or defined by a module not included in the server configuration")
}

/// Bytes beyond ASCII as httpd's log writes them.
fn escaped(text: &[u8]) -> String {
    use std::fmt::Write;
    let mut shown = String::new();
    for &byte in text {
        if byte.is_ascii() && !byte.is_ascii_control() {
            shown.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// The number of arguments (`invoke_cmd`). The words that httpd adds to explain the directive are left out.
pub(super) fn count(row: &Row, words: &[Word<'_>]) -> Result<(), Refused> {
    let count = words.len();
    let (good, takes) = match row.arguments {
        Arguments::None => (count == 0, "takes no arguments"),
        Arguments::One => (count == 1, "takes one argument"),
        Arguments::Two => (count == 2, "takes two arguments"),
        Arguments::OneOrTwo => (matches!(count, 1 | 2), "takes 1-2 arguments"),
        Arguments::Three => (count == 3, "takes three arguments"),
        Arguments::TwoOrThree => (matches!(count, 2 | 3), "takes two or three arguments"),
        Arguments::OneToThree => (matches!(count, 1..=3), "takes one, two or three arguments"),
        Arguments::Each => (count >= 1, "takes at least one argument"),
        Arguments::FirstWithEach => (count >= 2, "requires at least two arguments"),
        Arguments::Flag => {
            // What stands behind the switch is not looked at.
            let good = words.first().is_some_and(|word| switch(&word.value).is_some());
            return if good { Ok(()) } else { Err((Fault::Value, format!("{} must be On or Off", row.name))) };
        }
        Arguments::Raw => return Ok(()),
    };
    if good { Ok(()) } else { Err((Fault::Arguments, format!("{} {takes}", row.name))) }
}

/// Whether the regular expressions compile that stand as words of their own.
pub(super) fn compiles(name: &str, words: &[Word<'_>]) -> Result<(), Refused> {
    let (patterns, message) = match name {
        "AliasMatch" | "ScriptAliasMatch" | "ProxyPassMatch" => (1, "Regular expression could not be compiled."),
        "LocationMatch" | "FilesMatch" | "DirectoryMatch" | "ProxyMatch" => (1, "Regex could not be compiled"),
        "Location" | "Files" | "Directory" | "Proxy" if words.first().is_some_and(|word| *word.value == *b"~") => {
            (2, "Regex could not be compiled")
        }
        _ => return Ok(()),
    };
    let tilde = usize::from(patterns == 2);
    let mut patterns = words.iter().skip(tilde).take(1);
    if patterns.any(|word| crate::pcre::fault(&word.value).is_some()) {
        return Err((Fault::Value, message.to_owned()));
    }
    Ok(())
}
