//! Whose configuration a file is, by its name and its first lines. Never a guess: what is neither server's is left alone.

use std::path::Path;

use memchr::{memchr, memchr_iter};

use crate::gateway::Server;

/// Endings of names that are worth a look inside, wherever the file lies.
const ENDINGS: [&str; 19] = [
    "conf", "inc", "nginx", "vhost", "vhosts", "site", "load", "htaccess", "j2", "jinja", "jinja2", "erb", "epp", "tmpl", "tpl",
    "template", "in", "mustache", "ejs",
];

/// Endings of files that no server reads: backups, and what package managers and editors leave behind.
const LEFTOVERS: [&str; 12] =
    ["bak", "old", "orig", "save", "swp", "rej", "rpmnew", "rpmsave", "rpmorig", "dpkg-dist", "dpkg-old", "dpkg-new"];

/// Words in the name of a directory or file that make a file of any ending, or none, worth a look inside.
const PLACES: [&str; 8] = ["nginx", "apache", "httpd", "sites-", "vhost", "conf.d", "snippets", "openresty"];

/// Endings that are never configuration, even in such places.
const FOREIGN_ENDINGS: [&str; 38] = [
    "md", "rst", "txt", "html", "htm", "css", "js", "ts", "json", "yaml", "yml", "toml", "xml", "sh", "py", "rb", "pp", "go",
    "rs", "c", "h", "php", "pl", "lua", "sql", "log", "pem", "crt", "key", "csr", "png", "jpg", "svg", "ico", "gz", "zip", "so",
    "service",
];

/// Whether a file found in a directory may be configuration by its name, so that looking inside is worth while.
#[must_use]
pub fn is_candidate(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()) else {
        return false;
    };
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if LEFTOVERS.contains(&ending) || name.ends_with('~') || name.starts_with('#') {
        return false;
    }
    if ENDINGS.contains(&ending) || name.contains(".conf.") {
        return true;
    }
    !FOREIGN_ENDINGS.contains(&ending)
        && path.components().rev().take(4).any(|part| {
            let part = part.as_os_str().to_string_lossy().to_ascii_lowercase();
            PLACES.iter().any(|place| part.contains(place))
        })
}

/// Whose configuration a file is: by the directives in its first bytes, or by its name where these say nothing against it.
#[must_use]
pub fn server_of(path: &Path, head: &[u8]) -> Option<Server> {
    if path.file_name().is_some_and(|name| name == ".htaccess") {
        return Some(Server::Apache);
    }
    if memchr(0, head).is_some() && memchr_iter(0, head).count() > head.len() / 16 {
        return None;
    }
    if is_link_text(head) {
        return None;
    }
    let votes = Votes::of(head);
    match votes.winner() {
        Some(server) => Some(server),
        None if votes.foreign > 0 => None,
        // Nothing but comments, or directives that both servers or neither have.
        None => match named(path) {
            Some((server, Certainty::Sure)) => Some(server),
            Some((Server::Nginx, Certainty::Hint)) if votes.nginx_shaped > 0 => Some(Server::Nginx),
            _ => None,
        },
    }
}

/// Whether a file is what a checkout without symbolic links makes of one: the path that the link leads to, and nothing else.
pub(super) fn is_link_text(head: &[u8]) -> bool {
    let text = head.trim_ascii_end();
    text.starts_with(b"../") && !text.iter().any(u8::is_ascii_whitespace)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Sure,
    Hint,
}

fn named(path: &Path) -> Option<(Server, Certainty)> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let (server, certainty) = match () {
        () if name == ".htaccess" || starts_with_any(&name, &["httpd.conf", "apache2.conf"]) => (Server::Apache, Certainty::Sure),
        () if name.starts_with("nginx.conf") || path.extension().is_some_and(|ending| ending == "nginx") => {
            (Server::Nginx, Certainty::Sure)
        }
        () if holds(path, &["nginx", "openresty", "snippets", "sites-", "conf.d"]) => (Server::Nginx, Certainty::Hint),
        () => return None,
    };
    Some((server, certainty))
}

fn starts_with_any(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

fn holds(path: &Path, words: &[&str]) -> bool {
    path.components().rev().take(4).any(|part| {
        let part = part.as_os_str().to_string_lossy().to_ascii_lowercase();
        words.iter().any(|word| part.contains(word))
    })
}

/// What the lines of a file speak for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Votes {
    /// Directives that only nginx has, in its form.
    nginx: usize,
    /// Directives and sections that only httpd has.
    apache: usize,
    /// Lines of other programs' languages.
    foreign: usize,
    /// Lines in nginx's form whose directive does not tell it apart.
    nginx_shaped: usize,
}

impl Votes {
    fn of(head: &[u8]) -> Self {
        let mut votes = Self::default();
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        for line in head.split(|&byte| byte == b'\n') {
            votes.line(line.trim_ascii());
            if votes.is_clear() {
                break;
            }
        }
        votes
    }

    /// Whether enough speaks for one server, and nothing for anything else, that the rest need not be looked at.
    fn is_clear(&self) -> bool {
        self.nginx + self.apache >= 8 && (self.nginx == 0 || self.apache == 0) && self.foreign == 0
    }

    fn line(&mut self, line: &[u8]) {
        match line {
            [] | [b'#' | b'}' | b'{', ..] => {}
            [b'<', rest @ ..] => self.section(rest),
            // An ini section: systemd, supervisor, php.
            [b'[', .., b']'] => self.foreign += 3,
            _ => self.directive(line),
        }
    }

    fn section(&mut self, rest: &[u8]) {
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        let name = word(rest);
        if is_one_of(name, APACHE_SECTIONS) {
            self.apache += 1;
        } else if is_one_of(name, FOREIGN_SECTIONS) || rest.first() == Some(&b'?') || rest.first() == Some(&b'!') {
            self.foreign += 3;
        }
    }

    fn directive(&mut self, line: &[u8]) {
        let name = word(line);
        let rest = line[name.len()..].trim_ascii_start();
        if name.is_empty() {
            return;
        }
        let ends = line_end(line);
        if matches!(ends, Some(b';' | b'{')) {
            if !rest.starts_with(b"=") {
                self.nginx_line(name, ends == Some(b'{'));
            }
        } else if rest.starts_with(b"=") || is_one_of(name, FOREIGN_WORDS) {
            self.foreign += 1;
        } else if is_one_of(name, APACHE_WORDS) || is_of_apache_family(name) {
            self.apache += 1;
        } else if NGINX_MULTILINE.contains(&name) {
            self.nginx += 1;
        }
    }

    fn nginx_line(&mut self, name: &[u8], block: bool) {
        let is_known = if block { NGINX_BLOCKS.contains(&name) } else { NGINX_WORDS.binary_search(&name).is_ok() };
        if is_known || name.ends_with(b"_pass") || name.starts_with(b"proxy_") || name.ends_with(b"_by_lua_block") {
            self.nginx += 1;
        } else {
            self.nginx_shaped += 1;
        }
    }

    /// Whose the file is, where one server's directives clearly prevail.
    fn winner(&self) -> Option<Server> {
        let (server, votes) = if self.nginx >= self.apache { (Server::Nginx, self.nginx) } else { (Server::Apache, self.apache) };
        // Lua and template code look foreign: one directive outweighs a few such lines.
        (votes > 0 && votes * 4 >= self.foreign).then_some(server)
    }
}

/// The directive's name at the beginning of a line.
fn word(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')));
    &line[..end.unwrap_or(line.len())]
}

/// The last byte of a line that is not part of a comment behind a `;` or brace.
fn line_end(line: &[u8]) -> Option<u8> {
    let last = line.last().copied()?;
    if matches!(last, b';' | b'{' | b'}') {
        // `location / { return 200; }` on one line opens with its brace.
        return if last == b'}' && line.contains(&b'{') { Some(b'{') } else { Some(last) };
    }
    let comment = memchr_iter(b'#', line).find(|&at| at > 0 && matches!(line[at - 1], b' ' | b'\t' | b';' | b'{'))?;
    line[..comment].trim_ascii_end().last().copied()
}

fn is_one_of(name: &[u8], list: &[&[u8]]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a name is of a module whose directives all begin alike, as `SSLVerifyClient` and `SessionCookieName` do.
fn is_of_apache_family(name: &[u8]) -> bool {
    let families: [&[u8]; 8] = [b"SSL", b"Session", b"LDAP", b"Cache", b"H2", b"MD", b"ProxyHTML", b"ProxyFCGI"];
    families.iter().any(|family| name.strip_prefix(*family).is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_uppercase)))
}

/// Blocks that tell nginx apart.
const NGINX_BLOCKS: &[&[u8]] = &[
    b"http",
    b"events",
    b"server",
    b"location",
    b"upstream",
    b"map",
    b"geo",
    b"split_clients",
    b"stream",
    b"mail",
    b"types",
    b"if",
    b"limit_except",
    b"match",
];

/// Directives that tell nginx apart from what else ends its lines with `;` (bind, dhcpd, C), in order.
const NGINX_WORDS: &[&[u8]] = &[
    b"access_log",
    b"add_header",
    b"alias",
    b"allow",
    b"auth_basic",
    b"auth_basic_user_file",
    b"auth_request",
    b"autoindex",
    b"charset",
    b"client_body_buffer_size",
    b"client_body_timeout",
    b"client_header_timeout",
    b"client_max_body_size",
    b"default_type",
    b"deny",
    b"error_log",
    b"error_page",
    b"etag",
    b"expires",
    b"fastcgi_buffers",
    b"fastcgi_index",
    b"fastcgi_param",
    b"fastcgi_pass",
    b"fastcgi_read_timeout",
    b"fastcgi_split_path_info",
    b"grpc_set_header",
    b"gzip",
    b"gzip_comp_level",
    b"gzip_proxied",
    b"gzip_types",
    b"gzip_vary",
    b"index",
    b"ip_hash",
    b"keepalive_timeout",
    b"large_client_header_buffers",
    b"limit_conn",
    b"limit_conn_zone",
    b"limit_req",
    b"limit_req_zone",
    b"listen",
    b"load_module",
    b"log_format",
    b"log_not_found",
    b"more_set_headers",
    b"pid",
    b"real_ip_header",
    b"resolver",
    b"return",
    b"rewrite",
    b"root",
    b"scgi_param",
    b"send_timeout",
    b"sendfile",
    b"server_name",
    b"server_tokens",
    b"set_real_ip_from",
    b"ssl_certificate",
    b"ssl_certificate_key",
    b"ssl_ciphers",
    b"ssl_dhparam",
    b"ssl_prefer_server_ciphers",
    b"ssl_protocols",
    b"ssl_session_cache",
    b"ssl_session_tickets",
    b"ssl_session_timeout",
    b"ssl_stapling",
    b"ssl_trusted_certificate",
    b"sub_filter",
    b"tcp_nodelay",
    b"tcp_nopush",
    b"try_files",
    b"underscores_in_headers",
    b"use",
    b"uwsgi_param",
    b"valid_referers",
    b"worker_connections",
    b"worker_processes",
    b"worker_rlimit_nofile",
];

/// Directives whose words often go on over several lines.
const NGINX_MULTILINE: &[&[u8]] =
    &[b"more_set_headers", b"valid_referers", b"log_format", b"gzip_types", b"server_name", b"add_header", b"ssl_ciphers"];

/// Sections that tell httpd apart.
const APACHE_SECTIONS: &[&[u8]] = &[
    b"VirtualHost",
    b"Location",
    b"LocationMatch",
    b"Directory",
    b"DirectoryMatch",
    b"Files",
    b"FilesMatch",
    b"IfModule",
    b"IfDefine",
    b"IfVersion",
    b"IfFile",
    b"IfDirective",
    b"IfSection",
    b"If",
    b"ElseIf",
    b"Proxy",
    b"ProxyMatch",
    b"Macro",
    b"RequireAll",
    b"RequireAny",
    b"RequireNone",
    b"AuthnProviderAlias",
    b"LimitExcept",
];

/// Sections of programs whose configuration looks like httpd's: proftpd, collectd, fluentd; and markup.
const FOREIGN_SECTIONS: &[&[u8]] = &[
    b"Global",
    b"Anonymous",
    b"Plugin",
    b"Chain",
    b"source",
    b"filter",
    b"html",
    b"xml",
    b"project",
    b"configuration",
    b"busconfig",
    b"fontconfig",
];

/// Directives that tell httpd apart from what else has a name and words on a line (sshd, proftpd, squid).
const APACHE_WORDS: &[&[u8]] = &[
    b"AddCharset",
    b"AddDefaultCharset",
    b"AddEncoding",
    b"AddHandler",
    b"AddIcon",
    b"AddIconByType",
    b"AddLanguage",
    b"AddOutputFilter",
    b"AddOutputFilterByType",
    b"AddType",
    b"Alias",
    b"AliasMatch",
    b"AllowEncodedSlashes",
    b"AllowOverride",
    b"AuthBasicProvider",
    b"AuthLDAPURL",
    b"AuthName",
    b"AuthType",
    b"AuthUserFile",
    b"BalancerMember",
    b"BrowserMatch",
    b"CacheEnable",
    b"CacheRoot",
    b"CustomLog",
    b"Dav",
    b"DavLockDB",
    b"DBDriver",
    b"DeflateCompressionLevel",
    b"DirectoryIndex",
    b"DocumentRoot",
    b"EnableSendfile",
    b"ErrorDocument",
    b"ExpiresActive",
    b"ExpiresByType",
    b"ExpiresDefault",
    b"ExtendedStatus",
    b"FileETag",
    b"Header",
    b"HostnameLookups",
    b"IncludeOptional",
    b"IndexOptions",
    b"JkMount",
    b"KeepAliveTimeout",
    b"LimitRequestBody",
    b"LoadModule",
    b"LogFormat",
    b"MaxConnectionsPerChild",
    b"MaxKeepAliveRequests",
    b"MaxRequestWorkers",
    b"MDomain",
    b"MIMEMagicFile",
    b"NameVirtualHost",
    b"OIDCProviderMetadataURL",
    b"PassengerRoot",
    b"php_value",
    b"php_admin_value",
    b"php_flag",
    b"php_admin_flag",
    b"ProxyAddHeaders",
    b"ProxyErrorOverride",
    b"ProxyPass",
    b"ProxyPassMatch",
    b"ProxyPassReverse",
    b"ProxyPreserveHost",
    b"ProxyRequests",
    b"ProxySet",
    b"ProxyTimeout",
    b"ProxyVia",
    b"Redirect",
    b"RedirectMatch",
    b"RedirectPermanent",
    b"RemoteIPHeader",
    b"RequestHeader",
    b"RequestReadTimeout",
    b"Require",
    b"RewriteBase",
    b"RewriteCond",
    b"RewriteEngine",
    b"RewriteMap",
    b"RewriteOptions",
    b"RewriteRule",
    b"Satisfy",
    b"ScriptAlias",
    b"ServerAlias",
    b"ServerLimit",
    b"ServerRoot",
    b"ServerSignature",
    b"ServerTokens",
    b"SetEnv",
    b"SetEnvIf",
    b"SetEnvIfNoCase",
    b"SetHandler",
    b"SetOutputFilter",
    b"SSLCACertificateFile",
    b"SSLCertificateFile",
    b"SSLCertificateKeyFile",
    b"SSLCipherSuite",
    b"SSLEngine",
    b"SSLHonorCipherOrder",
    b"SSLOpenSSLConfCmd",
    b"SSLOptions",
    b"SSLProtocol",
    b"SSLProxyEngine",
    b"SSLSessionCache",
    b"SSLUseStapling",
    b"StartServers",
    b"Substitute",
    b"SuexecUserGroup",
    b"ThreadsPerChild",
    b"TraceEnable",
    b"TypesConfig",
    b"UseCanonicalName",
    b"UserDir",
    b"WSGIDaemonProcess",
    b"WSGIScriptAlias",
    b"VirtualDocumentRoot",
];

/// First words of lines in other programs' configuration that could be taken for httpd's.
const FOREIGN_WORDS: &[&[u8]] = &[
    b"ServerType",
    b"DefaultServer",
    b"ServerIdent",
    b"PassivePorts",
    b"TransferLog2",
    b"LoadPlugin",
    b"ConnectPort",
    b"ViaProxyName",
    b"PermitRootLogin",
    b"PasswordAuthentication",
    b"AcceptEnv",
    b"Host",
    b"Subsystem",
    b"http_access",
    b"acl",
    b"frontend",
    b"backend",
    b"defaults",
    b"maxmemory",
    b"appendonly",
    b"bind",
    b"appendfsync",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_order() {
        assert!(NGINX_WORDS.is_sorted());
    }

    fn of(path: &str, text: &str) -> Option<Server> {
        server_of(Path::new(path), text.as_bytes())
    }

    #[test]
    fn each_server_is_known_by_its_directives() {
        assert_eq!(of("app.conf", "server {\n  listen 80;\n}\n"), Some(Server::Nginx));
        assert_eq!(of("ws.inc", "# a comment\nproxy_set_header Upgrade $http_upgrade;"), Some(Server::Nginx));
        assert_eq!(of("app.conf", "<VirtualHost *:80>\n  ProxyPass / http://b/\n</VirtualHost>\n"), Some(Server::Apache));
        assert_eq!(of("proxy.load", "LoadModule proxy_module modules/mod_proxy.so\n"), Some(Server::Apache));
        assert_eq!(of("vhost.conf.j2", "{% if x %}\nserver {\n listen {{ port }};\n}\n{% endif %}"), Some(Server::Nginx));
        assert_eq!(of("one-line.conf", "location / { return 200 'ok'; }"), Some(Server::Nginx));
    }

    #[test]
    fn other_programs_are_left_alone() {
        for (path, text) in [
            ("postgresql.conf", "listen_addresses = '*'\nmax_connections = 100\n"),
            ("supervisord.conf", "[supervisord]\nnodaemon=true\n[program:nginx]\ncommand=nginx\n"),
            ("haproxy.cfg", "defaults\n  mode http\nfrontend web\n  bind *:80\n"),
            ("redis.conf", "bind 127.0.0.1\nappendonly yes\nmaxmemory 1gb\n"),
            ("named.conf", "options {\n  directory \"/var\";\n};\ninclude \"/etc/bind/zones\";\n"),
            ("proftpd.conf", "ServerName \"x\"\nServerType standalone\nDefaultServer on\n<Global>\n</Global>\n"),
            ("sshd.conf", "Port 22\nPermitRootLogin no\nInclude /etc/ssh/x\n"),
            ("logging.conf", "[loggers]\nkeys=root\n"),
            ("empty.conf", ""),
            ("Makefile.in", "all: x\n\tcc -o x\n"),
        ] {
            assert_eq!(of(path, text), None, "{path}");
        }
    }

    #[test]
    fn a_name_decides_where_the_content_does_not_speak() {
        assert_eq!(of("nginx.conf", "# nothing yet\n"), Some(Server::Nginx));
        assert_eq!(of("www/.htaccess", "Options -Indexes\n"), Some(Server::Apache));
        assert_eq!(of("snippets/a.conf", "include other;\n"), Some(Server::Nginx));
        assert_eq!(of("etc/a.conf", "include other;\n"), None);
    }

    #[test]
    fn names_worth_a_look() {
        for path in
            ["a.conf", "sites-available/example.com", "nginx/proxy_params", "x.conf.sample", "vhost/_proxy.erb", "www/.htaccess"]
        {
            assert!(is_candidate(Path::new(path)), "{path}");
        }
        for path in ["a.txt", "src/main.rs", "nginx/README.md", "a.conf.bak", "nginx/a.conf~", "example.com"] {
            assert!(!is_candidate(Path::new(path)), "{path}");
        }
    }
}
