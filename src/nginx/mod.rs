//! nginx: its language, and what its directives mean.

pub mod context;
pub mod directives;
mod edit;
mod glob;
mod hole;
mod lex;
mod lower;
mod lua;
mod outline;
mod parse;
mod refuse;
mod resolve;
pub mod values;
pub mod words;

pub use edit::Editor;
use lower::line;
pub use lower::lower;
pub use outline::{Outline, outline};
pub use parse::parse;
pub use resolve::{Include, Resolved, resolve, resolve_site};
