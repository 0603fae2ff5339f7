//! Random configurations, run under the real server and compared with the prediction.
//!
//! A number (`PROXYLINT_SEED`, then one up for each) makes one deployment and its requests, always the same. `PROXYLINT_RANDOM` says how many per
//! server. A disagreement is written to `PROXYLINT_DISAGREEMENTS` (or `target/disagreements`) as a case, ready to be moved to `fixtures/conformance`.

mod apache;
mod nginx;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::case::{Case, Software};
use crate::outcome::Outcome;
use crate::run::Happened;
use crate::sent::Sent;
use crate::server::Installed;

/// How many of each server every run tries.
const EVERY_RUN: u64 = 60;

/// The first seed unless said.
const FIRST_SEED: u64 = 1;

/// The seeds of this run.
pub(crate) fn seeds() -> std::ops::Range<u64> {
    let first = number("PROXYLINT_SEED").unwrap_or(FIRST_SEED);
    first..first.saturating_add(wanted().unwrap_or(EVERY_RUN))
}

/// How many deployments are asked for, where that is said.
pub(crate) fn wanted() -> Option<u64> {
    number("PROXYLINT_RANDOM")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A generated deployment: its files and the requests made of it.
pub(crate) struct Deployment {
    files: Vec<(String, String)>,
    steps: Vec<Value>,
}

impl Deployment {
    /// The deployment of a seed.
    fn generate(software: Software, seed: u64) -> Self {
        let mut random = Random::new(seed);
        match software {
            Software::Nginx => nginx::deployment(&mut random),
            Software::Apache => apache::deployment(&mut random),
        }
    }

    fn write(&self, folder: &Path, description: &str) -> io::Result<()> {
        for (name, text) in &self.files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, text)?;
        }
        let case = json!({ "desc": description, "client": { "steps": self.steps } });
        fs::write(folder.join("case.json"), format!("{case:#}\n"))?;
        fs::write(folder.join("expected.json"), "{}\n")
    }
}

/// The case of a seed, in a folder of its own below `parent`.
pub(crate) fn case(software: Software, seed: u64, parent: &Path) -> io::Result<Case> {
    let folder = parent.join(format!("random-{seed}"));
    fs::create_dir_all(&folder)?;
    Deployment::generate(software, seed).write(&folder, &format!("random deployment {seed}"))?;
    Case::read(software, &folder)
}

/// Keeps a case together with what the server did, and says where.
pub(crate) fn keep(case: &Case, installed: &Installed, happened: &Happened) -> io::Result<PathBuf> {
    let root = std::env::var_os("PROXYLINT_DISAGREEMENTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/disagreements"), PathBuf::from);
    let place = root.join(case.software.name()).join(&case.name);
    for entry in walkdir::WalkDir::new(&case.folder) {
        let entry = entry?;
        let target = place.join(entry.path().strip_prefix(&case.folder).map_err(io::Error::other)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    let lines = |sent: &[Sent]| sent.iter().map(Sent::to_string).collect::<Vec<_>>();
    let refused = happened.steps.iter().all(|seen| seen.outcome == Outcome::Refused);
    let steps = happened.steps.iter().zip(&case.steps).filter(|_| !refused);
    let steps: Vec<_> = steps
        .map(|(seen, step)| {
            let upstream = lines(seen.upstream.as_deref().unwrap_or_default());
            json!({ "label": step.label, "outcome": seen.outcome.to_string(), "upstream": upstream })
        })
        .collect();
    let outcomes = happened.steps.iter().map(|seen| seen.outcome.to_string()).collect::<Vec<_>>();
    let outcome = if refused {
        let said: Vec<_> = happened.complaints.lines().filter_map(emergency).take(1).collect();
        json!({ "outcome": "start-error", "config": said })
    } else {
        json!({ "outcome": outcomes.join(" ; "), "upstream": lines(&happened.upstream), "steps": steps })
    };
    let expected = json!({ &installed.version: outcome });
    fs::write(place.join("expected.json"), format!("{expected:#}\n"))?;
    Ok(place)
}

/// Why nginx does not start, without the time and the process.
fn emergency(line: &str) -> Option<String> {
    let (_, said) = line.split_once("[emerg] ")?;
    let said = said.split_once(": ").filter(|(process, _)| process.contains('#')).map_or(said, |(_, said)| said);
    Some(format!("[emerg] {said}"))
}

/// Marsaglia's xorshift64*: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // Zero is the one state it never leaves; neighbouring seeds shall not begin alike.
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..4 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A number below `end`, which is not zero.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or_default()
    }

    /// Whether something of so many percent happens.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.choose(choices)
    }

    /// One of them, whatever they are.
    fn choose<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        choices.get(self.below(choices.len())).copied().unwrap_or_default()
    }
}

/// A request of a deployment; most are a browser's handshake.
fn request(random: &mut Random, number: usize, paths: &[&str], hosts: &[&str], second_port: bool) -> Value {
    let (path, host) = (random.pick(paths), random.pick(hosts));
    let port = usize::from(random.chance(if second_port { 30 } else { 0 }));
    let mut step = json!({ "label": format!("{number}"), "path": path, "host": host, "port": port, "wait": 4 });
    match random.below(10) {
        0 => step["headers"] = json!({ "Connection": "keep-alive, Upgrade" }),
        1 => step["headers"] = json!({ "Origin": "https://example.test" }),
        2 => step["plain"] = json!(true),
        3 => step["headers"] = json!({ "Upgrade": "WebSocket" }),
        _ => {}
    }
    step
}
