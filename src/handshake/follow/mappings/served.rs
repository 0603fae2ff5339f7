//! What files answer: `mod_autoindex` and the default handler.

use std::path::Path;

use super::Course;
use super::areas::{self, setting};
use super::paths::UNKNOWN_ROOT;
use crate::gateway::{Area, Known, Matcher, Unknown};
use crate::handshake::Verdict;
use crate::source::FileKind;

impl<'a> Course<'a> {
    /// Serves a file, or says that there is none.
    pub(super) fn serve(&mut self, areas: &[&'a Area], file: &str) -> Known<Verdict> {
        let span = self.gateway.site(self.site).span;
        let Some(files) = self.notes.files else { return Err(Unknown::Environment) };
        let there = self.on_disk(file)?;
        if there.len() < file.len()
            && files(in_tree(&there)) == Some(FileKind::File)
            && setting(areas, |settings| settings.path_info) != Some(true)
        {
            return Ok(self.answered(404, span, format!("there is nothing behind the file {there}")));
        }
        match files(in_tree(&there)) {
            Some(FileKind::File) => {
                self.step(Some(span), format!("serves the file {file}"), true);
                Ok(Verdict::Answered { status: 200, location: None })
            }
            // What stands for it has been looked for (`mod_dir`).
            Some(FileKind::Directory) => self.serve_directory(areas, file, |_| None),
            // The names of all that lies there would be compared (`check_speling`, `mod_speling.c`).
            None if setting(areas, |settings| settings.spelling) == Some(true) => Err(Unknown::Environment),
            None => Ok(self.answered(404, span, format!("there is no file {}", in_tree(file).display()))),
        }
    }
}

/// What the document root that a server is built with holds (`make install`, Debian's `default-site`).
pub(super) const STOCK: &str = "/index.html";

impl<'a> Course<'a> {
    /// Serves what every installation brings along, where no document root is set.
    pub(super) fn serve_stock(&mut self, areas: &[&'a Area], file: &str) -> Known<Verdict> {
        let span = self.gateway.site(self.site).span;
        Ok(match file.strip_prefix(UNKNOWN_ROOT).unwrap_or(file) {
            "/" => self.serve_directory(areas, "/", |path| (path == STOCK).then_some(FileKind::File))?,
            STOCK => self.answered(200, span, "the page that a server brings along"),
            _ => self.answered(404, span, "nothing maps the path, and no document root is set"),
        })
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
        } else if self.names_handler(areas) || !has("autoindex")? {
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

/// The longest name of a file (`NAME_MAX`).
const LONGEST_NAME: usize = 255;

impl Course<'_> {
    /// Notes which file is looked for; the answer where its name is too long to ask for (`ap_directory_walk`, AH00036).
    pub(super) fn note_file(&mut self, file: &str, there: &str) -> Option<Verdict> {
        file.strip_prefix(there).unwrap_or_default().clone_into(&mut self.notes.path_info);
        self.notes.file = Some(there.to_owned());
        let is_too_long = there.rsplit('/').next().is_some_and(|name| name.len() > LONGEST_NAME);
        let span = self.gateway.site(self.site).span;
        is_too_long.then(|| self.answered(403, span, "the name of the file is too long"))
    }

    /// The part of a file's path that the file system is asked for; all of it where nothing on the way is known to be a directory.
    pub(super) fn on_disk(&self, file: &str) -> Known<String> {
        Ok(self.existing_part(file)?.unwrap_or(file).to_owned())
    }

    /// The same as a handler passes it on; below a directory that is not known where it is not known how far it goes.
    pub(super) fn sent_file(&self, file: &str) -> Known<String> {
        Ok(self.existing_part(file)?.map_or_else(|| format!("{UNKNOWN_ROOT}{file}"), str::to_owned))
    }

    /// The path as far as there are directories, and one segment more: what lies behind is not part of the file (`ap_directory_walk`). The
    /// document root and what aliases name is taken to be there.
    fn existing_part<'f>(&self, file: &'f str) -> Known<Option<&'f str>> {
        let Some(files) = self.notes.files else { return Ok(Some(file)) };
        let areas = areas::of_site(self.gateway, self.site);
        let root = setting(&areas, |settings| settings.document_root).transpose()?;
        let root = root.map(|root| self.gateway.texts.show(root));
        let aliases = areas.iter().flat_map(|area| &area.aliases);
        let plain = aliases.filter(|alias| matches!(alias.matcher, Some(Matcher::Segments(_))));
        let named = plain.filter_map(|alias| self.environment().evaluate(alias.target).ok());
        let named: Vec<String> = named.map(|name| name.trim_end_matches('/').to_owned()).collect();
        let is_there = |directory: &str| {
            root.as_ref().is_some_and(|root| **root == *directory)
                || named.iter().any(|name| name == directory)
                || files(in_tree(directory)) == Some(FileKind::Directory)
        };
        let slashes: Vec<usize> = file.match_indices('/').map(|(at, _)| at).collect();
        let Some(deepest) = slashes.iter().rposition(|&at| at > 0 && is_there(&file[..at])) else {
            let is_named = named.iter().any(|name| name == file) || files(in_tree(file)).is_some();
            return Ok(Some(file).filter(|_| is_named || slashes.len() < 2));
        };
        Ok(Some(slashes.get(deepest + 1).map_or(file, |&end| &file[..end])))
    }
}
