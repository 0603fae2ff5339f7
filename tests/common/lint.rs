//! Lints a configuration that a test holds in its hands: the whole flow, over files in a folder of its own.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::PathBuf;

use proxylint::facts::{Declared, View};
use proxylint::gateway::{Server, Version};
use proxylint::project::{Root, Store};
use proxylint::rules::{Finding, Options, Rule, builtin, judge};
use proxylint::suppression::Suppressions;
use proxylint::{apache, nginx};

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
    let gateway = match server {
        Server::Nginx => {
            let resolved = nginx::resolve(&mut store, &root);
            nginx::lower(&store, &root, &resolved, version)
        }
        Server::Apache => {
            let resolved = apache::resolve(&mut store, &root);
            apache::lower(&store, &root, &resolved, version)
        }
    };
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
