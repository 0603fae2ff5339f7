//! What works is never flagged: not an error, not a warning, not a note.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use proxylint::{Checked, Request, check};

/// What is found in a folder of the fixtures, a line a finding.
fn findings(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/never-flag").join(folder);
    let request = Request { paths: vec![path], ..Request::default() };
    let Checked { project, findings, routes, .. } = check(&request).unwrap();
    assert!(project.problems.is_empty(), "{:?}", project.problems);
    assert!(routes > 0, "nothing was read");
    let line = |finding: &proxylint::rules::Finding| {
        let source = project.store.sources.get(finding.span.source);
        let line = source.position(finding.span.start).line;
        format!("{}:{line}: {}[{}] {}", source.path().display(), finding.level, finding.rule, finding.message)
    };
    findings.iter().map(line).collect()
}

#[test]
fn what_works_on_nginx_is_not_flagged() {
    assert_eq!(findings("nginx"), [""; 0]);
}

#[test]
fn what_works_on_httpd_is_not_flagged() {
    assert_eq!(findings("apache"), [""; 0]);
}

#[test]
fn what_another_repository_may_define_is_at_most_noted() {
    let found = findings("nginx-partial");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("note[undefined-variable]") && found[0].contains("$connection_upgrade"), "{found:#?}");
}
