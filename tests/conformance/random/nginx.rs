//! Random nginx configurations as people write them: headers at every level, includes, maps, nested locations, several servers, rewrites.

use super::{Deployment, Random, request};

const PATHS: [&str; 14] = [
    "/",
    "/ws",
    "/ws/",
    "/ws/chat",
    "/ws/a/b?x=1",
    "/api",
    "/api/v1/ws",
    "/app/",
    "/app/live",
    "/socket.io/",
    "/socket.io/?transport=websocket",
    "/chat",
    "/static/a.js",
    "/wsx",
];

const HOSTS: [&str; 7] = ["localhost", "a.test", "www.a.test", "b.test", "x.b.test", "c.test", "A.Test"];

const NAMES: [&str; 9] =
    ["a.test", "www.a.test a.test", "b.test", "*.b.test", ".b.test", "_", "~^(?<sub>.+)\\.b\\.test$", "c.*", "localhost"];

const PREFIXES: [&str; 12] =
    ["/", "/ws", "/ws/", "/ws/chat", "/api", "/api/", "/app", "/app/", "/socket.io/", "/chat", "/static/", "/ws/a"];

const PATTERNS: [&str; 9] = [
    "^/ws",
    "^/ws/(.*)$",
    "\\.js$",
    "/chat$",
    "^/(api|app)/",
    "^/(?<rest>.+)/live$",
    "(ws|socket\\.io)",
    "^/WS",
    "\"^/w{1,2}s\"",
];

const BACKENDS: [&str; 6] = ["127.0.0.1:19001", "127.0.0.1:19001", "127.0.0.1:19010", "127.0.0.1:19003", "127.0.0.1:19013", "be"];

/// What one file is being written with.
struct Writer<'a> {
    random: &'a mut Random,
    text: String,
    depth: usize,
    maps: bool,
    snippets: usize,
    named: bool,
}

/// One configuration and its requests.
pub(super) fn deployment(random: &mut Random) -> Deployment {
    let snippets = random.below(3);
    let mut files = Vec::new();
    for number in 0..snippets {
        let mut writer = Writer { random, text: String::new(), depth: 0, maps: false, snippets: 0, named: false };
        writer.headers(80);
        if writer.random.chance(6) {
            writer.line("proxy_http_version 1.1;");
        }
        files.push((format!("snippet{number}.inc"), writer.text));
    }
    let mut writer = Writer { random, text: String::new(), depth: 0, maps: false, snippets, named: false };
    writer.main();
    let second_port = writer.text.contains("18081");
    files.push(("nginx.conf".to_owned(), writer.text));
    let steps = (0..4).map(|number| request(random, number, &PATHS, &HOSTS, second_port)).collect();
    Deployment { files, steps }
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("    ", self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    fn main(&mut self) {
        self.line("events { worker_connections 64; }");
        self.block("http", |http| {
            http.line("access_log off;");
            http.maps = http.random.chance(75);
            if http.maps {
                let other = http.random.pick(&["''      close;", "\"\" close;", "''      '';", "default close;"]);
                let first = if other.starts_with("default") { "~*websocket upgrade;" } else { "default upgrade;" };
                http.block("map $http_upgrade $connection_upgrade", |map| {
                    map.line(first);
                    map.line(other);
                });
                http.block("map $host $pool", |map| {
                    map.line("default 127.0.0.1:19001;");
                    map.line("a.test  127.0.0.1:19010;");
                    map.line("~^x\\.  127.0.0.1:19003;");
                });
            }
            http.block("upstream be", |upstream| {
                upstream.line("server 127.0.0.1:19001;");
                if upstream.random.chance(30) {
                    upstream.line("keepalive 8;");
                }
            });
            http.settings(30);
            for number in 0..=http.random.below(3) {
                http.server(number);
            }
            http.fault(2);
        });
    }

    fn server(&mut self, number: usize) {
        self.named = self.random.chance(35);
        self.block("server", |server| {
            let port = if number > 0 && server.random.chance(25) { 18081 } else { 18080 };
            let default = if number == 1 && server.random.chance(40) { " default_server" } else { "" };
            let address = server.random.pick(&["127.0.0.1:", "127.0.0.1:", "", "*:"]);
            server.line(&format!("listen {address}{port}{default};"));
            if server.random.chance(80) {
                let name = server.random.pick(&NAMES);
                server.line(&format!("server_name {name};"));
            }
            server.settings(50);
            if server.random.chance(15) {
                server.rewrite();
            }
            if server.random.chance(10) {
                server.condition(false);
            }
            if server.random.chance(12) {
                server.error_page();
            }
            let mut taken = Vec::new();
            if server.random.chance(55) {
                taken.push(" /".to_owned());
                server.block("location /", |location| location.body(false));
            }
            for _ in 0..=server.random.below(5) {
                server.location("", &mut taken);
            }
            if server.named {
                server.block("location @fallback", |named| named.body(true));
            }
            server.fault(2);
        });
    }

    /// A location; `parent` is the prefix it must begin with, `taken` what its siblings are called.
    fn location(&mut self, parent: &str, taken: &mut Vec<String>) {
        let regex = self.random.chance(25);
        let (modifier, path) = if regex {
            (self.random.pick(&["~", "~", "~*"]), self.random.pick(&PATTERNS).to_owned())
        } else {
            let path = match parent {
                "" => self.random.pick(&PREFIXES).to_owned(),
                _ => format!("{}{}", parent.trim_end_matches('/'), self.random.pick(&["/chat", "/a", "/", "/v1/ws", "/live"])),
            };
            (self.random.pick(&["", "", "", "", "^~", "="]), path)
        };
        // A prefix and a `^~` prefix of the same name are duplicates.
        let kind = if regex {
            modifier
        } else if modifier == "=" {
            "="
        } else {
            ""
        };
        let key = format!("{kind} {path}");
        if taken.contains(&key) {
            return;
        }
        taken.push(key);
        let nest = !regex && modifier != "=" && parent.len() < 6 && self.random.chance(18);
        let head = format!("location {modifier} {path}").replace("  ", " ");
        self.block(&head, |location| {
            location.body(regex);
            if nest {
                let mut taken = Vec::new();
                for _ in 0..=location.random.below(2) {
                    location.location(&path, &mut taken);
                }
            }
        });
    }

    /// What a location holds; where `bare`, a `proxy_pass` may have no URI.
    fn body(&mut self, bare: bool) {
        self.settings(65);
        match self.random.below(20) {
            0 => {
                let answer = self.random.pick(&[
                    "return 204;",
                    "return 200 ok;",
                    "return 301 /ws/;",
                    "return 302 https://$host$request_uri;",
                    "return 404;",
                    "return 426;",
                    "return https://b.test/ws;",
                ]);
                self.line(answer);
                return;
            }
            1 => {
                let files = match self.random.below(4) {
                    0 => "$uri $uri/ /ws",
                    1 if self.named => "$uri @fallback",
                    2 => "$uri /index.html",
                    _ => "$uri =404",
                };
                self.line(&format!("try_files {files};"));
                if self.random.chance(50) {
                    return;
                }
            }
            2 => self.rewrite(),
            3 => self.condition(true),
            4 => {
                let access =
                    self.random.pick(&["deny all;", "allow 127.0.0.1;", "deny 10.0.0.0/8;", "internal;", "satisfy any;"]);
                self.line(access);
            }
            5 => self.block("limit_except GET POST", |limit| limit.line("deny all;")),
            6 => self.error_page(),
            7 => {
                let other = self.random.pick(&[
                    "proxy_hide_header Upgrade;",
                    "proxy_pass_request_headers off;",
                    "proxy_method POST;",
                    "proxy_buffering off;",
                    "proxy_redirect off;",
                    "add_header X-Frame-Options DENY always;",
                    "proxy_intercept_errors on;",
                    "proxy_ignore_client_abort on;",
                ]);
                self.line(other);
            }
            _ => {}
        }
        if self.random.chance(92) {
            self.proxy_pass(bare);
        }
        self.fault(1);
    }

    fn proxy_pass(&mut self, bare: bool) {
        let backend = self.random.pick(&BACKENDS);
        let uri = match self.random.below(12) {
            _ if bare => "",
            0 => "/",
            1 => "/app",
            2 => "/app/",
            3 => "/ws",
            4 => "$request_uri",
            5 => "/x$uri",
            _ => "",
        };
        let pass = match self.random.below(16) {
            0 if self.maps => "proxy_pass http://$pool;".to_owned(),
            1 if self.maps => "proxy_pass http://$pool$request_uri;".to_owned(),
            2 => {
                self.line("set $target http://127.0.0.1:19001;");
                "proxy_pass $target;".to_owned()
            }
            _ => format!("proxy_pass http://{backend}{uri};"),
        };
        self.line(&pass);
    }

    /// Proxy settings of any level.
    fn settings(&mut self, percent: usize) {
        self.headers(percent);
        if self.random.chance(percent) {
            let version = self.random.pick(&["1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.0"]);
            self.line(&format!("proxy_http_version {version};"));
        }
        if self.random.chance(20) {
            let timeout = self.random.pick(&[
                "proxy_read_timeout 1h;",
                "proxy_read_timeout 300;",
                "proxy_send_timeout 60s;",
                "proxy_connect_timeout 5s;",
            ]);
            self.line(timeout);
        }
        if self.snippets > 0 && self.random.chance(12) {
            let number = self.random.below(self.snippets);
            self.line(&format!("include snippet{number}.inc;"));
        }
    }

    fn headers(&mut self, percent: usize) {
        if !self.random.chance(percent) {
            return;
        }
        if self.random.chance(45) {
            self.recipe();
            return;
        }
        let connection = match self.random.below(8) {
            0 => "$http_connection",
            1 => "\"\"",
            2 => "close",
            3 | 4 if self.maps => "$connection_upgrade",
            5 => "'Upgrade'",
            _ => "\"upgrade\"",
        };
        let upgrade = self.random.pick(&["$http_upgrade", "$http_upgrade", "$http_upgrade", "websocket", "$http_upgade", "\"\""]);
        let host = self.random.pick(&["$host", "$http_host", "$proxy_host", "$server_name", "b.test", "$host:$server_port"]);
        for (chance, line) in [
            (85, format!("proxy_set_header Upgrade {upgrade};")),
            (85, format!("proxy_set_header Connection {connection};")),
            (45, format!("proxy_set_header Host {host};")),
            (30, "proxy_set_header X-Real-IP $remote_addr;".to_owned()),
            (10, "proxy_set_header connection upgrade;".to_owned()),
        ] {
            if self.random.chance(chance) {
                self.line(&line);
            }
        }
    }

    /// The lines that work.
    fn recipe(&mut self) {
        self.line("proxy_set_header Upgrade $http_upgrade;");
        let connection = if self.maps { "$connection_upgrade" } else { "\"upgrade\"" };
        self.line(&format!("proxy_set_header Connection {connection};"));
        if self.random.chance(50) {
            self.line("proxy_set_header Host $host;");
        }
    }

    fn rewrite(&mut self) {
        let flag = self.random.pick(&[" last", " break", " break", "", " redirect", " permanent"]);
        let rule = self.random.pick(&[
            "^/ws/(.*)$ /$1",
            "^/api/(.*)$ /ws/$1",
            "^/app$ /app/",
            "^/chat /ws/chat",
            "^(.*)/live$ $1/stream?live=1",
            "/socket /ws?",
            "(?i)^/WS$ /ws/",
        ]);
        self.line(&format!("rewrite {rule}{flag};"));
    }

    fn condition(&mut self, in_location: bool) {
        let test = self.random.pick(&[
            "$http_upgrade",
            "$http_upgrade = websocket",
            "$http_upgrade ~* websocket",
            "$http_upgrade != websocket",
            "$host = a.test",
            "$host !~ ^a",
            "$request_method = POST",
            "$request_uri ~ ^/ws",
            "$scheme = http",
            "-f $request_filename",
            "!-e $request_filename",
        ]);
        self.block(&format!("if ({test})"), |body| match body.random.below(5) {
            0 => body.line("return 403;"),
            1 => body.line("return 301 https://$host$request_uri;"),
            2 => body.rewrite(),
            3 if in_location => body.proxy_pass(true),
            _ => body.line("set $seen 1;"),
        });
    }

    fn error_page(&mut self) {
        let page = match self.random.below(5) {
            0 if self.named => "error_page 404 502 = @fallback;",
            1 => "error_page 404 /ws;",
            2 => "error_page 426 =200 /chat;",
            3 => "error_page 403 https://b.test/;",
            _ => "error_page 502 504 /50x.html;",
        };
        self.line(page);
        if self.random.chance(30) {
            self.line("proxy_intercept_errors on;");
        }
    }

    /// Now and then something that nginx does not take.
    fn fault(&mut self, percent: usize) {
        if !self.random.chance(percent) {
            return;
        }
        let line = self.random.pick(&[
            "proxy_http_version 3;",
            "proxy_set_header Upgrade;",
            "proxy_set_header X-Y $nowhere;",
            "proxy_read_timeout 1y;",
            "proxy_read_timeout 10x;",
            "worker_connections 10;",
            "proxy_sett_header Upgrade $http_upgrade;",
            "proxy_http_version 1.1; proxy_http_version 1.1;",
            "include nowhere.conf;",
            "proxy_set_header Connection upgrade",
            "proxy_pass ws://127.0.0.1:19001;",
        ]);
        self.line(line);
    }
}
