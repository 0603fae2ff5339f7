//! What becomes of one request: the probes, the values of variables under them, what the upstream is sent, how long silence lasts.

mod conditional;
mod evaluate;
mod expression;
mod follow;
mod forwarded;
mod idle;
mod locations;
mod network;
mod pattern;
mod request;
mod rewriting;
mod sample;
mod select;
mod send;
mod shadow;
mod site;
mod table;
mod walk;

pub(crate) use conditional::{ask_for_host, ifs_behind};
pub(crate) use evaluate::DEPTH;
pub use evaluate::{Environment, Followed, Notes};
pub use expression::expression_holds;
pub use follow::{Client, Files, KnownHosts, follow, follow_in_site};
pub use idle::{Limit, backend_timeout, idle_limit, nginx_read_timeout, timeout};
pub use locations::{Found, find_location};
pub use pattern::Patterns;
pub use request::{Probe, Request, Word};
pub use sample::literal_beginning;
pub use select::{Selected, conditions_hold, holds, select};
pub(crate) use select::{alias_match, areas};
pub(crate) use send::may_upgrade;
pub use send::{HeaderLine, HeaderLines, Sent, lost_headers, nginx_header_lines, sent_header, sets_header};
pub use shadow::Shadows;
pub(crate) use site::wildcard_match;
pub use site::{Chosen, Socket, choose};
pub use walk::{Because, Headers, UpstreamRequest, Verdict, Walk};
