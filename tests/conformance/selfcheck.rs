//! The machinery checked by itself: that a wrong prediction is called wrong, and a right one right.

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::case::{Case, Seen, Software, Step};
use crate::check::{Judgement, Told, against_prediction};
use crate::frame::{Frame, Opcode};
use crate::outcome::Outcome;
use crate::prediction::Prediction;
use crate::sent::Sent;
use crate::slot::rewrite_ports;

use Expected::{Right, Undecided, Unknown, Wrong};

const COMPLETE: &str = "GET /ws HTTP/1.1 Host=127.0.0.1:19001 Upgrade=websocket Connection=upgrade @19001";
const PLAIN: &str = "GET /ws HTTP/1.0 Host=127.0.0.1:19001 Upgrade=- Connection=close @19001";

/// What a comparison is to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Right,
    Unknown,
    Wrong,
    Undecided,
}

/// All of these checks.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("self::frames come back", frames_come_back),
        Trial::test("self::records are read and written alike", records_round_trip),
        Trial::test("self::whole ports are replaced", whole_ports_are_replaced),
        Trial::test("self::what stays broken is listed once", listed_once),
    ];
    for (name, outcome, upstream, prediction, expected) in judgements() {
        trials.push(Trial::test(format!("self::{name}"), move || judge(outcome, &upstream, &prediction, expected)));
    }
    trials
}

fn judgements() -> Vec<(&'static str, &'static str, Vec<&'static str>, Value, Expected)> {
    let sent = |target: &str, version: &str, upgrade: &str| {
        json!({ "target": target, "http_version": version,
                "headers": [["Host", "127.0.0.1:19001"], ["Upgrade", upgrade], ["Connection", "upgrade"]] })
    };
    let says = |kind: &str| json!({ "kind": kind, "status": null, "location": null, "message": "x", "idle_limit_ms": null });
    let with = |kind: &str, key: &str, value: Value| {
        let mut verdict = says(kind);
        verdict[key] = value;
        json!({ "upstream_request": null, "verdict": verdict })
    };
    let all = |verdict: Value, upstream: Value| json!({ "upstream_request": upstream, "verdict": verdict });
    let plain = |kind: &str| all(says(kind), Value::Null);
    let upgraded = |upstream: Value| all(says("upgraded"), upstream);
    vec![
        ("a tunnel is upgraded", "ok", vec![COMPLETE], upgraded(sent("/ws", "1.1", "websocket")), Right),
        ("a tunnel is not answered", "ok", vec![COMPLETE], plain("answered"), Wrong),
        ("unknown is neither", "ok", vec![COMPLETE], plain("unknown"), Unknown),
        ("the target is compared", "ok", vec![COMPLETE], upgraded(sent("/other", "1.1", "websocket")), Wrong),
        ("the version is compared", "ok", vec![COMPLETE], upgraded(sent("/ws", "1.0", "websocket")), Wrong),
        ("the headers are compared", "ok", vec![COMPLETE], upgraded(sent("/ws", "1.1", "h2c")), Wrong),
        ("a 426 of the backend is forwarded plain", "http:426", vec![PLAIN], plain("forwarded-plain"), Right),
        ("a 426 of the backend is no upgrade", "http:426", vec![PLAIN], plain("upgraded"), Wrong),
        ("a 426 of its own is answered", "http:426", vec![], with("answered", "status", json!(426)), Right),
        ("the status is compared", "http:426", vec![], with("answered", "status", json!(404)), Wrong),
        ("the location is compared", "http:301 -> http://a/", vec![], with("answered", "location", json!("http://b/")), Wrong),
        ("nobody behind is a bad gateway", "http:502", vec![], with("bad-gateway", "status", json!(502)), Right),
        ("the status of a bad gateway is compared", "http:502", vec![], with("bad-gateway", "status", json!(504)), Wrong),
        ("a useless 101 needs a backend", "http:502", vec![], with("bad-gateway", "status", json!(101)), Right),
        ("a refusal is one", "start-error", vec![], plain("refuses-to-start"), Right),
        ("a refusal is nothing else", "start-error", vec![], plain("upgraded"), Wrong),
        ("an idle limit within tolerance", "cut@2.3s FIN", vec![COMPLETE], with("upgraded", "idle_limit_ms", json!(2000)), Right),
        ("an idle limit too long", "cut@2.0s", vec![COMPLETE], with("upgraded", "idle_limit_ms", json!(3000)), Wrong),
        ("a cut without a limit", "cut@2.0s", vec![COMPLETE], plain("upgraded"), Wrong),
        ("a limit outlived", "alive>5s", vec![COMPLETE], with("upgraded", "idle_limit_ms", json!(2000)), Wrong),
        ("a limit not reached", "alive>5s", vec![COMPLETE], with("upgraded", "idle_limit_ms", json!(60_000)), Right),
        ("a hanging client has no tunnel", "hangs", vec![COMPLETE], plain("upgraded"), Wrong),
        ("a crowd decides nothing", "3/12 got 101; rest {}", vec![COMPLETE], plain("answered"), Undecided),
    ]
}

fn judge(outcome: &str, upstream: &[&str], prediction: &Value, expected: Expected) -> Result<(), Failed> {
    let case = Case {
        software: Software::Nginx,
        name: "self".to_owned(),
        folder: std::path::PathBuf::from("nowhere"),
        steps: vec![],
        defines: vec![],
        environment: std::collections::BTreeMap::new(),
        show: vec![],
        unstable: None,
        recorded: std::collections::BTreeMap::new(),
    };
    let upstream: Vec<_> = upstream.iter().map(|line| Sent::from_record(line)).collect();
    let seen = Seen { outcome: outcome.parse()?, upstream: Some(upstream.clone()) };
    let prediction: Prediction = serde_json::from_value(prediction.clone())?;
    let judgement = against_prediction(&case, &Step::default(), &seen, &upstream, Told::ByBackends, &prediction);
    let given = match &judgement {
        Some(Judgement::Right) => Right,
        Some(Judgement::Unknown(_)) => Unknown,
        Some(Judgement::Wrong(_)) => Wrong,
        None => Undecided,
    };
    if given == expected { Ok(()) } else { Err(format!("{judgement:?}, expected {expected:?}").into()) }
}

fn listed_once() -> Result<(), Failed> {
    let mut cases = std::collections::BTreeSet::new();
    for software in Software::ALL {
        cases.extend(Case::read_all(software)?.iter().map(|case| format!("{}::{}", software.name(), case.name)));
    }
    match crate::mending::listed().find(|listed| !cases.remove(*listed)) {
        Some(listed) => Err(format!("`{listed}` is no case, or stands on unmended.txt twice").into()),
        None => Ok(()),
    }
}

fn frames_come_back() -> Result<(), Failed> {
    for length in [0, 1, 125, 126, 65_535, 65_536] {
        for masked in [false, true] {
            let frame = Frame::new(Opcode::Text, vec![b'x'; length]);
            let mut bytes = frame.encode(masked);
            let last = bytes.pop();
            if Frame::take(&mut bytes).is_some() {
                return Err(format!("{length} bytes: taken before they are all there").into());
            }
            bytes.extend(last);
            if Frame::take(&mut bytes).as_ref() != Some(&frame) || !bytes.is_empty() {
                return Err(format!("{length} bytes, masked {masked}").into());
            }
        }
    }
    Ok(())
}

fn records_round_trip() -> Result<(), Failed> {
    for line in [
        COMPLETE,
        PLAIN,
        "GET /a HTTP/1.1 Host=a|b Upgrade=- Connection=keep-alive, Upgrade origin=http://a @be.sock",
        "[sink] GET / HTTP/1.1",
    ] {
        if Sent::from_record(line).to_string() != line {
            return Err(format!("{line} became {}", Sent::from_record(line)).into());
        }
    }
    for text in
        ["ok", "http:404", "http:301 -> /ws/", "http:204 [X-T: a]", "cut@2.0s", "alive>5.0s", "start-error", "closed", "hangs"]
    {
        let outcome: Outcome = text.parse()?;
        if outcome.to_string() != text {
            return Err(format!("{text} became {outcome}").into());
        }
    }
    Ok(())
}

fn whole_ports_are_replaced() -> Result<(), Failed> {
    let real = |nominal: u16| (nominal == 19001).then_some(20001);
    for (before, after) in [
        ("proxy_pass http://127.0.0.1:19001/ws;", "proxy_pass http://127.0.0.1:20001/ws;"),
        ("19001", "20001"),
        ("119001 190010 1900 19002", "119001 190010 1900 19002"),
        ("x19001y", "x20001y"),
    ] {
        let replaced = rewrite_ports(before.as_bytes(), real);
        if replaced != after.as_bytes() {
            return Err(format!("{before} became {}", String::from_utf8_lossy(&replaced)).into());
        }
    }
    Ok(())
}
