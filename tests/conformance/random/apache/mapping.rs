//! `ProxyPass` and its kin, balancers, redirects, aliases.

use super::Writer;

const PREFIXES: [&str; 11] = ["/", "/", "/ws", "/ws", "/ws/", "/ws/chat", "/api/", "/app", "/socket.io/", "/chat", "/api/v1/"];

const BACKENDS: [&str; 7] = [
    "127.0.0.1:19001",
    "127.0.0.1:19001",
    "127.0.0.1:19010",
    "127.0.0.1:19013",
    "127.0.0.1:19003",
    "localhost:19001",
    "LOCALHOST:19010",
];

impl Writer<'_> {
    /// What decides where a request goes: so many lines and sections at most, and one at least.
    pub(super) fn mappings(&mut self, most: usize) {
        if self.random.chance(40) {
            self.rewriting();
        }
        for _ in 0..=1 + self.random.below(most) {
            match self.random.below(16) {
                0 | 1 => self.proxy_pass_match(),
                2 | 3 => self.location(),
                4 => self.other(),
                5 => self.redirect(),
                6 => self.condition(),
                7 if self.root => self.directory(),
                8 if self.has_macro => {
                    let line = self.random.pick(&["Use ws /chat 127.0.0.1:19001", "Use ws /app/ 127.0.0.1:19010"]);
                    self.line(line);
                }
                9 if self.defines => self.defined(),
                _ => self.proxy_pass(),
            }
        }
    }

    pub(super) fn target(&mut self, path: &str) -> String {
        let scheme = self.random.pick(&["http", "http", "http", "http", "ws", "ws", "HTTP"]);
        if self.balancer && self.random.chance(40) {
            return format!("balancer://ws{path}");
        }
        let backend = self.random.pick(&BACKENDS);
        format!("{scheme}://{backend}{path}")
    }

    /// Worker parameters; a balancer takes none of them.
    pub(super) fn parameters(&mut self, target: &str) -> String {
        let mut text = String::new();
        if target.starts_with("balancer:") {
            for (chance, parameter) in [
                (1, " upgrade=websocket"),
                (5, " nocanon"),
                (5, " lbmethod=byrequests"),
                (5, " stickysession=ROUTEID"),
                (4, " nofailover=On"),
                (3, " timeout=5"),
                (2, " lbmethod=nope"),
            ] {
                if self.random.chance(chance) {
                    text.push_str(parameter);
                }
            }
            return text;
        }
        for (chance, parameter) in [
            (55, " upgrade=websocket"),
            (3, " upgrade=ANY"),
            (2, " upgrade=*"),
            (3, " upgrade=NONE"),
            (2, " upgrade=WebSocket"),
            (1, " upgrade=\"websocket\""),
            (1, " upgrade=websocket,h2c"),
            (8, " timeout=300"),
            (4, " retry=0"),
            (6, " nocanon"),
            (3, " noquery"),
            (2, " interpolate"),
            (4, " keepalive=On"),
            (4, " disablereuse=On"),
            (4, " enablereuse=on"),
            (2, " connectiontimeout=5"),
            (2, " flushpackets=on"),
            (2, " acquire=3000 max=10"),
            (2, " status=+D"),
            (2, " ping=1"),
        ] {
            if self.random.chance(chance) {
                text.push_str(parameter);
            }
        }
        text
    }

    fn quoted(&mut self, text: &str) -> String {
        match self.random.below(8) {
            0 | 1 => text.to_owned(),
            2 => format!("'{text}'"),
            _ => format!("\"{text}\""),
        }
    }

    pub(super) fn proxy_pass(&mut self) {
        let prefix = self.random.pick(&PREFIXES);
        if self.random.chance(6) {
            let prefix = self.quoted(prefix);
            let line = format!("ProxyPass {prefix} {}", self.random.pick(&["!", "\"!\""]));
            self.line(&line);
            return;
        }
        let path = match self.random.below(7) {
            0 => "/",
            1 => "",
            2 => "/app/",
            3 => "/a%20b/",
            _ => prefix,
        };
        let target = self.target(path);
        let parameters = self.parameters(&target);
        let (prefix, quoted) = (self.quoted(prefix), self.quoted(&target));
        self.line(&format!("ProxyPass {prefix} {quoted}{parameters}"));
        if self.random.chance(50) {
            self.line(&format!("ProxyPassReverse {prefix} {quoted}"));
        }
    }

    fn defined(&mut self) {
        let line = self.random.pick(&[
            "ProxyPass \"${WS_PATH}\" \"http://${BACKEND}${WS_PATH}\" upgrade=websocket",
            "ProxyPass \"${WS_PATH}/chat\" \"ws://${BACKEND}/\"",
            "ProxyPass /api/ http://${backend}/api/ upgrade=websocket",
            "ProxyPass \"/undefined\" \"http://127.0.0.1:19001/${NOT_DEFINED}\"",
        ]);
        self.line(line);
        let argument = self.random.pick(&["TLS", "!TLS", "BACKEND", "NOWHERE"]);
        self.section("IfDefine", argument, Self::proxy_pass);
    }

    fn proxy_pass_match(&mut self) {
        let (pattern, path) = self.random.choose(&[
            ("^/ws/(.*)$", "/$1"),
            ("^/(ws.*)$", "/$1"),
            ("^/ws(.*)$", "/ws$1"),
            ("^/(api|app)/(.*)$", "/$2"),
            ("^/socket\\.io(/.*)?$", "/socket.io$1"),
            ("^/chat$", "/ws"),
            ("^(/.*\\.txt)$", "$1"),
            ("^/app", "/"),
            ("/chat", "/x"),
            ("^/([^/]+)/(v[0-9])/(.*)$", "/$2/$1/$3"),
        ]);
        if self.random.chance(8) {
            self.line(&format!("ProxyPassMatch \"{pattern}\" !"));
            return;
        }
        let target = self.target(path);
        let parameters = self.parameters(&target);
        self.line(&format!("ProxyPassMatch \"{pattern}\" \"{target}\"{parameters}"));
    }

    pub(super) fn balancer(&mut self) {
        let scheme = self.random.pick(&["http", "http", "ws"]);
        let parameter = self.random.pick(&["", " upgrade=websocket", " upgrade=websocket", " upgrade=ANY"]);
        let path = self.random.pick(&["", "", "", "/app"]);
        let spare = self.random.chance(20);
        let second = self.random.chance(2);
        self.section("Proxy", "\"balancer://ws\"", |proxy| {
            proxy.line(&format!("BalancerMember \"{scheme}://127.0.0.1:19001{path}\"{parameter}"));
            if spare {
                proxy.line("BalancerMember \"http://127.0.0.1:19010\" status=+H");
            } else if second {
                proxy.line(&format!("BalancerMember \"{scheme}://localhost:19001{path}\"{parameter} route=b loadfactor=100"));
            }
            // By traffic the members take turns, and which is asked is known of none.
            if !second {
                proxy.some(&[(10, "ProxySet lbmethod=bytraffic")]);
            }
            proxy.some(&[
                (8, "ProxySet stickysession=ROUTEID"),
                (6, "Require all granted"),
                (3, "Require all denied"),
                (4, "ProxySet maxattempts=2"),
            ]);
        });
    }

    fn redirect(&mut self) {
        let line = self.random.pick(&[
            "Redirect permanent \"/app\" \"https://b.test/app\"",
            "Redirect \"/chat\" \"/ws\"",
            "Redirect 301 /api/ https://api.test/",
            "Redirect gone /nothing",
            "Redirect 404 /files",
            "Redirect seeother /wsx http://b.test/x?y=1",
            "RedirectMatch 302 \"^/chat$\" \"/ws\"",
            "RedirectMatch \"^/app/(.*)$\" \"https://b.test/$1\"",
            "RedirectMatch 403 \"/\\.git\"",
            "RedirectPermanent /files http://files.test/",
            "RedirectTemp /files http://files.test",
            "Alias \"/files\" \"/srv/case/htdocs/files\"",
            "Alias \"/chat/\" \"/srv/case/htdocs/app/\"",
            "Alias /ws /srv/case/htdocs/ws",
            "AliasMatch \"^/api/(.*)$\" \"/srv/case/htdocs/$1\"",
            "ScriptAlias /cgi-bin/ /srv/case/cgi-bin/",
        ]);
        self.line(line);
    }

    fn other(&mut self) {
        match self.random.below(11) {
            0 => self.section("Proxy", "\"*\"", |proxy| {
                let line =
                    proxy.random.pick(&["Require all granted", "Require all granted", "Require local", "Require all denied"]);
                proxy.line(line);
            }),
            1 => self.section("IfModule", "mod_proxy_wstunnel.c", |section| {
                section.line("ProxyPass \"/ws\" \"ws://127.0.0.1:19001/ws\"");
            }),
            2 => {
                let argument =
                    self.random.pick(&["!mod_rewrite.c", "proxy_http_module", "mod_proxy_http", "!proxy_wstunnel_module"]);
                self.section("IfModule", argument, Self::proxy_pass);
            }
            3 => {
                let argument =
                    self.random.pick(&[">= 2.4", "< 2.4.47", "2.4.71", "> 2.2.0", "~ ^2\\.4", "!>= 2.4.10", "/^2\\.5/"]);
                self.section("IfVersion", argument, Self::proxy_pass);
            }
            4 => {
                let url = self.random.pick(&["http://127.0.0.1:19001/ws", "http://127.0.0.1:19001", "http://127.0.0.1:19010/"]);
                self.section("Proxy", &format!("\"{url}\""), |proxy| {
                    let line = proxy.random.pick(&[
                        "ProxySet upgrade=websocket",
                        "ProxySet upgrade=websocket timeout=90",
                        "ProxySet disablereuse=On",
                        "Require all denied",
                        "RequestHeader set X-Seen 1",
                    ]);
                    proxy.line(line);
                });
            }
            5 => self.section("ProxyMatch", "\"^http://127\\.0\\.0\\.1:19001/(ws|app)\"", |proxy| {
                let line = proxy.random.pick(&["Require all granted", "Require ip 127.0.0.1", "Require all denied"]);
                proxy.line(line);
            }),
            6 => self.section("IfFile", "conf.d/site.conf", Self::proxy_pass),
            7 => self.section("IfDirective", "!Frobnicate", Self::proxy_pass),
            8 => self.section("Limit", "POST PUT", |limit| limit.line("Require all granted")),
            9 => self.line("ProxyPassInherit Off"),
            _ => self.line("ProxyPassReverseCookiePath / /app/"),
        }
    }
}
