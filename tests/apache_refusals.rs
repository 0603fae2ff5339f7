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

/// The modules of the recorded runs of `fixtures/refusals/httpd.tsv`.
const MODULES: [&str; 36] = [
    "mpm_event",
    "authz_core",
    "authz_host",
    "authz_user",
    "authn_core",
    "authn_file",
    "auth_basic",
    "proxy",
    "proxy_http",
    "proxy_wstunnel",
    "proxy_balancer",
    "lbmethod_byrequests",
    "slotmem_shm",
    "rewrite",
    "headers",
    "alias",
    "setenvif",
    "env",
    "dir",
    "macro",
    "status",
    "mime",
    "filter",
    "deflate",
    "actions",
    "autoindex",
    "access_compat",
    "reqtimeout",
    "allowmethods",
    "userdir",
    "vhost_alias",
    "expires",
    "ssl",
    "socache_shmcb",
    "http2",
    "unixd",
];

/// Where the lines of `fixtures/refusals/httpd.tsv` were tried.
const PLACES: [(&str, &str); 9] = [
    ("server", "{}"),
    ("vhost", "<VirtualHost *:8000>\nServerName v\n{}\n</VirtualHost>"),
    ("location", "<Location /zz>\n{}\n</Location>"),
    ("directory", "<Directory /zz>\n{}\n</Directory>"),
    ("files", "<Files zz>\n{}\n</Files>"),
    ("if", "<If \"true\">\n{}\n</If>"),
    ("proxy", "<Proxy http://127.0.0.1:77>\n{}\n</Proxy>"),
    ("limit", "<Limit GET>\n{}\n</Limit>"),
    ("requireall", "<Location /zz>\n<RequireAll>\nRequire all granted\n{}\n</RequireAll>\n</Location>"),
];

#[test]
fn lines_are_refused_where_httpd_refuses_them() {
    let record = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/refusals/httpd.tsv")).unwrap();
    let loaded: Vec<String> = MODULES.iter().map(|name| format!("LoadModule {name}_module modules/mod_{name}.so\n")).collect();
    let loaded = loaded.concat();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for row in record.lines().skip(1) {
        let (lines, refused) = row.rsplit_once('\t').unwrap();
        for (place, frame) in PLACES {
            let text =
                format!("{loaded}Listen 8000\nServerName one.test\n{}\n", frame.replace("{}", &lines.replace("\\n", "\n")));
            let mut store = Store::default();
            let source = store.add(Path::new("httpd.conf").to_path_buf(), text.into_bytes(), Server::Apache);
            let root = Root { server: Server::Apache, source, base: Path::new("/nonexistent").to_path_buf(), is_main: true };
            let version = Some(Version::new(2, 4, 71));
            let resolved = resolve_for(&mut store, &root, version);
            let gateway = lower(&store, &root, &resolved, version);
            tried += 1;
            if gateway.refusals.is_empty() == refused.split(' ').any(|one| one == place) {
                let said: Vec<_> = gateway.refusals.iter().map(|refusal| refusal.message.clone()).collect();
                wrong.push(format!("{place}: {lines}: we say {said:?}"));
            }
        }
    }
    assert!(tried > 3_000);
    assert!(wrong.is_empty(), "{} of {tried} differ:\n{}", wrong.len(), wrong.join("\n"));
}
