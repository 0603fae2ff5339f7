//! The conformance suite: what `proxylint trace` predicts, what was recorded, and what the real servers do must be the same.
//!
//! One test a case of `fixtures/conformance` for the installed server, and one a case and recorded version that needs no server.
//! Then random deployments, see [`random`]. `PROXYLINT_REQUIRE_SERVERS=1` makes a missing server a failure, `PROXYLINT_SLOW=1` runs the cases that take minutes.

mod backend;
mod case;
mod cgi;
mod check;
mod client;
mod frame;
mod handshake;
mod head;
mod judged;
mod mending;
mod model;
mod outcome;
mod parts;
mod prediction;
mod random;
mod run;
mod selfcheck;
mod sent;
mod server;
mod slot;
mod tls;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::case::{Case, Mode, Recorded, Seen, Software};
use crate::check::{Judgement, Told};
use crate::mending::Tally;
use crate::outcome::Outcome;
use crate::prediction::Kind;
use crate::sent::Sent;
use crate::server::Installed;
use crate::slot::Slots;

/// Cases mostly wait, so more of them run at once than there are processors.
const AT_ONCE: usize = 8;

/// A watch longer than this, in seconds, is not for every day.
const LONG_WATCH: f64 = 20.0;

static SLOTS: Slots = Slots::new();

static TALLY: Tally = Tally::new();

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let trials = trials().unwrap_or_else(|error| vec![Trial::test("cases", move || Err(error.into()))]);
    let conclusion = libtest_mimic::run(&arguments, trials);
    tls::clean_up();
    TALLY.tell();
    conclusion.exit_code()
}

fn trials() -> io::Result<Vec<Trial>> {
    let mut trials = selfcheck::trials();
    for software in Software::ALL {
        let installed = Arc::new(Installed::find(software));
        for case in Case::read_all(software)? {
            let case = Arc::new(case);
            let name = format!("{}::{}", software.name(), case.name);
            let here = installed.as_ref().as_ref().map(|installed| installed.version.clone()).ok();
            for version in case.recorded.keys().filter(|version| here.as_ref() != Some(version)) {
                let (case, version) = (Arc::clone(&case), version.clone());
                let name = format!("{name}@{version}");
                trials.push(Trial::ignorable_test(name, move || check_record(&case, &version)));
            }
            let mended = (Arc::clone(&case), Arc::clone(&installed));
            trials.push(Trial::ignorable_test(format!("fix::{name}"), move || check_fix(&mended.0, &mended.1)));
            let installed = Arc::clone(&installed);
            trials.push(Trial::ignorable_test(name, move || check_server(&case, &installed)));
        }
        trials.push(Trial::ignorable_test(format!("model::{}", software.name()), move || model::check(software)));
        trials.push(Trial::ignorable_test(format!("judged::{}", software.name()), move || judged::check(software)));
        for seed in random::seeds() {
            let installed = Arc::clone(&installed);
            let name = format!("random::{}::{seed}", software.name());
            let again = Arc::clone(&installed);
            trials.push(Trial::ignorable_test(format!("fix::{name}"), move || check_random_fix(software, seed, &again)));
            trials.push(Trial::ignorable_test(name, move || check_random(software, seed, &installed)));
        }
    }
    Ok(trials)
}

/// A recorded outcome against the prediction.
fn check_record(case: &Case, version: &str) -> Result<Completion, Failed> {
    let Some(recorded) = case.recorded.get(version) else { return Err("not recorded".into()) };
    if let Some(reason) = &recorded.not_applicable {
        return Ok(Completion::ignored_with(reason));
    }
    let trial = format!("{}::{}@{version}", case.software.name(), case.name);
    still_open(&trial, check_prediction(case, version, &recorded.steps, &recorded.upstream, Told::ByRecord))
}

/// The real server against the record, and against the prediction.
fn check_server(case: &Case, installed: &Result<Installed, String>) -> Result<Completion, Failed> {
    let installed = match installed {
        Ok(installed) => installed,
        Err(reason) => return missing(reason),
    };
    if let Some(reason) = obstacle(case) {
        return Ok(Completion::ignored_with(reason));
    }
    if let Some(reason) = &case.unstable {
        return Ok(Completion::ignored_with(reason));
    }
    let recorded = case.recorded.get(&installed.version);
    if let Some(reason) = recorded.and_then(|recorded| recorded.not_applicable.as_ref()) {
        return Ok(Completion::ignored_with(reason));
    }
    let happened = SLOTS.with(|slot| run::run(installed, case, slot))??;
    if let Some(reason) = missing_module(case, recorded, &happened) {
        return Ok(Completion::ignored_with(reason));
    }
    if std::env::var_os("PROXYLINT_KEEP_ALL").is_some() {
        random::keep(case, installed, &happened)?;
        return Ok(Completion::Completed);
    }
    let differences = recorded.map(|recorded| check::against_record(case, &happened, recorded)).unwrap_or_default();
    if !differences.is_empty() {
        return Err(differences.join("\n  ").into());
    }
    let trial = format!("{}::{}", case.software.name(), case.name);
    still_open(&trial, check_prediction(case, &installed.version, &happened.steps, &happened.upstream, Told::ByBackends))
}

/// A prediction that is known to disagree is ignored, and fails once it agrees, so that the list of them stays true.
fn still_open(trial: &str, result: Result<Completion, Failed>) -> Result<Completion, Failed> {
    match result {
        Err(_) if prediction::is_open(trial) => Ok(Completion::ignored_with("known to disagree: see open.txt")),
        Ok(_) if prediction::is_open(trial) => Err(format!("{trial} agrees now: take it off open.txt").into()),
        other => other,
    }
}

/// Every step's prediction; a case that is not wrong anywhere but unknown somewhere counts as ignored, with what is unknown.
fn check_prediction(case: &Case, version: &str, seen: &[Seen], upstream: &[Sent], told: Told) -> Result<Completion, Failed> {
    let (mut wrong, mut undecided) = (Vec::new(), None);
    let readable = case.recorded.get(version).map_or(&[][..], |recorded| &recorded.readable);
    for (number, (step, seen)) in case.steps.iter().zip(seen).enumerate() {
        let seen = readable.get(number).and_then(Option::as_ref).unwrap_or(seen);
        if let Some(reason) = prediction::obstacle(case, step) {
            undecided = Some(reason.to_owned());
            continue;
        }
        let prediction = prediction::predict(case, step, version)?;
        match check::against_prediction(case, step, seen, upstream, told, &prediction) {
            Some(Judgement::Right) => {}
            Some(Judgement::Unknown(reason)) => undecided = Some(format!("{:?}: {reason}", Kind::Unknown)),
            Some(Judgement::Wrong(how)) => {
                let label = step.label.as_deref().unwrap_or(step.path());
                wrong.extend(how.into_iter().map(|how| format!("{label}: {how}")));
            }
            None => undecided = Some(format!("{} decides nothing", seen.outcome)),
        }
    }
    match undecided {
        _ if !wrong.is_empty() => Err(wrong.join("\n  ").into()),
        Some(reason) => Ok(Completion::ignored_with(reason)),
        None => Ok(Completion::Completed),
    }
}

/// A case mended, under the real server.
fn check_fix(case: &Case, installed: &Result<Installed, String>) -> Result<Completion, Failed> {
    let installed = match installed {
        Ok(installed) => installed,
        Err(reason) => return missing(reason),
    };
    let reason = obstacle(case).map(str::to_owned).or_else(|| case.unstable.clone());
    if let Some(reason) = reason {
        return Ok(Completion::ignored_with(reason));
    }
    if let Some(reason) = case.recorded.get(&installed.version).and_then(|recorded| recorded.not_applicable.as_ref()) {
        return Ok(Completion::ignored_with(reason));
    }
    mending::check_recorded(case, installed, &SLOTS, &TALLY)
}

/// A random deployment mended, under the real server.
fn check_random_fix(software: Software, seed: u64, installed: &Result<Installed, String>) -> Result<Completion, Failed> {
    let installed = match installed {
        Ok(installed) => installed,
        Err(reason) => return missing(reason),
    };
    let folder = tempfile::tempdir()?;
    mending::check(&random::case(software, seed, folder.path())?, installed, &SLOTS, &TALLY)
}

/// A random deployment under the real server against the prediction.
fn check_random(software: Software, seed: u64, installed: &Result<Installed, String>) -> Result<Completion, Failed> {
    let installed = match installed {
        Ok(installed) => installed,
        Err(reason) => return missing(reason),
    };
    let record = std::env::var_os("PROXYLINT_KEEP_ALL").is_some();
    let folder = tempfile::tempdir()?;
    let case = random::case(software, seed, folder.path())?;
    let happened = SLOTS.with(|slot| run::run(installed, &case, slot))??;
    if record {
        random::keep(&case, installed, &happened)?;
        return Ok(Completion::Completed);
    }
    let result = check_prediction(&case, &installed.version, &happened.steps, &happened.upstream, Told::ByBackends);
    let result = still_open(&format!("random::{}::{seed}", software.name()), result);
    if !matches!(result, Ok(Completion::Completed)) {
        let place = random::keep(&case, installed, &happened)?;
        return result
            .map_err(|failed| format!("{}\n  kept in {}", failed.message().unwrap_or_default(), place.display()).into());
    }
    result
}

/// A server that is not here: ignored, unless all must be.
fn missing(reason: &str) -> Result<Completion, Failed> {
    if std::env::var_os("PROXYLINT_REQUIRE_SERVERS").is_some() {
        Err(reason.into())
    } else {
        Ok(Completion::ignored_with(reason))
    }
}

/// Why a case cannot be run here.
fn obstacle(case: &Case) -> Option<&'static str> {
    let steps = &case.steps;
    if steps.iter().any(|step| step.mode == Mode::H2) {
        Some("needs an HTTP/2 client")
    } else if steps
        .iter()
        .any(|step| step.tls && case.software == Software::Apache && step.alpn.iter().any(|protocol| protocol == "h2"))
    {
        Some("negotiates HTTP/2")
    } else if ["cert.pem", "19002", "19014"].into_iter().any(|sign| case.mentions(sign)) && !tls::is_available() {
        Some("needs the openssl program")
    } else if steps.iter().any(|step| step.watch.is_some_and(|watch| watch > LONG_WATCH))
        && std::env::var_os("PROXYLINT_SLOW").is_none()
    {
        Some("takes minutes: PROXYLINT_SLOW=1 runs it")
    } else {
        None
    }
}

/// Cases for optional modules of nginx (Lua, stream) that are not installed here.
fn missing_module(case: &Case, recorded: Option<&Recorded>, happened: &run::Happened) -> Option<String> {
    let (_, rest) = happened.complaints.split_once("unknown directive \"")?;
    let (directive, _) = rest.split_once('"')?;
    let optional = directive == "stream" || directive.contains("_by_lua");
    let started = recorded.is_some_and(|recorded| recorded.steps.iter().any(|step| step.outcome != Outcome::Refused));
    let refused_otherwise =
        recorded.is_some_and(|recorded| !recorded.refusal.iter().any(|line| line.contains("unknown directive")));
    (case.software == Software::Nginx && optional && (started || refused_otherwise))
        .then(|| format!("the installed nginx has no module for \"{directive}\""))
}
