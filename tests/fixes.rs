//! What `check --fix` writes: the lines that mend, in the manner of their neighbours, and not a byte more.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "tests say what they skip and fail by panicking")]

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use proxylint::rules::Safety;
use proxylint::{Request, fix};
use tempfile::TempDir;

/// A directory with these files.
fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    directory
}

/// Runs `proxylint check` in `directory`; returns the exit status and what it prints.
fn check(directory: &Path, arguments: &[&str]) -> (i32, Vec<u8>) {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("proxylint"))
        .current_dir(directory)
        .args(["check", "--isolated"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), output.stdout)
}

fn read(directory: &TempDir, path: &str) -> Vec<u8> {
    fs::read(directory.path().join(path)).unwrap()
}

/// What `--fix` makes of one `nginx.conf`.
fn fixed(text: &[u8], arguments: &[&str]) -> Vec<u8> {
    let directory = tree(&[("nginx.conf", text)]);
    check(directory.path(), &[&["--fix"], arguments].concat());
    let once = read(&directory, "nginx.conf");
    check(directory.path(), &[&["--fix"], arguments].concat());
    assert_eq!(String::from_utf8_lossy(&read(&directory, "nginx.conf")), String::from_utf8_lossy(&once), "twice is once");
    once
}

/// The lines of `after` that are not in `before`, which must all be there, in order and byte for byte.
fn added<'a>(before: &[u8], after: &'a [u8]) -> Vec<&'a [u8]> {
    let mut rest = before.split_inclusive(|&byte| byte == b'\n').peekable();
    let new = after.split_inclusive(|&byte| byte == b'\n').filter(|line| rest.next_if_eq(line).is_none());
    let new: Vec<&[u8]> = new.collect();
    assert_eq!(rest.next().map(String::from_utf8_lossy), None, "a line is gone or changed");
    new
}

const SITE: &str = "events {}
http {
    server {
        listen 8080;
        location /ws {
            # proxylint: websocket
            proxy_pass http://127.0.0.1:9000;
            proxy_read_timeout 1h;
        }
    }
}
";

#[test]
fn lines_end_as_the_file_s_lines_do() {
    let text = SITE.replace('\n', "\r\n");
    let after = fixed(text.as_bytes(), &[]);
    let new = added(text.as_bytes(), &after);
    assert_eq!(new.len(), 8, "a map of four lines, an empty one, and three directives");
    assert!(new.iter().all(|line| line.ends_with(b"\r\n")), "{new:?}");
}

#[test]
fn what_is_no_utf_8_and_what_is_no_nginx_stays_as_it_is() {
    let text = SITE
        .replace("# proxylint", "# caf\u{e9} \u{2014}\n\t\t\t# proxylint")
        .replace("listen 8080;", "listen 8080;\n        content_by_lua_block { if x then return \"}\" end -- { }\n        }");
    let mut text = text.into_bytes();
    // The same in Latin-1.
    let at = text.windows(2).position(|pair| pair == "\u{e9}".as_bytes()).unwrap();
    text.splice(at..at + 2, [0xe9]);
    let after = fixed(&text, &[]);
    assert_eq!(added(&text, &after).len(), 8);
}

#[test]
fn a_file_without_a_last_line_end_gets_none() {
    let text = SITE.trim_end();
    assert!(fixed(text.as_bytes(), &[]).ends_with(b"}"));
    let fragment = b"server {\n\tlocation /ws {\n\t\tproxy_pass http://b;\n\t\tproxy_read_timeout 1h;\n\t\tproxy_set_header Upgrade $http_upgrade;\n\t\tproxy_set_header Connection $http_connection;\n\t}\n}";
    let directory = tree(&[("ws.nginx", fragment)]);
    check(directory.path(), &["--fix"]);
    let after = read(&directory, "ws.nginx");
    assert_eq!(added(fragment, &after), [b"\t\tproxy_http_version 1.1;\n"]);
}

#[test]
fn a_byte_order_mark_stays() {
    let text = [b"\xef\xbb\xbf", SITE.as_bytes()].concat();
    // The server takes it for part of the first directive, and so do we; what stands behind that is mended all the same.
    added(&text, &fixed(&text, &[]));
}

#[test]
fn tabs_and_columns_are_kept() {
    let text = "events {}\nhttp {\n\tserver {\n\t\tproxy_set_header\tHost            $host;\n\t\tlocation /ws {\n\t\t\t# proxylint: websocket\n\t\t\tproxy_pass http://b:1; # the backend\n\t\t\tproxy_read_timeout 1h;\n\t\t}\n\t\tlocation / { proxy_pass http://b:1; }\n\t}\n}\n";
    let after = fixed(text.as_bytes(), &[]);
    let new = String::from_utf8(added(text.as_bytes(), &after)[5..].concat()).unwrap();
    assert_eq!(
        new,
        "\t\t\tproxy_http_version 1.1;\n\t\t\tproxy_set_header\tHost            $host;\n\t\t\tproxy_set_header\tUpgrade         $http_upgrade;\n\t\t\tproxy_set_header\tConnection      $connection_upgrade;\n",
        "inherited lines come along, for the first own one would drop them"
    );
}

#[test]
fn what_all_routes_of_a_level_need_is_written_on_that_level() {
    let text = SITE.replace("        location", "        proxy_set_header Host $host;\n        location");
    let after = String::from_utf8(fixed(text.as_bytes(), &[])).unwrap();
    assert!(
        after.contains("proxy_set_header Host $host;\n        proxy_http_version 1.1;\n        proxy_set_header Upgrade"),
        "{after}"
    );
    assert_eq!(after.matches("Host").count(), 1, "{after}");
}

/// `close` would have the backend end a connection that it was told to keep: of what plain requests say, no more is changed than must be.
#[test]
fn connections_that_are_kept_get_a_map_of_their_own() {
    let map = "    map $http_upgrade $connection_upgrade {\n        default upgrade;\n        ''      close;\n    }\n    server";
    let headers = "        proxy_http_version 1.1;\n            proxy_set_header Host $http_host;\n            proxy_set_header Upgrade $http_upgrade;\n            proxy_set_header Connection";
    let text =
        SITE.replace("    server", map).replace("        proxy_pass", &format!("{headers} keep-alive;\n            proxy_pass"));
    let own =
        "map $http_upgrade $connection_upgrade_keepalive {\n        default upgrade;\n        ''      '';\n    }\n\n    server";
    let after = String::from_utf8(fixed(text.as_bytes(), &[])).unwrap();
    assert_eq!(after, text.replace("server", own).replace("keep-alive", "$connection_upgrade_keepalive"));
    // Where connections are closed, the map that is there will do.
    let closing = text.replace("keep-alive", "close");
    let after = String::from_utf8(fixed(closing.as_bytes(), &[])).unwrap();
    assert_eq!(after, closing.replace("Connection close", "Connection $connection_upgrade"));
}

#[test]
fn a_template_is_mended_where_no_hole_decides() {
    let head = "# {{ ansible_managed }}\nserver {\n    listen {{ port }};\n    location /ws {\n        # proxylint: websocket\n        proxy_pass http://{{ backend }};\n        proxy_read_timeout 1h;\n";
    let whole = format!("{head}    }}\n}}\n");
    let directory = tree(&[("site.conf.j2", whole.as_bytes())]);
    check(directory.path(), &["--fix"]);
    assert!(read(&directory, "site.conf.j2").len() > whole.len());
    let holed = format!("{head}        {{% if proxy %}}\n        proxy_buffering off;\n        {{% endif %}}\n    }}\n}}\n");
    let directory = tree(&[("site.conf.j2", holed.as_bytes())]);
    check(directory.path(), &["--fix"]);
    assert_eq!(String::from_utf8_lossy(&read(&directory, "site.conf.j2")), holed, "which branch would the lines be in?");
}

#[test]
fn a_shared_file_is_mended_where_that_is_right_for_all_who_include_it() {
    let main = |other: &str| {
        format!(
            "events {{}}\nhttp {{\n    server {{\n        listen 1;\n        location /ws {{ include proxy.inc; }}\n    }}\n    server {{\n        listen 2;\n        location {other} {{ include proxy.inc; }}\n    }}\n}}\n"
        )
    };
    let shared = "proxy_pass http://127.0.0.1:1;\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection \"\";\nproxy_http_version 1.1;\nproxy_read_timeout 1h;\n";
    let all = main("/ws");
    let directory = tree(&[("nginx.conf", all.as_bytes()), ("proxy.inc", shared.as_bytes())]);
    assert_eq!(check(directory.path(), &["--fix"]).0, 0);
    let after = String::from_utf8(read(&directory, "proxy.inc")).unwrap();
    assert_eq!(after, shared.replace("\"\"", "$connection_upgrade"));
    let map = String::from_utf8(read(&directory, "nginx.conf")).unwrap();
    assert!(map.contains("''      '';"), "plain requests stay without `Connection`: {map}");
}

/// Files decide what becomes of a client here, so that it cannot be seen that the edit would cost it its WebSocket.
#[test]
fn what_answers_copies_and_clients_alike_keeps_its_upgrade() {
    let text = "events {}
http {
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    server {
        listen 8080;
        location / {
            root /srv/www;
            try_files $uri /chat?from=$uri;
            proxy_pass http://127.0.0.1:9000;
        }
        location /ws {
            mirror /copies;
            proxy_pass http://127.0.0.1:9000;
        }
    }
}
";
    assert_eq!(fixed(text.as_bytes(), &["--select", "upgrade-leaks-to-subrequest"]), text.as_bytes());
}

#[test]
fn a_policy_is_not_set_unasked() {
    let text = SITE.replace("            proxy_read_timeout 1h;\n", "");
    let safe = String::from_utf8(fixed(text.as_bytes(), &[])).unwrap();
    assert!(!safe.contains("proxy_read_timeout"), "{safe}");
    let all = String::from_utf8(fixed(text.as_bytes(), &["--unsafe-fixes"])).unwrap();
    assert!(all.contains("            proxy_read_timeout 1h;\n"), "{all}");
    let one = String::from_utf8(fixed(text.as_bytes(), &["--unsafe-fixes", "--select", "read-timeout-short"])).unwrap();
    assert!(!one.contains("Upgrade") && one.contains("proxy_read_timeout 1h;"), "{one}");
}

#[test]
fn the_exit_status_and_the_last_line_say_what_is_left() {
    let text = SITE.replace("            proxy_read_timeout 1h;\n", "");
    let directory = tree(&[("nginx.conf", text.as_bytes())]);
    let (code, out) = check(directory.path(), &["--fix"]);
    let out = String::from_utf8(out).unwrap();
    assert_eq!((code, out.lines().last().unwrap()), (1, "1 fixed; 1 more with --unsafe-fixes"), "{out}");
    let (code, out) = check(directory.path(), &["--unsafe-fixes"]);
    assert_eq!((code, String::from_utf8(out).unwrap().lines().last().unwrap()), (0, "1 fixed"));
}

#[test]
fn nothing_outside_the_given_paths_is_written() {
    let main = "events {}\nhttp {\n    include site.inc;\n}\n";
    let site = "server {\n    location /ws {\n        proxy_pass http://127.0.0.1:1;\n        proxy_read_timeout 1h;\n    }\n}\n";
    let directory = tree(&[("nginx.conf", main.as_bytes()), ("site.inc", site.as_bytes())]);
    let (code, out) = check(directory.path(), &["--fix", "nginx.conf"]);
    assert_eq!(code, 1);
    assert!(String::from_utf8(out).unwrap().contains("which is not among the given paths"));
    assert_eq!(read(&directory, "nginx.conf"), main.as_bytes());
    assert_eq!(read(&directory, "site.inc"), site.as_bytes());
}

#[test]
fn the_patch_makes_what_fix_makes() {
    let crlf = SITE.replace('\n', "\r\n");
    let files: [(&str, &[u8]); 4] = [
        ("a/nginx.conf", SITE.as_bytes()),
        ("b c/nginx.conf", crlf.as_bytes()),
        ("d/nginx.conf", SITE.trim_end().as_bytes()),
        ("\u{e9}/nginx.conf", b"events {}\nhttp { server { location /ws { proxy_pass http://b:1; } } }"),
    ];
    let (patched, mended) = (tree(&files), tree(&files));
    let (code, patch) = check(patched.path(), &["--diff", "--unsafe-fixes"]);
    assert_eq!(code, 1, "nothing is mended yet");
    for (path, bytes) in files {
        assert_eq!(read(&patched, path), bytes);
    }
    let file = patched.path().join("patch");
    fs::write(&file, patch).unwrap();
    let Ok(status) = Command::new("git").current_dir(patched.path()).args(["apply", "--whitespace=nowarn"]).arg(&file).status()
    else {
        println!("skipped: there is no git");
        return;
    };
    assert!(status.success());
    check(mended.path(), &["--unsafe-fixes"]);
    for (path, before) in files {
        assert_eq!(String::from_utf8_lossy(&read(&patched, path)), String::from_utf8_lossy(&read(&mended, path)), "{path}");
        assert_ne!(read(&mended, path), before, "{path}");
    }
}

#[test]
fn json_names_the_edits() {
    let directory = tree(&[("nginx.conf", SITE.as_bytes())]);
    let (_, out) = check(directory.path(), &["--output-format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["summary"]["fixable"], 1);
    let fix = &document["findings"][0]["fixes"][0];
    assert_eq!(fix["safety"], "safe");
    let mut text = SITE.to_owned();
    for edit in fix["edits"].as_array().unwrap().iter().rev() {
        let place = |key: &str| usize::try_from(edit[key].as_u64().unwrap()).unwrap();
        text.replace_range(place("start")..place("end"), edit["text"].as_str().unwrap());
    }
    assert_eq!(text.into_bytes(), fixed(SITE.as_bytes(), &[]));
}

/// Every configuration of the corpus, mended in memory: nothing that was upgraded is not any more, and twice is once.
#[test]
fn real_configurations_are_not_made_worse() {
    let Some(corpus) = common::shared("corpus") else { return };
    let mut mended = 0;
    for folder in fs::read_dir(corpus).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let request = Request { paths: vec![folder.clone()], isolated: true, ..Request::default() };
        let mut checked = proxylint::check(&request).unwrap();
        let mut before = verdicts(&checked);
        for safety in [Safety::Safe, Safety::Unsafe] {
            mended += fix::mend(&mut checked, &request, safety).count;
            let after = verdicts(&checked);
            assert_eq!(before.len(), after.len(), "{}: a route is gone", folder.display());
            for (before, after) in before.iter().zip(&after) {
                assert!(before != "upgraded" || after == "upgraded", "{}: {before} is {after}", folder.display());
            }
            before = after;
        }
        assert_eq!(fix::mend(&mut checked, &request, Safety::Unsafe).count, 0, "{}: twice is once", folder.display());
    }
    println!("{mended} findings of the corpus are mended");
}

/// Every recorded case, shown with its fixes: whatever is proposed can be made, and is shown.
#[test]
fn every_recorded_case_is_shown_with_its_fixes() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance");
    for server in ["nginx", "apache"] {
        let (status, shown) = check(&cases.join(server), &["--pedantic"]);
        assert_eq!(status, 1, "{server}");
        assert!(shown.windows(5).any(|word| word == b"--fix"));
    }
}

/// What becomes of the handshake to each route, in order.
fn verdicts(checked: &proxylint::Checked) -> Vec<String> {
    use proxylint::facts::{Fact, Reader, Subject};
    let fact = Fact::named("handshake.verdict").unwrap();
    let mut verdicts = Vec::new();
    for reached in &checked.project.roots {
        let gateway = checked.project.lower(reached);
        let view = checked.project.view(reached, &gateway);
        let read =
            |item| fact.read(&Reader::new(&view, item)).value.map_or_else(|_| "unknown".to_owned(), |value| value.to_string());
        verdicts.extend(view.items(Subject::Route).into_iter().map(read));
    }
    verdicts
}
