//! `map`, and the rows in its block (`ngx_http_map`, `ngx_http_map_module.c`).

use super::Lowerer;
use super::line::Line;
use crate::gateway::{Map, MapEntry, MapKey, TextId, Unknown};

/// A map whose block is being read.
#[derive(Debug)]
pub(super) struct OpenMap {
    /// The variable that it defines.
    pub(super) name: TextId,
    pub(super) map: Map,
    /// Whether keys are host names: `hostnames` stands among the rows.
    hostnames: bool,
}

impl Lowerer<'_> {
    /// Begins a map; `None` where its words are not as they must be, or a hole decides its name.
    pub(super) fn open_map(&mut self, line: Line<'_>) -> Option<OpenMap> {
        let (subject, name) = (line.word(0)?, line.word(1)?);
        if name.is_holed() {
            return None;
        }
        let value = name.value();
        let name = self.gateway.texts.intern_lower(value.strip_prefix(b"$")?);
        let subject = self.symbolic(subject);
        let default = self.literal(b"");
        let map = Map { span: line.span(), subject, entries: Vec::new(), default, volatile: false, partial: None };
        Some(OpenMap { name, map, hostnames: false })
    }

    /// A row of a map. `include` is not one.
    pub(super) fn map_row(&mut self, open: &mut OpenMap, line: Line<'_>) {
        let key = line.name_word();
        let Some(value) = line.word(0) else {
            match line.name() {
                b"hostnames" => open.hostnames = true,
                b"volatile" => open.map.volatile = true,
                _ if key.is_holed() => open.map.partial = Some(Unknown::TemplateHole(key.span)),
                _ => {}
            }
            return;
        };
        if key.is_holed() {
            open.map.partial.get_or_insert(Unknown::TemplateHole(key.span));
            return;
        }
        let value = self.symbolic(value);
        let key = key.value();
        if key.as_ref() == b"default" {
            open.map.default = value;
            return;
        }
        let texts = &mut self.gateway.texts;
        let key = match key.as_ref() {
            [b'~', b'*', pattern @ ..] => MapKey::Regex { pattern: texts.intern(pattern), ignore_case: true },
            [b'~', pattern @ ..] => MapKey::Regex { pattern: texts.intern(pattern), ignore_case: false },
            // `\default`: a key that looks like a keyword.
            [b'\\', text @ ..] => MapKey::Text(texts.intern_lower(text)),
            text if open.hostnames && (text.starts_with(b".") || text.starts_with(b"*.") || text.ends_with(b".*")) => {
                MapKey::Host(texts.intern_lower(text))
            }
            text => MapKey::Text(texts.intern_lower(text)),
        };
        open.map.entries.push(MapEntry { key, value, span: line.span() });
    }

    /// Ends a map: exact texts stand before patterns.
    pub(super) fn close_map(&mut self, open: OpenMap) {
        let OpenMap { name, mut map, .. } = open;
        map.entries.sort_by_key(|entry| matches!(entry.key, MapKey::Regex { .. }));
        self.gateway.variables.insert(name, crate::gateway::Definition::Map(map));
    }
}
