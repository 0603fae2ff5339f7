//! nginx: its language, and what its directives mean.

pub mod directives;
mod glob;
mod lex;
mod lua;
mod parse;
pub mod values;
pub mod words;

pub use parse::parse;
