//! Lints a configuration that a test holds in its hands: the whole flow, over files in a folder of its own.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::PathBuf;

use proxylint::facts::{Declared, View};
use proxylint::gateway::{Server, Version};
use proxylint::project::{Root, Store};
use proxylint::rules::{Example, Finding, Options, Rule, Safety, builtin, judge};
use proxylint::suppression::Suppressions;
use proxylint::{Request, apache, certificate, fix, nginx};

/// What is found in a configuration of these files (path and text), the main one first, with the place of each finding in words.
pub(crate) fn lint(files: &[(String, String)], server: Server, version: Option<Version>) -> Vec<(String, Finding)> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| folder.path().join(path)).collect();
    for (path, (_, text)) in paths.iter().zip(files) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut store = Store::default();
    store.add_base(folder.path()).unwrap();
    let source = store.load(&paths[..1], server).remove(0).unwrap();
    let root = Root { server, source, base: folder.path().to_path_buf(), is_main: true };
    let mut gateway = match server {
        Server::Nginx => {
            let resolved = nginx::resolve(&mut store, &root);
            nginx::lower(&store, &root, &resolved, version)
        }
        Server::Apache => {
            let resolved = apache::resolve(&mut store, &root);
            apache::lower(&store, &root, &resolved, version)
        }
    };
    certificate::attach(&store, folder.path(), &mut gateway);
    let declared = Declared::default();
    let view = View::new(&store.sources, &gateway, &declared);
    let place = |finding: &Finding| {
        let source = store.sources.get(finding.span.source);
        let name = source.path().strip_prefix(folder.path()).unwrap_or(source.path());
        format!("{}:{}", name.display(), source.position(finding.span.start).line)
    };
    let mut findings = judge(builtin(), &view, &Options::default());
    let names: Vec<&str> = builtin().iter().map(Rule::name).collect();
    let mut suppressions = Suppressions::read(&store, &names);
    suppressions.silence(&mut findings);
    findings.extend(suppressions.unused(&store, builtin(), |_, _| true, |_| true));
    findings.into_iter().map(|finding| (place(&finding), finding)).collect()
}

/// What the fixes of one rule, those that are not safe included, make of an example: its files, and what is left to be found.
#[allow(dead_code, reason = "not every test mends")]
pub(crate) fn mend(rule: &str, example: &Example) -> (Vec<(String, String)>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in &example.files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let (nginx_version, apache_version) = match example.server {
        Server::Nginx => (example.version, None),
        Server::Apache => (None, example.version),
    };
    let paths = vec![folder.path().to_path_buf()];
    let mut request = Request { paths, isolated: true, nginx_version, apache_version, ..Request::default() };
    request.select = vec![rule.to_owned()];
    let mut checked = proxylint::check(&request).unwrap();
    let fixed = fix::mend(&mut checked, &request, Safety::Unsafe);
    assert!(fix::write(&checked, &fixed).is_empty());
    let read = |(path, _): &(String, String)| (path.clone(), fs::read_to_string(folder.path().join(path)).unwrap());
    let files = example.files.iter().map(read).collect();
    request.select.clear();
    let mut left = proxylint::check(&request).unwrap();
    fix::plan(&mut left, &request);
    let named = |finding: Finding| match finding.fix.map(|fix| fix.plan) {
        Some(Err(reason)) if finding.rule == rule => format!("withheld: {reason}"),
        _ => format!("{}: {}", finding.rule, finding.message),
    };
    (files, left.findings.into_iter().map(named).collect())
}
