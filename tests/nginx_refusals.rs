//! What nginx refuses to start with, beside what real servers said of the same configurations.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proxylint::gateway::{Gateway, Refusal, Server, Version};
use proxylint::nginx::{lower, resolve};
use proxylint::project::{Root, Store};

/// Reads the file as the root of a configuration and lowers it.
fn lowered(path: &Path, version: Option<Version>) -> (Store, Gateway) {
    let base = path.parent().unwrap().to_path_buf();
    let mut store = Store::default();
    store.add_base(&base).unwrap();
    let source = store.load(&[path.to_path_buf()], Server::Nginx).remove(0).unwrap();
    let (tree, bytes) = (store.tree(source), store.sources.get(source).bytes());
    let named = path.file_name().is_some_and(|name| name == "nginx.conf");
    let is_main = named || tree.children(None).any(|id| tree.text(tree.directive(id).name, bytes) == b"http");
    let root = Root { server: Server::Nginx, source, base, is_main };
    let resolved = resolve(&mut store, &root);
    let gateway = lower(&store, &root, &resolved, version);
    (store, gateway)
}

/// A refusal as nginx would write it, but with all the lines that it covers.
fn shown(store: &Store, refusal: &Refusal) -> String {
    let source = store.sources.get(refusal.span.source);
    let (first, last) = (source.position(refusal.span.start).line, source.position(refusal.span.end).line);
    format!("{} in {}:{first}-{last}", refusal.message, source.path().display())
}

/// Whether nginx's message gives the same reason and names a line of the refusal, or the line of the `;` behind it.
fn agrees(store: &Store, refusal: &Refusal, message: &str) -> bool {
    let message = message.split_once("] ").map_or(message, |(_, message)| message);
    let place = message.rsplit_once(" in ").and_then(|(reason, place)| {
        let (file, line) = place.rsplit_once(':')?;
        Some((reason, file, line.parse::<u32>().ok()?))
    });
    let Some((reason, file, line)) = place else { return message == refusal.message };
    let source = store.sources.get(refusal.span.source);
    let lines = source.position(refusal.span.start).line..=source.position(refusal.span.end).line + 1;
    refusal.message == reason && source.path().ends_with(file) && lines.contains(&line)
}

/// Cases that nginx refuses for what a reader of the files cannot know: a module that is not there, a name that does not resolve,
/// a directive that came later; and those whose message is not in the table, or is worded otherwise.
const BEYOND: [&str; 18] = [
    "f65-tunnel",
    "f70-sock-missing-upstream",
    "g05-http2-on-tls",
    "g07-plain-http2-on",
    "g41-http3-connect",
    "m55-nul",
    "m56-ff",
    "m63-lua",
    "m64-lua-inline",
    "m82-include-self",
    "m83-include-dir",
    "x31-early-hints",
    "x32-max-headers",
    "x33-add-header-inherit",
    "x34-proxy-set-header-inherit",
    "y18-lua-long-comment",
    "z10-http2-off-mixed",
    "y12-lua-long",
];

#[test]
fn what_real_servers_refuse_is_refused_with_their_words_and_nothing_else() {
    let Some(cases) = common::shared("ground-truth/nginx") else { return };
    let (mut told, mut started) = (0, 0);
    let mut missed = BTreeSet::new();
    for path in common::files(&cases).iter().filter(|path| path.ends_with("expected.json")) {
        let case = path.parent().unwrap();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for (version, outcome) in expected.as_object().unwrap() {
            let (store, gateway) = lowered(&case.join("nginx.conf"), Some(version.parse().unwrap()));
            if outcome["outcome"] != "start-error" {
                started += 1;
                let refusals: Vec<String> = gateway.refusals.iter().map(|refusal| shown(&store, refusal)).collect();
                assert_eq!(refusals, Vec::<String>::new(), "{name} starts on {version}");
                continue;
            }
            let messages: Vec<&str> =
                outcome["config"].as_array().into_iter().flatten().filter_map(|line| line.as_str()).collect();
            let fatal = messages.iter().find(|message| message.contains("[emerg]"));
            let agreed = gateway.refusals.first().zip(fatal).is_some_and(|(first, fatal)| agrees(&store, first, fatal));
            if agreed {
                told += 1;
            } else {
                let own = gateway.refusals.first().map(|refusal| shown(&store, refusal));
                assert!(BEYOND.contains(&name.as_str()), "{name} on {version}: {messages:?}, but we say {own:?}");
                missed.insert(name.clone());
            }
        }
    }
    assert!(told > 500 && started > 1600, "told {told}, started {started}");
    assert!(missed.len() <= BEYOND.len());
}

#[test]
fn nothing_that_nginx_accepts_is_refused() {
    let Some(corpus) = common::shared("corpus") else { return };
    let verdicts = fs::read_to_string(corpus.join("verdicts-nginx.tsv")).unwrap();
    let mut accepted = 0;
    for row in verdicts.lines().filter(|row| row.split('\t').nth(1) == Some("accept")) {
        let path = row.split('\t').next().unwrap();
        let (store, gateway) = lowered(&corpus.join(path), None);
        // An absolute include may find another file in the corpus than it found on the machine where nginx ran.
        let own = gateway.refusals.iter().filter(|refusal| refusal.span.source == gateway.root);
        let own: Vec<String> = own.map(|refusal| shown(&store, refusal)).collect();
        assert_eq!(own, Vec::<String>::new(), "{path}");
        accepted += 1;
    }
    assert!(accepted > 1000, "the verdicts are there, but almost empty");
}
