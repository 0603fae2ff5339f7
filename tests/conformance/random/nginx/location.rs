//! Locations, nested ones too, and what they hold beside passing requests on.

use super::Writer;
use super::wrong::Place;

const PREFIXES: [&str; 20] = [
    "/",
    "/ws",
    "/ws",
    "/ws/",
    "/ws/chat",
    "/api",
    "/api/",
    "/api/v1/",
    "/app",
    "/app/",
    "/socket.io/",
    "/chat",
    "/chat/",
    "/static/",
    "/ws/a",
    "/health",
    "/admin",
    "/index.html",
    "\"/ws/a b\"",
    "/w",
];

const PATTERNS: [&str; 15] = [
    "^/ws",
    "^/ws/(.*)$",
    "\\.js$",
    "/chat$",
    "^/(api|app)/",
    "^/(?<rest>.+)/live$",
    "(ws|socket\\.io)",
    "^/WS",
    "\"^/w{1,2}s\"",
    "^/api/v(?<version>\\d+)/(?<rest>.*)$",
    "^/[^/]+$",
    "\\.(js|css|html)$",
    "^(?!/api)",
    "^/ws/(?<room>[a-z]+)/?(.*)",
    "/$",
];

impl Writer<'_> {
    /// A location; `parent` is the prefix it must begin with, `taken` what its siblings are called.
    pub(super) fn location(&mut self, parent: &str, taken: &mut Vec<String>) {
        // In a pattern's location only patterns can stand.
        let regex = parent == "~" || self.random.chance(28);
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
        let kind = match modifier {
            "^~" => "",
            other => other,
        };
        let key = format!("{kind} {path}");
        if taken.contains(&key) && !regex {
            return;
        }
        taken.push(key);
        let nests = modifier != "=" && parent.len() < 6 && !path.contains('"') && self.random.chance(20);
        let glued = !modifier.is_empty() && !path.starts_with('"') && self.random.chance(10);
        let head = format!("location {modifier}{}{path}", if glued { "" } else { " " }).replace("  ", " ");
        self.block(&head, |location| {
            location.body(regex);
            if nests {
                let mut taken = Vec::new();
                for _ in 0..=location.random.below(2) {
                    let parent = if regex { "~" } else { path.as_str() };
                    location.location(parent, &mut taken);
                }
            }
        });
    }

    /// What a location holds; where `bare`, a `proxy_pass` may have no URI.
    pub(super) fn body(&mut self, bare: bool) {
        self.settings(65);
        match self.random.below(26) {
            0 => {
                self.one_of(&[
                    "return 204;",
                    "return 200 ok;",
                    "return 200 \"$host $1\";",
                    "return 301 /ws/;",
                    "return 302 https://$host$request_uri;",
                    "return 307 $scheme://$host/chat$is_args$args;",
                    "return 404;",
                    "return 426;",
                    "return 444;",
                    "return 408;",
                    "return 499;",
                    "return 503;",
                    "return https://b.test/ws;",
                ]);
                return;
            }
            1 | 2 if self.try_files() => return,
            3 => self.rewrite(),
            4 | 5 => {
                let count = 1 + self.random.below(2);
                (0..count).for_each(|_| self.condition(true));
            }
            6 => self.access(90),
            7 => self.one_of(&["internal;", "satisfy any;", "limit_rate 100k;", "allow 127.0.0.1;"]),
            8 => {
                let methods = self.random.pick(&["GET POST", "GET", "POST", "HEAD", "PUT DELETE"]);
                self.block(&format!("limit_except {methods}"), |limit| {
                    limit.one_of(&["deny all;", "allow 127.0.0.1;", "deny 127.0.0.1;", "allow all;"]);
                    if limit.random.chance(15) {
                        limit.proxy_pass(true);
                    }
                });
            }
            9 => self.error_page(),
            10 => self.set(),
            11 => self.beside(),
            12 => {
                self.maybe(20, &["try_files $uri/index.html $uri =404;", "try_files /chat =410;", "random_index off;"]);
                self.one_of(&["root www;", "root /srv/none;", "alias www/;", "alias /srv/case/www/ws/;", "root /srv/case/www;"]);
                self.maybe(30, &["index chat;", "autoindex on;", "index /ws;"]);
                if self.random.chance(60) {
                    return;
                }
            }
            13 if self.known.zones => {
                self.one_of(&["limit_req zone=requests burst=100 nodelay;", "limit_conn connections 100;"]);
            }
            14 => {
                self.one_of(&[
                    "valid_referers none blocked *.a.test;",
                    "valid_referers server_names z.test;",
                    "valid_referers none b.test ~a\\.test;",
                ]);
                self.block("if ($invalid_referer)", |body| body.line("return 403;"));
            }
            15 => self.maybe(50, &["mirror /mirrored;", "mirror off;", "auth_request /asked;"]),
            _ => {}
        }
        if self.random.chance(92) {
            self.proxy_pass(bare);
        }
        if self.random.chance(4) {
            self.rewrite();
        }
        self.wrong(Place::Location);
    }

    /// Returns whether nothing stands beside it.
    fn try_files(&mut self) -> bool {
        let files = match self.random.below(8) {
            0 => "$uri $uri/ /ws",
            1 | 2 if self.known.named => "$uri @fallback",
            3 => "$uri /index.html",
            4 => "$uri/index.html $uri/ =404",
            5 => "/chat /ws?from=$uri",
            6 => "$uri $uri.html =403",
            _ => "$uri =404",
        };
        self.line(&format!("try_files {files};"));
        self.maybe(25, &["root www;", "root /srv/case/www;"]);
        self.random.chance(50)
    }

    /// What stands beside a `proxy_pass`.
    fn beside(&mut self) {
        self.one_of(&[
            "proxy_hide_header Upgrade;",
            "proxy_hide_header Sec-WebSocket-Accept;",
            "proxy_hide_header X-Powered-By;",
            "proxy_pass_request_headers off;",
            "proxy_pass_request_body off;",
            "proxy_method POST;",
            "proxy_set_body x;",
            "proxy_buffering off;",
            "proxy_request_buffering off;",
            "proxy_redirect off;",
            "proxy_redirect default;",
            "add_header X-Frame-Options DENY always;",
            "proxy_intercept_errors on;",
            "proxy_ignore_client_abort on;",
            "proxy_next_upstream error timeout http_502;",
            "proxy_cache off;",
            "proxy_pass_header Server;",
            "proxy_socket_keepalive on;",
            "proxy_ssl_server_name on;",
            "proxy_buffer_size 8k;",
            "client_max_body_size 0;",
            "chunked_transfer_encoding off;",
            "expires -1;",
            "gzip off;",
            "tcp_nodelay on;",
            "default_type application/json;",
            "access_log off;",
            "proxy_cookie_path / /ws;",
            "proxy_bind 127.0.0.1;",
            "proxy_bind off;",
            "proxy_buffers 16 8k;",
            "proxy_buffers 8 16k; proxy_buffer_size 16k;",
            "proxy_busy_buffers_size 12k;",
            "proxy_max_temp_file_size 0;",
            "proxy_cookie_domain off;",
            "proxy_cookie_flags session httponly;",
            "proxy_ignore_headers X-Accel-Redirect Vary;",
            "proxy_next_upstream_tries 2;",
            "proxy_cache_bypass $http_upgrade;",
            "access_log /dev/null combined buffer=4k flush=5s;",
            "stub_status;",
            "empty_gif;",
            "fastcgi_pass unix:/none.sock;",
            "disable_symlinks off;",
            "open_file_cache max=10 inactive=5s;",
        ]);
    }
}
