//! Random httpd configurations as people write them: mappings, rewrite rules, virtual hosts, sections, balancers, files of directories.

mod fault;
mod mapping;
mod rewriting;
mod section;
mod setting;

use super::{Deployment, Random, request};

const PATHS: [&str; 22] = [
    "/",
    "/ws",
    "/ws",
    "/ws/",
    "/ws/chat",
    "/ws/chat?a=b",
    "/ws/a%20b",
    "/ws//chat",
    "/api",
    "/api/v1/ws",
    "/app",
    "/app/",
    "/app/live",
    "/app/index.html",
    "/socket.io/",
    "/socket.io/?EIO=4&transport=websocket",
    "/chat",
    "/chat/room?x=1&y=2",
    "/wsx",
    "/files/a.txt",
    "/index.html",
    "/nothing",
];

const HOSTS: [&str; 9] =
    ["localhost", "a.test", "a.test", "www.a.test", "b.test", "x.b.test", "c.test", "A.TEST", "other.test:8080"];

/// Modules beside the ones that every such server has, and how often each is loaded, in percent.
const MODULES: [(&str, usize); 22] = [
    ("proxy_http", 97),
    ("proxy_wstunnel", 60),
    ("rewrite", 98),
    ("headers", 98),
    ("alias", 98),
    ("setenvif", 98),
    ("env", 98),
    ("slotmem_shm", 98),
    ("proxy_balancer", 98),
    ("dir", 50),
    ("autoindex", 30),
    ("mime", 70),
    ("auth_basic", 97),
    ("authn_core", 100),
    ("authn_file", 97),
    ("authz_user", 97),
    ("macro", 96),
    ("filter", 60),
    ("allowmethods", 97),
    ("access_compat", 30),
    ("status", 30),
    ("reqtimeout", 40),
];

/// What one file is being written with.
struct Writer<'a> {
    random: &'a mut Random,
    text: String,
    depth: usize,
    /// Whether there is the balancer `ws`.
    balancer: bool,
    /// Whether there is the macro `ws`.
    has_macro: bool,
    /// Whether there are names to define.
    defines: bool,
    /// Whether there is a document root.
    root: bool,
}

/// One configuration and its requests.
pub(super) fn deployment(random: &mut Random) -> Deployment {
    let mut files = Vec::new();
    for name in ["conf.d/site.conf", "conf.d/more.conf"] {
        let mut writer = Writer::new(random);
        writer.mappings(2);
        files.push((name.to_owned(), writer.text));
    }
    let mut writer = Writer::new(random);
    writer.root = writer.random.chance(60);
    let second = writer.main();
    let root = writer.root;
    files.push(("httpd.conf".to_owned(), writer.text));
    if root {
        // The directory itself is there.
        for (name, percent) in
            [("page.html", 100), ("index.html", 80), ("app/index.html", 70), ("ws/index.html", 10), ("files/a.txt", 80)]
        {
            if random.chance(percent) {
                files.push((format!("htdocs/{name}"), "a file\n".to_owned()));
            }
        }
        for (directory, percent) in [("", 25), ("app/", 15), ("files/", 8)] {
            if random.chance(percent) {
                let mut writer = Writer::new(random);
                writer.directory_file();
                files.push((format!("htdocs/{directory}.htaccess"), writer.text));
            }
        }
    }
    let mut steps: Vec<_> = (0..4).map(|number| request(random, number, &PATHS, &HOSTS, second)).collect();
    for step in &mut steps {
        if let Some(step) = step.as_object_mut() {
            step.insert("wait".to_owned(), 6.into());
        }
    }
    Deployment { files, steps }
}

impl<'a> Writer<'a> {
    fn new(random: &'a mut Random) -> Self {
        Self { random, text: String::new(), depth: 0, balancer: false, has_macro: false, defines: false, root: false }
    }

    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("    ", self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// One of the lines, which differ in how often they are written.
    fn some(&mut self, lines: &[(usize, &str)]) {
        for (percent, line) in lines {
            if self.random.chance(*percent) {
                self.line(line);
            }
        }
    }

    fn section(&mut self, name: &str, argument: &str, body: impl FnOnce(&mut Self)) {
        let blank = if argument.is_empty() { "" } else { " " };
        self.line(&format!("<{name}{blank}{argument}>"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    /// The main file; whether there is a second socket.
    fn main(&mut self) -> bool {
        for module in ["mpm_event", "unixd", "authz_core", "authz_host", "proxy"] {
            self.load(module);
        }
        for (module, percent) in MODULES {
            if self.random.chance(percent) {
                self.load(module);
                match module {
                    "proxy_balancer" => {
                        self.load("lbmethod_byrequests");
                        self.load("lbmethod_bytraffic");
                        self.balancer = self.random.chance(30);
                    }
                    "mime" => self.line("TypesConfig /dev/null"),
                    "macro" => self.has_macro = self.random.chance(20),
                    _ => {}
                }
            }
        }
        let name = self.random.pick(&["localhost", "localhost", "main.test:18080", "http://main.test", "a.test"]);
        if self.random.chance(95) {
            self.line(&format!("ServerName {name}"));
        }
        self.line("Listen 127.0.0.1:18080");
        let second = self.random.chance(30);
        if second {
            let line = self.random.pick(&["Listen 127.0.0.1:18081", "Listen 18081"]);
            self.line(line);
        }
        if self.root {
            self.document_root();
        }
        self.definitions();
        if self.balancer {
            self.balancer();
        }
        self.settings(true);
        let hosts = self.random.below(4);
        if hosts == 0 || self.random.chance(30) {
            self.mappings(4);
        }
        for number in 0..hosts {
            let address = self.random.pick(&[
                "*:18080",
                "*:18080",
                "*:18080",
                "*:18080",
                "127.0.0.1:18080",
                "*:18081",
                "*:*",
                "*",
                "_default_:18080",
                "0.0.0.0:18080",
                "localhost:18080",
                "*:18080 *:18081",
                "127.0.0.1",
                "10.0.0.1:18080",
                "[::1]:18080",
            ]);
            self.section("VirtualHost", address, |host| host.host(number));
        }
        if self.random.chance(15) {
            let include = self.random.pick(&[
                "Include conf.d/*.conf",
                "Include conf.d",
                "IncludeOptional conf.d/s*.conf",
                "Include conf.d/site.conf",
                "IncludeOptional nowhere/*.conf",
                "IncludeOptional nowhere.conf",
            ]);
            self.line(include);
        }
        self.fault(4);
        second
    }

    fn load(&mut self, module: &str) {
        self.line(&format!("LoadModule {module}_module modules/mod_{module}.so"));
    }

    /// Names, macros and conditions that are carried out while the file is read.
    fn definitions(&mut self) {
        self.defines = self.random.chance(30);
        if self.defines {
            self.line("Define BACKEND 127.0.0.1:19001");
            self.line("Define WS_PATH /ws");
            self.some(&[(50, "Define TLS"), (20, "UnDefine TLS"), (30, "Define UPGRADE upgrade=websocket")]);
        }
        if self.has_macro {
            self.section("Macro", "ws $path $backend", |body| {
                body.line("ProxyPass \"$path\" \"http://$backend$path\" upgrade=websocket");
                body.some(&[(50, "ProxyPassReverse \"$path\" \"http://$backend$path\""), (20, "ProxyTimeout 90")]);
            });
        }
    }

    fn host(&mut self, number: usize) {
        if self.random.chance(93) {
            let name = self.random.pick(&[
                "a.test",
                "a.test",
                "b.test",
                "c.test",
                "localhost",
                "A.test",
                "a.test:18080",
                "https://c.test:443",
                "b.test:8443",
            ]);
            self.line(&format!("ServerName {name}"));
        }
        if self.random.chance(35) {
            let alias =
                self.random.pick(&["www.a.test", "*.b.test", "x.b.test c.test", "?.b.test", "*.test", "www.a.test b.test", "*"]);
            self.line(&format!("ServerAlias {alias}"));
        }
        self.settings(false);
        self.mappings(4);
        if number == 0 && self.random.chance(8) {
            let line = self.random.pick(&["Include conf.d/site.conf", "IncludeOptional conf.d/m*.conf"]);
            self.line(line);
        }
        self.fault(2);
    }
}
