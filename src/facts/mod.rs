//! Every fact, once: its name, subject, type, meaning, and how it is read off the gateway and the probes.
//!
//! Rules judge facts and know nothing else. Where a check cannot be said in facts, a fact is missing here.

mod app;
mod application;
mod backend;
mod capacity;
mod certificate;
mod directive;
mod endpoint;
mod gateway;
mod handshake;
mod intent;
mod listener;
mod mapping;
mod meant;
mod order;
mod reader;
mod rewriting;
mod route;
mod sent;
mod site;
mod stream;
mod subrequest;
mod target;
mod upstream;
mod value;

pub use app::App;
pub use reader::{Reader, View};
pub use value::{Evidence, Places, Reading, Value};

use crate::gateway::{RouteId, SiteId, UpstreamId};

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A route of a site.
    Route,
    /// A named group of backends.
    Upstream,
    /// A site.
    Site,
    /// One directive that something was noted about.
    Directive,
    /// A whole configuration.
    Gateway,
}

impl Subject {
    /// The name, as rules and messages write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Upstream => "upstream",
            Self::Site => "site",
            Self::Directive => "directive",
            Self::Gateway => "gateway",
        }
    }
}

/// The type of a fact's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text.
    Text,
    /// A list of texts; a header's value is the list of its comma-separated tokens.
    List,
    /// A duration, in milliseconds inside the program; written `60s`, `1h`.
    Duration,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// A version.
    Version,
}

/// One thing that facts can be read of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// A route.
    Route(RouteId),
    /// A group of backends.
    Upstream(UpstreamId),
    /// A site.
    Site(SiteId),
    /// The directive of the n-th remark of the gateway.
    Directive(usize),
    /// The directive of the n-th refusal of the gateway.
    Refused(usize),
    /// The whole configuration.
    Gateway,
}

/// What the user's configuration declares about the world; see `proxylint.toml`.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Path patterns (`/live/*`) of routes that are meant for WebSockets.
    pub websocket_routes: Vec<String>,
    /// Path patterns of routes that are not, whatever hints at it.
    pub other_routes: Vec<String>,
    /// Patterns of the names of upstreams, or hosts of backends, to which all routes are meant for WebSockets.
    pub websocket_upstreams: Vec<String>,
    /// Applications beside those of `rules/intent.toml`.
    pub apps: Vec<App>,
}

/// A fact's definition; the table of them is what `proxylint facts` prints.
pub struct Definition {
    /// Its name; a final `<name>` stands for any text, such as a header's name.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// The type of its value.
    pub kind: Type,
    /// What it means, in one or two sentences, units included.
    pub meaning: &'static str,
    /// Reads it; the text is what stands for `<name>`.
    read: fn(&Reader<'_>, &str) -> Reading,
}

/// The facts by file; each file has its own beside what reads them.
const FILES: &[&[Definition]] = &[
    gateway::FACTS,
    route::FACTS,
    handshake::FACTS,
    endpoint::FACTS,
    sent::FACTS,
    target::FACTS,
    subrequest::FACTS,
    listener::FACTS,
    mapping::FACTS,
    order::FACTS,
    rewriting::FACTS,
    directive::FACTS,
    upstream::FACTS,
    site::FACTS,
    certificate::FACTS,
    application::FACTS,
    backend::FACTS,
    capacity::FACTS,
    stream::FACTS,
];

/// All facts. Those of a gateway can be read of every item.
pub fn facts() -> impl Iterator<Item = &'static Definition> {
    FILES.iter().copied().flatten()
}

/// A definition; of this form, tables read well.
const fn fact(
    name: &'static str,
    subject: Subject,
    kind: Type,
    read: fn(&Reader<'_>, &str) -> Reading,
    meaning: &'static str,
) -> Definition {
    Definition { name, subject, kind, meaning, read }
}

/// A fact as a rule names it: `handshake.request_header.upgrade`.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its definition.
    pub definition: &'static Definition,
    /// What stands for `<name>`, or nothing.
    pub parameter: String,
}

/// No fact has this name.
#[derive(Debug, thiserror::Error)]
#[error("unknown fact `{name}`{}", .suggestion.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownFact {
    /// The name.
    pub name: String,
    /// The nearest name that there is.
    pub suggestion: Option<&'static str>,
}

impl Fact {
    /// The fact that `name` names.
    ///
    /// # Errors
    /// Where there is none.
    pub fn named(name: &str) -> Result<Self, UnknownFact> {
        let found = facts().find_map(|definition| {
            let parameter = match definition.name.strip_suffix("<name>") {
                Some(prefix) => name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?,
                None => (definition.name == name).then_some("")?,
            };
            Some(Self { definition, parameter: parameter.to_owned() })
        });
        found.ok_or_else(|| {
            let distance = |definition: &&Definition| strsim::damerau_levenshtein(definition.name, name);
            let near = facts().min_by_key(distance).filter(|near| distance(near) <= 1 + name.len() / 4);
            UnknownFact { name: name.to_owned(), suggestion: near.map(|near| near.name) }
        })
    }

    /// The name, as rules write it.
    #[must_use]
    pub fn name(&self) -> String {
        match self.definition.name.strip_suffix("<name>") {
            Some(prefix) => format!("{prefix}{}", self.parameter),
            None => self.definition.name.to_owned(),
        }
    }

    /// Reads the fact of the reader's item.
    #[must_use]
    pub fn read(&self, reader: &Reader<'_>) -> Reading {
        (self.definition.read)(reader, &self.parameter)
    }
}

impl std::fmt::Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
