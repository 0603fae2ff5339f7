//! What the server refuses when it starts, in its own words: with any of it in a configuration, nothing is served.

use crate::source::Span;

/// Something for which the server does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to underline; the line that the server names is part of it.
    pub span: Span,
    /// Other places that explain it, each with what it shows.
    pub labels: Vec<(Span, String)>,
    /// What kind of fault it is.
    pub fault: Fault,
    /// The server's message, without its own place in it.
    pub message: String,
}

/// A kind of fault that servers refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The file cannot be split into directives and blocks.
    Syntax,
    /// A comment is longer than the server's buffer.
    Comment,
    /// Includes lead back to where they began, or nest deeper than the server goes.
    Cycle,
    /// No module of the server has a directive of this name.
    UnknownDirective,
    /// The directive may not stand in this kind of block.
    NotAllowed,
    /// The directive takes another number of arguments.
    Arguments,
    /// The directive, or what it defines, is there already.
    Duplicate,
    /// The same location is there twice.
    DuplicateLocation,
    /// A duration that the server does not read.
    Duration,
    /// An address or URL that the server does not read.
    Address,
    /// A comment behind a directive is an argument of it, and one too many.
    TrailingComment,
    /// What may be upgraded to is said of a group of backends instead of its members.
    UpgradeMisplaced,
    /// A directive that only a later, unreleased server has.
    Unsupported,
    /// Any other value that the server does not take.
    Value,
    /// An included file is missing; the remark on the `include` says which.
    Include,
    /// Nothing defines a variable; the remark on its use says which.
    Variable,
    /// A site that speaks TLS lacks a certificate or its key; the remark on its socket says which.
    Certificate,
    /// Something that the configuration as a whole needs is missing.
    Missing,
}

impl Fault {
    /// The name of the kind, as the fact `noted` gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Comment => "comment-too-long",
            Self::Cycle => "include-cycle",
            Self::UnknownDirective => "unknown-directive",
            Self::NotAllowed => "directive-not-allowed",
            Self::Arguments => "argument-count",
            Self::Duplicate => "duplicate-directive",
            Self::DuplicateLocation => "duplicate-location",
            Self::Duration => "duration-invalid",
            Self::Address => "address-malformed",
            Self::TrailingComment => "trailing-comment",
            Self::UpgradeMisplaced => "upgrade-misplaced",
            Self::Unsupported => "unsupported-directive",
            Self::Value => "value-invalid",
            Self::Include => "include-missing",
            Self::Variable => "undefined-variable",
            Self::Certificate => "certificate-missing",
            Self::Missing => "incomplete",
        }
    }
}

impl Refusal {
    /// A refusal with nothing else to show.
    #[must_use]
    pub fn new(span: Span, fault: Fault, message: String) -> Self {
        Self { span, labels: Vec::new(), fault, message }
    }
}
