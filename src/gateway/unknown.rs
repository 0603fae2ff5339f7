//! Why something cannot be known. Unknown is honest: a rule never fires on it, and a verdict says what could not be seen.

use crate::source::Span;

/// A value, or why it cannot be known.
pub type Known<T> = Result<T, Unknown>;

/// Why a value cannot be known from the files given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// This include names a file that is not in the given tree.
    MissingInclude(Span),
    /// This template hole may become anything.
    TemplateHole(Span),
    /// Nothing in the given files defines the variable used here.
    UndefinedVariable(Span),
    /// The file is a fragment: what surrounds it is not here.
    Fragment(Span),
    /// Code in another language decides (Lua, njs, perl).
    Code(Span),
    /// A third-party directive that we do not know decides.
    ForeignDirective(Span),
    /// It depends on the client or the moment: an address, a cookie, the time.
    Runtime,
    /// The file system or the operating system decides, e.g. a default that is compiled in.
    Environment,
    /// This directive does something that the model has no words for.
    Unmodelled(Span),
    /// A pattern that our regular expressions cannot decide within their limits.
    Pattern(Span),
}

/// A part of a file that counts only under a condition of which nothing says whether it holds; it is taken to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumed {
    /// The head of the section.
    pub head: Span,
    /// Where the section ends, in the same file.
    pub end: u32,
}

impl Assumed {
    /// Whether a place lies in it.
    #[must_use]
    pub fn covers(&self, span: Span) -> bool {
        span.source == self.head.source && (self.head.start..self.end).contains(&span.start)
    }
}

impl Unknown {
    /// The place to show, where there is one.
    #[must_use]
    pub fn span(self) -> Option<Span> {
        match self {
            Self::MissingInclude(span)
            | Self::TemplateHole(span)
            | Self::UndefinedVariable(span)
            | Self::Fragment(span)
            | Self::Code(span)
            | Self::ForeignDirective(span)
            | Self::Unmodelled(span)
            | Self::Pattern(span) => Some(span),
            Self::Runtime | Self::Environment => None,
        }
    }

    /// The reason in words, to follow "unknown: ".
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::MissingInclude(_) => "an included file is not in the given tree",
            Self::TemplateHole(_) => "a template hole may become anything",
            Self::UndefinedVariable(_) => "nothing in the given files defines the variable",
            Self::Fragment(_) => "what surrounds this fragment is not in the given tree",
            Self::Code(_) => "code in another language decides",
            Self::ForeignDirective(_) => "a third-party directive decides",
            Self::Unmodelled(_) => "the directive does something that is not modelled",
            Self::Runtime => "it depends on the client or the moment",
            Self::Environment => "the machine that the server runs on decides",
            Self::Pattern(_) => "the pattern is beyond what can be decided here",
        }
    }
}
