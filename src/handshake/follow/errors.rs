//! What nginx answers by itself: statuses, what stands for them, and where clients are sent (`ngx_http_special_response.c`).

use super::following::{Following, Next, Outcome, hidden};
use crate::gateway::{Assigned, Instead, Known, Property};
use crate::handshake::Verdict;

impl Following<'_> {
    /// A status by itself: what is answered instead of it, if anything (`ngx_http_special_response_handler`).
    pub(super) fn special(&mut self, status: u16) -> Known<Next> {
        self.answer = Some(status);
        if matches!(status, 502 | 504) {
            self.failed = true;
        }
        // `ngx_http_finalize_request`: the connection is closed, whatever would be answered.
        if matches!(status, 408 | 444 | 499) {
            self.note(None, format!("{status} closes the connection without an answer"));
            return Ok(Next::End(self.finish(444)?));
        }
        if !self.handled && self.changes > 0 {
            let gateway = self.gateway;
            let (level, unseen) = gateway.scopes.list(self.followed.scope, Property::ErrorPage);
            if let (None, Some(why)) = (level, hidden(unseen)) {
                return Err(why);
            }
            self.handled = level.is_some() && !self.is_on(Property::RecursiveErrorPages, false)?;
            for entry in level.into_iter().flat_map(|level| gateway.scopes.own(level)) {
                match entry.assigned {
                    Assigned::ErrorPage { status: own, answer, target } if own == status => {
                        let target = self.environment().evaluate(target)?;
                        self.note(Some(entry.span), format!("`{target}` instead of {status}"));
                        return Ok(self.instead(status, answer, &target));
                    }
                    Assigned::Unknown(why) if entry.property == Property::ErrorPage => return Err(why),
                    _ => {}
                }
            }
        }
        let shown = if matches!(status, 494..=497) { 400 } else { status };
        Ok(Next::End(self.finish(shown)?))
    }

    /// `ngx_http_send_error_page`.
    fn instead(&mut self, status: u16, answer: Instead, target: &str) -> Next {
        let set = match answer {
            Instead::Set(status) => Some(status),
            Instead::Kept | Instead::Answered => None,
        };
        self.answer = if answer == Instead::Kept { Some(status) } else { set };
        if target.starts_with('/') {
            if self.request.method != "HEAD" {
                self.request.method = "GET".into();
            }
            return self.elsewhere(target);
        }
        if target.starts_with('@') {
            return Next::Named(target.to_owned());
        }
        self.location = Some(target.to_owned());
        self.answer = set.filter(|status| matches!(status, 301..=303 | 307 | 308)).or(Some(302));
        Next::Answer(302)
    }

    /// The server's own answer with this status.
    pub(super) fn finish(&mut self, status: u16) -> Known<Outcome> {
        // What has named a place to go stays, whatever status is sent in the end (`ngx_http_header_filter`).
        let location = self.location.take().map(|location| self.absolute(location)).transpose()?;
        let verdict = if self.failed { Verdict::BadGateway { status } } else { Verdict::Answered { status, location } };
        Ok(Outcome { verdict, upstream_request: self.sent.take() })
    }

    /// A redirect's target as the client sees it (`ngx_http_header_filter`).
    fn absolute(&self, location: String) -> Known<String> {
        if !location.starts_with('/') || !self.is_on(Property::AbsoluteRedirect, true)? {
            return Ok(location);
        }
        let host = if self.is_on(Property::SiteNameInRedirect, false)? {
            self.environment().site_name()?
        } else if self.request.host.is_empty() {
            // Where the client names none, it is the address that was reached (`ngx_connection_local_sockaddr`).
            self.followed.socket.address.to_string()
        } else {
            self.request.host.clone()
        };
        let (scheme, usual) = if self.request.tls { ("https", 443) } else { ("http", 80) };
        let port = self.followed.socket.port;
        let port = if port == usual || !self.is_on(Property::PortInRedirect, true)? { String::new() } else { format!(":{port}") };
        Ok(format!("{scheme}://{host}{port}{location}"))
    }
}
