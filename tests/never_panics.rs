//! No configuration brings the program down: recorded ones are cut up, mixed and moved into other files, then checked, mended and followed.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use proxylint::handshake::{Client, Probe, Socket, follow};
use proxylint::{Request, fix};

/// The lines of every recorded configuration of one server.
type Recorded = Vec<Vec<String>>;

static NGINX: LazyLock<Recorded> = LazyLock::new(|| recorded("nginx", "nginx.conf"));
static APACHE: LazyLock<Recorded> = LazyLock::new(|| recorded("apache", "httpd.conf"));

fn recorded(server: &str, main: &str) -> Recorded {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance").join(server);
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let read = |case: &std::path::PathBuf| fs::read(case.join(main)).ok();
    let lines = |text: Vec<u8>| String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    cases.iter().filter_map(read).map(lines).collect()
}

/// What is done to a configuration.
#[derive(Clone, Debug)]
enum Change {
    /// A line is left out.
    Drop(Index),
    /// A line of another comes in.
    Take(Index, Index, Index),
    /// Lines are taken out into a file that is included, or that a directory has.
    Move(Index, u8, bool),
    /// Lines are written twice.
    Repeat(Index, u8),
    /// A line ends early.
    Cut(Index, Index),
    /// All lines that begin with this word go.
    Without(&'static str),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = any::<Index>;
    let words = prop::sample::select(vec!["LoadModule", "Listen", "ServerName", "<IfModule", "listen", "map", "}"]);
    let change = prop_oneof![
        4 => index().prop_map(Change::Drop),
        6 => (index(), index(), index()).prop_map(|(at, of, line)| Change::Take(at, of, line)),
        3 => (index(), 1..12u8, any::<bool>()).prop_map(|(at, count, included)| Change::Move(at, count, included)),
        1 => (index(), 1..6u8).prop_map(|(at, count)| Change::Repeat(at, count)),
        1 => (index(), index()).prop_map(|(at, end)| Change::Cut(at, end)),
        1 => words.prop_map(Change::Without),
    ];
    prop::collection::vec(change, 0..12)
}

/// The files that come of it: the main one, what it includes, and another.
fn changed(
    all: &Recorded,
    which: Index,
    changes: &[Change],
    included: &str,
    directive: &str,
) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut main = which.get(all).clone();
    let (mut include, mut directory) = (Vec::new(), Vec::new());
    for change in changes {
        if main.is_empty() {
            break;
        }
        let at = |index: &Index| index.index(main.len());
        match change {
            Change::Drop(index) => drop(main.remove(at(index))),
            Change::Take(index, of, line) => {
                let other = of.get(all);
                if !other.is_empty() {
                    main.insert(at(index), line.get(other).clone());
                }
            }
            Change::Move(index, count, into_include) => {
                let from = at(index);
                let lines: Vec<String> = main.drain(from..(from + usize::from(*count)).min(main.len())).collect();
                if *into_include {
                    include.extend(lines);
                    main.insert(from, directive.replace("FILE", included));
                } else {
                    directory.extend(lines);
                }
            }
            Change::Repeat(index, count) => {
                let from = at(index);
                let lines: Vec<String> = main[from..(from + usize::from(*count)).min(main.len())].to_vec();
                main.splice(from..from, lines);
            }
            Change::Cut(index, end) => {
                let place = at(index);
                let line = &mut main[place];
                let end = end.index(line.len() + 1);
                *line = String::from_utf8_lossy(&line.as_bytes()[..end]).into_owned();
            }
            Change::Without(word) => main.retain(|line| !line.trim_start().starts_with(word)),
        }
    }
    (main, include, directory)
}

/// Checks, plans fixes and follows requests; that it comes back is what is wanted.
fn run(files: &[(&str, &[String])]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, lines) in files {
        let place = folder.path().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, lines.join("\n") + "\n").unwrap();
    }
    let request = Request { paths: vec![folder.path().to_path_buf()], isolated: true, pedantic: true, ..Request::default() };
    let mut checked = proxylint::check(&request).unwrap();
    fix::plan(&mut checked, &request);
    for reached in &checked.project.roots {
        let gateway = checked.project.lower(reached);
        let view = checked.project.view(reached, &gateway);
        let files = |path: &Path| checked.project.store.kind_of(&reached.root.base, path);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for path in ["/", "/ws", "/ws/chat", "/app//x%2Fy"] {
            let request = Probe::Chrome.request("main.test:18080", path, false);
            let _walk = follow(&view, &Client { request, socket: Socket { address: here, port: 18080 }, from: here }, &files);
        }
    }
}

/// Lets directories have files of their own.
const OVERRIDDEN: &str = "DocumentRoot /srv/case/htdocs\n<Directory /srv/case/htdocs>\nAllowOverride All\n</Directory>";

/// What such files hold.
const SECTIONS: &[&str] = &[
    "<IfModule mod_rewrite.c>\nRewriteEngine On\nRewriteRule ^x ws://127.0.0.1:9000/x [P]\n</IfModule>",
    "<IfDefine X>\nRedirect /a /b\n</IfDefine>\n<IfModule !mod_alias.c>\nErrorDocument 404 /x\n</IfModule>",
    "<If \"%{HTTP:Upgrade} == 'websocket'\">\nRequire all denied\n</If>\n<Else>\nSetHandler \"proxy:ws://127.0.0.1:9000/\"\n</Else>",
    "<Files \"*.html\">\nRequire all granted\n</Files>\nFallbackResource /index.html\nDirectoryIndex ws",
    "<IfVersion >= 2.4>\nRewriteEngine On\nRewriteBase /\nRewriteRule (.*) $1/x [N=10]\n</IfVersion>",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nginx(which: Index, changes in changes()) {
        let (main, include, other) = changed(&NGINX, which, &changes, "part.conf", "include FILE;");
        run(&[("nginx.conf", &main), ("part.conf", &include), ("sites-available/other", &other)]);
    }

    #[test]
    fn httpd(which: Index, changes in changes(), overridden: bool, beside in prop::sample::select(SECTIONS)) {
        let (mut main, include, mut directory) = changed(&APACHE, which, &changes, "part.conf", "Include FILE");
        if overridden {
            main.extend(OVERRIDDEN.lines().map(str::to_owned));
            directory.extend(beside.lines().map(str::to_owned));
        }
        run(&[("httpd.conf", &main), ("part.conf", &include), ("htdocs/.htaccess", &directory)]);
    }
}
