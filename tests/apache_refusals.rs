//! What httpd refuses to start with, beside what real servers said of the same configurations.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod common;

use std::fs;
use std::path::Path;

use proxylint::apache::{lower, resolve_for};
use proxylint::gateway::{Gateway, Refusal, Server, Version};
use proxylint::project::{Root, Store};

/// Reads the file as the root of a configuration and lowers it.
fn lowered(path: &Path, version: Option<Version>) -> (Store, Gateway) {
    let base = path.parent().unwrap().to_path_buf();
    let mut store = Store::default();
    store.add_base(&base).unwrap();
    let source = store.load(&[path.to_path_buf()], Server::Apache).remove(0).unwrap();
    let root = Root { server: Server::Apache, source, base, is_main: true };
    let resolved = resolve_for(&mut store, &root, version);
    let gateway = lower(&store, &root, &resolved, version);
    (store, gateway)
}

/// A refusal with the lines that it covers.
fn shown(store: &Store, refusal: &Refusal) -> String {
    let source = store.sources.get(refusal.span.source);
    let line = |at| source.position(at).line;
    let name = source.path().file_name().unwrap().to_string_lossy();
    format!("{} in {name}:{}-{}", refusal.message, line(refusal.span.start), line(refusal.span.end))
}

/// Cases that httpd refuses for what a reader of the files cannot know: a module or certificate that is not there, a directive or
/// flag that came later and may have been carried back, an MPM that is not built in, a whole folder of included files.
const BEYOND: [&str; 8] = [
    "a34-fallback-off",
    "a35-fallback-on",
    "ef27-flags",
    "h16-missing-so",
    "j05-include-missing",
    "n23-front-tls-missing-cert",
    "q14-fallback-off",
    "s53-only-comments",
];

#[test]
fn what_real_servers_refuse_is_refused_with_their_words_and_nothing_else() {
    let Some(cases) = common::shared("ground-truth/apache") else { return };
    let (mut told, mut started) = (0, 0);
    for path in common::files(&cases).iter().filter(|path| path.ends_with("expected.json")) {
        let case = path.parent().unwrap();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let about: serde_json::Value = serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).unwrap();
        // `-D` and the environment are not in the files.
        if !about["defines"].is_null() || !about["env"].is_null() {
            continue;
        }
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for (version, outcome) in expected.as_object().unwrap() {
            let (store, gateway) = lowered(&case.join("httpd.conf"), Some(version.parse().unwrap()));
            let Some(outcome) = outcome["outcome"].as_str().filter(|outcome| !outcome.starts_with("n/a")) else { continue };
            let own: Vec<String> = gateway.refusals.iter().map(|refusal| shown(&store, refusal)).collect();
            let Some(message) = outcome.strip_prefix("refuses: ") else {
                started += 1;
                assert_eq!(own, Vec::<String>::new(), "{name} starts on {version}");
                continue;
            };
            // The recorded messages have no folders and their line ends escaped; what explains a directive is left out by us.
            let folder = format!("{}/", case.display());
            let first = gateway
                .refusals
                .first()
                .map(|first| first.message.replace(&folder, "").replace('\n', "\\n").replace('\t', "\\t"));
            let message = message.strip_prefix("conf.d/open.inc:1: ").unwrap_or(message);
            if first.is_some_and(|first| message.starts_with(&first)) {
                told += 1;
            } else {
                assert!(BEYOND.contains(&name.as_str()), "{name} on {version}: {message}, but we say {own:?}");
            }
        }
    }
    assert!(told > 190 && started > 1000, "told {told}, started {started}");
}
