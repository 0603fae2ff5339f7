//! The applications that use WebSockets, by what is known of their paths, names and ports: `rules/intent.toml`, and what users add.

use std::borrow::Cow;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use smallvec::SmallVec;

use crate::gateway::split_authority;
use crate::handshake::wildcard_match;

/// An application. What each list means is written at the top of `rules/intent.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    /// What it is called.
    pub name: String,
    strong: Vec<Row>,
    weak: Vec<Row>,
    hosts: Vec<String>,
    ports: Vec<u16>,
    beside: Beside,
    /// Paths at which its clients are known to open a WebSocket.
    pub endpoints: Vec<String>,
}

/// What an application has in common with many others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Beside {
    weak: Vec<Row>,
    ports: Vec<u16>,
}

/// Segments of a path that stand in a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
struct Row(Vec<String>);

impl From<String> for Row {
    fn from(path: String) -> Self {
        Self(path.split('/').filter(|segment| !segment.is_empty()).map(str::to_lowercase).collect())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    app: Vec<App>,
    events: Events,
    without_slash: Vec<String>,
    perhaps_without_slash: Vec<String>,
}

/// Paths of server-sent events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    strong: Vec<Row>,
    weak: Vec<Row>,
}

#[expect(clippy::expect_used, reason = "the file is part of the program and a test reads it")]
static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../../rules/intent.toml")).expect("rules/intent.toml is read by a test"));

/// The applications that are known to everyone.
pub(super) fn known() -> &'static [App] {
    &TABLE.app
}

/// Those of them that a path with these segments, or a backend, may hint at, in the order of the table: mostly none.
pub(super) fn hinted(segments: &[String], backend: Option<&Backend<'_>>) -> Vec<&'static App> {
    let mut places = INDEX.places(segments, backend);
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(|place| &known()[place]).collect()
}

/// What one of must be there for anything to hint at a known application, with the places of the applications in the table.
#[derive(Default)]
struct Index {
    /// The words with which rows of segments begin.
    starts: FxHashMap<&'static str, Vec<usize>>,
    /// The patterns with which they do.
    patterns: Vec<(&'static str, usize)>,
    hosts: FxHashMap<&'static str, Vec<usize>>,
    ports: FxHashMap<u16, Vec<usize>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::default();
    for (place, app) in known().iter().enumerate() {
        for Row(row) in app.strong.iter().chain(&app.weak).chain(&app.beside.weak) {
            match row.first() {
                Some(start) if start.contains(['*', '?']) => index.patterns.push((start, place)),
                Some(start) => index.starts.entry(start).or_default().push(place),
                None => {}
            }
        }
        for host in &app.hosts {
            index.hosts.entry(host).or_default().push(place);
        }
        // A port that many have in common hints at nothing by itself.
        for &port in &app.ports {
            index.ports.entry(port).or_default().push(place);
        }
    }
    index
});

impl Index {
    fn places(&self, segments: &[String], backend: Option<&Backend<'_>>) -> Vec<usize> {
        let mut places = Vec::new();
        let mut add = |found: Option<&Vec<usize>>| places.extend(found.into_iter().flatten());
        for segment in segments {
            add(self.starts.get(segment.as_str()));
        }
        if let Some(Backend { hosts, ports }) = backend {
            for port in ports {
                add(self.ports.get(port));
            }
            // No application is called by a number, and most backends are.
            for host in hosts.iter().filter(|host| host.name().bytes().any(|byte| byte.is_ascii_alphabetic())) {
                for word in host.words() {
                    add(self.hosts.get(word));
                }
                if host.name().contains(|c: char| !c.is_ascii_alphanumeric()) {
                    add(self.hosts.get(host.letters().map(char::from).collect::<String>().as_str()));
                }
            }
        }
        for &(pattern, place) in &self.patterns {
            if segments.iter().any(|segment| wildcard_match(pattern.as_bytes(), segment.as_bytes())) {
                places.push(place);
            }
        }
        places
    }
}

/// How likely it is that clients ask for `path`, which has no slash behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithoutSlash {
    /// They are known to.
    Likely,
    /// They may.
    Possible,
    /// None is known to.
    Unlikely,
}

/// Whether clients ask for `path`, which has no slash behind it.
pub(super) fn asked_without_slash(path: &str) -> WithoutSlash {
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_one_of = |names: &[String]| names.iter().any(|name| name == last);
    match (is_one_of(&TABLE.without_slash), is_one_of(&TABLE.perhaps_without_slash)) {
        (true, _) => WithoutSlash::Likely,
        (false, true) => WithoutSlash::Possible,
        (false, false) => WithoutSlash::Unlikely,
    }
}

/// Whether a path with these segments is one for server-sent events by itself, and whether it may be one.
pub(super) fn for_events(segments: &[&str]) -> (bool, bool) {
    let stands = |rows: &[Row]| rows.iter().any(|row| row.stands_in(segments));
    (stands(&TABLE.events.strong), stands(&TABLE.events.weak))
}

/// Where something leads to.
#[derive(Debug, Default)]
pub(super) struct Backend<'a> {
    /// The names of a group and of its backends.
    pub(super) hosts: SmallVec<[Host<'a>; 4]>,
    /// Their ports.
    pub(super) ports: SmallVec<[u16; 4]>,
}

/// The name of a host, in lower case.
#[derive(Debug)]
pub(super) struct Host<'a>(Cow<'a, str>);

impl<'a> Backend<'a> {
    /// What is behind these addresses, `host:port` or URLs.
    pub(super) fn at(authorities: impl IntoIterator<Item = Cow<'a, str>>) -> Self {
        let mut backend = Self::default();
        for authority in authorities {
            // The address of a balancer's member is a URL.
            let start = authority.find("://").map_or(0, |at| at + 3);
            let end = authority[start..].find('/').map_or(authority.len(), |at| start + at);
            let (host, port) = split_authority(&authority[start..end]);
            backend.ports.extend(port.and_then(|port| port.parse::<u16>().ok()));
            let host = start..start + host.len();
            let name = match authority {
                Cow::Borrowed(text) if !text[host.clone()].bytes().any(|byte| byte.is_ascii_uppercase()) => {
                    Cow::Borrowed(&text[host])
                }
                text => Cow::Owned(text[host].to_ascii_lowercase()),
            };
            backend.hosts.push(Host(name));
        }
        backend
    }
}

impl Host<'_> {
    /// The whole of it.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Whether one word of the name, or all of them together, is `called`: `my-grafana`, `home-assistant`.
    fn is_called(&self, called: &str) -> bool {
        self.words().any(|word| word == called) || self.letters().eq(called.bytes())
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split(|c: char| !c.is_ascii_alphanumeric())
    }

    /// Its letters and digits.
    fn letters(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().filter(u8::is_ascii_alphanumeric)
    }
}

/// The weak hints at one application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    pub(super) path: bool,
    pub(super) host: bool,
    pub(super) port: bool,
}

impl Hints {
    /// What either of them says.
    pub(super) fn or(self, other: Self) -> Self {
        Self { path: self.path || other.path, host: self.host || other.host, port: self.port || other.port }
    }
}

impl App {
    /// Whether a path with these segments suffices by itself.
    pub(super) fn is_strong(&self, segments: &[String]) -> bool {
        self.strong.iter().any(|row| row.stands_in(segments))
    }

    /// Where a row of `segments` that suffices by itself begins: what stands before it is the path that the application lies below.
    pub(super) fn begins_at(&self, segments: &[String]) -> Option<usize> {
        self.strong.iter().find_map(|row| row.place_in(segments))
    }

    /// What else hints at the application.
    pub(super) fn hints(&self, segments: &[String], backend: &Backend<'_>) -> Hints {
        let host = self.hosts.iter().any(|name| backend.hosts.iter().any(|host| host.is_called(name)));
        let on = |ports: &[u16]| ports.iter().any(|port| backend.ports.contains(port));
        let path = self.weak.iter().any(|row| row.stands_in(segments));
        let port = on(&self.ports);
        let (common_path, common_port) = (self.beside.weak.iter().any(|row| row.stands_in(segments)), on(&self.beside.ports));
        Hints {
            path: path || common_path && (host || port || common_port),
            host,
            port: port || common_port && (host || path || common_path),
        }
    }
}

impl Row {
    /// Whether the row stands among `segments`.
    fn stands_in(&self, segments: &[impl AsRef<str>]) -> bool {
        self.place_in(segments).is_some()
    }

    /// Where the row begins among `segments`.
    fn place_in<S: AsRef<str>>(&self, segments: &[S]) -> Option<usize> {
        let Self(row) = self;
        let fits = |(own, want): (&S, &String)| wildcard_match(want.as_bytes(), own.as_ref().as_bytes());
        let mut windows = segments.windows(row.len().max(1)).enumerate();
        windows.find(|(_, window)| !row.is_empty() && window.iter().zip(row).all(fits)).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        path.split('/').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn hints(name: &str, path: &str, host: &str, port: u16) -> (bool, bool, bool) {
        let app = known().iter().find(|app| app.name == name).unwrap();
        let backend = Backend::at([Cow::Owned(format!("{host}:{port}"))]);
        let Hints { path, host, port } = app.hints(&segments(path), &backend);
        (path, host, port)
    }

    #[test]
    fn strong_paths_are_whole_segments() {
        let strong = |path: &str| known().iter().any(|app| app.is_strong(&segments(path)));
        for path in ["/ws", "/app/ws/", "/socket.io/", "/api/kernels/x/channels", "/cool/1/ws", "/ws-chat", "/plugins/calls/ws"] {
            assert!(strong(path), "{path}");
        }
        for path in ["/", "/wsdl", "/news", "/api/", "/static/cables", "/plugins"] {
            assert!(!strong(path), "{path}");
        }
    }

    #[test]
    fn names_and_ports_hint() {
        assert_eq!(hints("Grafana", "/", "grafana", 8080), (false, true, false));
        assert_eq!(hints("Home Assistant", "/", "10.0.0.1", 8123), (false, false, true));
        assert_eq!(hints("Node-RED", "/comms", "my-nodered-1", 1880), (true, true, true));
        assert_eq!(hints("Home Assistant", "/", "home-assistant", 80), (false, true, false));
        assert_eq!(hints("ttyd", "/", "nottyd", 80), (false, false, false));
    }

    #[test]
    fn what_is_common_hints_only_beside_another() {
        assert_eq!(hints("Grafana", "/", "10.0.0.1", 3000), (false, false, false));
        assert_eq!(hints("Grafana", "/", "grafana", 3000), (false, true, true));
        assert_eq!(hints("Pusher, soketi, Laravel Reverb", "/app", "app", 80), (false, false, false));
        assert_eq!(hints("Pusher, soketi, Laravel Reverb", "/app", "app", 8080), (true, false, true));
        assert_eq!(hints("SignalR, Blazor", "/hubs/chat", "10.0.0.1", 5000), (true, false, true));
    }

    #[test]
    fn the_table_is_as_it_says() {
        for app in known() {
            assert!(!app.name.is_empty());
            let says = !app.strong.is_empty() || !app.weak.is_empty() || !app.hosts.is_empty() || !app.ports.is_empty();
            assert!(says, "{}: nothing hints at it", app.name);
            for endpoint in &app.endpoints {
                assert!(endpoint.starts_with('/') && !endpoint.contains('*'), "{}: {endpoint} is no path", app.name);
            }
            for name in &app.hosts {
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{}: {name}", app.name);
                assert!(name.bytes().any(|byte| byte.is_ascii_lowercase()), "{}: {name} is a number", app.name);
            }
        }
    }
}
