//! `upstream` blocks: backends, and what holds clients and connections to them.

use super::Lowerer;
use super::line::Line;
use crate::gateway::{Member, Upstream, UpstreamId};

/// Keys of `hash` that change from one request of a session to the next.
const CHANGES: [&[u8]; 5] = [b"$request_uri", b"$args", b"$query_string", b"$request_id", b"$msec"];

impl Lowerer<'_> {
    /// Begins an upstream.
    pub(super) fn open_upstream(&mut self, line: Line<'_>) -> Option<UpstreamId> {
        let name = self.gateway.texts.intern_lower(&line.word(0)?.value());
        let id = UpstreamId(u32::try_from(self.gateway.upstreams.len()).unwrap_or(u32::MAX));
        let partial = None;
        self.gateway.upstreams.push(Upstream {
            name,
            span: line.span(),
            members: Vec::new(),
            session: None,
            affinity: None,
            keepalive: None,
            partial,
        });
        Some(id)
    }

    /// A directive inside of an upstream.
    pub(super) fn upstream_line(&mut self, id: UpstreamId, line: Line<'_>) {
        let span = line.span();
        let hole = line.words().find(|word| word.is_holed());
        let address = line.word(0).map(|word| self.gateway.texts.intern_lower(&word.value()));
        let upstream = &mut self.gateway.upstreams[id.0 as usize];
        if let Some(hole) = hole {
            upstream.partial.get_or_insert(crate::gateway::Unknown::TemplateHole(hole.span));
        }
        match line.name() {
            b"server" => {
                let says = |what: &[u8]| line.words().skip(1).any(|word| word.value().as_ref() == what);
                if let Some(address) = address.filter(|_| !says(b"down")) {
                    let backup = says(b"backup");
                    upstream.members.push(Member { address, backup, span });
                }
            }
            // A key that each request has anew keeps nobody anywhere.
            b"hash" if line.word(0).is_some_and(|word| CHANGES.contains(&word.value().as_ref())) => {}
            b"ip_hash" | b"hash" | b"sticky" | b"sticky_cookie_insert" => upstream.affinity = Some(span),
            b"keepalive" => upstream.keepalive = Some(span),
            // A third-party balancer decides by code.
            b"balancer_by_lua_block" | b"balancer_by_lua_file" => {
                upstream.partial.get_or_insert(crate::gateway::Unknown::Code(span));
            }
            _ => {}
        }
    }
}
