//! Fixes before our own model: random deployments are mended without a server, and what the model says of them before and after is compared.
//!
//! Each fix by itself does what it says, touches no byte outside its edits, and takes nothing away; all together are made once and for all;
//! and a file of other line ends, or with something else at its end, is mended in the same way.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use libtest_mimic::{Completion, Failed};
use proxylint::facts::View;
use proxylint::handshake::{Client, Files, Probe, Socket, Verdict, Walk, follow};
use proxylint::rules::{Finding, Plan, Safety};
use proxylint::source::{Edit, Sources, apply, overlap};
use proxylint::{Checked, Request, fix};

use crate::case::{Case, Software, Step};
use crate::mending::{copy, request};
use crate::parts::{Part, may_change};
use crate::random;

/// Deployments tried by every run, and fixes of one that are tried by themselves.
const DEPLOYMENTS: u64 = 10;
const FIXES: usize = 4;

/// A version of which everything can be mended.
pub(crate) fn version(software: Software) -> &'static str {
    match software {
        Software::Nginx => "1.22.1",
        Software::Apache => "2.4.58",
    }
}

/// Mends random deployments of one server.
pub(crate) fn check(software: Software) -> Result<Completion, Failed> {
    let wanted = random::wanted().unwrap_or(DEPLOYMENTS);
    let seeds = random::seeds();
    for seed in seeds.start..seeds.start + wanted {
        deployment(software, seed)?;
    }
    Ok(Completion::Completed)
}

fn deployment(software: Software, seed: u64) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let case = random::case(software, seed, folder.path())?;
    let request = request(software, &case.folder, version(software));
    let mut checked = check_project(&request)?;
    fix::plan(&mut checked, &request);
    let before = walks(&checked, &case);
    let is_planned = |finding: &&Finding| finding.fix.as_ref().is_some_and(|fix| fix.plan.is_ok());
    for finding in checked.findings.iter().filter(is_planned).take(FIXES) {
        // What others do at the same time may be what it rests on: by itself it is as `--select` would have it.
        let alone = Request { select: vec![finding.rule.clone()], ..request.clone() };
        let mut planned = check_project(&alone)?;
        fix::plan(&mut planned, &alone);
        let same = |other: &&Finding| (other.span, &other.message) == (finding.span, &finding.message);
        let Some(plan) = planned.findings.iter().find(same).and_then(|other| other.fix.as_ref()?.plan.as_ref().ok()) else {
            continue;
        };
        one_by_itself(&checked, &before, &case, finding, plan)
            .map_err(|why| format!("seed {seed}: {} ({}): {why}", finding.rule, plan.title))?;
    }
    all_together(software, &case, seed)
}

fn check_project(request: &Request) -> Result<Checked, Failed> {
    Ok(proxylint::check(request).map_err(|error| error.to_string())?)
}

/// One fix, made in a copy by its edits alone.
fn one_by_itself(checked: &Checked, before: &[(Walk, Walk)], case: &Case, finding: &Finding, plan: &Plan) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    copy(&case.folder, folder.path()).map_err(|error| error.to_string())?;
    if plan.edits.windows(2).any(|pair| overlap(&pair[0], &pair[1]) || pair[0].span > pair[1].span) {
        return Err("its edits are out of order or overlap".to_owned());
    }
    let sources = &checked.project.store.sources;
    for edits in plan.edits.chunk_by(|a, b| a.span.source == b.span.source) {
        let source = sources.get(edits[0].span.source);
        let after = apply(source.bytes(), edits);
        untouched(source.bytes(), &after, edits)?;
        let real = fs::canonicalize(&case.folder).map_err(|error| error.to_string())?;
        let place = fs::canonicalize(source.path()).map_err(|error| error.to_string())?;
        let relative = place.strip_prefix(real).map_err(|_| "it writes outside of the given folder")?;
        fs::write(folder.path().join(relative), after).map_err(|error| error.to_string())?;
    }
    let request = request(case.software, folder.path(), version(case.software));
    let after = proxylint::check(&request).map_err(|error| error.to_string())?;
    // What is said of several routes is one finding, of which one may be left.
    let count = |checked: &Checked| -> usize {
        checked.findings.iter().filter(|other| other.rule == finding.rule).map(|other| other.subjects.len()).sum()
    };
    if count(&after) >= count(checked) {
        return Err(format!("there is as much of it as before:\n{}", main_file(case, folder.path())));
    }
    let moved = Case { folder: folder.path().to_path_buf(), ..case.clone() };
    let rules = [finding.rule.clone()].into_iter().collect();
    match lost(case, before, &walks(&after, &moved), may_change(&rules).contains(&Part::Target)) {
        Some(loss) => Err(format!("{loss}\n{}", main_file(case, folder.path()))),
        None => Ok(()),
    }
}

/// Whether all bytes outside the edits are where they were.
fn untouched(before: &[u8], after: &[u8], edits: &[Edit]) -> Result<(), String> {
    let (mut old, mut new) = (0, 0);
    for edit in edits {
        let range = edit.span.range();
        let kept = range.start - old;
        if before.get(old..range.start) != after.get(new..new + kept) {
            return Err("bytes in front of an edit have changed".to_owned());
        }
        (old, new) = (range.end, new + kept + edit.text.len());
    }
    if before.get(old..) == after.get(new..) { Ok(()) } else { Err("bytes behind the edits have changed".to_owned()) }
}

/// What a client loses by a fix: an upgrade, an answer, or the backend that it asks.
fn lost(case: &Case, before: &[(Walk, Walk)], after: &[(Walk, Walk)], may_move: bool) -> Option<String> {
    // A server that does not start, or of which much is unknown, can lose nothing.
    let upgraded = |walk: &Walk| matches!(walk.verdict, Verdict::Upgraded { .. });
    let steps = case.steps.iter().zip(before.iter().zip(after));
    steps.into_iter().find_map(|(step, ((handshake, plain), (handshake_now, plain_now)))| {
        if upgraded(handshake) && !upgraded(handshake_now) {
            return Some(format!("a WebSocket at {} got through, and now {:?}", step.path(), handshake_now.verdict));
        }
        let target = |walk: &Walk| walk.upstream_request.as_ref().map(|request| request.target.clone());
        if !matches!(plain.verdict, Verdict::Upgraded { .. } | Verdict::ForwardedPlain) || may_move {
            return None;
        }
        let is_asked = matches!(plain_now.verdict, Verdict::Upgraded { .. } | Verdict::ForwardedPlain);
        let same = is_asked && target(plain) == target(plain_now);
        (!same).then(|| format!("GET {} came to {:?}, and now to {:?}", step.path(), plain, plain_now))
    })
}

/// What becomes of a handshake and of a plain GET at the place of each step.
fn walks(checked: &Checked, case: &Case) -> Vec<(Walk, Walk)> {
    let project = &checked.project;
    let Some(reached) = project.roots.iter().find(|reached| reached.root.is_main) else { return Vec::new() };
    let gateway = project.lower(reached);
    let view = project.view(reached, &gateway);
    case.steps.iter().map(|step| (walk(&view, step, Probe::Chrome), walk(&view, step, Probe::Plain))).collect()
}

/// What becomes of the request of `probe` at the place of a step, as the rules see it: without the files that are served.
pub(crate) fn walk(view: &View<'_>, step: &Step, probe: Probe) -> Walk {
    walk_over(view, step, probe, &|_| None)
}

/// The same, with the files.
pub(crate) fn walk_over(view: &View<'_>, step: &Step, probe: Probe, files: Files<'_>) -> Walk {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = 18080 + step.port;
    let (path, query) = step.path().split_once('?').map_or((step.path(), None), |(path, query)| (path, Some(query)));
    let mut request = probe.request(step.host(), path, step.tls);
    request.host = step.host().split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    request.query = query.map(str::to_owned);
    request.port = port;
    follow(view, &Client { request, socket: Socket { address: here, port }, from: here }, files)
}

/// All fixes: a second run changes nothing, and neither line ends nor what stands behind the last line make a difference.
fn all_together(software: Software, case: &Case, seed: u64) -> Result<(), Failed> {
    let mended = |change: &dyn Fn(&[u8]) -> Vec<u8>| -> Result<Vec<(PathBuf, Vec<u8>)>, Failed> {
        let folder = tempfile::tempdir()?;
        copy(&case.folder, folder.path())?;
        rewrite(folder.path(), change)?;
        let request = request(software, folder.path(), version(software));
        let mut checked = check_project(&request)?;
        let fixed = fix::mend(&mut checked, &request, Safety::Unsafe);
        if !fix::write(&checked, &fixed).is_empty() {
            return Err("a file could not be written".into());
        }
        let once = texts(folder.path())?;
        let mut again = check_project(&request)?;
        if fix::mend(&mut again, &request, Safety::Unsafe).count > 0 || !names_are_kept(&again.project.store.sources) {
            return Err("a second run mends more".into());
        }
        Ok(once)
    };
    let plain = mended(&|bytes: &[u8]| bytes.to_vec())?;
    let crlf = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\n', "\r\n").into_bytes();
    let wanted: Vec<_> = plain.iter().map(|(path, bytes)| (path.clone(), crlf(bytes))).collect();
    differ(&wanted, &mended(&crlf)?).map_err(|how| format!("seed {seed}: with CRLF {how}"))?;
    let longer = |bytes: &[u8]| [bytes, b"# caf\xe9\n"].concat();
    let wanted: Vec<_> = plain.iter().map(|(path, bytes)| (path.clone(), longer(bytes))).collect();
    differ(&wanted, &mended(&longer)?).map_err(|how| format!("seed {seed}: with a line behind the last {how}"))?;
    Ok(())
}

/// No file but those that were given is there after a fix.
fn names_are_kept(sources: &Sources) -> bool {
    sources.iter().all(|(_, source)| source.path().file_name().is_none_or(|name| !name.to_string_lossy().contains(".proxylint-")))
}

fn differ(wanted: &[(PathBuf, Vec<u8>)], found: &[(PathBuf, Vec<u8>)]) -> Result<(), String> {
    let pair = wanted.iter().zip(found).find(|(one, other)| one != other);
    pair.map_or(Ok(()), |((path, wanted), (_, found))| {
        let (wanted, found) = (String::from_utf8_lossy(wanted), String::from_utf8_lossy(found));
        Err(format!("{} is\n{found}\nand is to be\n{wanted}", path.display()))
    })
}

/// The texts of the configuration in a folder.
fn texts(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Failed> {
    let mut texts = Vec::new();
    for path in files(folder)? {
        texts.push((path.strip_prefix(folder).map_or(path.clone(), Path::to_path_buf), fs::read(&path)?));
    }
    Ok(texts)
}

pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| error.to_string())?;
        let is_configuration = entry.path().extension().is_some_and(|extension| extension == "conf" || extension == "inc");
        if entry.file_type().is_file() && is_configuration {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn rewrite(folder: &Path, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), Failed> {
    for path in files(folder)? {
        let bytes = fs::read(&path)?;
        fs::write(&path, change(&bytes))?;
    }
    Ok(())
}

fn main_file(case: &Case, folder: &Path) -> String {
    fs::read_to_string(folder.join(case.software.main_file())).unwrap_or_default()
}
