//! Fixes under the real servers: every case is mended as `check --unsafe-fixes` does it, and run before and after.
//!
//! What is mended starts; what was upgraded still is, and what `trace` now says is upgraded is; requests that ask for no upgrade are answered
//! as before, and those that no fix is about reach the backend unchanged.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Completion, Failed};
use proxylint::rules::Safety;
use proxylint::{Request, fix};

use crate::case::{Case, Mode, Software, Step};
use crate::check::{Judgement, Told, against_prediction};
use crate::outcome::Outcome;
use crate::prediction::{self, Kind};
use crate::run::{self, Happened};
use crate::sent::Sent;
use crate::server::Installed;
use crate::slot::Slots;

/// Headers that are compared beside those that decide a handshake.
const SHOWN: [&str; 8] =
    ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Origin", "Cookie", "User-Agent", "Accept"];

/// What came of all cases, for the last line.
#[derive(Debug)]
pub(crate) struct Tally {
    mended: AtomicUsize,
    upgraded: AtomicUsize,
    started: AtomicUsize,
}

impl Tally {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self { mended: AtomicUsize::new(0), upgraded: AtomicUsize::new(0), started: AtomicUsize::new(0) }
    }

    /// Says it.
    #[expect(clippy::print_stdout, reason = "a number that the tests measure")]
    pub(crate) fn tell(&self) {
        let [mended, upgraded, started] =
            [&self.mended, &self.upgraded, &self.started].map(|count| count.load(Ordering::Relaxed));
        if mended > 0 {
            println!(
                "fixes: {mended} configurations mended, {started} of them start only now; {upgraded} broken handshakes are upgraded now"
            );
        }
    }
}

/// Mends a case and runs it before and after.
pub(crate) fn check(case: &Case, installed: &Installed, slots: &Slots, tally: &Tally) -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    copy(&case.folder, folder.path())?;
    if mend(case.software, folder.path(), &installed.version)? == 0 {
        return Ok(Completion::Completed);
    }
    let before = asked(case, &case.folder);
    let after = asked(case, folder.path());
    let ran = |case: &Case| slots.with(|slot| run::run(installed, case, slot))?;
    let (then, now) = (ran(&before)?, ran(&after)?);
    let mut wrong = compare(&after, &then, &now);
    tally.mended.fetch_add(1, Ordering::Relaxed);
    if refused(&now) {
        if !refused(&then) {
            wrong.push(format!("it does not start any more: {}", now.complaints));
        }
    } else {
        tally.started.fetch_add(usize::from(refused(&then)), Ordering::Relaxed);
        tally.upgraded.fetch_add(gained(&then, &now), Ordering::Relaxed);
        // Where a reader cannot know what the backend is, what it says of it is not judged.
        let readable =
            case.recorded.get(&installed.version).is_some_and(|recorded| recorded.readable.iter().any(Option::is_some));
        if !readable {
            wrong.extend(mispredicted(&before, &after, &now, &installed.version)?);
        }
    }
    if wrong.is_empty() {
        return Ok(Completion::Completed);
    }
    let text = fs::read_to_string(folder.path().join(case.software.main_file())).unwrap_or_default();
    Err(format!("{}\n{text}", wrong.join("\n  ")).into())
}

/// Applies every fix; returns how many findings were mended.
fn mend(software: Software, folder: &Path, version: &str) -> Result<usize, Failed> {
    let mut request = Request { paths: vec![folder.to_path_buf()], isolated: true, ..Request::default() };
    let version = version.parse().ok();
    match software {
        Software::Nginx => request.nginx_version = version,
        Software::Apache => request.apache_version = version,
    }
    let mut checked = proxylint::check(&request).map_err(|error| error.to_string())?;
    let fixed = fix::mend(&mut checked, &request, Safety::Unsafe);
    if let Some((path, error)) = fix::write(&checked, &fixed).into_iter().next() {
        return Err(format!("{}: {error}", path.display()).into());
    }
    let again = fix::mend(&mut proxylint::check(&request).map_err(|error| error.to_string())?, &request, Safety::Unsafe);
    if again.count > 0 {
        return Err("a second run mends more".into());
    }
    Ok(fixed.count)
}

/// The case in `folder` with quick steps only: each handshake, and an ordinary request for each of their paths.
fn asked(case: &Case, folder: &Path) -> Case {
    let quick = |step: &&Step| matches!(step.mode, Mode::Ws | Mode::Raw | Mode::Idle | Mode::Http) && step.reload.is_none();
    let shorten = |step: &Step| {
        let mode = if step.mode == Mode::Idle { Mode::Ws } else { step.mode };
        Step { mode, idle: None, watch: None, ping: None, hold: false, ..step.clone() }
    };
    let mut steps: Vec<Step> = case.steps.iter().filter(quick).map(shorten).collect();
    let mut seen = BTreeSet::new();
    let plain = |step: &Step| Step {
        mode: Mode::Http,
        path: step.path.clone(),
        host: step.host.clone(),
        port: step.port,
        tls: step.tls,
        sni: step.sni.clone(),
        ..Step::default()
    };
    let places: Vec<Step> = steps
        .iter()
        .filter(|step| seen.insert((step.port, step.tls, step.host().to_owned(), step.path().to_owned())))
        .map(plain)
        .collect();
    steps.extend(places);
    let show = SHOWN.map(str::to_owned).to_vec();
    Case { folder: folder.to_path_buf(), steps, show, recorded: std::collections::BTreeMap::new(), ..case.clone() }
}

fn refused(happened: &Happened) -> bool {
    matches!(happened.steps[..], [ref only] if only.outcome == Outcome::Refused)
}

fn is_upgraded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Upgraded | Outcome::Cut(_) | Outcome::Alive(_))
}

/// How many handshakes are upgraded that were not.
fn gained(then: &Happened, now: &Happened) -> usize {
    let before = |number: usize| then.steps.get(number).is_some_and(|seen| is_upgraded(&seen.outcome));
    now.steps.iter().enumerate().filter(|(number, seen)| is_upgraded(&seen.outcome) && !before(*number)).count()
}

/// What is worse than before.
fn compare(case: &Case, then: &Happened, now: &Happened) -> Vec<String> {
    if refused(then) || refused(now) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        let (Some(before), Some(after)) = (then.steps.get(number), now.steps.get(number)) else { continue };
        if is_upgraded(&before.outcome) && !is_upgraded(&after.outcome) {
            wrong.push(format!("{}: was {}, is {}", step.path(), before.outcome, after.outcome));
        }
        if !step.is_plain() {
            continue;
        }
        if !after.outcome.agrees_with(&before.outcome) && !is_failure(&before.outcome) {
            wrong.push(format!("GET {}: was {}, is {}", step.path(), before.outcome, after.outcome));
        }
        // A route that was mended may say another `Connection` and speak a newer HTTP; all others are as they were.
        let requests = |seen: &crate::case::Seen| requests(case.software, seen.upstream.as_deref());
        let (old, new) = (requests(before), requests(after));
        // Where nothing was sent, nothing worked.
        if !old.is_empty() && !handshake_changed(case, step, then, now) && !was_forced(before.upstream.as_deref()) && old != new {
            wrong.push(format!("GET {}: sent {:?}, was {:?}", step.path(), after.upstream, before.upstream));
        }
    }
    wrong
}

/// Whether it was no proper answer anyway.
fn is_failure(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Answer { status, .. } if *status < 400)
}

/// Whether the handshake to the place of a plain request is sent otherwise than before.
fn handshake_changed(case: &Case, plain: &Step, then: &Happened, now: &Happened) -> bool {
    let same_place =
        |step: &Step| (step.port, step.tls, step.host(), step.path()) == (plain.port, plain.tls, plain.host(), plain.path());
    case.steps.iter().enumerate().filter(|(_, step)| !step.is_plain() && same_place(step)).any(|(number, _)| {
        let sent = |happened: &Happened| happened.steps.get(number).map(|seen| requests(case.software, seen.upstream.as_deref()));
        sent(then) != sent(now)
    })
}

/// Whether requests that ask for no upgrade were sent on as if they did: that is a fault to mend.
fn was_forced(upstream: Option<&[Sent]>) -> bool {
    upstream.into_iter().flatten().any(|sent| match sent {
        Sent::Http(request) => {
            let names_it = |value: &String| value.to_ascii_lowercase().contains("upgrade");
            request.upgrade.is_some() || request.connection.as_ref().is_some_and(names_it)
        }
        Sent::Other(_) => false,
    })
}

/// What the backends were sent. Whether httpd keeps the connection for another request comes of its worker, not of the request.
fn requests(software: Software, upstream: Option<&[Sent]>) -> Vec<String> {
    let show = |sent: &Sent| match sent {
        Sent::Http(request) if software == Software::Apache => {
            let says = |text: &str| request.connection.as_ref().is_some_and(|value| value.eq_ignore_ascii_case(text));
            let connection = request.connection.clone().filter(|_| !says("close") && !says("keep-alive"));
            format!("{:?}", crate::sent::Request { connection, ..request.clone() })
        }
        other => format!("{other:?}"),
    };
    let mut requests: Vec<String> = upstream.into_iter().flatten().map(show).collect();
    // A mirrored request and its original race each other.
    requests.sort_unstable();
    requests
}

/// Handshakes of which `trace` says that the fixes upgrade them, and that are not upgraded. Where it said so before, the backend is to blame.
fn mispredicted(original: &Case, case: &Case, now: &Happened, version: &str) -> Result<Vec<String>, Failed> {
    let mut wrong = Vec::new();
    // A sink reads whatever comes and answers nothing: what a correct backend would say is not to be seen there.
    if now.upstream.iter().any(|sent| matches!(sent, Sent::Other(_))) {
        return Ok(wrong);
    }
    for (step, seen) in case.steps.iter().zip(&now.steps).filter(|(step, _)| !step.is_plain()) {
        if prediction::obstacle(case, step).is_some() || is_upgraded(&seen.outcome) {
            continue;
        }
        if prediction::predict(original, step, version)?.verdict.kind == Kind::Upgraded {
            continue;
        }
        let prediction = prediction::predict(case, step, version)?;
        if prediction.verdict.kind == Kind::Upgraded
            && let Some(Judgement::Wrong(how)) =
                against_prediction(case, step, seen, &now.upstream, Told::ByBackends, &prediction)
        {
            wrong.push(format!("{}: {}", step.path(), how.join(", ")));
        }
    }
    Ok(wrong)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(from).min_depth(1) {
        let entry = entry?;
        let place = to.join(entry.path().strip_prefix(from).map_err(io::Error::other)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&place)?;
        } else if entry.file_type().is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &place)?;
        } else {
            fs::copy(entry.path(), &place)?;
        }
    }
    Ok(())
}
