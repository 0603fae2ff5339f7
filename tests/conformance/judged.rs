//! Rules beside verdicts: over random deployments, without a server, no error is found on a route whose handshake comes through by our own
//! trace, and one is found where the configuration breaks it.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::{Completion, Failed};
use proxylint::facts::{Fact, Item, Reader, Value, View};
use proxylint::gateway::{Act, Action, Matcher, Protocol, Target};
use proxylint::handshake::{Because, Probe, Verdict, Walk};
use proxylint::rules::{Finding, Level, Subject};
use proxylint::source::Span;

use crate::case::{Case, Software, Step};
use crate::mending::request;
use crate::model::{files, version, walk as follow};
use crate::random;

/// Deployments tried by every run.
const DEPLOYMENTS: u64 = 100;

/// Rules at error level that are about what comes after the handshake, or about requests that are none.
const NOT_OF_HANDSHAKES: [&str; 3] = ["timeout-unit-ignored", "open-forward-proxy", "proxy-target-from-client"];

/// Rules about the path that the backend is asked for, which is none of the trace's business.
const OF_PATHS: [&str; 3] = ["rewrite-target-malformed", "rewrite-redirect-not-last", "sethandler-path-leaked"];

/// What is said of a mapping's line because of the paths below it: the mapped path itself may come through.
const OF_PATHS_BELOW: [&str; 1] = ["proxy-url-malformed"];

/// Judges the random deployments of one server.
pub(crate) fn check(software: Software) -> Result<Completion, Failed> {
    let wanted = random::wanted().unwrap_or(DEPLOYMENTS);
    let seeds = random::seeds();
    let (mut through, mut broken) = (0, 0);
    let mut faults: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for seed in seeds.start..seeds.start + wanted {
        let folder = tempfile::tempdir()?;
        let case = random::case(software, seed, folder.path())?;
        // Of Engine.IO the rules know that its clients say in the query what they are.
        let is_judged = |step: &&Step| {
            !step.is_plain() && step.changes().is_empty() && (!step.path().starts_with("/socket.io") || step.path().contains('?'))
        };
        for step in case.steps.iter().filter(is_judged) {
            match judge(software, &case, step)? {
                Judged::Nothing => {}
                Judged::Through => through += 1,
                Judged::Broken => broken += 1,
                Judged::Wrong { what, where_ } => {
                    let texts = files(&case.folder)?.into_iter().map(|path| {
                        let text = std::fs::read_to_string(&path)?;
                        Ok(format!("# {}\n{text}", path.display()))
                    });
                    let text = texts.collect::<std::io::Result<Vec<_>>>()?.join("\n");
                    faults.entry(what).or_default().push(format!("seed {seed} {}{}: {where_}\n{text}", step.host(), step.path()));
                }
            }
        }
    }
    let shown = |(what, where_): (&String, &Vec<String>)| format!("{} times: {what}, as with {}", where_.len(), where_[0]);
    if !faults.is_empty() {
        let faults: Vec<String> = faults.iter().map(shown).collect();
        return Err(format!("{through} come through, {broken} do not\n{}", faults.join("\n")).into());
    }
    if through < wanted / 10 || broken < wanted / 10 {
        return Err(format!("of {wanted} deployments {through} handshakes come through and {broken} do not").into());
    }
    Ok(Completion::Completed)
}

/// What the rules make of one handshake.
enum Judged {
    /// It is none of their business: the server does not start, what becomes of it is not known, or is meant.
    Nothing,
    /// It comes through, and no error is found.
    Through,
    /// It does not, and one is found.
    Broken,
    /// An error is found and should not be, or the other way round.
    Wrong { what: String, where_: String },
}

fn judge(software: Software, case: &Case, step: &Step) -> Result<Judged, Failed> {
    let mut request = request(software, &case.folder, version(software));
    let path = step.path().split('?').next().unwrap_or_default();
    let gets_through = Fact::named("handshake.gets_through").ok();
    let mut judged = Judged::Nothing;
    for declares in [false, true] {
        if declares {
            request.set = vec![format!("websocket.routes=[{path:?}]")];
        }
        let checked = proxylint::check(&request).map_err(|error| error.to_string())?;
        let project = &checked.project;
        let Some(root) = project.roots.iter().position(|reached| reached.root.is_main) else { return Ok(Judged::Nothing) };
        let gateway = project.lower(&project.roots[root]);
        let view = project.view(&project.roots[root], &gateway);
        let walk = follow(&view, step, Probe::Chrome);
        let errors: Vec<&Finding> = checked.findings.iter().filter(|finding| finding.level == Level::Error).collect();
        let place = |span: Span| {
            let source = project.store.sources.get(span.source);
            let name = source.path().strip_prefix(&case.folder).unwrap_or(Path::new("?")).display().to_string();
            format!("{name}:{}", source.position(span.start).line)
        };
        let line = |finding: &&Finding| format!("{} {}", place(finding.span), finding.rule);
        let is_of_route = |finding: &&&Finding| {
            let of = |item: Item| matches!((item, walk.route), (Item::Route(own), Some(taker)) if own == taker);
            finding.subjects.iter().any(|subject| subject.root == root && of(subject.item))
        };
        // What several routes have in common is said once, as loudly as of the worst of them: of one that does not come through it is right.
        let comes_through = |item: Item| match (item, &gets_through) {
            (Item::Route(id), _) if Some(id) == walk.route => true,
            (Item::Route(_), Some(fact)) => matches!(fact.read(&Reader::new(&view, item)).value, Ok(Value::Flag(true))),
            _ => false,
        };
        // What no route is named for is about the handshake where it stands on a line that this one comes by.
        let is_on_its_way = |finding: &&&Finding| {
            let is_route = |item: Item| matches!(item, Item::Route(_));
            let passes = |span: Span| walk.because.iter().any(|because| because.span == Some(span));
            let is_of_none = !finding.subjects.iter().any(|subject| is_route(subject.item));
            is_of_none && passes(finding.span) && !OF_PATHS_BELOW.contains(&finding.rule.as_str())
        };
        let is_false = |finding: &&&Finding| {
            let in_root = |subject: &Subject| subject.root == root && comes_through(subject.item);
            is_of_route(finding) && finding.subjects.iter().all(in_root) || is_on_its_way(finding)
        };
        match walk.verdict {
            Verdict::Upgraded { .. } => {
                if !comes_through_for_all(&view, step, &walk) {
                    continue;
                }
                let asked = walk.upstream_request.as_ref().map(|request| request.target.split('?').next().unwrap_or_default());
                let counts = |finding: &&&Finding| {
                    let rule = finding.rule.as_str();
                    !(NOT_OF_HANDSHAKES.contains(&rule) || OF_PATHS.contains(&rule) && asked != Some(path))
                };
                let false_ones: Vec<String> = errors.iter().filter(is_false).filter(counts).map(line).collect();
                if let Some(first) = false_ones.first() {
                    let rule = first.rsplit(' ').next().unwrap_or_default();
                    let what = format!("comes through, and {rule} is an error (declared: {declares})");
                    return Ok(Judged::Wrong { what, where_: false_ones.join(", ") });
                }
                judged = Judged::Through;
            }
            Verdict::ForwardedPlain | Verdict::BadGateway { .. } | Verdict::Answered { .. } if declares => {
                let by_name = follow(&view, &by_own_name(&view, step, &walk), Probe::Chrome);
                if is_deliberate(&view, &walk) || is_out_of_sight(&view, &walk, path) || by_name.verdict != walk.verdict {
                    return Ok(Judged::Nothing);
                }
                let culprits: Vec<(Span, &str)> = walk
                    .because
                    .iter()
                    .filter(|because| because.culprit)
                    .filter_map(|because| Some((because.span?, &*because.message)))
                    .collect();
                let lines: Vec<String> = culprits.iter().map(|(span, _)| place(*span)).collect();
                let names = |finding: &&&Finding| {
                    let mut spans = [finding.span].into_iter().chain(finding.labels.iter().map(|(span, _)| *span));
                    spans.any(|span| lines.contains(&place(span)))
                };
                if !errors.iter().any(|finding| is_of_route(&finding) || names(&finding)) {
                    let why = culprits.first().map_or("nothing", |(_, message)| message);
                    let what = format!("{}: {why}, and no error", walk.verdict.kind());
                    return Ok(Judged::Wrong {
                        what,
                        where_: format!("{lines:?}, {:?}", errors.iter().map(line).collect::<Vec<_>>()),
                    });
                }
                judged = Judged::Broken;
            }
            _ => {}
        }
    }
    Ok(judged)
}

/// Whether what comes through does so for another browser as well, and by the site's own name, which is what the rules ask for; and whether
/// the route is the site's own: what httpd's main server maps is judged in its first virtual host.
fn comes_through_for_all(view: &View<'_>, step: &Step, own: &Walk) -> bool {
    let gateway = view.gateway;
    let is_own = match (own.site, own.route) {
        (Some(site), Some(route)) => gateway.route(route).site == site,
        _ => false,
    };
    let upgrades = |step: &Step, probe| matches!(follow(view, step, probe).verdict, Verdict::Upgraded { .. });
    is_own && upgrades(&by_own_name(view, step, own), Probe::Chrome) && upgrades(step, Probe::Firefox)
}

/// The same handshake, by the name of the site that it came to, where that has a plain one.
fn by_own_name(view: &View<'_>, step: &Step, own: &Walk) -> Step {
    let gateway = view.gateway;
    let names = own.site.into_iter().flat_map(|site| &gateway.site(site).names);
    let mut names = names.map(|name| gateway.texts.show(name.text).into_owned());
    let is_plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    Step { host: names.find(is_plain).or_else(|| step.host.clone()), ..step.clone() }
}

/// Whether the rules rightly say nothing of a handshake that does not come through:
/// * of the path that the user declares another site has a mapping, which is then the one that is meant;
/// * the path is declared as it is asked for, encoded or with slashes that are read as one;
/// * by the site's own name, which is what the rules ask for, something else becomes of it;
/// * the backends are down by the user's own word, or the backend is asked for the page of an error;
/// * `no-proxy` is set for this request, so that nothing takes it which proxies;
/// * the user is asked for a name and a password, which a browser's handshake may bring along;
/// * it is passed on by an `if`, for which no path is declared;
/// * a variable holds the scheme of the backend's URL.
fn is_out_of_sight(view: &View<'_>, walk: &Walk, path: &str) -> bool {
    let gateway = view.gateway;
    let text = gateway.texts.find(path.as_bytes());
    let has_it = |matcher: &Matcher| match *matcher {
        Matcher::Exact(own) | Matcher::Prefix { text: own, .. } | Matcher::Segments(own) => Some(own) == text,
        _ => false,
    };
    let mut sites =
        gateway.routes.iter().filter(|route| text.is_some() && has_it(&route.matcher)).map(|route| route.site).peekable();
    let is_of_another = sites.peek().is_some() && sites.all(|site| Some(site) != walk.site);
    let mut culprits = walk.because.iter().filter(|because| because.culprit);
    let meant = ["out of service", "marked as down", "asked instead of an error", "asks for a user"];
    let is_meant = culprits.any(|because| meant.iter().any(|text| because.message.contains(text)));
    let sets_no_proxy = |because: &Because| {
        let line = because.span.map(|span| String::from_utf8_lossy(view.sources.slice(span)).into_owned());
        line.is_some_and(|line| line.contains("no-proxy"))
    };
    let is_kept_out =
        matches!(walk.verdict, Verdict::Answered { .. }) && walk.route.is_none() && walk.because.iter().any(sets_no_proxy);
    let is_encoded = path.contains('%') || path.contains("//");
    let target = walk.route.map(|id| &gateway.route(id).target);
    let is_veiled = matches!(target, Some(Target::Proxy(proxy)) if proxy.protocol == Protocol::Other);
    let is_conditional = matches!(walk.verdict, Verdict::ForwardedPlain) && matches!(target, Some(Target::Files));
    is_of_another || is_conditional || is_encoded || is_meant || is_kept_out || is_veiled
}

/// Whether the configuration plainly says that this is answered so: by who is let in, by a redirect, by a place that passes nothing on.
fn is_deliberate(view: &View<'_>, walk: &Walk) -> bool {
    let Verdict::Answered { status, location } = &walk.verdict else { return false };
    let gateway = view.gateway;
    let answers = |span: Span| {
        let rules = gateway.sites.iter().flat_map(|site| &site.rewrites);
        let excludes = |target: &Target| matches!(target, Target::Excluded(own) if *own == span);
        gateway.routes.iter().any(|route| excludes(&route.target))
            || rules.into_iter().any(|rule| rule.span == span && matches!(rule.action, Action::Answer(_)))
    };
    let passes_on = walk.route.is_some_and(|id| {
        let route = gateway.route(id);
        let beside = gateway.programs.get(route.scope).is_some_and(|program| program.beside.is_some());
        beside || matches!(route.target, Target::Proxy(_))
    });
    let culprits = || walk.because.iter().filter(|because| because.culprit).filter_map(|because| because.span);
    culprits().any(|span| is_under_condition(view, walk, span))
        || matches!(status, 401 | 403 | 405)
        || location.is_some()
        || !passes_on
        || culprits().any(answers)
}

/// Whether a line counts under a condition: it stands in an `if` that the handshake came into.
fn is_under_condition(view: &View<'_>, walk: &Walk, line: Span) -> bool {
    let gateway = view.gateway;
    let holds =
        |span: Span| walk.because.iter().any(|because| because.span == Some(span) && because.message == "its condition holds");
    let own = walk.route.map(|id| gateway.route(id).scope).or(walk.site.map(|id| gateway.site(id).scope));
    let programs = own.into_iter().flat_map(|own| gateway.scopes.chain(own)).filter_map(|scope| gateway.programs.get(scope));
    { programs }.any(|program| {
        let at = program.steps.iter().position(|step| step.span == line);
        at.is_some_and(|at| {
            program.steps[..at].iter().any(|step| match step.act {
                Act::If { otherwise, .. } => otherwise as usize > at && holds(step.span),
                _ => false,
            })
        })
    })
}
