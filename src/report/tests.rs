//! Reports of findings made by hand, whole: how each format reads.

use super::{Look, concise, full, json, summary};
use crate::gateway::Server;
use crate::project::Store;
use crate::rules::{Finding, Intent, Level};
use crate::source::{SourceId, Span};
use crate::{Checked, Project};

const LOOK: Look = Look { colour: false, width: 100 };

fn checked(files: &[(&str, &[u8])], findings: Vec<Finding>) -> Checked {
    let mut store = Store::default();
    for (path, bytes) in files {
        store.add((*path).into(), bytes.to_vec(), Server::Nginx);
    }
    let project = Project { store, roots: Vec::new(), settings: Vec::new(), problems: Vec::new() };
    Checked { project, findings, hidden: 0, suppressed: 0, routes: 1, options: Vec::new(), gateways: Vec::new() }
}

fn at(file: u32, text: &[u8], part: &str) -> Span {
    let start = memchr::memmem::find(text, part.as_bytes()).unwrap();
    Span::new(SourceId(file), u32::try_from(start).unwrap(), u32::try_from(start + part.len()).unwrap())
}

fn finding(span: Span) -> Finding {
    Finding {
        rule: "set-header-inheritance-lost".to_owned(),
        level: Level::Error,
        intent: Some(Intent::Declared),
        message: "`Upgrade` set around this location is not sent from it, so the handshake is answered 400".to_owned(),
        span,
        label: "this drops all inherited headers".to_owned(),
        labels: Vec::new(),
        help: Some("repeat `proxy_set_header Upgrade $http_upgrade;` here".to_owned()),
        subjects: Vec::new(),
        fix: None,
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const SITE: &[u8] =
    b"server {\n\tlisten 80;\n\tlocation /ws {\n\t\tproxy_set_header Host $host;\n\t\tproxy_pass http://b;\n\t}\n}\n";
const MAIN: &[u8] = b"http {\n  proxy_set_header Upgrade $http_upgrade;\n  include site.conf;\n}\n";

fn two_files() -> Checked {
    let mut found = finding(at(0, SITE, "proxy_set_header Host $host"));
    found.labels = vec![
        (at(1, MAIN, "proxy_set_header Upgrade $http_upgrade"), "dropped".to_owned()),
        (at(0, SITE, "location /ws"), "the route".to_owned()),
    ];
    checked(&[("site.conf", SITE), ("nginx.conf", MAIN)], vec![found])
}

#[test]
fn full_shows_every_place_in_every_file() {
    insta::assert_snapshot!(text(|out| full(out, &two_files(), LOOK)));
}

#[test]
fn concise_is_one_line_a_finding() {
    assert_eq!(
        text(|out| concise(out, &two_files(), LOOK)),
        "site.conf:4:3: error[set-header-inheritance-lost] `Upgrade` set around this location is not sent from it, so the handshake is answered 400\n"
    );
    assert_eq!(summary(&two_files()), "1 finding (1 error) in 2 files, 1 route");
}

#[test]
fn json_names_every_place() {
    let mut document: serde_json::Value = serde_json::from_str(&text(|out| json(out, &two_files()))).unwrap();
    let fingerprint = document["findings"][0]["fingerprint"].take();
    assert!(fingerprint.as_str().is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit())));
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn hostile_contents_do_not_steer_the_terminal() {
    let text_of = b"\x1b]0;title\x07\xff\r\x9b31m proxy_pass \xe2\x80\xae http://b;\n";
    let checked = checked(&[("a\x1b[2J.conf", text_of)], vec![finding(at(0, text_of, "proxy_pass"))]);
    for shown in [text(|out| full(out, &checked, LOOK)), text(|out| concise(out, &checked, LOOK))] {
        assert!(shown.chars().all(|char| char == '\n' || !char.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
    }
}

#[test]
fn any_place_in_any_bytes_can_be_shown() {
    let long = b"x \xff y\t".repeat(20_000);
    for bytes in [b"".as_slice(), b"\n", b"\r\n\r\n", b"a", b"\xf0\x9f\x92\xa9\n\xc3", b"\xef\xbb\xbfa\rb\n\0", &long] {
        let length = u32::try_from(bytes.len()).unwrap();
        let step = (length / 12).max(1) as usize;
        for start in (0..=length).step_by(step) {
            for end in (start..=length).step_by(step) {
                let mut found = finding(Span::new(SourceId(0), start, end));
                found.labels.push((Span::new(SourceId(0), length, length), "the end".to_owned()));
                let checked = checked(&[("a", bytes)], vec![found]);
                let shown = text(|out| full(out, &checked, LOOK));
                assert!(shown.contains("this drops all inherited headers") && shown.len() < 4000, "{start}..{end}: {shown}");
                assert!(!shown.contains("Failed to read"), "{shown}");
            }
        }
    }
}

#[test]
fn ten_thousand_findings_in_one_file_are_shown_in_order() {
    let bytes = SITE.repeat(10_000);
    let length = u32::try_from(SITE.len()).unwrap();
    let first = at(0, SITE, "proxy_set_header Host $host");
    let findings = (0..10_000).map(|n| finding(Span::new(first.source, first.start + n * length, first.end + n * length)));
    let checked = checked(&[("site.conf", &bytes)], findings.collect());
    let shown = text(|out| full(out, &checked, LOOK));
    let lines: Vec<u32> =
        shown.lines().filter_map(|line| line.split_once("site.conf:")?.1.split(':').next()?.parse().ok()).collect();
    assert_eq!(lines, (0..10_000).map(|n| 7 * n + 4).collect::<Vec<_>>());
}
