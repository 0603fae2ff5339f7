//! A request on its way through one site of nginx's: what it has come to, and the settings in force.

use std::borrow::Cow;
use std::net::IpAddr;

use super::Files;
use crate::facts::View;
use crate::gateway::{Assigned, Gateway, Known, Property, RouteId, SiteId, Target, Unknown};
use crate::handshake::evaluate::{Environment, Followed};
use crate::handshake::request::Request;
use crate::handshake::{Because, UpstreamRequest, Verdict};
use crate::source::Span;

/// When a request that is sent elsewhere within the server again and again is given up: one more than `NGX_HTTP_MAX_URI_CHANGES`.
pub(super) const MAX_CHANGES: u8 = 11;

/// A request on its way through one site.
#[expect(clippy::struct_excessive_bools, reason = "the flags that nginx's own request has, each by itself")]
pub(super) struct Following<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) gateway: &'a Gateway,
    /// The address that the connection comes from.
    pub(super) from: IpAddr,
    pub(super) files: Files<'a>,
    pub(super) site: SiteId,
    /// The request as it stands: its path, query and method may have changed.
    pub(super) request: Request,
    pub(super) followed: Followed<'a>,
    /// The location; `None`: the site itself.
    pub(super) route: Option<RouteId>,
    /// The route whose target makes the content: the location, or an `if` in it.
    pub(super) handler: Option<RouteId>,
    /// An `if` that has inherited no upstream for the handler of another one.
    pub(super) handled_by_nothing: Option<Span>,
    /// Whether the request comes from within the server.
    pub(super) internal: bool,
    /// Whether a rewrite asks for another location (`uri_changed`).
    pub(super) changed: bool,
    /// Whether the path still begins with the location's (`valid_location`).
    pub(super) in_location: bool,
    /// Whether the target that the client sent still stands (`valid_unparsed_uri`).
    pub(super) unparsed: bool,
    /// Whether the client's target holds escapes (`quoted_uri`, `plus_in_uri`).
    pub(super) escaped: bool,
    /// How often it may still be sent elsewhere.
    pub(super) changes: u8,
    /// The status that the client gets whatever is answered: that of the error that is handled (`err_status`).
    pub(super) answer: Option<u16>,
    /// Whether an error has been handled already (`error_page`).
    pub(super) handled: bool,
    /// Whether the upstream could not be asked.
    pub(super) failed: bool,
    /// What an upstream was sent whose answer was of no use.
    pub(super) sent: Option<UpstreamRequest>,
    /// Whether this is a request of the server's own, beside the client's.
    pub(super) subrequest: bool,
    /// Where the client is sent.
    pub(super) location: Option<String>,
    /// The upstream's host, where variables name it and nothing says how to look it up.
    pub(super) unresolved: Option<String>,
    pub(super) because: Vec<Because>,
}

/// What is next for a request.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// The rewriting of the site.
    Site,
    /// A location is looked for.
    Find,
    /// The rewriting of the location.
    Rewrite,
    /// Who is let in, and what follows.
    Access,
    /// The location of this name.
    Named(String),
    /// This status, or what is answered instead of it.
    Status(u16),
    /// A file is sent.
    File,
    /// This status is sent, whatever errors are handled.
    Answer(u16),
    /// It is over.
    End(Outcome),
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) upstream_request: Option<UpstreamRequest>,
}

impl Following<'_> {
    pub(super) fn note(&mut self, span: Option<Span>, message: impl Into<Cow<'static, str>>) {
        self.because.push(Because { span, message: message.into(), culprit: false });
    }

    pub(super) fn blame(&mut self, span: Option<Span>, message: impl Into<Cow<'static, str>>) {
        self.because.push(Because { span, message: message.into(), culprit: true });
    }

    /// What the values of variables depend on by now.
    pub(super) fn environment(&self) -> Environment<'_> {
        let proxy = self.handler.and_then(|route| match &self.gateway.route(route).target {
            Target::Proxy(proxy) => Some(proxy),
            _ => None,
        });
        Environment {
            gateway: self.gateway,
            patterns: &self.view.patterns,
            request: &self.request,
            site: self.gateway.site(self.site),
            proxy,
            captures: None,
            condition_captures: None,
            notes: None,
            followed: Some(&self.followed),
        }
    }

    /// The value of a scalar in force. What surrounds a fragment is taken to set nothing.
    pub(super) fn scalar(&self, property: Property) -> Known<Option<(Assigned, Option<Span>)>> {
        match self.gateway.scopes.scalar(self.followed.scope, property) {
            Ok(setting) => Ok(setting.map(|setting| (setting.value, setting.origin.span()))),
            Err(Unknown::Fragment(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }

    pub(super) fn flag(&self, property: Property) -> Known<Option<(bool, Option<Span>)>> {
        let setting = self.scalar(property)?;
        Ok(setting.and_then(|(value, span)| match value {
            Assigned::Flag(on) => Some((on, span)),
            _ => None,
        }))
    }

    /// Whether a switch is on, where nothing set means `default`.
    pub(super) fn is_on(&self, property: Property, default: bool) -> Known<bool> {
        Ok(self.flag(property)?.map_or(default, |(on, _)| on))
    }

    pub(super) fn number(&self, property: Property) -> Known<Option<(u64, Option<Span>)>> {
        let setting = self.scalar(property)?;
        Ok(setting.and_then(|(value, span)| match value {
            Assigned::Number(number) => Some((number, span)),
            _ => None,
        }))
    }

    pub(super) fn text(&self, property: Property) -> Known<Option<(String, Span)>> {
        match self.scalar(property)? {
            Some((Assigned::Text(text), Some(span))) => Ok(Some((self.environment().evaluate(text)?, span))),
            _ => Ok(None),
        }
    }

    /// Takes one off the times that the request may still be sent elsewhere; whether that was not the last.
    pub(super) fn may_change(&mut self) -> bool {
        self.changes = self.changes.saturating_sub(1);
        if self.changes == 0 {
            let last = self.because.last().and_then(|because| because.span);
            self.note(last, format!("sent elsewhere within the server for the {MAX_CHANGES}th time: a cycle"));
        }
        self.changes > 0
    }
}

/// Why settings may be unseen; what surrounds a fragment is taken to set nothing.
pub(super) fn hidden(why: Option<Unknown>) -> Option<Unknown> {
    why.filter(|why| !matches!(why, Unknown::Fragment(_)))
}
