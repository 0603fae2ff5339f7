//! A case: a configuration, what a client asks of it, and what the real servers were seen to do.
//!
//! The form on disk is described in `fixtures/conformance/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::outcome::Outcome;
use crate::sent::Sent;

/// The two servers whose configuration is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Software {
    /// nginx.
    Nginx,
    /// Apache httpd.
    Apache,
}

impl Software {
    /// Both of them.
    pub(crate) const ALL: [Self; 2] = [Self::Nginx, Self::Apache];

    /// The name used for folders, test names and options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
        }
    }

    /// The file the server is started with.
    pub(crate) fn main_file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Apache => "httpd.conf",
        }
    }
}

/// How the client behaves once connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// A browser's handshake, then one message and its echo.
    #[default]
    Ws,
    /// The same, with a 101 judged as leniently as its bytes allow.
    Raw,
    /// An ordinary `GET`.
    Http,
    /// A handshake, then watching how long the tunnel lives.
    Idle,
    /// Several handshakes held open at once.
    Many,
    /// HTTP/2.
    H2,
}

/// Who sends what through the tunnel while it is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pattern {
    /// Nobody sends anything.
    #[default]
    Silent,
    /// The client sends messages that are never answered.
    Client,
    /// The client pings, the backend answers.
    ClientPing,
    /// The backend pings, the client answers.
    ServerPing,
    /// The backend sends pongs nobody asked for.
    ServerPong,
    /// The backend sends messages.
    ServerText,
    /// The backend floods a client that does not read.
    ClientNoread,
    /// The client floods a backend that does not read.
    ServerStall,
}

/// One request of a case.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "the keys of case.json, each on its own")]
pub(crate) struct Step {
    /// Its name among the steps of the case.
    pub(crate) label: Option<String>,
    /// How the client behaves.
    pub(crate) mode: Mode,
    /// The request target.
    pub(crate) path: Option<String>,
    /// The `Host` header; the connection itself always goes to the loopback address.
    pub(crate) host: Option<String>,
    /// Counted from 18080.
    pub(crate) port: u16,
    /// Whether to speak TLS.
    pub(crate) tls: bool,
    /// The protocols offered by ALPN.
    pub(crate) alpn: Vec<String>,
    /// The name asked for in TLS, where it is not the host.
    pub(crate) sni: Option<String>,
    /// Header lines changed, added, or (null) left out.
    #[serde(alias = "raw")]
    pub(crate) headers: BTreeMap<String, Option<String>>,
    /// Further headers: an object, or pairs.
    pub(crate) add: Value,
    /// The method, `GET` unless said.
    pub(crate) method: Option<String>,
    /// `1.0` or, unless said, `1.1`.
    pub(crate) httpver: Option<String>,
    /// An ordinary `GET` with `Connection: close`.
    pub(crate) plain: bool,
    /// Seconds to wait for an answer.
    pub(crate) wait: Option<f64>,
    /// Seconds to stay silent after the echo.
    pub(crate) idle: Option<f64>,
    /// Seconds between the client's pings during `idle`.
    pub(crate) ping: Option<f64>,
    /// Keep the connection open until the case is over.
    pub(crate) hold: bool,
    /// Who sends during the watch.
    pub(crate) pattern: Pattern,
    /// Seconds to watch.
    pub(crate) watch: Option<f64>,
    /// Seconds between the messages of the pattern.
    pub(crate) every: Option<f64>,
    /// A signal sent to the server shortly after the handshake.
    pub(crate) reload: Option<String>,
    /// How many clients.
    pub(crate) n: usize,
    /// Use HTTP/2's extended `CONNECT`.
    pub(crate) ext: bool,
    /// Response headers to record.
    pub(crate) show: Vec<String>,
}

impl Step {
    /// The request target, `/ws` unless said.
    pub(crate) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/ws")
    }

    /// The `Host` sent, `localhost` unless said.
    pub(crate) fn host(&self) -> &str {
        self.host.as_deref().unwrap_or("localhost")
    }

    /// Whether this is an ordinary request, not a handshake.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain || self.mode == Mode::Http
    }

    /// The headers beyond those of a browser's handshake: changed ones, and (`None`) removed ones.
    pub(crate) fn changes(&self) -> Vec<(String, Option<String>)> {
        let mut changes: Vec<_> = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match &self.add {
            Value::Object(pairs) => changes.extend(pairs.iter().map(|(name, value)| (name.clone(), text(value)))),
            Value::Array(pairs) => {
                changes.extend(pairs.iter().filter_map(|pair| Some((text(pair.get(0)?)?, text(pair.get(1)?)))));
            }
            _ => {}
        }
        changes
    }
}

/// What one request of a case led to.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// What the client saw.
    pub(crate) outcome: Outcome,
    /// What the backends were sent, in order. `None`: recorded for the case as a whole only.
    pub(crate) upstream: Option<Vec<Sent>>,
}

/// What one version of the server did with a case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    /// One entry a step; a single one where the server refused to start.
    pub(crate) steps: Vec<Seen>,
    /// By step, what a reader of the configuration can know of it where that is not what happened.
    pub(crate) readable: Vec<Option<Seen>>,
    /// What the backends were sent over all steps.
    pub(crate) upstream: Vec<Sent>,
    /// The lines a refusing server printed.
    pub(crate) refusal: Vec<String>,
    /// Why this version could not run the case at all.
    pub(crate) not_applicable: Option<String>,
}

/// One folder of `fixtures/conformance`.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Which server it is written for.
    pub(crate) software: Software,
    /// The folder's name.
    pub(crate) name: String,
    /// The folder.
    pub(crate) folder: PathBuf,
    /// What is asked, in order.
    pub(crate) steps: Vec<Step>,
    /// `-D` names for httpd.
    pub(crate) defines: Vec<String>,
    /// Environment of the server.
    pub(crate) environment: BTreeMap<String, String>,
    /// Further request headers recorded at the backend.
    pub(crate) show: Vec<String>,
    /// Why running it anew does not give the record.
    pub(crate) unstable: Option<String>,
    /// By server version.
    pub(crate) recorded: BTreeMap<String, Recorded>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    #[serde(rename = "desc")]
    _description: Option<String>,
    #[serde(default)]
    client: Value,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
    #[serde(default)]
    defines: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default, rename = "needs")]
    _needs: Vec<String>,
    #[serde(default)]
    show: Vec<String>,
    unstable: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedFile {
    outcome: String,
    #[serde(default)]
    upstream: Vec<String>,
    #[serde(default)]
    config: Vec<String>,
    #[serde(default, rename = "warnings")]
    _warnings: Vec<String>,
    #[serde(default, rename = "log")]
    _log: Vec<String>,
    #[serde(default, rename = "configtest")]
    _configtest: String,
    #[serde(default)]
    steps: Vec<RecordedStep>,
    reader: Option<Reader>,
}

/// What had happened had all been as a reader of the configuration must take it to be: a backend that is there, and correct.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reader {
    #[serde(rename = "because")]
    _because: String,
    outcome: String,
    #[serde(default)]
    upstream: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedStep {
    #[serde(default, rename = "label")]
    _label: Option<String>,
    outcome: String,
    #[serde(default)]
    upstream: Vec<String>,
    reader: Option<Reader>,
}

impl Reader {
    fn understand(&self) -> Result<Seen, String> {
        Ok(Seen { outcome: self.outcome.parse()?, upstream: Some(sent(&self.upstream)) })
    }
}

impl Case {
    /// Reads the folder of one case.
    pub(crate) fn read(software: Software, folder: &Path) -> io::Result<Self> {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file: CaseFile = read_json(&folder.join("case.json"))?;
        let steps: Vec<Step> = match file.client.get("steps") {
            Some(steps) => Vec::deserialize(steps).map_err(|error| bad(&name, &error))?,
            None if file.client.is_null() => vec![Step::default()],
            None => vec![Step::deserialize(&file.client).map_err(|error| bad(&name, &error))?],
        };
        let versions: BTreeMap<String, RecordedFile> = read_json(&folder.join("expected.json"))?;
        let mut recorded = BTreeMap::new();
        for (version, outcome) in versions {
            let one = outcome.understand(&steps).map_err(|error| bad(&format!("{name}@{version}"), &error))?;
            recorded.insert(version, one);
        }
        Ok(Self {
            software,
            name,
            folder: folder.to_owned(),
            steps,
            defines: file.defines,
            environment: file.env,
            show: file.show,
            unstable: file.unstable,
            recorded,
        })
    }

    /// Reads every case of one server, sorted by name.
    pub(crate) fn read_all(software: Software) -> io::Result<Vec<Self>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance").join(software.name());
        let mut folders: Vec<PathBuf> = fs::read_dir(&root)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        folders.retain(|folder| folder.is_dir());
        folders.sort();
        folders.iter().map(|folder| Self::read(software, folder)).collect()
    }

    /// Whether a text stands anywhere in the configuration, that is, in any file but the JSON ones.
    pub(crate) fn mentions(&self, needle: &str) -> bool {
        walkdir::WalkDir::new(&self.folder)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file() && entry.path().extension().is_none_or(|ending| ending != "json"))
            .any(|entry| fs::read(entry.path()).is_ok_and(|bytes| memchr::memmem::find(&bytes, needle.as_bytes()).is_some()))
    }
}

impl RecordedFile {
    /// Makes values of the recorded texts.
    fn understand(self, steps: &[Step]) -> Result<Recorded, String> {
        let upstream = sent(&self.upstream);
        if let Some(reason) = self.outcome.strip_prefix("n/a: ") {
            return Ok(Recorded { upstream, not_applicable: Some(reason.to_owned()), ..Recorded::default() });
        }
        let readers =
            if self.steps.is_empty() { vec![&self.reader] } else { self.steps.iter().map(|step| &step.reader).collect() };
        let understand = |reader: &Option<Reader>| reader.as_ref().map(Reader::understand).transpose();
        let readable = readers.into_iter().map(understand).collect::<Result<_, String>>()?;
        let mut refusal = self.config;
        if let Some(message) = self.outcome.strip_prefix("refuses: ") {
            refusal = vec![message.to_owned()];
        }
        let seen = if !self.steps.is_empty() {
            self.steps
                .iter()
                .map(|step| Ok(Seen { outcome: step.outcome.parse()?, upstream: Some(sent(&step.upstream)) }))
                .collect::<Result<Vec<_>, String>>()?
        } else if steps.len() == 1 || self.outcome == "start-error" || self.outcome.starts_with("refuses: ") {
            vec![Seen { outcome: self.outcome.parse()?, upstream: Some(upstream.clone()) }]
        } else {
            self.outcome
                .split(" ; ")
                .zip(steps)
                .map(|(text, step)| {
                    let label = format!("{}: ", step.label.as_deref().unwrap_or_default());
                    Ok(Seen { outcome: text.strip_prefix(&label).unwrap_or(text).parse()?, upstream: None })
                })
                .collect::<Result<Vec<_>, String>>()?
        };
        let refused = matches!(seen.as_slice(), [Seen { outcome: Outcome::Refused, .. }]);
        if seen.len() != steps.len() && !refused {
            return Err(format!("{} outcomes for {} steps", seen.len(), steps.len()));
        }
        Ok(Recorded { steps: seen, readable, upstream, refusal, not_applicable: None })
    }
}

fn sent(lines: &[String]) -> Vec<Sent> {
    lines.iter().map(|line| Sent::from_record(line)).collect()
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    serde_json::from_slice(&fs::read(path)?).map_err(|error| bad(&path.display().to_string(), &error))
}

fn bad(place: &str, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{place}: {error}"))
}
