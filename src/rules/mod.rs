//! Rules: judgements over facts, each one file in `rules/`; loaded, compiled and judged here.

mod finding;

use std::collections::BTreeMap;

pub use finding::{Finding, Intent, Level};

use crate::facts::{Subject, View};

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The title of its page.
    pub title: String,
    /// How bad it is at declared intent.
    pub level: Level,
    /// What it is about.
    pub subject: Subject,
    /// Its page, as Markdown.
    pub page: String,
    /// The first sentence of its prose.
    pub summary: String,
}

/// How to judge.
#[derive(Debug, Default)]
pub struct Options {
    /// Whether weak hints are judged too.
    pub pedantic: bool,
    /// What parameters are set to, by rule and parameter.
    pub parameters: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

/// The rules that come with the program.
#[must_use]
pub fn builtin() -> &'static [Rule] {
    &[]
}

/// Judges a gateway.
#[must_use]
pub fn judge(_rules: &[Rule], _view: View<'_>, _options: &Options) -> Vec<Finding> {
    Vec::new()
}
