//! What real nginx did, and what is said of it: a handshake that the configuration breaks has an error on the line to blame, and one that
//! comes through has none.
//!
//! The cases are those of the conformance suite. `tests/ground_truth.txt` lists what is left out, each with its reason.

#[path = "conformance/case.rs"]
#[expect(dead_code, reason = "the conformance suite asks more of a case")]
mod case;
#[path = "conformance/outcome.rs"]
#[expect(dead_code, reason = "the conformance suite compares outcomes")]
mod outcome;
#[path = "conformance/sent.rs"]
#[expect(dead_code, reason = "the conformance suite compares requests")]
mod sent;
#[path = "common/truth.rs"]
mod truth;

use case::Software;
use proxylint::gateway::{Target, Unknown};
use proxylint::handshake::{Verdict, Walk};
use truth::{Read, Truth};

const NGINX: Truth = Truth {
    software: Software::Nginx,
    exceptions: include_str!("ground_truth.txt"),
    at_least: 2000,
    is_deliberate,
    concerns: |_, _, _| true,
    is_right_all_the_same: |_, _, _| false,
};

/// Whether the configuration plainly says that this is answered so: by a `return` of a place that passes nothing on, by a redirect
/// to TLS, by who is let in.
fn is_deliberate(read: &Read, walk: &Walk) -> bool {
    let (status, location) = match &walk.verdict {
        Verdict::Answered { status, location } => (*status, location.as_deref()),
        // What code answers is its author's affair.
        Verdict::Unknown(Unknown::Code(_)) => return true,
        _ => return false,
    };
    let route = walk.route.map(|route| read.gateway.route(route));
    let passes_on = |scope| read.gateway.programs.get(scope).is_some_and(|program| program.beside.is_some());
    let answers = route.is_none_or(|route| matches!(route.target, Target::Answer { .. }) && !passes_on(route.scope));
    let to_tls = location.is_some_and(|location| location.starts_with("https://"));
    answers || to_tls || matches!(status, 401 | 403)
}

#[test]
fn a_broken_handshake_has_an_error_on_the_line_to_blame() {
    NGINX.a_broken_handshake_has_an_error_on_the_line_to_blame();
}

#[test]
fn a_handshake_that_comes_through_has_no_error() {
    NGINX.a_handshake_that_comes_through_has_no_error();
}
