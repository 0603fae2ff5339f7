//! `proxy_ssl_verify` needs `proxy_ssl_trusted_certificate` wherever a request goes out over TLS (`ngx_http_proxy_set_ssl`).

use crate::nginx::line::Line;
use crate::nginx::values;
use crate::source::Span;

/// What a level sets of it, and who asks over TLS on it or below.
#[derive(Default)]
pub(super) struct Trust {
    verify: Option<bool>,
    has_certificate: bool,
    asks: Vec<(Option<bool>, Span)>,
}

impl Trust {
    /// One of the two directives.
    pub(super) fn set(&mut self, line: Line<'_>) {
        match line.name() {
            b"proxy_ssl_verify" => self.verify = line.word(0).and_then(|word| values::flag(&word.value())),
            _ => self.has_certificate = true,
        }
    }

    /// A `proxy_pass` to `https:`.
    pub(super) fn asks(&mut self, span: Span) {
        self.asks.push((None, span));
    }

    /// Those that still need a certificate when the level is done are the business of the level around it.
    pub(super) fn close_into(self, around: &mut Self) {
        if !self.has_certificate {
            let asks = self.asks.into_iter().map(|(verify, span)| (verify.or(self.verify), span));
            around.asks.extend(asks.filter(|(verify, _)| *verify != Some(false)));
        }
    }

    /// The first that verifies without a certificate, when all is read.
    pub(super) fn first(&self) -> Option<Span> {
        self.asks.iter().find(|(verify, _)| *verify == Some(true)).map(|&(_, span)| span)
    }
}
