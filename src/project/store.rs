//! The files of a run: each read and parsed once, by whatever name it is reached, and nothing outside the given roots.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::language::{self, Parsed};
use super::sniff::is_link_text;
use crate::gateway::Server;
use crate::source::{FileKind, Source, SourceId, Sources};
use crate::tree::Tree;

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("no such file")]
    Missing,
    /// The path leads outside the given roots, where nothing is read.
    #[error("lies outside the given paths, where nothing is read")]
    Outside,
    /// Not a regular file: a directory, device, socket …
    #[error("not a regular file")]
    NotAFile,
    /// Written in no language we know.
    #[error("does not look like nginx or Apache httpd configuration")]
    Foreign,
    /// Larger than [`Sources::MAX_BYTES`].
    #[error("larger than {} MiB", Sources::MAX_BYTES / 1024 / 1024)]
    TooLarge,
    /// The operating system refuses.
    #[error("{0}")]
    Io(#[source] io::Error),
}

/// A directory that the user gave, or that holds a file the user gave.
#[derive(Clone, Debug)]
pub struct Base {
    /// As the user wrote it.
    pub shown: PathBuf,
    /// Absolute, without symbolic links.
    pub real: PathBuf,
}

/// The files of a run.
#[derive(Debug, Default)]
pub struct Store {
    /// The sources.
    pub sources: Sources,
    parsed: Vec<Parsed>,
    servers: Vec<Server>,
    bases: Vec<Base>,
    /// The sources by their path without symbolic links.
    ids: FxHashMap<OsString, SourceId>,
    /// The sources by the paths that they were asked for, so that the file system is asked once.
    known: FxHashMap<OsString, SourceId>,
    directories: Vec<Directory>,
    /// Their indices, by the paths that they were asked for.
    directory_ids: FxHashMap<OsString, usize>,
    listings: FxHashMap<PathBuf, Vec<PathBuf>>,
    /// Where absolute paths of the configuration lie in the given tree: the first prefix that fits is replaced.
    pub path_map: Vec<(PathBuf, PathBuf)>,
}

/// A directory that files were asked for in.
#[derive(Debug)]
struct Directory {
    /// Absolute, without symbolic links.
    real: PathBuf,
    /// As the user would name it; `None` outside of all bases.
    shown: Option<PathBuf>,
}

/// A file to be read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its path.
    pub path: &'a Path,
    /// Whether it is known to be a file, and no symbolic link.
    pub is_file: bool,
}

/// Where a path leads.
enum Place {
    /// To a source that was read before.
    Known(SourceId),
    /// To this file.
    At(Named),
}

/// A file inside a base.
#[derive(Clone, Debug)]
struct Named {
    /// The path without symbolic links.
    real: PathBuf,
    /// The path as the user would name it.
    shown: PathBuf,
}

/// The directory that holds `path`.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file read and parsed, to be added to the store.
struct Loaded {
    /// The path without symbolic links.
    real: PathBuf,
    source: Source,
    server: Server,
    parsed: Parsed,
}

/// How many files a thread reads in one go: few enough that all threads are busy to the end.
const BATCH: usize = 64;

/// How many bytes of a file are looked at to say whose language it is written in.
const HEAD: usize = 8 * 1024;

impl Store {
    /// Allows files below `directory` to be read.
    ///
    /// # Errors
    /// Where the directory cannot be resolved.
    pub fn add_base(&mut self, directory: &Path) -> io::Result<()> {
        let real = fs::canonicalize(directory)?;
        if !self.bases.iter().any(|base| base.real == real) {
            self.bases.push(Base { shown: directory.to_path_buf(), real });
            // What lay outside may lie inside now.
            self.directories.clear();
            self.directory_ids.clear();
        }
        Ok(())
    }

    /// Allows the file `path` and those beside it to be read; where it is a symbolic link, those beside its target too.
    ///
    /// # Errors
    /// Where the file cannot be resolved.
    pub fn add_file_base(&mut self, path: &Path) -> io::Result<()> {
        let real = fs::canonicalize(path)?;
        self.add_base(directory_of(path))?;
        match real.parent() {
            Some(beside) if !self.is_inside(&real) => self.add_base(beside),
            _ => Ok(()),
        }
    }

    /// Whether `real`, which has no symbolic links in it, lies inside a base.
    fn is_inside(&self, real: &Path) -> bool {
        self.bases.iter().any(|base| real.starts_with(&base.real))
    }

    /// The directories below which files may be read.
    #[must_use]
    pub fn bases(&self) -> &[Base] {
        &self.bases
    }

    /// The tree of a source.
    #[must_use]
    pub fn tree(&self, id: SourceId) -> &Tree {
        &self.parsed[id.index()].tree
    }

    /// A source as it is read by itself.
    #[must_use]
    pub(crate) fn parsed(&self, id: SourceId) -> &Parsed {
        &self.parsed[id.index()]
    }

    /// In which server's language a source was parsed.
    #[must_use]
    pub fn server(&self, id: SourceId) -> Server {
        self.servers[id.index()]
    }

    /// Adds a source that is not read from disk: standard input, or a test's text.
    pub fn add(&mut self, path: PathBuf, bytes: Vec<u8>, server: Server) -> SourceId {
        let parsed = language::parse(server, &path, &bytes);
        self.insert(Loaded { real: path.clone(), source: Source::new(path, bytes), server, parsed })
    }

    /// Puts other bytes in the place of a source's own, as if the file had held them when it was read; returns those it held.
    pub fn replace(&mut self, id: SourceId, bytes: Vec<u8>) -> Vec<u8> {
        self.parsed[id.index()] = language::parse(self.server(id), self.sources.get(id).path(), &bytes);
        self.sources.replace(id, bytes)
    }

    fn insert(&mut self, loaded: Loaded) -> SourceId {
        let Loaded { real, source, server, parsed } = loaded;
        let id = self.sources.add(source);
        self.parsed.push(parsed);
        self.servers.push(server);
        self.ids.insert(real.into_os_string(), id);
        id
    }

    /// Reads and parses the files at `paths`, in parallel, each one once; the results are in the order of `paths`.
    ///
    /// A file that was read before in the other server's language keeps it.
    pub fn load(&mut self, paths: &[PathBuf], server: Server) -> Vec<Result<SourceId, LoadError>> {
        let wanted: Vec<Wanted<'_>> = paths.iter().map(|path| Wanted { path, is_file: false }).collect();
        self.load_where(&wanted, &|_, _| Some(server))
    }

    /// The same for files whose language is not known yet: `decide` says it by the path without symbolic links and the first
    /// bytes. A file for which it says none is [`LoadError::Foreign`], and no more of it is read.
    pub fn load_where(
        &mut self,
        wanted: &[Wanted<'_>],
        decide: &(dyn Fn(&Path, &[u8]) -> Option<Server> + Sync),
    ) -> Vec<Result<SourceId, LoadError>> {
        let directories: Vec<Option<io::Result<usize>>> =
            wanted.iter().map(|file| (!self.is_known(file.path)).then(|| self.directory(directory_of(file.path)))).collect();
        let place = |(file, directory): (&Wanted<'_>, Option<io::Result<usize>>)| match directory {
            Some(directory) => self.named(file, &self.directories[directory.map_err(io_error)?]).map(Place::At),
            None => self.known.get(file.path.as_os_str()).map(|&id| Place::Known(id)).ok_or(LoadError::Missing),
        };
        let places: Vec<Result<Place, LoadError>> = wanted.par_iter().zip(directories).map(place).collect();
        let new = places.iter().enumerate().filter_map(|(at, place)| match place {
            Ok(Place::At(name)) if !self.ids.contains_key(name.real.as_os_str()) => Some((name, at)),
            _ => None,
        });
        let mut asked: Vec<(&Named, usize)> = new.collect();
        asked.par_sort_unstable_by_key(|&(name, at)| (name.real.as_os_str(), at));
        let mut names: Vec<&Named> = asked.iter().map(|&(name, _)| name).collect();
        names.dedup_by_key(|name| name.real.as_os_str());
        let results: Vec<(&Named, Result<Loaded, LoadError>)> = names
            .into_par_iter()
            .with_max_len(BATCH)
            .map_init(|| [0; HEAD], |room, name| (name, read(name, decide, room)))
            .collect();
        // What became of each place that was asked for; both lists are in the order of the real paths.
        let mut outcomes: Vec<Option<Result<SourceId, LoadError>>> = places.iter().map(|_| None).collect();
        self.make_room(results.len());
        let mut asked = asked.into_iter().peekable();
        for (name, result) in results {
            let mut outcome = result.map(|loaded| self.insert(loaded));
            while let Some((_, at)) = asked.next_if(|(other, _)| other.real == name.real) {
                // Asked for twice and failed once: the second asker gets the plain reason.
                let next = outcome.as_ref().map_or(Err(LoadError::Missing), |&id| Ok(id));
                outcomes[at] = Some(std::mem::replace(&mut outcome, next));
            }
        }
        let mut found = |((place, outcome), file): ((Result<Place, LoadError>, Option<_>), &Wanted<'_>)| {
            let id = match (place?, outcome) {
                (Place::Known(id), _) => return Ok(id),
                (Place::At(_), Some(outcome)) => outcome?,
                (Place::At(name), None) => *self.ids.get(name.real.as_os_str()).ok_or(LoadError::Missing)?,
            };
            self.known.insert(file.path.as_os_str().to_owned(), id);
            Ok(id)
        };
        places.into_iter().zip(outcomes).zip(wanted).map(&mut found).collect()
    }

    /// Makes room for so many more sources.
    fn make_room(&mut self, sources: usize) {
        self.sources.reserve(sources);
        self.parsed.reserve(sources);
        self.servers.reserve(sources);
        self.ids.reserve(sources);
        self.known.reserve(sources);
    }

    /// Lets go of what only finding the files needs.
    pub fn settle(&mut self) {
        self.listings = FxHashMap::default();
    }

    /// The bytes of a file that is no configuration, where it is a file inside a base and has at most `most` bytes.
    #[must_use]
    pub fn read_aside(&self, path: &Path, most: u64) -> Option<Vec<u8>> {
        let real = fs::canonicalize(path).ok()?;
        let meta = fs::metadata(&real).ok()?;
        let is_ours = self.is_inside(&real) && meta.is_file() && meta.len() <= most;
        if is_ours { fs::read(real).ok() } else { None }
    }

    /// Whether a file was read by this path.
    #[must_use]
    pub fn is_known(&self, path: &Path) -> bool {
        self.known.contains_key(path.as_os_str())
    }

    /// The names of a file of `directory`, where it leads to a file inside a base.
    fn named(&self, file: &Wanted<'_>, directory: &Directory) -> Result<Named, LoadError> {
        let name = file.path.file_name().ok_or(LoadError::NotAFile)?;
        let real = directory.real.join(name);
        let is_file = file.is_file || {
            let meta = fs::symlink_metadata(&real).map_err(io_error)?;
            if meta.is_symlink() {
                let real = fs::canonicalize(&real).map_err(io_error)?;
                let is_file = fs::metadata(&real).map_err(io_error)?.is_file();
                let shown = self.shown(&real).ok_or(LoadError::Outside)?;
                return if is_file { Ok(Named { real, shown }) } else { Err(LoadError::NotAFile) };
            }
            meta.is_file()
        };
        let shown = directory.shown.as_ref().ok_or(LoadError::Outside)?.join(name);
        // Known before the file is opened: to open a pipe would wait for its writer.
        if is_file { Ok(Named { real, shown }) } else { Err(LoadError::NotAFile) }
    }

    /// A path without symbolic links as the user would name it: below the base as it was given; `None` outside of all bases.
    fn shown(&self, real: &Path) -> Option<PathBuf> {
        let inside = |base: &Base| {
            let rest = real.strip_prefix(&base.real).ok()?;
            Some(if base.shown == Path::new(".") { rest.to_path_buf() } else { base.shown.join(rest) })
        };
        self.bases.iter().find_map(inside)
    }

    /// The index of a directory.
    fn directory(&mut self, directory: &Path) -> io::Result<usize> {
        if let Some(&index) = self.directory_ids.get(directory.as_os_str()) {
            return Ok(index);
        }
        let real = fs::canonicalize(directory)?;
        let (index, shown) = (self.directories.len(), self.shown(&real));
        self.directories.push(Directory { real, shown });
        self.directory_ids.insert(directory.as_os_str().to_owned(), index);
        Ok(index)
    }

    /// The entries of a directory inside a base, sorted by name as bytes; `None` where it cannot be listed or lies outside.
    pub fn list(&mut self, directory: &Path) -> Option<&[PathBuf]> {
        let index = self.directory(directory).ok()?;
        self.directories[index].shown.as_ref()?;
        if !self.listings.contains_key(directory) {
            let mut entries: Vec<PathBuf> = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect();
            entries.par_sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
            self.listings.insert(directory.to_path_buf(), entries);
        }
        self.listings.get(directory).map(Vec::as_slice)
    }

    /// What stands at a path of the server's file system, as far as the given tree holds it. Relative paths begin at `base`.
    #[must_use]
    pub fn kind_of(&self, base: &Path, path: &Path) -> Option<FileKind> {
        let place = |path: &Path| if path.is_absolute() { self.locate(path) } else { Some(base.join(path)) };
        // Paths lose a final slash where they are put together, and nothing but a directory is there by such a name.
        let ends_as_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let mut plain = PathBuf::new();
        for part in path.components() {
            if part != Component::ParentDir {
                plain.push(part);
                continue;
            }
            // What a link's target lies in is another matter.
            let left = fs::symlink_metadata(place(&plain)?).ok()?;
            if !left.is_dir() || !plain.pop() {
                return None;
            }
        }
        let is_directory = fs::metadata(place(&plain)?).ok()?.is_dir();
        if is_directory { Some(FileKind::Directory) } else { Some(FileKind::File).filter(|_| !ends_as_directory) }
    }

    /// Where an absolute path of the configuration lies in the given tree: below a base itself, by the path map, or by a suffix
    /// of the path that exists below exactly one place of a base. A pattern may stand in the last components.
    #[must_use]
    pub fn locate(&self, absolute: &Path) -> Option<PathBuf> {
        self.mapped(absolute).or_else(|| below(&self.bases.iter().map(|base| base.shown.as_path()), absolute))
    }

    /// The same for a configuration whose main file lies in `home`: `/etc/nginx/conf.d` is the `conf.d` beside it, where there is one.
    #[must_use]
    pub fn locate_from(&self, home: &Path, absolute: &Path) -> Option<PathBuf> {
        self.mapped(absolute).or_else(|| below(&[home].into_iter(), absolute)).or_else(|| self.locate(absolute))
    }

    /// Where a symbolic link leads to that was checked out as text: the file holds the path, and nothing else.
    #[must_use]
    pub fn linked_from(&self, file: SourceId) -> Option<PathBuf> {
        let source = self.sources.get(file);
        let text = Some(source.bytes()).filter(|bytes| is_link_text(bytes))?;
        let path = str::from_utf8(text.trim_ascii_end()).ok()?;
        Some(source.path().parent()?.join(path))
    }

    fn mapped(&self, absolute: &Path) -> Option<PathBuf> {
        if let Some((from, to)) = self.path_map.iter().find(|(from, _)| absolute.starts_with(from)) {
            return Some(to.join(absolute.strip_prefix(from).ok()?));
        }
        let base = self.bases.iter().find(|base| absolute.starts_with(&base.real))?;
        Some(base.shown.join(absolute.strip_prefix(&base.real).ok()?))
    }
}

/// Where the longest suffix of a path that exists below exactly one of `places` leads to.
fn below<'a>(places: &(impl Iterator<Item = &'a Path> + Clone), absolute: &Path) -> Option<PathBuf> {
    let components: Vec<_> = absolute.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let fixed = components.iter().take_while(|part| !has_glob(part.as_os_str().as_encoded_bytes())).count();
    // The longest suffix first: `/etc/nginx/conf.d/a.conf` is `etc/nginx/conf.d/a.conf` before it is `conf.d/a.conf`.
    for skip in 0..components.len() {
        let suffix: PathBuf = components[skip..].iter().collect();
        let check: PathBuf = components[skip..fixed.max(skip)].iter().collect();
        if check.as_os_str().is_empty() {
            break;
        }
        let mut found = places.clone().map(|place| place.join(&check)).filter(|place| place.exists());
        if let Some(place) = found.next() {
            let unique = found.next().is_none();
            let base = place.ancestors().nth(check.components().count())?.to_path_buf();
            return unique.then(|| base.join(suffix));
        }
    }
    None
}

/// Whether a path component holds a character that begins a pattern.
#[must_use]
pub fn has_glob(component: &[u8]) -> bool {
    component.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

fn io_error(error: io::Error) -> LoadError {
    if error.kind() == io::ErrorKind::NotFound { LoadError::Missing } else { LoadError::Io(error) }
}

/// Reads a file. Its beginning comes into `room`: most files end there, and what is kept of each is to be no larger than the file.
fn read(name: &Named, decide: &dyn Fn(&Path, &[u8]) -> Option<Server>, room: &mut [u8; HEAD]) -> Result<Loaded, LoadError> {
    let real = &name.real;
    let mut file = File::open(real).map_err(io_error)?;
    let size = file.metadata().map_err(io_error)?.len();
    if size > Sources::MAX_BYTES {
        return Err(LoadError::TooLarge);
    }
    // A file of no size may be one that the system makes up while it is read.
    let small = usize::try_from(size).ok().filter(|&size| size > 0 && size < HEAD);
    let head = read_head(&mut file, &mut room[..small.unwrap_or(HEAD)]).map_err(io_error)?;
    let server = decide(real, head).ok_or(LoadError::Foreign)?;
    let mut bytes = head.to_vec();
    if head.len() == HEAD {
        // It may have grown since its size was looked at.
        file.take(Sources::MAX_BYTES + 1 - HEAD as u64).read_to_end(&mut bytes).map_err(io_error)?;
        if bytes.len() as u64 > Sources::MAX_BYTES {
            return Err(LoadError::TooLarge);
        }
        bytes.shrink_to_fit();
    }
    let parsed = language::parse(server, real, &bytes);
    Ok(Loaded { real: real.clone(), source: Source::new(name.shown.clone(), bytes), server, parsed })
}

/// Fills `buffer` from the beginning of `file`, as far as there is anything; returns what was read.
fn read_head<'a>(file: &mut File, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&buffer[..filled])
}
