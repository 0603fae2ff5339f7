//! Rewrite rules: what may change or take a request before a route is chosen.

use super::{Comparison, ExpressionId, Known, RouteId, SymbolicId, TextId, Unknown};
use crate::source::Span;

/// One rewrite rule with its conditions.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// The directive: its name and words.
    pub span: Span,
    /// What must hold as well, in order.
    pub conditions: Vec<Condition>,
    /// The regular expression over the path.
    pub pattern: TextId,
    /// Whether case is ignored.
    pub ignore_case: bool,
    /// Whether the rule applies where the pattern does not match.
    pub negated: bool,
    /// What the path becomes; `None` where it stays.
    pub substitution: Option<SymbolicId>,
    /// What happens then.
    pub action: Action,
    /// Whether no rule after this one is tried.
    pub last: bool,
    /// What else its flags say.
    pub flags: Flags,
    /// Set where the rule does something that we do not model, so that what follows is unknown when it applies.
    pub beyond: Option<Unknown>,
}

/// What happens where a rewrite rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Rewriting goes on with the new path.
    Continue,
    /// The request is proxied: `[P]`.
    Proxy(RouteId),
    /// The client is sent elsewhere, with this status.
    Redirect(u16),
    /// The server answers with this status.
    Answer(u16),
}

/// What the flags of a rule say beside what happens where it applies; httpd's.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the rule")]
pub struct Flags {
    /// How many rules behind it are skipped where it applies: `[S=n]`.
    pub skips: u32,
    /// Whether the rule behind it is skipped where it does not apply: `[C]`.
    pub chained: bool,
    /// How often rewriting starts over where it applies, at most: `[N]`.
    pub rounds: Option<u32>,
    /// Whether the new path is mapped like one that was asked for: `[PT]`.
    pub maps_again: bool,
    /// Whether no rules are tried even after the request is handled anew: `[END]`.
    pub ends: bool,
    /// What becomes of the query.
    pub query: QueryRule,
    /// Whether the new path is taken as it is, without escaping: `[NE]`.
    pub verbatim: bool,
    /// Which bytes of captures are escaped: `[B]`.
    pub escapes: Option<Escapes>,
    /// Whether the last `?` of the new path begins its query, not the first: `[QSL]`.
    pub query_is_last: bool,
    /// Whether a `?` of the request may begin the query of the new path: `[UnsafeAllow3F]`.
    pub allows_question_marks: bool,
    /// Whether the new path may be a file outside of the document root, whatever it begins with: `[UnsafePrefixStat]`.
    pub allows_any_file: bool,
    /// Whether several slashes at the start of the new path stay several: `[UNC]`.
    pub keeps_slashes: bool,
    /// Whether requests that the server makes for others pass it by: `[NS]`.
    pub skips_subrequests: bool,
    /// What handles the request: `[H=name]`.
    pub handler: Option<TextId>,
    /// Variables that it sets; `None`: unsets. `[E=name:value]`.
    pub variables: Box<[(TextId, Option<SymbolicId>)]>,
}

/// What becomes of the query where a rule applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryRule {
    /// It is kept, unless the new path brings one.
    #[default]
    Keep,
    /// It is kept behind the one that the new path brings: `[QSA]`.
    Append,
    /// It is dropped: `[QSD]`.
    Discard,
    /// It is dropped, and the new path brings none whatever it holds: a `?` at its end, or `[QSD]` where it has none.
    Drop,
}

/// Which bytes of captures are escaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Escapes {
    /// Only these: `[B=…]`; `None`: all that are neither letters, digits nor `_`.
    pub only: Option<TextId>,
    /// All but these: `[BNE=…]`.
    pub except: Option<TextId>,
    /// Whether a blank becomes `%20`, not `+`: `[BNP]`.
    pub no_plus: bool,
    /// Whether control characters and blanks are escaped, and others only where `only` names them: `[BCTLS]`.
    pub controls: bool,
}

/// A condition of a rewrite rule: httpd's `RewriteCond`.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// The directive.
    pub span: Span,
    /// What is tested.
    pub subject: SymbolicId,
    /// The test.
    pub test: Known<Test>,
    /// Whether the condition holds where the test fails.
    pub negated: bool,
    /// Whether this or the next condition suffices: `[OR]`.
    pub or_next: bool,
}

/// A test of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// A regular expression matches.
    Pattern {
        /// The pattern.
        pattern: TextId,
        /// Whether case is ignored.
        ignore_case: bool,
    },
    /// The text is this one: `=text`.
    Equals {
        /// The text.
        text: TextId,
        /// Whether case is ignored.
        ignore_case: bool,
    },
    /// The text is the value of this: nginx's `=`.
    Same(SymbolicId),
    /// The text is neither empty nor `0`: nginx's `if ($x)`.
    IsSet,
    /// The text is the path of something in the file system.
    File(FileTest),
    /// A condition in a language of its own holds; the subject does not matter.
    Condition(ExpressionId),
    /// The text compares so with this one.
    Compares(Comparison, TextId),
}

/// What must stand at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTest {
    /// A regular file: `-f`.
    File,
    /// A directory: `-d`.
    Directory,
    /// Anything: `-e`.
    Any,
    /// Something that can be executed: `-x`.
    Executable,
}
