//! The program as its users run it: exit codes, output formats, what goes to standard error, hostile input.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "tests say what they skip and fail by panicking")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use assert_cmd::Command;
use tempfile::TempDir;

/// A directory with these files.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

/// The program in `directory`, free of what this environment sets.
fn proxylint(directory: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("proxylint"));
    command.current_dir(directory).env_remove("NO_COLOR").env_remove("COLUMNS").env_remove("RAYON_NUM_THREADS");
    command
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let output = proxylint(directory).args(arguments).output().unwrap();
    Ran {
        code: output.status.code().expect("no signal ends the program"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

const NGINX: &str = "events { }\nhttp {\n    server {\n        listen 8080;\n        root /srv/www;\n    }\n}\n";

#[test]
fn configuration_without_fault_is_clean() {
    let directory = tree(&[("nginx.conf", NGINX), ("README.md", "nginx")]);
    let ran = run(directory.path(), &["check"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("no findings in 1 file, "), "{}", ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn what_only_the_pedantic_want_to_know_is_shown_to_them_alone() {
    let directory = tree(&[("nginx.conf", "events { }\nhttp {\n    include /etc/letsencrypt/options-ssl.conf;\n}\n")]);
    let quiet = run(directory.path(), &["check"]);
    assert_eq!(quiet.code, 0, "{}", quiet.out);
    assert!(!quiet.out.contains("include-missing"), "{}", quiet.out);
    let pedantic = run(directory.path(), &["check", "--pedantic"]);
    assert!(pedantic.out.contains("include-missing"), "{}", pedantic.out);
}

#[test]
fn json_is_one_versioned_document() {
    let directory = tree(&[("nginx.conf", NGINX)]);
    let ran = run(directory.path(), &["check", "--output-format", "json", "."]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["findings"], serde_json::json!([]));
    let summary = document["summary"].as_object().unwrap();
    assert_eq!(summary["files"], 1);
    let keys: Vec<&str> = summary.keys().map(String::as_str).collect();
    assert_eq!(keys, ["files", "findings", "fixable", "routes", "suppressed"]);
}

#[test]
fn a_path_that_does_not_exist_is_said() {
    let directory = tree(&[("nginx.conf", NGINX)]);
    let ran = run(directory.path(), &["check", "ngnix.conf"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("`ngnix.conf` does not exist") && ran.err.contains("help: "), "{}", ran.err);
}

#[test]
fn a_folder_with_no_configuration_in_it_is_said() {
    let directory = tree(&[("postgresql.conf", "port = 5432\n")]);
    let ran = run(directory.path(), &["check"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("no nginx or Apache httpd configuration in `.`"), "{}", ran.err);
}

#[test]
fn a_file_of_another_program_given_by_name_is_said() {
    let directory = tree(&[("postgresql.conf", "port = 5432\n")]);
    let ran = run(directory.path(), &["check", "postgresql.conf"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("`postgresql.conf` does not look like nginx or Apache httpd configuration"), "{}", ran.err);
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_said_and_the_others_are_judged() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tree(&[("nginx.conf", NGINX), ("other/nginx.conf", NGINX)]);
    let secret = directory.path().join("other/nginx.conf");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read(&secret).is_ok() {
        println!("skipped: this user may read every file");
        return;
    }
    let ran = run(directory.path(), &["check"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("cannot read `./other/nginx.conf`"), "{}", ran.err);
    assert!(ran.out.contains(" in 1 file, "), "{}", ran.out);
}

#[test]
fn wrong_usage_is_exit_2_and_help_is_exit_0() {
    let directory = tree(&[("nginx.conf", NGINX)]);
    assert_eq!(run(directory.path(), &["check", "--no-such-option"]).code, 2);
    assert_eq!(run(directory.path(), &["check", "--nginx-version", "latest"]).code, 2);
    assert_eq!(run(directory.path(), &[]).code, 2);
    let help = run(directory.path(), &["check", "--help"]);
    assert_eq!(help.code, 0);
    assert!(help.out.contains("--fail-on"));
}

#[test]
fn settings_that_cannot_be_used_are_shown_at_their_place() {
    let directory = tree(&[("nginx.conf", NGINX), ("proxylint.toml", "[nginx]\nversoin = \"1.24\"\n")]);
    let ran = run(directory.path(), &["check"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("unknown key `versoin`"), "{}", ran.err);
    assert!(ran.err.contains("proxylint.toml:2:1"), "{}", ran.err);
    assert!(ran.err.contains("did you mean `version`?"), "{}", ran.err);
    assert_eq!(run(directory.path(), &["check", "--isolated"]).code, 0);
}

#[test]
fn an_unknown_rule_is_refused() {
    let directory = tree(&[("nginx.conf", NGINX)]);
    for arguments in [["explain", "no-such-rule-at-all"].as_slice(), &["check", "--select", "no-such-rule-at-all"]] {
        let ran = run(directory.path(), arguments);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("there is no rule `no-such-rule-at-all`"), "{}", ran.err);
    }
    let slip = run(directory.path(), &["explain", "upgrade-header-misssing"]);
    assert_eq!(slip.code, 2, "{}", slip.out);
    assert!(slip.err.contains("did you mean `upgrade-header-missing`?"), "{}", slip.err);
}

const PLAIN_PROXY: &str = "events { }\nhttp {\n    server {\n        listen 8080;\n        location /ws {\n            proxy_pass http://127.0.0.1:9000;\n        }\n    }\n}\n";

#[test]
fn a_symptom_is_explained_and_its_causes_found() {
    let directory = tree(&[("broken/nginx.conf", PLAIN_PROXY), ("sound/nginx.conf", NGINX)]);
    let said = "WebSocket connection to 'ws://h/ws' failed: Error during WebSocket handshake: Unexpected response code: 400";
    let ran = run(directory.path(), &["explain", said]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("400: the handshake is answered 400 Bad Request\n"), "{}", ran.out);
    assert!(ran.out.contains("\n  upgrade-header-missing (nginx)\n"), "{}", ran.out);
    assert!(!ran.out.contains("nginx.conf"), "{}", ran.out);
    let ran = run(directory.path(), &["explain", "400", "broken"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("Found here:\n\nbroken/nginx.conf:6:13: warning[upgrade-header-missing] "), "{}", ran.out);
    let ran = run(directory.path(), &["explain", "400", "sound"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("None of this is found in the given files."), "{}", ran.out);
    assert_eq!(run(directory.path(), &["explain", "400", "nowhere"]).code, 2);
    assert_eq!(run(directory.path(), &["explain", "418"]).code, 2);
}

#[test]
fn what_a_comment_silences_is_counted_and_what_it_does_not_is_said() {
    let comment = "        # proxylint: ignore[upgrade-header-missing] the old clients poll\n        location /ws {";
    let silenced = PLAIN_PROXY.replace("        location /ws {", comment);
    let directory = tree(&[("nginx.conf", &silenced)]);
    let ran =
        run(directory.path(), &["check", "--select", "upgrade-header-missing,unused-suppression", "--output-format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &document["summary"]["suppressed"]), (0, &serde_json::json!(1)), "{}", ran.out);
    let ran = run(directory.path(), &["check", "--select", "upgrade-header-missing"]);
    assert!(ran.out.contains("; 1 finding silenced by comments"), "{}", ran.out);
    // A rule that was not asked is not missed.
    assert_eq!(run(directory.path(), &["check", "--select", "unused-suppression"]).code, 0);

    // What only --pedantic shows is silenced as well.
    let hinted =
        PLAIN_PROXY.replace("location /ws", "# proxylint: ignore[upgrade-header-missing] a feed\n        location /stream");
    let directory = tree(&[("nginx.conf", &hinted)]);
    for pedantic in [&["check"][..], &["check", "--pedantic"]] {
        assert!(!run(directory.path(), pedantic).out.contains("unused-suppression"), "{pedantic:?}");
    }
    let noted =
        PLAIN_PROXY.replace("location /ws", "# proxylint: ignore[host-not-forwarded] one name only\n        location /ws");
    let noted = noted.replace("listen 8080;", "listen 8080;\n        server_name chat.example.com;");
    let directory = tree(&[("nginx.conf", &noted)]);
    let silent = run(directory.path(), &["check", "--pedantic", "--output-format", "json"]);
    assert!(silent.out.contains("\"suppressed\":1") && !silent.out.contains("unused-suppression"), "{}", silent.out);
    assert!(!run(directory.path(), &["check"]).out.contains("unused-suppression"));

    let idle = NGINX.replace("        root", "        # proxylint: ignore[upgrade-header-missing]\n        root");
    let directory = tree(&[("nginx.conf", &idle)]);
    let ran = run(directory.path(), &["check", "--output-format", "concise"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.starts_with("nginx.conf:5:29: warning[unused-suppression] "), "{}", ran.out);
    assert_eq!(run(directory.path(), &["check", "--ignore", "unused-suppression"]).code, 0);
}

#[test]
fn certificates_are_judged_at_the_moment_that_is_given_and_keys_are_not_shown() {
    let fixture =
        |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates").join(name)).unwrap();
    let site = "events { }\nhttp {\n    server {\n        listen 8443 ssl;\n        server_name chat.example.com;\n        ssl_certificate chat.pem;\n        ssl_certificate_key chat.key;\n        root /srv/www;\n    }\n}\n";
    let check = |certificate: &str, key: &str, epoch: &str| {
        let files = [("nginx.conf", site), ("chat.pem", &*fixture(certificate)), ("chat.key", &*fixture(key))];
        let directory = tree(&files);
        let arguments = ["check", "--select", "tls-certificate-mismatch", "--output-format", "json"];
        let output = proxylint(directory.path()).env("SOURCE_DATE_EPOCH", epoch).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(fixture(key).lines().nth(1).is_none_or(|secret| !text.contains(secret)), "{text}");
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let found = document["findings"].as_array().unwrap().first();
        found.map(|finding| (finding["message"].as_str().unwrap().to_owned(), finding["span"]["start"]["line"].as_u64().unwrap()))
    };
    let fault =
        |found: Option<(String, u64)>| found.map(|(message, line)| (message.split(['"', ';']).next().unwrap().to_owned(), line));
    let says = |why: &str, line| Some((format!("the certificate does not fit: {why}"), line));
    assert_eq!(fault(check("expired.pem", "ec.key", "1577836799")), None);
    assert_eq!(fault(check("expired.pem", "ec.key", "1577836801")), says("it ended on 2020-01-01", 6));
    assert_eq!(fault(check("expired.pem", "ec.key", "0")), says("it begins on 2019-01-01", 6));
    assert_eq!(fault(check("valid.pem", "other.key", "1700000000")), says("the key does not belong to it", 7));
    assert_eq!(fault(check("rsa.pem", "rsa.p8", "1700000000")), None);
}

#[test]
fn rules_and_facts_are_listed() {
    let directory = tree(&[]);
    let ran = run(directory.path(), &["rules", "--output-format", "json"]);
    assert_eq!(ran.code, 0);
    assert!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap().is_array());
    assert_eq!(run(directory.path(), &["rules"]).code, 0);
    assert_eq!(run(directory.path(), &["facts"]).code, 0);
    assert_eq!(run(directory.path(), &["facts", "nowhere"]).code, 2);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let directory = tree(&[("nginx.conf", NGINX)]);
    for arguments in [["check", "--help"], ["check", "."]] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("proxylint"));
        command.args(arguments).current_dir(directory.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[cfg(unix)]
#[test]
fn hostile_names_do_not_steer_the_terminal() {
    let directory = tree(&[]);
    let name = "a\x1b[31m\u{202e}.conf";
    fs::write(directory.path().join(name), "port = 5432\n").unwrap();
    let ran = run(directory.path(), &["check", name]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("`a\\x1b[31m\\u{202e}.conf`"), "{}", ran.err);
    assert!(!ran.err.contains('\x1b'));
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_loop_of_links_does_not_hang() {
    let directory = tree(&[("nginx.conf", NGINX)]);
    std::os::unix::fs::symlink(".", directory.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("self.conf", directory.path().join("self.conf")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(directory.path().join("pipe.conf")).status();
    let ran = run(directory.path(), &["check"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains(" in 1 file, "), "{}", ran.out);
    if made.is_ok_and(|status| status.success()) {
        let ran = run(directory.path(), &["check", "pipe.conf"]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("not a regular file"), "{}", ran.err);
    }
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    let directory = tree(&[("postgresql.conf", "port = 5432\n")]);
    assert!(!run(directory.path(), &["check"]).err.contains('\x1b'));
    assert!(run(directory.path(), &["check", "--color", "always"]).err.contains('\x1b'));
    assert!(!run(directory.path(), &["check", "--color", "never"]).err.contains('\x1b'));
}

#[test]
fn output_does_not_depend_on_the_number_of_threads() {
    let site = |site| format!("server {{ listen {site}; location /ws {{ proxy_pass http://b; }} }}\n");
    let files: Vec<(String, String)> = (1..200).map(|number| (format!("sites/{number}.conf"), site(number))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let directory = tree(&files);
    let with = |threads: &str| {
        let mut command = proxylint(directory.path());
        command.env("RAYON_NUM_THREADS", threads).args(["check", "--output-format", "json"]).output().unwrap().stdout
    };
    let one = with("1");
    assert!(!one.is_empty());
    assert_eq!(one, with("2"));
}

#[test]
fn a_misspelled_directive_is_guessed_in_both_servers() {
    let directory = tree(&[
        ("nginx.conf", "events { }\nhttp {\n    proxy_set_headers Host $host;\n}\n"),
        ("site.conf", "<VirtualHost *:80>\n    RewriteEngin On\n    KeepAliv\n</VirtualHost>\n"),
    ]);
    let ran = run(directory.path(), &["check", "--isolated"]);
    for near in ["proxy_set_header", "RewriteEngine", "KeepAlive"] {
        assert!(ran.out.contains(&format!("did you mean `{near}`?")), "{}", ran.out);
    }
}
