//! Conditions over facts in three-valued logic (Kleene's): what is unknown is neither true nor false, and never fires.

use crate::facts::{Reading, Value};

/// Names one of the facts that a rule uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) usize);

/// A condition, compiled.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Slot, Comparison),
}

/// What is asked of a fact. The types were checked when the rule was compiled.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Comparison {
    Absent(bool),
    /// The value is one of these.
    OneOf(Vec<Operand>),
    /// The list holds one of these, in any case.
    Contains(Vec<String>),
    /// The version, number or duration is less.
    Below(Operand),
    /// The version or number is not less.
    AtLeast(Operand),
    /// The duration is more.
    Above(Operand),
}

/// What a fact is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Value(Value),
    /// The n-th parameter of the rule.
    Parameter(usize),
}

/// True, false, or not to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    pub(super) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

impl Condition {
    /// Whether it holds. Facts are read from left to right, and only as far as they are needed.
    pub(super) fn evaluate<'r>(&self, read: &impl Fn(Slot) -> &'r Reading, parameters: &[Value]) -> Truth {
        match self {
            Self::All(parts) => decide(parts, Truth::False, |part| part.evaluate(read, parameters)),
            Self::Any(parts) => decide(parts, Truth::True, |part| part.evaluate(read, parameters)),
            Self::Not(inner) => inner.evaluate(read, parameters).not(),
            Self::Compare(slot, comparison) => comparison.truth(read(*slot), parameters),
        }
    }

    /// The facts that make the condition what it is: all parts where all are needed, the first that decides where one is enough.
    pub(super) fn grounds<'r>(&self, read: &impl Fn(Slot) -> &'r Reading, parameters: &[Value], slots: &mut Vec<Slot>) {
        let (parts, decisive) = match self {
            Self::Compare(slot, _) => {
                if !slots.contains(slot) {
                    slots.push(*slot);
                }
                return;
            }
            Self::Not(inner) => return inner.grounds(read, parameters, slots),
            Self::All(parts) => (parts, Truth::False),
            Self::Any(parts) => (parts, Truth::True),
        };
        match parts.iter().find(|part| part.evaluate(read, parameters) == decisive) {
            Some(part) => part.grounds(read, parameters, slots),
            None => parts.iter().for_each(|part| part.grounds(read, parameters, slots)),
        }
    }
}

/// The truth of parts of which one that is `decisive` decides. They are evaluated from left to right, and only as far as they are needed.
pub(super) fn decide<T>(parts: &[T], decisive: Truth, evaluate: impl Fn(&T) -> Truth) -> Truth {
    let mut truth = decisive.not();
    for part in parts {
        match evaluate(part) {
            found if found == decisive => return decisive,
            Truth::Unknown => truth = Truth::Unknown,
            _ => {}
        }
    }
    truth
}

impl Comparison {
    /// The same with the values of `parameters` in their places.
    pub(super) fn with(&self, parameters: &[Value]) -> Self {
        let known = |operand: &Operand| Operand::Value(operand.value(parameters).clone());
        match self {
            Self::OneOf(operands) => Self::OneOf(operands.iter().map(known).collect()),
            Self::Below(operand) => Self::Below(known(operand)),
            Self::AtLeast(operand) => Self::AtLeast(known(operand)),
            Self::Above(operand) => Self::Above(known(operand)),
            Self::Absent(_) | Self::Contains(_) => self.clone(),
        }
    }

    /// Whether what was read meets it.
    pub(super) fn truth(&self, reading: &Reading, parameters: &[Value]) -> Truth {
        match &reading.value {
            Ok(value) => self.holds(value, parameters).into(),
            Err(_) => Truth::Unknown,
        }
    }

    /// Whether a known value meets it. Of what is absent only `absent` can be true.
    fn holds(&self, value: &Value, parameters: &[Value]) -> bool {
        let same = |operand: &Operand| operand.value(parameters) == value;
        match self {
            Self::Absent(wanted) => (*value == Value::Absent) == *wanted,
            Self::OneOf(operands) => operands.iter().any(same),
            Self::Contains(tokens) => match value {
                Value::List(items) => items.iter().any(|item| tokens.iter().any(|token| token.eq_ignore_ascii_case(item))),
                _ => false,
            },
            Self::Below(operand) => order(value, operand.value(parameters)).is_some_and(std::cmp::Ordering::is_lt),
            Self::AtLeast(operand) => order(value, operand.value(parameters)).is_some_and(std::cmp::Ordering::is_ge),
            Self::Above(operand) => order(value, operand.value(parameters)).is_some_and(std::cmp::Ordering::is_gt),
        }
    }
}

impl Operand {
    pub(super) fn value<'a>(&'a self, parameters: &'a [Value]) -> &'a Value {
        match self {
            Self::Value(value) => value,
            Self::Parameter(index) => &parameters[*index],
        }
    }
}

/// How two values of one ordered type compare.
fn order(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    match (one, other) {
        (Value::Duration(one), Value::Duration(other)) => Some(one.0.cmp(&other.0)),
        (Value::Number(one), Value::Number(other)) => Some(one.cmp(other)),
        (Value::Version(one), Value::Version(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{Millis, Unknown, Version};

    fn compare(slot: usize, comparison: Comparison) -> Condition {
        Condition::Compare(Slot(slot), comparison)
    }

    fn holds(value: Value, comparison: Comparison) -> bool {
        let reading = Reading::new(value);
        compare(0, comparison).evaluate(&|_| &reading, &[]) == Truth::True
    }

    /// Readings of which slot 0 is absent, 1 present, 2 unknown.
    fn readings() -> [Reading; 3] {
        let unknown = Reading::unknown(Unknown::Runtime);
        [Reading::new(Value::Absent), Reading::new(Value::Flag(true)), unknown]
    }

    #[test]
    fn absence_answers_every_comparison_but_its_own_with_no() {
        assert!(holds(Value::Absent, Comparison::Absent(true)));
        assert!(!holds(Value::Absent, Comparison::Contains(vec!["upgrade".into()])));
        assert!(!holds(Value::Absent, Comparison::Below(Operand::Value(Value::Number(1)))));
        assert!(holds(Value::Flag(false), Comparison::Absent(false)));
    }

    #[test]
    fn values_compare_by_their_type() {
        let tokens = || Comparison::Contains(vec!["Upgrade".into(), "h2c".into()]);
        assert!(holds(Value::List(vec!["keep-alive".into(), "upgrade".into()]), tokens()));
        assert!(!holds(Value::List(vec!["upgraded".into()]), tokens()));
        let below = || Comparison::Below(Operand::Value(Value::Version(Version::new(1, 1, 0))));
        assert!(holds(Value::Version(Version::new(1, 0, 0)), below()));
        assert!(!holds(Value::Version(Version::new(1, 1, 0)), below()));
        assert!(holds(Value::Duration(Millis(61_000)), Comparison::Above(Operand::Value(Value::Duration(Millis(60_000))))));
        assert!(!holds(Value::Duration(Millis(60_000)), Comparison::Above(Operand::Value(Value::Duration(Millis(60_000))))));
    }

    #[test]
    fn parameters_stand_for_their_value() {
        let reading = Reading::new(Value::Duration(Millis(60_000)));
        let short = compare(0, Comparison::Below(Operand::Parameter(0)));
        assert_eq!(short.evaluate(&|_| &reading, &[Value::Duration(Millis(3_600_000))]), Truth::True);
        assert_eq!(short.evaluate(&|_| &reading, &[Value::Duration(Millis(25_000))]), Truth::False);
    }

    #[test]
    fn unknown_is_neither_true_nor_false() {
        let readings = readings();
        let read = |slot: Slot| &readings[slot.0];
        let absent = |slot| compare(slot, Comparison::Absent(true));
        for (condition, truth) in [
            (absent(2), Truth::Unknown),
            (Condition::Not(Box::new(absent(2))), Truth::Unknown),
            (Condition::All(vec![absent(2), absent(0)]), Truth::Unknown),
            (Condition::All(vec![absent(2), absent(1)]), Truth::False),
            (Condition::Any(vec![absent(2), absent(0)]), Truth::True),
            (Condition::Any(vec![absent(2), absent(1)]), Truth::Unknown),
        ] {
            assert_eq!(condition.evaluate(&read, &[]), truth, "{condition:?}");
        }
    }

    #[test]
    fn facts_are_read_only_as_far_as_needed() {
        let readings = readings();
        let read = |slot: Slot| if slot == Slot(2) { panic!("read") } else { &readings[slot.0] };
        let absent = |slot| compare(slot, Comparison::Absent(true));
        assert_eq!(Condition::All(vec![absent(1), absent(2)]).evaluate(&read, &[]), Truth::False);
        assert_eq!(Condition::Any(vec![absent(0), absent(2)]).evaluate(&read, &[]), Truth::True);
    }

    #[test]
    fn the_grounds_are_the_branch_that_decided() {
        let readings = readings();
        let absent = |slot| compare(slot, Comparison::Absent(true));
        let condition = Condition::All(vec![
            Condition::Any(vec![absent(1), absent(2), absent(0)]),
            Condition::Not(Box::new(Condition::All(vec![absent(2), absent(1)]))),
        ]);
        let mut slots = Vec::new();
        condition.grounds(&|slot: Slot| &readings[slot.0], &[], &mut slots);
        assert_eq!(slots, [Slot(0), Slot(1)]);
    }
}
