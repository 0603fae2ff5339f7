//! Apache httpd: its language, and what its directives mean.

mod lex;
mod parse;
mod words;

pub use parse::parse;
