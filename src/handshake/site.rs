//! Which site answers a request: by the socket that it reached, then by the host that it asks for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustc_hash::FxHashSet;

use super::pattern::{Patterns, Undecided};
use crate::gateway::{Gateway, Known, Listen, Name, Server, Site, SiteId, TextId, Unknown};
use crate::source::Span;

/// Where a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The local address.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
}

/// The site that answers, and the line that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The site.
    pub site: SiteId,
    /// The socket's directive, where one is written.
    pub listen: Option<Span>,
    /// The name that matched; `None`: it answers because no site has the name.
    pub name: Option<Span>,
    /// Whether TLS ends at this socket.
    pub tls: bool,
}

/// The site of `gateway` that answers a request to `socket` for `host` (lower case, without port); `None` where none listens there.
///
/// # Errors
/// Where an address or a name that decides cannot be known.
pub fn choose(gateway: &Gateway, patterns: &Patterns, socket: Socket, host: &str) -> Known<Option<Chosen>> {
    match gateway.server {
        Server::Nginx => by_name_as_nginx(gateway, patterns, &listening(gateway, socket, Holes::Decide)?, host),
        Server::Apache if !is_open(gateway, socket) => Ok(None),
        Server::Apache => {
            let among = |holes| Ok(by_name_as_httpd(gateway, &listening(gateway, socket, holes)?, host));
            among(Holes::Decide).or_else(|why| {
                // Where it is the same site either way, the port of another does not matter.
                let (without, with): (Option<Chosen>, Option<Chosen>) = (among(Holes::Miss)?, among(Holes::Hit)?);
                let is_same = without.map(|chosen| chosen.site) == with.map(|chosen| chosen.site);
                if is_same { Ok(without) } else { Err(why) }
            })
        }
    }
}

/// The site that a socket of nginx's belongs to before it is known which host is asked for: the default, else the first.
///
/// # Errors
/// Where an address that decides cannot be known.
pub(super) fn default_site(gateway: &Gateway, socket: Socket) -> Known<Option<SiteId>> {
    let candidates = listening(gateway, socket, Holes::Decide)?;
    let default = candidates.iter().find(|(_, _, listen)| listen.is_some_and(|listen| listen.default));
    Ok(default.or(candidates.first()).map(|(site, ..)| *site))
}

/// Whether one site has the socket of nginx's to itself.
///
/// # Errors
/// Where an address that decides cannot be known.
pub(super) fn is_alone(gateway: &Gateway, socket: Socket) -> Known<bool> {
    Ok(listening(gateway, socket, Holes::Decide)?.len() < 2)
}

/// What a port is taken for that a hole or variable decides.
#[derive(Clone, Copy)]
enum Holes {
    /// It is not known.
    Decide,
    /// Another port.
    Miss,
    /// This very port.
    Hit,
}

/// A site that listens on the socket, with the directive that says so.
type Candidate<'a> = (SiteId, &'a Site, Option<&'a Listen>);

/// Whether httpd listens on the socket at all, as far as can be seen.
fn is_open(gateway: &Gateway, socket: Socket) -> bool {
    let Some(main) = gateway.sites.first().filter(|main| main.is_main && gateway.partial.is_none()) else { return true };
    let reached = |listen: &Listen| {
        listen.port.is_none_or(|port| port == socket.port)
            && !matches!(reaches(gateway, listen.address, socket.address), Reach::Not)
    };
    main.listens.is_empty() || main.listens.iter().any(reached)
}

/// The sites on the socket: those that name its address where there are any, else those on the wildcard; of either, for httpd, those that name
/// the port where there are any, else those on every port.
///
/// The one kind hides the other entirely (`ngx_http_add_addrs`; `find_ipaddr` and `find_default_server`, `vhost.c`).
fn listening(gateway: &Gateway, socket: Socket, holes: Holes) -> Known<Vec<Candidate<'_>>> {
    // By how exactly they name the socket: address and port, address, port, neither.
    let mut ranks: [Vec<Candidate<'_>>; 4] = Default::default();
    for (site, index) in gateway.sites.iter().zip(0..) {
        let id = SiteId(index);
        if site.is_main {
            continue;
        }
        // A server without `listen` is on port 80 (`ngx_http_core_server`, as root).
        if site.listens.is_empty() && gateway.server == Server::Nginx && socket.port == 80 {
            ranks[2].push((id, site, None));
        }
        let mut found: [Option<&Listen>; 4] = [None; 4];
        for listen in &site.listens {
            let first = match reaches(gateway, listen.address, socket.address) {
                Reach::Exact => 0,
                Reach::Wildcard => 2,
                Reach::LookedUp if listen.port.is_none_or(|port| port == socket.port) => return Err(Unknown::Environment),
                Reach::LookedUp | Reach::Not => continue,
            };
            let rank = match (listen.port, holes) {
                // A port that a hole or variable decides may be this one.
                (None, Holes::Decide) => return Err(Unknown::TemplateHole(listen.span)),
                (None, Holes::Hit) => first,
                (Some(port), _) if port == socket.port => first,
                // `<VirtualHost *>` is on every port.
                (Some(0), _) if gateway.server == Server::Apache => first + 1,
                (None, Holes::Miss) | (Some(_), _) => continue,
            };
            found[rank].get_or_insert(listen);
        }
        for (rank, listen) in ranks.iter_mut().zip(found) {
            rank.extend(listen.map(|listen| (id, site, Some(listen))));
        }
    }
    Ok(ranks.into_iter().find(|rank| !rank.is_empty()).unwrap_or_default())
}

/// How an address of the configuration fits one that was reached.
enum Reach {
    Exact,
    Wildcard,
    /// The machine's name service decides.
    LookedUp,
    Not,
}

fn reaches(gateway: &Gateway, written: TextId, reached: IpAddr) -> Reach {
    let text = gateway.texts.show(written);
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) if address == reached => Reach::Exact,
        // To httpd all addresses are all addresses, of either kind.
        Ok(address) if address.is_unspecified() && gateway.server == Server::Apache => Reach::Wildcard,
        // nginx's IPv6 sockets take IPv6 only (`ipv6only=on` by default).
        Ok(address) if address.is_unspecified() && address.is_ipv4() == reached.is_ipv4() => Reach::Wildcard,
        Ok(_) => Reach::Not,
        Err(_) => match (bare, gateway.server) {
            ("*" | "_default_", Server::Apache) => Reach::Wildcard,
            // `*` is a wildcard of IPv4 (`ngx_parse_inet_url`).
            ("*", Server::Nginx) if reached.is_ipv4() => Reach::Wildcard,
            ("localhost", Server::Apache) if reached.is_loopback() => Reach::Exact,
            ("localhost", Server::Nginx) if reached == Ipv4Addr::LOCALHOST => Reach::Exact,
            ("localhost", Server::Nginx) if reached == Ipv6Addr::LOCALHOST => Reach::LookedUp,
            _ => Reach::Not,
        },
    }
}

/// `ngx_http_find_virtual_server`: exact name, longest `*.x`, longest `x.*`, patterns in order; else the default, else the first.
fn by_name_as_nginx(gateway: &Gateway, patterns: &Patterns, candidates: &[Candidate<'_>], host: &str) -> Known<Option<Chosen>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let texts = &gateway.texts;
    let chosen = |(site, _, listen): &Candidate<'_>, name| Chosen {
        site: *site,
        listen: listen.map(|listen| listen.span),
        name,
        tls: listen.is_some_and(|listen| listen.tls),
    };
    let mut best: Option<(u8, usize, Chosen)> = None;
    let mut taken = FxHashSet::default();
    for candidate in candidates {
        for name in &candidate.1.names {
            let text = texts.show(name.text);
            if !is_first(&mut taken, &text, host) {
                continue;
            }
            if let Some((kind, length)) = name_rank(&text, host)
                && best.is_none_or(|(best_kind, best_length, _)| (kind, length) > (best_kind, best_length))
            {
                best = Some((kind, length, chosen(candidate, Some(name.span))));
            }
        }
    }
    if let Some((_, _, chosen)) = best {
        return Ok(Some(chosen));
    }
    for candidate in candidates {
        for name in &candidate.1.names {
            let text = texts.show(name.text);
            if let Some(pattern) = text.strip_prefix('~') {
                match patterns.is_match(pattern, host) {
                    Ok(true) => return Ok(Some(chosen(candidate, Some(name.span)))),
                    Ok(false) => {}
                    Err(Undecided) => return Err(Unknown::Pattern(name.span)),
                }
            }
        }
    }
    let default = candidates.iter().find(|(_, _, listen)| listen.is_some_and(|listen| listen.default));
    Ok(default.or(candidates.first()).map(|candidate| chosen(candidate, None)))
}

/// Whether no name before has taken the place of this one on the socket: nginx ignores conflicting names (`ngx_hash_add_key`).
///
/// `.example.com` takes the places of `example.com` and of `*.example.com`. Names that have nothing to do with `host` are not kept.
fn is_first(taken: &mut FxHashSet<(bool, String)>, name: &str, host: &str) -> bool {
    let (own, below) = match (name.strip_prefix("*."), name.strip_prefix('.')) {
        (Some(domain), _) => (None, Some(domain)),
        (None, Some(domain)) => (Some(domain), Some(domain)),
        (None, None) => (Some(name), None),
    };
    if !own.or(below).is_some_and(|domain| host.ends_with(domain)) {
        return true;
    }
    let place = |below: bool, domain: Option<&str>| domain.map(|domain| (below, domain.to_owned()));
    let places: Vec<_> = place(false, own).into_iter().chain(place(true, below)).collect();
    // A name that is ignored takes no place but the first.
    places.into_iter().all(|place| taken.insert(place))
}

/// How well a name without a pattern fits: 3 exact, 2 wildcard in front, 1 wildcard behind; and how long it is.
fn name_rank(name: &str, host: &str) -> Option<(u8, usize)> {
    if name == host {
        return Some((3, name.len()));
    }
    if let Some(domain) = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        // `.example.com` is `example.com` and `*.example.com`, both found among the wildcards.
        if name.starts_with('.') && domain == host {
            return Some((2, domain.len()));
        }
        let below = host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
        return below.then_some((2, domain.len()));
    }
    let stem = name.strip_suffix(".*")?;
    host.strip_prefix(stem).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')).then_some((1, stem.len()))
}

/// `ap_update_vhost_from_headers`: the first virtual host on the address with the name, else the first on the address, else the main server.
fn by_name_as_httpd(gateway: &Gateway, candidates: &[Candidate<'_>], host: &str) -> Option<Chosen> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let chosen =
        |site, listen: Option<&Listen>, name| Chosen { site, listen: listen.map(|listen| listen.span), name, tls: false };
    for (site, hosts, listen) in candidates {
        let fits = |name: &&Name| wildcard_match(gateway.texts.show(name.text).as_bytes(), host.as_bytes());
        if let Some(name) = hosts.names.iter().find(fits) {
            return Some(chosen(*site, *listen, Some(name.span)));
        }
        // A virtual host without a name has one nevertheless.
        if hosts.identity.name.is_some_and(|name| gateway.texts.get(name).eq_ignore_ascii_case(host.as_bytes())) {
            return Some(chosen(*site, *listen, Some(hosts.span)));
        }
    }
    // The name that stands for its address will do as well, where no site has it (`check_hostalias`).
    let by_address = |listen: &&Listen| gateway.texts.get(listen.address) == host.as_bytes();
    if let Some((site, _, Some(listen))) = candidates.iter().find(|(_, _, listen)| listen.as_ref().is_some_and(by_address)) {
        return Some(chosen(*site, Some(listen), Some(listen.span)));
    }
    if let Some((site, _, listen)) = candidates.first() {
        return Some(chosen(*site, *listen, None));
    }
    let main = (0..).map(SiteId).zip(&gateway.sites).find(|(_, site)| site.is_main);
    main.map(|(id, _)| chosen(id, None, None))
}

/// `ap_strcasecmp_match` on names in lower case: `*` is any text, `?` any one character.
pub(crate) fn wildcard_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|&byte| byte == b'?' || byte == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            t = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}
