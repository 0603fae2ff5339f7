//! What nginx checks when all of `http`, and all of the configuration, is read.

use std::collections::hash_map::Entry;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Checker, show};
use crate::gateway::{Fault, Gateway, Refusal, RemarkKind};
use crate::project::Root;
use crate::source::Span;

/// What is gathered over all servers.
#[derive(Default)]
pub(super) struct Http {
    /// Each socket, with the number of the server that bound it last and whether it has its default.
    sockets: FxHashMap<(bool, String), (usize, bool)>,
    twice: Vec<Refusal>,
    pub(super) has_events: bool,
    /// The variables that `stream` defines.
    pub(super) in_stream: FxHashSet<Vec<u8>>,
    /// The variables of `http` that are used in `stream`.
    pub(super) wanted_in_stream: Vec<(Vec<u8>, Span)>,
}

impl Http {
    /// A server binds a socket: whether it did before, and whether another is its default already.
    pub(super) fn bind(&mut self, (is_udp, socket): (bool, &str), server: usize, default: bool) -> (bool, bool) {
        let entry = self.sockets.entry((is_udp, socket.to_owned()));
        let Entry::Occupied(mut entry) = entry else {
            entry.insert_entry((server, default));
            return (false, false);
        };
        let (last, has_default) = entry.get_mut();
        let same = *last == server;
        *last = server;
        let second = default && *has_default;
        *has_default |= default;
        (same, second)
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
            for remark in &gateway.remarks {
                if let RemarkKind::UndefinedVariable { name } = &remark.kind {
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
