//! Sections: `<Location>`, `<Directory>`, `<Files>`, `<If>`, and the file of a directory.

use super::Writer;

const EXPRESSIONS: [&str; 30] = [
    "%{HTTP:Upgrade} == 'websocket'",
    "%{HTTP:Upgrade} =~ /websocket/i",
    "%{HTTP:Upgrade} != 'websocket'",
    "-n %{HTTP:Upgrade}",
    "-z req('Upgrade')",
    "tolower(%{HTTP:Upgrade}) == 'websocket'",
    "%{HTTP:Connection} =~ /upgrade/i && %{HTTP:Upgrade} =~ /websocket/i",
    "%{REQUEST_URI} =~ m#^/ws#",
    "%{REQUEST_URI} == '/ws'",
    "%{HTTP_HOST} == 'a.test' || %{HTTP_HOST} == 'b.test'",
    "%{HTTP_HOST} in { 'a.test', 'c.test' }",
    "%{REQUEST_METHOD} == 'GET'",
    "%{QUERY_STRING} =~ /transport=websocket/",
    "-R '127.0.0.0/8'",
    "%{REMOTE_ADDR} -ipmatch '10.0.0.0/8'",
    "req('Origin') -strmatch '*example*'",
    "! %{HTTPS} == 'on'",
    "%{HTTPS} == 'off'",
    "%{SERVER_PORT} -eq 18080",
    "true",
    "req_novary('Upgrade') -in { 'websocket', 'WebSocket' }",
    "%{env:seen} == '1'",
    "toupper(%{HTTP:Upgrade}) == 'WEBSOCKET'",
    "-T %{HTTPS}",
    "%{REQUEST_URI} -fnmatch '/ws*'",
    "%{HTTP_HOST} -strcmatch 'A.*'",
    "%{SERVER_NAME} . ':x' == 'a.test:x'",
    "! -n %{HTTP:Origin}",
    "%{QUERY_STRING} == '' && %{REQUEST_SCHEME} == 'http'",
    "%{HTTP:Sec-WebSocket-Version} -gt 12",
];

impl Writer<'_> {
    pub(super) fn location(&mut self) {
        let (name, argument) = self.random.choose(&[
            ("Location", "\"/\""),
            ("Location", "/"),
            ("Location", "\"/ws\""),
            ("Location", "\"/ws\""),
            ("Location", "\"/ws/\""),
            ("Location", "/api"),
            ("Location", "\"/app/\""),
            ("Location", "\"/ws/chat\""),
            ("Location", "\"/*/chat\""),
            ("Location", "~ \"^/ws\""),
            ("Location", "~ \"/(ws|api)/.*\""),
            ("LocationMatch", "\"^/ws\""),
            ("LocationMatch", "\"^/ws.*\""),
            ("LocationMatch", "\"^/(ws|socket\\.io)/\""),
            ("LocationMatch", "\"^/(ws|socket\\.io)(/.*)?$\""),
            ("LocationMatch", "\"/chat$\""),
            ("LocationMatch", "\"^/(?<rest>chat.*)\""),
        ]);
        self.section(name, argument, |location| {
            if location.random.chance(55) {
                let path = location.random.pick(&["/", "/ws", "", "/app/", "/ws/"]);
                let target = location.target(path);
                let parameters = location.parameters(&target);
                let directive = if location.random.chance(5) { "ProxyPassMatch" } else { "ProxyPass" };
                location.line(&format!("{directive} \"{target}\"{parameters}"));
                if location.random.chance(8) {
                    let target = location.target(path);
                    location.line(&format!("ProxyPass \"{target}\" upgrade=websocket"));
                }
                location.some(&[(20, "ProxyPassReverse \"/\"")]);
            } else if location.random.chance(6) {
                location.line("ProxyPass !");
            }
            location.body();
        });
    }

    /// What may stand in any section.
    fn body(&mut self) {
        self.access();
        self.some(&[
            (6, "RequestHeader set Connection \"upgrade\""),
            (4, "RequestHeader set Upgrade \"websocket\""),
            (3, "RequestHeader unset Upgrade"),
            (6, "RequestHeader unset Origin"),
            (4, "RequestHeader set Host \"backend.test\""),
            (3, "RequestHeader set X-Forwarded-Proto \"https\" env=HTTPS"),
            (3, "RequestHeader set X-Seen \"expr=%{REQUEST_URI}\""),
            (4, "ProxyPreserveHost On"),
            (3, "ProxyPreserveHost Off"),
            (3, "ProxyAddHeaders Off"),
            (4, "SetEnv proxy-nokeepalive 1"),
            (3, "SetEnv force-proxy-request-1.0 1"),
            (3, "SetEnvIf Upgrade websocket seen=1"),
            (3, "SetEnvIf Request_URI \"chat\" no-proxy"),
            (2, "SetHandler \"proxy:ws://127.0.0.1:19001/x\""),
            (2, "SetHandler server-status"),
            (2, "SetHandler none"),
            (3, "Redirect 302 https://b.test/there"),
            (2, "Redirect 403"),
            (2, "ErrorDocument 404 https://b.test/missing"),
            (2, "ErrorDocument 403 /ws"),
            (2, "ErrorDocument 404 \"nothing here\""),
            (2, "Header set X-Frame-Options DENY"),
            (2, "Options -Indexes +FollowSymLinks"),
        ]);
        if self.random.chance(4) {
            self.line("RewriteEngine On");
            let rule = self.random.pick(&[
                "^ ws://127.0.0.1:19001%{REQUEST_URI} [P]",
                "^(.*)$ ws://127.0.0.1:19001/$1 [P]",
                "^ https://b.test/ [R,L]",
                "chat - [F]",
            ]);
            self.line(&format!("RewriteRule {rule}"));
        }
    }

    /// Who is let in.
    fn access(&mut self) {
        match self.random.below(24) {
            0 => self.line("Require all denied"),
            1 => self.line("Require all granted"),
            2 => self.line("Require ip 127.0.0.1"),
            3 => self.line("Require ip 10.0.0.0/8 192.168"),
            4 => self.line("Require local"),
            5 => self.line("Require user alice"),
            6 => self.section("RequireAll", "", |all| {
                all.line("Require all granted");
                let line = all.random.pick(&["Require not ip 127.0.0.1", "Require not ip 10.0.0.1"]);
                all.line(line);
            }),
            7 => self.section("RequireAny", "", |any| {
                any.line("Require ip 10.0.0.1");
                let line = any.random.pick(&["Require env seen", "Require expr \"%{HTTP:Upgrade} == 'websocket'\""]);
                any.line(line);
            }),
            8 => self.section("RequireAll", "", |all| {
                all.section("RequireNone", "", |none| none.line("Require ip 10.0.0.1"));
                let line = all.random.pick(&["Require all granted", "Require valid-user"]);
                all.line(line);
            }),
            9 => {
                self.line("AuthType Basic");
                self.line("AuthName \"private\"");
                self.line("AuthUserFile /srv/case/passwords");
                self.line("Require valid-user");
            }
            10 => self.line("Require method GET POST"),
            11 => self.line("AllowMethods POST PUT"),
            12 => self.line("AllowMethods GET POST"),
            13 => {
                self.line("AuthMerging And");
                let line = self.random.pick(&["Require all granted", "Require ip 10.0.0.1"]);
                self.line(line);
            }
            14 => {
                let methods = self.random.pick(&["GET", "POST"]);
                self.section("Limit", methods, |limit| limit.line("Require all denied"));
            }
            15 => self.section("LimitExcept", "GET", |limit| limit.line("Require all denied")),
            16 => self.line("Require env seen"),
            17 => self.line("Require host example.test"),
            _ => {}
        }
    }

    pub(super) fn condition(&mut self) {
        let expression = self.random.pick(&EXPRESSIONS);
        self.section("If", &format!("\"{expression}\""), Self::conditional);
        if self.random.chance(15) {
            let expression = self.random.pick(&EXPRESSIONS);
            self.section("ElseIf", &format!("\"{expression}\""), Self::conditional);
        }
        if self.random.chance(25) {
            self.section("Else", "", Self::conditional);
        }
    }

    fn conditional(&mut self) {
        match self.random.below(9) {
            0 | 1 => self.line("RequestHeader set X-Seen 1"),
            2 => self.line("Require all denied"),
            3 => self.line("Require all granted"),
            4 => self.line("RequestHeader unset Upgrade"),
            5 => self.line("Redirect 302 https://b.test/if"),
            6 => self.line("ProxyPreserveHost On"),
            7 => self.line("SetEnv force-proxy-request-1.0 1"),
            _ => self.body(),
        }
    }

    /// The document root and what is set for it.
    pub(super) fn document_root(&mut self) {
        self.line("DocumentRoot \"/srv/case/htdocs\"");
        if self.random.chance(30) {
            self.section("Directory", "/", |directory| {
                let line = directory.random.pick(&["AllowOverride None", "Options None"]);
                directory.line(line);
                let line = directory.random.pick(&["Require all denied", "Require all granted"]);
                directory.line(line);
            });
        }
        self.section("Directory", "\"/srv/case/htdocs\"", |directory| {
            directory.line("Require all granted");
            let overrides = directory.random.pick(&[
                "AllowOverride All",
                "AllowOverride All",
                "AllowOverride None",
                "AllowOverride FileInfo",
                "AllowOverride AuthConfig Indexes",
                "AllowOverride FileInfo AuthConfig",
                "AllowOverride None\n    AllowOverrideList RewriteEngine RewriteRule RewriteCond",
                "AllowOverride Nonfatal=All FileInfo",
            ]);
            directory.line(overrides);
            directory.some(&[
                (40, "Options FollowSymLinks"),
                (15, "Options Indexes FollowSymLinks"),
                (5, "Options None"),
                (15, "DirectoryIndex index.html"),
                (5, "DirectoryIndex disabled"),
                (5, "FallbackResource /index.html"),
            ]);
        });
    }

    /// A section about files.
    pub(super) fn directory(&mut self) {
        let (name, argument) = self.random.choose(&[
            ("Directory", "\"/srv/case/htdocs\""),
            ("Directory", "\"/srv/case/htdocs/app\""),
            ("Directory", "/srv/case/htdocs/*"),
            ("Directory", "~ \"/htdocs/(app|files)\""),
            ("DirectoryMatch", "\"^/.*/app\""),
            ("Files", "\"index.html\""),
            ("Files", "\"*.txt\""),
            ("Files", "~ \"\\.(html|txt)$\""),
            ("FilesMatch", "\"\\.txt$\""),
            ("FilesMatch", "\"^ws\""),
        ]);
        self.section(name, argument, |directory| {
            if directory.random.chance(35) && name.starts_with("Dir") {
                directory.directory_rules();
            } else {
                directory.body();
            }
        });
    }

    /// The file of a directory.
    pub(super) fn directory_file(&mut self) {
        match self.random.below(8) {
            0..=3 => self.directory_rules(),
            4 => self.access(),
            5 => self.some(&[
                (30, "DirectoryIndex index.html"),
                (30, "Redirect 302 /app/live https://b.test/live"),
                (20, "SetEnv seen 1"),
                (20, "ErrorDocument 404 /index.html"),
            ]),
            6 => self.section("IfModule", "mod_rewrite.c", Self::directory_rules),
            _ => {
                let line = self.random.pick(&[
                    "ProxyPass /ws ws://127.0.0.1:19001/ws",
                    "Frobnicate on",
                    "RewriteRule",
                    "Options -Indexes",
                    "<Files \"a.txt\">\nRequire all denied\n</Files>",
                    "<If \"%{HTTP:Upgrade} == 'websocket'\">\nRequire all denied\n</If>",
                    "Listen 80",
                    "<Directory /x>\n</Directory>",
                ]);
                self.line(line);
            }
        }
    }
}
