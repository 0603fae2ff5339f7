//! A server: its sockets, names, and what it does before a location is chosen.

use super::Writer;
use super::wrong::Place;

const NAMES: [&str; 19] = [
    "a.test",
    "www.a.test a.test",
    "b.test",
    "*.b.test",
    ".b.test",
    "_",
    "~^(?<sub>.+)\\.b\\.test$",
    "~^(www\\.)?(.+)$",
    "c.*",
    "localhost",
    "localhost 127.0.0.1",
    "*.x.b.test",
    "\"\"",
    "A.TEST",
    "a.test *.test",
    "~^(?<label>[a-z]+)\\.test$",
    "a.test. b.test",
    "\"~^[a-z]{1,2}\\.test$\"",
    "*.test a.test",
];

impl Writer<'_> {
    pub(super) fn server(&mut self, number: usize) {
        self.known.named = self.random.chance(35);
        self.block("server", |server| {
            server.sockets(number);
            if server.random.chance(80) {
                let name = server.random.pick(&NAMES);
                server.line(&format!("server_name {name};"));
            }
            server.settings(50);
            server.maybe(12, &["root www;", "root /srv/none;", "index index.html index.php;", "root /srv/case/www;"]);
            server.maybe(5, &["proxy_intercept_errors on;", "recursive_error_pages on;", "absolute_redirect off;"]);
            server.access(6);
            if server.random.chance(15) {
                server.rewrite();
            }
            if server.random.chance(12) {
                server.set();
            }
            if server.random.chance(12) {
                server.condition(false);
            }
            if server.random.chance(12) {
                server.error_page();
            }
            server.maybe(2, &["return 301 https://$host$request_uri;", "return 404;", "return 444;", "return 200 $section;"]);
            let mut taken = Vec::new();
            if server.random.chance(55) {
                taken.push(" /".to_owned());
                server.block("location /", |location| location.body(false));
            }
            for _ in 0..=server.random.below(5) {
                server.location("", &mut taken);
            }
            if server.known.named {
                server.block("location @fallback", |named| named.body(true));
            }
            if server.text.contains("/asked") {
                server.block("location = /asked", |asked| {
                    asked.maybe(60, &["internal;"]);
                    asked.one_of(&[
                        "return 204;",
                        "return 401;",
                        "return 403;",
                        "return 200;",
                        "return 500;",
                        "return 302 /login;",
                    ]);
                });
            }
            server.wrong(Place::Server);
        });
    }

    fn sockets(&mut self, number: usize) {
        let port = if number > 0 && self.random.chance(25) { 18081 } else { 18080 };
        let default = if number == 1 && self.random.chance(40) { " default_server" } else { "" };
        let address = self.random.pick(&["127.0.0.1:", "127.0.0.1:", "", "*:", "0.0.0.0:", "localhost:", "[::]:"]);
        if address == "[::]:" {
            self.line(&format!("listen {port}{default};"));
            // One for both would be bound twice.
            self.line(&format!("listen [::]:{port} ipv6only=on;"));
            return;
        }
        self.line(&format!("listen {address}{port}{default};"));
        if self.random.chance(5) {
            // Options are of one of the lines for a socket; they part it from one for all addresses.
            let other = self.random.pick(&["backlog=64", "so_keepalive=30s::3", "deferred", "bind", "rcvbuf=64k"]);
            self.line(&format!("listen 127.0.0.1:18082 {other};"));
        }
        if self.random.chance(8) {
            self.line(&format!("listen 127.0.0.1:{};", if port == 18080 { 18081 } else { 18080 }));
        }
    }

    /// Who is let in.
    pub(super) fn access(&mut self, percent: usize) {
        if !self.random.chance(percent) {
            return;
        }
        self.maybe(30, &["satisfy any;", "satisfy all;"]);
        self.maybe(60, &["allow 127.0.0.1;", "deny 10.0.0.0/8;", "allow 127.0.0.0/8;", "deny 127.0.0.1;", "allow ::1;"]);
        self.maybe(40, &["deny all;", "allow all;"]);
        self.maybe(25, &["auth_basic \"closed\";", "auth_basic off;", "auth_basic $near;"]);
        if self.text.ends_with("closed\";\n") || self.text.ends_with("$near;\n") {
            self.line("auth_basic_user_file users;");
        }
        self.maybe(15, &["auth_request /asked;", "auth_request off;"]);
    }

    pub(super) fn rewrite(&mut self) {
        let flag = self.random.pick(&[" last", " break", " break", "", " redirect", " permanent"]);
        let rule = self.random.pick(&[
            "^/ws/(.*)$ /$1",
            "^/api/(.*)$ /ws/$1",
            "^/app$ /app/",
            "^/chat /ws/chat",
            "^(.*)/live$ $1/stream?live=1",
            "/socket /ws?",
            "(?i)^/WS$ /ws/",
            "^/ws(/.*)?$ /chat$1?",
            "^/(?<head>[^/]+)/(?<tail>.*)$ /$tail/$head",
            "^/api/v(\\d+)/(.*) /v$1/$2?version=$1",
            "^/wsx$ http://b.test/ws",
            "^/(ws|chat)$ $scheme://$host/$1/",
            "^ /ws",
            "\"^/a{1,3}pp/(.*)\" /app/$1",
            "^/x/(.*) /$section/$1",
            "^/api/(.*)$ /$1?from=$uri&$args?",
        ]);
        if rule.contains("$section") && !self.known.tables.contains(&"$section") {
            return;
        }
        self.line(&format!("rewrite {rule}{flag};"));
    }

    /// A variable is set.
    pub(super) fn set(&mut self) {
        let mut values = vec!["1", "\"\"", "$host", "$uri", "a$arg_room", "$1", "$http_upgrade", "\"$1$uri\"", "127.0.0.1:19001"];
        values.extend(&self.known.tables);
        let value = self.random.pick(&values);
        let name = self.random.pick(&["$seen", "$seen", "$other", "$kind"]);
        self.line(&format!("set {name} {value};"));
    }

    pub(super) fn condition(&mut self, in_location: bool) {
        let mut tests = vec![
            "$http_upgrade",
            "$http_upgrade = websocket",
            "$http_upgrade ~* websocket",
            "$http_upgrade != websocket",
            "$http_connection ~* upgrade",
            "$host = a.test",
            "$host !~ ^a",
            "$host ~ ^(?<site>[a-z]+)\\.",
            "$request_method = POST",
            "$request_method !~ ^(GET|HEAD)$",
            "$request_uri ~ ^/ws",
            "$uri ~ ^/(ws|api)/(.*)$",
            "$scheme = http",
            "$args",
            "$arg_transport = websocket",
            "$args ~ token=([^&]+)",
            "$http_user_agent ~* \"(chrome|firefox)\"",
            "$http_origin !~* ^https://a\\.test$",
            "$cookie_session",
            "$remote_addr ~ \"^127\\.\"",
            "$server_port = 18081",
            "-f $request_filename",
            "!-e $request_filename",
            "-d $document_root/ws",
            "!-f $document_root$uri",
        ];
        for (table, test) in [
            ("$section", "$section = chat"),
            ("$section", "$section ~ ^(.)"),
            ("$near", "$near"),
            ("$near", "$near != 1"),
            ("$variant", "$variant = a"),
            ("$wants", "$wants"),
            ("$wants", "$wants = 1"),
        ] {
            if self.known.tables.contains(&table) {
                tests.push(test);
                tests.push(test);
            }
        }
        let test = self.random.pick(&tests);
        self.block(&format!("if ({test})"), |body| {
            match body.random.below(7) {
                0 => body.line("return 403;"),
                1 => body.one_of(&[
                    "return 301 https://$host$request_uri;",
                    "return 200 \"$1\";",
                    "return 302 /chat/$1;",
                    "return 426;",
                ]),
                2 => body.rewrite(),
                3 | 4 if in_location => body.proxy_pass(true),
                5 => body.line("break;"),
                _ => body.set(),
            }
            if in_location {
                body.wrong(Place::Condition);
            }
        });
    }

    pub(super) fn error_page(&mut self) {
        let page = match self.random.below(13) {
            0 if self.known.named => "error_page 404 502 = @fallback;",
            1 if self.known.named => "error_page 403 405 426 @fallback;",
            2 => "error_page 404 /ws;",
            3 => "error_page 426 =200 /chat;",
            4 => "error_page 403 https://b.test/;",
            5 => "error_page 404 =301 http://b.test$uri;",
            6 => "error_page 401 403 = /health;",
            7 => "error_page 400 404 500 502 503 504 /error.html;",
            8 => "error_page 301 302 https://b.test/moved?$args;",
            9 => "error_page 301 =404 /health;",
            10 => "error_page 494 497 413 /chat;",
            11 => "error_page 405 408 =503 /50x.html;",
            _ => "error_page 502 504 /50x.html;",
        };
        self.line(page);
        self.maybe(30, &["proxy_intercept_errors on;"]);
    }
}
