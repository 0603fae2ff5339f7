//! What becomes of one request: the probes, the values of variables under them, what the upstream is sent, how long silence lasts.

mod evaluate;
mod idle;
mod pattern;
mod request;
mod send;

pub use evaluate::Environment;
pub use idle::{Limit, idle_limit, timeout};
pub use pattern::{Patterns, sample_path};
pub use request::{Probe, Request};
pub use send::{Sent, lost_headers, sent_header};
