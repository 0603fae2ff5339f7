//! Which files an `Include` names, in httpd's order (`include_config`, `server/core.c`; `ap_dir_fnmatch`, `server/util.c`).

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::fnmatch;
use crate::gateway::Server;
use crate::project::{LoadError, Store, has_glob};
use crate::source::SourceId;

/// How deep directories may nest (`AP_MAX_FNMATCH_DIR_DEPTH`).
const MAX_DIRECTORY_DEPTH: usize = 128;

/// The directory that relative paths start from, and what the configuration calls it.
#[derive(Clone, Debug)]
pub(super) struct ServerRoot {
    /// Where it lies in the given tree.
    pub(super) place: PathBuf,
    /// As a `ServerRoot` line names it.
    pub(super) written: Option<PathBuf>,
}

impl ServerRoot {
    /// Whether the given tree is where the server itself reads, and not a copy of it: what is not there is missing.
    pub(super) fn is_live(&self) -> bool {
        let place = self.place.canonicalize();
        self.written.as_deref().is_some_and(|written| place.is_ok_and(|place| place == written))
    }

    /// Where a path of the configuration lies in the given tree, if anywhere.
    pub(super) fn locate(&self, store: &Store, path: &[u8]) -> Option<PathBuf> {
        let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        if !path.has_root() {
            return Some(self.place.join(path));
        }
        let below = self.written.as_ref().and_then(|written| path.strip_prefix(written).ok());
        below.map(|rest| self.place.join(rest)).or_else(|| store.locate(&path))
    }
}

/// What an include brings.
#[derive(Debug)]
pub(super) enum Included {
    /// These files, in order; `unread` if some of them cannot be read.
    Files {
        /// The files.
        sources: Vec<SourceId>,
        /// Whether there are more, which cannot be read.
        unread: bool,
    },
    /// There is nothing where the path leads, which lies in the given tree.
    Missing,
    /// The path is none of the given tree.
    Elsewhere,
    /// A file is there that lies outside of the given tree.
    Outside,
}

/// Reads what `Include path` names.
pub(super) fn include(store: &mut Store, root: &ServerRoot, path: &[u8]) -> Included {
    let Some(place) = root.locate(store, path) else { return Included::Elsewhere };
    let candidates = if has_glob(path) { glob(store, &place) } else { vec![place] };
    let mut sources = Vec::with_capacity(candidates.len());
    let mut unread = false;
    let mut outside = false;
    let results = store.load(&candidates, Server::Apache);
    for (path, result) in candidates.iter().zip(results) {
        match result {
            Ok(source) => match store.linked_from(source) {
                Some(path) => match store.load(&[path], Server::Apache).remove(0) {
                    Ok(source) => sources.push(source),
                    Err(_) => unread = true,
                },
                None => sources.push(source),
            },
            Err(LoadError::NotAFile) if path.is_dir() => {
                let files = files_below(store, path);
                let results = store.load(&files, Server::Apache);
                unread |= results.iter().any(Result::is_err);
                sources.extend(results.into_iter().flatten());
                if candidates.len() == 1 && sources.is_empty() && !unread {
                    // An empty directory is no error.
                    return Included::Files { sources, unread };
                }
            }
            Err(LoadError::Missing) => {}
            Err(LoadError::Outside) => outside = true,
            Err(_) => unread = true,
        }
    }
    match (sources.is_empty(), outside, unread) {
        (true, true, _) => Included::Outside,
        (true, false, false) => Included::Missing,
        _ => Included::Files { sources, unread: unread || outside },
    }
}

/// The paths that match a pattern, component by component, each directory in the order of its names.
fn glob(store: &mut Store, pattern: &Path) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str().as_encoded_bytes();
        if !matches!(component, Component::Normal(_)) || !has_glob(name) {
            for place in &mut places {
                place.push(component);
            }
            continue;
        }
        let mut next = Vec::new();
        for place in &places {
            let directory = if place.as_os_str().is_empty() { Path::new(".") } else { place.as_path() };
            let entries = store.list(directory).unwrap_or_default();
            let file_name =
                |path: &&PathBuf| path.file_name().map(OsStr::as_encoded_bytes).is_some_and(|it| fnmatch::matches(name, it));
            next.extend(entries.iter().filter(file_name).cloned());
        }
        places = next;
    }
    places
}

/// Every file below a directory whatever its name, sorted as `strcmp` does; nothing outside the given roots.
fn files_below(store: &Store, directory: &Path) -> Vec<PathBuf> {
    let inside =
        |path: &Path| path.canonicalize().is_ok_and(|real| store.bases().iter().any(|base| real.starts_with(&base.real)));
    if !inside(directory) {
        return Vec::new();
    }
    let walk = WalkDir::new(directory).follow_links(true).max_depth(MAX_DIRECTORY_DEPTH).sort_by_file_name();
    walk.into_iter()
        .filter_entry(|entry| !entry.path_is_symlink() || inside(entry.path()))
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}
