//! The modules that a mapping needs, where they may be lacking.

use crate::gateway::{Modules, Protocol, Requirement, Version};
use crate::source::Span;

/// From this version on `mod_proxy_http` does what `mod_proxy_wstunnel` did.
const UPGRADE_IN_PROXY_HTTP: Version = Version::new(2, 4, 47);

/// Collects what one mapping needs.
pub(super) struct Needs<'a> {
    modules: &'a Modules,
    span: Span,
    found: Vec<Requirement>,
}

impl<'a> Needs<'a> {
    /// Of the mapping written at `span`.
    pub(super) fn new(modules: &'a Modules, span: Span) -> Self {
        Self { modules, span, found: Vec::new() }
    }

    /// Needs one of these; what is seen to be loaded is not lacking.
    pub(super) fn one_of(&mut self, any_of: &[&'static str], purpose: &'static str, until: Option<Version>) {
        if !any_of.iter().any(|name| self.modules.has(name) == Some(true)) {
            self.found.push(Requirement { any_of: any_of.to_vec(), span: self.span, purpose, until });
        }
    }

    /// Needs what handles a protocol.
    pub(super) fn protocol(&mut self, protocol: Protocol, version: Option<Version>) {
        match protocol {
            Protocol::Http => self.one_of(&["proxy_http"], "the scheme http", None),
            Protocol::Https => {
                self.one_of(&["proxy_http"], "the scheme https", None);
                self.one_of(&["ssl"], "the scheme https", None);
            }
            Protocol::Ws => self.web_socket("the scheme ws", version),
            Protocol::Wss => {
                self.web_socket("the scheme wss", version);
                self.one_of(&["ssl"], "the scheme wss", None);
            }
            Protocol::FastCgi => self.one_of(&["proxy_fcgi"], "the scheme fcgi", None),
            Protocol::Uwsgi => self.one_of(&["proxy_uwsgi"], "the scheme uwsgi", None),
            Protocol::Scgi => self.one_of(&["proxy_scgi"], "the scheme scgi", None),
            Protocol::Ajp => self.one_of(&["proxy_ajp"], "the scheme ajp", None),
            Protocol::H2 => self.one_of(&["proxy_http2"], "the schemes h2 and h2c", None),
            Protocol::Grpc | Protocol::Balancer | Protocol::HttpOrHttps | Protocol::Other => {}
        }
    }

    fn web_socket(&mut self, purpose: &'static str, version: Option<Version>) {
        match version {
            Some(version) if version < UPGRADE_IN_PROXY_HTTP => self.one_of(&["proxy_wstunnel"], purpose, None),
            Some(_) => self.one_of(&["proxy_http", "proxy_wstunnel"], purpose, None),
            None => {
                self.one_of(&["proxy_wstunnel"], purpose, Some(UPGRADE_IN_PROXY_HTTP));
                self.one_of(&["proxy_http", "proxy_wstunnel"], purpose, None);
            }
        }
    }

    /// What was found.
    pub(super) fn finish(self) -> Vec<Requirement> {
        self.found
    }
}
