//! The grammar of httpd's expressions (`util_expr_scan.l`, `util_expr_parse.y`): a condition as steps for a stack.
//!
//! Operators are put in order with a stack of their own (Dijkstra's shunting yard), and so are functions, so nesting costs no recursion.

mod names;
mod network;
mod operators;
mod scan;
mod text;
mod truth;
mod word;

pub(super) use network::is_network;
use scan::Parser;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// What stands for itself.
    Text(Vec<u8>),
    /// `%{NAME}`.
    Variable(Vec<u8>),
    /// `%{name:text}` or `name('text')`; `None`: the text is not written out.
    Looked(Vec<u8>, Option<Vec<u8>>),
    /// `$1`: what the last pattern captured; `None`: a part of a name that is looked up.
    Capture(Option<u8>),
}

/// One step of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Puts a text on the stack.
    Text(Vec<Piece>),
    /// Takes a text and puts what the function makes of it.
    Function(Vec<u8>),
    /// Takes two texts and puts them together.
    Join,
    /// Puts a truth.
    Truth(bool),
    /// Takes a text and puts what `-n` and its like say of it.
    Unary(u8),
    /// Takes two texts and puts how they compare: `==`, `-eq`, `strmatch`.
    Binary(Vec<u8>),
    /// Takes a text and puts whether the pattern matches.
    Pattern {
        /// The pattern.
        pattern: Vec<u8>,
        /// Whether case is ignored.
        ignore_case: bool,
        /// `!~`.
        negated: bool,
    },
    /// Takes a text and puts whether it is one of these, each a row of steps that puts a text.
    OneOf(Vec<Vec<Step>>),
    /// Takes a text and puts whether a function's list has it.
    InList,
    /// `!`.
    Not,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// The truth that `text` says, as steps.
///
/// # Errors
/// With httpd's words, about, where it does not take it. `tls`: whether `mod_ssl` is there, which knows more.
pub(super) fn condition(text: &[u8], tls: bool) -> Result<Vec<Step>, String> {
    Parser { rest: text, tls, steps: Vec::new() }.condition()
}

/// The text that `text` says, as `RequestHeader … expr=` takes it.
///
/// # Errors
/// As for a condition.
pub(super) fn string(text: &[u8], tls: bool) -> Result<Vec<Piece>, String> {
    Parser { rest: text, tls, steps: Vec::new() }.string(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> String {
        let shown = |step: &Step| match step {
            Step::Binary(name) => String::from_utf8_lossy(name).into_owned(),
            Step::Unary(letter) => format!("-{}", char::from(*letter)),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        };
        match condition(text.as_bytes(), false) {
            Ok(steps) => steps.iter().map(shown).collect::<Vec<_>>().join(" "),
            Err(why) => why,
        }
    }

    #[test]
    fn operators_follow_their_operands() {
        assert_eq!(steps("%{HTTP:Upgrade} == 'websocket'"), "Text Text ==");
        assert_eq!(steps("tolower(%{HTTP:Upgrade}) == 'websocket'"), "Text Function Text ==");
        assert_eq!(steps("%{REQUEST_URI} =~ m#^/ws#"), "Text Pattern");
        assert_eq!(steps("true || false && ! (true)"), "Truth Truth Truth Not And Or");
        assert_eq!(steps("not true and false"), "Truth Not Truth And");
        assert_eq!(steps("%{HTTP:Upgrade} -eq 1"), "Text Text eq");
        assert_eq!(steps("%{HTTP_HOST} in { 'a', 'b' }"), "Text OneOf");
        assert_eq!(steps("-z req('Upgrade') && -R '10.0.0.0/8'"), "Text -z Text -R And");
        assert_eq!(steps("'a' . toupper('b') . 'c' == 'aBc'"), "Text Text Function Text Join Join Text ==");
    }

    #[test]
    fn what_httpd_does_not_take_is_not_taken() {
        for text in [
            "",
            "what is this",
            "(true",
            "true)",
            "%{HTTP:Upgrade} ==",
            "%{X} == 'a'",
            "'a' == 'b",
            "%{HTTP:} == ''",
            "nofunc('a')",
        ] {
            assert!(condition(text.as_bytes(), false).is_err(), "{text}");
        }
        assert!(condition(b"%{REQUEST_URI} =~ /(/", false).is_err() && condition(b"-R 'x'", false).is_err());
        assert!(condition(b"'a' -nope 'b'", false).is_err() && condition(b"-q 'b'", false).is_err());
        assert!(string(b"%{", false).is_err() && string(b"a%b", false).is_ok());
    }
}
