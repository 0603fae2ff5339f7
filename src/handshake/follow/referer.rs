//! Where a client says that it comes from (`ngx_http_referer_module.c`).

use super::following::hidden;
use crate::gateway::{Assigned, Known, Property, Unknown};
use crate::handshake::Patterns;
use crate::handshake::evaluate::Environment;
use crate::handshake::table::host_matches;

impl Environment<'_> {
    /// `$invalid_referer` (`ngx_http_referer_variable`): `1` where the client does not come from a place that is named.
    pub(super) fn invalid_referer(&self) -> Known<String> {
        let gateway = self.gateway;
        let scope = self.followed.ok_or(Unknown::Runtime)?.scope;
        let (level, unseen) = gateway.scopes.list(scope, Property::CameFrom);
        if let (None, Some(why)) = (level, hidden(unseen)) {
            return Err(why);
        }
        let Some(level) = level else { return Ok(String::new()) };
        let referer = self.request.header(b"referer");
        for entry in gateway.scopes.own(level).filter(|entry| entry.property == Property::CameFrom) {
            let Assigned::Text(name) = entry.assigned else { return Err(Unknown::Unmodelled(entry.span)) };
            let name = self.evaluate(name)?;
            let fits = match (name.as_str(), referer) {
                ("none", referer) => referer.is_none(),
                ("blocked", Some(referer)) => place(referer).is_none(),
                ("server_names", Some(referer)) => {
                    // Of these a pattern sees the host only.
                    let host = place(referer).map(|place| place.split(['/', ':']).next().unwrap_or_default());
                    let mut names = self.site.names.iter().map(|name| gateway.texts.show(name.text));
                    host.is_some_and(|host| names.any(|name| is_from(&name, host).unwrap_or(false)))
                }
                (name, Some(referer)) => match place(referer) {
                    Some(place) => is_from(name, place).map_err(|()| Unknown::Pattern(entry.span))?,
                    None => false,
                },
                (_, None) => false,
            };
            if fits {
                return Ok(String::new());
            }
        }
        Ok("1".to_owned())
    }
}

/// Host and path of a URL of HTTP.
fn place(referer: &str) -> Option<&str> {
    let rest = |scheme: &str| referer.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme));
    ["http://", "https://"].into_iter().find_map(|scheme| rest(scheme).map(|start| &referer[start.len()..]))
}

/// Whether a place is the one that is named: a host, perhaps with wildcards and a path, or a pattern.
fn is_from(name: &str, place: &str) -> Result<bool, ()> {
    if let Some(pattern) = name.strip_prefix('~') {
        return Patterns::default().is_match(pattern, place).map_err(|_| ());
    }
    let host = place.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let path = place.find('/').map_or("", |at| &place[at..]);
    let (name, wanted) = name.find('/').map_or((name, ""), |at| name.split_at(at));
    Ok(host_matches(&name.to_ascii_lowercase(), &host) && path.starts_with(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_hosts_with_paths() {
        for (name, referer, expected) in [
            ("a.test", "http://a.test/x", true),
            ("*.a.test", "https://www.A.test:8443/x", true),
            ("*.a.test", "http://a.test/", false),
            (".a.test", "http://a.test", true),
            ("a.test/in", "http://a.test/inside", true),
            ("a.test/in", "http://a.test/out", false),
            ("~A\\.test/x", "http://www.a.test/x", true),
        ] {
            let place = place(referer).unwrap();
            assert_eq!(is_from(name, place), Ok(expected), "{name} {referer}");
        }
        assert_eq!(place("a.test"), None);
    }
}
