//! Rules: judgements over facts, each one file in `rules/`; loaded, compiled and judged here.
//!
//! `page` takes a file apart, `form` reads its `toml` block, `compile` gives names slots and values types, and `judge` asks every
//! rule about every item it is about. Nothing here knows a server: what a rule knows of servers, it knows through facts.

mod asked;
mod builtin;
mod case;
mod compile;
mod condition;
mod finding;
mod fix;
mod form;
mod grade;
mod judge;
mod options;
mod page;
mod problem;
mod rule;
mod symptom;
mod template;
mod value;

pub use builtin::builtin;
pub use finding::{Finding, Intent, Level, Subject};
pub use fix::{Fix, Plan, Want};
pub use form::Safety;
pub(crate) use judge::merge;
pub use judge::{Benches, judge};
pub use options::{Options, ParameterError};
pub use page::Example;
pub use problem::{Problem, RuleError};
pub use rule::Rule;
pub use symptom::{Symptom, symptom, symptoms};
pub use value::parse_duration;
