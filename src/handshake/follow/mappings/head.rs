//! What httpd refuses of a request's head before it looks for anything (`ap_read_request`, `protocol.c`).

use super::{Course, areas};
use crate::gateway::{ErrorPage, Known, SiteId, Unknown};
use crate::handshake::site::{Socket, default_site, wildcard_match};
use crate::handshake::walk::Verdict;
use crate::source::Span;

/// How long the request line and a header may be unless set otherwise (`DEFAULT_LIMIT_REQUEST_LINE`, `DEFAULT_LIMIT_REQUEST_FIELDSIZE`).
const LONGEST: u64 = 8190;

/// How many headers there may be unless set otherwise (`DEFAULT_LIMIT_REQUEST_FIELDS`); 0: any number.
const MOST: u64 = 100;

impl Course<'_> {
    /// The answer where the head is refused. It is read with the settings of the first host on the socket (`c->base_server`).
    pub(super) fn refused_head(&mut self, socket: Socket) -> Known<Option<Verdict>> {
        let gateway = self.gateway;
        let first = default_site(gateway, socket).ok().flatten().unwrap_or(self.site);
        let areas = areas::of_site(gateway, first);
        if let Some((status, span, message)) = self.beyond_limits(first) {
            self.site = first;
            let tells = areas.iter().flat_map(|area| &area.settings.error_pages);
            // A page would be looked for with the headers that were read by then.
            if tells.into_iter().any(|(of, page)| *of == status && matches!(page, ErrorPage::Path(_))) {
                return Err(Unknown::Unmodelled(span));
            }
            self.areas = areas;
            return Ok(Some(self.answered(status, span, message)));
        }
        if let Some((true, span)) = areas::setting(&areas, |settings| settings.strict_host)
            && !self.has_asked_name()
        {
            self.areas = areas;
            return Ok(Some(self.answered(400, span, "no site has the name that is asked for, and this asks for one that has")));
        }
        Ok(None)
    }

    /// What of the head is beyond the limits of `first`: the status, the line that sets the limit, and what to say.
    fn beyond_limits(&self, first: SiteId) -> Option<(u16, Span, String)> {
        let site = self.gateway.site(first);
        let limits = site.areas.first().map(|area| area.settings.limits).unwrap_or_default();
        let (line, line_span) = limits.line.unwrap_or((LONGEST, site.span));
        let (fields, fields_span) = limits.fields.unwrap_or((MOST, site.span));
        let (field, field_span) = limits.field.unwrap_or((LONGEST, site.span));
        let request = &self.request;
        // There is room for the end of a line too, of which but one byte is needed (`ap_fgetline_core`).
        let written = request.method.len() + request.sent_target().len() + "  HTTP/1.1".len();
        if written as u64 > line + 1 {
            return Some((414, line_span, format!("the request line has {written} bytes, and {line} are let in")));
        }
        let headers = &request.headers;
        if fields > 0 && headers.len() as u64 > fields {
            return Some((400, fields_span, format!("takes {fields} headers, and the client has sent {}", headers.len())));
        }
        let (name, _) = headers.iter().find(|(name, value)| (name.len() + ": ".len() + value.len()) as u64 > field + 1)?;
        Some((400, field_span, format!("the client's {name} is longer than the {field} bytes that are let in")))
    }

    /// Whether the site has the name that the client asks for (`matches_aliases`).
    fn has_asked_name(&self) -> bool {
        let site = self.gateway.site(self.site);
        let texts = &self.gateway.texts;
        let host = self.request.host.strip_suffix('.').unwrap_or(&self.request.host);
        let is_own = site.identity.name.is_some_and(|name| texts.show(name).eq_ignore_ascii_case(host));
        is_own || site.names.iter().any(|name| wildcard_match(texts.get(name.text), host.as_bytes()))
    }
}
