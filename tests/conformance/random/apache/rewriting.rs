//! Rewrite rules with conditions and flags, of servers and of directories.

use super::Writer;

const CONDITIONS: [&str; 54] = [
    "%{HTTP:Upgrade} websocket [NC]",
    "%{HTTP:Upgrade} websocket [NC]",
    "%{HTTP:Upgrade} =websocket [NC]",
    "%{HTTP:Upgrade} =websocket",
    "%{HTTP:Upgrade} ^websocket$",
    "%{HTTP:UPGRADE} ^WebSocket$ [NC]",
    "%{HTTP:Upgrade} !=websocket [NC]",
    "%{HTTP:Upgrade} !websocket [NC]",
    "%{HTTP_UPGRADE} websocket [NC]",
    "%{HTTP:Upgrade} ^$",
    "%{HTTP:Connection} upgrade [NC]",
    "%{HTTP:Connection} Upgrade",
    "%{HTTP:Connection} ^Upgrade$",
    "%{HTTP:Connection} upgrade [NC,OR]",
    "%{HTTP:Upgrade} websocket [NC,OR]",
    "%{HTTP:Sec-WebSocket-Key} .",
    "%{HTTP:Sec-WebSocket-Version} >12",
    "%{HTTP:Sec-WebSocket-Version} -ge 13",
    "%{REQUEST_URI} ^/ws",
    "%{REQUEST_URI} !^/api",
    "%{REQUEST_URI} \\.(html|txt)$",
    "%{REQUEST_URI} =/ws",
    "%{HTTP_HOST} ^a\\. [NC]",
    "%{HTTP_HOST} =a.test",
    "%{HTTP_HOST} ^([^.]+)\\.b\\.test$",
    "%{HTTP_HOST} !^localhost",
    "%{SERVER_NAME} =a.test",
    "%{SERVER_PORT} =18080",
    "%{SERVER_PORT} !^443$",
    "%{QUERY_STRING} transport=websocket [NC]",
    "%{QUERY_STRING} ^$",
    "%{QUERY_STRING} (^|&)a=([^&]*)",
    "%{REQUEST_METHOD} GET",
    "%{REQUEST_METHOD} !^(GET|HEAD)$",
    "%{HTTPS} off",
    "%{HTTPS} =on",
    "%{HTTPS} !=on",
    "%{REQUEST_SCHEME} =http",
    "%{REMOTE_ADDR} ^127\\.",
    "%{THE_REQUEST} \\s/ws",
    "%{ENV:seen} =1",
    "%{HTTP_ORIGIN} example\\.test [NC]",
    "expr \"%{HTTP:Upgrade} -strmatch 'web*'\"",
    "$1 ^chat",
    "%{HTTP:Sec-WebSocket-Version} <9",
    "%{REQUEST_URI} >/ws",
    "%{REQUEST_URI} <=/ws",
    "expr \"! %{HTTP:Upgrade} == ''\"",
    "expr \"%{REQUEST_URI} =~ m#^/(ws|app)#\"",
    "%{HTTP:Upgrade} !^$ [NV]",
    "%{SERVER_PROTOCOL} =HTTP/1.1",
    "%{IS_SUBREQ} =false",
    "%{HTTP_HOST}%{REQUEST_URI} ^a\\.test/ws [NC]",
    "%{SERVER_PORT} -lt 20000",
];

const FILE_CONDITIONS: [&str; 6] = [
    "%{REQUEST_FILENAME} !-f",
    "%{REQUEST_FILENAME} !-d",
    "%{REQUEST_FILENAME} -f",
    "%{DOCUMENT_ROOT}%{REQUEST_URI} -f",
    "%{DOCUMENT_ROOT}%{REQUEST_URI} !-f",
    "/srv/case/htdocs%{REQUEST_URI} !-d",
];

const RULES: [&str; 54] = [
    "^/?(.*) \"ws://127.0.0.1:19001/$1\" [P,L]",
    "^/?(.*) \"ws://127.0.0.1:19001/$1\" [P,L]",
    "^/?(.*) \"http://127.0.0.1:19001/$1\" [P,L]",
    "^(.*)$ \"ws://127.0.0.1:19001$1\" [P]",
    "/(.*) ws://127.0.0.1:19010/$1 [P]",
    "^/ws/(.*) ws://localhost:19001/$1 [P,NC]",
    "^/ws ws://127.0.0.1:19001%{REQUEST_URI} [P,L,NE]",
    "^/(.*)$ ws://127.0.0.1:19001/$1?from=rule [P,QSA]",
    "^/(.*)$ ws://127.0.0.1:19001/$1? [P]",
    "^/(.*)$ http://127.0.0.1:19010/%1/$1 [P]",
    "^/(.*)$ ws://127.0.0.1:19001/$1 [P,QSD]",
    "^/ws(.*)$ /socket.io$1 [PT,L]",
    "^/chat$ /ws/chat [PT]",
    "^/chat$ /ws",
    "^/chat$ /ws [L]",
    "^/wsx$ /ws?x=1 [PT,QSA]",
    "^/app$ /app/ [R=301,L]",
    "^/app$ /app/ [R]",
    "^/app$ http://%{HTTP_HOST}/app/ [R=302,L]",
    "^/(.*)$ https://b.test/$1 [R,L]",
    "^ https://%{HTTP_HOST}%{REQUEST_URI} [L,R=301]",
    "^ https://%{SERVER_NAME}%{REQUEST_URI} [END,NE,R=permanent]",
    "^/(.*)$ https://b.test/?q=$1 [R,L,QSA,B]",
    "^/api/ - [F]",
    "^/app/ - [L]",
    "^/ws - [L]",
    "^ - [L]",
    "^/ws - [END]",
    "^ - [E=seen:1]",
    "^/ws - [E=no-proxy:1]",
    "^/api - [E=force-proxy-request-1.0:1]",
    "^/chat - [G]",
    "^/chat - [NC,F]",
    "^/socket\\.io/ - [R=404]",
    "^/api/v1 - [S=1]",
    "^/api/v1 - [S=2]",
    "^/wsx /ws/x [C]",
    "^/(.*)//(.*)$ /$1/$2 [N=5]",
    "!^/ws - [F]",
    "!^/(ws|chat) /index.html",
    "^ /index.html [L]",
    "^/files/(.*)$ /srv/case/htdocs/files/$1 [L]",
    "(.*) balancer://ws$1 [P]",
    "^/app/(.*) fcgi://127.0.0.1:19006/$1 [P]",
    "^/nothing$ /ws [PT,E=seen:1,NC]",
    "^/ws/chat /%{QUERY_STRING} [PT]",
    "^/(.*)$ ws://127.0.0.1:19001/$1 [P,B]",
    "^/(.*)$ ws://127.0.0.1:19001/app?u=$1 [P,B,BNP]",
    "^/(.*)$ ws://127.0.0.1:19001/$1 [P,UnsafeAllow3F]",
    "^/(.*)$ https://b.test/$1?x?y [R,QSL]",
    "^/api$ http://a.test/ws",
    "^/wsx$ ws [PT]",
    "^/chat/(.+)$ /ws/$1 [NS,PT]",
    "^/files/(.+)$ https://b.test/$1 [R,BCTLS]",
];

const DIRECTORY_RULES: [&str; 16] = [
    "^(.*)$ ws://127.0.0.1:19001/$1 [P,L]",
    "^(.*)$ \"ws://127.0.0.1:19001/$1\" [P]",
    "^ws http://127.0.0.1:19001/ws [P]",
    "^/(.*)$ ws://127.0.0.1:19001/$1 [P,L]",
    "^ index.html [L]",
    "^ /index.html [L]",
    "^ /ws [L]",
    "^chat$ ws [PT]",
    "^live$ /chat [L]",
    "^(.*)$ https://b.test/$1 [R=301,L]",
    "^live /app/ [R]",
    "^nothing$ files/a.txt [L]",
    "\\.txt$ - [F]",
    ". - [L]",
    "^ ws://127.0.0.1:19001%{REQUEST_URI} [P,END]",
    "^ - [E=seen:1]",
];

impl Writer<'_> {
    /// Rules of a server.
    pub(super) fn rewriting(&mut self) {
        let line = self.random.pick(&["RewriteEngine On", "RewriteEngine On", "RewriteEngine On", "RewriteEngine on", ""]);
        if !line.is_empty() || self.random.chance(70) {
            self.line(if line.is_empty() { "RewriteEngine Off" } else { line });
        }
        self.some(&[
            (4, "RewriteOptions Inherit"),
            (3, "RewriteOptions InheritBefore"),
            (3, "RewriteOptions InheritDown"),
            (2, "RewriteOptions InheritDownBefore"),
            (2, "RewriteOptions IgnoreInherit"),
            (2, "RewriteOptions AllowAnyURI"),
            (2, "RewriteOptions AllowNoSlash"),
            (2, "RewriteMap lower int:tolower"),
        ]);
        for _ in 0..=self.random.below(3) {
            self.conditions();
            let rule = self.random.pick(&RULES);
            if self.balancer || !rule.contains("balancer") {
                self.line(&format!("RewriteRule {rule}"));
            }
        }
    }

    fn conditions(&mut self) {
        for percent in [75, 40, 10] {
            if !self.random.chance(percent) {
                return;
            }
            let file = self.root && self.random.chance(12);
            let condition = if file { self.random.pick(&FILE_CONDITIONS) } else { self.random.pick(&CONDITIONS) };
            self.line(&format!("RewriteCond {condition}"));
        }
    }

    /// Rules of a directory, in its section or in its file.
    pub(super) fn directory_rules(&mut self) {
        self.line("RewriteEngine On");
        self.some(&[
            (15, "RewriteBase /"),
            (6, "RewriteBase /app/"),
            (5, "RewriteOptions Inherit"),
            (4, "Options +FollowSymLinks"),
        ]);
        for _ in 0..=self.random.below(2) {
            self.conditions();
            let rule = self.random.pick(&DIRECTORY_RULES);
            self.line(&format!("RewriteRule {rule}"));
        }
    }
}
