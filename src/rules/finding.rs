//! A finding: what a rule says of one place, with everything a report needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fix::Fix;
use crate::facts::Item;
use crate::source::Span;

/// How bad a finding is, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// It may well break.
    Warning,
    /// It breaks.
    Error,
}

impl Level {
    /// The name in messages, rules and options: `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level one step lower; `None` below a note.
    #[must_use]
    pub fn lower(self) -> Option<Self> {
        match self {
            Self::Note => None,
            Self::Warning => Some(Self::Note),
            Self::Error => Some(Self::Warning),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How sure we are that a route is meant for WebSockets, surest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Nothing says so: no WebSocket rule fires.
    None,
    /// One weak hint: shown only with `--pedantic`.
    Possible,
    /// A path that applications use for WebSockets, a comment, or two weak hints.
    Inferred,
    /// The configuration or its author says so.
    Declared,
}

impl Intent {
    /// The name in messages, rules and facts: `inferred`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Possible => "possible",
            Self::Inferred => "inferred",
            Self::Declared => "declared",
        }
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a rule says of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    /// How bad it is, the intent taken into account.
    pub level: Level,
    /// The intent of the route; `None` where the rule does not ask.
    pub intent: Option<Intent>,
    /// What is wrong and what happens because of it: lower case, no full stop.
    pub message: String,
    /// The place to blame.
    pub span: Span,
    /// What the place to blame shows, e.g. `the upstream is asked from here`.
    pub label: String,
    /// Other places that explain it, each with what it shows; they may lie in other files.
    pub labels: Vec<(Span, String)>,
    /// What to write.
    pub help: Option<String>,
    /// What it is said of: many routes may share the place to blame.
    pub subjects: Vec<Subject>,
    /// How it can be mended, where that was looked for.
    pub fix: Option<Fix>,
}

/// One thing that a finding is said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The index of the root among those of the project.
    pub root: usize,
    /// The item of its gateway.
    pub item: Item,
}
