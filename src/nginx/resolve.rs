//! The include graph of one root: which files each `include` brings, in nginx's order (`ngx_conf_include`, `ngx_conf_file.c`).

use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};

use super::outline::Written;
use super::{glob, words};
use crate::gateway::{Remark, RemarkKind, Server, Unknown};
use crate::project::{LoadError, Root, Store, has_glob};
use crate::source::{SourceId, Span};
use crate::tree::DirectiveId;

/// What the includes of one root lead to.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Every source reached, each once: the root, then level by level.
    pub sources: Vec<SourceId>,
    /// Includes that the server would refuse, and those whose file cannot be seen.
    pub problems: Vec<Remark>,
    /// The site that stands for those that are enabled, see [`resolve_site`].
    pub site: Option<SourceId>,
    /// The includes of each source, by directive, with an index into `outcomes`.
    includes: FxHashMap<SourceId, Vec<(DirectiveId, u32)>>,
    outcomes: Vec<Outcome>,
    /// Includes that lead back to a file they are in.
    cut: FxHashSet<(SourceId, DirectiveId)>,
    /// Sources that are included somewhere outside of `stream` and `mail`.
    http: FxHashSet<SourceId>,
}

/// What an include brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Include<'a> {
    /// The files, in order.
    pub files: &'a [SourceId],
    /// Whether it names files that may hold settings and are not in the given tree.
    pub hides: Option<Unknown>,
}

/// What one path or pattern leads to; the same wherever it is written, for all relative paths start from the root's base.
#[derive(Debug, Default)]
struct Outcome {
    paths: Vec<PathBuf>,
    files: Vec<SourceId>,
    missing: Option<Missing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing {
    /// Whether the server would not find it either.
    inside: bool,
    /// Whether it may hold settings that matter.
    hides: bool,
    /// Whether to tell about it: an empty pattern is no fault.
    tell: bool,
    /// Whether it is there, outside of what was given.
    outside: bool,
}

impl Resolved {
    /// What the `include` directive `id` of `source` brings.
    #[must_use]
    pub fn include(&self, source: SourceId, id: DirectiveId, span: Span) -> Include<'_> {
        let row = self.includes.get(&source).and_then(|rows| Some(rows[rows.binary_search_by_key(&id, |row| row.0).ok()?].1));
        let Some(outcome) = row.map(|row| &self.outcomes[row as usize]) else {
            // A template hole decides the path, or it is malformed.
            return Include { files: &[], hides: Some(Unknown::TemplateHole(span)) };
        };
        if self.cut.contains(&(source, id)) {
            return Include { files: &[], hides: Some(Unknown::MissingInclude(span)) };
        }
        let hides = outcome.missing.filter(|missing| missing.hides).map(|_| Unknown::MissingInclude(span));
        Include { files: &outcome.files, hides }
    }

    /// Whether the `include` directive `id` of `source` leads back to a file that it is in.
    #[must_use]
    pub fn is_cut(&self, source: SourceId, id: DirectiveId) -> bool {
        self.cut.contains(&(source, id))
    }

    /// Whether `source` is read inside `http`, not only inside `stream` or `mail`.
    #[must_use]
    pub fn is_http(&self, source: SourceId) -> bool {
        self.http.contains(&source)
    }
}

/// Follows the includes of `root`, reading each file once.
pub fn resolve(store: &mut Store, root: &Root) -> Resolved {
    resolve_site(store, root, None)
}

/// The same, as if `site` were all that `sites-enabled` holds: Debian's `sites-available` holds sites that are linked to from there, and links
/// are seldom kept with them.
pub fn resolve_site(store: &mut Store, root: &Root, site: Option<SourceId>) -> Resolved {
    let mut resolver = Resolver { root, resolved: Resolved { site, ..Resolved::default() }, known: FxHashMap::default() };
    resolver.resolved.sources.push(root.source);
    resolver.resolved.http.insert(root.source);
    let mut seen: FxHashSet<SourceId> = FxHashSet::from_iter([root.source]);
    let mut level = vec![root.source];
    while !level.is_empty() {
        let first_new = resolver.resolved.outcomes.len();
        let found: Vec<Found> = level.iter().flat_map(|&source| resolver.place(store, source)).collect();
        resolver.load(store, first_new);
        level.clear();
        for Found { row, in_http, .. } in &found {
            for &file in &resolver.resolved.outcomes[*row as usize].files {
                let new = seen.insert(file);
                if new {
                    resolver.resolved.sources.push(file);
                }
                // A file first met in `stream` is looked at again when it is met in `http`: so is what it includes.
                if *in_http && resolver.resolved.http.insert(file) || new {
                    level.push(file);
                }
            }
        }
        resolver.tell(store, &found);
    }
    resolver.cut_cycles();
    resolver.resolved
}

struct Resolver<'a> {
    root: &'a Root,
    resolved: Resolved,
    /// The outcome of each path as written.
    known: FxHashMap<Vec<u8>, u32>,
}

/// One `include` directive.
struct Found {
    source: SourceId,
    id: DirectiveId,
    row: u32,
    in_http: bool,
    /// Whether its file is looked at for the first time.
    is_new: bool,
}

impl Resolver<'_> {
    /// Gives the includes of a source their outcomes; those of new paths are still to be loaded.
    fn place(&mut self, store: &mut Store, source: SourceId) -> Vec<Found> {
        let in_http = self.resolved.http.contains(&source);
        let is_new = !self.resolved.includes.contains_key(&source);
        let count = store.parsed(source).outline().includes.len();
        if count == 0 {
            return Vec::new();
        }
        let mut found = Vec::with_capacity(count);
        for at in 0..count {
            let Written { id, ref path, in_other } = store.parsed(source).outline().includes[at];
            let row = if let Some(&row) = self.known.get(path) {
                row
            } else {
                let path = path.clone();
                let row = u32::try_from(self.resolved.outcomes.len()).unwrap_or(u32::MAX);
                let outcome = self.locate(store, &String::from_utf8_lossy(&path));
                self.resolved.outcomes.push(outcome);
                self.known.insert(path, row);
                row
            };
            found.push(Found { source, id, row, in_http: in_http && !in_other, is_new });
        }
        self.resolved.includes.insert(source, found.iter().map(|found| (found.id, found.row)).collect());
        found
    }

    /// The paths that a path or pattern, as written, leads to.
    fn locate(&self, store: &mut Store, written: &str) -> Outcome {
        let path = Path::new(written);
        let is_pattern = has_glob(written.as_bytes());
        if let Some(site) = self.resolved.site.filter(|_| is_pattern && is_of_enabled(path)) {
            return Outcome { paths: vec![store.sources.get(site).path().to_path_buf()], ..Outcome::default() };
        }
        let place = if path.is_absolute() { store.locate_from(&self.root.base, path) } else { Some(self.root.base.join(path)) };
        let Some(place) = place else {
            let missing = Missing { inside: false, hides: hides(written), tell: !is_pattern, outside: false };
            return Outcome { missing: Some(missing), ..Outcome::default() };
        };
        if !is_pattern {
            return Outcome { paths: vec![place], ..Outcome::default() };
        }
        let paths = glob::expand(store, &place);
        let missing = paths.is_none().then(|| Missing { inside: false, hides: hides(written), tell: false, outside: false });
        Outcome { paths: paths.unwrap_or_default(), files: Vec::new(), missing }
    }

    /// Loads the files of the outcomes from `first` on, all at once.
    fn load(&mut self, store: &mut Store, first: usize) {
        let wanted: Vec<PathBuf> =
            self.resolved.outcomes[first..].iter().flat_map(|outcome| outcome.paths.iter().cloned()).collect();
        let mut results = store.load(&wanted, Server::Nginx).into_iter();
        for outcome in &mut self.resolved.outcomes[first..] {
            let mut links = Vec::new();
            for path in std::mem::take(&mut outcome.paths) {
                match results.next() {
                    Some(Ok(file)) => match store.linked_from(file) {
                        Some(path) => links.push((outcome.files.len(), path)),
                        None => outcome.files.push(file),
                    },
                    Some(Err(error)) => {
                        let written = path.to_string_lossy();
                        let stock = is_stock(&written);
                        // A whole directory that is missing is brought by something else: another repository, the deployment.
                        let beside = path.parent().is_some_and(|directory| store.list(directory).is_some());
                        let outside = matches!(error, LoadError::Outside);
                        let inside = self.root.is_main && beside && !stock && !outside;
                        outcome.missing = Some(Missing { inside, hides: hides(&written), tell: true, outside });
                    }
                    None => {}
                }
            }
            // The last first, for those before it to stay in their places.
            for (at, path) in links.into_iter().rev() {
                outcome.files.splice(at..at, store.load(&[path], Server::Nginx).remove(0));
            }
        }
    }

    /// Notes the missing files, at each include that names one.
    fn tell(&mut self, store: &Store, found: &[Found]) {
        for Found { source, id, row, .. } in found.iter().filter(|found| found.is_new) {
            let Some(missing) = self.resolved.outcomes[*row as usize].missing.filter(|missing| missing.tell) else { continue };
            let span = head(store, *source, *id);
            let path = include_path(store, *source, *id);
            let kind = if missing.outside {
                RemarkKind::IncludeOutside { path }
            } else {
                // A template is put into another directory before the server reads it.
                RemarkKind::IncludeMissing { path, inside: missing.inside && !store.tree(*source).is_template() }
            };
            self.resolved.problems.push(Remark { span, labels: Vec::new(), kind });
        }
    }

    /// Cuts each include that leads back to a file it is in: nginx recurses until it crashes. A walk in depth with its own stack.
    fn cut_cycles(&mut self) {
        let resolved = &mut self.resolved;
        let mut done: FxHashSet<SourceId> = FxHashSet::default();
        let mut open: FxHashSet<SourceId> = FxHashSet::from_iter([self.root.source]);
        // Source, the include looked at, the file of that include.
        let mut path = vec![(self.root.source, 0usize, 0usize)];
        while let Some((source, include, file)) = path.last_mut() {
            let Some(&(id, row)) = resolved.includes.get(source).and_then(|rows| rows.get(*include)) else {
                open.remove(source);
                done.insert(*source);
                path.pop();
                continue;
            };
            let Some(&next) = resolved.outcomes[row as usize].files.get(*file) else {
                (*include, *file) = (*include + 1, 0);
                continue;
            };
            *file += 1;
            if open.contains(&next) {
                resolved.cut.insert((*source, id));
                (*include, *file) = (*include + 1, 0);
            } else if !done.contains(&next) {
                open.insert(next);
                path.push((next, 0, 0));
            }
        }
    }
}

/// The name and words of a directive as a span.
fn head(store: &Store, source: SourceId, id: DirectiveId) -> Span {
    let range = store.tree(source).head(id);
    Span::new(source, range.start, range.end)
}

fn include_path(store: &Store, source: SourceId, id: DirectiveId) -> String {
    let (tree, bytes) = (store.tree(source), store.sources.get(source).bytes());
    let value = tree.words(id).next().map(|word| words::value(tree.token(word).kind, tree.text(word, bytes)));
    String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()
}

/// Whether the path names a file that a distribution or a tool puts there: that it is not in a repository is no fault.
fn is_stock(path: &str) -> bool {
    const NAMES: [&str; 9] = [
        "mime.types",
        "fastcgi_params",
        "fastcgi.conf",
        "proxy_params",
        "uwsgi_params",
        "scgi_params",
        "koi-utf",
        "koi-win",
        "win-utf",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    NAMES.contains(&name)
        || ["/snippets/", "/modules-enabled/", "/letsencrypt/"].iter().any(|part| path.contains(part))
        || path.starts_with("snippets/")
        || path.starts_with("modules-enabled/")
        || path.starts_with("/usr/share/")
}

/// Whether a pattern is for the sites that Debian enables: `sites-enabled/*`.
fn is_of_enabled(pattern: &Path) -> bool {
    pattern.parent().and_then(Path::file_name).is_some_and(|name| name == "sites-enabled")
}

/// Whether a file of this name may hold settings that matter here. The stock ones below are known not to.
fn hides(path: &str) -> bool {
    const HARMLESS: [&str; 8] =
        ["mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params", "koi-utf", "koi-win", "win-utf"];
    let name = path.rsplit('/').next().unwrap_or(path);
    !(HARMLESS.contains(&name) || path.contains("modules-enabled/") || path.contains("/letsencrypt/"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Writes the files into a new folder, resolves from `nginx.conf`, and returns the names reached and the problems.
    fn resolved(files: &[(&str, &str)]) -> (Vec<String>, Vec<RemarkKind>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut store = Store::default();
        store.add_base(folder.path()).unwrap();
        let source = store.load(&[folder.path().join("nginx.conf")], Server::Nginx).remove(0).unwrap();
        let root = Root { server: Server::Nginx, source, base: folder.path().to_path_buf(), is_main: true };
        let resolved = resolve(&mut store, &root);
        let name =
            |&id: &SourceId| store.sources.get(id).path().strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned();
        (resolved.sources.iter().map(name).collect(), resolved.problems.into_iter().map(|problem| problem.kind).collect())
    }

    #[test]
    fn a_link_that_is_checked_out_as_text_is_followed() {
        let files = [
            ("nginx.conf", "http {\n include sites-enabled/*;\n}\n"),
            ("sites-available/a", "server { }\n"),
            ("sites-enabled/a", "../sites-available/a"),
            ("sites-enabled/b", "server { }\n"),
            ("sites-enabled/c", "../sites-available/gone"),
        ];
        let (names, problems) = resolved(&files);
        assert_eq!(names, ["nginx.conf", "sites-available/a", "sites-enabled/b"]);
        assert!(problems.is_empty());
    }

    #[test]
    fn files_come_in_the_order_of_the_pattern_and_once() {
        let (names, problems) = resolved(&[
            ("nginx.conf", "http { include conf.d/*.conf; include conf.d/b.conf; }"),
            ("conf.d/b.conf", "include x.inc;"),
            ("conf.d/a.conf", "include 'x.inc';"),
            ("conf.d/.c.conf", ""),
            ("x.inc", "a b;"),
        ]);
        assert_eq!(names, ["nginx.conf", "conf.d/a.conf", "conf.d/b.conf", "x.inc"]);
        assert_eq!(problems, []);
    }

    #[test]
    fn what_is_missing_is_told_unless_a_distribution_ships_it() {
        let (_, problems) = resolved(&[(
            "nginx.conf",
            "include none.conf; include mime.types; include none/*.conf; include /etc/nginx/none.conf;",
        )]);
        let missing = |path: &str, inside| RemarkKind::IncludeMissing { path: path.to_owned(), inside };
        assert_eq!(problems, [missing("none.conf", true), missing("mime.types", false), missing("/etc/nginx/none.conf", false)]);
    }

    #[test]
    fn what_a_template_includes_lies_elsewhere() {
        let (_, problems) = resolved(&[("nginx.conf", "user {{ user }}; include none.conf;")]);
        assert_eq!(problems, [RemarkKind::IncludeMissing { path: "none.conf".to_owned(), inside: false }]);
    }

    #[test]
    fn a_cycle_is_told_once() {
        let (names, problems) =
            resolved(&[("nginx.conf", "include a.inc;"), ("a.inc", "include b.inc;"), ("b.inc", "include *.inc;")]);
        assert_eq!(names.len(), 3);
        assert_eq!(problems, []);
    }
}
