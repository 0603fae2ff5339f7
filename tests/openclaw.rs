//! The bundled example: broken, it raises what its README says; mended, nothing; and the real servers start with both.
#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "tests say what they skip and fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn check(arguments: &[&str]) -> (Output, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_proxylint"))
        .current_dir(repository())
        .args(["check", "--output-format", "json"])
        .args(arguments)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report)
}

/// Each finding as level, rule, file, and the text of the line it begins on.
fn findings(report: &Value) -> Vec<[String; 4]> {
    let finding = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        let source = fs::read_to_string(repository().join(text("path"))).unwrap();
        let line = usize::try_from(finding["span"]["start"]["line"].as_u64().unwrap()).unwrap();
        let path = text("path").replace("fixtures/openclaw/", "");
        [text("level"), text("rule"), path, source.lines().nth(line - 1).unwrap().trim().to_owned()]
    };
    let mut found: Vec<_> = report["findings"].as_array().unwrap().iter().map(finding).collect();
    found.sort();
    found
}

#[test]
fn the_broken_one_raises_what_its_readme_says() {
    let (output, report) = check(&["fixtures/openclaw"]);
    let mut expected = [
        [
            "warning",
            "set-header-inheritance-lost",
            "nginx/conf.d/openclaw.conf",
            "proxy_set_header X-Forwarded-User nina@example.com;",
        ],
        ["warning", "read-timeout-short", "nginx/snippets/websocket.conf", "proxy_set_header Upgrade    $http_upgrade;"],
        ["error", "http-version-too-low", "nginx/conf.d/canvas.conf", "proxy_pass http://127.0.0.1:18793;"],
        ["warning", "read-timeout-short", "nginx/conf.d/canvas.conf", "proxy_pass http://127.0.0.1:18793;"],
        ["warning", "upgrade-forced", "nginx/conf.d/canvas.conf", "proxy_set_header Connection \"upgrade\";"],
        ["warning", "upgrade-header-missing", "nginx/conf.d/grafana.conf", "proxy_pass http://grafana;"],
        [
            "error",
            "proxy-module-missing",
            "apache/sites-available/openclaw.conf",
            "RewriteRule ^/?(.*) ws://127.0.0.1:18789/$1 [P,L]",
        ],
        ["error", "timeout-unit-ignored", "apache/conf-enabled/proxy.conf", "ProxyTimeout 10m"],
        [
            "warning",
            "upgrade-not-enabled",
            "apache/sites-available/grafana.conf",
            "ProxyPass        \"/api/live/ws\" \"http://127.0.0.1:3000/api/live/ws\"",
        ],
    ];
    expected.sort_unstable();
    let found = findings(&report);
    let notable: Vec<_> = found.iter().filter(|[level, ..]| level != "note").collect();
    assert_eq!(notable, expected.iter().collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_mended_one_raises_nothing() {
    let (output, report) = check(&["fixtures/openclaw-mended"]);
    assert_eq!(findings(&report), Vec::<[String; 4]>::new());
    assert_eq!(output.status.code(), Some(0));
}

/// nginx's own recommendation names no protocol.
#[test]
fn of_the_mended_one_pedants_hear_one_note() {
    let (_, report) = check(&["--pedantic", "fixtures/openclaw-mended"]);
    let line = "proxy_set_header Upgrade    $http_upgrade;";
    let heard = ["note", "upgrade-unrestricted", "fixtures/openclaw-mended/nginx/snippets/websocket.conf", line];
    assert_eq!(findings(&report), [heard.map(str::to_owned)]);
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, shown) = readme.split_once("```console\n$ proxylint ").unwrap();
    let (command, shown) = shown.split_once('\n').unwrap();
    let (shown, _) = shown.split_once("```\n").unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_proxylint"));
    let output = program.current_dir(repository()).args(command.split(' ')).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), shown);
}

/// A copy of a fixture in which every file has been changed by `change`.
fn copy(fixture: &str, change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let from = repository().join("fixtures").join(fixture);
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        fs::create_dir_all(copy.path().join(&directory)).unwrap();
        for entry in fs::read_dir(from.join(&directory)).unwrap() {
            let relative = directory.join(entry.unwrap().file_name());
            if from.join(&relative).is_dir() {
                directories.push(relative);
            } else {
                let text = fs::read_to_string(from.join(&relative)).unwrap();
                fs::write(copy.path().join(&relative), change(&text)).unwrap();
            }
        }
    }
    copy
}

/// The server's program, where it is installed.
fn installed(name: &str) -> Option<PathBuf> {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map(|directory| Path::new(directory).join(name));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// Asserts that the server starts with the configuration and has nothing to say about it but that it is fine.
fn assert_accepts(fixture: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{fixture}: {said}");
    assert!(!said.contains("warn") && !said.contains("AH0"), "{fixture}: {said}");
}

#[test]
fn nginx_starts_with_both_and_warns_of_nothing() {
    let Some(nginx) = installed("nginx") else { return };
    for fixture in ["openclaw", "openclaw-mended"] {
        let change = |text: &str| {
            text.replace("/var/log/nginx/access.log", "/dev/null")
                .replace("/var/log/nginx/error.log", "/dev/null")
                .replace("pid /run/nginx.pid", "pid nginx.pid")
                .replace("user www-data;", "")
                .replace("listen 80", "listen 127.0.0.1:18780")
        };
        let copy = copy(fixture, change);
        let prefix = copy.path().join("nginx/");
        let output =
            Command::new(&nginx).arg("-t").arg("-p").arg(&prefix).args(["-c", "nginx.conf", "-e", "stderr"]).output().unwrap();
        assert_accepts(fixture, &output);
    }
}

#[test]
fn httpd_starts_with_both_and_warns_of_nothing() {
    let Some(httpd) = installed("apache2") else { return };
    for fixture in ["openclaw", "openclaw-mended"] {
        let copy = copy(fixture, str::to_owned);
        let root = copy.path().join("apache");
        let output = Command::new(&httpd)
            .args(["-t", "-f", "apache2.conf", "-d"])
            .arg(&root)
            .envs([("APACHE_RUN_USER", "www-data"), ("APACHE_RUN_GROUP", "www-data"), ("APACHE_PID_FILE", "httpd.pid")])
            .envs([("APACHE_RUN_DIR", copy.path()), ("APACHE_LOG_DIR", copy.path()), ("APACHE_LOCK_DIR", copy.path())])
            .output()
            .unwrap();
        assert_accepts(fixture, &output);
    }
}
