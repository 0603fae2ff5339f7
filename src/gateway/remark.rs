//! What reading a configuration brings to light about single directives; the facts of the subject `directive`.

use crate::gateway::Millis;
use crate::source::Span;

/// Something noted about one directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What to underline.
    pub span: Span,
    /// Other places that explain it, each with what it shows.
    pub labels: Vec<(Span, String)>,
    /// What was noted.
    pub kind: RemarkKind,
}

/// What can be noted about a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemarkKind {
    /// An include names something that is not there.
    IncludeMissing {
        /// As written.
        path: String,
        /// Whether the path lies inside the given tree, so that the server will not find it either.
        inside: bool,
    },
    /// An include leads to a file outside of what was given, which is not read.
    IncludeOutside {
        /// As written.
        path: String,
    },
    /// A variable that nothing defines.
    UndefinedVariable {
        /// Its name, without `$`.
        name: String,
    },
    /// A number is read without the unit behind it.
    UnitIgnored {
        /// What is set, e.g. `ProxyTimeout` or `timeout=`.
        name: String,
        /// As written, e.g. `1h`.
        written: String,
        /// What the server reads.
        read_as: Millis,
        /// What was meant.
        meant: Millis,
    },
    /// A comment was to silence a rule, or to say something else to proxylint, and does nothing.
    UnusedSuppression {
        /// Why it does nothing.
        why: String,
        /// What to do.
        help: String,
    },
}
