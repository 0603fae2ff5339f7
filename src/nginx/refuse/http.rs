//! What nginx checks when all of `http`, and all of the configuration, is read.

use std::collections::hash_map::Entry;

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
    /// The row of `proxy_set_header`, once it is met.
    pub(super) header_row: Option<u16>,
    /// The headers of `http` itself, with what is wrong with them: nginx looks at them only where a server has none of its own
    /// (`ngx_http_proxy_merge_loc_conf`).
    pub(super) outer_headers: Vec<(Span, Option<String>)>,
    /// Whether a server has none.
    pub(super) inherits_headers: bool,
    /// Zones, formats and groups.
    pub(super) shared: Shared,
    /// The variables that `stream` defines.
    pub(super) in_stream: FxHashSet<Vec<u8>>,
    /// The variables of `http` that are used in `stream`.
    pub(super) wanted_in_stream: Vec<(Vec<u8>, Span)>,
}

/// What is said of a socket so far.
#[derive(Clone, Copy, Debug)]
struct Bound {
    /// The server that named it last.
    server: usize,
    has_default: bool,
    has_options: bool,
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
    pub(super) fn bind(
        &mut self,
        (is_udp, socket): (bool, &str),
        server: usize,
        has_default: bool,
        has_options: bool,
    ) -> Option<Again> {
        let entry = self.sockets.entry((is_udp, socket.to_owned()));
        let Entry::Occupied(mut entry) = entry else {
            entry.insert_entry(Bound { server, has_default, has_options });
            return None;
        };
        let before = *entry.get();
        entry.insert(Bound {
            server,
            has_default: before.has_default || has_default,
            has_options: before.has_options || has_options,
        });
        match before {
            Bound { server: last, .. } if last == server => Some(Again::Socket),
            Bound { has_options: true, .. } if has_options => Some(Again::Options),
            Bound { has_default: true, .. } if has_default => Some(Again::Default),
            _ => None,
        }
    }

    pub(super) fn twice(&mut self, mut refusals: Vec<Refusal>) {
        self.twice.append(&mut refusals);
    }
}

impl Checker<'_> {
    /// What is looked at when everything is read.
    pub(super) fn whole(&mut self, gateway: &Gateway, root: &Root) {
        if self.broken {
            return;
        }
        let twice = std::mem::take(&mut self.http.twice);
        self.refusals.extend(twice);
        if !self.is_main || gateway.partial.is_some() {
            return;
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
    }
}
