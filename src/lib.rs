//! `proxylint` says, for every route of an nginx or Apache httpd configuration, whether a WebSocket survives this hop.
//!
//! [`check`] is the whole job: paths → sources → trees → roots with their includes → gateways → findings.

pub mod apache;
pub mod certificate;
pub mod cli;
pub mod config;
pub mod facts;
pub mod fix;
pub mod gateway;
pub mod handshake;
pub mod nginx;
mod pcre;
pub mod project;
pub mod report;
mod request;
pub mod rules;
pub mod source;
pub mod suppression;
pub mod tree;

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use config::{ConfigError, Settings};
use facts::View;
use gateway::Gateway;
use project::{Problem, Reached, Store};
pub use request::Request;
use rules::{Benches, Finding, Intent, Options};
use source::SourceId;
use suppression::Suppressions;

/// What was read: the files, the roots among them, and what kept files from being read.
#[derive(Debug)]
pub struct Project {
    /// The files and their trees.
    pub store: Store,
    /// The roots, with what they include.
    pub roots: Vec<Reached>,
    /// The settings of each given path.
    pub settings: Vec<Settings>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// What was found.
#[derive(Debug)]
pub struct Checked {
    /// What was read.
    pub project: Project,
    /// The findings, by path, place and rule.
    pub findings: Vec<Finding>,
    /// How many findings are left out because nothing but a weak hint says that their route is meant for WebSockets.
    pub hidden: usize,
    /// How many findings comments silence.
    pub suppressed: usize,
    /// How many routes were looked at.
    pub routes: usize,
    /// How each given path is judged.
    pub options: Vec<Options>,
    /// The models of the roots as they were judged last; none of those that have changed since. To make one takes as long as to judge it.
    pub(crate) gateways: Vec<Option<Gateway>>,
}

/// Reads what the paths of `request` hold and follows its includes.
///
/// # Errors
/// Where the settings cannot be used. What cannot be read is a [`Problem`] of the project.
pub fn read(request: &Request) -> Result<Project, ConfigError> {
    let settings = request.settings()?;
    let mut store = Store::default();
    store.path_map = request::path_map(&settings);
    let (candidates, problems) = project::discover(&mut store, &request.given(&settings));
    let roots = project::roots(&mut store, &candidates, &|given, server| settings[given].version(server));
    store.settle();
    Ok(Project { store, roots, settings, problems })
}

/// Judges every route that the paths of `request` hold.
///
/// # Errors
/// Where the settings cannot be used.
pub fn check(request: &Request) -> Result<Checked, ConfigError> {
    // The rules are made ready while directories are searched, which keeps one thread waiting.
    let (project, _) = rayon::join(|| read(request), rules::builtin);
    let project = project?;
    let options: Vec<Options> =
        project.settings.iter().map(|settings| request::options(settings, request.pedantic)).collect::<Result<_, _>>()?;
    let mut checked =
        Checked { project, findings: Vec::new(), hidden: 0, suppressed: 0, routes: 0, options, gateways: Vec::new() };
    checked.judge(request);
    Ok(checked)
}

impl Checked {
    /// Judges the project as it stands.
    fn judge(&mut self, request: &Request) {
        let Self { project, options, gateways, .. } = self;
        gateways.resize_with(project.roots.len(), || None);
        let (routes, mut findings) = project.judge(options, gateways);
        self.routes = routes;
        let all = || {
            let mut options = options.clone();
            for options in &mut options {
                options.pedantic = true;
            }
            project.judge(&options, gateways).1
        };
        let shown = |finding: &Finding| request.pedantic || finding.intent != Some(Intent::Possible);
        self.suppressed = project.silence(&mut findings, all).into_iter().filter(shown).count();
        let all = findings.len();
        findings.retain(shown);
        self.hidden = all - findings.len();
        self.findings = findings;
    }
}

impl Project {
    /// Models what the server does with a root.
    #[must_use]
    pub fn lower(&self, reached: &Reached) -> Gateway {
        let mut gateway = reached.resolved.lower(&self.store, &reached.root, reached.version);
        certificate::attach(&self.store, &reached.root.base, &mut gateway);
        gateway
    }

    /// The gateway of a root as facts are read of it.
    #[must_use]
    pub fn view<'a>(&'a self, reached: &Reached, gateway: &'a Gateway) -> View<'a> {
        let view = View::new(&self.store.sources, gateway, &self.settings[reached.given].declared);
        let base = reached.root.base.clone();
        view.with_files(move |path| self.store.kind_of(&base, path))
    }

    /// The number of routes, and what is found by all rules under `options`, one for each given path. Models that there are none of are made.
    fn judge(&self, options: &[Options], gateways: &mut [Option<Gateway>]) -> (usize, Vec<Finding>) {
        let benches: Vec<Benches<'_>> =
            self.settings.iter().zip(options).map(|(settings, options)| Benches::new(settings.rules(), options)).collect();
        let judged = self.roots.par_iter().zip(gateways).enumerate().map(|(root, (reached, gateway))| {
            let gateway = &*gateway.get_or_insert_with(|| self.lower(reached));
            let view = self.view(reached, gateway);
            let settings = &self.settings[reached.given];
            let mut findings = benches[reached.given].judge(&view);
            findings.retain(|finding| settings.applies(&finding.rule));
            findings.iter_mut().flat_map(|finding| &mut finding.subjects).for_each(|subject| subject.root = root);
            (reached.routes(gateway), findings)
        });
        let judged: Vec<(usize, Vec<Finding>)> = judged.collect();
        let routes = judged.iter().map(|(routes, _)| routes).sum();
        (routes, self.in_order(judged.into_iter().flat_map(|(_, findings)| findings).collect()))
    }

    /// Takes out of `findings` what comments silence, and returns it; puts in what is to be said of comments that silence nothing. `all` finds
    /// what `--pedantic` shows, too: a comment that silences nothing else is not idle.
    fn silence(&self, findings: &mut Vec<Finding>, all: impl FnOnce() -> Vec<Finding>) -> Vec<Finding> {
        let own = self.settings.iter().flat_map(|settings| &settings.own).map(|rule| rule.name());
        let names: BTreeSet<&str> = rules::builtin().iter().map(rules::Rule::name).chain(own).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut suppressions = Suppressions::read(&self.store, &names);
        if suppressions.is_empty() {
            return Vec::new();
        }
        let mut roots = FxHashMap::default();
        for reached in &self.roots {
            for &source in reached.resolved.sources() {
                roots.entry(source).or_insert(reached);
            }
        }
        let applies = |reached: &&Reached, rule: &str| self.settings[reached.given].applies(rule);
        let ran = |source: SourceId, rule: &str| roots.get(&source).is_some_and(|reached| applies(reached, rule));
        let is_whole = |source: SourceId| roots.get(&source).is_some_and(|reached| reached.root.is_main);
        let mut silenced = suppressions.silence(findings);
        if suppressions.is_any_unused() {
            suppressions.silence(&mut all());
        }
        let mut unused = suppressions.unused(&self.store, rules::builtin(), ran, is_whole);
        silenced.extend(suppressions.silence(&mut unused));
        findings.append(&mut unused);
        *findings = self.in_order(std::mem::take(findings));
        silenced
    }

    /// Sorts findings by path, place and rule; what several roots say of a file they share is said once.
    fn in_order(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        let mut by_path: Vec<_> = self.store.sources.iter().map(|(id, source)| (source.path().as_os_str(), id)).collect();
        by_path.par_sort_unstable();
        let mut rank = vec![0; by_path.len()];
        by_path.iter().enumerate().for_each(|(place, (_, id))| rank[id.index()] = place);
        let place = |finding: &Finding| (rank[finding.span.source.index()], finding.span.start, finding.span.end);
        findings.sort_by(|a, b| (place(a), &a.rule, &a.message).cmp(&(place(b), &b.rule, &b.message)));
        rules::merge(&mut findings);
        findings
    }
}
