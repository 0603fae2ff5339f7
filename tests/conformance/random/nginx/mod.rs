//! Random nginx configurations as people write them: tables, groups of backends, snippets, several servers, and now and then a fault.

mod location;
mod proxy;
mod server;
mod wrong;

use serde_json::{Value, json};

use super::{Deployment, Random};

/// What clients ask for.
const PATHS: [&str; 34] = [
    "/",
    "/ws",
    "/ws",
    "/ws/",
    "/ws/chat",
    "/ws/a/b?x=1",
    "/ws?token=abc&room=",
    "/api",
    "/api/",
    "/api/v1/ws",
    "/api/v2/users/7/ws",
    "/app/",
    "/app",
    "/app/live",
    "/socket.io/",
    "/socket.io/?transport=websocket",
    "/socket.io/?EIO=4&transport=polling",
    "/chat",
    "/static/a.js",
    "/static/",
    "/wsx",
    "/WS",
    "//ws",
    "/ws//chat",
    "/ws/../api",
    "/ws/./chat",
    "/%77s",
    "/ws/a%20b",
    "/ws/a%2Fb",
    "/ws/a+b?c=d+e",
    "/index.html",
    "/health",
    "/admin/ws",
    "/ws/?",
];

/// The hosts that they name.
const HOSTS: [&str; 14] = [
    "localhost",
    "a.test",
    "a.test",
    "www.a.test",
    "b.test",
    "x.b.test",
    "y.x.b.test",
    "c.test",
    "c.example",
    "A.Test",
    "a.test:18080",
    "a.test.",
    "127.0.0.1",
    "other.invalid",
];

/// What one file is being written with.
struct Writer<'a> {
    random: &'a mut Random,
    text: String,
    depth: usize,
    known: Known,
}

/// What a configuration has that others of its lines may name.
#[derive(Clone, Default)]
struct Known {
    /// The variables that tables define, besides those of every configuration.
    tables: Vec<&'static str>,
    /// How many snippets there are.
    snippets: usize,
    /// Whether the server has a named location.
    named: bool,
    /// Whether there are zones for limits.
    zones: bool,
}

/// One configuration and its requests.
pub(super) fn deployment(random: &mut Random) -> Deployment {
    let mut files = Vec::new();
    let known = Known { snippets: random.below(3), ..Known::default() };
    for number in 0..known.snippets {
        let mut writer = Writer { random, text: String::new(), depth: 0, known: Known::default() };
        writer.headers(85);
        if writer.random.chance(30) {
            writer.line("proxy_read_timeout 1h;");
        }
        files.push((format!("snippet{number}.inc"), writer.text));
    }
    let mut writer = Writer { random, text: String::new(), depth: 0, known };
    let sites = writer.main();
    let text = writer.text;
    let listens = |text: &str| text.lines().any(|line| line.trim_start().starts_with("listen ") && line.contains("18081"));
    let second_port = listens(&text) || sites.iter().any(|site| listens(&site.1));
    files.extend(sites);
    files.push(("nginx.conf".to_owned(), text));
    // Some have files of their own.
    if random.chance(30) {
        files.push(("html/index.html".to_owned(), "<p>\n".to_owned()));
        files.push(("html/static/a.js".to_owned(), ";\n".to_owned()));
    }
    if random.chance(30) {
        files.push(("www/ws/index.html".to_owned(), "<p>\n".to_owned()));
        files.push(("www/chat".to_owned(), "text\n".to_owned()));
    }
    let steps = (0..5).map(|number| request(random, number, second_port)).collect();
    Deployment { files, steps }
}

/// A request; most are a browser's handshake.
fn request(random: &mut Random, number: usize, second_port: bool) -> Value {
    let mut step = super::request(random, number, &PATHS, &HOSTS, second_port);
    match random.below(24) {
        0 => step["headers"] = json!({ "Sec-WebSocket-Version": "8" }),
        1 => step["headers"] = json!({ "User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/120.0" }),
        2 => step["headers"] = json!({ "Cookie": "session=abc; theme=dark" }),
        3 => step["headers"] = json!({ "X-Forwarded-For": "10.1.2.3" }),
        4 => step["headers"] = json!({ "Sec-WebSocket-Protocol": "chat, superchat" }),
        5 => step["headers"] = json!({ "Connection": "upgrade" }),
        6 => step["headers"] = json!({ "Connection": null }),
        7 => step["headers"] = json!({ "Upgrade": null }),
        8 => step["headers"] = json!({ "Referer": "http://a.test/x" }),
        9 => step["headers"] = json!({ "Upgrade": "h2c" }),
        10 => step["headers"] = json!({ "X-Real-IP": "1.2.3.4", "X-Custom": "a b" }),
        11 => step["headers"] = json!({ "X-Forwarded-For": "10.1.2.3, 10.9.9.9" }),
        12 => step["headers"] = json!({ "X-Real-IP": "10.1.2.3" }),
        _ => {}
    }
    step
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("    ", self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// One of the lines.
    fn one_of(&mut self, lines: &[&str]) {
        let line = self.random.pick(lines);
        self.line(line);
    }

    /// One of the lines, in so many percent of all cases.
    fn maybe(&mut self, percent: usize, lines: &[&str]) {
        if self.random.chance(percent) {
            self.one_of(lines);
        }
    }

    fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    /// The main file; returns the other files that hold servers.
    fn main(&mut self) -> Vec<(String, String)> {
        self.maybe(30, &["worker_processes 1;", "error_log stderr notice;", "pcre_jit on;"]);
        self.wrong(wrong::Place::Main);
        let mut sites = Vec::new();
        self.line("events { worker_connections 64; }");
        self.block("http", |http| {
            http.line("access_log off;");
            http.general();
            http.tables();
            http.groups();
            http.settings(25);
            let count = 1 + http.random.below(3);
            if http.random.chance(25) {
                // Servers of their own files, which come in the order of their names.
                for number in 0..count {
                    let known = Known { named: false, ..http.known.clone() };
                    let mut site = Writer { random: http.random, text: String::new(), depth: 0, known };
                    site.server(number);
                    sites.push((format!("conf.d/{number}-site.conf"), site.text));
                }
                http.one_of(&["include conf.d/*.conf;", "include conf.d/*-site.conf;", "include conf.d/?-s*.conf;"]);
            } else {
                (0..count).for_each(|number| http.server(number));
            }
            http.wrong(wrong::Place::Http);
        });
        sites
    }

    /// What stands in most files and decides nothing, or little.
    fn general(&mut self) {
        self.maybe(20, &["sendfile on;", "tcp_nopush on;", "gzip on;", "server_tokens off;", "default_type text/plain;"]);
        self.maybe(15, &["keepalive_timeout 65;", "client_max_body_size 10m;", "types_hash_max_size 2048;"]);
        self.maybe(8, &["merge_slashes off;", "absolute_redirect off;", "port_in_redirect off;", "server_name_in_redirect on;"]);
        self.maybe(8, &["underscores_in_headers on;", "large_client_header_buffers 4 16k;", "recursive_error_pages on;"]);
        self.maybe(5, &["resolver 127.0.0.1;", "resolver 127.0.0.1 valid=10s ipv6=off;"]);
        self.maybe(6, &["root www;", "index index.htm index.html;", "autoindex on;"]);
        self.maybe(
            8,
            &[
                "set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;",
                "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;",
                "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;",
            ],
        );
        self.maybe(6, &["proxy_buffers 16 4k;", "proxy_buffer_size 8k;", "connection_pool_size 512;"]);
        if self.random.chance(15) {
            self.known.zones = true;
            self.line("limit_req_zone $binary_remote_addr zone=requests:1m rate=1000r/s;");
            self.line("limit_conn_zone $binary_remote_addr zone=connections:1m;");
        }
        if self.random.chance(10) {
            self.line("log_format own '$remote_addr - \"$request\" $status $upstream_addr';");
        }
    }

    /// Variables that follow from others.
    fn tables(&mut self) {
        if self.random.chance(75) {
            self.known.tables.push("$connection_upgrade");
            let other = self.random.pick(&["''      close;", "\"\" close;", "''      '';", "default close;", "'' keep-alive;"]);
            let first = if other.starts_with("default") { "~*websocket upgrade;" } else { "default upgrade;" };
            self.block("map $http_upgrade $connection_upgrade", |map| {
                map.line(first);
                map.line(other);
            });
        }
        if self.random.chance(50) {
            self.known.tables.push("$pool");
            let subject = self.random.pick(&["$host", "$host", "$http_host", "$server_name"]);
            let hostnames = self.random.chance(40);
            self.block(&format!("map {subject} $pool"), |map| {
                if hostnames {
                    map.line("hostnames;");
                    map.maybe(50, &["*.b.test 127.0.0.1:19013;", ".b.test 127.0.0.1:19003;", "c.* 127.0.0.1:19010;"]);
                }
                map.line("default 127.0.0.1:19001;");
                map.line("a.test  127.0.0.1:19010;");
                map.maybe(70, &["~^x\\.  127.0.0.1:19003;", "~*^(?<label>[a-z])\\.B 127.0.0.1:19013;", "~^(.+)\\.test$ be;"]);
            });
        }
        if self.random.chance(40) {
            self.known.tables.push("$section");
            let subject = self.random.pick(&["$uri", "$request_uri", "$uri", "$args", "\"$host$uri\"", "$arg_room"]);
            self.block(&format!("map {subject} $section"), |map| {
                map.maybe(20, &["volatile;"]);
                map.maybe(70, &["default none;", "default /none;", "default \"\";", "default $host;"]);
                map.maybe(60, &["~^/(?<first>[^/]+)/ $first;", "~^/([a-z]+)/([a-z]+) $2;", "~/ws fixed;", "~*^/WS(/.*)?$ x$1;"]);
                map.maybe(40, &["~chat chat;", "/ws exact;", "~(.)$ $1$1;", "~^(?<host_part>[^/]*)/ $host_part;"]);
            });
        }
        if self.random.chance(25) {
            self.known.tables.push("$wants");
            let subject = self.random.pick(&[
                "$http_upgrade$http_connection",
                "$http_user_agent",
                "$http_origin",
                "$cookie_session",
                "$request_method",
                "$scheme",
                "$server_port",
                "$http_x_forwarded_for",
            ]);
            self.block(&format!("map {subject} $wants"), |map| {
                map.maybe(50, &["default 0;", "default 1;", "default \"\";"]);
                map.maybe(60, &["~*websocket 1;", "~Chrome 1;", "abc 1;", "GET 1;", "http 0;", "18080 1;", "'' 0;"]);
                map.maybe(40, &["~^https?://a\\.test 1;", "~*upgrade yes;", "10.1.2.3 1;", "\\default 2;"]);
            });
        }
        if self.random.chance(20) {
            self.known.tables.push("$near");
            let head = self.random.pick(&["geo $near", "geo $near", "geo $http_x_real_ip $near"]);
            self.block(head, |geo| {
                geo.maybe(20, &["ranges;"]);
                if geo.text.ends_with("ranges;\n") {
                    geo.line("127.0.0.0-127.0.0.255 1;");
                    geo.maybe(50, &["10.0.0.0-10.255.255.255 ten;"]);
                    geo.line("default 0;");
                    return;
                }
                geo.line("default 0;");
                geo.maybe(70, &["127.0.0.0/8 1;", "127.0.0.1 local;", "10.0.0.0/8 1;", "0.0.0.0/0 all;"]);
                geo.maybe(50, &["127.0.0.1/32 here;", "192.168.0.0/16 1;", "::1 1;"]);
                geo.maybe(25, &["proxy 127.0.0.1;", "proxy 10.0.0.0/8;", "proxy 127.0.0.0/8; proxy_recursive;"]);
            });
        }
        if self.random.chance(20) {
            self.known.tables.push("$variant");
            let subject = self.random.pick(&["$remote_addr", "\"${remote_addr}AAA\"", "$http_user_agent", "$uri", "$arg_token"]);
            self.block(&format!("split_clients {subject} $variant"), |split| {
                split.one_of(&["50% a;", "0.5% a;", "20% a;", "33.3% a;"]);
                split.maybe(50, &["30% b;", "10.25% b;"]);
                split.maybe(90, &["* c;", "* \"\";"]);
            });
        }
    }

    /// Groups of backends.
    fn groups(&mut self) {
        self.block("upstream be", |group| {
            group.maybe(25, &["ip_hash;", "least_conn;", "hash $remote_addr consistent;", "random;", "zone be 64k;"]);
            group.one_of(&["server 127.0.0.1:19001;", "server 127.0.0.1:19001 weight=3 max_fails=2 fail_timeout=10s;"]);
            group.maybe(20, &["server 127.0.0.1:19010;", "server 127.0.0.1:19010 max_conns=100;"]);
            group.maybe(30, &["keepalive 8;", "keepalive 32;"]);
            group.wrong(wrong::Place::Group);
        });
        if self.random.chance(20) {
            self.block("upstream App", |group| {
                group.line("server 127.0.0.1:19013;");
                group.maybe(30, &["server 127.0.0.1:19003 down;", "server 127.0.0.1:19003 backup;"]);
            });
        }
    }
}
