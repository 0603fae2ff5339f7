//! The value of a fact, the places it comes from, and the version up to which it holds.

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use crate::gateway::{Known, Millis, Unknown, Version};
use crate::source::Span;

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// There is none: the header is not sent, nothing shadows the route.
    Absent,
    /// A text.
    Text(Cow<'static, str>),
    /// A list of texts.
    List(Vec<String>),
    /// A duration.
    Duration(Millis),
    /// A number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A version.
    Version(Version),
}

/// What reading a fact gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The value, or why it cannot be known.
    pub value: Known<Value>,
    /// The places that the value comes from, the most telling first.
    pub evidence: Places,
    /// Set where the value holds only before this version of the server and the version judged for is not known.
    pub until: Option<Version>,
}

/// The places that a value comes from: mostly one.
pub type Places = SmallVec<[Evidence; 1]>;

/// A place that a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The place.
    pub span: Span,
    /// What it shows, lower case, e.g. `set here`.
    pub note: Cow<'static, str>,
}

impl Reading {
    /// A reading of what cannot be known.
    #[must_use]
    pub fn unknown(why: Unknown) -> Self {
        Self { value: Err(why), ..Self::absent() }
    }

    /// A reading of a text.
    #[must_use]
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Value::text(text))
    }

    /// A known value that comes from nowhere in particular.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self { value: Ok(value), evidence: SmallVec::new(), until: None }
    }

    /// There is no value.
    #[must_use]
    pub fn absent() -> Self {
        Self::new(Value::Absent)
    }

    /// Whether it is known that there is no value.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.value == Ok(Value::Absent)
    }

    /// The same, with a place it comes from.
    #[must_use]
    pub fn at(mut self, span: Span, note: impl Into<Cow<'static, str>>) -> Self {
        self.evidence.push(Evidence { span, note: note.into() });
        self
    }
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("none"),
            Self::Text(text) => f.write_str(text),
            Self::List(items) => f.write_str(&items.join(", ")),
            Self::Duration(duration) => duration.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            // A protocol's version has two numbers, and so has a server's where the third is 0.
            Self::Version(Version { major, minor, patch: 0 }) => write!(f, "{major}.{minor}"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

impl fmt::Display for Millis {
    /// The largest unit that divides the duration, with a plain number: `60 s`, `2 h`, `1500 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
        // One minute reads as 60 s: that is what logs and users say.
        let unit = UNITS
            .iter()
            .find(|&&(size, _)| self.0 >= 2 * size && self.0.is_multiple_of(size) || self.0 == size && size != 60_000);
        match unit {
            Some((size, name)) => write!(f, "{} {name}", self.0 / size),
            None if self.0.is_multiple_of(1000) => write!(f, "{} s", self.0 / 1000),
            None => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (millis, text) in [
            (60_000, "60 s"),
            (1000, "1 s"),
            (0, "0 s"),
            (1500, "1500 ms"),
            (3_600_000, "1 h"),
            (300_000, "5 min"),
            (90_000, "90 s"),
            (86_400_000, "1 d"),
            (7_200_000, "2 h"),
        ] {
            assert_eq!(Millis(millis).to_string(), text);
        }
    }
}
