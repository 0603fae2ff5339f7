//! What is said of paths that users declare, and of requests that some clients do not make.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;

use proxylint::{Request, check};

const MODULES: &str = "LoadModule mpm_event_module modules/mod_mpm_event.so\nLoadModule authz_core_module modules/mod_authz_core.so\n\
    LoadModule authn_core_module modules/mod_authn_core.so\nLoadModule authz_user_module modules/mod_authz_user.so\n\
    LoadModule unixd_module modules/mod_unixd.so\nLoadModule proxy_module modules/mod_proxy.so\n\
    LoadModule proxy_http_module modules/mod_proxy_http.so\nListen 8080\nServerName localhost\nTimeout 3600\n";

/// The errors, a line an error, of a configuration of httpd whose user says that `/ws` carries WebSockets.
fn errors(body: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("httpd.conf"), format!("{MODULES}{body}\n")).unwrap();
    fs::write(directory.path().join("proxylint.toml"), "[websocket]\nroutes = [\"/ws\"]\n[apache]\nversion = \"2.4.58\"\n")
        .unwrap();
    let request = Request { paths: vec![directory.path().to_owned()], ..Request::default() };
    let checked = check(&request).unwrap();
    let errors = checked.findings.iter().filter(|finding| finding.level == proxylint::rules::Level::Error);
    errors.map(|finding| format!("{}: {}", finding.rule, finding.message)).collect()
}

#[test]
fn a_path_that_misses_its_mapping_is_an_error() {
    let missed = "endpoint-served-elsewhere: a handshake to `/ws` (proxylint.toml) does not come to this route, which passes upgrades on: it is answered";
    for (body, status) in [
        ("ProxyPass \"/ws/\" \"http://127.0.0.1:9000/\" upgrade=websocket", 404),
        ("ProxyPass \"/WS\" \"http://127.0.0.1:9000/ws\" upgrade=websocket", 404),
        ("ProxyPassMatch \"^/ws/.*$\" \"http://127.0.0.1:9000/fixed\" upgrade=websocket", 404),
        (
            "ProxyPass \"/\" \"http://127.0.0.1:9000/\" upgrade=websocket\n<Location \"/ws\">\nAuthType Basic\nAuthName x\nRequire valid-user\n</Location>",
            500,
        ),
    ] {
        assert_eq!(errors(body), [format!("{missed} {status}")], "{body}");
    }
}

#[test]
fn a_path_that_another_site_has_or_none_is_meant_for_is_no_error() {
    for body in [
        "ProxyPass \"/chat/\" \"http://127.0.0.1:9000/\" upgrade=websocket",
        "ProxyPass \"/ws\" \"!\"\nProxyPass \"/\" \"http://127.0.0.1:9000/\" upgrade=websocket",
        "<VirtualHost *:8080>\nServerName a.test\nProxyPass \"/ws/\" \"http://127.0.0.1:9000/\" upgrade=websocket\n</VirtualHost>\n\
         <VirtualHost *:8080>\nServerName b.test\nProxyPass \"/ws\" \"http://127.0.0.1:9000/ws\" upgrade=websocket\n</VirtualHost>",
    ] {
        assert_eq!(errors(body), [""; 0], "{body}");
    }
}

#[test]
fn a_name_without_the_path_over_tls_is_an_error() {
    let site = |body: &str| {
        format!(
            "<VirtualHost *:8080>\nServerName a.test\nProxyPass \"/ws\" \"http://127.0.0.1:9000/ws\" upgrade=websocket\n</VirtualHost>\n{body}"
        )
    };
    let of = |name: &str| {
        site(&format!("<VirtualHost *:8081>\nServerName {name}\nProxyPass \"/\" \"http://127.0.0.1:9001/\"\n</VirtualHost>"))
    };
    assert_eq!(errors(&of("b.test")), [""; 0]);
    let found = errors(&of("a.test"));
    assert!(found.len() == 1 && found[0].starts_with("upgrade-not-enabled: "), "{found:?}");
}

/// The rules that find something, at their levels, in a location of nginx that sends all that a WebSocket needs.
fn found_in_nginx(body: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "events {{}}\nhttp {{\nmap $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}\n\
         map $arg_tenant $backend {{ a 10.0.0.1:80; b 10.0.0.2:80; }}\nserver {{\nlisten 8080;\nserver_name a.example;\n\
         proxy_http_version 1.1;\nproxy_set_header Host $http_host;\nproxy_set_header Upgrade $http_upgrade;\n\
         proxy_set_header Connection $connection_upgrade;\nproxy_read_timeout 1h;\nlocation /ws {{ {body} }}\n}} }}\n"
    );
    fs::write(directory.path().join("nginx.conf"), text).unwrap();
    let request = Request { paths: vec![directory.path().to_owned()], isolated: true, ..Request::default() };
    check(&request).unwrap().findings.iter().map(|finding| format!("{} {}", finding.level, finding.rule)).collect()
}

#[test]
fn what_turns_some_clients_away_is_no_fault() {
    let pass = "proxy_pass http://127.0.0.1:9000;";
    for guard in [
        "if ($arg_token = '') { return 400; }",
        "if ($http_x_api_key = '') { return 444; }",
        "if ($http_origin !~ b) { return 404; }",
        "if ($cookie_session = '') { return 302 /login; }",
        "if ($remote_addr != 10.0.0.1) { return 404; }",
        "if ($host != a.example) { return 404; }",
    ] {
        assert_eq!(found_in_nginx(&format!("{guard} {pass}")), [""; 0], "{guard}");
    }
    assert_eq!(found_in_nginx("proxy_pass http://$backend;"), [""; 0]);
    assert_eq!(found_in_nginx(&format!("return 404; {pass}")), ["error proxy-pass-overridden"]);
    assert_eq!(found_in_nginx(&format!("if ($scheme = http) {{ return 302 /other; }} {pass}")), ["warning handshake-redirected"]);
}
