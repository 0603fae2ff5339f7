//! Sites that speak TLS and have no certificate (`ngx_http_ssl_init` and `ngx_http_ssl_merge_srv_conf`, `ngx_http_ssl_module.c`).

use rustc_hash::FxHashMap;

use crate::gateway::{Assigned, Gateway, Listen, Property, RemarkKind, Site, TextId};
use crate::source::Span;

/// What is known of a socket.
struct Bound {
    /// Whether any site asks for TLS there: then all speak it.
    tls: bool,
    /// The site that is the default there, and its line.
    default: (usize, Span),
    explicit: bool,
}

/// Notes which sites lack a certificate, or its key.
///
/// Only the default of a socket needs one: other sites show that of the default (seen on 1.22.1).
pub(super) fn check(gateway: &mut Gateway) {
    let mut sockets: FxHashMap<(TextId, u16), Bound> = FxHashMap::default();
    for (index, site) in gateway.sites.iter().enumerate() {
        for &Listen { address, port, tls, default, span, .. } in &site.listens {
            let Some(port) = port else { continue };
            let bound = sockets.entry((address, port)).or_insert(Bound { tls, default: (index, span), explicit: default });
            bound.tls |= tls;
            if default && !bound.explicit {
                (bound.default, bound.explicit) = ((index, span), true);
            }
        }
    }
    let mut lacking: Vec<(Span, &'static str)> = Vec::new();
    for Bound { default: (index, span), .. } in sockets.into_values().filter(|bound| bound.tls) {
        let site = &gateway.sites[index];
        if !is_set(gateway, site, Property::Certificate) && !refuses(gateway, site) {
            lacking.push((span, "ssl_certificate"));
        }
    }
    for site in &gateway.sites {
        // Whether it speaks TLS does not matter.
        if let Ok(Some(setting)) = gateway.scopes.scalar(site.scope, Property::Certificate)
            && let Some(span) = setting.origin.span()
            && !is_set(gateway, site, Property::CertificateKey)
        {
            lacking.push((span, "ssl_certificate_key"));
        }
    }
    for (span, lacks) in lacking {
        gateway.remark(span, RemarkKind::CertificateMissing { lacks });
    }
}

/// Whether a property is set for a site, or may be set unseen.
fn is_set(gateway: &Gateway, site: &Site, property: Property) -> bool {
    !matches!(gateway.scopes.scalar(site.scope, property), Ok(None))
}

/// Whether a site refuses every handshake, for which it needs no certificate.
fn refuses(gateway: &Gateway, site: &Site) -> bool {
    match gateway.scopes.scalar(site.scope, Property::RejectTls) {
        Ok(setting) => setting.is_some_and(|setting| setting.value == Assigned::Flag(true)),
        Err(_) => true,
    }
}
