//! The facts of what the application behind a route learns of the client: host, scheme, origin; and what it makes of that.

use super::route::proxied;
use super::{Definition, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Assigned, Part, Property, Route, Server, Unknown, Variable, host_and_port, split_authority};
use crate::handshake::{Probe, Request, Sent, Verdict, sent_header};
use crate::source::Span;

/// The facts of what applications learn of their clients.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "host",
        Subject::Route,
        Type::Text,
        host,
        "What becomes of the client's `Host`: `forwarded`, `without-port` where the clients come to another port than their scheme's and the port is cut off, `upstream` where the upstream's own name is sent instead, or `replaced` by something the configuration says.",
    ),
    fact(
        "host.told",
        Subject::Route,
        Type::Text,
        host_told,
        "The host that the upstream is told where it is not the client's, in words.",
    ),
    fact(
        "public_name",
        Subject::Route,
        Type::Text,
        public_name,
        "The first name of the route's site that a browser may show; absent where the site has none.",
    ),
    fact(
        "target.public",
        Subject::Route,
        Type::Flag,
        is_public,
        "Whether the host of the upstream is written as a name of the public internet, and no group of backends.",
    ),
    fact(
        "compares_origin",
        Subject::Route,
        Type::Flag,
        compares_origin,
        "Whether the path, port or name of the upstream is that of an application known to compare `Origin` with `Host`.",
    ),
    fact(
        "scheme_forwarded",
        Subject::Route,
        Type::Flag,
        scheme_forwarded,
        "Whether the upstream is told how the client came: `X-Forwarded-Proto` or one of its kin.",
    ),
    fact("tls.client", Subject::Route, Type::Flag, client_tls, "Whether TLS with the client ends at the route's site."),
    fact(
        "origin",
        Subject::Route,
        Type::Text,
        origin,
        "What becomes of the `Origin` of a handshake that another site's page begins: `forwarded`, `forged` or `removed`.",
    ),
    fact(
        "auth.basic",
        Subject::Route,
        Type::Flag,
        basic_auth,
        "Whether a handshake is answered 401 for want of a password of Basic authentication.",
    ),
    fact(
        "allowed_origin",
        Subject::Route,
        Type::Text,
        allowed_origin,
        "The value of `Access-Control-Allow-Origin` that is added to answers; absent where none is.",
    ),
];

fn set_at(reading: Reading, spans: &[Span]) -> Reading {
    spans.iter().fold(reading, |reading, &span| reading.at(span, "set here"))
}

fn host(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| match reader.sent(Probe::Chrome, "host") {
        Err(why) => Reading::unknown(why),
        Ok(Sent { values, spans, .. }) => {
            let asked = reader.chrome(route).host.clone();
            let sent = values.first().map(String::as_str).unwrap_or_default();
            // The port that a request to the site's own comes to is not part of the probe.
            // What is asked over a socket has no port, and the colon before it stays.
            let bare = sent.strip_suffix(':').unwrap_or_else(|| host_and_port(sent).0);
            let reading = if bare == asked && cuts_port_off(reader, route, &spans) {
                Reading::text("without-port")
            } else if bare == asked {
                Reading::text("forwarded")
            } else if spans.is_empty() {
                Reading::text("upstream")
            } else {
                Reading::text("replaced")
            };
            set_at(reading, &spans).at(proxy.span, "passed to the upstream here")
        }
    })
}

fn host_told(reader: &Reader<'_>, _: &str) -> Reading {
    let Ok(Value::Text(kind)) = host(reader, "").value else { return Reading::absent() };
    match (kind.as_ref(), reader.sent(Probe::Chrome, "host")) {
        ("without-port", _) => Reading::text("the browser's host without its port"),
        ("upstream" | "replaced", Ok(sent)) if !sent.values.is_empty() => {
            Reading::text(format!("the host `{}`", sent.values.join(", ")))
        }
        ("upstream" | "replaced", Ok(_)) => Reading::text("no host"),
        _ => Reading::absent(),
    }
}

/// Whether clients come over TLS to another port than 443 only, and `Host` is sent without it.
fn cuts_port_off(reader: &Reader<'_>, route: &Route, spans: &[Span]) -> bool {
    let gateway = reader.view.gateway;
    let listens = &gateway.site(route.site).listens;
    if listens.is_empty() || !listens.iter().all(|listen| listen.tls && listen.port.is_some_and(|port| port != 443)) {
        return false;
    }
    let value =
        gateway.scopes.chain(route.scope).flat_map(|level| gateway.scopes.own(level)).find_map(|entry| match entry.assigned {
            Assigned::Header { value, .. } if spans.contains(&entry.span) => Some(value),
            _ => None,
        });
    value.is_some_and(|value| gateway.symbolics.get(value) == [Part::Variable(Variable::Host)])
}

fn public_name(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let gateway = reader.view.gateway;
    let names = gateway.site(route.site).names.iter();
    let found = names.map(|name| (gateway.texts.show(name.text), name.span)).find(|(name, _)| is_public_name(name));
    match found {
        Some((name, span)) => Reading::new(Value::text(name.into_owned())).at(span, "what browsers know it by"),
        None => Reading::absent(),
    }
}

/// Whether a name is one of the public internet: it has a dot, and no ending that is for private networks.
fn is_public_name(name: &str) -> bool {
    const PRIVATE: [&str; 11] =
        ["local", "localhost", "internal", "lan", "home", "intranet", "corp", "private", "consul", "svc", "test"];
    let Some((before, ending)) = name.rsplit_once('.') else { return false };
    let written =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-*_".contains(&byte));
    // An ending of digits is that of an address.
    let letters = ending.len() > 1 && ending.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    written(before) && letters && !PRIVATE.contains(&ending) && !name.ends_with("home.arpa")
}

fn is_public(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |_, proxy| {
        let Some(authority) = proxy.authority else { return Reading::unknown(Unknown::Runtime) };
        let authority = reader.view.gateway.texts.show(authority);
        let (host, _) = split_authority(&authority);
        Reading::new(Value::Flag(proxy.upstream.is_none() && is_public_name(host))).at(proxy.span, "passed to it here")
    })
}

/// Applications that answer 403 where `Origin` is of another host than `Host` says, unless their own configuration says otherwise.
const COMPARING: [&str; 12] = [
    "grafana",
    "jupyter",
    "jupyterhub",
    "jupyterlab",
    "phoenix",
    "livebook",
    "openclaw",
    "streamlit",
    "gotify",
    "mattermost",
    "rails",
    "codeserver",
];

/// Paths of such applications: Grafana, Action Cable, Phoenix, Jupyter, Streamlit.
const COMPARING_PATHS: [&str; 8] = [
    "/api/live",
    "/cable",
    "/live/websocket",
    "/socket/websocket",
    "/phoenix/live_reload",
    "/api/kernels",
    "/terminals/websocket",
    "/_stcore/stream",
];

fn compares_origin(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let path = reader.route_path(route);
        if COMPARING_PATHS.iter().any(|known| path.contains(known)) {
            return Reading::new(Value::Flag(true)).at(route.span, "a path of an application that compares `Origin` with `Host`");
        }
        let authority = proxy.authority.map(|authority| reader.view.gateway.texts.show(authority).to_ascii_lowercase());
        let authority = authority.unwrap_or_default();
        let (host, port) = split_authority(&authority);
        let named = host.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| COMPARING.contains(&word));
        // OpenClaw's, Streamlit's.
        if named || matches!(port, Some("18789" | "8501")) {
            return Reading::new(Value::Flag(true)).at(proxy.span, "an application that compares `Origin` with `Host`");
        }
        Reading::new(Value::Flag(false))
    })
}

fn scheme_forwarded(reader: &Reader<'_>, _: &str) -> Reading {
    const NAMES: [&str; 10] = [
        "x-forwarded-proto",
        "forwarded",
        "x-forwarded-scheme",
        "x-scheme",
        "x-forwarded-ssl",
        "x-forwarded-protocol",
        "x-url-scheme",
        "x-forwarded-https",
        "front-end-https",
        "https",
    ];
    proxied(reader, |_, proxy| {
        let mut why = None;
        for name in NAMES {
            match reader.sent(Probe::Chrome, name) {
                Ok(sent) if !sent.values.is_empty() => {
                    return set_at(Reading::new(Value::Flag(true)), &sent.spans);
                }
                Ok(_) => {}
                Err(unknown) => why = Some(unknown),
            }
        }
        match why {
            Some(why) => Reading::unknown(why),
            None => Reading::new(Value::Flag(false)).at(proxy.span, "passed to the upstream here"),
        }
    })
}

fn client_tls(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    match reader.view.gateway.site(route.site).listens.iter().find(|listen| listen.tls) {
        Some(listen) => Reading::new(Value::Flag(true)).at(listen.span, "TLS ends here"),
        None => Reading::new(Value::Flag(false)),
    }
}

/// The origin of a page that has nothing to do with the site.
const FOREIGN: &str = "https://elsewhere.example";

fn origin(reader: &Reader<'_>, _: &str) -> Reading {
    proxied(reader, |route, proxy| {
        let own = match reader.sent(Probe::Chrome, "origin") {
            Ok(own) => own,
            Err(why) => return Reading::unknown(why),
        };
        if own.spans.is_empty() {
            // Nothing of the configuration speaks of it.
            return Reading::text("forwarded").at(proxy.span, "passed to the upstream here");
        }
        let mut foreign: Request = reader.chrome(route).clone();
        for (name, value) in &mut foreign.headers {
            if name.eq_ignore_ascii_case("origin") {
                *value = FOREIGN.into();
            }
        }
        let foreign = match sent_header(&reader.environment(route, proxy, &foreign), route, proxy, "origin") {
            Ok(foreign) => foreign,
            Err(why) => return Reading::unknown(why),
        };
        let reading = match foreign.values.first().map(String::as_str) {
            Some(FOREIGN) => Reading::text("forwarded"),
            Some(_) => Reading::text("forged"),
            // A list of allowed origins withholds the others: then the application is told nothing, which it has to refuse.
            None if !own.values.is_empty() => Reading::text("forwarded"),
            None => Reading::text("removed"),
        };
        set_at(reading, &foreign.spans).at(proxy.span, "passed to the upstream here")
    })
}

fn basic_auth(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let Some(walk) = reader.walk() else { return Reading::absent() };
    match walk.verdict {
        Verdict::Unknown(why) => return Reading::unknown(why),
        Verdict::Answered { status: 401, .. } => {}
        _ => return Reading::new(Value::Flag(false)),
    }
    let gateway = reader.view.gateway;
    let asks = match gateway.server {
        Server::Nginx => match gateway.scopes.scalar(route.scope, Property::Password) {
            Ok(setting) => setting.and_then(|setting| setting.origin.span()),
            Err(why) => return Reading::unknown(why),
        },
        Server::Apache => {
            let sites = gateway.sites.iter().filter(|site| site.is_main).chain([gateway.site(route.site)]);
            let kinds: Vec<_> = sites.flat_map(|site| &site.areas).filter_map(|area| area.settings.password).collect();
            let is_basic = |kind| gateway.texts.get(kind).eq_ignore_ascii_case(b"basic");
            kinds.iter().all(|&(kind, _)| is_basic(kind)).then(|| kinds.first().map(|&(_, span)| span)).flatten()
        }
    };
    match asks {
        Some(span) => Reading::new(Value::Flag(true)).at(span, "asks for a password"),
        None => Reading::new(Value::Flag(false)),
    }
}

fn allowed_origin(reader: &Reader<'_>, _: &str) -> Reading {
    let Some((_, route)) = reader.route() else { return Reading::absent() };
    let gateway = reader.view.gateway;
    let Some(name) = gateway.texts.find(b"access-control-allow-origin") else { return Reading::absent() };
    let levels: Vec<_> = match gateway.server {
        // As with the headers of requests, one line on a level drops those of the levels around it.
        Server::Nginx => gateway.scopes.list(route.scope, Property::ResponseHeader).0.into_iter().collect(),
        Server::Apache => gateway.scopes.chain(route.scope).collect(),
    };
    let found = levels.into_iter().flat_map(|level| gateway.scopes.own(level)).find_map(|entry| match entry.assigned {
        Assigned::Header { lower, value, .. } if entry.property == Property::ResponseHeader && lower == name => {
            Some((value, entry.span))
        }
        _ => None,
    });
    let Some((value, span)) = found else { return Reading::absent() };
    match gateway.symbolics.literal(value, &gateway.texts) {
        Some(value) => Reading::new(Value::text(String::from_utf8_lossy(value).into_owned())).at(span, "added here"),
        None => Reading::unknown(Unknown::Runtime),
    }
}

#[cfg(test)]
mod tests {
    use super::is_public_name;

    #[test]
    fn names_of_the_public_internet() {
        for name in ["example.com", "a.b.example.co.uk", "*.example.org", ".example.net", "xn--80ak6aa92e.com"] {
            assert!(is_public_name(name), "{name}");
        }
        for name in ["localhost", "_", "", "127.0.0.1", "app", "nas.local", "grafana.svc", "~^a\\.b$", "${host}", "a.test", "x."]
        {
            assert!(!is_public_name(name), "{name}");
        }
    }
}
