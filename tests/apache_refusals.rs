//! What httpd refuses to start with, beside what real servers said of the same configurations.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod common;

use std::fs;
use std::path::Path;

use proxylint::apache::{lower, resolve_for};
use proxylint::gateway::{Gateway, Refusal, Server, Version};
use proxylint::project::{Root, Store};

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

fn shown(store: &Store, refusal: &Refusal) -> String {
    let source = store.sources.get(refusal.span.source);
    let line = |at| source.position(at).line;
    let name = source.path().file_name().unwrap().to_string_lossy();
    format!("{} in {name}:{}-{}", refusal.message, line(refusal.span.start), line(refusal.span.end))
}

#[test]
fn what_real_servers_refuse_is_refused_and_nothing_else() {
    let Some(cases) = common::shared("ground-truth/apache") else { return };
    let (mut refused, mut told, mut started) = (0, 0, 0);
    let mut amiss = Vec::new();
    for path in common::files(&cases).iter().filter(|path| path.ends_with("expected.json")) {
        let case = path.parent().unwrap();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let about: serde_json::Value = serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).unwrap();
        if !about["defines"].is_null() || !about["env"].is_null() {
            continue;
        }
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for (version, outcome) in expected.as_object().unwrap() {
            let (store, gateway) = lowered(&case.join("httpd.conf"), Some(version.parse().unwrap()));
            let first = gateway.refusals.first();
            let Some(outcome) = outcome["outcome"].as_str().filter(|outcome| !outcome.starts_with("n/a")) else { continue };
            if let Some(message) = outcome.strip_prefix("refuses: ") {
                refused += 1;
                match first {
                    Some(first)
                        if message.starts_with(
                            &first.message.replace(&format!("{}/", case.display()), "").replace('\n', "\\n").replace('\t', "\\t"),
                        ) =>
                    {
                        told += 1
                    }
                    Some(first) => amiss.push(format!("{name} {version}: {message}\n      we: {}", shown(&store, first))),
                    None => amiss.push(format!(
                        "{name} {version}: {message}\n      we: nothing, doubt {:?} {}",
                        gateway.doubt, gateway.modules.complete
                    )),
                }
            } else {
                started += 1;
                if let Some(first) = first {
                    amiss.push(format!("STARTS {name} {version}: {}", shown(&store, first)));
                }
                if let Some(doubt) = gateway.doubt {
                    amiss.push(format!(
                        "STARTS {name} {version}: doubt {}",
                        String::from_utf8_lossy(store.sources.slice(doubt.span().unwrap()))
                    ));
                }
            }
        }
    }
    eprintln!("{}", amiss.join("\n"));
    eprintln!("refused {refused}, told {told}, started {started}");
}
