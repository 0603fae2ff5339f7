//! What nginx checks when all of `http`, and all of the configuration, is read.

use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use super::shared::Shared;
use super::{Checker, show};
use crate::gateway::{Fault, Gateway, Refusal, RemarkKind};
use crate::project::Root;
use crate::source::Span;

/// What is gathered over all servers.
#[derive(Default)]
pub(super) struct Http {
    /// Each socket, with the number of the server that bound it last and whether it has its default.
    sockets: FxHashMap<(bool, String), Bound>,
    twice: Vec<Refusal>,
    pub(super) has_events: bool,
    /// Whether a block of a module was met, before which all modules must be loaded (`cycle->modules_used`).
    pub(super) counts_modules: bool,
    /// How large a place in the tables of maps is, where that is set.
    pub(super) map_bucket: Option<u64>,
    /// The row of `proxy_set_header`, once it is met.
    pub(super) header_row: Option<u16>,
    /// The headers of `http` itself, with what is wrong with them: nginx looks at them only where a server has none of its own
    /// (`ngx_http_proxy_merge_loc_conf`).
    pub(super) outer_headers: Vec<(Span, Option<String>)>,
    /// Whether a server has none.
    pub(super) inherits_headers: bool,
    /// Zones, formats and groups.
    pub(super) shared: Shared,
    /// The threads that are named in the main block, and those that are used.
    pub(super) pools: FxHashSet<Vec<u8>>,
    pub(super) wanted_pools: Vec<(Vec<u8>, Span)>,
    /// The variables that `stream` defines.
    pub(super) in_stream: FxHashSet<Vec<u8>>,
    /// The variables of `http` that are used in `stream`.
    pub(super) wanted_in_stream: Vec<(Vec<u8>, Span)>,
}

/// What is said of a socket so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// The server that named it last.
    pub(super) server: usize,
    pub(super) has_default: bool,
    /// It has options, for which it is bound by itself, even where another socket has all addresses of its port.
    pub(super) has_options: bool,
    /// Whether others may bind it too.
    pub(super) is_shared: bool,
    /// Whether a socket for IPv6 takes IPv4 as well.
    pub(super) takes_both: bool,
    pub(super) span: Span,
}

/// What a server says of a socket a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It names it.
    Socket,
    /// Its options.
    Options,
    /// Who is its default.
    Default,
}

impl Http {
    /// A server binds a socket: what was said of it before (`ngx_http_add_addresses`).
    pub(super) fn bind(&mut self, (is_udp, socket): (bool, &str), now: Bound) -> Option<Again> {
        let entry = self.sockets.entry((is_udp, socket.to_owned()));
        let Entry::Occupied(mut entry) = entry else {
            entry.insert_entry(now);
            return None;
        };
        let before = *entry.get();
        entry.insert(Bound {
            has_default: before.has_default || now.has_default,
            has_options: before.has_options || now.has_options,
            is_shared: before.is_shared || now.is_shared,
            takes_both: before.takes_both || now.takes_both,
            ..now
        });
        match before {
            Bound { server: last, .. } if last == now.server => Some(Again::Socket),
            Bound { has_options: true, .. } if now.has_options => Some(Again::Options),
            Bound { has_default: true, .. } if now.has_default => Some(Again::Default),
            _ => None,
        }
    }

    /// Sockets that cannot be bound beside one that has all addresses of their port, in the order of their lines.
    fn bound_twice(&self) -> Vec<Refusal> {
        let parse = |((is_udp, socket), bound): (&(bool, String), &Bound)| {
            let address = socket.parse::<SocketAddr>().ok().filter(|_| !is_udp)?;
            Some((address, *bound))
        };
        let mut sockets: Vec<(SocketAddr, Bound)> = self.sockets.iter().filter_map(parse).collect();
        sockets.sort_by_key(|(address, bound)| (bound.span, *address));
        let all = sockets.iter().filter(|(address, _)| address.ip().is_unspecified());
        let all: FxHashMap<(u16, bool), &Bound> =
            all.map(|(address, bound)| ((address.port(), address.is_ipv4()), bound)).collect();
        let taken = |(address, bound): &(SocketAddr, Bound)| {
            let (port, is_ipv4) = (address.port(), address.is_ipv4());
            let dual = all.get(&(port, false)).is_some_and(|all| is_ipv4 && all.takes_both);
            let beside = all.get(&(port, is_ipv4)).filter(|_| !address.ip().is_unspecified() && bound.has_options);
            let taken = dual || beside.is_some_and(|all| !(all.is_shared && bound.is_shared));
            let message = || format!("bind() to {address} failed (98: Address already in use)");
            taken.then(|| Refusal::new(bound.span, Fault::Value, message()))
        };
        sockets.iter().filter_map(taken).collect()
    }

    pub(super) fn twice(&mut self, mut refusals: Vec<Refusal>) {
        self.twice.append(&mut refusals);
    }
}

impl Checker<'_> {
    /// What is looked at when everything is read.
    /// Gives the places that nginx never looks at.
    pub(super) fn whole(&mut self, gateway: &Gateway, root: &Root) -> FxHashSet<Span> {
        if self.broken {
            return FxHashSet::default();
        }
        let twice = std::mem::take(&mut self.http.twice);
        self.refusals.extend(twice);
        if self.is_main {
            self.refusals.extend(self.http.bound_twice());
        }
        if !self.is_main || gateway.partial.is_some() {
            return FxHashSet::default();
        }
        let outer_headers = std::mem::take(&mut self.http.outer_headers);
        if self.http.inherits_headers {
            for (span, message) in &outer_headers {
                if let Some(message) = message {
                    self.refuse(*span, Fault::Value, message.clone());
                }
            }
        }
        let unread = |span: Span| {
            let inside = |(line, _): &(Span, _)| line.source == span.source && (line.start..line.end).contains(&span.start);
            !self.http.inherits_headers && outer_headers.iter().any(inside)
        };
        let unread: FxHashSet<Span> = gateway.remarks.iter().map(|remark| remark.span).filter(|&span| unread(span)).collect();
        let root_level = self.levels.first().filter(|level| !level.open);
        if let Some(span) = root_level.and_then(|level| level.trust.first()) {
            let message = "no proxy_ssl_trusted_certificate for proxy_ssl_verify".to_owned();
            self.refuse(span, Fault::Value, message);
        }
        for remark in &gateway.remarks {
            if let RemarkKind::CertificateMissing { lacks } = remark.kind {
                self.refuse(remark.span, Fault::Certificate, format!("no \"{lacks}\" is defined for what speaks TLS here"));
            }
        }
        for (pool, span) in std::mem::take(&mut self.http.wanted_pools) {
            if !self.http.pools.contains(&pool) {
                self.refuse(span, Fault::Value, format!("unknown thread pool \"{}\"", show(&pool)));
            }
        }
        // A module of others may define any variable.
        if self.doubt.is_none() {
            for (name, span) in std::mem::take(&mut self.http.wanted_in_stream) {
                if !self.http.in_stream.contains(&name) {
                    self.refuse(span, Fault::Value, format!("unknown \"{}\" variable", show(&name)));
                }
            }
            self.whole_of_shared();
            for remark in &gateway.remarks {
                if let RemarkKind::UndefinedVariable { name } = &remark.kind
                    && !unread.contains(&remark.span)
                {
                    self.refuse(remark.span, Fault::Variable, format!("unknown \"{name}\" variable"));
                }
            }
        }
        if !self.http.has_events {
            let start = Span::new(root.source, 0, 0);
            self.refuse(start, Fault::Missing, "no \"events\" section in configuration".to_owned());
        }
        unread
    }
}
