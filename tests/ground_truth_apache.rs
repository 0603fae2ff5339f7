//! What real httpd did, and what is said of it: a handshake that the configuration breaks has an error on the line to blame, and one that
//! comes through has none.
//!
//! The cases are those of the conformance suite. `tests/ground_truth_apache.txt` lists what is left out, each with its reason.

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

use case::{Seen, Software, Step};
use proxylint::gateway::{Action, SiteId, Target};
use proxylint::handshake::{Verdict, Walk};
use proxylint::rules::Finding;
use proxylint::source::Span;
use sent::Sent;
use truth::{Read, Truth};

const HTTPD: Truth = Truth {
    software: Software::Apache,
    exceptions: include_str!("ground_truth_apache.txt"),
    at_least: 1600,
    is_deliberate,
    concerns,
    is_right_all_the_same,
};

/// Rules at error level that are about what comes after the handshake, or about all requests.
const NOT_OF_HANDSHAKES: [&str; 2] = ["timeout-unit-ignored", "open-forward-proxy"];

/// Rules about the path that the backend is asked for. The suite's backend takes any path, and others answer 404.
const OF_PATHS: [&str; 3] = ["rewrite-target-malformed", "rewrite-redirect-not-last", "sethandler-path-leaked"];

/// Whether the configuration plainly says that this is answered so: by who is let in, by a redirect, by `!`, by speaking TLS.
fn is_deliberate(read: &Read, walk: &Walk) -> bool {
    let Verdict::Answered { status, location } = &walk.verdict else { return false };
    let gateway = &read.gateway;
    let excluded = |span: Span| gateway.routes.iter().any(|route| matches!(route.target, Target::Excluded(own) if own == span));
    let culprits = walk.because.iter().filter(|because| because.culprit).filter_map(|because| because.span);
    let rules = gateway.sites.iter().flat_map(|site| &site.rewrites);
    let answers = |span: Span| rules.clone().any(|rule| rule.span == span && matches!(rule.action, Action::Answer(_)));
    matches!(status, 401 | 403 | 405)
        || location.as_deref().is_some_and(|location| location.starts_with("http"))
        || culprits.into_iter().any(|span| excluded(span) || answers(span))
}

/// Sites that do not get the handshake are left out: the same path of theirs may be something else.
fn concerns(read: &Read, finding: &Finding, walk: &Walk) -> bool {
    let mut sites = read.gateway.routes.iter().filter(|route| route.span == finding.span).map(|route| route.site).peekable();
    let is_elsewhere =
        walk.site.is_some() && sites.peek().is_some() && sites.all(|own| Some(own) != walk.site && own != SiteId(0));
    !is_elsewhere && !NOT_OF_HANDSHAKES.contains(&finding.rule.as_str())
}

/// Whether a rule is about the path, and the backend was asked for another path than the client asked for.
fn is_right_all_the_same(finding: &Finding, step: &Step, seen: &Seen) -> bool {
    let asked = seen.upstream.iter().flatten().find_map(|sent| match sent {
        Sent::Http(request) => Some(request.target.as_str()),
        Sent::Other(_) => None,
    });
    OF_PATHS.contains(&finding.rule.as_str()) && asked.is_some_and(|asked| asked != step.path())
}

#[test]
fn a_broken_handshake_has_an_error_on_the_line_to_blame() {
    HTTPD.a_broken_handshake_has_an_error_on_the_line_to_blame();
}

#[test]
fn a_handshake_that_comes_through_has_no_error() {
    HTTPD.a_handshake_that_comes_through_has_no_error();
}
