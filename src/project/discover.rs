//! From paths to candidate files: walks directories, takes files given by name, reads and parses each one once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ignore::gitignore::Gitignore;
use ignore::{DirEntry, WalkBuilder, WalkState};

use super::sniff::{is_candidate, server_of};
use super::{LoadError, Store, Wanted};
use crate::source::SourceId;

/// A path that the user gave.
#[derive(Clone, Debug)]
pub struct Given {
    /// As given.
    pub path: PathBuf,
    /// Which files are left out when the path is a directory; patterns as in a `.gitignore`.
    pub exclude: Gitignore,
}

/// A file to lint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The file.
    pub source: SourceId,
    /// Which of the given paths it was found under, by index.
    pub given: usize,
}

/// Something that keeps the job from being done in full. The rest is still linted.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A path that does not exist.
    #[error("`{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// A directory without configuration in it.
    #[error("no nginx or Apache httpd configuration in `{}`", .0.display())]
    NothingHere(PathBuf),
    /// A file or directory that cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: LoadError,
    },
    /// A file that was given by name and is not configuration of a server we know.
    #[error("`{}` does not look like nginx or Apache httpd configuration", .0.display())]
    Foreign(PathBuf),
}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Missing(_) => "check the spelling; paths are relative to the current directory",
            Self::NothingHere(_) => {
                "give the path of nginx.conf, httpd.conf or the directory that holds it; hidden and gitignored files are found only when given by name"
            }
            Self::Unreadable { .. } => "make it readable for this user, or leave it out with `exclude` in proxylint.toml",
            Self::Foreign(_) => {
                "files are known by their directives: name it nginx.conf, *.nginx, httpd.conf or apache2.conf to have it read anyway"
            }
        }
    }
}

/// A file that may be configuration.
struct Found {
    path: PathBuf,
    /// Whether it is known to be a file, and no symbolic link.
    is_file: bool,
}

/// The candidates below the given paths, in the order of their paths, and what went wrong.
pub fn discover(store: &mut Store, given: &[Given]) -> (Vec<Candidate>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut paths: Vec<(usize, Found)> = Vec::new();
    let mut named = vec![false; given.len()];
    for (index, Given { path, exclude }) in given.iter().enumerate() {
        let result = match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => store.add_base(path).map(|()| {
                paths.extend(walk(path, exclude, &mut problems).into_iter().map(|file| (index, file)));
            }),
            Ok(_) => store.add_file_base(path).map(|()| {
                named[index] = true;
                paths.push((index, Found { path: path.clone(), is_file: false }));
            }),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => problems.push(Problem::Missing(path.clone())),
            Err(error) => problems.push(Problem::Unreadable { path: path.clone(), reason: LoadError::Io(error) }),
        }
    }
    let files: Vec<Wanted<'_>> = paths.iter().map(|(_, file)| Wanted { path: &file.path, is_file: file.is_file }).collect();
    let loaded = store.load_where(&files, &server_of);
    let mut seen = vec![false; store.sources.len()];
    let mut found = vec![false; given.len()];
    let mut candidates = Vec::new();
    for ((index, Found { path, .. }), result) in paths.into_iter().zip(loaded) {
        match result {
            Ok(source) => {
                found[index] = true;
                if !std::mem::replace(&mut seen[source.index()], true) {
                    candidates.push(Candidate { source, given: index });
                }
            }
            Err(LoadError::Foreign) if named[index] => problems.push(Problem::Foreign(path)),
            // Found on the way: not configuration, or a link that leads nowhere or out of the given paths.
            Err(LoadError::Foreign | LoadError::Missing | LoadError::Outside | LoadError::NotAFile) if !named[index] => {}
            Err(reason) => {
                found[index] = true;
                problems.push(Problem::Unreadable { path, reason });
            }
        }
    }
    for (index, Given { path, .. }) in given.iter().enumerate() {
        if !found[index] && !named[index] && path.is_dir() {
            problems.push(Problem::NothingHere(path.clone()));
        }
    }
    // Sources of one call to the store are numbered in the order of their paths.
    candidates.sort_by_key(|candidate| candidate.source);
    (candidates, problems)
}

/// The files below `directory` that may be configuration, in no particular order. Hidden files and directories are left out, except
/// `.htaccess`; so is what the repository's own `.gitignore` files name, but not what this machine's settings would.
fn walk(directory: &Path, exclude: &Gitignore, problems: &mut Vec<Problem>) -> Vec<Found> {
    let root = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    let below = directory.to_path_buf();
    let exclude = exclude.clone();
    let keep = move |entry: &DirEntry| {
        if entry.depth() == 0 {
            return true;
        }
        let name = entry.file_name().as_encoded_bytes();
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        if name.starts_with(b".") && (is_dir || name != b".htaccess") {
            return false;
        }
        if exclude.is_empty() {
            return true;
        }
        // The pattern's paths start at the configuration file, which may lie above what was given.
        let path = root.join(entry.path().strip_prefix(&below).unwrap_or(entry.path()));
        !path.starts_with(exclude.path()) || !exclude.matched(&path, is_dir).is_ignore()
    };
    let found = Mutex::new((Vec::new(), Vec::new()));
    let walker = WalkBuilder::new(directory)
        .hidden(false)
        .git_global(false)
        .git_exclude(false)
        .threads(rayon::current_num_threads())
        .filter_entry(keep)
        .build_parallel();
    walker.run(|| {
        Box::new(|entry| {
            match entry {
                Ok(entry) if is_file(&entry) && is_candidate(entry.path()) => {
                    let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
                    push(&found, Ok(Found { path: entry.into_path(), is_file }));
                }
                Ok(_) => {}
                Err(error) => push(&found, Err(error)),
            }
            WalkState::Continue
        })
    });
    let (files, errors) = found.into_inner().unwrap_or_default();
    let mut errors: Vec<Problem> = errors.into_iter().filter_map(unreadable).collect();
    errors.sort_by_key(ToString::to_string);
    problems.append(&mut errors);
    files
}

/// What a walk has met so far.
type Met = Mutex<(Vec<Found>, Vec<ignore::Error>)>;

fn push(found: &Met, item: Result<Found, ignore::Error>) {
    // A poisoned lock means that another thread panicked, which the walker passes on.
    if let Ok(mut found) = found.lock() {
        match item {
            Ok(file) => found.0.push(file),
            Err(error) => found.1.push(error),
        }
    }
}

/// Whether an entry is a file or a link to one: Debian's sites-enabled.
fn is_file(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_file() || kind.is_symlink() && entry.path().is_file())
}

fn unreadable(error: ignore::Error) -> Option<Problem> {
    let path = match &error {
        ignore::Error::WithPath { path, .. } => path.clone(),
        ignore::Error::WithDepth { err, .. } => match err.as_ref() {
            ignore::Error::WithPath { path, .. } => path.clone(),
            _ => return None,
        },
        _ => return None,
    };
    let reason = LoadError::Io(error.into_io_error()?);
    Some(Problem::Unreadable { path, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn found(directory: &Path, exclude: Gitignore) -> (Vec<String>, Vec<Problem>) {
        let mut store = Store::default();
        let given = Given { path: directory.to_path_buf(), exclude };
        let (candidates, problems) = discover(&mut store, &[given]);
        let show = |candidate: Candidate| {
            let path = store.sources.get(candidate.source).path();
            path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned()
        };
        (candidates.into_iter().map(show).collect(), problems)
    }

    const SITE: &str = "server { listen 80; }\n";

    #[test]
    fn a_directory_gives_its_configuration_in_order() {
        let directory = tree(&[
            ("nginx.conf", "http { include conf.d/*.conf; }\n"),
            ("conf.d/b.conf", SITE),
            ("conf.d/a.conf", SITE),
            ("postgresql.conf", "port = 5432\n"),
            (".hidden/c.conf", SITE),
            ("www/.htaccess", "Options -Indexes\n"),
            ("README.md", "server { }"),
        ]);
        let (paths, problems) = found(directory.path(), Gitignore::empty());
        assert_eq!(paths, ["conf.d/a.conf", "conf.d/b.conf", "nginx.conf", "www/.htaccess"]);
        assert!(problems.is_empty());
    }

    #[test]
    fn gitignored_and_excluded_files_are_left_out() {
        let directory = tree(&[("a.conf", SITE), ("build/b.conf", SITE), ("vendor/c.conf", SITE), (".gitignore", "build/\n")]);
        fs::create_dir(directory.path().join(".git")).unwrap();
        let mut exclude = ignore::gitignore::GitignoreBuilder::new(directory.path());
        exclude.add_line(None, "vendor/").unwrap();
        assert_eq!(found(directory.path(), exclude.build().unwrap()).0, ["a.conf"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_inside_is_its_target_and_a_link_outside_is_nothing() {
        let outside = tree(&[("x.conf", SITE)]);
        let directory = tree(&[("sites-available/a", SITE)]);
        fs::create_dir(directory.path().join("sites-enabled")).unwrap();
        std::os::unix::fs::symlink("../sites-available/a", directory.path().join("sites-enabled/a")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x.conf"), directory.path().join("sites-enabled/x")).unwrap();
        let (paths, problems) = found(directory.path(), Gitignore::empty());
        assert_eq!(paths, ["sites-available/a"]);
        assert!(problems.is_empty());
    }

    #[test]
    fn nothing_found_and_nothing_there_are_said() {
        let directory = tree(&[("postgresql.conf", "port = 5432\n")]);
        let (_, problems) = found(directory.path(), Gitignore::empty());
        assert!(matches!(problems[..], [Problem::NothingHere(_)]));
        let (_, problems) = found(&directory.path().join("gone"), Gitignore::empty());
        assert!(matches!(problems[..], [Problem::Missing(_)]));
    }

    #[test]
    fn a_file_given_by_name_must_be_ours() {
        let directory = tree(&[("postgresql.conf", "port = 5432\n"), ("site", SITE)]);
        let (_, problems) = found(&directory.path().join("postgresql.conf"), Gitignore::empty());
        assert!(matches!(problems[..], [Problem::Foreign(_)]));
        let mut store = Store::default();
        let given = Given { path: directory.path().join("site"), exclude: Gitignore::empty() };
        assert_eq!(discover(&mut store, &[given]).0.len(), 1);
    }
}
