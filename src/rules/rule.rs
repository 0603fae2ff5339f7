//! A rule: one page, compiled.

use std::borrow::Cow;

use super::compile::{Compiled, compile};
use super::condition::{Operand, Slot};
use super::finding::Level;
use super::fix::Want;
use super::form::{Form, Safety};
use super::options::Options;
use super::page::{Example, Page};
use super::problem::{Fault, Problem, RuleError};
use crate::facts::{Fact, Subject};
use crate::gateway::Server;

/// A judgement over facts.
#[derive(Debug)]
pub struct Rule {
    name: String,
    path: String,
    page: Cow<'static, str>,
    summary: String,
    examples: Vec<Example>,
    pub(super) facts: Vec<Fact>,
    pub(super) compiled: Compiled,
}

impl Rule {
    /// Compiles the page that lies at `path`.
    ///
    /// # Errors
    /// Where the page is not in the form of a rule, or names facts that there are not.
    pub fn parse(path: &str, page: impl Into<Cow<'static, str>>) -> Result<Self, Box<RuleError>> {
        let page = page.into();
        let parts = Page::parse(&page).map_err(|fault| RuleError::new(path, &page, fault))?;
        let (compiled, facts) = Self::compile(&page[parts.block.clone()])
            .map_err(|fault| RuleError::new(path, &page, fault.moved(parts.block.start)))?;
        let name = page[parts.title].to_owned();
        Ok(Self { name, path: path.to_owned(), summary: parts.summary, examples: parts.examples, facts, compiled, page })
    }

    /// The same for a page that is not ours: its name must be one that can be selected, ignored and silenced.
    ///
    /// # Errors
    /// Where the page is not in the form of a rule, names facts that there are not, or has another kind of name.
    pub fn parse_own(path: &str, page: String) -> Result<Self, Box<RuleError>> {
        let rule = Self::parse(path, page)?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if rule.name.bytes().all(is_plain) {
            return Ok(rule);
        }
        let start = rule.page.find(&rule.name).unwrap_or(0);
        let fault = Fault::at(start..start + rule.name.len(), Problem::BadName(rule.name.clone()));
        Err(RuleError::new(path, &rule.page, fault))
    }

    fn compile(block: &str) -> Result<(Compiled, Vec<Fact>), Fault> {
        let kind = |name: &str| Fact::named(name).map(|fact| (fact.definition.subject, fact.definition.kind));
        let compiled = compile(&Form::parse(block)?, &kind)?;
        // Every name was found once already.
        let facts = compiled.facts.iter().map(|name| Fact::named(name)).collect::<Result<_, _>>();
        Ok((compiled, facts.map_err(|unknown| Fault::at(0..block.len(), unknown))?))
    }

    /// Its name, e.g. `read-timeout-short`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its page lies.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its page, in Markdown.
    #[must_use]
    pub fn page(&self) -> &str {
        &self.page
    }

    /// The first sentence of its prose.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.compiled.subject
    }

    /// Its level at its worst: where a WebSocket is declared and nothing lowers it.
    #[must_use]
    pub fn level(&self) -> Level {
        let grades = self.compiled.grades.iter().map(|(_, grade)| *grade);
        let worst = grades.fold(self.compiled.grade, Ord::max);
        worst.shown(true).unwrap_or(Level::Note)
    }

    /// Whether it judges only routes meant for WebSockets.
    #[must_use]
    pub fn is_about_websockets(&self) -> bool {
        self.compiled.websocket
    }

    /// How far its fix can be trusted, where it has one.
    #[must_use]
    pub fn safety(&self) -> Option<Safety> {
        self.compiled.safety
    }

    /// Whether its fix says which facts it makes true, so that edits can be found.
    #[must_use]
    pub fn has_wants(&self) -> bool {
        !self.compiled.wants.is_empty()
    }

    /// The facts that its fix makes true, with the values that the parameters have under `options`; none: only a person can mend it.
    #[must_use]
    pub fn wants(&self, options: &Options) -> Vec<Want> {
        let parameters = options.parameters(self);
        let want = |(slot, operand): &(Slot, Operand)| Want {
            fact: self.facts[slot.0].clone(),
            value: operand.value(&parameters).clone(),
        };
        self.compiled.wants.iter().map(want).collect()
    }

    /// The examples of its page.
    #[must_use]
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// The servers that its examples are of.
    #[must_use]
    pub fn servers(&self) -> Vec<Server> {
        let mut servers: Vec<Server> = self.examples.iter().map(|example| example.server).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// The parameters that a user may set: name and value where he does not.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, String)> {
        self.compiled.parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.default.to_string()))
    }
}
