//! When a route is taken to be meant for WebSockets: by its path, by what its backend is called, by what users say.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;

use assert_cmd::Command;

/// The intent of the location `/…` of this site, as the program finds it: that of the finding which says that `Upgrade` is missing.
fn intent(body: &str, settings: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("nginx.conf"), format!("events {{ }}\nhttp {{\n    server {{\n{body}\n    }}\n}}\n"))
        .unwrap();
    fs::write(directory.path().join("proxylint.toml"), settings).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("proxylint"));
    command.current_dir(directory.path()).args([
        "check",
        "--pedantic",
        "--select",
        "upgrade-header-missing",
        "--output-format",
        "json",
    ]);
    let output = command.output().unwrap();
    let document: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let finding = document["findings"].as_array().unwrap().first()?.clone();
    Some(finding["intent"].as_str().unwrap().to_owned())
}

fn location(path: &str, backend: &str) -> String {
    format!("location {path} {{ proxy_pass http://{backend}; }}")
}

#[test]
fn a_plain_proxy_is_not_meant_for_websockets() {
    for (path, backend) in [("/", "127.0.0.1:3000"), ("/api/", "backend:8080"), ("/app/", "10.0.0.1:9000"), ("/wsdl", "erp:80")] {
        assert_eq!(intent(&location(path, backend), ""), None, "{path} to {backend}");
    }
}

#[test]
fn a_strong_path_suffices() {
    for path in ["/ws", "/socket.io/", "/chat/websocket", "~ ^/api/kernels/[^/]+/channels"] {
        assert_eq!(intent(&location(path, "127.0.0.1:3000"), "").as_deref(), Some("inferred"), "{path}");
    }
}

#[test]
fn one_weak_hint_is_possible_and_two_are_inferred() {
    for (path, backend) in [("/", "grafana:80"), ("/", "10.0.0.1:8123"), ("/stream/", "10.0.0.1:80")] {
        assert_eq!(intent(&location(path, backend), "").as_deref(), Some("possible"), "{path} to {backend}");
    }
    for (path, backend) in
        [("/", "grafana:3000"), ("/", "home-assistant:8123"), ("/hubs/chat", "10.0.0.1:5000"), ("/live/", "ws-backend")]
    {
        assert_eq!(intent(&location(path, backend), "").as_deref(), Some("inferred"), "{path} to {backend}");
    }
}

#[test]
fn the_members_of_a_group_hint_as_well() {
    let site = "listen 80; location / { proxy_pass http://monitor; } }\n    upstream monitor { server grafana:3000;";
    assert_eq!(intent(site, "").as_deref(), Some("inferred"));
}

#[test]
fn beside_a_route_for_websockets_the_others_are_for_pages() {
    let strong = "location /api/live/ { return 503; }\n";
    assert_eq!(intent(&(strong.to_owned() + &location("/", "grafana:3000")), ""), None);
    let live = "location /api/live/ { proxy_pass http://grafana:3000; proxy_set_header Upgrade $http_upgrade; }\n";
    assert_eq!(intent(&(live.to_owned() + &location("/", "grafana:3000")), ""), None);
}

#[test]
fn comments_say_what_a_route_is_for() {
    let with = |comment: &str| format!("{comment}\n{}", location("/", "10.0.0.1:80"));
    assert_eq!(intent(&with("# the WebSocket of the chat"), "").as_deref(), Some("inferred"));
    assert_eq!(intent(&with("# proxylint: websocket"), "").as_deref(), Some("declared"));
    assert_eq!(intent(&format!("# proxylint: no-websocket\n{}", location("/ws", "10.0.0.1:80")), ""), None);
}

#[test]
fn users_say_what_their_routes_are_for() {
    let says = |settings: &str, path: &str, backend: &str| intent(&location(path, backend), settings);
    assert_eq!(says("[websocket]\nroutes = [\"/chat/*\"]", "/chat/", "10.0.0.1:80").as_deref(), Some("declared"));
    assert_eq!(says("[websocket]\nnot_routes = [\"/ws*\"]", "/ws", "10.0.0.1:80"), None);
    assert_eq!(says("[websocket]\nupstreams = [\"chat-*\"]", "/", "chat-1:80").as_deref(), Some("declared"));
    let app = "[[websocket.app]]\nname = \"ours\"\nstrong = [\"feed/*/open\"]\nhosts = [\"tickers\"]\nports = [4711]";
    assert_eq!(says(app, "/feed/1/open", "10.0.0.1:80").as_deref(), Some("inferred"));
    assert_eq!(says(app, "/", "tickers:80").as_deref(), Some("possible"));
    assert_eq!(says(app, "/", "tickers:4711").as_deref(), Some("inferred"));
}
