//! Files that answer a request: where they are, which of them is there, and what stands for a directory.

use std::path::Path;

use super::following::{Following, Next};
use super::uri;
use crate::gateway::{Assigned, Fallback, Known, Matcher, Part, Property, TryFiles, Unknown};
use crate::handshake::evaluate::{DEPTH, Environment};
use crate::source::{FileKind, Span};

/// Where the files of a location are: `root` or `alias`.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The directory.
    pub(super) root: String,
    /// Which part of the path it replaces.
    replaced: Replaced,
    /// The directive; `None`: the server's own directory.
    span: Option<Span>,
}

/// Which part of a path a directory stands for.
#[derive(Clone, Copy, Debug)]
enum Replaced {
    /// None: `root`.
    Nothing,
    /// So many bytes, the location's own: `alias`.
    Prefix(usize),
    /// All of it: `alias` in a location with a pattern. The path may stand behind it nevertheless.
    Everything { path_behind: bool },
}

impl Place {
    /// Where the files of the level in force are (`ngx_http_map_uri_to_path`); `depth` is how many variables may stand for one another.
    ///
    /// # Errors
    /// Where the directory cannot be known.
    pub(super) fn of(environment: &Environment<'_>, depth: u8) -> Known<Self> {
        let gateway = environment.gateway;
        // `root $request_filename`, or a map over it, asks for itself.
        let depth = depth.checked_sub(1).ok_or(Unknown::Runtime)?;
        let scope = environment.followed.ok_or(Unknown::Runtime)?.scope;
        for level in gateway.scopes.chain(scope) {
            let Some(entry) = gateway.scopes.own(level).filter(|entry| entry.property == Property::DocumentRoot).last() else {
                continue;
            };
            let span = Some(entry.span);
            return match entry.assigned {
                Assigned::Text(root) => {
                    // A final slash is dropped where it is written, not where it comes from a variable.
                    let parts = environment.parts_at(root, depth)?;
                    let written = matches!(parts.last(), Some((Part::Text(_), _)));
                    let root: String = parts.into_iter().map(|(_, text)| text).collect();
                    let root = root.strip_suffix('/').filter(|_| written).map(str::to_owned).unwrap_or(root);
                    Ok(Self { root, replaced: Replaced::Nothing, span })
                }
                Assigned::Alias(root) => {
                    let mut routes = environment.site.route_ids().map(|id| gateway.route(id));
                    let matcher = routes.find(|route| route.scope == level).map(|route| route.matcher);
                    let replaced = match matcher {
                        Some(Matcher::Prefix { text, .. } | Matcher::Exact(text)) => {
                            Replaced::Prefix(gateway.texts.get(text).len())
                        }
                        _ => Replaced::Everything { path_behind: environment.followed.is_some_and(|now| now.behind_alias) },
                    };
                    Ok(Self { root: environment.value(root, depth)?, replaced, span })
                }
                Assigned::Unknown(why) => Err(why),
                _ => Err(Unknown::Unmodelled(entry.span)),
            };
        }
        Ok(Self { root: "html".to_owned(), replaced: Replaced::Nothing, span: None })
    }

    /// The same, where its directory is not below that of the installation.
    pub(super) fn absolute(self) -> Known<Self> {
        if self.root.starts_with('/') { Ok(self) } else { Err(Unknown::Environment) }
    }

    /// The file that stands for the path `path` of a request.
    pub(super) fn path(&self, path: &str) -> String {
        match self.replaced {
            Replaced::Nothing | Replaced::Everything { path_behind: true } => format!("{}{path}", self.root),
            Replaced::Prefix(length) => format!("{}{}", self.root, path.get(length..).unwrap_or_default()),
            Replaced::Everything { path_behind: false } => self.root.clone(),
        }
    }
}

impl Following<'_> {
    /// What stands in the given tree for the path `path` of a request. A relative directory lies below the main file's own, as it does
    /// where nginx is started with `-p` there, and in the packages of nginx.org.
    fn look(&self, place: &Place, path: &str) -> Option<FileKind> {
        (self.files)(Path::new(&place.path(path)))
    }

    /// Whether an alias has lost what it replaces: the path was rewritten (`ngx_http_map_uri_to_path`).
    fn is_lost(&mut self, place: &Place) -> bool {
        let lost = !self.in_location && !matches!(place.replaced, Replaced::Nothing);
        if lost {
            self.note(place.span, "an alias cannot be used for a path that was rewritten");
        }
        lost
    }

    /// `ngx_http_try_files_handler`.
    pub(super) fn try_files(&mut self, try_files: &TryFiles) -> Known<Option<Next>> {
        let place = Place::of(&self.environment(), DEPTH)?;
        if self.is_lost(&place) {
            return Ok(Some(Next::Status(500)));
        }
        // The location's own part, which an alias replaces, is taken off where variables have put it there.
        let own = match place.replaced {
            Replaced::Prefix(length) => self.request.path.get(..length).unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let gateway = self.gateway;
        let inside = |value, text: String| match text.strip_prefix(own.as_str()) {
            Some(rest) if gateway.symbolics.literal(value, &gateway.texts).is_none() => rest.to_owned(),
            _ => text,
        };
        let paths = try_files.candidates.iter().map(|candidate| {
            let path = self.environment().evaluate(candidate.path)?;
            Ok((format!("{own}{}", inside(candidate.path, path)), candidate.directory))
        });
        let paths: Vec<(String, bool)> = paths.collect::<Known<_>>()?;
        for (path, directory) in paths {
            // A directory is asked for without its slash; nothing is left of the root's.
            let path = if path.is_empty() { "/".to_owned() } else { path };
            let wanted = Some(if directory { FileKind::Directory } else { FileKind::File });
            // Behind an alias that stands for the whole path, names are looked for below it.
            if matches!(place.replaced, Replaced::Everything { .. }) {
                let file = format!("{}{path}", place.root);
                if (self.files)(Path::new(&file)) == wanted {
                    self.note(Some(try_files.span), format!("`{file}` is there"));
                    if !directory {
                        self.request.path = path;
                        self.followed.behind_alias = true;
                    }
                    return Ok(None);
                }
                continue;
            }
            if self.look(&place, &path) == wanted {
                self.note(Some(try_files.span), format!("`{}` is there", place.path(&path)));
                self.request.path = path;
                return Ok(None);
            }
        }
        let absent = "none of its files is in the given tree";
        match try_files.fallback {
            Fallback::Unknown(why) => Err(why),
            // Such a status neither is an answer nor ends the request (`ngx_http_finalize_request`): the client waits.
            Fallback::Status(1..=200 | 202 | 203 | 205..=299) => Err(Unknown::Unmodelled(try_files.span)),
            Fallback::Status(status) => {
                self.note(Some(try_files.span), absent.to_owned());
                Ok(Some(Next::Status(status)))
            }
            Fallback::Redirect(target) => {
                let text = self.environment().evaluate(target)?;
                let target = inside(target, text);
                self.note(Some(try_files.span), format!("{absent}: goes on as `{target}`"));
                Ok(Some(self.elsewhere(&target)))
            }
        }
    }

    /// What files answer: an index, a directory's list, the file itself (`ngx_http_index_handler`, `ngx_http_autoindex_handler`,
    /// `ngx_http_static_handler`).
    pub(super) fn serve(&mut self, span: Span) -> Known<Next> {
        let readable = matches!(&*self.request.method, "GET" | "HEAD" | "POST");
        if !readable {
            self.note(Some(span), format!("files are not served to {}", self.request.method));
            return Ok(Next::Status(405));
        }
        let place = Place::of(&self.environment(), DEPTH)?;
        if self.is_lost(&place) {
            return Ok(Next::Status(500));
        }
        let path = self.request.path.clone();
        let at = place.span.or(Some(span));
        if path.ends_with('/') {
            return self.directory(&place, &path, at);
        }
        let shown = place.path(&path);
        Ok(match self.look(&place, &path) {
            Some(FileKind::File) if self.request.method == "POST" => {
                self.note(at, format!("the file `{shown}` takes no POST"));
                Next::Status(405)
            }
            Some(FileKind::File) => {
                self.note(at, format!("the file `{shown}` is served"));
                Next::File
            }
            Some(FileKind::Directory) => {
                self.note(at, format!("`{shown}` is a directory: the client is sent to its name with a slash"));
                self.location = Some(self.with_query(&format!("{}/", uri::escape_path(&path))));
                Next::Status(301)
            }
            None => {
                self.note(at, format!("files are served, and `{shown}` is not in the given tree"));
                Next::Status(404)
            }
        })
    }

    fn directory(&mut self, place: &Place, path: &str, at: Option<Span>) -> Known<Next> {
        let gateway = self.gateway;
        if let Some((true, Some(span))) = self.flag(Property::RandomIndex)?
            && self.look(place, path).is_some()
        {
            return Err(Unknown::Unmodelled(span));
        }
        let (level, unseen) = gateway.scopes.list(self.followed.scope, Property::Index);
        if let (None, Some(why)) = (level, super::following::hidden(unseen)) {
            return Err(why);
        }
        let entries = level.into_iter().flat_map(|level| gateway.scopes.own(level));
        let mut names = Vec::new();
        for entry in entries.filter(|entry| entry.property == Property::Index) {
            let Assigned::Text(name) = entry.assigned else { continue };
            names.push(self.environment().evaluate(name)?);
        }
        if level.is_none() {
            names.push("index.html".to_owned());
        }
        let shown = place.path(path);
        for name in names {
            if name.starts_with('/') {
                return Ok(self.redirect(name, self.request.query.clone()));
            }
            let index = format!("{path}{name}");
            let file = match place.replaced {
                Replaced::Everything { .. } => format!("{shown}{name}"),
                _ => place.path(&index),
            };
            if (self.files)(Path::new(&file)) == Some(FileKind::File) {
                self.note(at, format!("`{file}` stands for the directory"));
                return Ok(self.redirect(index, self.request.query.clone()));
            }
            // The directory is looked at when the first index is not there (`ngx_http_index_test_dir`).
            match self.look(place, path) {
                Some(FileKind::Directory) => {}
                Some(FileKind::File) => {
                    self.note(at, format!("`{shown}` is a file, and a directory is asked for"));
                    return Ok(Next::Status(500));
                }
                None => {
                    self.note(at, format!("files are served, and the directory `{shown}` is not in the given tree"));
                    return Ok(Next::Status(404));
                }
            }
        }
        if self.flag(Property::Autoindex)?.is_some_and(|(on, _)| on) {
            // `ngx_http_autoindex_handler` drops the last letter, which is the slash where an alias has one.
            let listed = shown.get(..shown.len().saturating_sub(1)).filter(|rest| !rest.is_empty()).unwrap_or(&shown);
            if !shown.ends_with('/') && (self.files)(Path::new(listed)) != Some(FileKind::Directory) {
                self.note(at, format!("the directory `{listed}` is not in the given tree"));
                return Ok(Next::Status(404));
            }
            self.note(at, format!("the directory `{shown}` is listed"));
            return Ok(Next::Answer(200));
        }
        self.note(at, format!("the directory `{shown}` has no index"));
        Ok(Next::Status(403))
    }

    /// A path with the query of the request.
    pub(super) fn with_query(&self, path: &str) -> String {
        match self.request.query.as_deref() {
            Some(query) if !query.is_empty() => format!("{path}?{query}"),
            _ => path.to_owned(),
        }
    }

    /// Goes on in a named location, or with another path and query, as `target` says.
    pub(super) fn elsewhere(&mut self, target: &str) -> Next {
        if target.starts_with('@') {
            return Next::Named(target.to_owned());
        }
        let (path, query) = uri::split_query(target);
        self.redirect(path, query)
    }

    /// `ngx_http_internal_redirect`.
    pub(super) fn redirect(&mut self, path: String, query: Option<String>) -> Next {
        if !self.may_change() {
            return Next::Status(500);
        }
        self.request.path = path;
        self.request.query = query;
        self.followed.behind_alias = false;
        // The modules forget what they knew.
        self.followed.upstream = None;
        self.internal = true;
        self.unparsed = false;
        Next::Site
    }
}
