//! The form of `proxylint.toml`: every key there is, and nothing else.

use std::path::PathBuf;

use serde::Deserialize;

use crate::facts::App;

/// A value with its place in the file.
pub(super) type Value<T> = toml::Spanned<T>;

/// `[rules]`: `select`, `ignore`, and a table of parameters by rule.
pub(super) type Rules = std::collections::BTreeMap<Value<String>, Value<toml::Value>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) nginx: ServerTable,
    pub(super) apache: ServerTable,
    pub(super) paths: Vec<PathPair>,
    pub(super) websocket: Websocket,
    pub(super) rules: Rules,
    pub(super) exclude: Vec<Value<String>>,
}

/// `[nginx]` and `[apache]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerTable {
    /// The version to judge for.
    pub(super) version: Option<Value<String>>,
}

/// `[[paths]]`: where an absolute path of the configuration lies in the tree.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PathPair {
    /// The prefix on the server.
    pub(super) from: PathBuf,
    /// What replaces it, relative to the file.
    pub(super) to: PathBuf,
}

/// `[websocket]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Websocket {
    /// Path patterns of routes that are meant for WebSockets.
    pub(super) routes: Vec<String>,
    /// Path patterns of routes that are not.
    pub(super) not_routes: Vec<String>,
    /// Names of upstreams, or hosts of backends, to which all routes are.
    pub(super) upstreams: Vec<String>,
    /// Applications beside those that are known.
    pub(super) app: Vec<App>,
    /// How often the application sends a ping.
    pub(super) heartbeat: Option<Value<String>>,
}
