//! Lines in effect to gateway: what the directives mean, in the order in which httpd merges and tries them.

mod access;
mod area;
mod balancer;
mod comment;
mod directory;
mod expression;
mod finish;
mod glob;
mod mapping;
mod require;
mod review;
mod rewrite;
mod section;
mod setting;
mod signal;
mod site;
mod symbols;
#[cfg(test)]
mod tests;
mod worker;

use crate::apache::refuse::refuse;
use crate::apache::resolve::Resolved;
use crate::apache::statement::{Kind, Statement};
use crate::gateway::{ExpressionId, Gateway, Limit, Signal, SiteId, Unknown, Version};
use crate::project::{Root, Store};
use crate::source::Span;

use balancer::Balancer;
use section::Section;
pub(in crate::apache) use section::SectionPath;
use site::Server;
use worker::Worker;

/// Models what httpd of `version` does with the lines in effect.
#[must_use]
pub fn lower(store: &Store, root: &Root, resolved: &Resolved, version: Option<Version>) -> Gateway {
    let mut gateway = Gateway::new(crate::gateway::Server::Apache, version, root.source);
    gateway.partial = resolved.partial;
    gateway.assumed.clone_from(&resolved.assumed);
    gateway.modules = resolved.modules.clone();
    let start = Span::new(root.source, 0, 0);
    let scope = gateway.scopes.open(None, start);
    let mut main = Server::new(start, scope);
    if !root.is_main {
        main.settings.open = Some(Unknown::Fragment(start));
    }
    let mut lowerer = Lowerer {
        store,
        resolved,
        gateway,
        servers: vec![main],
        managed_certificates: false,
        server: ServerIndex(0),
        sections: Vec::new(),
        conditions: Vec::new(),
        workers: Vec::new(),
        balancers: Vec::new(),
        condition_signals: Vec::new(),
        main_functions: rustc_hash::FxHashMap::default(),
    };
    lowerer.remarks();
    for statement in &resolved.statements {
        match statement.kind {
            Kind::Begin => lowerer.begin(statement),
            Kind::End => lowerer.end(statement),
            Kind::Line => lowerer.line(statement),
            Kind::Hole => lowerer.unseen(Unknown::TemplateHole(statement.span(store))),
            Kind::Unseen(_) => lowerer.unseen(Unknown::MissingInclude(statement.span(store))),
        }
    }
    lowerer.directory_files(&resolved.directories);
    let mut gateway = lowerer.finish();
    refuse(&mut gateway, store, root, resolved);
    gateway
}

/// A server by its place: the main server is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerIndex(usize);

impl ServerIndex {
    /// The main server and the virtual hosts become sites in the same order.
    fn site(self) -> SiteId {
        SiteId(u32::try_from(self.0).unwrap_or(u32::MAX))
    }
}

/// The work under way.
struct Lowerer<'a> {
    store: &'a Store,
    resolved: &'a Resolved,
    gateway: Gateway,
    servers: Vec<Server>,
    /// Whether a module gets certificates by itself: `mod_md`.
    managed_certificates: bool,
    /// The server whose lines are being read.
    server: ServerIndex,
    /// The open sections, outermost first.
    sections: Vec<Section>,
    /// By the depth of sections, the conditions of the last `<If>` and of what follows it.
    conditions: Vec<Vec<ExpressionId>>,
    workers: Vec<Worker>,
    /// By upstream.
    balancers: Vec<Balancer>,
    /// What was said above conditions that wait for their rule.
    condition_signals: Vec<Signal>,
    /// The functions of the main server, while a virtual host is read.
    main_functions: rustc_hash::FxHashMap<crate::gateway::TextId, crate::gateway::Change>,
}

/// The longest directive name that means something here.
const LONGEST_NAME: usize = 36;

impl Lowerer<'_> {
    fn current(&self) -> ServerIndex {
        self.server
    }

    fn signals_above(&self, statement: &Statement) -> Vec<Signal> {
        let mut signals = Vec::new();
        self.signals_into(statement, &mut signals);
        signals
    }

    fn signals_into(&self, statement: &Statement, signals: &mut Vec<Signal>) {
        signal::above(self.store, statement.source, statement.directive, signals);
    }

    /// Notes that settings may be in force here that we do not see.
    fn unseen(&mut self, why: Unknown) {
        let level = match self.sections.last_mut() {
            Some(Section::Area(area)) => &mut area.settings,
            Some(Section::Opaque | Section::Inside(_)) => return,
            Some(Section::VirtualHost) | None => &mut self.servers[self.server.0].settings,
        };
        level.open = level.open.or(Some(why));
    }

    fn line(&mut self, statement: &Statement) {
        let before = self.gateway.remarks.len();
        self.dispatch(statement);
        if let Some(used) = self.resolved.used(statement) {
            for remark in &mut self.gateway.remarks[before..] {
                remark.labels.push((used, "the macro is used here".to_owned()));
            }
        }
    }

    fn dispatch(&mut self, statement: &Statement) {
        let name = self.resolved.name(self.store, statement);
        let mut lower = [0; LONGEST_NAME];
        let Some(lower) = lower.get_mut(..name.len()) else { return };
        lower.copy_from_slice(&name);
        lower.make_ascii_lowercase();
        match self.sections.last() {
            None | Some(Section::VirtualHost) => self.server_line(lower, statement),
            Some(Section::Area(_)) => self.area_line(lower, statement),
            Some(Section::Inside(inside)) => {
                let inside = inside.clone();
                self.access_line(lower, statement, &inside);
            }
            Some(Section::Opaque) => {}
        }
    }

    /// A line of the main server or of a virtual host.
    fn server_line(&mut self, name: &[u8], statement: &Statement) {
        match name {
            b"proxypass" => self.proxy_pass(statement, false),
            b"proxypassmatch" => self.proxy_pass(statement, true),
            b"rewritecond" => self.rewrite_cond(statement),
            b"rewriterule" => self.rewrite_rule(statement),
            b"rewriteoptions" => self.rewrite_options(statement),
            b"rewritemap" => self.rewrite_map(statement),
            b"balancermember" => {
                let words = self.resolved.words(self.store, statement);
                self.balancer_member(self.server, None, &words, statement.span(self.store));
            }
            b"proxyset" => self.proxy_set(statement),
            b"redirect" | b"redirectmatch" | b"redirectpermanent" | b"redirecttemp" => self.redirect(name, statement),
            b"servername" => {
                self.server_name(statement);
                self.names(statement);
            }
            b"serveralias" => self.names(statement),
            b"maxrequestworkers" | b"maxclients" => {
                let span = statement.span(self.store);
                let words = self.resolved.words(self.store, statement);
                let number = words.first().and_then(|word| str::from_utf8(&word.value).ok()?.parse().ok());
                self.gateway.capacity.request_workers = number.map(|value| Limit { value, span });
            }
            b"regexdefaultoptions" => self.gateway.pattern_options = Some(statement.span(self.store)),
            b"sethandler" => self.set_handler(statement),
            b"listen" => self.listen(statement),
            b"sslengine" => self.ssl_engine(statement),
            _ => self.setting(name, statement),
        }
    }
}
