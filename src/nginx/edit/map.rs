//! The map that turns the client's `Upgrade` into the `Connection` for the upstream: one that is there, or a new one in `http`.

use super::Editor;
use crate::gateway::{Definition, Map, MapKey, Part, ScopeId, Variable};
use crate::nginx::line::Line;
use crate::source::{Edit, manner};
use crate::tree::Shape;

/// What requests that ask for no upgrade are sent as `Connection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// `close`: nginx's own way before 1.29.7.
    Close,
    /// Nothing: the connection to the upstream is kept.
    Nothing,
}

impl Plain {
    fn value(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Nothing => "",
        }
    }
}

/// The name that everybody gives the variable.
pub(super) const USUAL: &str = "connection_upgrade";

impl Editor<'_> {
    /// The variable to send as `Connection` (with its `$`), and the edit that defines it where nothing does.
    pub(super) fn connection_variable(&self, plain: Plain, scope: ScopeId) -> Result<(String, Option<Edit>), String> {
        if let Some(name) = self.first_map(|map| self.maps_upgrade(map, plain)) {
            return Ok((format!("${name}"), None));
        }
        let name = self.free_name(&[USUAL, "connection_upgrade_keepalive", "websocket_connection", "proxylint_connection"])?;
        Ok((format!("${name}"), Some(self.new_map(name, plain, scope)?)))
    }

    /// The variable that holds the client's `Upgrade` where it is `websocket`, and nothing else (with its `$`); and the edit that defines it
    /// where nothing does.
    pub(super) fn websocket_variable(&self, scope: ScopeId) -> Result<(String, Option<Edit>), String> {
        if let Some(name) = self.first_map(|map| self.maps(map, &[("websocket", "websocket"), ("h2c", ""), ("", "")])) {
            return Ok((format!("${name}"), None));
        }
        let name = self.free_name(&["websocket", "websocket_upgrade", "proxylint_upgrade"])?;
        let edit =
            self.map_in_http(scope, &format!("map $http_upgrade ${name} {{"), &["default   '';", "websocket websocket;"])?;
        Ok((format!("${name}"), Some(edit)))
    }

    /// The name of the first variable in the files that a fitting map defines.
    fn first_map(&self, fits: impl Fn(&Map) -> bool) -> Option<String> {
        let gateway = self.gateway();
        let fitting = gateway.variables.iter().filter_map(|(name, definition)| match definition {
            Definition::Map(map) if fits(map) => {
                Some((map.span.source.0, map.span.start, gateway.texts.show(*name).into_owned()))
            }
            _ => None,
        });
        fitting.min().map(|(.., name)| name)
    }

    /// The first of `names` that no variable has.
    fn free_name(&self, names: &[&'static str]) -> Result<&'static str, String> {
        let gateway = self.gateway();
        let is_free = |name: &&str| gateway.texts.find(name.as_bytes()).is_none_or(|id| !gateway.variables.contains_key(&id));
        names.iter().copied().find(is_free).ok_or_else(|| "every usual name for the map is taken".to_owned())
    }

    /// Whether a map yields `upgrade` for a handshake and `plain` for other requests.
    fn maps_upgrade(&self, map: &Map, plain: Plain) -> bool {
        self.maps(map, &[("websocket", "upgrade"), ("", plain.value())])
    }

    /// Whether a map yields these values, in any case, for these values of the client's `Upgrade`.
    fn maps(&self, map: &Map, wanted: &[(&str, &str)]) -> bool {
        let gateway = self.gateway();
        let is_upgrade =
            |part: &Part| matches!(part, Part::Variable(Variable::RequestHeader(name)) if gateway.texts.get(*name) == b"upgrade");
        let [subject] = gateway.symbolics.get(map.subject) else { return false };
        let value = |asked: &[u8]| {
            let row = map.entries.iter().find(|row| matches!(row.key, MapKey::Text(text) if gateway.texts.get(text) == asked));
            gateway.symbolics.literal(row.map_or(map.default, |row| row.value), &gateway.texts)
        };
        is_upgrade(subject)
            && map.partial.is_none()
            && map.entries.iter().all(|row| matches!(row.key, MapKey::Text(_)))
            && wanted
                .iter()
                .all(|(asked, wanted)| value(asked.as_bytes()).is_some_and(|value| value.eq_ignore_ascii_case(wanted.as_bytes())))
    }

    /// The edit that defines the map in `http`, as seen from the level `scope`.
    pub(super) fn new_map(&self, name: &str, plain: Plain, scope: ScopeId) -> Result<Edit, String> {
        let other = if plain == Plain::Close { "''      close;" } else { "''      '';" };
        self.map_in_http(scope, &format!("map $http_upgrade ${name} {{"), &["default upgrade;", other])
    }

    /// The edit that writes a map into `http`, as seen from the level `scope`.
    fn map_in_http(&self, scope: ScopeId, head: &str, rows: &[&str]) -> Result<Edit, String> {
        let gateway = self.gateway();
        let http = gateway.scopes.chain(scope).last().map(|outermost| gateway.scopes.get(outermost).span);
        let block = http.and_then(|span| self.block(span)).ok_or("nothing here is the `http` that the `map` belongs in")?;
        let is_http = |line: Line<'_>| matches!(line.name(), b"server" | b"upstream" | b"map") && line.shape() == Shape::Block;
        if block.of.is_none() && !block.lines().any(is_http) {
            return Err("the `map` belongs in `http`, which is not among these files".to_owned());
        }
        let mut lines = vec![head.to_owned()];
        lines.extend(rows.iter().map(|row| format!("{}{row}", manner::unit(block.bytes))));
        lines.push("}".to_owned());
        let server = block.lines().find(|&line| line.name() == b"server" && line.shape() == Shape::Block);
        Ok(match server.filter(|_| block.of.is_some() && !block.is_templated()) {
            Some(server) => block.insert_before(server, &lines),
            None => block.insert(None, &lines),
        })
    }
}
