//! The directives that set a property of the gateway's levels.

use super::Lowerer;
use super::line::Line;
use crate::gateway::{Assigned, Entry, Property, Unknown, Version};
use crate::nginx::values::{self, Resolution};

/// The server does not start with such a value, so nothing that depends on it is known.
const REFUSED: Assigned = Assigned::Unknown(Unknown::Environment);

impl Lowerer<'_> {
    /// The setting that a directive makes, where it makes one that is modelled.
    pub(super) fn setting(&mut self, line: Line<'_>) -> Option<Entry> {
        let (property, read): (_, fn(&mut Self, Line<'_>) -> Option<Assigned>) = match line.name() {
            b"proxy_set_header" => (Property::RequestHeader, Self::header),
            b"proxy_hide_header" => (Property::HiddenResponseHeader, Self::header_name_only),
            b"proxy_http_version" => (Property::HttpVersion, |_, line| Self::version(line)),
            b"proxy_read_timeout" => (Property::ReadTimeout, |_, line| Self::timeout(line)),
            b"proxy_send_timeout" => (Property::SendTimeout, |_, line| Self::timeout(line)),
            b"proxy_connect_timeout" => (Property::ConnectTimeout, |_, line| Self::timeout(line)),
            b"proxy_pass_request_headers" => (Property::PassRequestHeaders, |_, line| Self::flag(line)),
            b"proxy_method" => (Property::Method, Self::text),
            _ => return None,
        };
        let hole = line.words().find(|word| word.is_holed());
        let assigned = match hole {
            // A header whose value is a hole is still that header.
            Some(word) if property != Property::RequestHeader || line.word(0).is_some_and(super::line::Word::is_holed) => {
                Assigned::Unknown(Unknown::TemplateHole(word.span))
            }
            _ => read(self, line)?,
        };
        Some(Entry { property, assigned, span: line.span() })
    }

    fn header(&mut self, line: Line<'_>) -> Option<Assigned> {
        let (name, value) = (line.word(0)?, line.word(1)?);
        let name = name.value();
        let (lower, name) = (self.gateway.texts.intern_lower(&name), self.gateway.texts.intern(&name));
        Some(Assigned::Header { name, lower, value: self.symbolic(value) })
    }

    fn header_name_only(&mut self, line: Line<'_>) -> Option<Assigned> {
        let name = line.word(0)?.value();
        let (lower, name) = (self.gateway.texts.intern_lower(&name), self.gateway.texts.intern(&name));
        Some(Assigned::Header { name, lower, value: self.literal(b"") })
    }

    fn version(line: Line<'_>) -> Option<Assigned> {
        match line.word(0)?.value().as_ref() {
            b"1.0" => Some(Assigned::Version(Version::new(1, 0, 0))),
            b"1.1" => Some(Assigned::Version(Version::new(1, 1, 0))),
            b"2" => Some(Assigned::Version(Version::new(2, 0, 0))),
            _ => Some(REFUSED),
        }
    }

    fn timeout(line: Line<'_>) -> Option<Assigned> {
        let duration = values::duration(&line.word(0)?.value(), Resolution::Milliseconds);
        Some(duration.map_or(REFUSED, Assigned::Duration))
    }

    fn flag(line: Line<'_>) -> Option<Assigned> {
        let value = line.word(0)?.value();
        Some(values::flag(&value).map_or(REFUSED, Assigned::Flag))
    }

    fn text(&mut self, line: Line<'_>) -> Option<Assigned> {
        line.word(0).map(|word| Assigned::Text(self.symbolic(word)))
    }
}
