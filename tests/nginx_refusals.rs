//! What nginx refuses to start with, beside what real servers said of the same configurations.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod common;

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

/// A refusal in nginx's own form, with the lines that it covers.
fn shown(store: &Store, refusal: &Refusal) -> String {
    let source = store.sources.get(refusal.span.source);
    let line = |at| source.position(at).line;
    let name = source.path().file_name().unwrap().to_string_lossy();
    format!("{} in {name}:{}-{}", refusal.message, line(refusal.span.start), line(refusal.span.end))
}

/// Whether nginx's message names the reason and a line of the refusal.
fn agrees(store: &Store, refusal: &Refusal, message: &str) -> bool {
    let reason = message.split_once("] ").map_or(message, |(_, reason)| reason);
    let Some((reason, place)) =
        reason.rsplit_once(" in ").filter(|(_, place)| place.contains(".conf:") || place.contains(".inc:"))
    else {
        return reason == refusal.message;
    };
    let source = store.sources.get(refusal.span.source);
    let (file, line) = place.rsplit_once(':').unwrap();
    let line: u32 = line.parse().unwrap();
    let lines = source.position(refusal.span.start).line..=source.position(refusal.span.end).line + 1;
    refusal.message == reason && source.path().ends_with(file) && lines.contains(&line)
}

#[test]
fn what_real_servers_refuse_is_refused_and_nothing_else() {
    let Some(cases) = common::shared("ground-truth/nginx") else { return };
    let (mut refused, mut told, mut started) = (0, 0, 0);
    let mut amiss = Vec::new();
    for path in common::files(&cases).iter().filter(|path| path.ends_with("expected.json")) {
        let case = path.parent().unwrap();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for (version, outcome) in expected.as_object().unwrap() {
            let (store, gateway) = lowered(&case.join("nginx.conf"), Some(version.parse().unwrap()));
            let first = gateway.refusals.first();
            if outcome["outcome"] != "start-error" {
                if outcome["outcome"].is_string() {
                    started += 1;
                    let refusals: Vec<_> = gateway.refusals.iter().map(|refusal| shown(&store, refusal)).collect();
                    if !refusals.is_empty() {
                        amiss.push(format!("{name} {version} starts: {refusals:?}"));
                    }
                    if let Some(doubt) = gateway.doubt {
                        amiss.push(format!("{name} {version} starts: doubt {doubt:?}"));
                    }
                }
                continue;
            }
            refused += 1;
            let messages: Vec<&str> =
                outcome["config"].as_array().into_iter().flatten().filter_map(|line| line.as_str()).collect();
            let fatal = messages.iter().find(|message| message.contains("[emerg]"));
            match (first, fatal) {
                (Some(first), Some(fatal)) if agrees(&store, first, fatal) => told += 1,
                (Some(first), _) => amiss.push(format!("{name} {version}: {messages:?}\n      we: {}", shown(&store, first))),
                (None, _) => amiss.push(format!("{name} {version}: {messages:?}\n      we: nothing, doubt {:?}", gateway.doubt)),
            }
        }
    }
    eprintln!("{}", amiss.join("\n"));
    eprintln!("refused {refused}, told {told}, started {started}");
}

#[test]
fn nothing_that_nginx_accepts_is_refused() {
    let Some(corpus) = common::shared("corpus") else { return };
    let verdicts = fs::read_to_string(corpus.join("verdicts-nginx.tsv")).unwrap();
    let (mut accepted, mut refused, mut told) = (0, 0, 0);
    let mut amiss = Vec::new();
    for row in verdicts.lines().skip(1) {
        let mut fields = row.split('\t');
        let (path, verdict, message) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap_or_default());
        let (store, gateway) = lowered(&corpus.join(path), None);
        let own: Vec<_> = gateway.refusals.iter().filter(|refusal| refusal.span.source == gateway.root).collect();
        if verdict == "accept" {
            accepted += 1;
            if !own.is_empty() {
                amiss.push(format!("{path}: {:?}", own.iter().map(|refusal| shown(&store, refusal)).collect::<Vec<_>>()));
            }
        } else {
            refused += 1;
            if own.first().is_some_and(|first| agrees(&store, first, message)) {
                told += 1;
            } else {
                amiss.push(format!("REJ {path}: {message}\n     we: {:?}", own.first().map(|refusal| shown(&store, refusal))));
            }
        }
    }
    eprintln!("{}", amiss.join("\n"));
    eprintln!("accepted {accepted}, refused {refused}, told {told}");
}
