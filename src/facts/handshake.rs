//! The facts of the handshake that is followed to a route's own path: what comes of it, and which lines decide.

use rustc_hash::FxHashSet;

use super::app::{WithoutSlash, asked_without_slash};
use super::{Definition, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{
    Act, Assigned, Definition as Defined, Gateway, Matcher, Part, Property, Route, RouteId, Setting, SymbolicId, Target, Variable,
};
use crate::handshake::{DEPTH, Probe, Verdict, Walk, ask_for_host, ifs_behind};
use crate::source::Span;

/// The facts of followed handshakes.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "handshake.path",
        Subject::Route,
        Type::Text,
        path,
        "The path at which a handshake to the route is followed: an endpoint that the user declares and that comes to it, else the route's own. Absent where no path leads to it.",
    ),
    fact(
        "handshake.path_declared",
        Subject::Route,
        Type::Flag,
        path_declared,
        "Whether the user declares that path, so that it is known and not a guess.",
    ),
    fact(
        "handshake.reached",
        Subject::Route,
        Type::Flag,
        reached,
        "Whether that handshake comes to this route in the end; absent where no path leads to it.",
    ),
    fact(
        "handshake.verdict",
        Subject::Route,
        Type::Text,
        verdict,
        "What becomes of that handshake: `upgraded`, `forwarded-plain`, `answered`, `bad-gateway`. Its places are the lines that decide.",
    ),
    fact(
        "handshake.gets_through",
        Subject::Route,
        Type::Flag,
        gets_through,
        "Whether that handshake is known to be upgraded in the end, by this route or another; false where it is not, or cannot be known.",
    ),
    fact(
        "handshake.status",
        Subject::Route,
        Type::Number,
        status,
        "The status that the client gets where the server itself answers; absent where the upstream does.",
    ),
    fact("handshake.location", Subject::Route, Type::Text, location, "Where the client is sent instead; absent where it is not."),
    fact(
        "handshake.reason",
        Subject::Route,
        Type::Text,
        reason,
        "What the first line to blame does to that handshake; absent where it is upgraded.",
    ),
    fact(
        "handshake.decided_by",
        Subject::Route,
        Type::Text,
        decided_by,
        "What is to blame for what becomes of that handshake: the `target` itself, whose URL is none for it; a `guard`, where the line counts under a condition on who the client is, or what it brings along; another `condition`; or a `line` that is for every request. Absent where nothing is.",
    ),
    fact(
        "answer_buffer",
        Subject::Route,
        Type::Number,
        answer_buffer,
        "The bytes that the head of the upstream's answer must fit into; absent where nothing says.",
    ),
    fact(
        "target.answered_before",
        Subject::Route,
        Type::Flag,
        answered_before,
        "Whether a line of the route answers every request before it is passed on, so that it never is.",
    ),
    fact(
        "handshake.lost_to_condition",
        Subject::Route,
        Type::Number,
        lost_to_condition,
        "The status that nginx answers where an `if` takes handshakes from the upstream that an `if` before it passes them on to; absent where none does.",
    ),
    fact(
        "handshake.instead",
        Subject::Route,
        Type::Number,
        instead,
        "The status that the server answers instead of passing the handshake on; absent where it passes it on.",
    ),
    fact(
        "handshake.redirect",
        Subject::Route,
        Type::Text,
        redirect,
        "How the client is sent elsewhere: `slash`, from the path without a slash to the one with it; `https`, to the same over TLS; `elsewhere`. Absent where it is not.",
    ),
    fact(
        "handshake.without_slash",
        Subject::Route,
        Type::Text,
        without_slash,
        "Whether clients ask for the path of the route without its final slash: `likely`, `possible` or `unlikely`. Absent where it ends with none, or a path is declared.",
    ),
    fact(
        "handshake.redirect_example",
        Subject::Route,
        Type::Text,
        redirect_example,
        "The same with paths: what is asked for, and where the client is sent.",
    ),
];

/// The statuses that send a client elsewhere.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// A fact of the followed handshake.
fn followed(reader: &Reader<'_>, read: impl FnOnce(RouteId, &Walk) -> Reading) -> Reading {
    match (reader.route(), reader.walk()) {
        (Some((id, _)), Some(walk)) => read(id, walk),
        _ => Reading::absent(),
    }
}

/// A value with the lines that decided the verdict.
pub(super) fn decided(walk: &Walk, value: Value) -> Reading {
    let culprits = walk.because.iter().filter(|because| because.culprit);
    culprits.fold(Reading::new(value), |reading, because| match because.span {
        Some(span) => reading.at(span, because.message.clone()),
        None => reading,
    })
}

fn path(reader: &Reader<'_>, _: &str) -> Reading {
    followed(reader, |_, _| match reader.route() {
        Some((id, route)) => Reading::text(reader.handshake_path(id, route).into_owned()),
        None => Reading::absent(),
    })
}

fn path_declared(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((id, _)) = reader.route() else { return Reading::absent() };
    Reading::new(Value::Flag(reader.view.endpoints().contains_key(&id)))
}

fn reached(reader: &Reader<'_>, _: &str) -> Reading {
    followed(reader, |id, walk| match walk.route {
        Some(taker) if taker == id => Reading::new(Value::Flag(true)),
        Some(taker) => Reading::new(Value::Flag(false)).at(reader.view.gateway.route(taker).span, "takes the handshake"),
        None => decided(walk, Value::Flag(false)),
    })
}

fn verdict(reader: &Reader<'_>, _: &str) -> Reading {
    followed(reader, |_, walk| match walk.verdict {
        Verdict::Unknown(why) => Reading::unknown(why),
        ref verdict => decided(walk, Value::text(verdict.kind())),
    })
}

fn gets_through(reader: &Reader<'_>, _: &str) -> Reading {
    followed(reader, |_, walk| decided(walk, Value::Flag(matches!(walk.verdict, Verdict::Upgraded { .. }))))
}

fn status(reader: &Reader<'_>, _: &str) -> Reading {
    followed(reader, |_, walk| match walk.verdict {
        Verdict::Unknown(why) => Reading::unknown(why),
        Verdict::Answered { status, .. } | Verdict::BadGateway { status } => decided(walk, Value::Number(status.into())),
        _ => Reading::absent(),
    })
}

fn location(reader: &Reader<'_>, _: &str) -> Reading {
    followed(reader, |_, walk| match &walk.verdict {
        Verdict::Unknown(why) => Reading::unknown(*why),
        Verdict::Answered { location: Some(location), .. } => decided(walk, Value::text(location.clone())),
        _ => Reading::absent(),
    })
}

fn reason(reader: &Reader<'_>, _: &str) -> Reading {
    followed(reader, |_, walk| match (&walk.verdict, walk.because.iter().find(|because| because.culprit)) {
        (Verdict::Unknown(why), _) => Reading::unknown(*why),
        (_, Some(because)) => decided(walk, Value::text(because.message.clone().into_owned())),
        (_, None) => Reading::absent(),
    })
}

fn decided_by(reader: &Reader<'_>, _: &str) -> Reading {
    let (Some((_, route)), Some((_, proxy))) = (reader.route(), reader.meant()) else { return Reading::absent() };
    followed(reader, |_, walk| {
        let culprits: Vec<Span> =
            walk.because.iter().filter(|because| because.culprit).filter_map(|because| because.span).collect();
        let mut conditions = culprits.iter().flat_map(|&span| conditions_around(reader.view.gateway, route, span)).peekable();
        let kind = if culprits.is_empty() {
            return Reading::absent();
        } else if culprits.contains(&proxy.span) {
            "target"
        } else if conditions.peek().is_none() {
            "line"
        } else if conditions.any(|subject| is_about_client(reader.view.gateway, subject)) {
            "guard"
        } else {
            "condition"
        };
        decided(walk, Value::text(kind))
    })
}

/// What the conditions are about under which a line of `route`, or of the levels around it, counts: those of an `if`, or of a rewrite rule.
fn conditions_around(gateway: &Gateway, route: &Route, span: Span) -> Vec<SymbolicId> {
    let rules = gateway.site(route.site).rewrites.iter().filter(|rule| rule.span == span);
    let mut subjects: Vec<SymbolicId> = rules.flat_map(|rule| &rule.conditions).map(|condition| condition.subject).collect();
    for program in gateway.scopes.chain(route.scope).filter_map(|scope| gateway.programs.get(scope)) {
        for at in (0..program.steps.len()).filter(|&at| program.steps[at].span == span) {
            subjects.extend(program.steps[..at].iter().filter_map(|step| match &step.act {
                Act::If { condition, otherwise, .. } if *otherwise as usize > at => Some(condition.subject),
                _ => None,
            }));
        }
    }
    subjects
}

/// Whether a value tells one client from another: by what it asks with, where it comes from, who it says it is. All handshakes have the rest
/// in common.
fn is_about_client(gateway: &Gateway, subject: SymbolicId) -> bool {
    // A map may look up a map, and that one the first.
    let mut seen = FxHashSet::default();
    let mut asked = vec![(subject, 0)];
    while let Some((subject, depth)) = asked.pop() {
        // What lies deeper is not known to be the same for all.
        if depth > DEPTH {
            return true;
        }
        if !seen.insert(subject) {
            continue;
        }
        for part in gateway.symbolics.get(subject) {
            match *part {
                Part::Variable(Variable::RequestHeader(name)) => {
                    if !matches!(gateway.texts.get(name), b"upgrade" | b"connection" | b"host" | b"sec-websocket-version") {
                        return true;
                    }
                }
                Part::Text(_)
                | Part::Variable(
                    Variable::Path
                    | Variable::Host
                    | Variable::SiteName
                    | Variable::Scheme
                    | Variable::Tls
                    | Variable::Method
                    | Variable::ServerPort
                    | Variable::ServerAddress
                    | Variable::DocumentRoot,
                ) => {}
                Part::Variable(Variable::Defined(name)) => match gateway.variables.get(&name) {
                    Some(Defined::Map(map)) => asked.push((map.subject, depth + 1)),
                    _ => return true,
                },
                _ => return true,
            }
        }
    }
    false
}

fn answer_buffer(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    match reader.view.gateway.scopes.scalar(route.scope, Property::BufferSize) {
        Err(why) => Reading::unknown(why),
        Ok(Some(Setting { value: Assigned::Number(size), origin })) => {
            let reading = Reading::new(Value::Number(i64::try_from(size).unwrap_or(i64::MAX)));
            origin.span().map_or(reading.clone(), |span| reading.at(span, "set here"))
        }
        Ok(_) => Reading::absent(),
    }
}

fn answered_before(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let beside = reader.view.gateway.programs.get(route.scope).and_then(|program| program.beside.as_deref());
    match (&route.target, beside) {
        (Target::Answer { span, .. }, Some(proxy)) => {
            Reading::new(Value::Flag(true)).at(*span, "answers every request").at(proxy.span, "never comes to this")
        }
        _ => Reading::new(Value::Flag(false)),
    }
}

fn instead(reader: &Reader<'_>, name: &str) -> Reading {
    let lost = lost_to_condition(reader, name);
    if lost.is_absent() { status(reader, name) } else { lost }
}

/// An `if` that passes nothing on, behind one that does: a handshake for which both may hold is followed.
fn lost_to_condition(reader: &Reader<'_>, _: &str) -> Reading {
    let (Some((own, conditional)), gateway) = (reader.route(), reader.view.gateway) else { return Reading::absent() };
    let (Target::Proxy(proxy), Some(id)) = (&conditional.target, conditional.parent) else { return Reading::absent() };
    let route = gateway.route(id);
    if !matches!((conditional.matcher, &route.target), (Matcher::Conditional, Target::Files)) {
        return Reading::absent();
    }
    for (span, condition) in ifs_behind(gateway, route.scope, own) {
        let mut request = reader.request(Probe::Chrome, conditional);
        ask_for_host(gateway, gateway.site(route.site), &condition, &mut request);
        let walk = reader.view.walk(route.site, request);
        let decides = walk.because.iter().any(|because| because.culprit && because.span == Some(span));
        if let (true, Verdict::Answered { status, .. }) = (decides && walk.route == Some(id), &walk.verdict) {
            let reading = Reading::new(Value::Number((*status).into()));
            return reading.at(span, "this counts instead, and names no upstream").at(proxy.span, "never comes to this");
        }
    }
    Reading::absent()
}

/// A redirect of the handshake: its kind, and where it leads from and to.
struct Redirected {
    kind: &'static str,
    from: String,
    reading: Reading,
}

fn redirected(reader: &Reader<'_>) -> Option<Redirected> {
    let ((id, route), walk) = (reader.route()?, reader.walk()?);
    let found = |kind, from, walk: &Walk| {
        let Verdict::Answered { location: Some(location), .. } = &walk.verdict else { return None };
        Some(Redirected { kind, from, reading: decided(walk, Value::text(location.clone())) })
    };
    if is_redirect(&walk.verdict) {
        // What another route makes of it is said there.
        let is_own = walk.route.is_none_or(|taker| taker == id);
        let kind = if to_tls(reader, walk) { "https" } else { "elsewhere" };
        return if is_own { found(kind, reader.handshake_path(id, route).into_owned(), walk) } else { None };
    }
    // Where the user says at which path the WebSocket is, no client asks for another.
    if reader.view.endpoints().contains_key(&id) {
        return None;
    }
    let path = reader.path_without_slash()?;
    let walk = reader.view.handshake_in(route.site, &path);
    let is_slash = is_redirect(&walk.verdict) && (walk.route == Some(id) || adds_slash(&path, &walk));
    if is_slash { found("slash", path.into_owned(), &walk) } else { None }
}

fn without_slash(reader: &Reader<'_>, _: &str) -> Reading {
    let is_declared = reader.route().is_some_and(|(id, _)| reader.view.endpoints().contains_key(&id));
    match reader.path_without_slash().filter(|_| !is_declared) {
        Some(path) => Reading::text(match asked_without_slash(&path) {
            WithoutSlash::Likely => "likely",
            WithoutSlash::Possible => "possible",
            WithoutSlash::Unlikely => "unlikely",
        }),
        None => Reading::absent(),
    }
}

fn redirect(reader: &Reader<'_>, _: &str) -> Reading {
    redirected(reader).map_or_else(Reading::absent, |found| Reading { value: Ok(Value::text(found.kind)), ..found.reading })
}

fn redirect_example(reader: &Reader<'_>, _: &str) -> Reading {
    redirected(reader).map_or_else(Reading::absent, |Redirected { kind, from, reading }| {
        let to = reading.value.as_ref().map_or_else(|_| String::new(), ToString::to_string);
        // One line may redirect the requests of many sites, and is told of once.
        let to = to.split_once("://").map_or(to.as_str(), |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        let text = if kind == "https" { format!("`{from}` to the same over TLS") } else { format!("`{from}` to `{to}`") };
        Reading { value: Ok(Value::text(text)), ..reading }
    })
}

/// Whether the client is sent to the path with a slash behind it.
fn adds_slash(path: &str, walk: &Walk) -> bool {
    let Verdict::Answered { location: Some(location), .. } = &walk.verdict else { return false };
    location.strip_suffix('/').is_some_and(|rest| rest.ends_with(path))
}

fn is_redirect(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Answered { status, location: Some(_) } if REDIRECTS.contains(status))
}

/// Whether the client, which came without TLS, is sent to the same path over TLS.
fn to_tls(reader: &Reader<'_>, walk: &Walk) -> bool {
    let Some((_, route)) = reader.route() else { return false };
    let request = reader.chrome(route);
    let Verdict::Answered { location: Some(location), .. } = &walk.verdict else { return false };
    let Some(rest) = location.strip_prefix("https://") else { return false };
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    !request.tls && path.split('?').next() == Some(&request.path)
}
