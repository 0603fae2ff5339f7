//! Conditions over a request written in a language of their own: httpd's expressions (`ap_expr`), as a row of steps for a stack.

use super::{FileTest, SymbolicId, TextId, Unknown};
use crate::source::Span;

/// Names an [`Expression`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExpressionId(pub u32);

/// A condition: carried out step by step over a stack of texts and truths, it leaves one truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Where it is written.
    pub span: Span,
    /// The steps, operands before what works on them.
    pub steps: Box<[ExpressionStep]>,
}

/// One step of an [`Expression`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionStep {
    /// Puts a text on the stack.
    Text(SymbolicId),
    /// Changes the text on top.
    Change(Change),
    /// Takes two texts, the right one first, and puts them together.
    Join,
    /// Puts a truth on the stack.
    Truth(bool),
    /// Takes two texts, the right one first, and puts whether they compare so.
    Compare(Comparison),
    /// Takes a text and puts whether the pattern matches it.
    Pattern {
        /// The pattern.
        pattern: TextId,
        /// Whether case is ignored.
        ignore_case: bool,
    },
    /// Takes a text and puts whether it is empty.
    IsEmpty,
    /// Takes a text and puts whether something stands at that path.
    Exists(FileTest),
    /// Takes a text and puts whether it means yes: neither empty, `0`, `off`, `false` nor `no`.
    MeansYes,
    /// Takes a text and puts whether the address that it is lies in the network.
    InNetwork(TextId),
    /// Takes a truth and puts its opposite.
    Not,
    /// Takes two truths and puts whether both hold.
    And,
    /// Takes two truths and puts whether one holds.
    Or,
    /// Puts a truth that cannot be known.
    Unknown(Unknown),
}

/// What a function makes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// What a URL cannot hold escaped.
    Escaped,
    /// Its escapes decoded, but for those of slashes.
    Decoded,
    /// All its escapes decoded.
    DecodedWhole,
    /// In Base64.
    Base64,
    /// What it says in Base64.
    FromBase64,
    /// Something that cannot be known.
    Unknown,
}

/// How two texts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// As texts, in this order.
    Text(Order),
    /// As texts, case aside.
    Folded(Order),
    /// As texts, the shorter before the longer.
    Measured(Order),
    /// As whole numbers; what is none reads as 0.
    Number(Order),
    /// The right one is a pattern with `*` and `?`.
    Wildcard {
        /// Whether case is ignored.
        ignore_case: bool,
        /// Whether slashes are matched by slashes alone: `-fnmatch`.
        by_segment: bool,
    },
}

/// An order that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Order {
    /// Whether two things that compare as `ordering` stand in this order.
    #[must_use]
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Unequal => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}
