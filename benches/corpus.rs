//! Configuration to measure with: any number of virtual hosts as a configuration management system writes them, one file each.
//!
//! Every third host lacks what its WebSocket route needs, every fifth closes it after half a minute: the findings can be counted.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Which server's language to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// nginx: `nginx.conf` that includes `conf.d/*.conf`.
    Nginx,
    /// Apache httpd: `httpd.conf` that includes `sites/*.conf`.
    Apache,
}

impl Dialect {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Nginx, Self::Apache];

    /// The path of the main file.
    pub(crate) fn main(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Apache => "httpd.conf",
        }
    }

    fn site(self, number: usize) -> (PathBuf, String) {
        match self {
            Self::Nginx => (format!("conf.d/site{number:05}.conf").into(), nginx_site(number)),
            Self::Apache => (format!("sites/site{number:05}.conf").into(), apache_site(number)),
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
        })
    }
}

/// A configuration of `sites` virtual hosts: the paths and texts of its files, the main file first.
pub(crate) fn files(dialect: Dialect, sites: usize) -> impl Iterator<Item = (PathBuf, String)> {
    let main = match dialect {
        Dialect::Nginx => NGINX_MAIN,
        Dialect::Apache => APACHE_MAIN,
    };
    std::iter::once((PathBuf::from(dialect.main()), main.to_owned())).chain((0..sites).map(move |number| dialect.site(number)))
}

/// Writes the configuration below `directory` and says how many bytes it has.
pub(crate) fn write(dialect: Dialect, sites: usize, directory: &Path) -> io::Result<usize> {
    let mut bytes = 0;
    for (path, text) in files(dialect, sites) {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        bytes += text.len();
        fs::write(path, text)?;
    }
    Ok(bytes)
}

const NGINX_MAIN: &str = "\
worker_processes auto;

events {
    worker_connections 4096;
}

http {
    server_names_hash_max_size 262144;
    server_names_hash_bucket_size 128;
    variables_hash_max_size 4096;
    include conf.d/*.conf;
}
";

const APACHE_MAIN: &str = "\
ServerName localhost
Listen 80
Timeout 30

LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_host_module modules/mod_authz_host.so
LoadModule headers_module modules/mod_headers.so
LoadModule rewrite_module modules/mod_rewrite.so
LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so

IncludeOptional sites/*.conf
";

/// What the WebSocket route of every third site lacks.
fn lacks_upgrade(number: usize) -> bool {
    number.is_multiple_of(3)
}

/// Seconds until the WebSocket of a site is closed.
fn patience(number: usize) -> u32 {
    if number.is_multiple_of(5) { 30 } else { 3600 }
}

/// The address of a site's backend; every one its own.
fn backend(number: usize) -> String {
    format!("10.{}.{}.{}", number / 65536 % 256, number / 256 % 256, number % 256)
}

fn nginx_site(number: usize) -> String {
    let (backend, patience) = (backend(number), patience(number));
    let upgrade = if lacks_upgrade(number) {
        ""
    } else {
        "        proxy_set_header Upgrade $http_upgrade;\n        proxy_set_header Connection \"upgrade\";\n"
    };
    format!(
        r#"# Shop {number}. Managed by the deployment, changes will be overwritten.
upstream shop_{number} {{
    zone shop_{number} 64k;
    server {backend}:8080 max_fails=3 fail_timeout=10s;
    server {backend}:8081 backup;
    keepalive 16;
}}

server {{
    listen 80;
    server_name shop{number}.example.com www.shop{number}.example.com;

    access_log /var/log/nginx/shop{number}.access.log;
    error_log  /var/log/nginx/shop{number}.error.log warn;
    root /srv/www/shop{number}/public;
    client_max_body_size 16m;

    # what the auditors asked for
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy strict-origin-when-cross-origin always;
    add_header Content-Security-Policy "default-src 'self'; connect-src 'self' wss:; img-src 'self' data:" always;

    location / {{
        proxy_pass http://shop_{number};
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Connection "";
        proxy_connect_timeout 5s;
        proxy_next_upstream error timeout http_502;
    }}

    # stock levels as they change
    location /ws/ {{
        proxy_pass http://shop_{number};
        proxy_http_version 1.1;
{upgrade}        proxy_set_header Host $host;
        proxy_read_timeout {patience}s;
    }}

    location ~* \.(?:css|js|png|jpe?g|svg|ico|woff2)$ {{
        expires 7d;
        access_log off;
        try_files $uri @shop;
    }}

    location @shop {{
        proxy_pass http://shop_{number};
    }}

    location = /healthz {{ access_log off; return 200 "ok\n"; }}
    location ~ /\.(?!well-known) {{ deny all; }}
}}
"#
    )
}

fn apache_site(number: usize) -> String {
    let (backend, patience) = (backend(number), patience(number));
    let upgrade = if lacks_upgrade(number) { "" } else { " upgrade=websocket" };
    format!(
        r#"# Shop {number}. Managed by the deployment, changes will be overwritten.
<VirtualHost *:80>
    ServerName shop{number}.example.com
    ServerAlias www.shop{number}.example.com
    DocumentRoot "/srv/www/shop{number}/public"
    ErrorLog "/var/log/apache2/shop{number}.error.log"
    CustomLog "/var/log/apache2/shop{number}.access.log" "%h %l %u %t \"%r\" %>s %b"

    # what the auditors asked for
    <IfModule mod_headers.c>
        Header always set X-Content-Type-Options nosniff
        Header always set Referrer-Policy strict-origin-when-cross-origin
        RequestHeader set X-Forwarded-Proto "http"
    </IfModule>

    ProxyRequests Off
    ProxyPreserveHost On
    ProxyTimeout {patience}

    RewriteEngine On
    RewriteCond %{{REQUEST_METHOD}} !^(GET|HEAD|POST|PUT|DELETE|OPTIONS)$
    RewriteRule ^ - [R=405,L]

    <Location "/admin">
        Require ip 10.0.0.0/8
    </Location>

    ProxyPass        "/static/" "!"
    # stock levels as they change
    ProxyPass        "/ws/"     "http://{backend}:8080/ws/"{upgrade}
    ProxyPass        "/"        "http://{backend}:8080/"
    ProxyPassReverse "/"        "http://{backend}:8080/"
</VirtualHost>
"#
    )
}
