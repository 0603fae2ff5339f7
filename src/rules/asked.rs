//! What many rules ask of one item: a comparison that several of them make is made once.

use std::cell::Cell;

use rustc_hash::FxHashMap;

use super::condition::{Comparison, Condition, Truth, decide};
use crate::facts::{Reading, Value};

/// All comparisons that the rules about one subject make, each once.
#[derive(Debug, Default)]
pub(super) struct Questions {
    all: Vec<Question>,
    /// The numbers of those about each fact.
    of: FxHashMap<usize, Vec<usize>>,
}

/// A fact, by its place on the bench, and what it is compared with.
#[derive(Debug, PartialEq)]
struct Question {
    fact: usize,
    comparison: Comparison,
}

/// A condition whose comparisons are questions, by their numbers.
#[derive(Debug)]
pub(super) enum Asked {
    All(Vec<Asked>),
    Any(Vec<Asked>),
    Not(Box<Asked>),
    Question(usize),
}

/// What was answered so far of one item.
#[derive(Debug)]
pub(super) struct Answers(Vec<Cell<Option<Truth>>>);

impl Questions {
    /// The condition of a rule, whose facts stand on the bench at `facts`.
    pub(super) fn ask(&mut self, condition: &Condition, facts: &[usize], parameters: &[Value]) -> Asked {
        let mut parts = |parts: &[Condition]| parts.iter().map(|part| self.ask(part, facts, parameters)).collect();
        match condition {
            Condition::All(all) => Asked::All(parts(all)),
            Condition::Any(any) => Asked::Any(parts(any)),
            Condition::Not(inner) => Asked::Not(Box::new(self.ask(inner, facts, parameters))),
            Condition::Compare(slot, comparison) => {
                let question = Question { fact: facts[slot.0], comparison: comparison.with(parameters) };
                let own = self.of.entry(question.fact).or_default();
                let known = own.iter().copied().find(|&number| self.all[number] == question);
                Asked::Question(known.unwrap_or_else(|| {
                    own.push(self.all.len());
                    self.all.push(question);
                    self.all.len() - 1
                }))
            }
        }
    }

    /// No answers yet.
    pub(super) fn unanswered(&self) -> Answers {
        Answers(self.all.iter().map(|_| Cell::new(None)).collect())
    }
}

impl Answers {
    /// Forgets them: another item is asked about.
    pub(super) fn clear(&self) {
        self.0.iter().for_each(|answer| answer.set(None));
    }
}

impl Asked {
    /// Whether it holds, as [`Condition::evaluate`] says; `read` gives a fact by its place on the bench.
    pub(super) fn evaluate<'r>(&self, questions: &Questions, answers: &Answers, read: &impl Fn(usize) -> &'r Reading) -> Truth {
        let evaluate = |part: &Self| part.evaluate(questions, answers, read);
        match self {
            Self::All(parts) => decide(parts, Truth::False, evaluate),
            Self::Any(parts) => decide(parts, Truth::True, evaluate),
            Self::Not(inner) => inner.evaluate(questions, answers, read).not(),
            Self::Question(number) => answers.0[*number].get().unwrap_or_else(|| {
                let Question { fact, comparison } = &questions.all[*number];
                let truth = comparison.truth(read(*fact), &[]);
                answers.0[*number].set(Some(truth));
                truth
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::condition::{Operand, Slot};

    fn compare(slot: usize, operand: Operand) -> Condition {
        Condition::Compare(Slot(slot), Comparison::OneOf(vec![operand]))
    }

    #[test]
    fn what_two_rules_ask_is_answered_once() {
        let seven = || Value::Number(7);
        let mut questions = Questions::default();
        // The second rule knows the fact by another slot, and the number as its parameter.
        let one = questions.ask(&compare(0, Operand::Value(seven())), &[4], &[]);
        let negated = Condition::Not(Box::new(compare(1, Operand::Parameter(0))));
        let other = questions.ask(&negated, &[3, 4], &[seven()]);
        let reading = Reading::new(seven());
        let reads = Cell::new(0);
        let read = |fact: usize| {
            assert_eq!(fact, 4);
            reads.set(reads.get() + 1);
            &reading
        };
        let answers = questions.unanswered();
        assert_eq!(one.evaluate(&questions, &answers, &read), Truth::True);
        assert_eq!(other.evaluate(&questions, &answers, &read), Truth::False);
        assert_eq!(reads.get(), 1);
        answers.clear();
        assert_eq!(one.evaluate(&questions, &answers, &read), Truth::True);
        assert_eq!(reads.get(), 2);
    }
}
