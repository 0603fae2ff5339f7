//! nginx: its language, and what its directives mean.

pub mod directives;
mod lex;
mod lua;
mod parse;

pub use parse::parse;
