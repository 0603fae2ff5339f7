//! Requests through small configurations.

use std::path::{Path, PathBuf};

use super::super::Client;
use crate::facts::Declared;
use crate::facts::View;
use crate::gateway::Server;
use crate::handshake::walk::Verdict;
use crate::handshake::{Probe, Socket, Walk};
use crate::project::{Root, Store};

/// What becomes of a handshake for `path` at `localhost`: the kind, the status, and the target that the backend is sent.
fn walk(text: &str, path: &str) -> (&'static str, Option<u16>, Option<String>) {
    let walk = whole_walk(text, path, &[]);
    let status = match walk.verdict {
        Verdict::Answered { status, .. } | Verdict::BadGateway { status } => Some(status),
        _ => None,
    };
    (walk.verdict.kind(), status, walk.upstream_request.map(|request| request.target))
}

/// The walk of a handshake with further headers.
fn whole_walk(text: &str, path: &str, headers: &[(&'static str, &'static str)]) -> Walk {
    let mut store = Store::default();
    // httpd does not start without a socket.
    let text = format!("Listen 80\n{text}");
    let source = store.add(PathBuf::from("httpd.conf"), text.into_bytes(), Server::Apache);
    let root = Root { server: Server::Apache, source, base: PathBuf::new(), is_main: true };
    let version = Some("2.4.62".parse().unwrap());
    let resolved = crate::apache::resolve_for(&mut store, &root, version);
    let gateway = crate::apache::lower(&store, &root, &resolved, version);
    let declared = Declared::default();
    let view = View::new(&store.sources, &gateway, &declared);
    let (bare, query) = path.split_once('?').map_or((path, None), |(bare, query)| (bare, Some(query.to_owned())));
    let mut request = Probe::Chrome.request("localhost", bare, false);
    request.query = query;
    request.target = Some(path.to_owned());
    request.headers.extend(headers.iter().map(|&(name, value)| (name.into(), value.into())));
    let local = "127.0.0.1".parse().unwrap();
    let client = Client { request, socket: Socket { address: local, port: 80 }, from: local };
    super::super::follow(&view, &client, &|_: &Path| None)
}

#[test]
fn rules_come_before_sections_and_sections_before_the_list() {
    let text = "ProxyPass / http://c/\n<Location /ws>\nProxyPass ws://b/ws\n</Location>\nRewriteEngine On\nRewriteRule ^/old$ ws://a/new [P]\n";
    assert_eq!(walk(text, "/ws/x"), ("upgraded", None, Some("/ws/x".to_owned())));
    assert_eq!(walk(text, "/old"), ("upgraded", None, Some("/new".to_owned())));
    assert_eq!(walk(text, "/page?a=b"), ("forwarded-plain", None, Some("/page?a=b".to_owned())));
}

#[test]
fn a_rewritten_path_is_a_file_unless_it_is_passed_through() {
    let rule = |flags: &str| format!("RewriteEngine On\nRewriteRule ^/old$ /ws [{flags}]\nProxyPass /ws ws://b/ws\n");
    assert_eq!(walk(&rule("L"), "/old"), ("answered", Some(404), None));
    assert_eq!(walk(&rule("PT"), "/old"), ("upgraded", None, Some("/ws".to_owned())));
}

#[test]
fn a_capture_shorter_than_its_sign_loses_the_upgrade() {
    let text = "ProxyPassMatch ^/ws(.*)$ http://b/ws$1 upgrade=websocket\n";
    assert_eq!(walk(text, "/ws/chat").0, "upgraded");
    assert_eq!(walk(text, "/ws").0, "forwarded-plain");
}

#[test]
fn who_is_not_let_in_is_told_so() {
    let text = "ProxyPass /ws ws://b/ws\n<Location /ws>\nRequire ip 10.0.0.0/8\n</Location>\n";
    assert_eq!(walk(text, "/ws"), ("answered", Some(403), None));
    let text = "ProxyPass /ws ws://b/ws\n<Location /ws>\nAuthType Basic\nAuthName x\nRequire valid-user\n</Location>\n";
    assert_eq!(walk(text, "/ws"), ("answered", Some(401), None));
    let text = "ProxyPass /ws ws://b/ws\n<Location /ws>\nAuthType Basic\nRequire valid-user\n</Location>\n";
    assert_eq!(walk(text, "/ws"), ("answered", Some(500), None));
}

#[test]
fn variables_and_conditions_keep_requests_from_being_passed_on() {
    let text = "SetEnvIf Request_URI ^/ws no-proxy\nProxyPass / ws://b/\n";
    assert_eq!(walk(text, "/ws"), ("answered", Some(404), None));
    let text = "<If \"%{HTTP:Upgrade} == 'websocket'\">\nRequire all denied\n</If>\nProxyPass / ws://b/\n";
    assert_eq!(walk(text, "/ws"), ("answered", Some(403), None));
}

#[test]
fn what_is_glued_to_a_port_is_no_backend() {
    assert_eq!(walk("ProxyPass / http://b:1\n", "/ws"), ("bad-gateway", Some(500), None));
    assert_eq!(walk("Timeout 0\nProxyPass / ws://b/\n", "/ws"), ("bad-gateway", Some(503), None));
}

#[test]
fn the_server_names_itself_as_it_is_told() {
    let via = |kind: &str| {
        let text = format!("ServerName Own.Test:81\nUseCanonicalName On\nProxyVia {kind}\nProxyPass / ws://b/\n");
        let sent = whole_walk(&text, "/ws", &[("Via", "1.0 x")]).upstream_request.unwrap();
        sent.headers.get("via").map(str::to_owned)
    };
    assert_eq!(via("On").as_deref(), Some("1.0 x, 1.1 Own.Test:81"));
    assert_eq!(via("Full").as_deref(), Some("1.0 x, 1.1 Own.Test:81 (Apache/2.4.62)"));
    assert_eq!(via("Block"), None);
    assert_eq!(via("Off").as_deref(), Some("1.0 x"));
}

#[test]
fn a_client_waits_to_be_told_to_go_on_whatever_becomes_of_its_header() {
    let expect = |line: &str, headers: &[(&'static str, &'static str)]| {
        let sent = whole_walk(&format!("{line}\nProxyPass / ws://b/\n"), "/ws", headers).upstream_request.unwrap();
        sent.headers.get("expect").map(str::to_owned)
    };
    let waits = [("Expect", "100-continue")];
    assert_eq!(expect("", &waits).as_deref(), Some("100-continue"));
    assert_eq!(expect("RequestHeader unset Expect", &waits).as_deref(), Some("100-Continue"));
    assert_eq!(expect("RequestHeader set Expect 100-continue", &[]), None);
}
