//! What `proxylint trace` says about one request, asked of the real program.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::case::{Case, Software, Step};
use crate::client::handshake_headers;

/// Trials whose prediction is known to disagree with what happens: the work that is left. One that agrees has to be taken off.
const OPEN: &str = include_str!("open.txt");

/// Whether the trial is on the list of those whose prediction is known to disagree.
pub(crate) fn is_open(trial: &str) -> bool {
    OPEN.lines().any(|line| line == trial)
}

/// The kinds of verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A correct backend will answer 101 and bytes flow both ways.
    Upgraded,
    /// The upstream is asked, but not for a valid upgrade.
    ForwardedPlain,
    /// The proxy answers itself.
    Answered,
    /// The upstream cannot be asked or gives no answer.
    BadGateway,
    /// The server does not start.
    RefusesToStart,
    /// Something could not be seen.
    Unknown,
}

/// The verdict.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Verdict {
    /// Its kind.
    pub(crate) kind: Kind,
    /// The status the client gets.
    pub(crate) status: Option<u16>,
    /// The `Location` it gets.
    pub(crate) location: Option<String>,
    /// What the server says, or what could not be seen.
    pub(crate) message: Option<String>,
    /// How long a silent tunnel lives.
    pub(crate) idle_limit_ms: Option<u64>,
}

/// What the upstream is sent.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct UpstreamRequest {
    /// The target on the request line.
    pub(crate) target: String,
    /// `1.1`.
    pub(crate) http_version: String,
    /// Every header in order.
    pub(crate) headers: Vec<(String, String)>,
}

/// The answer of `trace --output-format json`, as far as it is compared.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Prediction {
    /// What the upstream is sent, if it is asked.
    pub(crate) upstream_request: Option<UpstreamRequest>,
    /// What comes of it.
    pub(crate) verdict: Verdict,
}

/// Why a step cannot be put to `trace`.
pub(crate) fn obstacle(case: &Case, step: &Step) -> Option<&'static str> {
    if !case.defines.is_empty() || !case.environment.is_empty() {
        Some("trace takes no -D and no environment")
    } else if step.method.is_some() || step.httpver.is_some() {
        Some("trace asks by GET and HTTP/1.1")
    } else if step.ext || !step.alpn.is_empty() || step.sni.is_some() {
        Some("trace takes no ALPN and no server name of its own")
    } else {
        None
    }
}

/// Asks the program.
pub(crate) fn predict(case: &Case, step: &Step, version: &str) -> Result<Prediction, String> {
    predict_file(case.software, &case.folder.join(case.software.main_file()), step, version)
}

fn predict_file(software: Software, file: &Path, step: &Step, version: &str) -> Result<Prediction, String> {
    let scheme = if step.tls { "wss" } else { "ws" };
    let host = step.host();
    let port = 18080 + step.port;
    // A host that is asked for with a port goes into its header; the port that is reached is another matter.
    let authority = match host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => format!("{name}:{port}"),
        _ => format!("{host}:{port}"),
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxylint"));
    command.arg("trace").arg(format!("{scheme}://{authority}{}", step.path())).arg(file);
    command.args(["--output-format", "json", &format!("--{}-version", software.name()), version]);
    for (name, value) in header_options(software, step) {
        command.arg("--header").arg(format!("{name}: {value}"));
    }
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("trace gave no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// How the step differs from the browser's handshake that `trace` asks with; an empty value removes a header.
fn header_options(software: Software, step: &Step) -> Vec<(String, String)> {
    // The client of the cases asks for its host without the port that it reached.
    let mut options = vec![("Host".to_owned(), step.host().to_owned())];
    if step.is_plain() {
        let handshakes_own = ["Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Origin"];
        options.extend(handshakes_own.map(|name| (name.to_owned(), String::new())));
        options.extend(handshake_headers(software, step).into_iter().filter(|(name, _)| name == "Connection"));
    }
    // Nor is it a browser's in all the rest.
    if software == Software::Nginx {
        options.push(("Origin".to_owned(), String::new()));
        let others = ["Sec-WebSocket-Extensions", "User-Agent"];
        options.extend(handshake_headers(software, step).into_iter().filter(|(name, _)| others.contains(&name.as_str())));
    }
    options.extend(step.changes().into_iter().map(|(name, value)| (name, value.unwrap_or_default())));
    options
}
