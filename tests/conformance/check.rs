//! What happened, as a verdict, and its comparison with the record and with the prediction.

use crate::case::{Case, Pattern, Recorded, Seen, Software, Step};
use crate::outcome::Outcome;
use crate::prediction::{Kind, Prediction, UpstreamRequest};
use crate::run::Happened;
use crate::sent::{Request, Sent};

/// How far a measured idle time may lie from the predicted limit, in seconds.
const IDLE_TOLERANCE: f64 = 0.6;

/// Backends that are no correct WebSocket servers: a plain one, a silent one, one that checks origins, one that answers wrongly.
/// No configuration tells, so a valid handshake sent there may be called upgraded.
const ODD_BACKENDS: [&str; 4] = ["19003", "19007", "19011", "19012"];

/// The web server behind the proxy.
const PLAIN_BACKEND: &str = "19003";

/// Everything that differs between what happened and what was recorded.
pub(crate) fn against_record(case: &Case, happened: &Happened, recorded: &Recorded) -> Vec<String> {
    let mut differences = Vec::new();
    if happened.steps.len() != recorded.steps.len() {
        differences.push(format!("{} outcomes, recorded {}", happened.steps.len(), recorded.steps.len()));
    }
    for (number, (now, then)) in happened.steps.iter().zip(&recorded.steps).enumerate() {
        // When a flooded tunnel is cut depends on how fast its buffers fill.
        let flooded =
            case.steps.get(number).is_some_and(|step| matches!(step.pattern, Pattern::ClientNoread | Pattern::ServerStall));
        let both_cut = matches!((&now.outcome, &then.outcome), (Outcome::Cut(_), Outcome::Cut(_)));
        if !(flooded && both_cut || now.outcome.agrees_with(&then.outcome)) {
            differences.push(format!("step {number}: {}, recorded {}", now.outcome, then.outcome));
        }
        if let (Some(now), Some(then)) = (&now.upstream, &then.upstream) {
            differences.extend(compare_upstream(now, then).map(|difference| format!("step {number}: {difference}")));
        }
    }
    differences.extend(compare_upstream(&happened.upstream, &recorded.upstream));
    for line in &recorded.refusal {
        if !single_line(&happened.complaints).contains(&single_line(line)) {
            differences.push(format!("the server did not say: {line}"));
        }
    }
    if !differences.is_empty() && !happened.complaints.is_empty() {
        differences.push(format!("the server said:\n{}", happened.complaints.trim_end()));
    }
    differences
}

/// What a server printed, without what differs from run to run: line breaks, process ids (`[emerg] 12#12: …`), its own name.
fn single_line(text: &str) -> String {
    let is_process = |word: &&str| {
        word.strip_suffix(':')
            .and_then(|word| word.split_once('#'))
            .is_some_and(|(pid, tid)| (pid.to_owned() + tid).bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.split_whitespace().filter(|word| !is_process(word) && *word != "apache2:").collect::<Vec<_>>().join(" ")
}

/// The order is left out: a mirrored request and its original race each other. So is how often the same request came: a crowd's record is
/// cut short.
fn compare_upstream(now: &[Sent], then: &[Sent]) -> Option<String> {
    // nginx's cases were recorded without the plain backend, which is where they send mirrors and authorization requests.
    let recorded = |sent: &&Sent| match sent {
        Sent::Http(request) => request.backend.as_deref() != Some(PLAIN_BACKEND) || then.iter().any(Sent::names_its_backend),
        Sent::Other(_) => true,
    };
    let now: Vec<_> = now.iter().filter(recorded).cloned().collect();
    let same = now.iter().all(|now| then.iter().any(|then| now.agrees_with(then)))
        && then.iter().all(|then| now.iter().any(|now| now.agrees_with(then)));
    (!same).then(|| format!("upstream was sent{}\n  recorded{}", list(&now), list(then)))
}

fn list(sent: &[Sent]) -> String {
    sent.iter().fold(String::new(), |list, one| list + "\n    " + &one.to_string())
}

/// What a right prediction says of one step.
#[derive(Debug)]
struct Expectation {
    kinds: Vec<Kind>,
    status: Option<u16>,
    location: Option<String>,
    idle: Idle,
}

/// What is known of the idle limit.
#[derive(Debug)]
enum Idle {
    /// It was not measured.
    NotMeasured,
    /// The tunnel was cut after so many silent seconds.
    CutAfter(f64),
    /// The tunnel outlived so many silent seconds.
    Longer(f64),
}

/// How it is known what upstream was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// All backends have just said so.
    ByBackends,
    /// It is in the record, which may leave out the plain backend.
    ByRecord,
}

/// What came of comparing a prediction.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It is right.
    Right,
    /// It does not commit itself, and says why.
    Unknown(String),
    /// It is wrong, and how.
    Wrong(Vec<String>),
}

/// Compares the prediction of one step with what was seen. `None`: what was seen decides nothing.
pub(crate) fn against_prediction(
    case: &Case,
    step: &Step,
    seen: &Seen,
    upstream: &[Sent],
    told: Told,
    prediction: &Prediction,
) -> Option<Judgement> {
    let upstream = seen.upstream.as_deref().unwrap_or(upstream);
    let expected = Expectation::of(case, step, &seen.outcome, upstream, told)?;
    let verdict = &prediction.verdict;
    if verdict.kind == Kind::Unknown {
        return Some(Judgement::Unknown(verdict.message.clone().unwrap_or_else(|| "no reason given".to_owned())));
    }
    let mut wrong = Vec::new();
    if !expected.kinds.contains(&verdict.kind) {
        wrong.push(format!("predicted {:?}, happened {} ({:?})", verdict.kind, seen.outcome, expected.kinds));
    } else if matches!(verdict.kind, Kind::Answered | Kind::BadGateway) {
        // What becomes of a backend's 101 is not seen where no backend is there to send one.
        let is_useless_101 = verdict.kind == Kind::BadGateway && verdict.status == Some(101);
        if expected.status.is_some() && verdict.status != expected.status && !is_useless_101 {
            wrong.push(format!("predicted status {:?}, happened {}", verdict.status, seen.outcome));
        }
        if expected.location.is_some() && verdict.location != expected.location {
            wrong.push(format!("predicted location {:?}, happened {:?}", verdict.location, expected.location));
        }
    } else if verdict.kind == Kind::Upgraded {
        wrong.extend(expected.idle.refute(verdict.idle_limit_ms));
    }
    if verdict.kind != Kind::RefusesToStart
        && let Some(request) = &prediction.upstream_request
    {
        wrong.extend(refute_request(request, upstream));
    }
    Some(if wrong.is_empty() { Judgement::Right } else { Judgement::Wrong(wrong) })
}

impl Expectation {
    fn of(case: &Case, step: &Step, outcome: &Outcome, upstream: &[Sent], told: Told) -> Option<Self> {
        let only = |kinds: &[Kind]| Some(Self { kinds: kinds.to_vec(), status: None, location: None, idle: Idle::NotMeasured });
        let not_upgraded = [Kind::ForwardedPlain, Kind::Answered, Kind::BadGateway, Kind::RefusesToStart];
        let reached = !upstream.is_empty();
        let odd = upstream.iter().any(is_handshake_to_odd_backend);
        match outcome {
            Outcome::Refused => only(&[Kind::RefusesToStart]),
            Outcome::Upgraded | Outcome::Cut(_) | Outcome::Alive(_) => {
                let silent = step.pattern == Pattern::Silent && step.ping.is_none() && step.reload.is_none();
                let idle = match outcome {
                    Outcome::Cut(seconds) if silent => Idle::CutAfter(*seconds),
                    Outcome::Alive(seconds) if silent => Idle::Longer(*seconds),
                    _ => Idle::NotMeasured,
                };
                Some(Self { kinds: vec![Kind::Upgraded], status: None, location: None, idle })
            }
            Outcome::Answer { status, location, .. } => {
                let gateway_error = match case.software {
                    Software::Nginx => matches!(status, 502 | 504),
                    Software::Apache => matches!(status, 500 | 502 | 503 | 504),
                };
                // nginx's records leave out what the plain backend was sent.
                let unseen =
                    told == Told::ByRecord && case.software == Software::Nginx && !reached && case.mentions(PLAIN_BACKEND);
                let mut kinds = match status {
                    200 if unseen => vec![Kind::ForwardedPlain, Kind::Answered],
                    _ if gateway_error && reached => vec![Kind::BadGateway, Kind::ForwardedPlain],
                    500 | 503 if gateway_error => vec![Kind::BadGateway, Kind::Answered],
                    _ if gateway_error => vec![Kind::BadGateway],
                    200 | 400 | 426 | 505 if reached => vec![Kind::ForwardedPlain],
                    _ if reached => vec![Kind::ForwardedPlain, Kind::Answered],
                    _ => vec![Kind::Answered],
                };
                if odd {
                    kinds.push(Kind::Upgraded);
                }
                let own = !reached && !unseen;
                Some(Self {
                    kinds,
                    status: own.then_some(*status),
                    location: location.clone().filter(|_| own && !gateway_error),
                    idle: Idle::NotMeasured,
                })
            }
            Outcome::Hangs | Outcome::Closed | Outcome::Broken if odd => None,
            Outcome::Hangs | Outcome::Closed | Outcome::Broken | Outcome::ConnectionRefused => only(&not_upgraded),
            Outcome::TlsError | Outcome::Many { .. } | Outcome::Http2(_) => None,
        }
    }
}

impl Idle {
    fn refute(&self, limit: Option<u64>) -> Option<String> {
        let limit = limit.map(|limit| std::time::Duration::from_millis(limit).as_secs_f64());
        match (self, limit) {
            (Self::CutAfter(seconds), Some(limit)) if (limit - seconds).abs() <= IDLE_TOLERANCE => None,
            (Self::Longer(seconds), Some(limit)) if limit + IDLE_TOLERANCE >= *seconds => None,
            (Self::NotMeasured, _) | (Self::Longer(_), None) => None,
            (Self::CutAfter(_) | Self::Longer(_), limit) => Some(format!("predicted idle limit {limit:?} s, happened {self:?}")),
        }
    }
}

fn is_handshake_to_odd_backend(sent: &Sent) -> bool {
    let Sent::Http(request) = sent else { return false };
    let has = |value: &Option<String>, token: &str| {
        value.as_ref().is_some_and(|value| value.split([',', '|']).any(|element| element.trim().eq_ignore_ascii_case(token)))
    };
    let odd =
        |port: &str| request.backend.as_deref() == Some(port) || request.host.as_ref().is_some_and(|host| host.ends_with(port));
    has(&request.upgrade, "websocket") && has(&request.connection, "upgrade") && ODD_BACKENDS.into_iter().any(odd)
}

/// How the predicted request differs from every one that arrived: a mirror and an authorization request arrive as well.
fn refute_request(predicted: &UpstreamRequest, upstream: &[Sent]) -> Option<String> {
    let arrived: Vec<&Request> = upstream
        .iter()
        .filter_map(|sent| match sent {
            Sent::Http(request) => Some(request),
            Sent::Other(_) => None,
        })
        .collect();
    if arrived.is_empty() {
        return None; // A dead backend, or another protocol.
    }
    let joined = |name: &str| {
        let values: Vec<_> = predicted
            .headers
            .iter()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| as_backends_read(value))
            .collect();
        (!values.is_empty()).then(|| values.join("|"))
    };
    let predicted = Request {
        method: String::new(),
        target: as_backends_read(&predicted.target),
        version: format!("HTTP/{}", predicted.http_version.trim_start_matches("HTTP/")),
        host: joined("host"),
        upgrade: joined("upgrade"),
        connection: joined("connection"),
        shown: Vec::new(),
        backend: None,
    };
    let same = |request: &&Request| {
        predicted.same_target(request)
            && (&predicted.version, &predicted.host, &predicted.upgrade, &predicted.connection)
                == (&request.version, &request.host, &request.upgrade, &request.connection)
    };
    if arrived.iter().any(same) {
        return None;
    }
    let arrived = list(upstream);
    Some(format!("predicted that upstream is sent\n    {}\n  happened{arrived}", Sent::Http(predicted)))
}

/// Backends take every byte for a character.
fn as_backends_read(text: &str) -> String {
    text.bytes().map(char::from).collect()
}
