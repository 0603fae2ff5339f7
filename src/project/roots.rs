//! Which candidates are roots: main files, and fragments that nothing includes.

use std::path::{Path, PathBuf};

use rayon::iter::Either;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::image::version_beside;
use super::language::{Resolved, resolve};
use super::{Candidate, Root, Store};
use crate::gateway::{Gateway, Server, Version};
use crate::nginx;
use crate::source::SourceId;
use crate::tree::Shape;

/// A root to lint, with what it includes.
#[derive(Debug)]
pub struct Reached {
    /// The root.
    pub root: Root,
    /// What it includes.
    pub resolved: Resolved,
    /// The version of the server: the one declared, else the one that a Dockerfile beside it names.
    pub version: Option<Version>,
    /// Which of the given paths it was found under, by index.
    pub given: usize,
}

impl Reached {
    /// How many routes are this root's. Beside a site that stands for those that are enabled, those of the main file are that one's.
    #[must_use]
    pub(crate) fn routes(&self, gateway: &Gateway) -> usize {
        let Resolved::Nginx(nginx::Resolved { site: Some(site), .. }) = self.resolved else { return gateway.routes.len() };
        gateway.routes.iter().filter(|route| gateway.site(route.site).span.source == site).count()
    }

    /// Follows the includes again, after sources were replaced; returns what they led to before.
    pub fn resolve_again(&mut self, store: &mut Store) -> Resolved {
        let resolved = match self.resolved {
            Resolved::SyntaxOnly(source) => Resolved::SyntaxOnly(source),
            Resolved::Nginx(ref own) if own.site.is_some() => Resolved::Nginx(nginx::resolve_site(store, &self.root, own.site)),
            _ => resolve(store, &self.root, self.version),
        };
        std::mem::replace(&mut self.resolved, resolved)
    }
}

/// The roots among `candidates`, for the versions that the user declares for each of the given paths: first the main files, then the fragments, each in the order of their paths.
pub fn roots(store: &mut Store, candidates: &[Candidate], declared: &dyn Fn(usize, Server) -> Option<Version>) -> Vec<Reached> {
    let (mains, rest): (Vec<Candidate>, Vec<Candidate>) = candidates.par_iter().partition_map(|&candidate| {
        if is_main(store, candidate.source) { Either::Left(candidate) } else { Either::Right(candidate) }
    });
    let mut reached = Vec::new();
    let mut directories = Directories::default();
    let mains = mains.into_iter().map(|candidate| reach(store, &mut directories, candidate, true, declared)).collect();
    keep_outermost(mains, &mut reached, store.sources.len());
    let seen = covered(&reached, store.sources.len());
    let fragments: Vec<Candidate> = rest.into_iter().filter(|candidate| !seen[candidate.source.index()]).collect();
    let fragments = fragments.into_iter().map(|candidate| reach(store, &mut directories, candidate, false, declared)).collect();
    let mains = reached.len();
    keep_outermost(fragments, &mut reached, store.sources.len());
    enable(store, &mut reached, mains);
    reached
}

/// So many bytes are read again for sites that are not enabled: their main file, with what it includes, once for each of them.
const MOST_AGAIN: usize = 32 * 1024 * 1024;

/// Reads each of nginx's sites in Debian's `sites-available` as its main file would, once it is enabled: what that sets holds for all sites.
/// The first `mains` are main files.
fn enable(store: &mut Store, reached: &mut [Reached], mains: usize) {
    let (mains, fragments) = reached.split_at_mut(mains);
    let mut again = 0;
    for fragment in fragments {
        let site = fragment.root.source;
        let Some(base) = available_in(store.sources.get(site).path()) else { continue };
        let main = mains
            .iter()
            .find(|main| main.root.server == Server::Nginx && fragment.root.server == Server::Nginx && main.root.base == base);
        let Some(main) = main else { continue };
        let sizes = main.resolved.sources().iter().map(|&source| store.sources.get(source).bytes().len());
        again += sizes.sum::<usize>();
        if again > MOST_AGAIN {
            return;
        }
        let resolved = nginx::resolve_site(store, &main.root, Some(site));
        if resolved.sources.contains(&site) {
            fragment.root = main.root.clone();
            fragment.version = fragment.version.or(main.version);
            fragment.resolved = Resolved::Nginx(resolved);
        }
    }
}

/// The directory around Debian's `sites-available`, where a file lies in it.
fn available_in(path: &Path) -> Option<&Path> {
    let directory = path.parent().filter(|directory| directory.file_name().is_some_and(|name| name == "sites-available"))?;
    directory.parent()
}

fn reach(
    store: &mut Store,
    directories: &mut Directories,
    candidate: Candidate,
    is_main: bool,
    declared: &dyn Fn(usize, Server) -> Option<Version>,
) -> Reached {
    let Candidate { source, given } = candidate;
    let server = store.server(source);
    let path = store.sources.get(source).path().to_path_buf();
    let base = if is_main { main_base(server, &path) } else { directories.of_fragment(store, server, &path) };
    let root = Root { server, source, base, is_main };
    let syntax_only = path.file_name().is_some_and(|name| name == ".htaccess");
    let beside = directories.version(store, server, path.parent().unwrap_or(Path::new("")));
    let version = declared(given, server).or(beside);
    let resolved = if syntax_only { Resolved::SyntaxOnly([source]) } else { resolve(store, &root, version) };
    Reached { root, resolved, version, given }
}

/// Adds to `kept` those of `all` that no other one includes. Of several that include each other, the first.
fn keep_outermost(all: Vec<Reached>, kept: &mut Vec<Reached>, sources: usize) {
    let mut included = vec![false; sources];
    for reached in &all {
        for source in reached.resolved.sources().iter().filter(|&&source| source != reached.root.source) {
            included[source.index()] = true;
        }
    }
    let (outer, inner): (Vec<Reached>, Vec<Reached>) =
        all.into_iter().partition(|reached| !included[reached.root.source.index()]);
    let mut seen = covered(&outer, sources);
    kept.extend(outer);
    for reached in inner {
        if !seen[reached.root.source.index()] {
            reached.resolved.sources().iter().for_each(|source| seen[source.index()] = true);
            kept.push(reached);
        }
    }
}

fn covered(reached: &[Reached], sources: usize) -> Vec<bool> {
    let mut seen = vec![false; sources];
    for source in reached.iter().flat_map(|reached| reached.resolved.sources()) {
        seen[source.index()] = true;
    }
    seen
}

/// Whether a server could be started with the file: nginx's has `http` or `events` blocks; httpd's has its usual name, says where
/// the server lies, or loads modules and listens or includes.
fn is_main(store: &Store, source: SourceId) -> bool {
    let tree = store.tree(source);
    let bytes = store.sources.get(source).bytes();
    let top = || tree.children(None).map(|id| (tree.text(tree.directive(id).name, bytes), tree.directive(id).shape));
    match store.server(source) {
        Server::Nginx => top().any(|(name, shape)| shape == Shape::Block && matches!(name, b"http" | b"events")),
        Server::Apache => {
            let has = |wanted: &str| top().any(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()));
            has_main_name(store.sources.get(source).path())
                || has("ServerRoot")
                || has("LoadModule") && (has("Listen") || has("Include") || has("IncludeOptional"))
        }
    }
}

/// `httpd.conf` or `apache2.conf`, also as a template.
fn has_main_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ["httpd.conf", "apache2.conf"]
        .iter()
        .any(|main| name.strip_prefix(main).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Where the relative paths of a main file start: beside it (nginx, Debian's apache2.conf), or one above for httpd's `conf/httpd.conf`.
fn main_base(server: Server, path: &Path) -> PathBuf {
    let directory = path.parent().unwrap_or(Path::new(""));
    let is_conf = directory.file_name().is_some_and(|name| name == "conf");
    match (server, directory.parent()) {
        (Server::Apache, Some(above)) if is_conf => above.to_path_buf(),
        _ => directory.to_path_buf(),
    }
}

/// What was found for the directories of roots: many roots share few.
#[derive(Default)]
struct Directories {
    of_fragments: FxHashMap<(Server, PathBuf), PathBuf>,
    versions: FxHashMap<(Server, PathBuf), Option<Version>>,
}

impl Directories {
    /// The version that a Dockerfile beside `directory` names.
    fn version(&mut self, store: &mut Store, server: Server, directory: &Path) -> Option<Version> {
        let key = (server, directory.to_path_buf());
        *self.versions.entry(key).or_insert_with(|| version_beside(store, server, directory))
    }

    /// Where the relative paths of a fragment start: the nearest directory around the fragment that looks like the place of a main file; else the fragment's own.
    fn of_fragment(&mut self, store: &mut Store, server: Server, path: &Path) -> PathBuf {
        let directory = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let key = (server, directory);
        if let Some(base) = self.of_fragments.get(&key) {
            return base.clone();
        }
        let directory = &key.1;
        let base = directory.ancestors().find(|&ancestor| is_home(store, server, ancestor)).unwrap_or(directory).to_path_buf();
        self.of_fragments.insert(key, base.clone());
        base
    }
}

/// Whether a directory inside the given paths holds what lies beside a main file.
fn is_home(store: &mut Store, server: Server, directory: &Path) -> bool {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let beside: &[&str] = match server {
        Server::Nginx => &["nginx.conf", "conf.d", "sites-enabled", "sites-available", "snippets"],
        Server::Apache => {
            &["httpd.conf", "apache2.conf", "conf.d", "sites-enabled", "sites-available", "conf-enabled", "mods-enabled"]
        }
    };
    let Some(entries) = store.list(directory) else {
        return false;
    };
    entries.iter().filter_map(|entry| entry.file_name()?.to_str()).any(|name| beside.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_files_base_is_beside_it_or_above_conf() {
        assert_eq!(main_base(Server::Nginx, Path::new("etc/nginx/nginx.conf")), Path::new("etc/nginx"));
        assert_eq!(main_base(Server::Nginx, Path::new("conf/nginx.conf")), Path::new("conf"));
        assert_eq!(main_base(Server::Apache, Path::new("httpd/conf/httpd.conf")), Path::new("httpd"));
        assert_eq!(main_base(Server::Apache, Path::new("apache2/apache2.conf")), Path::new("apache2"));
    }

    #[test]
    fn main_names_stand_in_templates_too() {
        assert!(has_main_name(Path::new("x/httpd.conf")));
        assert!(has_main_name(Path::new("x/apache2.conf.j2")));
        assert!(!has_main_name(Path::new("x/my-httpd.conf")));
        assert!(!has_main_name(Path::new("x/httpd.confused")));
    }
}
