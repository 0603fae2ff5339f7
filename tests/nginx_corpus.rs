//! The nginx parser over real configurations, and beside the verdicts of real servers.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proxylint::gateway::{Fault, Gateway, RemarkKind, Server};
use proxylint::nginx::{lower, parse, resolve};
use proxylint::project::{Root, Store};
use proxylint::source::LineIndex;
use proxylint::tree::{Tree, is_template};

/// Reads the file as the root of a configuration and lowers it.
fn lowered(path: &Path) -> (Store, Gateway) {
    let base = path.parent().unwrap().to_path_buf();
    let mut store = Store::default();
    store.add_base(&base).unwrap();
    let source = store.load(&[path.to_path_buf()], Server::Nginx).remove(0).unwrap();
    let (tree, bytes) = (store.tree(source), store.sources.get(source).bytes());
    let is_main = tree.children(None).any(|id| tree.text(tree.directive(id).name, bytes) == b"http");
    let root = Root { server: Server::Nginx, source, base, is_main };
    let resolved = resolve(&mut store, &root);
    let gateway = lower(&store, &root, &resolved, None);
    (store, gateway)
}

/// Parses as a check does, and insists that the tokens give the bytes back.
fn parsed(path: &Path, bytes: &[u8]) -> Tree {
    let tree = parse(bytes, is_template(path, bytes));
    assert_covers(&tree, bytes);
    tree
}

fn assert_covers(tree: &Tree, bytes: &[u8]) {
    let ends: Vec<u32> = tree.tokens().map(|token| token.end).collect();
    assert!(ends.is_sorted_by(|before, after| before < after), "tokens stand in order and none is empty");
    assert_eq!(ends.last().copied().unwrap_or(0) as usize, bytes.len(), "the last token ends with the file");
}

fn syntax_errors(tree: &Tree, bytes: &[u8]) -> Vec<(u32, String)> {
    let lines = LineIndex::new(bytes);
    tree.errors().iter().map(|error| (lines.line(error.start), error.message.clone())).collect()
}

/// Whether nginx refuses while it reads tokens and blocks, whatever the directives mean.
fn is_structural(message: &str) -> bool {
    !message.contains("in condition")
        && ["unexpected ", "too long ", "is not terminated by", "has no opening", "closing long bracket"]
            .iter()
            .any(|part| message.contains(part))
}

/// Splits `[emerg] reason in file:7` into reason, file and line.
fn located(message: &str) -> Option<(&str, &str, u32)> {
    let (head, line) = message.rsplit_once(':')?;
    let (reason, file) = head.rsplit_once(" in ")?;
    Some((reason.trim_start_matches("[emerg] "), file, line.parse().ok()?))
}

#[test]
fn every_corpus_file_is_covered_by_its_tokens() {
    let Some(corpus) = common::shared("corpus") else { return };
    let mut with_errors: BTreeMap<String, usize> = BTreeMap::new();
    let files = common::files(&corpus);
    for path in &files {
        let bytes = fs::read(path).unwrap();
        // Apache's files and all: any bytes must come back.
        let tree = parsed(path, &bytes);
        assert_covers(&parse(&bytes, true), &bytes);
        if let Ok(inside) = path.strip_prefix(corpus.join("nginx"))
            && !tree.errors().is_empty()
        {
            let project = inside.iter().next().unwrap().to_string_lossy().into_owned();
            *with_errors.entry(project).or_default() += 1;
        }
    }
    assert!(files.len() > 4000, "the corpus is there, but almost empty");
    // 91 of them are excerpts of documentation with `...` among the directives, the others prose, data, files without their last
    // `;` or `}`, symbolic links checked out as text, and fixtures that are broken on purpose.
    let expected = [
        ("binwiederhier+ntfy", 1),
        ("certbot+certbot", 4),
        ("debian-bookworm-core", 1),
        ("go-gitea+gitea", 1),
        ("haiwen+seafile-admin-docs", 4),
        ("kubernetes+ingress-nginx", 2),
        ("trimstray+nginx-admins-handbook", 92),
    ];
    assert_eq!(with_errors, BTreeMap::from(expected.map(|(project, count)| (project.to_owned(), count))));
}

#[test]
fn what_nginx_accepts_has_no_syntax_error_and_what_it_refuses_has_one_there() {
    let Some(corpus) = common::shared("corpus") else { return };
    let verdicts = fs::read_to_string(corpus.join("verdicts-nginx.tsv")).unwrap();
    let mut accepted = 0;
    for row in verdicts.lines().skip(1) {
        let mut fields = row.split('\t');
        let (path, verdict, message) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap_or_default());
        let file = corpus.join(path);
        let bytes = fs::read(&file).unwrap();
        let errors = syntax_errors(&parsed(&file, &bytes), &bytes);
        if verdict == "accept" {
            accepted += 1;
            assert_eq!(errors, [], "{path}");
        } else if is_structural(message) {
            let (_, _, line) = located(message).unwrap();
            assert_eq!(errors.first().map(|error| error.0), Some(line), "{path}: {message}: {errors:?}");
        }
    }
    assert!(accepted > 1000, "the verdicts are there, but almost empty");
}

#[test]
fn real_servers_refuse_where_we_do_and_for_the_same_reason() {
    let Some(cases) = common::shared("ground-truth/nginx") else { return };
    let (mut refused, mut started) = (0, 0);
    for path in common::files(&cases).iter().filter(|path| path.ends_with("expected.json")) {
        let case = path.parent().unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for outcome in expected.as_object().unwrap().values() {
            let messages: Vec<&str> =
                outcome["config"].as_array().into_iter().flatten().filter_map(|line| line.as_str()).collect();
            // Lua blocks are read by the module alone; without it, nginx knows only that it does not know the directive.
            let fatal = messages.iter().find(|message| message.contains("[emerg]"));
            if let Some((reason, file, line)) =
                fatal.filter(|message| is_structural(message)).and_then(|message| located(message))
            {
                refused += 1;
                let bytes = fs::read(case.join(file)).unwrap();
                let errors = syntax_errors(&parsed(&case.join(file), &bytes), &bytes);
                let first = errors.first().unwrap_or_else(|| panic!("{}: {reason}", case.display()));
                assert_eq!(first.0, line, "{}: {reason}: {errors:?}", case.display());
                if !reason.contains("long bracket") {
                    assert_eq!(first.1, reason, "{}", case.display());
                }
            } else if fatal.is_none() && outcome["outcome"] != "start-error" {
                started += 1;
                let main = case.join("nginx.conf");
                let bytes = fs::read(&main).unwrap();
                assert_eq!(syntax_errors(&parsed(&main, &bytes), &bytes), [], "{}", main.display());
            }
        }
    }
    assert!(refused > 40 && started > 1000, "refused {refused}, started {started}");
}

#[test]
fn what_nginx_accepts_is_lowered_without_complaint() {
    let Some(corpus) = common::shared("corpus") else { return };
    let verdicts = fs::read_to_string(corpus.join("verdicts-nginx.tsv")).unwrap();
    let mut routes = 0;
    for row in verdicts.lines().filter(|row| row.contains("\taccept")) {
        let path = row.split('\t').next().unwrap();
        let (_store, gateway) = lowered(&corpus.join(path));
        routes += gateway.routes.len();
        // An absolute include may find another file in the corpus than it found on the machine where nginx ran.
        let faults = gateway.remarks.iter().filter(|remark| {
            remark.span.source == gateway.root && !matches!(remark.kind, RemarkKind::IncludeMissing { inside: false, .. })
        });
        let faults: Vec<_> = faults.map(|remark| &remark.kind).collect();
        assert!(faults.is_empty(), "{path}: {faults:?}");
    }
    assert!(routes > 1000, "{routes}");
}

#[test]
fn real_servers_miss_the_variables_that_we_miss() {
    let Some(cases) = common::shared("ground-truth/nginx") else { return };
    let mut compared = 0;
    for path in common::files(&cases).iter().filter(|path| path.ends_with("expected.json")) {
        let case = path.parent().unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let (store, gateway) = lowered(&case.join("nginx.conf"));
        // The variables of `stream` are not looked at.
        if memchr::memmem::find(store.sources.get(gateway.root).bytes(), b"stream").is_some() {
            continue;
        }
        let missed = gateway.remarks.iter().any(|remark| matches!(remark.kind, RemarkKind::UndefinedVariable { .. }));
        let refused = gateway.refusals.iter().any(|refusal| refusal.fault != Fault::Variable);
        for (version, outcome) in expected.as_object().unwrap() {
            let messages = outcome["config"].to_string();
            if messages.contains("variable\\\"") || messages.contains("\\\" variable\"") {
                compared += 1;
                assert!(missed || refused, "{} on {version}: {messages}", case.display());
            } else if outcome["outcome"] != "start-error" && !messages.contains("[emerg]") {
                assert!(!missed && !refused, "{} on {version}: {:?}", case.display(), gateway.remarks);
            }
        }
    }
    assert!(compared > 0, "no case with an unknown variable");
}

#[test]
fn every_corpus_file_is_lowered() {
    let Some(corpus) = common::shared("corpus") else { return };
    let mut routes = 0;
    for folder in ["nginx", "templates"] {
        for path in common::files(&corpus.join(folder)) {
            routes += lowered(&path).1.routes.len();
        }
    }
    assert!(routes > 3000, "{routes}");
}

proptest! {
    #[test]
    fn any_row_of_directives_is_lowered(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "http { ", "server { ", "location ", "location / { ", "if ($a = ", "if ( ) { ", "map $a $b { ", "upstream u { ",
                "} ", "} ", "; ", "proxy_pass ", "http://", "$x", "${y", "listen 80; ", "listen [::]:; ", "server_name ~(?<n>x) $n; ",
                "set $x $y; ", "include nginx.conf; ", "return ", "rewrite a ", "proxy_set_header ", "{{ x }} ", "{{ y }}\n",
                "proxy_read_timeout 5s; ", "default ", "\\", "''", "unix:", "# websocket\n", "\n\n", "~*", "=", "@",
            ]),
            0..60,
        ),
    ) {
        let mut store = Store::default();
        let source = store.add("nginx.conf".into(), parts.concat().into_bytes(), Server::Nginx);
        for is_main in [true, false] {
            let root = Root { server: Server::Nginx, source, base: "/nonexistent".into(), is_main };
            let resolved = resolve(&mut store, &root);
            let gateway = lower(&store, &root, &resolved, None);
            for route in gateway.route_ids() {
                let site = gateway.site(gateway.route(route).site);
                assert!(site.routes.contains(&route.0), "a route lies in its site's range");
            }
        }
    }

    #[test]
    fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..400), holes in any::<bool>()) {
        assert_covers(&parse(&bytes, holes), &bytes);
    }

    #[test]
    fn any_row_of_tokens_comes_back(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "server", "location", "a", " ", "\n", "{", "}", ";", "\"", "'", "#", "\\", "$", "${", "{{ x }}", "{% y %}", "<%",
                "%>", "@A@", ")", "x_by_lua_block", "[[", "]]", "--", "map", "\u{e9}",
            ]),
            0..80,
        ),
        holes in any::<bool>(),
    ) {
        let text = parts.concat();
        assert_covers(&parse(text.as_bytes(), holes), text.as_bytes());
    }
}
