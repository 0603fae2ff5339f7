//! What files answer: `mod_dir`, `mod_autoindex` and the default handler.

use std::path::Path;

use super::areas::setting;
use super::paths::UNKNOWN_ROOT;
use super::{Course, Round};
use crate::gateway::{Area, Known, Unknown};
use crate::handshake::Verdict;
use crate::handshake::follow::{FileKind, Files};

impl<'a> Course<'a> {
    /// Serves a file, or says that there is none.
    pub(super) fn serve(&mut self, areas: &[&'a Area], file: &str) -> Known<Round> {
        let span = self.gateway.site(self.site).span;
        let Some(files) = self.notes.files else { return Err(Unknown::Environment) };
        let directories_redirect = self.gateway.modules.has("dir") != Some(false);
        match files(in_tree(file)) {
            Some(FileKind::File) => {
                self.step(Some(span), format!("serves the file {file}"), true);
                Ok(Round::Done(Verdict::Answered { status: 200, location: None }))
            }
            Some(FileKind::Directory) if !file.ends_with('/') => {
                if !directories_redirect || setting(areas, |settings| settings.slash) == Some(false) {
                    // No file is looked for in it (`fixup_dir`, `mod_dir.c`).
                    return self.serve_directory(areas, file, |_| None).map(Round::Done);
                }
                let path = format!("{}/", super::paths::escaped_in_location(&self.request.path));
                let mut location = self.environment().own_url(&path);
                if let Some(query) = &self.request.query {
                    location.push('?');
                    location.push_str(query);
                }
                self.step(Some(span), format!("{file} is a directory"), true);
                Ok(Round::Done(Verdict::Answered { status: 301, location: Some(location) }))
            }
            Some(FileKind::Directory) => self.serve_directory(areas, file, |path| files(in_tree(path))).map(Round::Done),
            None => {
                if let Some(again) = self.fallback(areas) {
                    return Ok(again);
                }
                Ok(Round::Done(self.answered(404, span, format!("there is no file {}", in_tree(file).display()))))
            }
        }
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
        if self.gateway.modules.has("dir") == Some(false) || path == "disabled" || path == self.request.path {
            return None;
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
        let default = ["index.html".to_owned()];
        let names = setting(areas, |settings| settings.indexes.as_deref());
        let names = names.map(|names| names.iter().map(|&name| self.gateway.texts.show(name).into_owned()).collect::<Vec<_>>());
        let found = names.as_deref().unwrap_or(&default).iter().any(|name| {
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
fn in_tree(file: &str) -> &Path {
    let relative = file.strip_prefix(UNKNOWN_ROOT).map(|rest| rest.trim_start_matches('/'));
    Path::new(relative.unwrap_or(file))
}

/// The path as far as there is anything, and one segment more: what lies behind is not part of the file (`ap_directory_walk`).
pub(super) fn existing_part(files: Option<Files<'_>>, file: &str) -> String {
    let Some(files) = files else { return file.to_owned() };
    let mut end = 0;
    while let Some(at) = file[end + 1..].find('/') {
        let next = end + 1 + at;
        if files(in_tree(&file[..next])) != Some(FileKind::Directory) && end > 0 {
            return file[..next].to_owned();
        }
        end = next;
    }
    file.to_owned()
}
