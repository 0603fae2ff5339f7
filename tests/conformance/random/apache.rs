//! Random httpd configurations as people write them: mappings, rewrite rules, virtual hosts, sections, balancers, workers.

use super::{Deployment, Random, request};

const PATHS: [&str; 13] = [
    "/",
    "/ws",
    "/ws/",
    "/ws/chat",
    "/ws/chat?a=b",
    "/api",
    "/api/v1/ws",
    "/app/",
    "/app/live",
    "/socket.io/",
    "/socket.io/?transport=websocket",
    "/chat",
    "/wsx",
];

const HOSTS: [&str; 6] = ["localhost", "a.test", "www.a.test", "b.test", "x.b.test", "c.test"];

const PREFIXES: [&str; 9] = ["/", "/", "/ws", "/ws/", "/ws/chat", "/api/", "/app", "/socket.io/", "/chat"];

const BACKENDS: [&str; 6] =
    ["127.0.0.1:19001", "127.0.0.1:19001", "127.0.0.1:19010", "127.0.0.1:19013", "127.0.0.1:19003", "localhost:19001"];

/// Modules beside the ones that every such server has, and how often each is loaded, in percent.
const MODULES: [(&str, usize); 9] = [
    ("proxy_http", 96),
    ("proxy_wstunnel", 60),
    ("rewrite", 98),
    ("headers", 98),
    ("alias", 98),
    ("setenvif", 98),
    ("env", 98),
    ("slotmem_shm", 97),
    ("proxy_balancer", 97),
];

/// What one file is being written with.
struct Writer<'a> {
    random: &'a mut Random,
    text: String,
    depth: usize,
    balancer: bool,
    rules: usize,
}

/// One configuration and its requests.
pub(super) fn deployment(random: &mut Random) -> Deployment {
    let mut writer = Writer { random, text: String::new(), depth: 0, balancer: false, rules: 0 };
    writer.mappings();
    let snippet = writer.text;
    let mut writer = Writer { random, text: String::new(), depth: 0, balancer: false, rules: 0 };
    writer.main();
    let second_port = writer.text.contains("18081") || snippet.contains("18081");
    let files = vec![("conf.d/site.conf".to_owned(), snippet), ("httpd.conf".to_owned(), writer.text)];
    let mut steps: Vec<_> = (0..4).map(|number| request(random, number, &PATHS, &HOSTS, second_port)).collect();
    for step in &mut steps {
        if let Some(step) = step.as_object_mut() {
            step.insert("wait".to_owned(), 6.into());
        }
    }
    Deployment { files, steps }
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("    ", self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn section(&mut self, name: &str, argument: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!("<{name} {argument}>"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    fn main(&mut self) {
        for module in ["mpm_event", "unixd", "authz_core", "authz_host", "proxy"] {
            self.load(module);
        }
        for (module, percent) in MODULES {
            if self.random.chance(percent) {
                self.load(module);
                if module == "proxy_balancer" {
                    self.load("lbmethod_byrequests");
                    self.balancer = self.random.chance(30);
                }
            }
        }
        self.line("ServerName localhost");
        self.line("Listen 127.0.0.1:18080");
        if self.random.chance(30) {
            self.line("Listen 127.0.0.1:18081");
        }
        if self.random.chance(25) {
            self.line("Define BACKEND 127.0.0.1:19001");
            self.line("ProxyPass \"/defined\" \"http://${BACKEND}/ws\" upgrade=websocket");
        }
        if self.balancer {
            self.section("Proxy", "\"balancer://ws\"", |proxy| {
                let scheme = proxy.random.pick(&["http", "ws"]);
                let parameter = proxy.random.pick(&["", " upgrade=websocket", " upgrade=ANY"]);
                proxy.line(&format!("BalancerMember \"{scheme}://127.0.0.1:19001\"{parameter}"));
            });
        }
        self.settings();
        let hosts = self.random.below(4);
        if hosts == 0 || self.random.chance(30) {
            self.mappings();
        }
        for _ in 0..hosts {
            let address =
                self.random.pick(&["*:18080", "*:18080", "*:18080", "127.0.0.1:18080", "*:18081", "*:*", "_default_:18080"]);
            self.section("VirtualHost", address, Self::host);
        }
        if self.random.chance(15) {
            let include =
                self.random.pick(&["Include conf.d/*.conf", "IncludeOptional conf.d/*.conf", "IncludeOptional nowhere/*.conf"]);
            self.line(include);
        }
        self.fault(3);
    }

    fn load(&mut self, module: &str) {
        self.line(&format!("LoadModule {module}_module modules/mod_{module}.so"));
    }

    fn host(&mut self) {
        let name = self.random.pick(&["a.test", "b.test", "c.test", "localhost"]);
        self.line(&format!("ServerName {name}"));
        if self.random.chance(35) {
            let alias = self.random.pick(&["www.a.test", "*.b.test", "x.b.test c.test", "?.b.test"]);
            self.line(&format!("ServerAlias {alias}"));
        }
        self.settings();
        self.mappings();
        self.fault(2);
    }

    /// Settings of a server or a virtual host.
    fn settings(&mut self) {
        for (chance, line) in [
            (25, "ProxyPreserveHost On"),
            (15, "ProxyTimeout 120"),
            (10, "Timeout 90"),
            (15, "ProxyRequests Off"),
            (8, "ProxyVia On"),
            (4, "ProxyErrorOverride On"),
            (8, "RequestHeader set X-Forwarded-Proto \"https\""),
            (3, "RequestHeader unset Upgrade"),
            (3, "AllowEncodedSlashes NoDecode"),
            (3, "SetEnvIf Request_URI \"^/api\" no-proxy"),
            (2, "SetEnv proxy-nokeepalive 1"),
            (2, "SetEnv force-proxy-request-1.0 1"),
        ] {
            if self.random.chance(chance) {
                self.line(line);
            }
        }
    }

    /// What decides where a request goes.
    fn mappings(&mut self) {
        if self.random.chance(40) {
            self.rewriting();
        }
        for _ in 0..=1 + self.random.below(4) {
            match self.random.below(12) {
                0 => self.proxy_pass_match(),
                1 | 2 => self.location(),
                3 => self.other(),
                _ => self.proxy_pass(),
            }
        }
    }

    fn target(&mut self, path: &str) -> String {
        let scheme = self.random.pick(&["http", "http", "http", "ws"]);
        if self.balancer && self.random.chance(40) {
            return format!("balancer://ws{path}");
        }
        let backend = self.random.pick(&BACKENDS);
        format!("{scheme}://{backend}{path}")
    }

    /// Worker parameters; a balancer takes none of them.
    fn parameters(&mut self, target: &str) -> String {
        let mut text = String::new();
        if target.starts_with("balancer:") && !self.random.chance(3) {
            return text;
        }
        for (chance, parameter) in [
            (55, " upgrade=websocket"),
            (3, " upgrade=ANY"),
            (3, " upgrade=NONE"),
            (8, " timeout=300"),
            (4, " retry=0"),
            (5, " nocanon"),
            (4, " keepalive=On"),
            (4, " disablereuse=On"),
            (2, " connectiontimeout=5"),
        ] {
            if self.random.chance(chance) {
                text.push_str(parameter);
            }
        }
        text
    }

    fn proxy_pass(&mut self) {
        let prefix = self.random.pick(&PREFIXES);
        if self.random.chance(6) {
            self.line(&format!("ProxyPass \"{prefix}\" \"!\""));
            return;
        }
        let path = match self.random.below(5) {
            0 => "/",
            1 => "",
            2 => "/app/",
            _ => prefix,
        };
        let target = self.target(path);
        let parameters = self.parameters(&target);
        self.line(&format!("ProxyPass \"{prefix}\" \"{target}\"{parameters}"));
        if self.random.chance(60) {
            self.line(&format!("ProxyPassReverse \"{prefix}\" \"{target}\""));
        }
    }

    fn proxy_pass_match(&mut self) {
        let (pattern, path) = match self.random.below(5) {
            0 => ("^/ws/(.*)$", "/$1"),
            1 => ("^/(ws.*)$", "/$1"),
            2 => ("^/(api|app)/(.*)$", "/$2"),
            3 => ("^/socket\\.io(/.*)?$", "/socket.io$1"),
            _ => ("^/chat$", "/ws"),
        };
        let target = self.target(path);
        let parameters = self.parameters(&target);
        self.line(&format!("ProxyPassMatch \"{pattern}\" \"{target}\"{parameters}"));
    }

    fn location(&mut self) {
        let matched = self.random.chance(25);
        let (name, argument) = if matched {
            ("LocationMatch", self.random.pick(&["\"^/ws\"", "\"^/(ws|socket\\.io)/\"", "\"/chat$\""]))
        } else {
            ("Location", self.random.pick(&["\"/\"", "\"/ws\"", "\"/ws/\"", "/api", "\"/app/\"", "\"/ws/chat\""]))
        };
        self.section(name, argument, |location| {
            if !matched && location.random.chance(60) {
                let path = location.random.pick(&["/", "/ws", "", "/app/"]);
                let target = location.target(path);
                let parameters = location.parameters(&target);
                location.line(&format!("ProxyPass \"{target}\"{parameters}"));
            }
            for (chance, line) in [
                (12, "Require all denied"),
                (12, "Require all granted"),
                (5, "Require ip 127.0.0.1"),
                (5, "Require ip 10.0.0.0/8"),
                (6, "RequestHeader set Connection \"upgrade\""),
                (6, "RequestHeader unset Origin"),
                (4, "ProxyPreserveHost On"),
                (5, "RequestHeader set X-Forwarded-Proto \"https\" env=HTTPS"),
            ] {
                if location.random.chance(chance) {
                    location.line(line);
                }
            }
        });
    }

    fn rewriting(&mut self) {
        self.line("RewriteEngine On");
        for _ in 0..=self.random.below(2) {
            self.rules += 1;
            if self.random.chance(75) {
                let condition = self.random.pick(&[
                    "%{HTTP:Upgrade} websocket [NC]",
                    "%{HTTP:Upgrade} =websocket [NC]",
                    "%{HTTP:Upgrade} ^websocket$",
                    "%{HTTP:UPGRADE} ^WebSocket$ [NC]",
                    "%{HTTP:Upgrade} !=websocket [NC]",
                    "%{REQUEST_URI} ^/ws",
                    "%{HTTP_HOST} ^a\\. [NC]",
                    "%{QUERY_STRING} transport=websocket [NC]",
                    "%{REQUEST_METHOD} GET",
                    "%{HTTPS} off",
                ]);
                self.line(&format!("RewriteCond {condition}"));
            }
            if self.random.chance(40) {
                let condition = self.random.pick(&[
                    "%{HTTP:Connection} upgrade [NC]",
                    "%{HTTP:Connection} Upgrade",
                    "%{HTTP:Connection} ^Upgrade$",
                    "%{HTTP:Connection} upgrade [NC,OR]",
                    "%{REQUEST_URI} !^/api",
                ]);
                self.line(&format!("RewriteCond {condition}"));
            }
            let rule = self.random.pick(&[
                "^/?(.*) \"ws://127.0.0.1:19001/$1\" [P,L]",
                "^/?(.*) \"http://127.0.0.1:19001/$1\" [P,L]",
                "/(.*) ws://127.0.0.1:19010/$1 [P]",
                "^/ws(.*)$ /socket.io$1 [PT,L]",
                "^/chat$ /ws/chat [PT]",
                "^/app$ /app/ [R=301,L]",
                "^/(.*)$ https://b.test/$1 [R,L]",
                "^/api/ - [F]",
                "^/app/ - [L]",
                "^/chat - [G]",
                "^/socket\\.io/ - [R=404]",
            ]);
            self.line(&format!("RewriteRule {rule}"));
        }
    }

    fn other(&mut self) {
        match self.random.below(7) {
            0 => self.line("Redirect permanent \"/app\" \"https://b.test/app\""),
            1 => self.line("RedirectMatch 302 \"^/chat$\" \"/ws\""),
            2 => self.section("Proxy", "\"*\"", |proxy| proxy.line("Require all granted")),
            3 => self.section("IfModule", "mod_proxy_wstunnel.c", |section| {
                section.line("ProxyPass \"/ws\" \"ws://127.0.0.1:19001/ws\"");
            }),
            4 => self.section("IfModule", "!mod_rewrite.c", Self::proxy_pass),
            5 => self.section("If", "\"%{HTTP:Upgrade} == 'websocket'\"", |section| section.line("RequestHeader set X-Seen 1")),
            _ => self.section("Proxy", "\"http://127.0.0.1:19001/ws\"", |proxy| proxy.line("ProxySet upgrade=websocket")),
        }
    }

    /// Now and then something that httpd does not take.
    fn fault(&mut self, percent: usize) {
        if !self.random.chance(percent) {
            return;
        }
        let line = self.random.pick(&[
            "ProxyPass \"/x\" \"http://127.0.0.1:19001/\" upgrade",
            "ProxyPass \"/x\" \"http://127.0.0.1:19001/\" upgraded=websocket",
            "ProxyPass \"/x\" http://127.0.0.1:19001/ timeout=0",
            "ProxyPas \"/x\" \"http://127.0.0.1:19001/\"",
            "ProxyTimeout 60 # seconds",
            "ProxyPreserveHost Maybe",
            "<Location /x>",
            "</Location>",
            "Include nowhere.conf",
            "ProxyTimeout 0",
            "Timeout 1h 2m",
        ]);
        self.line(line);
    }
}
