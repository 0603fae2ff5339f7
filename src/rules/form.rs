//! The form of a rule's `toml` block, as serde reads it; `compile` makes sense of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::grade::Grade;
use super::problem::{Fault, Problem, nearest};
use crate::facts::Subject;
use crate::gateway::Server;

/// A text and where it stands in the block.
pub(super) type Text = Spanned<String>;

/// The whole block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    /// What the rule is about.
    pub(super) subject: Subject,
    /// Set where only routes meant for WebSockets are judged.
    pub(super) about: Option<Spanned<About>>,
    /// The level at declared intent.
    pub(super) level: Grade,
    /// The level where a fact holds only before some version and the version judged for is not known.
    pub(super) level_if_version_unset: Option<Grade>,
    /// Other levels under further conditions: the first that holds decides.
    #[serde(default)]
    pub(super) levels: Vec<LevelForm>,
    /// Whether the defect outlives every default it is read from, so that no version is named.
    #[serde(default)]
    pub(super) in_every_version: bool,
    /// Which items the rule is for; its facts are no evidence.
    #[serde(rename = "where")]
    pub(super) applies: Option<Spanned<ConditionForm>>,
    /// What is wrong; its facts are the evidence.
    pub(super) when: Spanned<ConditionForm>,
    /// What is wrong and what happens because of it.
    pub(super) message: Text,
    /// The fact whose place is blamed; else the first that has a place.
    pub(super) blame: Option<Text>,
    /// What the place to blame shows; else the fact's own note.
    pub(super) label: Option<Text>,
    /// What a fact's places show, instead of the fact's own notes; an empty text leaves them out.
    #[serde(default)]
    pub(super) labels: BTreeMap<Text, Text>,
    /// What to write, in one text or one by server.
    pub(super) help: Option<HelpForm>,
    /// How far a fix can be trusted.
    pub(super) fix: Option<FixForm>,
    /// What a user may set, with its value where he does not.
    #[serde(default)]
    pub(super) parameters: BTreeMap<Text, Text>,
}

/// What a rule is gated by.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum About {
    /// The route's intent to carry WebSockets.
    Websocket,
}

/// A level and when it holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelForm {
    pub(super) when: Spanned<ConditionForm>,
    pub(super) level: Grade,
}

/// A condition: exactly one of `all`, `any`, `not` and `fact`; comparisons go with `fact`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionForm {
    pub(super) all: Option<Vec<Spanned<ConditionForm>>>,
    pub(super) any: Option<Vec<Spanned<ConditionForm>>>,
    pub(super) not: Option<Box<Spanned<ConditionForm>>>,
    pub(super) fact: Option<Text>,
    pub(super) absent: Option<bool>,
    pub(super) is: Option<Spanned<toml::Value>>,
    pub(super) one_of: Option<Spanned<Vec<Spanned<toml::Value>>>>,
    pub(super) contains: Option<Spanned<Tokens>>,
    pub(super) below: Option<Spanned<toml::Value>>,
    pub(super) at_least: Option<Spanned<toml::Value>>,
    pub(super) shorter_than: Option<Spanned<toml::Value>>,
    pub(super) longer_than: Option<Spanned<toml::Value>>,
}

/// One token, or several of which any will do.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Tokens {
    One(String),
    Several(Vec<String>),
}

/// What to write.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum HelpForm {
    Same(String),
    ByServer(BTreeMap<Server, String>),
}

/// A fix; the edits follow from the facts wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FixForm {
    pub(super) safety: Safety,
    /// The facts that the fix makes true, by name; `absent` as a value: there is to be none.
    #[serde(default)]
    pub(super) want: BTreeMap<Text, Text>,
}

/// How far a fix can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Safety {
    /// It changes nothing but what is broken.
    Safe,
    /// It sets a value of policy, or changes more than the broken route.
    Unsafe,
    /// Only a person can decide.
    Manual,
}

/// Every key of the form, to say which one was meant.
const KEYS: &[&str] = &[
    "subject",
    "about",
    "level",
    "level_if_version_unset",
    "levels",
    "in_every_version",
    "where",
    "when",
    "message",
    "blame",
    "label",
    "labels",
    "help",
    "fix",
    "safety",
    "want",
    "parameters",
    "all",
    "any",
    "not",
    "fact",
    "absent",
    "is",
    "one_of",
    "contains",
    "below",
    "at_least",
    "shorter_than",
    "longer_than",
];

/// Every word that some key takes, to say which one was meant.
const WORDS: &[&str] = &[
    "route",
    "upstream",
    "site",
    "directive",
    "gateway",
    "websocket",
    "pedantic",
    "note",
    "warning",
    "error",
    "safe",
    "unsafe",
    "manual",
    "nginx",
    "apache",
];

impl Form {
    /// Reads a block. Nesting is bounded by the TOML parser, so that conditions may be walked by recursion.
    pub(super) fn parse(block: &str) -> Result<Self, Fault> {
        toml::from_str(block).map_err(|error| {
            let span = error.span().unwrap_or(0..block.len());
            let written = block.get(span.clone()).unwrap_or_default();
            // The words of TOML's reader are those of programmers.
            let message = error.message().replace('\n', ": ").replace("unknown field", "unknown key");
            let mut fault = Fault::at(span, Problem::Form(message.replace("unknown variant", "unknown value")));
            let word = written.trim_matches(['"', '\'']);
            let known = if word == written { KEYS } else { WORDS };
            let others = || known.iter().copied().filter(|other| *other != word);
            let begun = || others().find(|other| word.len() > 3 && other.starts_with(word));
            if let Some(near) = nearest(word, others()).or_else(begun) {
                fault.help = Some(format!("did you mean `{near}`?"));
            }
            fault
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_pointed_at_and_the_nearest_suggested() {
        let block = "subject = \"route\"\nlevel = \"note\"\nmessage = \"m\"\nwhen = { fact = \"f\", shorter_then = \"1s\" }\n";
        let fault = Form::parse(block).unwrap_err();
        assert_eq!(&block[fault.span], "shorter_then");
        assert_eq!(fault.help.as_deref(), Some("did you mean `shorter_than`?"));
    }

    #[test]
    fn what_was_begun_or_misspelled_is_guessed() {
        let help = |block: &str| Form::parse(block).unwrap_err().help;
        let rest = "level = \"note\"\nmessage = \"m\"\n";
        let near = help(&format!("subject = \"rout\"\n{rest}when = {{ fact = \"f\", absent = true }}\n"));
        assert_eq!(near.as_deref(), Some("did you mean `route`?"));
        let begun = help(&format!("subject = \"route\"\n{rest}when = {{ fact = \"f\", shorter = \"1s\" }}\n"));
        assert_eq!(begun.as_deref(), Some("did you mean `shorter_than`?"));
    }

    #[test]
    fn deep_nesting_is_refused_rather_than_followed() {
        let block = format!("when = {}{}", "{ not = ".repeat(100_000), "}".repeat(100_000));
        assert!(Form::parse(&block).is_err());
    }
}
