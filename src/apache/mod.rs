//! Apache httpd: its language, and what its directives mean.

mod parse;

pub use parse::parse;
