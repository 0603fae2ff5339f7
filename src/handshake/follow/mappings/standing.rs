//! What stands for a directory, or for what is not there: `mod_dir`, which looks for it with a request on behalf of the first.

use super::areas::{self, setting};
use super::paths::{self, UNKNOWN_ROOT};
use super::served::{STOCK, in_tree};
use super::{Course, Found, Mapped, Round, with_query};
use crate::gateway::{Area, Known, TextId, Unknown};
use crate::handshake::Verdict;
use crate::source::{FileKind, Span};

/// How deep requests on behalf of others may nest (`AP_DEFAULT_MAX_SUBREQ_DEPTH`).
const DEEPEST: usize = 10;

/// More of them than this are not looked at for one request.
const MOST: usize = 100;

/// What a request on behalf of another comes to.
enum Stand<'a> {
    /// It takes the place of the other (`ap_internal_fast_redirect`), or answers for it.
    Found(Found<'a>),
    /// It is refused with this status.
    Refused(u16),
    /// There is nothing.
    Nothing,
}

impl<'a> Course<'a> {
    /// What stands for the file that a request is mapped to, where it is a directory, or not there and `bare` of any handler (`dir_fixups`,
    /// `mod_dir.c`); `depth`: how many requests this one is on behalf of.
    pub(super) fn stand_in(&mut self, areas: &[&'a Area], file: &str, bare: bool, depth: usize) -> Known<Option<Found<'a>>> {
        let Some(files) = self.notes.files else { return Err(Unknown::Environment) };
        if self.gateway.modules.has("dir") == Some(false) {
            return Ok(None);
        }
        if files(in_tree(file)) == Some(FileKind::Directory) {
            return self.directory(areas, file, depth);
        }
        let is_stock = matches!(file.strip_prefix(UNKNOWN_ROOT), Some("/" | STOCK));
        if bare && !is_stock && files(in_tree(&self.on_disk(file)?)).is_none() {
            return self.fallback(areas, depth);
        }
        Ok(None)
    }

    /// A slash is put behind the name of a directory, or a file stands for it (`fixup_dir`).
    fn directory(&mut self, areas: &[&'a Area], file: &str, depth: usize) -> Known<Option<Found<'a>>> {
        // It is the path that the slash is missing from, whatever the file is called.
        if !self.request.path.ends_with('/') {
            return Ok(self.with_slash(areas, file)?.map(|verdict| Err(Round::Done(verdict))));
        }
        let mut error = None;
        for name in self.index_names(areas) {
            match self.on_behalf(&name, None, depth)? {
                Stand::Found(Err(Round::Done(verdict @ Verdict::Answered { status: 300..400, .. }))) => {
                    return Ok(Some(Err(Round::Done(verdict))));
                }
                Stand::Found(found) => {
                    let Some(status) = setting(areas, |settings| settings.index_redirect).flatten() else {
                        return Ok(Some(found));
                    };
                    // The path of the other request, without its query (`fixup_dir`).
                    let location = self.environment().own_url(&paths::escaped_in_location(&self.request.path))?;
                    self.step(None, format!("sends the client to {location}, which stands for the directory"), true);
                    return Ok(Some(Err(Round::Done(Verdict::Answered { status, location: Some(location) }))));
                }
                Stand::Refused(status) => error = Some(status),
                Stand::Nothing => {}
            }
        }
        let span = self.gateway.site(self.site).span;
        let refused = |status| Err(Round::Done(self.answered(status, span, "what stands for the directory is refused")));
        Ok(error.map(refused))
    }

    /// What stands for a file that is not there: `FallbackResource` (`fixup_dflt`).
    fn fallback(&mut self, areas: &[&'a Area], depth: usize) -> Known<Option<Found<'a>>> {
        let Some((name, span)) = setting(areas, |settings| settings.fallback) else { return Ok(None) };
        let name = self.gateway.texts.show(name).into_owned();
        if name.eq_ignore_ascii_case("disabled") {
            return Ok(None);
        }
        Ok(match self.on_behalf(&name, Some(span), depth)? {
            Stand::Found(found) => Some(found),
            Stand::Refused(status) => {
                let message = format!("{name} stands for what is not there, and is refused");
                Some(Err(Round::Done(self.answered(status, span, message))))
            }
            Stand::Nothing => None,
        })
    }

    /// Looks for `name` on behalf of the request (`ap_sub_req_lookup_uri`), which has the variables and the headers of the request as they are
    /// by now, and its query; what is found keeps the request's own method and headers.
    fn on_behalf(&mut self, name: &str, said_by: Option<Span>, depth: usize) -> Known<Stand<'a>> {
        if depth >= DEEPEST {
            return Ok(Stand::Refused(500));
        }
        self.lookups += 1;
        if self.lookups > MOST {
            return Err(Unknown::Runtime);
        }
        let before = (self.request.clone(), self.notes.clone(), self.areas.clone(), self.walk.clone(), self.rewrites);
        if said_by.is_some() {
            self.step(said_by, format!("{name} stands for what is not there"), false);
        }
        let written = with_query(name, self.request.query.as_deref());
        let (path, query) = written.split_once('?').map_or((&*written, None), |(path, query)| (path, Some(query)));
        let directory = self.request.path.rfind('/').map_or("", |at| &self.request.path[..=at]);
        let directory = if path.starts_with('/') { String::new() } else { paths::escaped_in_location(directory) };
        let path = self.read_path(&format!("{directory}{path}"));
        let target = self.request.sent_target();
        self.request.first_target.get_or_insert(target);
        self.request.target = None;
        self.request.query = query.map(str::to_owned);
        self.request.method = "GET".into();
        if let Some(changed) = self.notes.changed.take() {
            self.request.headers = changed.headers;
        }
        let walked = self.walked.clone();
        // A rule that ends all others does so for its own request (`really_last_key`).
        self.rewrites = true;
        let found = match path {
            Ok(path) => {
                self.request.path = path;
                self.look_up(depth + 1)?
            }
            Err(status) => Err(Round::Done(Verdict::Answered { status, location: None })),
        };
        self.notes.is_subrequest = depth > 0;
        self.walked = walked;
        self.rewrites = before.4;
        self.request.method.clone_from(&before.0.method);
        self.request.headers.clone_from(&before.0.headers);
        self.notes.changed.clone_from(&before.1.changed);
        let stands = match found {
            // What a handler passes on must be there.
            Ok((_, Mapped::Backend(ref asked))) if !asked.as_handler || self.is_file() => Stand::Found(found),
            Ok((_, Mapped::File(_))) | Err(Round::Again(..) | Round::Done(Verdict::Answered { status: 200..300, .. }))
                if self.is_file() =>
            {
                Stand::Found(found)
            }
            Ok((_, Mapped::Nowhere(ref file))) if file.strip_prefix(UNKNOWN_ROOT) == Some(STOCK) => Stand::Found(found),
            Err(Round::Done(Verdict::Answered { status: 300..400, .. })) => Stand::Found(found),
            Err(Round::Done(Verdict::Answered { status: status @ 400.., .. })) if status != 404 => Stand::Refused(status),
            _ => Stand::Nothing,
        };
        if !matches!(stands, Stand::Found(_)) {
            (self.request, self.notes, self.areas, self.walk, self.rewrites) = before;
        }
        Ok(stands)
    }

    /// Whether the file that the request is mapped to is there.
    pub(super) fn is_file(&self) -> bool {
        let file = self.notes.file.as_deref().zip(self.notes.files);
        file.is_some_and(|(file, files)| files(in_tree(file)) == Some(FileKind::File))
    }

    /// Sends the client to a directory's own path, which ends with a slash.
    fn with_slash(&mut self, areas: &[&'a Area], directory: &str) -> Known<Option<Verdict>> {
        if setting(areas, |settings| settings.slash) == Some(false) {
            return Ok(None);
        }
        // More slashes at the beginning would name a server.
        let path = format!("/{}/", paths::escaped_in_location(self.request.path.trim_start_matches('/')));
        let location = with_query(&self.environment().own_url(&path)?, self.request.query.as_deref());
        self.step(None, format!("{directory} is a directory"), true);
        Ok(Some(Verdict::Answered { status: 301, location: Some(location) }))
    }

    /// The names of files that stand for a directory: `DirectoryIndex`.
    pub(super) fn index_names(&self, areas: &[&'a Area]) -> Vec<String> {
        let names = setting(areas, |settings| settings.indexes.as_deref());
        let shown = |names: &[TextId]| names.iter().map(|&name| self.gateway.texts.show(name).into_owned()).collect();
        names.map_or_else(|| vec!["index.html".to_owned()], shown)
    }

    /// Reads the path of a request as the site does.
    ///
    /// # Errors
    /// With the status that httpd answers where it refuses the path.
    pub(super) fn read_path(&self, raw: &str) -> Result<String, u16> {
        let areas = areas::of_site(self.gateway, self.site);
        let merge = setting(&areas, |settings| settings.merge_slashes).unwrap_or(true);
        paths::normalized(raw, areas::encoded_slashes(&areas), merge)
    }
}
