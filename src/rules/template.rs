//! Texts with facts and parameters in them: `closed after {timeout.idle}`.

use std::fmt::Write as _;
use std::ops::Range;

use super::condition::Slot;
use super::problem::Fault;
use crate::facts::{Reading, Value};

/// A text to be filled in.
#[derive(Clone, Debug, Default)]
pub(super) struct Template(Vec<Piece>);

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Fact(Slot),
    Parameter(usize),
}

impl Template {
    /// Reads `text`; `name` says what a name in braces stands for.
    ///
    /// A brace that no lower-case letter follows is a brace: help quotes blocks such as `map … { default upgrade; }`.
    pub(super) fn parse(text: &str, mut name: impl FnMut(&str) -> Result<Piece, Fault>) -> Result<Self, Fault> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(hole) = next_hole(rest) {
            if hole.start > 0 {
                pieces.push(Piece::Text(rest[..hole.start].to_owned()));
            }
            pieces.push(name(&rest[hole.start + 1..hole.end - 1])?);
            rest = &rest[hole.end..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text with everything filled in.
    pub(super) fn fill<'r>(&self, read: &impl Fn(Slot) -> &'r Reading, parameters: &[Value]) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Text(piece) => text.write_str(piece),
                Piece::Fact(slot) => match &read(*slot).value {
                    Ok(value) => write!(text, "{value}"),
                    Err(unknown) => write!(text, "unknown ({})", unknown.reason()),
                },
                Piece::Parameter(index) => write!(text, "{}", parameters[*index]),
            };
        }
        text
    }

    /// The pieces.
    #[cfg(test)]
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.0
    }
}

/// The first `{name}` of a text.
fn next_hole(text: &str) -> Option<Range<usize>> {
    text.match_indices('{').find_map(|(start, _)| {
        let inside = &text[start + 1..];
        let length = inside.bytes().take_while(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-')).count();
        let named = inside.starts_with(|first: char| first.is_ascii_lowercase()) && inside[length..].starts_with('}');
        named.then(|| start..start + length + 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Millis;

    fn parse(text: &str) -> Template {
        Template::parse(text, |name| Ok(if name == "min" { Piece::Parameter(0) } else { Piece::Fact(Slot(0)) })).unwrap()
    }

    #[test]
    fn names_in_braces_are_filled_in() {
        let template = parse("cut after {timeout.idle}, wanted {min}");
        let idle = Reading::new(Value::Duration(Millis(60_000)));
        assert_eq!(template.fill(&|_| &idle, &[Value::Duration(Millis(3_600_000))]), "cut after 60 s, wanted 1 h");
    }

    #[test]
    fn other_braces_are_braces() {
        for text in ["map $a $b { default upgrade; '' close; }", "%{HTTP:Upgrade}", "a {} b", "{open"] {
            assert_eq!(parse(text).pieces(), [Piece::Text(text.to_owned())]);
        }
    }
}
