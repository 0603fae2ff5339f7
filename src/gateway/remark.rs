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
    /// The server takes the line, and reads it otherwise than it was meant.
    Misread {
        /// How.
        how: Misreading,
        /// What of it, as written.
        text: String,
    },
    /// A site speaks TLS and has no certificate or no key, so that the server does not start.
    CertificateMissing {
        /// The directive that is missing.
        lacks: &'static str,
    },
    /// A comment was to silence a rule, or to say something else to proxylint, and does nothing.
    UnusedSuppression {
        /// Why it does nothing.
        why: String,
        /// What to do.
        help: String,
    },
}

/// How a server reads a line otherwise than it was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misreading {
    /// A variable of the server that is always empty: `%{HTTP_UPGRADE}`.
    EmptyVariable,
    /// A rewrite rule to `ws://` that sends the client there instead of passing the request on.
    WebSocketNotProxied,
    /// A backend's address that the server takes and that no request comes to: `ProxyPass "/" "http://b"`, a group without members.
    AddressUnusable,
    /// A section for a module that is named so that it is never there.
    SectionNeverTrue,
    /// A section for a module that is not there, with a mapping for WebSockets in it.
    SectionLeftOut,
    /// The same, where it is named so that it is never there.
    SectionHidesWebSocket,
    /// A comment that goes on over the next line, which is a directive.
    CommentContinued,
    /// A rewrite rule whose new path is taken for that of a file, where a mapping is there for it.
    LeadsPastMappings,
    /// A duration whose last number means something else than the one before it lets expect.
    DurationOdd,
    /// A name that is used above the line that defines it, or below the one that takes the definition back.
    NotDefinedHere,
    /// The file of a directory cannot be read, and requests below it are answered with an error.
    DirectoryFileUnread,
    /// The file of a directory has a directive that no module has.
    DirectoryFileUnknown,
    /// The file of a directory has a directive that may not stand there.
    DirectoryFileForbids,
}

impl Misreading {
    /// The name of the kind, as the fact `noted` gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EmptyVariable => "empty-variable",
            Self::WebSocketNotProxied => "websocket-not-proxied",
            Self::AddressUnusable => "address-unusable",
            Self::SectionNeverTrue => "section-never-true",
            Self::SectionLeftOut => "section-left-out",
            Self::SectionHidesWebSocket => "section-hides-websocket",
            Self::CommentContinued => "comment-continued",
            Self::LeadsPastMappings => "leads-past-mappings",
            Self::DurationOdd => "duration-odd",
            Self::NotDefinedHere => "not-defined-here",
            Self::DirectoryFileUnread => "directory-file-unread",
            Self::DirectoryFileUnknown => "directory-file-unknown",
            Self::DirectoryFileForbids => "directory-file-forbids",
        }
    }
}
