//! Apache httpd: its language, and what its directives mean.

mod condition;
mod directives;
mod edit;
mod expand;
mod expression;
mod fnmatch;
mod include;
mod lex;
mod lower;
mod macros;
mod parse;
mod refuse;
mod resolve;
mod statement;
mod values;
mod words;

pub use edit::Editor;
pub use lower::lower;
pub use parse::parse;
pub use resolve::{Resolved, resolve, resolve_for};
