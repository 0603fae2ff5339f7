//! Rules: judgements over facts, each one file in `rules/`; loaded, compiled and judged here.

mod finding;

pub use finding::{Finding, Intent, Level};
