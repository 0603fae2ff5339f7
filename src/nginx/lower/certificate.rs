//! Sites that speak TLS and have no certificate (`ngx_http_ssl_init` and `ngx_http_ssl_merge_srv_conf`, `ngx_http_ssl_module.c`).

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

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

/// The sockets of a gateway, however their addresses are spelled.
type Sockets = FxHashMap<(Result<IpAddr, TextId>, u16), Bound>;

fn sockets(gateway: &Gateway) -> Sockets {
    let mut sockets = Sockets::default();
    for (index, site) in gateway.sites.iter().enumerate() {
        for listen in &site.listens {
            let &Listen { address, port, tls, default, span, .. } = listen;
            let Some(port) = port else { continue };
            let key = (listen.ip(&gateway.texts).ok_or(address), port);
            let bound = sockets.entry(key).or_insert(Bound { tls, default: (index, span), explicit: default });
            bound.tls |= tls;
            if default && !bound.explicit {
                (bound.default, bound.explicit) = ((index, span), true);
            }
        }
    }
    sockets
}

/// Marks the sockets on whose default site `ssl on` counts (`ngx_http_init_connection`: `sscf->enable`).
pub(super) fn mark_tls(gateway: &mut Gateway) {
    let on = Ok(Some(Assigned::Flag(true)));
    let ends = |site: &Site| gateway.scopes.scalar(site.scope, Property::EndsTls).map(|set| set.map(|set| set.value)) == on;
    let ending: FxHashSet<usize> = (0..gateway.sites.len()).filter(|&index| ends(&gateway.sites[index])).collect();
    if ending.is_empty() {
        return;
    }
    for Bound { default: (index, span), .. } in sockets(gateway).into_values().filter(|bound| ending.contains(&bound.default.0)) {
        if let Some(line) = gateway.sites[index].listens.iter_mut().find(|listen| listen.span == span) {
            line.tls = true;
        }
    }
}

/// Notes which sites lack a certificate, or its key.
///
/// Only the default of a socket needs one: other sites show that of the default (seen on 1.22.1).
pub(super) fn check(gateway: &mut Gateway) {
    let mut lacking: Vec<(Span, &'static str)> = Vec::new();
    for Bound { default: (index, span), .. } in sockets(gateway).into_values().filter(|bound| bound.tls) {
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
