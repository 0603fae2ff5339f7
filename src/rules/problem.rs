//! What can be wrong with a rule's page, and where in the page.

use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};

use crate::facts::{Subject, Type, UnknownFact};

/// A rule that cannot be used, and the place in its page that says why.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{problem}")]
pub struct RuleError {
    /// What is wrong.
    pub problem: Problem,
    #[source_code]
    page: NamedSource<String>,
    #[label("here")]
    span: SourceSpan,
    #[help]
    help: Option<String>,
}

impl RuleError {
    pub(super) fn new(path: &str, page: &str, fault: Fault) -> Box<Self> {
        let Fault { span, problem, help } = fault;
        Box::new(Self { problem, page: NamedSource::new(path, page.to_owned()), span: span.into(), help })
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> &str {
        self.page.inner()
    }

    /// Where in the page: bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.span.offset()..self.span.offset() + self.span.len()
    }

    /// What to do, where something is known.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The text that is pointed at.
    #[must_use]
    pub fn excerpt(&self) -> &str {
        self.page.inner().get(self.range()).unwrap_or_default()
    }
}

/// What is wrong with a rule's page.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The name is not one that can be selected and ignored.
    #[error("a rule's name is lower case words with `-` between them, and this is `{0}`")]
    BadName(String),
    /// It does not begin with its name.
    #[error("a rule's page begins with its name: `# some-rule`")]
    NoTitle,
    /// It has no `toml` block.
    #[error("a rule's page needs one fence ```toml that holds the rule")]
    NoBlock,
    /// A fence is not closed.
    #[error("this fence is not closed")]
    OpenFence,
    /// A word behind a fence's `good` or `bad` means nothing.
    #[error(
        "`{word}` means nothing here: write `version=1.22`, `level=warning` or `manual`; `fixed` stands behind a bad example"
    )]
    BadFence {
        /// The word.
        word: String,
    },
    /// The block is not TOML, or not in the form of a rule.
    #[error("{0}")]
    Form(String),
    /// A fact that there is not.
    #[error(transparent)]
    UnknownFact(#[from] UnknownFact),
    /// A fact of another subject than the rule's.
    #[error("`{fact}` is a fact about a {of}, and this rule is about a {subject}", of = .of.name(), subject = .subject.name())]
    WrongSubject {
        /// The fact.
        fact: String,
        /// What it is about.
        of: Subject,
        /// What the rule is about.
        subject: Subject,
    },
    /// Only routes have an intent.
    #[error("only a rule about a route can be about WebSockets: other things have no intent")]
    NoIntent,
    /// Not exactly one of `all`, `any`, `not` and `fact`.
    #[error("a condition is one of `all`, `any`, `not`, or a comparison on a `fact`")]
    NotACondition,
    /// A comparison that compares with nothing.
    #[error("nothing is asked of `{fact}`: add a comparison such as `absent` or `is`")]
    NoComparison {
        /// The fact.
        fact: String,
    },
    /// A comparison that the fact's type does not have.
    #[error("`{comparison}` cannot be asked of `{fact}`: it is a {kind}", kind = type_name(*.kind))]
    WrongComparison {
        /// The comparison, e.g. `below`.
        comparison: &'static str,
        /// The fact.
        fact: String,
        /// Its type.
        kind: Type,
    },
    /// A value that is not of the type it is compared with.
    #[error("`{value}` is not a {kind}", kind = type_name(*.kind))]
    WrongValue {
        /// As written.
        value: String,
        /// The type needed.
        kind: Type,
    },
    /// A parameter that the rule does not declare.
    #[error("this rule has no parameter `{name}`")]
    UnknownParameter {
        /// The name.
        name: String,
    },
    /// A parameter that no condition compares with.
    #[error("no condition uses the parameter `{name}`")]
    UnusedParameter {
        /// The name.
        name: String,
    },
    /// A parameter compared with facts of two types.
    #[error("the parameter `{name}` stands for a {one} here and a {other} there", one = type_name(*.one), other = type_name(*.other))]
    TwoTypes {
        /// The name.
        name: String,
        /// One type.
        one: Type,
        /// The other.
        other: Type,
    },
}

/// A problem and where it is, in bytes of whatever is being read.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) problem: Problem,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn at(span: Range<usize>, problem: impl Into<Problem>) -> Self {
        Self { span, problem: problem.into(), help: None }
    }

    /// The same, with the nearest of `names` to `name` suggested, where one is near.
    pub(super) fn suggest<'a>(mut self, name: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.help = nearest(name, names).map(|near| format!("did you mean `{near}`?"));
        self
    }

    /// The same fault in a text that what was read stands in, from `offset` on.
    pub(super) fn moved(mut self, offset: usize) -> Self {
        self.span = self.span.start + offset..self.span.end + offset;
        self
    }
}

/// The nearest of `names` to `name`, where it is near enough to be what was meant.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let near = names.into_iter().map(|other| (distance(other), other)).min()?;
    (near.0 <= 1 + name.len() / 4).then_some(near.1)
}

/// A type's name in messages.
fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Text => "text",
        Type::List => "list",
        Type::Duration => "duration such as `60s` or `1h`",
        Type::Number => "number",
        Type::Flag => "flag: `true` or `false`",
        Type::Version => "version such as `1.28`",
    }
}
