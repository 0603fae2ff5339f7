//! Handshakes through small nginx configurations: what comes of them, in a line each.

use std::path::{Path, PathBuf};

use super::*;
use crate::facts::Declared;
use crate::gateway::Version;
use crate::handshake::Probe;
use crate::nginx::{lower, resolve};
use crate::project::{Root, Store};

/// The walk of `GET target` at `host` with what stands in `http`.
fn walk(http: &str, target: &str, host: &str) -> Walk {
    walk_to(http, target, host, Socket { address: IpAddr::from([127, 0, 0, 1]), port: 80 })
}

/// The same at another socket.
fn walk_to(http: &str, target: &str, host: &str, socket: Socket) -> Walk {
    let mut store = Store::default();
    let text = format!("events {{}} http {{ {http} }}");
    let source = store.add(PathBuf::from("nginx.conf"), text.into_bytes(), Server::Nginx);
    let root = Root { server: Server::Nginx, source, base: PathBuf::from("/nonexistent"), is_main: true };
    let resolved = resolve(&mut store, &root);
    let gateway = lower(&store, &root, &resolved, Some(Version::new(1, 30, 0)));
    let declared = Declared::default();
    let view = View::new(&store.sources, &gateway, &declared);
    let mut request = Probe::Chrome.request(host, "/", false);
    request.target = Some(target.to_owned());
    let files = |path: &Path| match path.to_str()? {
        "/srv" | "/srv/" | "/srv/d" | "/srv/d/" | "/srv/i/" => Some(FileKind::Directory),
        "/srv/f" | "/srv/i/index.html" | "/srv/50x.html" => Some(FileKind::File),
        _ => None,
    };
    follow(&view, &Client { request, socket, from: IpAddr::from([10, 0, 0, 1]) }, &files)
}

/// What came of it: the verdict, or what is sent.
fn outcome(walk: &Walk) -> String {
    let sent = walk.upstream_request.as_ref().map(|sent| format!(" {} {} {}", sent.method, sent.target, sent.http_version));
    let verdict = match &walk.verdict {
        Verdict::Answered { status, location: Some(location) } => format!("{status} to {location}"),
        Verdict::Answered { status, .. } => status.to_string(),
        Verdict::BadGateway { status } => format!("bad {status}"),
        other => other.kind().to_owned(),
    };
    format!("{verdict}{}", sent.unwrap_or_default())
}

const HEADERS: &str = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;";

/// The outcome in one server with these directives, under which all headers are right.
fn of(server: &str, target: &str) -> String {
    outcome(&walk(&format!("{HEADERS} server {{ {server} }}"), target, "localhost"))
}

#[test]
fn the_addresses_of_a_socket() {
    let at = |http: &str, address: &str| {
        outcome(&walk_to(http, "/", "localhost", Socket { address: address.parse().unwrap(), port: 81 }))
    };
    let local = "server { listen localhost:81; return 403; } server { listen 81; return 404; }";
    assert_eq!(at(local, "127.0.0.1"), "403");
    assert_eq!(at(local, "127.0.0.2"), "404");
    // The name may stand for this address, too.
    assert_eq!(at(local, "::1"), "unknown");
    // A port alone is one of IPv4.
    let both = "server { listen 81; return 403; } server { listen [::]:81; return 404; }";
    assert_eq!(at(both, "127.0.0.1"), "403");
    assert_eq!(at(both, "::1"), "404");
}

#[test]
fn the_target_that_is_sent() {
    let pass = |location: &str, url: &str, target: &str| of(&format!("location {location} {{ proxy_pass {url}; }}"), target);
    assert_eq!(pass("/ws", "http://127.0.0.1:1", "//ws/%61?b"), "upgraded GET //ws/%61?b 1.1");
    assert_eq!(pass("/ws/", "http://127.0.0.1:1/", "/ws/a?b"), "upgraded GET /a?b 1.1");
    assert_eq!(pass("/ws", "http://127.0.0.1:1/", "/ws/a"), "upgraded GET //a 1.1");
    assert_eq!(pass("/ws/", "http://127.0.0.1:1/app", "/ws/a%20b"), "upgraded GET /appa%20b 1.1");
    assert_eq!(pass("~ ^/(.*)$", "http://127.0.0.1:1/$1", "/x?y"), "upgraded GET /x 1.1");
    assert_eq!(pass("/", "http://127.0.0.1:1$request_uri", "/x?y"), "upgraded GET /x?y 1.1");
    assert_eq!(pass("/", "http://$host:1", "/"), "bad 502");
    assert_eq!(pass("/ws/", "http://127.0.0.1:1", "/ws"), "301 to http://localhost/ws/");
}

#[test]
fn a_root_by_way_of_itself_ends() {
    let server = |root: &str| of(&format!("location /d/ {{ try_files $uri =404; }} root {root};"), "/d/x");
    assert_eq!(server("$document_root"), "refuses-to-start");
    assert_eq!(server("$DOCUMENT_ROOT"), "unknown");
    let map = "map $uri $r { default $document_root; }";
    let text = format!("{map} server {{ listen 80; root $r; location / {{ try_files $uri =404; }} }}");
    assert_eq!(outcome(&walk(&text, "/x", "localhost")), "unknown");
}

#[test]
fn the_rewrite_phase() {
    let pass = "proxy_pass http://127.0.0.1:1;";
    let rewritten = |line: &str| of(&format!("location /a/ {{ {line} {pass} }} location /b/ {{ {pass} }}"), "/a/x?q=1");
    assert_eq!(rewritten("rewrite ^/a/(.*)$ /$1 break;"), "upgraded GET /x?q=1 1.1");
    assert_eq!(rewritten("rewrite ^/a/(.*)$ /b/$1?r=2 last;"), "upgraded GET /b/x?r=2&q=1 1.1");
    assert_eq!(rewritten("rewrite ^/a/(.*)$ /b/$1? last;"), "upgraded GET /b/x 1.1");
    assert_eq!(rewritten("rewrite ^/a/(.*)$ /c/$1 permanent;"), "301 to http://localhost/c/x?q=1");
    assert_eq!(rewritten("rewrite ^ /a/ last;"), "500", "a cycle");
    assert_eq!(rewritten("set $x 1; if ($x) { return 403; }"), "403");
    assert_eq!(rewritten("if ($args ~ q=(.)) { return 302 /n$1; }"), "302 to http://localhost/n1");
    assert_eq!(rewritten("if ($http_upgrade) { break; } return 403;"), "upgraded GET /a/x?q=1 1.1");
    assert_eq!(rewritten("if ($http_upgrade) { proxy_pass http://127.0.0.1:2; }"), "upgraded GET /a/x?q=1 1.1");
    assert_eq!(rewritten("return 301 https://$host$request_uri;"), "301 to https://localhost/a/x?q=1");
}

#[test]
fn files_and_what_is_answered_instead_of_them() {
    let named = "root /srv; location @b { proxy_pass http://127.0.0.1:1; }";
    let tried = |location: &str, target: &str| of(&format!("{named} location / {{ {location} }}"), target);
    assert_eq!(tried("try_files $uri @b;", "/ws"), "upgraded GET /ws 1.1");
    assert_eq!(tried("try_files $uri @b;", "/f"), "200");
    assert_eq!(tried("try_files $uri $uri/ =404;", "/d"), "301 to http://localhost/d/", "no slash is added");
    assert_eq!(tried("error_page 404 = @b;", "/ws"), "upgraded GET /ws 1.1");
    assert_eq!(tried("error_page 404 =200 /50x.html;", "/ws"), "200");
    assert_eq!(tried("error_page 404 /none;", "/ws"), "404");
    assert_eq!(tried("", "/d/"), "403");
    assert_eq!(tried("autoindex on;", "/d/"), "200");
    assert_eq!(tried("", "/i/"), "200");
    assert_eq!(tried("return 426; error_page 426 = @b;", "/ws"), "upgraded GET /ws 1.1");
}

#[test]
fn who_is_let_in() {
    let pass = |line: &str| of(&format!("location / {{ {line} proxy_pass http://127.0.0.1:1; }}"), "/");
    assert_eq!(pass("allow 10.0.0.0/8; deny all;"), "upgraded GET / 1.1");
    assert_eq!(pass("deny 10.0.0.1; allow all;"), "403");
    assert_eq!(pass("auth_basic x;"), "upgraded GET / 1.1", "without users nobody is asked");
    assert_eq!(pass("auth_basic x; auth_basic_user_file u;"), "401");
    assert_eq!(pass("satisfy any; allow 10.0.0.1; deny all; auth_basic x; auth_basic_user_file u;"), "upgraded GET / 1.1");
    assert_eq!(pass("internal;"), "404");
    assert_eq!(pass("limit_except POST { deny all; }"), "403");
    assert_eq!(pass("access_by_lua_file x;"), "unknown");
    let asked = |answer: &str| {
        of(&format!("location / {{ auth_request /a; proxy_pass http://127.0.0.1:1; }} location = /a {{ {answer} }}"), "/")
    };
    assert_eq!(asked("return 204;"), "upgraded GET / 1.1");
    assert_eq!(asked("return 403;"), "403");
    assert_eq!(asked("proxy_pass http://127.0.0.1:2;"), "unknown");
}

#[test]
fn what_keeps_a_handshake_from_being_one() {
    let blamed = |line: &str| {
        let walk = walk(&format!("server {{ location / {{ proxy_pass http://127.0.0.1:1; {line} }} }}"), "/", "localhost");
        let blamed = walk.because.iter().filter(|because| because.culprit).map(|because| &*because.message);
        format!("{}: {}", walk.verdict.kind(), blamed.collect::<Vec<_>>().join("; "))
    };
    let upgrade = "proxy_set_header Upgrade $http_upgrade;";
    assert_eq!(
        blamed(""),
        "forwarded-plain: Upgrade is not sent: it must be websocket; Connection is not sent: it must be upgrade"
    );
    assert_eq!(
        blamed(&format!("{upgrade} proxy_set_header Connection close;")),
        "forwarded-plain: Connection is `close`: it must be upgrade"
    );
    assert_eq!(
        blamed(&format!("{HEADERS} proxy_http_version 1.0;")),
        "forwarded-plain: asks with HTTP/1.0, in which there is no upgrade"
    );
    assert_eq!(blamed(&format!("{HEADERS} {upgrade}")), "forwarded-plain: Upgrade is sent 2 times: it must be websocket, once");
    assert_eq!(blamed(&format!("{HEADERS} proxy_read_timeout 0;")), "bad-gateway: waits no time at all for an answer");
    assert_eq!(
        blamed(&format!("{HEADERS} proxy_hide_header Upgrade;")),
        "bad-gateway: withholds Upgrade from the client, which then refuses the 101"
    );
}

#[test]
fn every_header_in_the_order_in_which_it_is_sent() {
    let walk = walk(
        "server { location / { proxy_pass http://app:80; proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Origin ''; } }",
        "/",
        "localhost",
    );
    let headers = walk.upstream_request.unwrap().headers;
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        headers,
        [
            "X-Real-IP: 10.0.0.1",
            "Upgrade: websocket",
            "Connection: upgrade",
            "Host: app",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        ]
    );
}

#[test]
fn other_protocols() {
    assert_eq!(of("location / { uwsgi_pass 127.0.0.1:1; }", "/"), "upgraded");
    assert_eq!(of("location / { fastcgi_pass 127.0.0.1:1; }", "/"), "bad 101");
    assert_eq!(of("location / { grpc_pass 127.0.0.1:1; }", "/"), "bad 502");
    let limit = walk("server { location / { uwsgi_pass a:1; proxy_read_timeout 5s; uwsgi_read_timeout 7s; } }", "/", "localhost");
    assert!(matches!(limit.verdict, Verdict::Upgraded { idle_limit: Ok(Some(crate::gateway::Millis(7000))) }));
}

#[test]
fn sockets_and_names() {
    let two = "server { listen 80; server_name .b.test; return 201; } server { listen 80 default_server; return 202; }";
    for (host, status) in [("b.test", "201"), ("x.b.test", "201"), ("c.test", "202")] {
        assert_eq!(outcome(&walk(two, "/", host)), status, "{host}");
    }
    assert_eq!(of("listen 80 ssl;", "/"), "refuses-to-start");
    assert_eq!(of("listen 80 ssl; ssl_certificate c; ssl_certificate_key k;", "/"), "400");
    assert_eq!(
        of("listen 80 ssl; ssl_certificate c; ssl_certificate_key k; error_page 497 https://$host$request_uri;", "/x"),
        "302 to https://localhost/x"
    );
    assert_eq!(of("listen 80 proxy_protocol;", "/"), "444");
}
