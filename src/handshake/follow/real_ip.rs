//! The client's address as proxies before this one tell it (`ngx_http_realip_module.c`).

use super::following::Following;
use crate::gateway::{Assigned, Known, Property};
use crate::handshake::forwarded::forwarded;

/// The header that names the client unless another is set.
const HEADER: &str = "x-real-ip";

impl Following<'_> {
    /// Takes the address that a trusted proxy names for the client's own; once for a request.
    pub(super) fn real_client(&mut self) -> Known<()> {
        let gateway = self.gateway;
        let (level, _) = gateway.scopes.list(self.followed.scope, Property::TrustedProxies);
        let Some(level) = level.filter(|_| self.followed.client == self.from) else { return Ok(()) };
        let entries = gateway.scopes.own(level).filter(|entry| entry.property == Property::TrustedProxies);
        let trusted: Vec<_> = entries
            .filter_map(|entry| match entry.assigned {
                Assigned::Clients { from, .. } => Some(gateway.texts.show(from)),
                _ => None,
            })
            .collect();
        let header = self.text(Property::ClientHeader)?;
        let name = header.as_ref().map_or(HEADER, |(name, _)| name.as_str());
        let recursive = self.is_on(Property::ClientRecursive, false)?;
        let Some(value) = self.request.header(name.as_bytes()) else { return Ok(()) };
        let client = forwarded(self.from, value, &trusted, recursive);
        if client != self.followed.client {
            self.note(header.map(|(_, span)| span), format!("takes {client} for the client's address"));
            self.followed.client = client;
        }
        Ok(())
    }
}
