//! What is noted once every line is read: files of directories that httpd refuses, and rules that lead past the mappings.

use rustc_hash::FxHashMap;

use crate::gateway::{
    Action, Covers, Gateway, Matcher, Misreading, Overrides, Part, Property, Protocol, Remark, RemarkKind, Rewrite, Route,
    RouteId, Site, Target, Test, covering,
};
use crate::project::Store;
use crate::source::Span;

/// Notes what is to be said of the whole configuration.
pub(super) fn review(store: &Store, gateway: &mut Gateway) {
    let mut found = refused_files(store, gateway);
    found.extend(rules_past_mappings(gateway));
    found.sort_by_key(|remark| remark.span);
    found.dedup();
    gateway.remarks.append(&mut found);
}

fn misread(span: Span, labels: Vec<(Span, String)>, how: Misreading, text: String) -> Remark {
    Remark { span, labels, kind: RemarkKind::Misread { how, text } }
}

/// The lines of `.htaccess` files for which every request below is answered 500 (`ap_parse_htaccess`, `server/config.c`).
fn refused_files(store: &Store, gateway: &Gateway) -> Vec<Remark> {
    let mut found = Vec::new();
    let Some(main) = gateway.sites.first() else { return found };
    if main.areas.iter().all(|area| area.file.is_none()) {
        return found;
    }
    // What a virtual host says of directories counts for its requests alone; a few show what the others do.
    let own =
        gateway.sites.iter().filter(|site| !site.is_main && site.areas.iter().any(|area| area.settings.overrides.is_some()));
    let said: Vec<Said<'_>> =
        std::iter::once(None).chain(own.take(HOSTS).map(Some)).map(|site| Said::by(gateway, main, site)).collect();
    let mut last = None;
    for area in &main.areas {
        // Its lines may be there once more, for another section that allows others.
        if area.file.is_some() && last.replace(area.span.source) == Some(area.span.source) {
            continue;
        }
        let (Some(file), Covers::Directory(Matcher::Segments(path))) = (&area.file, &area.covers) else { continue };
        let path = gateway.texts.get(*path);
        let allowed: Vec<&Overrides> = said.iter().filter_map(|said| said.of(path)).collect();
        let read = || allowed.iter().filter(|overrides| overrides.reads() && !overrides.is_lenient());
        let name = |span: Span| {
            let line = String::from_utf8_lossy(store.sources.slice(span)).into_owned();
            line.trim_start_matches('<').split_ascii_whitespace().next().unwrap_or_default().to_owned()
        };
        let then = "so every request below this directory is answered 500";
        if let Some((span, why)) = file.refused
            && read().next().is_some()
        {
            let (how, text) = match why {
                _ if span.start == span.end => (Misreading::DirectoryFileUnread, format!("it {why}, {then}")),
                "is not allowed here" => {
                    (Misreading::DirectoryFileForbids, format!("`{}` is not allowed in a `.htaccess`, {then}", name(span)))
                }
                _ => (Misreading::DirectoryFileUnknown, format!("`{}` {why}, {then}", name(span))),
            };
            found.push(misread(span, Vec::new(), how, text));
        } else if let Some(needed) = file.faulty.iter().find(|needed| {
            let read = |overrides: &&Overrides| overrides.reads() && overrides.allow(needed);
            allowed.iter().copied().any(|overrides| read(&overrides))
        }) {
            let text = format!("`{}` is refused, {then}", name(needed.span));
            found.push(misread(needed.span, Vec::new(), Misreading::DirectoryFileUnknown, text));
        } else if let Some(needed) = file.needs.iter().find(|needed| read().any(|overrides| !overrides.allow(needed))) {
            let text = format!("`{}` is not among what `AllowOverride` allows here, {then}", name(needed.span));
            found.push(misread(needed.span, Vec::new(), Misreading::DirectoryFileForbids, text));
        }
    }
    found
}

/// How many virtual hosts are asked what they allow.
const HOSTS: usize = 16;

/// What the sections of a server say of the files of directories, by the directory.
struct Said<'g> {
    by_path: FxHashMap<&'g [u8], &'g Overrides>,
    everywhere: Option<&'g Overrides>,
    /// Set where a pattern may say something else.
    unsure: bool,
}

impl<'g> Said<'g> {
    fn by(gateway: &'g Gateway, main: &'g Site, host: Option<&'g Site>) -> Self {
        let mut said = Self { by_path: FxHashMap::default(), everywhere: None, unsure: false };
        for area in main.areas.iter().chain(host.into_iter().flat_map(|host| &host.areas)) {
            let Some(overrides) = area.settings.overrides.as_deref() else { continue };
            match area.covers {
                Covers::Everything => said.everywhere = Some(overrides),
                Covers::Directory(Matcher::Segments(path)) => {
                    let path = gateway.texts.get(path);
                    said.by_path.insert(path.strip_suffix(b"/").unwrap_or(path), overrides);
                }
                _ => said.unsure = true,
            }
        }
        said
    }

    /// The word of the narrowest section that covers the directory `path`.
    fn of(&self, path: &'g [u8]) -> Option<&'g Overrides> {
        let trimmed = |path: &'g [u8]| path.strip_suffix(b"/").unwrap_or(path);
        let found = || covering(path).find_map(|path| self.by_path.get(trimmed(path)).copied());
        if self.unsure { None } else { found().or(self.everywhere) }
    }
}

/// The rules whose new path a mapping for WebSockets is there for, and that have no `PT`: the path is taken for that of a file
/// (`hook_uri2file`, `mod_rewrite.c`).
fn rules_past_mappings(gateway: &Gateway) -> Vec<Remark> {
    let mut found = Vec::new();
    let Some(main) = gateway.sites.first() else { return found };
    let mapped = |site: &Site| -> FxHashMap<&[u8], Span> {
        let routes = site.sections.clone().chain(site.mappings.clone()).map(|id| gateway.route(RouteId(id)));
        let path = |route: &Route| match route.matcher {
            Matcher::Segments(text) => Some((gateway.texts.get(text), route.span)),
            _ => None,
        };
        routes.filter(|route| carries_websockets(gateway, route)).filter_map(path).filter(|(path, _)| path.len() > 1).collect()
    };
    let of_main = if main.is_main { mapped(main) } else { FxHashMap::default() };
    for site in gateway.sites.iter().filter(|site| !site.rewrites.is_empty()) {
        let own = mapped(site);
        for (index, rule) in site.rewrites.iter().enumerate() {
            let asks_for_files = rule.conditions.iter().any(|condition| matches!(condition.test, Ok(Test::File(_))));
            let ends = rule.last || rule.flags.ends || index + 1 == site.rewrites.len();
            if !ends || asks_for_files || rule.flags.maps_again || rule.action != Action::Continue || rule.beyond.is_some() {
                continue;
            }
            let Some(path) = new_path(gateway, rule) else { continue };
            if let Some(&mapping) = covering(path).find_map(|path| own.get(path).or_else(|| of_main.get(path))) {
                let labels = vec![(mapping, "the mapping for that path".to_owned())];
                let text = String::from_utf8_lossy(path).into_owned();
                found.push(misread(rule.span, labels, Misreading::LeadsPastMappings, text));
            }
        }
    }
    found
}

/// The path that a rule makes, as far as it is written.
fn new_path<'g>(gateway: &'g Gateway, rule: &Rewrite) -> Option<&'g [u8]> {
    match gateway.symbolics.get(rule.substitution?).first()? {
        Part::Text(text) => Some(gateway.texts.get(*text)).filter(|text| text.starts_with(b"/")),
        _ => None,
    }
}

/// Whether a route lets WebSockets through.
pub(super) fn carries_websockets(gateway: &Gateway, route: &Route) -> bool {
    let Target::Proxy(proxy) = &route.target else { return false };
    let upgrades = |worker| gateway.scopes.own(worker).any(|entry| entry.property == Property::Upgrade);
    matches!(proxy.protocol, Protocol::Ws | Protocol::Wss) || proxy.worker.is_some_and(upgrades)
}
