//! Lines that nginx takes or refuses, each put into one small configuration: what it said of them is recorded, and we say the same.
//!
//! Where nginx is installed in the version that was asked, it is asked again; else that test is ignored, with the reason.
//! `PROXYLINT_REQUIRE_SERVERS=1` makes a missing nginx a failure; one of another version is none, for distributions have their own.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use proxylint::gateway::{Server, Version};
use proxylint::nginx::{lower, resolve};
use proxylint::project::{Root, Store};

const AROUND: &str = include_str!("../fixtures/nginx-lines/around.conf");
const LINES: &str = include_str!("../fixtures/nginx-lines/lines.tsv");
const NGINX: &str = "/usr/sbin/nginx";
/// The version that was asked.
const VERSION: Version = Version::new(1, 22, 1);

/// A line with its place, and what nginx says.
struct Row {
    place: &'static str,
    line: &'static str,
    /// Why nginx does not start; empty: it does.
    said: &'static str,
    /// Whether we say it in the same words.
    in_words: bool,
}

fn rows() -> Vec<Row> {
    let fields = LINES.lines().filter(|row| !row.starts_with('#')).map(|row| row.splitn(3, '\t').collect::<Vec<_>>());
    let row = |fields: Vec<&'static str>| {
        let said = fields[2];
        Row { place: fields[0], line: fields[1], said: said.trim_start_matches('~'), in_words: !said.starts_with('~') }
    };
    fields.map(row).collect()
}

impl Row {
    /// The configuration with the line in its place.
    fn configuration(&self) -> String {
        ["main", "http", "server", "location"].iter().fold(AROUND.to_owned(), |text, place| {
            text.replace(&format!("@{place}@"), if *place == self.place { self.line } else { "" })
        })
    }

    /// What is wrong with what was said of it instead.
    fn against(&self, said: Option<&str>, in_words: bool) -> Option<String> {
        let same = match said {
            None => self.said.is_empty(),
            Some(said) => !self.said.is_empty() && (!in_words || said == self.said),
        };
        (!same).then(|| {
            format!("{}: {}\n    recorded: {}\n    now: {}\n", self.place, self.line, self.said, said.unwrap_or("starts"))
        })
    }
}

/// Why we say that nginx refuses the file.
fn refused(path: &Path) -> Option<String> {
    let base = path.parent().unwrap().to_path_buf();
    let mut store = Store::default();
    store.add_base(&base).unwrap();
    let source = store.load(&[path.to_path_buf()], Server::Nginx).remove(0).unwrap();
    let root = Root { server: Server::Nginx, source, base, is_main: true };
    let resolved = resolve(&mut store, &root);
    let gateway = lower(&store, &root, &resolved, Some(VERSION));
    gateway.refusals.first().map(|refusal| refusal.message.clone())
}

/// Why nginx itself refuses the file.
fn really_refused(path: &Path) -> Option<String> {
    let folder = path.parent().unwrap();
    let output = Command::new(NGINX).arg("-t").arg("-p").arg(folder).arg("-c").arg(path).output().unwrap();
    if output.status.success() {
        return None;
    }
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = printed.lines().find_map(|line| line.split_once("[emerg] ")).map(|(_, said)| said).unwrap_or_default();
    // Without the process, the place and the folder.
    let said = first.split_once(": ").filter(|(process, _)| process.contains('#')).map_or(first, |(_, said)| said);
    let said = said.split(&format!(" in {}:", path.display())).next().unwrap_or_default();
    Some(said.replace(&format!("{}/", folder.display()), ""))
}

fn compare(rows: &[Row], ask: impl Fn(&Path) -> Option<String>, in_words: impl Fn(&Row) -> bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nginx.conf");
    rows.iter().fold(String::new(), |mut wrong, row| {
        fs::write(&path, row.configuration()).unwrap();
        if let Some(how) = row.against(ask(&path).as_deref(), in_words(row)) {
            write!(wrong, "{how}").unwrap();
        }
        wrong
    })
}

fn we_refuse_what_nginx_refuses_and_nothing_else() -> Result<(), Failed> {
    let rows = rows();
    assert!(rows.len() > 1300 && rows.iter().filter(|row| !row.said.is_empty()).count() > 900);
    none_is_wrong(compare(&rows, refused, |row| row.in_words))
}

/// Each version has words of its own, so that only the one that was asked then can be asked again.
fn nginx_says_what_is_recorded() -> Result<Completion, Failed> {
    let version = match installed() {
        Ok(version) => version,
        Err(reason) if std::env::var_os("PROXYLINT_REQUIRE_SERVERS").is_some() => return Err(reason.into()),
        Err(reason) => return Ok(Completion::ignored_with(reason)),
    };
    if version != VERSION.to_string() {
        return Ok(Completion::ignored_with(format!("nginx {VERSION} was asked, and {version} is installed")));
    }
    let rows = rows();
    let parts: Vec<_> = rows.chunks(rows.len().div_ceil(4)).collect();
    let wrong: String = thread::scope(|scope| {
        let asked: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || compare(part, really_refused, |_| true))).collect();
        asked.into_iter().map(|part| part.join().unwrap()).collect()
    });
    none_is_wrong(wrong)?;
    Ok(Completion::Completed)
}

/// The version of nginx that is installed, or why there is none.
fn installed() -> Result<String, String> {
    let output = Command::new(NGINX).arg("-v").output().map_err(|error| format!("{NGINX}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = said.split_once("nginx/").and_then(|(_, rest)| rest.split_whitespace().next());
    version.map(str::to_owned).ok_or_else(|| format!("{NGINX} tells no version: {said}"))
}

fn none_is_wrong(wrong: String) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

fn main() -> ExitCode {
    let said = Trial::ignorable_test("nginx_says_what_is_recorded", nginx_says_what_is_recorded);
    let same = Trial::test("we_refuse_what_nginx_refuses_and_nothing_else", we_refuse_what_nginx_refuses_and_nothing_else);
    libtest_mimic::run(&Arguments::from_args(), vec![said, same]).exit_code()
}
