//! Passing requests on: the URL, and what is set for it on any level.

use super::Writer;

const BACKENDS: [&str; 10] = [
    "127.0.0.1:19001",
    "127.0.0.1:19001",
    "127.0.0.1:19001",
    "127.0.0.1:19010",
    "127.0.0.1:19003",
    "127.0.0.1:19013",
    "be",
    "be",
    "BE",
    "unix:/srv/case/be.sock",
];

impl Writer<'_> {
    /// `proxy_pass`; where `bare`, without a URI.
    pub(super) fn proxy_pass(&mut self, bare: bool) {
        let backend = self.random.pick(&BACKENDS);
        let has_variables = self.random.chance(18);
        if has_variables {
            return self.variable_pass();
        }
        let uri = match self.random.below(14) {
            _ if bare => "",
            0 | 1 => "/",
            2 => "/app",
            3 => "/app/",
            4 => "/ws",
            5 => "/ws/?x=1",
            _ => "",
        };
        let separator = if backend.starts_with("unix:") && !uri.is_empty() { ":" } else { "" };
        let scheme = self.random.pick(&["http", "http", "http", "http", "HTTP"]);
        self.line(&format!("proxy_pass {scheme}://{backend}{separator}{uri};"));
    }

    fn variable_pass(&mut self) {
        let mut urls = vec![
            "http://127.0.0.1:19001$request_uri",
            "http://127.0.0.1:19001$uri",
            "http://127.0.0.1:19001$uri$is_args$args",
            "http://127.0.0.1:19001/x$uri",
            "http://127.0.0.1:19001/$1",
            "http://be$request_uri",
            "http://127.0.0.1:19010/ws?$args",
            "http://127.0.0.1:$backend_port",
            "$target",
            "$target",
            "http://$group",
            "http://$group/ws$is_args$args",
            "http://$http_x_custom",
            "http://127.0.0.1:19001/${arg_room}/x",
        ];
        if self.known.tables.contains(&"$pool") {
            urls.extend(["http://$pool", "http://$pool", "http://$pool$request_uri", "http://$pool/ws"]);
        }
        if self.known.tables.contains(&"$section") {
            urls.extend(["http://127.0.0.1:19001/$section", "http://127.0.0.1:19001/$section/$1"]);
        }
        let url = self.random.pick(&urls);
        for (name, values) in [
            ("$target", &["http://127.0.0.1:19001", "http://be", "http://127.0.0.1:19010/ws", "https://127.0.0.1", "be"][..]),
            ("$backend_port", &["19001", "19010"]),
            ("$group", &["be", "127.0.0.1:19001", "app", "BE", "127.0.0.1:19001/app"]),
        ] {
            if url.contains(name) {
                // A backend that speaks TLS is not there, and nobody listens on its port.
                let value = self.random.pick(values).replace("https://127.0.0.1", "http://127.0.0.1:19013/");
                self.line(&format!("set {name} {value};"));
            }
        }
        self.line(&format!("proxy_pass {url};"));
    }

    /// Proxy settings of any level.
    pub(super) fn settings(&mut self, percent: usize) {
        self.headers(percent);
        if self.random.chance(percent) {
            let version = self.random.pick(&["1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.0"]);
            self.line(&format!("proxy_http_version {version};"));
        }
        self.maybe(8, &["proxy_read_timeout 1h;", "proxy_read_timeout 300;", "proxy_read_timeout 7d;"]);
        self.maybe(8, &["proxy_send_timeout 60s;", "proxy_connect_timeout 5s;", "proxy_send_timeout \"1h 30m\";"]);
        if self.known.snippets > 0 && self.random.chance(12) {
            let number = self.random.below(self.known.snippets);
            // Set twice, a timeout is refused.
            if !self.ends_with_timeout() {
                self.line(&format!("include snippet{number}.inc;"));
            }
        }
    }

    /// Whether the lines just written set a read timeout.
    fn ends_with_timeout(&self) -> bool {
        self.text.rsplit('{').next().is_some_and(|tail| tail.contains("proxy_read_timeout"))
    }

    pub(super) fn headers(&mut self, percent: usize) {
        if !self.random.chance(percent) {
            return;
        }
        if self.random.chance(45) {
            return self.recipe();
        }
        let has_upgrade = self.known.tables.contains(&"$connection_upgrade");
        let connection = match self.random.below(10) {
            0 => "$http_connection",
            1 => "\"\"",
            2 => "close",
            3 | 4 if has_upgrade => "$connection_upgrade",
            5 => "'Upgrade'",
            6 => "\"keep-alive, Upgrade\"",
            7 => "$http_upgrade",
            _ => "\"upgrade\"",
        };
        let upgrade = self.random.pick(&["$http_upgrade", "$http_upgrade", "$http_upgrade", "websocket", "$http_upgade", "\"\""]);
        let mut hosts =
            vec!["$host", "$http_host", "$proxy_host", "$server_name", "b.test", "$host:$server_port", "\"\"", "$proxy_host:1"];
        hosts.extend(&self.known.tables);
        let host = self.random.pick(&hosts);
        let mut others =
            vec!["X-Real-IP $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for", "X-Forwarded-Proto $scheme"];
        others.extend(["Origin \"\"", "Sec-WebSocket-Extensions \"\"", "Sec-WebSocket-Key \"\"", "Sec-WebSocket-Version 13"]);
        others.extend(["Accept-Encoding \"\"", "X-Original-URI $request_uri", "Authorization $http_authorization", "X-First $1"]);
        let other = self.random.pick(&others);
        for (chance, line) in [
            (85, format!("proxy_set_header Upgrade {upgrade};")),
            (85, format!("proxy_set_header Connection {connection};")),
            (45, format!("proxy_set_header Host {host};")),
            (40, format!("proxy_set_header {other};")),
            (8, "proxy_set_header connection upgrade;".to_owned()),
            (4, "proxy_set_header UPGRADE websocket;".to_owned()),
        ] {
            if self.random.chance(chance) {
                self.line(&line);
            }
        }
    }

    /// The lines that work.
    fn recipe(&mut self) {
        self.line("proxy_set_header Upgrade $http_upgrade;");
        let has_upgrade = self.known.tables.contains(&"$connection_upgrade");
        let connection = if has_upgrade { "$connection_upgrade" } else { "\"upgrade\"" };
        self.line(&format!("proxy_set_header Connection {connection};"));
        self.maybe(50, &["proxy_set_header Host $host;"]);
    }
}
