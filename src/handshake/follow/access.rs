//! Who is let in: addresses, passwords, and locations that are asked (the access phase of `ngx_http_core_module.c`).

use super::following::{Following, Next, Outcome};
use crate::gateway::{Assigned, Known, Property, Unknown};
use crate::handshake::Verdict;
use crate::handshake::forwarded::includes;
use crate::source::Span;

/// What one check says.
enum Check {
    /// It lets the request in.
    Passed,
    /// It has nothing to say.
    Silent,
    /// It does not let it in.
    Refused(u16, Span, String),
}

impl Following<'_> {
    /// The access phase; `None`: the request is let in.
    pub(super) fn access(&mut self) -> Known<Option<Next>> {
        let any = self.flag(Property::AnyAccess)?.is_some_and(|(any, _)| any);
        let mut refused = None;
        for check in [Self::addresses, Self::code, Self::password, Self::asked] {
            match check(self)? {
                Check::Passed if any => return Ok(None),
                Check::Passed | Check::Silent => {}
                Check::Refused(status, span, why) => {
                    if !any {
                        self.note(Some(span), why);
                        return Ok(Some(Next::Status(status)));
                    }
                    refused = Some((status, span, why));
                }
            }
        }
        Ok(refused.map(|(status, span, why)| {
            self.note(Some(span), why);
            Next::Status(status)
        }))
    }

    /// `ngx_http_access_handler`: the first rule that names the client counts.
    fn addresses(&mut self) -> Known<Check> {
        let gateway = self.gateway;
        let (level, unseen) = gateway.scopes.list(self.followed.scope, Property::Access);
        if let (None, Some(why)) = (level, super::following::hidden(unseen)) {
            return Err(why);
        }
        for entry in level.into_iter().flat_map(|level| gateway.scopes.own(level)) {
            let (allowed, from) = match entry.assigned {
                Assigned::Clients { allowed, from } if entry.property == Property::Access => (allowed, from),
                Assigned::Unknown(why) if entry.property == Property::Access => return Err(why),
                _ => continue,
            };
            if includes(&gateway.texts.show(from), self.followed.client) {
                if allowed {
                    return Ok(Check::Passed);
                }
                return Ok(Check::Refused(403, entry.span, format!("{} is not let in", self.followed.client)));
            }
        }
        Ok(Check::Silent)
    }

    fn code(&mut self) -> Known<Check> {
        self.gateway.scopes.scalar(self.followed.scope, Property::AccessCode).or_else(visible)?;
        Ok(Check::Silent)
    }

    /// `ngx_http_auth_basic_handler`: without a file of users, nobody is asked.
    fn password(&mut self) -> Known<Check> {
        let Some((realm, span)) = self.text(Property::Password)? else { return Ok(Check::Silent) };
        let users = self.gateway.scopes.scalar(self.followed.scope, Property::PasswordFile);
        if realm == "off" || users == Ok(None) {
            return Ok(Check::Silent);
        }
        if self.request.header(b"authorization").is_some() {
            // Whether the password is right is not ours to say.
            return Err(Unknown::Environment);
        }
        Ok(Check::Refused(401, span, "a password is asked for, which a browser does not send with a handshake".to_owned()))
    }

    /// `ngx_http_auth_request_handler`: decided where the location that is asked answers by itself.
    fn asked(&mut self) -> Known<Check> {
        let Some((target, span)) = self.text(Property::AskedForAccess)? else { return Ok(Check::Silent) };
        if target == "off" {
            return Ok(Check::Silent);
        }
        let Outcome { verdict, .. } = self.subrequest(&target)?;
        match verdict {
            Verdict::Answered { status: 200..=299, .. } => Ok(Check::Passed),
            Verdict::Answered { status: status @ (401 | 403), .. } => {
                Ok(Check::Refused(status, span, format!("`{target}` is asked and answers {status}")))
            }
            Verdict::Answered { status, .. } | Verdict::BadGateway { status } => {
                Ok(Check::Refused(500, span, format!("`{target}` is asked and answers {status}")))
            }
            Verdict::Unknown(why) => Err(why),
            _ => {
                self.note(Some(span), format!("`{target}` is asked whether the request is let in, and its upstream decides"));
                Err(Unknown::Runtime)
            }
        }
    }
}

/// What stands around a fragment is taken to set nothing.
fn visible<T: Default>(why: Unknown) -> Known<T> {
    if matches!(why, Unknown::Fragment(_)) { Ok(T::default()) } else { Err(why) }
}
