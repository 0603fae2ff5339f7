//! The files of directories, `.htaccess`: read beside the configuration, for what lies in the given tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::apache::statement::Kind;
use crate::gateway::Server;
use crate::project::Store;

use super::{DirectoryLines, Reader};

/// The file of a directory (`AccessFileName`).
const NAME: &str = ".htaccess";

/// How deep such files are looked for below a directory that the configuration names, and among how many entries: a document root may hold
/// anything.
const DEPTH: usize = 8;
const MOST_ENTRIES: usize = 20_000;

impl Reader {
    /// Reads the `.htaccess` of every directory that the configuration names, and of those below, where any may have one.
    ///
    /// httpd reads them for each request; what they hold is no part of the configuration that it may refuse to start with.
    pub(super) fn read_directories(&mut self, store: &mut Store) {
        let mut directories: Vec<Vec<u8>> = Vec::new();
        // Where nothing says what may stand in them, httpd reads them too, and refuses what stands there.
        let mut wanted = self.is_main;
        for statement in &self.resolved.statements {
            if !matches!(statement.kind, Kind::Line | Kind::Begin) {
                continue;
            }
            let name = self.resolved.name(store, statement);
            let is_one_of = |names: [&[u8]; 2]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
            if name.len() >= 13 && name[..13].eq_ignore_ascii_case(b"AllowOverride") {
                let words = self.resolved.words(store, statement);
                wanted |= words.first().is_some_and(|word| !word.value.eq_ignore_ascii_case(b"none"));
            } else if is_one_of([b"directory", b"documentroot"]) || is_one_of([b"alias", b"scriptalias"]) {
                let words = self.resolved.words(store, statement);
                // Behind the path of an alias, where it has one: in a `<Location>` it has none.
                let path = words.last().filter(|word| word.unknown.is_none());
                let path = path.map(|path| self.resolved.below_root(&path.value));
                directories.extend(path.filter(|path| path.starts_with(b"/")));
            }
        }
        if !wanted {
            return;
        }
        let mut found: BTreeMap<Vec<u8>, PathBuf> = BTreeMap::new();
        for directory in directories {
            let Some(place) = self.server_root.locate(store, &directory) else { continue };
            // What the configuration names below another is found from there.
            if !found.contains_key(&directory) {
                find_below(&directory, &place, &mut found);
            }
        }
        for (directory, place) in found {
            let Some(Ok(source)) = store.load(&[place], Server::Apache).pop() else { continue };
            let (lines, remarks) = (self.resolved.statements.len(), self.resolved.remarks.len());
            let (undecided, partial) = (self.resolved.undecided.len(), self.resolved.partial);
            self.open_file(store, source, 0);
            self.read(store);
            self.resolved.remarks.truncate(remarks);
            self.resolved.undecided.truncate(undecided);
            self.resolved.partial = partial;
            let statements = self.resolved.statements.split_off(lines);
            self.resolved.directories.push(DirectoryLines { directory, source, statements });
        }
    }
}

/// Adds the files below `place`, which the configuration calls `directory`, each by its directory's own path there.
fn find_below(directory: &[u8], place: &Path, found: &mut BTreeMap<Vec<u8>, PathBuf>) {
    let is_hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
    let is_wanted = |entry: &DirEntry| entry.file_name() == NAME || !is_hidden(entry) && entry.file_name() != "node_modules";
    let walk = WalkDir::new(place).max_depth(DEPTH).sort_by_file_name().into_iter().filter_entry(is_wanted).take(MOST_ENTRIES);
    for entry in walk.flatten().filter(|entry| entry.file_type().is_file() && entry.file_name() == NAME) {
        let Some(below) = entry.path().parent().and_then(|parent| parent.strip_prefix(place).ok()) else { continue };
        let mut name = directory.to_vec();
        for part in below {
            name.push(b'/');
            name.extend_from_slice(part.as_encoded_bytes());
        }
        found.entry(name).or_insert_with(|| entry.path().to_owned());
    }
}
