//! The headers that a backend gets (`ap_proxy_create_hdrbrgd`, `proxy_util.c`).

use std::net::IpAddr;

use super::areas::setting;
use crate::gateway::{Area, Gateway, Known, OwnName, ScopeId, SiteId, Unknown, Via};
use crate::handshake::evaluate::Environment;
use crate::handshake::send::{HOP_BY_HOP, client_header, client_headers};

/// How many servers more may pass the request on (`proxy_handler`, `mod_proxy.c`): what is sent, where anything is, or the answer.
type Forwards = Result<Option<String>, (u16, &'static str)>;

/// What becomes of `Max-Forwards`: one less than the client says, or what is set where it says nothing.
///
/// # Errors
/// Where it cannot be known, or where the server itself answers.
pub(super) fn max_forwards(environment: &Environment<'_>, areas: &[&Area], levels: &[ScopeId]) -> Known<Forwards> {
    let Some(asked) = client_header(environment, levels, "max-forwards")?.values.into_iter().next() else {
        return Ok(Ok(setting(areas, |settings| settings.max_forwards).map(|most| most.to_string())));
    };
    Ok(match asked.trim_start().parse::<u64>() {
        Ok(0) if !matches!(&*environment.request.method, "TRACE" | "OPTIONS") => {
            Err((400, "Max-Forwards lets it be passed on no more"))
        }
        Ok(0) => return Err(Unknown::Runtime),
        Ok(left) => Ok(Some((left - 1).to_string())),
        Err(_) => Err((400, "Max-Forwards is no number")),
    })
}

/// The headers but those of the connection; `host` names the backend.
///
/// # Errors
/// Where one that matters cannot be known.
pub(super) fn passed_headers(
    environment: &Environment<'_>,
    site: SiteId,
    areas: &[&Area],
    levels: &[ScopeId],
    host: String,
    preserves: bool,
) -> Known<Vec<(String, String)>> {
    let gateway = environment.gateway;
    let client = client_headers(environment, levels)?;
    let find =
        |name: &str| client.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone().into_owned());
    // Without the client's the site's own name is kept.
    let host = if preserves { find("host").unwrap_or_else(|| server_name(gateway, site)) } else { host };
    let mut headers = vec![("Host".to_owned(), host)];
    let listed = find("connection").unwrap_or_default();
    let expects = environment.notes.is_some_and(|notes| notes.expects);
    let dropped = |name: &str| {
        let lower = name.to_ascii_lowercase();
        matches!(lower.as_str(), "host" | "connection" | "upgrade" | "proxy-connection" | "max-forwards")
            || lower == "expect" && !expects
            || HOP_BY_HOP.contains(&lower.as_str())
            || listed.split(',').any(|token| token.trim().eq_ignore_ascii_case(name))
    };
    let passed = client.iter().filter(|(name, _)| !dropped(name));
    headers.extend(passed.map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned())));
    if let Ok(Some(left)) = max_forwards(environment, areas, levels)? {
        headers.push(("Max-Forwards".to_owned(), left));
    }
    // The client waits to be told to go on, whatever has become of its header.
    let still_expects =
        |(name, value): &(String, String)| name.eq_ignore_ascii_case("expect") && value.eq_ignore_ascii_case("100-continue");
    if expects && !headers.iter().any(still_expects) {
        merge(&mut headers, "Expect", "100-Continue".to_owned());
    }
    match setting(areas, |settings| settings.via) {
        Some(via @ (Via::On | Via::Full)) => merge(&mut headers, "Via", own_via(environment, site, via)?),
        Some(Via::Block) => headers.retain(|(name, _)| !name.eq_ignore_ascii_case("via")),
        Some(Via::Off) | None => {}
    }
    if setting(areas, |settings| settings.add_headers).unwrap_or(true) {
        let from = environment.notes.and_then(|notes| notes.from);
        forwarded(&mut headers, gateway, site, from, find("host"));
    }
    Ok(headers)
}

/// What the server writes of itself: its own name even where it goes by the client's, the port unless it is the scheme's.
fn own_via(environment: &Environment<'_>, site: SiteId, via: Via) -> Known<String> {
    let gateway = environment.gateway;
    let looks_up = environment.notes.is_some_and(|notes| notes.own_name == OwnName::LookedUp);
    let name = if looks_up { environment.site_name()? } else { server_name(gateway, site) };
    let port = environment.server_port();
    let port = if port == environment.default_port() { String::new() } else { format!(":{port}") };
    let version = match (via, gateway.version) {
        (Via::Full, Some(version)) => format!(" (Apache/{version})"),
        (Via::Full, None) => " (Apache)".to_owned(),
        _ => String::new(),
    };
    Ok(format!("1.1 {name}{port}{version}"))
}

fn server_name(gateway: &Gateway, site: SiteId) -> String {
    gateway.site(site).identity.name.map_or_else(|| "localhost".to_owned(), |name| gateway.texts.show(name).into_owned())
}

/// `X-Forwarded-For`, `-Host` and `-Server`, put behind what the client sent.
fn forwarded(headers: &mut Vec<(String, String)>, gateway: &Gateway, site: SiteId, from: Option<IpAddr>, host: Option<String>) {
    let server = server_name(gateway, site);
    let values = [
        ("X-Forwarded-For", from.map(|from| from.to_string())),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Server", Some(server)),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            merge(headers, name, value);
        }
    }
}

/// Puts a value behind those that a header has (`apr_table_mergen`).
fn merge(headers: &mut Vec<(String, String)>, name: &str, value: String) {
    match headers.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
        Some((_, before)) => *before = format!("{before}, {value}"),
        None => headers.push((name.to_owned(), value)),
    }
}
