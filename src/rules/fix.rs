//! How a finding is mended: the facts that are wanted, and the edits that make them true.

use super::form::Safety;
use crate::facts::{Fact, Reading, Value};
use crate::source::Edit;

/// A fact and the value that it is to have.
#[derive(Clone, Debug)]
pub struct Want {
    /// The fact.
    pub fact: Fact,
    /// What it is to be: a number or duration, at least this; a list, holding all of these; `Absent`, not there.
    pub value: Value,
}

impl Want {
    /// The fact's name, as rules write it.
    #[must_use]
    pub fn name(&self) -> String {
        self.fact.name()
    }

    /// Whether the fact is as it is wanted.
    #[must_use]
    pub fn holds(&self, reading: &Reading) -> bool {
        let Ok(value) = &reading.value else { return false };
        match (&self.value, value) {
            (Value::Duration(wanted), Value::Duration(found)) => found >= wanted,
            // What never ends lasts long enough.
            (Value::Duration(_), Value::Absent) => true,
            (Value::Number(wanted), Value::Number(found)) => found >= wanted,
            (Value::List(wanted), Value::List(found)) => {
                wanted.iter().all(|wanted| found.iter().any(|found| found.eq_ignore_ascii_case(wanted)))
            }
            (wanted, found) => wanted == found,
        }
    }
}

/// A way to mend a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// How far it can be trusted.
    pub safety: Safety,
    /// The edits, which were tried; or why there are none, in lower case, without full stop.
    pub plan: Result<Plan, String>,
}

/// Edits that make the wanted facts true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What they do, e.g. ``add `proxy_http_version 1.1;` ``.
    pub title: String,
    /// The edits, by place; they do not overlap.
    pub edits: Vec<Edit>,
}
