//! What nginx checks when all of `http`, and all of the configuration, is read.

use rustc_hash::FxHashMap;

use super::Checker;
use crate::gateway::{Fault, Gateway, Refusal, RemarkKind};
use crate::project::Root;
use crate::source::Span;

/// What is gathered over all servers.
#[derive(Default)]
pub(super) struct Http {
    /// Each socket, with the number of the server that bound it last and whether it has its default.
    sockets: FxHashMap<String, (usize, bool)>,
    twice: Vec<Refusal>,
    pub(super) has_events: bool,
}

impl Http {
    /// A server binds a socket: whether it did before, and whether another is its default already.
    pub(super) fn bind(&mut self, socket: &str, server: usize, default: bool) -> (bool, bool) {
        let Some((last, has_default)) = self.sockets.get_mut(socket) else {
            self.sockets.insert(socket.to_owned(), (server, default));
            return (false, false);
        };
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
        // A module of others may define any variable.
        if self.doubt.is_none() {
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

