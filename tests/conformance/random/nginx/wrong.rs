//! Lines that nginx does not take, or that look as if it would not.

use super::Writer;

/// Where a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Main,
    Http,
    Group,
    Server,
    Location,
    Condition,
}

/// Lines for any place, most of which fit only some.
const ANYWHERE: [&str; 52] = [
    "proxy_http_version 3;",
    "proxy_http_version 1.1; proxy_http_version 1.1;",
    "proxy_set_header Upgrade;",
    "proxy_set_header X-Y $nowhere;",
    "proxy_set_header X-Y \"${host\";",
    "proxy_set_header X-Y $;",
    "proxy_set_headers X-Y 1;",
    "proxy_sett_header Upgrade $http_upgrade;",
    "proxy_set_header Connection upgrade",
    "proxy_set_header Connection \"upgrade;",
    "proxy_read_timeout 1y;",
    "proxy_read_timeout 10x;",
    "proxy_read_timeout 1 h;",
    "proxy_read_timeout -1;",
    "proxy_read_timeout 60s; proxy_read_timeout 60s;",
    "proxy_buffering maybe;",
    "proxy_buffers 4;",
    "proxy_buffers 4 4k;",
    "proxy_buffer_size 4x;",
    "proxy_pass;",
    "proxy_pass ws://127.0.0.1:19001;",
    "proxy_pass 127.0.0.1:19001;",
    "proxy_pass http://127.0.0.1:99999;",
    "proxy_pass http://;",
    "proxy_pass http://127.0.0.1:19001; proxy_pass http://127.0.0.1:19001;",
    "worker_connections 10;",
    "events { worker_connections 10; }",
    "include nowhere.conf;",
    "include nowhere/*.conf;",
    "include;",
    "listen 18080;",
    "server_name a.test;",
    "location /twice { } location /twice { }",
    "location { }",
    "location == /x { }",
    "location ~ ( { }",
    "rewrite ^/(.*$ /x;",
    "rewrite ^/x;",
    "rewrite ^/x$ /y forever;",
    "return;",
    "return 1000;",
    "return ok;",
    "set seen 1;",
    "set $http_upgrade 1;",
    "set $seen;",
    "if ($http_upgrade == websocket) { }",
    "if ( $http_upgrade ) { }",
    "if ($nowhere) { }",
    "error_page 200 /x;",
    "error_page 404;",
    "error_page 404 =abc /x;",
    "client_max_body_size 10q;",
];

/// More of them.
const OTHERS: [&str; 58] = [
    "upstream be { server 127.0.0.1:19001; }",
    "upstream empty { }",
    "upstream x { server 127.0.0.1:19001 weight=0; }",
    "upstream x { server 127.0.0.1:19001 sometimes; }",
    "upstream x { server 127.0.0.1; keepalive; }",
    "upstream x { ip_hash; server 127.0.0.1:19001 backup; }",
    "map $host { default 1; }",
    "map $host $x { default 1; default 2; }",
    "map $host $x { a 1; a 2; }",
    "map $host $x { a; }",
    "map $host x { a 1; }",
    "map $host $x { ~( 1; }",
    "map $nowhere $x { a 1; }",
    "map $host $uri { a 1; }",
    "geo $x { 300.0.0.0/8 1; }",
    "geo $x { 127.0.0.1 1 2; }",
    "geo x { default 1; }",
    "split_clients $host $x { 70% a; 40% b; }",
    "split_clients $host $x { many a; }",
    "limit_req zone=nowhere;",
    "limit_req burst=5;",
    "limit_conn nowhere 1;",
    "limit_conn nowhere many;",
    "limit_req_zone $host zone=z:1m rate=1r/s; limit_req_zone $host zone=z:1m rate=1r/s;",
    "limit_req_zone $host zone=z rate=1r/s;",
    "proxy_cache nowhere;",
    "access_log logs/a.log nowhere;",
    "access_log off;",
    "log_format own2 '$nowhere';",
    "log_format combined x;",
    "auth_basic;",
    "allow 127.0.0;",
    "allow 127.0.0.1/40;",
    "deny nobody;",
    "satisfy some;",
    "internal on;",
    "try_files $uri;",
    "try_files $uri =abc;",
    "try_files $uri =404; try_files $uri =404;",
    "alias /x/; root /y;",
    "root /x; root /y;",
    "expires soon;",
    "add_header X-Y;",
    "add_header X-Y 1 sometimes;",
    "keepalive_timeout many;",
    "resolver;",
    "resolver nowhere.invalid;",
    "valid_referers none;",
    "limit_except { deny all; }",
    "limit_except FETCH { deny all; }",
    "limit_rate fast;",
    "gzip_types;",
    "break now;",
    "uwsgi_pass 127.0.0.1:99999;",
    "}",
    "{",
    "server { listen 18085",
    "proxy_redirect;",
];

impl Writer<'_> {
    /// Now and then something that nginx does not take.
    pub(super) fn wrong(&mut self, place: Place) {
        let percent = match place {
            Place::Main | Place::Group | Place::Location => 1,
            Place::Condition | Place::Http | Place::Server => 2,
        };
        if !self.random.chance(percent) {
            return;
        }
        if self.random.chance(50) {
            self.one_of(&ANYWHERE);
        } else {
            self.one_of(&OTHERS);
        }
    }
}
