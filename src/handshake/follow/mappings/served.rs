//! What files answer: `mod_dir`, `mod_autoindex` and the default handler.

use std::path::Path;

use super::areas::setting;
use super::paths::UNKNOWN_ROOT;
use super::{Course, Mapped, Round};
use crate::gateway::{Area, Known, TextId, Unknown};
use crate::handshake::Verdict;
use crate::handshake::follow::Files;
use crate::source::FileKind;

impl<'a> Course<'a> {
    /// Serves a file, or says that there is none.
    pub(super) fn serve(&mut self, areas: &[&'a Area], file: &str) -> Known<Round> {
        let span = self.gateway.site(self.site).span;
        let Some(files) = self.notes.files else { return Err(Unknown::Environment) };
        let there = self.on_disk(file)?;
        if there.len() < file.len()
            && files(in_tree(&there)) == Some(FileKind::File)
            && setting(areas, |settings| settings.path_info) != Some(true)
        {
            return Ok(Round::Done(self.answered(404, span, format!("there is nothing behind the file {there}"))));
        }
        match files(in_tree(&there)) {
            Some(FileKind::File) => {
                self.step(Some(span), format!("serves the file {file}"), true);
                Ok(Round::Done(Verdict::Answered { status: 200, location: None }))
            }
            // What stands for it has been looked for (`mod_dir`).
            Some(FileKind::Directory) => self.serve_directory(areas, file, |_| None).map(Round::Done),
            None => {
                if let Some(again) = self.fallback(areas) {
                    return Ok(again);
                }
                Ok(Round::Done(self.answered(404, span, format!("there is no file {}", in_tree(file).display()))))
            }
        }
    }
}

impl<'a> Course<'a> {
    /// What `mod_dir` makes of a request for a directory: a slash is put behind its name, or a file stands for it (`fixup_dir`, `mod_dir.c`).
    pub(super) fn directory(&mut self, areas: &[&'a Area], file: &str) -> Known<Option<Round>> {
        let Some(files) = self.notes.files else { return Err(Unknown::Environment) };
        if self.gateway.modules.has("dir") == Some(false) || files(in_tree(file)) != Some(FileKind::Directory) {
            return Ok(None);
        }
        if !file.ends_with('/') {
            return Ok(self.with_slash(areas, file)?.map(Round::Done));
        }
        let mut error = None;
        for name in self.index_names(areas) {
            let before = (self.request.clone(), self.notes.clone(), self.areas.clone(), self.walk.clone());
            let below = format!("{file}{name}");
            self.request.path = if name.starts_with('/') { name } else { format!("{}{name}", self.request.path) };
            self.request.target = None;
            let mut found = self.look_up(false)?;
            // On behalf of the directory, too, something stands for what is not there (`fixup_dflt`).
            for _ in 0..2 {
                let Ok((areas, Mapped::File(file))) = &found else { break };
                if files(in_tree(file)).is_some() {
                    break;
                }
                found = match self.fallback(areas) {
                    Some(Round::Again(path, ..)) => {
                        self.request.path = path;
                        self.look_up(false)?
                    }
                    Some(done) => Err(done),
                    None => break,
                };
            }
            match found {
                // What a handler passes on must be there.
                Ok((areas, Mapped::Backend(asked))) if !asked.as_handler || self.is_file() => {
                    return Ok(Some(Round::Done(self.pass(&areas, &asked)?)));
                }
                Ok((areas, Mapped::File(file))) if files(in_tree(&file)) == Some(FileKind::File) => {
                    return self.serve(&areas, &file).map(Some);
                }
                // On behalf of another, too, a directory wants its slash.
                Ok((areas, Mapped::File(file)))
                    if files(in_tree(&file)) == Some(FileKind::Directory)
                        && !file.ends_with('/')
                        && let Some(verdict) = self.with_slash(&areas, &file)? =>
                {
                    return Ok(Some(Round::Done(verdict)));
                }
                Err(round @ (Round::Again(..) | Round::Done(Verdict::Answered { status: 200..300, .. })))
                    if files(in_tree(&below)) == Some(FileKind::File) =>
                {
                    return Ok(Some(round));
                }
                Err(Round::Done(verdict @ Verdict::Answered { status: 300..400, .. })) => return Ok(Some(Round::Done(verdict))),
                Err(Round::Done(Verdict::Answered { status: status @ 400.., .. })) if status != 404 => error = Some(status),
                _ => {}
            }
            (self.request, self.notes, self.areas, self.walk) = before;
        }
        let span = self.gateway.site(self.site).span;
        Ok(error.map(|status| Round::Done(self.answered(status, span, "what stands for the directory is refused"))))
    }

    /// Whether the file that the request is mapped to is there.
    fn is_file(&self) -> bool {
        let file = self.notes.file.as_deref().zip(self.notes.files);
        file.is_some_and(|(file, files)| files(in_tree(file)) == Some(FileKind::File))
    }

    /// Sends the client to a directory's own path, which ends with a slash.
    fn with_slash(&mut self, areas: &[&'a Area], directory: &str) -> Known<Option<Verdict>> {
        if setting(areas, |settings| settings.slash) == Some(false) {
            return Ok(None);
        }
        let path = format!("{}/", super::paths::escaped_in_location(&self.request.path));
        let location = super::with_query(&self.environment().own_url(&path)?, self.request.query.as_deref());
        self.step(None, format!("{directory} is a directory"), true);
        Ok(Some(Verdict::Answered { status: 301, location: Some(location) }))
    }

    /// The names of files that stand for a directory: `DirectoryIndex`.
    fn index_names(&self, areas: &[&'a Area]) -> Vec<String> {
        let names = setting(areas, |settings| settings.indexes.as_deref());
        let shown = |names: &[TextId]| names.iter().map(|&name| self.gateway.texts.show(name).into_owned()).collect();
        names.map_or_else(|| vec!["index.html".to_owned()], shown)
    }
}

/// What the document root that a server is built with holds (`make install`, Debian's `default-site`).
const STOCK: &str = "/index.html";

impl<'a> Course<'a> {
    /// Serves what every installation brings along, where no document root is set.
    pub(super) fn serve_stock(&mut self, areas: &[&'a Area], file: &str) -> Known<Round> {
        let span = self.gateway.site(self.site).span;
        let verdict = match file.strip_prefix(UNKNOWN_ROOT).unwrap_or(file) {
            "/" => self.serve_directory(areas, "/", |path| (path == STOCK).then_some(FileKind::File))?,
            STOCK => self.answered(200, span, "the page that a server brings along"),
            _ => match self.fallback(areas) {
                Some(again) => return Ok(again),
                None => self.answered(404, span, "nothing maps the path, and no document root is set"),
            },
        };
        Ok(Round::Done(verdict))
    }

    /// What stands for a file that is not there: `FallbackResource`.
    fn fallback(&mut self, areas: &[&'a Area]) -> Option<Round> {
        let (path, span) = setting(areas, |settings| settings.fallback)?;
        let path = self.gateway.texts.show(path).into_owned();
        if self.gateway.modules.has("dir") == Some(false) || path == "disabled" {
            return None;
        }
        // It is looked for on behalf of itself for ever (`fixup_dflt`).
        if path == self.request.path {
            return Some(Round::Done(self.answered(500, span, format!("{path} stands for what is not there, and is not there"))));
        }
        self.step(Some(span), format!("{path} stands for what is not there"), false);
        Some(Round::Again(path, self.request.query.clone(), false))
    }

    /// Serves what stands for a directory, or lists it.
    fn serve_directory(
        &mut self,
        areas: &[&'a Area],
        directory: &str,
        look: impl Fn(&str) -> Option<FileKind>,
    ) -> Known<Verdict> {
        let span = self.gateway.site(self.site).span;
        let has = |module: &str| self.gateway.modules.has(module).ok_or(Unknown::Environment);
        let found = self.index_names(areas).iter().any(|name| {
            let path = if name.starts_with('/') { name.clone() } else { format!("{directory}{name}") };
            look(&path) == Some(FileKind::File)
        });
        let status = if found && has("dir")? {
            200
        } else if !has("autoindex")? {
            404
        } else if setting(areas, |settings| settings.listing) == Some(true) {
            200
        } else {
            403
        };
        Ok(self.answered(status, span, format!("{directory} is a directory")))
    }
}

/// The path as the given tree is asked for it: relative to it where the server's own directory is not known.
pub(super) fn in_tree(file: &str) -> &Path {
    let relative = file.strip_prefix(UNKNOWN_ROOT).map(|rest| rest.trim_start_matches('/'));
    Path::new(relative.unwrap_or(file))
}

/// The path as far as there are directories, and one segment more: what lies behind is not part of the file (`ap_directory_walk`). The
/// document root is taken to be there.
pub(super) fn existing_part(files: Option<Files<'_>>, root: Option<&str>, file: &str) -> String {
    let Some(files) = files else { return file.to_owned() };
    let is_root = |directory: &str| root.is_some_and(|root| root == directory);
    let is_there = |directory: &str| is_root(directory) || files(in_tree(directory)) == Some(FileKind::Directory);
    let slashes: Vec<usize> = file.match_indices('/').map(|(at, _)| at).collect();
    let Some(deepest) = slashes.iter().rposition(|&at| at > 0 && is_there(&file[..at])) else { return file.to_owned() };
    slashes.get(deepest + 1).map_or(file, |&end| &file[..end]).to_owned()
}
