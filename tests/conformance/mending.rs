//! Fixes under the real servers: every case is mended as `check --unsafe-fixes` does it, and run before and after.
//!
//! What is mended starts; what was upgraded still is, and what `trace` now says is upgraded is; requests that ask for no upgrade are answered
//! as before, and reach the backend unchanged but for what the rules want that found something of the route which takes them. Where one
//! request leads to several, to copies and questions of the server's own, one of them is held to that, and the others to what all rules
//! together want. Every recorded handshake that is broken is upgraded after its fixes, or its case is listed in `unmended.txt` with the reason.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Completion, Failed};
use proxylint::rules::Safety;
use proxylint::{Request, fix};

use crate::case::{Case, Mode, Recorded, Seen, Software, Step};
use crate::check::{Judgement, Told, against_prediction};
use crate::outcome::Outcome;
use crate::parts::{self, Part};
use crate::prediction::{self, Kind};
use crate::run::{self, Happened};
use crate::sent::Sent;
use crate::server::Installed;
use crate::slot::Slots;

/// Headers that are compared beside those that decide a handshake.
const SHOWN: [&str; 8] =
    ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Origin", "Cookie", "User-Agent", "Accept"];

/// Recorded cases in which a handshake stays broken: a line with the reason, which begins with `#`, then the names it is true of.
const UNMENDED: &str = include_str!("unmended.txt");

/// The cases on that list.
pub(crate) fn listed() -> impl Iterator<Item = &'static str> {
    UNMENDED.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace)
}

/// Whether a case is on that list.
fn is_listed(case: &Case) -> bool {
    let name = format!("{}::{}", case.software.name(), case.name);
    listed().any(|listed| listed == name)
}

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

/// Mends a recorded case and runs it before and after; what stays broken must be listed.
pub(crate) fn check_recorded(case: &Case, installed: &Installed, slots: &Slots, tally: &Tally) -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    let broken = mend_and_run(case, folder.path(), installed, slots, tally)?;
    match (broken.is_empty(), is_listed(case)) {
        (true, true) => Err("no handshake stays broken: take it off unmended.txt".into()),
        (false, false) => {
            let left = left(case.software, folder.path(), &installed.version)?;
            Err(format!("STAYS BROKEN\n  {}\n  {}", broken.join("\n  "), left.join("\n  ")).into())
        }
        _ => Ok(Completion::Completed),
    }
}

/// Mends a random deployment and runs it before and after.
pub(crate) fn check(case: &Case, installed: &Installed, slots: &Slots, tally: &Tally) -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    mend_and_run(case, folder.path(), installed, slots, tally)?;
    Ok(Completion::Completed)
}

/// Mends the case into `folder`, runs both, and returns the handshakes that stay broken.
fn mend_and_run(case: &Case, folder: &Path, installed: &Installed, slots: &Slots, tally: &Tally) -> Result<Vec<String>, Failed> {
    copy(&case.folder, folder)?;
    let after = asked(case, folder);
    let (fixed, mut parts) = mend(&after, folder, &installed.version)?;
    let recorded = case.recorded.get(&installed.version);
    if fixed.count == 0 {
        return Ok(recorded.map(|recorded| broken_in_record(case, recorded)).unwrap_or_default());
    }
    let before = asked(case, &case.folder);
    let ran = |case: &Case| slots.with(|slot| run::run(installed, case, slot))?;
    let (then, now) = (ran(&before)?, ran(&after)?);
    let mut all = parts::may_change(&fixed.rules);
    if is_by_chance(case) {
        for parts in parts.iter_mut().chain([&mut all]) {
            parts.insert(Part::Backend);
        }
    }
    let mut wrong = compare(&after, &then, &now, &parts, &all);
    tally.mended.fetch_add(1, Ordering::Relaxed);
    // Where a reader cannot know what the backend is, what it says of it is not judged.
    let readable = recorded.is_some_and(|recorded| recorded.readable.iter().any(Option::is_some));
    if refused(&now) {
        if !refused(&then) {
            wrong.push(format!("it does not start any more: {}", now.complaints));
        }
    } else {
        tally.started.fetch_add(usize::from(refused(&then)), Ordering::Relaxed);
        tally.upgraded.fetch_add(gained(&then, &now), Ordering::Relaxed);
        if !readable {
            wrong.extend(mispredicted(&before, &after, &now, &installed.version)?);
        }
    }
    if !wrong.is_empty() {
        let text = fs::read_to_string(folder.join(case.software.main_file())).unwrap_or_default();
        return Err(format!("mended: {:?}\n  {}\n{text}", fixed.rules, wrong.join("\n  ")).into());
    }
    let mut broken = Vec::new();
    for (number, step) in after.steps.iter().enumerate().filter(|(_, step)| is_handshake(step)) {
        let seen = if refused(&now) { now.steps.first() } else { now.steps.get(number) };
        let Some(seen) = seen.filter(|seen| !is_upgraded(&seen.outcome)) else { continue };
        // A backend that a reader cannot know is taken for a correct one.
        let is_predicted = readable && prediction::predict(&after, step, &installed.version)?.verdict.kind == Kind::Upgraded;
        if !is_predicted {
            broken.push(format!("{} {}: {}", step.host(), step.path(), seen.outcome));
        }
    }
    Ok(broken)
}

/// The handshakes that the record says are broken, as far as a reader of the configuration can know.
fn broken_in_record(case: &Case, recorded: &Recorded) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, step) in case.steps.iter().enumerate().filter(|(_, step)| is_handshake(step)) {
        let readable = recorded.readable.get(number).and_then(Option::as_ref);
        let is_refused = matches!(recorded.steps[..], [ref only] if only.outcome == Outcome::Refused);
        let seen = if is_refused { recorded.steps.first() } else { recorded.steps.get(number) };
        if let Some(seen) = readable.or(seen).filter(|seen| !is_upgraded(&seen.outcome)) {
            broken.push(format!("{} {}: {}", step.host(), step.path(), seen.outcome));
        }
    }
    broken
}

/// Whether a step is a handshake as browsers make it: what a client does wrong no configuration mends.
fn is_handshake(step: &Step) -> bool {
    let own = |name: &String| {
        let name = name.to_ascii_lowercase();
        matches!(name.as_str(), "upgrade" | "connection" | "host") || name.starts_with("sec-websocket-")
    };
    matches!(step.mode, Mode::Ws | Mode::Raw | Mode::Idle)
        && !step.is_plain()
        && step.method.is_none()
        && step.httpver.as_deref().is_none_or(|version| version == "1.1")
        && !step.headers.keys().any(own)
        && !step.ext
}

/// What is left to be found, with the reasons why it was not mended.
fn left(software: Software, folder: &Path, version: &str) -> Result<Vec<String>, Failed> {
    let request = request(software, folder, version);
    let mut checked = proxylint::check(&request).map_err(|error| error.to_string())?;
    fix::plan(&mut checked, &request);
    let show = |finding: &proxylint::rules::Finding| {
        let why = match &finding.fix {
            Some(fix) => fix.plan.as_ref().map_or_else(|reason| format!("withheld: {reason}"), |plan| plan.title.clone()),
            None => "manual".to_owned(),
        };
        format!("{}[{}] {why}", finding.level, finding.rule)
    };
    Ok(checked.findings.iter().map(show).collect())
}

/// A check of the files in a folder for a version of their server.
pub(crate) fn request(software: Software, folder: &Path, version: &str) -> Request {
    let mut request = Request { paths: vec![folder.to_path_buf()], isolated: true, ..Request::default() };
    let version = version.parse().ok();
    match software {
        Software::Nginx => request.nginx_version = version,
        Software::Apache => request.apache_version = version,
    }
    request
}

/// Applies every fix, and says what may change of each request of the case.
fn mend(case: &Case, folder: &Path, version: &str) -> Result<(fix::Fixed, Vec<BTreeSet<Part>>), Failed> {
    let request = request(case.software, folder, version);
    let mut checked = proxylint::check(&request).map_err(|error| error.to_string())?;
    let (fixed, parts) = parts::mend(&mut checked, &request, case);
    if let Some((path, error)) = fix::write(&checked, &fixed).into_iter().next() {
        return Err(format!("{}: {error}", path.display()).into());
    }
    let again = fix::mend(&mut proxylint::check(&request).map_err(|error| error.to_string())?, &request, Safety::Unsafe);
    if again.count > 0 {
        return Err("a second run mends more".into());
    }
    Ok((fixed, parts))
}

/// Whether a group of the case leaves it to chance which backend is asked.
fn is_by_chance(case: &Case) -> bool {
    let main = case.folder.join(case.software.main_file());
    case.software == Software::Nginx && fs::read(main).is_ok_and(|text| text.windows(7).any(|word| word == b"random;"))
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

/// Whether the `Upgrade` of a step, if it has one of its own, is a handshake's (RFC 6455, section 4.2.1).
fn asks_for_websocket(step: &Step) -> bool {
    let mut own = step.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
    own.all(|(_, value)| {
        let protocols = value.iter().flat_map(|value| value.split(','));
        protocols.into_iter().any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
    })
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

/// What is worse than before; of each plain request only its `parts` may differ.
///
/// Copies and questions of the server's own come to other routes: of those, what `all` of the fixes want may. Which of several is the
/// client's own does not show, so that one of them, whichever, must differ in no more than its parts.
fn compare(case: &Case, then: &Happened, now: &Happened, parts: &[BTreeSet<Part>], all: &BTreeSet<Part>) -> Vec<String> {
    if refused(then) || refused(now) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        let (Some(before), Some(after)) = (then.steps.get(number), now.steps.get(number)) else { continue };
        let is_alone = [before, after].into_iter().all(|seen| seen.upstream.as_ref().is_none_or(|sent| sent.len() < 2));
        let own = parts.get(number).unwrap_or(all);
        let parts = if is_alone { own } else { all };
        // Who asks for another protocol was given a WebSocket because it was forced on everybody.
        if is_upgraded(&before.outcome) && !is_upgraded(&after.outcome) && asks_for_websocket(step) {
            wrong.push(format!("{}: was {}, is {}", step.path(), before.outcome, after.outcome));
        }
        if !step.is_plain() {
            continue;
        }
        let moved = parts.contains(&Part::Target);
        let agrees = after.outcome.agrees_with(&before.outcome);
        // Another backend has another answer.
        let is_answered = !is_failure(&after.outcome) || is_backends_own(after);
        if !(agrees || is_failure(&before.outcome) || moved && is_answered) {
            wrong.push(format!("GET {}: was {}, is {}", step.path(), before.outcome, after.outcome));
        }
        // Without a mapping, the files of the server were what was asked for.
        if !agrees && is_kept_out(&before.outcome) && !was_nobodys_wish(step, before, after, &then.complaints) {
            wrong.push(format!("GET {}: was kept out with {}, is {}", step.path(), before.outcome, after.outcome));
        }
        let pair = |parts| (requests(before.upstream.as_deref(), parts), requests(after.upstream.as_deref(), parts));
        let (old, new) = pair(parts);
        let (own_old, own_new) = pair(own);
        // A backend that refused what it was asked may answer what it is asked now, and have an error's page asked for.
        let leads_on = is_failure(&before.outcome) && !parts.is_empty() && old.len() < new.len();
        let is_kept = if leads_on { old.iter().all(|request| new.contains(request)) } else { old == new };
        // The client's own request is one of them.
        let is_kept = is_kept && own_old.iter().any(|request| own_new.contains(request));
        // Where nothing was sent, nothing worked.
        if !old.is_empty() && !is_kept {
            wrong.push(format!("GET {}: sent {:?}, was {:?}", step.path(), after.upstream, before.upstream));
        }
    }
    wrong
}

/// Whether it was no proper answer anyway.
fn is_failure(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Answer { status, .. } if *status < 400)
}

/// Whether a backend was asked, and refuses what it was asked: the servers' own failures are 500 and more.
fn is_backends_own(seen: &Seen) -> bool {
    let is_refusal = matches!(seen.outcome, Outcome::Answer { status: 400..500, .. });
    is_refusal && was_asked(seen)
}

/// Whether the client was not let in: that is somebody's wish.
fn is_kept_out(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answer { status: 401 | 403, .. })
}

/// Whether it was not a wish that kept the client out, and the backend refuses it now: it did so before, for a page about an error; or httpd
/// had nobody to speak the protocol of the backend, or no way to pass on a blank.
fn was_nobodys_wish(step: &Step, before: &Seen, after: &Seen, log: &str) -> bool {
    let path = decoded(step.path().split('?').next().unwrap_or_default());
    let had_nobody = log.contains(&format!("AH01144: No protocol handler was valid for the URL {path} "));
    let is_blank = path.contains(' ') && log.contains("AH10415: To be forwarded path contains control characters or spaces");
    (was_asked(before) || had_nobody || is_blank) && is_backends_own(after)
}

/// A path as httpd logs it.
fn decoded(path: &str) -> String {
    let mut decoded = String::new();
    let mut rest = path;
    while let Some((plain, escape)) = rest.split_once('%') {
        let byte = escape.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push_str(plain);
        decoded.push(byte.map_or('%', char::from));
        rest = if byte.is_some() { &escape[2..] } else { escape };
    }
    decoded + rest
}

fn was_asked(seen: &Seen) -> bool {
    seen.upstream.as_ref().is_some_and(|sent| !sent.is_empty())
}

/// What the backends were sent, without `parts`.
fn requests(upstream: Option<&[Sent]>, parts: &BTreeSet<Part>) -> Vec<String> {
    let has = |part: Part| parts.contains(&part);
    let show = |sent: &Sent| match sent {
        Sent::Http(request) => {
            let mut request = request.clone();
            if has(Part::Target) {
                request.target.clear();
            }
            if has(Part::Target) || has(Part::Backend) {
                request.backend = None;
            }
            if has(Part::Version) {
                request.version.clear();
            }
            if has(Part::Method) {
                request.method.clear();
            }
            if has(Part::Host) {
                request.host = None;
            }
            if has(Part::Hop) {
                (request.upgrade, request.connection) = (None, None);
            }
            let says = |text: &str| request.connection.as_ref().is_some_and(|value| value.eq_ignore_ascii_case(text));
            if has(Part::Kept) && (says("close") || says("keep-alive")) {
                request.connection = None;
            }
            request.shown.retain(|header| !(has(Part::Others) || has(Part::Scheme) && header.starts_with("x-forwarded-proto")));
            format!("{request:?}")
        }
        // A greeting of TLS is another one each time.
        Sent::Other(text) if text.starts_with('\u{16}') => "TLS".to_owned(),
        other @ Sent::Other(_) => format!("{other:?}"),
    };
    // A copy of the handshake before it may be late; it is known by its `User-Agent`, which plain requests have not got.
    let is_late =
        |sent: &&Sent| matches!(sent, Sent::Http(request) if request.shown.iter().any(|header| header == "user-agent=proxylint"));
    let mut requests: Vec<String> = upstream.into_iter().flatten().filter(|sent| !is_late(sent)).map(show).collect();
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

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
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
