//! The users' own rules: the chapter about them does what it says, and what is wrong with a page is shown at its place.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// A repository with these files.
fn repository(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join(".git")).unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("proxylint"));
    let output = command.current_dir(directory).env("COLUMNS", "160").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

const CHAPTER: &str = include_str!("../docs/own-rules.md");

const SETTINGS: &str = "[rules]\npaths = [\"lint/*.md\"]\n";

/// The pages of the chapter: name and text.
fn pages() -> Vec<(String, String)> {
    let fences = CHAPTER.split("\n````markdown\n").skip(1).map(|rest| rest.split_once("\n````\n").unwrap().0);
    fences.map(|page| (page.lines().next().unwrap()[2..].to_owned(), page.to_owned())).collect()
}

/// The example of a page behind this line.
fn example<'a>(page: &'a str, fence: &str) -> &'a str {
    page.split_once(fence).unwrap().1.split_once("```").unwrap().0
}

#[test]
fn the_pages_of_the_chapter_find_what_they_say() {
    let pages = pages();
    assert!(!pages.is_empty());
    assert!(CHAPTER.contains("[rules]\npaths = [\"lint/*.md\"]\n"));
    for (name, page) in pages {
        let path = format!("lint/{name}.md");
        let (bad, good) = (example(&page, "```nginx bad\n"), example(&page, "```nginx good\n"));
        let files = [("proxylint.toml", SETTINGS), (&path, &page), ("bad/nginx.conf", bad), ("good/nginx.conf", good)];
        let directory = repository(&files);
        let ran = run(directory.path(), &["check", "bad", "--select", &name, "--output-format", "json"]);
        let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
        assert_eq!((ran.code, &document["findings"][0]["rule"]), (1, &serde_json::json!(name)), "{}", ran.out);
        assert!(document["findings"][0]["url"].as_str().unwrap().ends_with(&path), "{}", ran.out);
        let ran = run(directory.path(), &["check", "good", "--select", &name]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
}

#[test]
fn the_error_of_the_chapter_is_the_one_that_is_shown() {
    let (_, page) = pages().into_iter().find(|(name, _)| name == "websocket-idle").unwrap();
    let page = page.replace("fact = \"timeout.idle\"", "fact = \"timeout.idel\"");
    let directory =
        repository(&[("proxylint.toml", SETTINGS), ("lint/websocket-idle.md", &page), ("nginx.conf", "events { }\n")]);
    let ran = run(directory.path(), &["check"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let shown = CHAPTER.split_once("```text\n").unwrap().1.split_once("```").unwrap().0;
    let lines =
        |text: &str| text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let name = directory.path().canonicalize().unwrap().join("lint/websocket-idle.md");
    let said = ran.err.replace(name.to_str().unwrap(), "lint/websocket-idle.md");
    assert_eq!(lines(&said), lines(shown));
}

/// A page of a rule that speaks of every route.
const ROUTE: &str = "# any-route\n\n```toml\nsubject = \"route\"\nlevel = \"warning\"\nwhen = { fact = \"target.kind\", is = \"proxy\" }\nmessage = \"a route\"\n```\n\nEvery route.\n";

const PROXY: &str = "events { }\nhttp {\n    server {\n        listen 8080;\n        location / {\n            proxy_pass http://127.0.0.1:9000;\n        }\n    }\n}\n";

#[test]
fn an_own_rule_is_a_rule_like_any_other() {
    let with = |settings: &str| repository(&[("proxylint.toml", settings), ("lint/a.md", ROUTE), ("nginx.conf", PROXY)]);
    let directory = with(SETTINGS);
    assert!(run(directory.path(), &["check"]).out.contains("warning[any-route]"));
    assert_eq!(run(directory.path(), &["check", "--ignore", "any-route"]).code, 0);
    assert!(run(directory.path(), &["explain", "any-route"]).out.contains("Every route."));
    let ignored = with("[rules]\npaths = [\"lint/*.md\"]\nignore = [\"any-route\"]\n");
    assert_eq!(run(ignored.path(), &["check"]).code, 0);
    let comment = PROXY.replace("        location", "        # proxylint: ignore[any-route] known\n        location");
    fs::write(directory.path().join("nginx.conf"), comment).unwrap();
    assert_eq!(run(directory.path(), &["check"]).code, 0);
    // Where the rule is not known, neither is what the comment is for.
    assert!(run(directory.path(), &["check", "--isolated"]).out.contains("there is no rule `any-route`"));
}

#[test]
fn what_is_wrong_with_the_paths_or_the_names_is_said() {
    let named = ROUTE.replace("any-route", "Any Route");
    let taken = ROUTE.replace("any-route", "syntax");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.md"), "# secret\n").unwrap();
    let escape = format!("[rules]\npaths = [\"{}/*.md\"]\n", outside.path().display());
    for (settings, page, said) in [
        ("[rules]\npaths = [\"lnt/*.md\"]\n", ROUTE, "no file fits `lnt/*.md`"),
        ("[rules]\npaths = \"lint/*.md\"\n", ROUTE, "`paths` is a list of files"),
        (SETTINGS, named.as_str(), "this is `Any Route`"),
        (SETTINGS, taken.as_str(), "named as `rules/syntax.md` is"),
        (escape.as_str(), ROUTE, "lies outside of the repository"),
    ] {
        let directory = repository(&[("proxylint.toml", settings), ("lint/a.md", page), ("nginx.conf", PROXY)]);
        let ran = run(directory.path(), &["check"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{said}");
        assert!(ran.err.contains(said) && !ran.err.contains("secret\n"), "{}", ran.err);
    }
}
