//! Scalars and headers that are set on a server or in a `<Location>`, names and sockets.

use super::Lowerer;
use super::section::Section;
use super::symbols::{literal, unknown};
use super::worker::read_seconds;
use crate::apache::statement::Statement;
use crate::apache::values::{address, switch};
use crate::gateway::{Assigned, Entry, Listen, Matcher, Name, Property, Speaks, Target};
use crate::source::Span;

use super::mapping::Mapping;

impl Lowerer<'_> {
    /// A directive that sets something on the level where it stands.
    pub(super) fn setting(&mut self, name: &[u8], statement: &Statement) {
        let entry = match name {
            b"timeout" => self.duration(statement, Property::ClientTimeout, "Timeout"),
            b"proxytimeout" => self.duration(statement, Property::ReadTimeout, "ProxyTimeout"),
            b"proxypreservehost" => self.flag(statement, Property::PreserveHost),
            b"rewriteengine" => {
                if !matches!(self.sections.last(), Some(Section::Location(_))) {
                    self.servers[self.server.0].rewriting.present = true;
                }
                self.flag(statement, Property::RewriteEngine)
            }
            b"requestheader" => self.request_header(statement),
            _ => return,
        };
        let Some(entry) = entry else { return };
        match self.sections.last_mut() {
            Some(Section::Location(location)) => location.settings.push(entry),
            _ => self.servers[self.server.0].settings.push(entry),
        }
    }

    fn duration(&mut self, statement: &Statement, property: Property, name: &str) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let word = words.first()?;
        let assigned = match word.unknown {
            Some(why) => Assigned::Unknown(why),
            None => Assigned::Duration(read_seconds(&mut self.gateway, name, &word.value, word.span).read),
        };
        Some(Entry { property, assigned, span })
    }

    fn flag(&mut self, statement: &Statement, property: Property) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let word = words.first()?;
        let assigned = match word.unknown {
            Some(why) => Assigned::Unknown(why),
            None => Assigned::Flag(switch(&word.value)?),
        };
        Some(Entry { property, assigned, span })
    }

    /// `RequestHeader [early] action name value`; what is not a plain `set` or `unset` has a value that we do not follow.
    fn request_header(&mut self, statement: &Statement) -> Option<Entry> {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let [action, name, rest @ ..] = words.as_slice() else { return None };
        let value = match (action.value.to_ascii_lowercase().as_slice(), rest) {
            (b"unset", _) => literal(&mut self.gateway, b""),
            // A value with a format in it, or a condition behind it, depends on the request.
            (b"set", [value]) if value.unknown.is_none() && !value.value.contains(&b'%') => {
                literal(&mut self.gateway, &value.value)
            }
            (b"set" | b"setifempty" | b"append" | b"merge" | b"add" | b"edit" | b"edit*", _) => {
                let why = rest.iter().find_map(|word| word.unknown).unwrap_or(crate::gateway::Unknown::Unmodelled(span));
                unknown(&mut self.gateway, why)
            }
            _ => return None,
        };
        let text = name.value.strip_suffix(b":").unwrap_or(&name.value);
        let lower = self.gateway.texts.intern_lower(text);
        let name = self.gateway.texts.intern(text);
        Some(Entry { property: Property::RequestHeader, assigned: Assigned::Header { name, lower, value }, span })
    }

    /// `ServerName` and `ServerAlias`; a scheme and a port are not part of the name.
    pub(super) fn names(&mut self, statement: &Statement) {
        for word in self.resolved.words(self.store, statement) {
            if word.unknown.is_some() {
                continue;
            }
            let host = memchr::memmem::find(&word.value, b"://").map_or(&*word.value, |at| &word.value[at + 3..]);
            let text = self.gateway.texts.intern_lower(address(host).host);
            self.servers[self.server.0].names.push(Name { text, span: word.span });
        }
    }

    /// `Listen [address:]port [protocol]`: the sockets of the main server.
    pub(super) fn listen(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first() else { return };
        let span = statement.span(self.store);
        let listen = self.socket(&word.value, word.unknown.is_some(), span);
        let tls = words.get(1).is_some_and(|protocol| protocol.value.eq_ignore_ascii_case(b"https"));
        self.servers[0].listens.push(Listen { tls, ..listen });
    }

    pub(super) fn socket(&mut self, text: &[u8], unknown: bool, span: Span) -> Listen {
        let address = address(text);
        let host = self.gateway.texts.intern_lower(address.host);
        Listen { address: host, port: address.port.filter(|_| !unknown), tls: false, default: false, speaks: Speaks::Http, span }
    }

    /// `SSLEngine`: whether TLS ends at this server.
    pub(super) fn ssl_engine(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first() else { return };
        let on = switch(&word.value).unwrap_or_else(|| word.value.eq_ignore_ascii_case(b"optional"));
        self.servers[self.server.0].listens.iter_mut().for_each(|listen| listen.tls = on);
    }

    /// `Redirect [status] path url` and its kin: tried when no mapping takes the request.
    pub(super) fn redirect(&mut self, name: &[u8], statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let mut words = words.as_slice();
        let mut status = if name == b"redirectpermanent" { 301 } else { 302 };
        if let [first, rest @ ..] = words
            && !first.value.starts_with(b"/")
            && rest.len() < 3
            && let Some(named) = redirect_status(&first.value)
        {
            status = named;
            words = rest;
        }
        let Some(path) = words.first() else { return };
        let span = statement.span(self.store);
        let text = self.gateway.texts.intern(&path.value);
        let matcher = match path.unknown {
            Some(why) => Matcher::Unknown(why),
            None if name == b"redirectmatch" => Matcher::Pattern { pattern: text, ignore_case: false },
            None => Matcher::Segments(text),
        };
        let at = self.current();
        let scope = self.servers[at.0].scope;
        let target = Target::Answer { status, span };
        self.servers[at.0].behind.push(Mapping::plain(at.site(), matcher, span, target, scope));
    }

    /// What the parser and the configuration phase found.
    pub(super) fn remarks(&mut self) {
        self.gateway.remarks.extend(self.resolved.remarks.iter().cloned());
    }
}

fn redirect_status(word: &[u8]) -> Option<u16> {
    match word.to_ascii_lowercase().as_slice() {
        b"permanent" => Some(301),
        b"temp" => Some(302),
        b"seeother" => Some(303),
        b"gone" => Some(410),
        number => str::from_utf8(number).ok()?.parse().ok(),
    }
}
