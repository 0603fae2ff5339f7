//! The order of operators: `!`, `&&`, `||` and parentheses around truths.

use super::Step;
use super::scan::{DEEPEST, Parser, unexpected};

/// What waits for its second operand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Open,
    Or,
    And,
    Not,
}

impl Pending {
    fn step(self) -> Option<Step> {
        match self {
            Self::Open => None,
            Self::Or => Some(Step::Or),
            Self::And => Some(Step::And),
            Self::Not => Some(Step::Not),
        }
    }
}

impl Parser<'_> {
    /// A whole condition.
    pub(super) fn condition(mut self) -> Result<Vec<Step>, String> {
        let mut pending: Vec<Pending> = Vec::new();
        loop {
            // Here a truth must follow.
            self.blanks();
            if self.rest.starts_with(b"!") && !self.rest.starts_with(b"!=") && !self.rest.starts_with(b"!~")
                || self.is_word(b"not")
            {
                self.rest = &self.rest[if self.rest.starts_with(b"!") { 1 } else { 3 }..];
                pending.push(Pending::Not);
                continue;
            }
            if self.take(b"(") {
                pending.push(Pending::Open);
                if pending.len() > DEEPEST {
                    return Err("memory exhausted".to_owned());
                }
                continue;
            }
            self.truth()?;
            // Here an operator must follow, or the end.
            loop {
                self.blanks();
                if self.rest.is_empty() {
                    while let Some(top) = pending.pop() {
                        match top.step() {
                            Some(step) => self.steps.push(step),
                            None => return unexpected(self.rest),
                        }
                    }
                    return Ok(self.steps);
                }
                if !self.take(b")") {
                    break;
                }
                loop {
                    match pending.pop().map(Pending::step) {
                        Some(Some(step)) => self.steps.push(step),
                        Some(None) => break,
                        None => return unexpected(b")"),
                    }
                }
            }
            let operator = if self.take(b"&&") || self.take_word(b"and") {
                Pending::And
            } else if self.take(b"||") || self.take_word(b"or") {
                Pending::Or
            } else {
                return unexpected(self.rest);
            };
            // What binds as strongly or stronger is carried out first.
            while let Some(&top) = pending.last()
                && let Some(step) = top.step()
                && (top != Pending::Or || operator == Pending::Or)
            {
                self.steps.push(step);
                pending.pop();
            }
            pending.push(operator);
        }
    }
}
