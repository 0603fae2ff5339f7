//! Follows one request through a gateway: the socket, the site, the server's own way of processing, and the verdict.

mod access;
mod arrival;
mod beside;
mod errors;
mod files;
mod following;
mod host;
mod locations;
mod mappings;
mod pass;
mod real_ip;
mod referer;
mod rewrite;
#[cfg(test)]
mod tests;
mod unchanged;
mod uri;
mod variables;

pub use pass::KnownHosts;

pub(super) use mappings::escaped_in_location;
use std::net::IpAddr;
use std::path::Path;

use super::request::Request;
use super::site::{Chosen, Socket, choose};
use super::walk::{Because, Verdict, Walk};
use crate::facts::View;
use crate::gateway::{Refusal, Server, SiteId, Unknown};
use crate::source::FileKind;

/// A client with its request.
#[derive(Clone, Debug)]
pub struct Client {
    /// What it asks.
    pub request: Request,
    /// The local address and port that it reached.
    pub socket: Socket,
    /// Its own address.
    pub from: IpAddr,
}

/// Looks a path of the server's file system up in the given tree; `None`: it is not there.
pub type Files<'a> = &'a dyn Fn(&Path) -> Option<FileKind>;

/// What becomes of the client's request.
#[must_use]
pub fn follow(view: &View<'_>, client: &Client, files: Files<'_>) -> Walk {
    let gateway = view.gateway;
    if let Some(refusal) = gateway.refusals.first() {
        return Walk::refused(refusal);
    }
    if let Some(why) = gateway.doubt {
        return Walk::unknown(why);
    }
    let mut client = client.clone();
    if gateway.server == Server::Nginx
        && let Some(host) = client.request.header(b"host")
    {
        client.request.host = host::validated(host).unwrap_or_default();
    }
    let chosen = match choose(gateway, &view.patterns, client.socket, &client.request.host) {
        Ok(Some(chosen)) => chosen,
        Ok(None) => return nobody_listens(&client),
        Err(why) => return Walk::unknown(why),
    };
    match gateway.server {
        Server::Nginx => locations::follow(view, client, files, chosen),
        Server::Apache => mappings::follow(view, &client, files, chosen),
    }
}

/// What becomes of the client's request once it has come to `site`, whichever socket it came by; what the server refuses elsewhere does
/// not matter. The work grows with the site, not with the gateway.
#[must_use]
pub fn follow_in_site(view: &View<'_>, site: SiteId, client: Client, files: Files<'_>) -> Walk {
    let known = view.gateway.site(site);
    let listen = known.listens.first();
    let chosen = Chosen {
        site,
        listen: listen.map(|listen| listen.span),
        name: known.names.first().map(|name| name.span),
        tls: listen.is_some_and(|listen| listen.tls),
    };
    match view.gateway.server {
        Server::Nginx => locations::follow_in_site(view, client, files, chosen),
        Server::Apache => mappings::follow(view, &client, files, chosen),
    }
}

fn nobody_listens(client: &Client) -> Walk {
    let message = format!("nothing listens on port {}", client.socket.port).into();
    Walk { because: vec![Because { span: None, message, culprit: true }], ..Walk::unknown(Unknown::Environment) }
}

impl Walk {
    /// A walk of which nothing can be said.
    #[must_use]
    pub fn unknown(why: Unknown) -> Self {
        let because = vec![Because { span: why.span(), message: why.reason().into(), culprit: true }];
        Self { site: None, route: None, upstream_request: None, verdict: Verdict::Unknown(why), unresolved: None, because }
    }

    /// A walk that ends before it begins: the server does not start.
    fn refused(refusal: &Refusal) -> Self {
        let message = format!("the server refuses to start: {}", refusal.message).into();
        let because = vec![Because { span: Some(refusal.span), message, culprit: true }];
        let verdict = Verdict::RefusesToStart { message: refusal.message.clone() };
        Self { site: None, route: None, upstream_request: None, verdict, unresolved: None, because }
    }

    /// A walk that has come to the site `chosen`.
    pub(super) fn at_site(view: &View<'_>, chosen: Chosen) -> Self {
        let site = view.gateway.site(chosen.site);
        let listen = chosen.listen.map(|span| Because { span: Some(span), message: "listens here".into(), culprit: false });
        let named = match chosen.name {
            Some(span) => Because { span: Some(span), message: "has the name that is asked for".into(), culprit: false },
            None => Because {
                span: Some(site.span),
                message: "answers, as no site has the name that is asked for".into(),
                culprit: false,
            },
        };
        let because = listen.into_iter().chain([named]).collect();
        Self {
            site: Some(chosen.site),
            route: None,
            upstream_request: None,
            verdict: Verdict::Unknown(Unknown::Runtime),
            unresolved: None,
            because,
        }
    }
}
