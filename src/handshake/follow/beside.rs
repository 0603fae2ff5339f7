//! Requests of nginx's own beside the client's: `mirror`, `auth_request` (`ngx_http_subrequest`).

use super::following::{Following, MAX_CHANGES, Next, Outcome};
use super::uri;
use crate::gateway::{Assigned, Known, Property, Unknown};
use crate::handshake::Verdict;
use crate::handshake::evaluate::Followed;
use crate::handshake::request::Request;

impl Following<'_> {
    /// `mirror`: a copy that is upgraded ends the client's connection (`ngx_http_upstream_send_response`).
    pub(super) fn mirrors(&mut self) -> Known<()> {
        let gateway = self.gateway;
        if self.subrequest {
            return Ok(());
        }
        let (level, _) = gateway.scopes.list(self.followed.scope, Property::Mirror);
        for entry in level.into_iter().flat_map(|level| gateway.scopes.own(level)) {
            let Assigned::Text(target) = entry.assigned else { continue };
            if entry.property != Property::Mirror {
                continue;
            }
            let target = self.environment().evaluate(target)?;
            if target != "off" && matches!(self.subrequest(&target)?.verdict, Verdict::Upgraded { .. }) {
                self.note(Some(entry.span), "the copy asks for an upgrade too, and what answers it decides");
                return Err(Unknown::Runtime);
            }
        }
        Ok(())
    }

    /// A request of the server's own to `target` (`ngx_http_subrequest`).
    pub(super) fn subrequest(&mut self, target: &str) -> Known<Outcome> {
        let (path, query) = uri::split_query(target);
        let mut own = Following {
            request: Request { method: "GET".into(), path, query, ..self.request.clone() },
            followed: Followed { upstream: None, ..self.followed.clone() },
            internal: true,
            changed: false,
            in_location: true,
            unparsed: false,
            changes: MAX_CHANGES,
            answer: None,
            handled: false,
            failed: false,
            sent: None,
            subrequest: true,
            location: None,
            unresolved: None,
            because: Vec::new(),
            ..*self
        };
        own.followed.forget_captures();
        let outcome = own.process(Next::Site);
        let Following { followed: Followed { memory, .. }, .. } = own;
        // Both have the same variables, and each its own captures.
        self.followed.take_variables(memory);
        outcome
    }
}
