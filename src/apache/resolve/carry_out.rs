//! What httpd carries out while it reads: includes, definitions, conditions, modules, macros (`EXEC_ON_READ`).

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::apache::condition::{self, Outcome};
use crate::apache::directives;
use crate::apache::include::{Included, include};
use crate::apache::statement::{Kind, Statement, Word};
use crate::gateway::{Assumed, Fault, Misreading, Remark, RemarkKind, Unknown};
use crate::project::Store;
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, TokenId, TokenKind};

use super::{Absence, Frame, FrameKind, MAX_DEPTH, Reader, head};

/// What is carried out at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadTime {
    Include,
    IncludeOptional,
    Define,
    UnDefine,
    ServerRoot,
    LoadModule,
    IfModule,
    IfDefine,
    IfVersion,
    IfFile,
    IfDirective,
    IfSection,
    Macro,
    Use,
    UndefMacro,
    Error,
}

pub(super) fn read_time(name: &[u8]) -> Option<ReadTime> {
    let table = [
        ("Include", ReadTime::Include),
        ("IncludeOptional", ReadTime::IncludeOptional),
        ("Define", ReadTime::Define),
        ("UnDefine", ReadTime::UnDefine),
        ("ServerRoot", ReadTime::ServerRoot),
        ("LoadModule", ReadTime::LoadModule),
        ("IfModule", ReadTime::IfModule),
        ("IfDefine", ReadTime::IfDefine),
        ("IfVersion", ReadTime::IfVersion),
        ("IfFile", ReadTime::IfFile),
        ("IfDirective", ReadTime::IfDirective),
        ("IfSection", ReadTime::IfSection),
        ("Macro", ReadTime::Macro),
        ("Use", ReadTime::Use),
        ("UndefMacro", ReadTime::UndefMacro),
        ("Error", ReadTime::Error),
    ];
    // Most directives begin with another letter.
    if !matches!(name.first()?.to_ascii_lowercase(), b'i' | b'd' | b'u' | b's' | b'l' | b'm' | b'e') {
        return None;
    }
    table.iter().find(|(it, _)| name.eq_ignore_ascii_case(it.as_bytes())).map(|&(_, it)| it)
}

impl Reader {
    pub(super) fn carry_out(&mut self, store: &mut Store, statement: Statement, action: ReadTime) {
        let words: Vec<Word<'_>> = self.resolved.words(store, &statement);
        let unknown = words.iter().find_map(|word| word.unknown);
        let words: Vec<Vec<u8>> = words.into_iter().map(|word| word.value.into_owned()).collect();
        let first = words.first().map(Vec::as_slice).unwrap_or_default();
        let span = head(store, statement.source, statement.directive);
        let outcome = match action {
            ReadTime::Include | ReadTime::IncludeOptional => {
                return self.include(store, span, &words, unknown, action == ReadTime::IncludeOptional);
            }
            ReadTime::Define if !matches!(words.len(), 1 | 2) => {
                return self.refuse_as(span, Fault::Arguments, "Define takes 1-2 arguments".to_owned());
            }
            ReadTime::Define if first.contains(&b':') => {
                return self.refuse_as(span, Fault::Value, "Variable name must not contain ':'".to_owned());
            }
            ReadTime::Define => return self.defines.define(first, words.get(1).map(Vec::as_slice)),
            ReadTime::UnDefine if words.len() != 1 => {
                return self.refuse_as(span, Fault::Arguments, "UnDefine takes one argument".to_owned());
            }
            ReadTime::UnDefine => return self.defines.undefine(first),
            ReadTime::ServerRoot => return self.set_server_root(store, first),
            ReadTime::LoadModule if words.len() != 2 => {
                return self.refuse_as(span, Fault::Arguments, "LoadModule takes two arguments".to_owned());
            }
            ReadTime::LoadModule => return self.load_module(&words, span),
            ReadTime::Macro => return self.define_macro(store, &words, &statement, span),
            ReadTime::UndefMacro if self.is_main && self.resolved.partial.is_none() && self.resolved.macros.is_none() => {
                return self.refuse(span, "no macro defined before UndefMacro".to_owned());
            }
            ReadTime::UndefMacro => return self.macros.undefine(first),
            ReadTime::Use => return self.use_macro(store, &words, span),
            // `Error` stops httpd with the author's own words.
            ReadTime::Error => {
                let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
                return self.refuse_as(span, Fault::Value, words.join(" "));
            }
            _ if unknown.is_some() => Outcome::Assumed,
            ReadTime::IfModule | ReadTime::IfDefine if words.is_empty() => {
                let name = if action == ReadTime::IfModule { "IfModule" } else { "IfDefine" };
                return self.refuse_as(span, Fault::Arguments, format!("<{name}> directive requires additional arguments"));
            }
            ReadTime::IfModule => {
                let outcome = condition::if_module(first, &self.resolved.modules, self.absence != Absence::Unknown);
                if outcome != condition::if_module(first, &self.resolved.modules, false) {
                    self.absence = Absence::Decisive;
                }
                if let (Outcome::True, Some(module)) = (outcome, first.strip_prefix(b"!")) {
                    self.wanting.insert(module.to_vec());
                }
                outcome
            }
            ReadTime::IfDefine => condition::if_define(first, &self.defines),
            ReadTime::IfVersion if let Err(reason) = condition::check_version(&words) => {
                return self.refuse_as(span, Fault::Value, reason);
            }
            ReadTime::IfVersion => condition::if_version(&words, self.version),
            ReadTime::IfFile => {
                condition::if_file(first, |path| {
                    let there = self.server_root.locate(store, path).map(|place| place.exists());
                    // What would stand at the top of the file system is not there on any usual machine.
                    there.or((path.split(|&byte| byte == b'/').count() < 3).then_some(false))
                })
            }
            ReadTime::IfDirective | ReadTime::IfSection => {
                let is_section = action == ReadTime::IfSection;
                let outcome = condition::if_known(first, is_section, &self.resolved.modules, self.absence != Absence::Unknown);
                if outcome != condition::if_known(first, is_section, &self.resolved.modules, false) {
                    self.absence = Absence::Decisive;
                }
                outcome
            }
        };
        if action == ReadTime::IfModule && outcome == Outcome::False && !first.starts_with(b"!") {
            self.section_left_out(store, &statement, span, first);
        }
        if outcome == Outcome::Assumed {
            let tree = store.tree(statement.source);
            let after = tree.directive(statement.directive).after;
            let end = if (after.0 as usize) < tree.directives().len() { tree.head(after).start } else { u32::MAX };
            self.resolved.assumed.push(Assumed { head: span, end });
        }
        if outcome != Outcome::False {
            let kind = match outcome {
                // `-D` on the command line may define it.
                _ if action == ReadTime::IfDefine && first.starts_with(b"!") => {
                    FrameKind::Assumed(self.resolved.statements.len())
                }
                Outcome::Assumed => FrameKind::Assumed(self.resolved.statements.len()),
                _ => FrameKind::Transparent,
            };
            self.enter(store, statement.directive, kind);
        }
    }

    /// Notes a section that is left out where its author hardly meant that: for a module under a name that none has, or with mappings for
    /// WebSockets in it.
    fn section_left_out(&mut self, store: &Store, statement: &Statement, span: Span, token: &[u8]) {
        // Modules of others have sources of any name.
        let endings = [&b"_module"[..], b".c", b".cc", b".cpp", b".cxx"];
        // Some of httpd's own are not called as one would expect: `event.c`, and not `mod_mpm_event.c`.
        let is_misnamed = token.starts_with(b"mod_")
            && token.ends_with(b".c")
            && str::from_utf8(token).is_ok_and(|token| condition::module_name(token).is_none());
        let nameless = is_misnamed || !endings.iter().any(|ending| token.ends_with(ending));
        let how = match (nameless, holds_websocket(store, statement)) {
            (true, true) => Misreading::SectionHidesWebSocket,
            (true, false) => Misreading::SectionNeverTrue,
            (false, true) => Misreading::SectionLeftOut,
            (false, false) => return,
        };
        let kind = RemarkKind::Misread { how, text: String::from_utf8_lossy(token).into_owned() };
        self.resolved.remarks.push(Remark { span, labels: Vec::new(), kind });
    }

    fn include(&mut self, store: &mut Store, span: Span, words: &[Vec<u8>], unknown: Option<Unknown>, optional: bool) {
        let [path] = words else {
            let name = if optional { "IncludeOptional" } else { "Include" };
            return self.refuse_as(span, Fault::Arguments, format!("{name} takes one argument"));
        };
        if let Some(why) = unknown {
            return self.unseen(span, why);
        }
        let depth = self.frames.last().map_or(0, |frame| frame.depth + 1);
        let included = include(store, &self.server_root, path);
        let inside = match included {
            Included::Files { sources, unread } => {
                if depth > MAX_DEPTH {
                    let reason = format!("Exceeded maximum include depth of {MAX_DEPTH}, There appears to be a recursion.");
                    self.stopped = true;
                    return self.refuse_as(span, Fault::Cycle, reason);
                }
                if unread {
                    self.unseen(span, Unknown::MissingInclude(span));
                }
                for &source in &sources {
                    self.reach(source);
                }
                // The first is to be read next, so it is put on top.
                for source in sources.into_iter().rev() {
                    self.open_file(store, source, depth);
                }
                return;
            }
            Included::Missing if optional => return,
            // A whole directory that is missing is brought by something else: another repository, the deployment.
            Included::Missing => {
                let place = self.server_root.locate(store, path);
                let directory = place.as_deref().and_then(Path::parent);
                // A template is put into another directory before the server reads it.
                let is_template = self.frames.last().is_some_and(|frame| store.tree(frame.source).is_template());
                let is_there = self.server_root.is_live() || directory.is_some_and(|directory| store.list(directory).is_some());
                self.is_main && !is_template && is_there
            }
            Included::Elsewhere | Included::Outside => false,
        };
        let path = String::from_utf8_lossy(path).into_owned();
        if matches!(included, Included::Outside) {
            self.unseen(span, Unknown::MissingInclude(span));
            return self.resolved.remarks.push(Remark { span, labels: Vec::new(), kind: RemarkKind::IncludeOutside { path } });
        }
        // What certbot ships sets up TLS and nothing else.
        if !path.ends_with("options-ssl-apache.conf") {
            self.unseen(span, Unknown::MissingInclude(span));
        }
        if !optional {
            self.resolved.remarks.push(Remark { span, labels: Vec::new(), kind: RemarkKind::IncludeMissing { path, inside } });
        }
    }

    /// Notes that lines may be in effect here that we do not see.
    fn unseen(&mut self, span: Span, why: Unknown) {
        self.resolved.partial = self.resolved.partial.or(Some(why));
        let statement =
            Statement { source: span.source, directive: DirectiveId(span.start), kind: Kind::Unseen(span.end), expanded: None };
        self.resolved.statements.push(statement);
    }

    fn set_server_root(&mut self, store: &Store, path: &[u8]) {
        let written = PathBuf::from(String::from_utf8_lossy(path).into_owned());
        if let Some(place) = store.locate(&written).filter(|place| place.is_dir()) {
            self.server_root.place = place;
        }
        self.resolved.server_root = Some(path.strip_suffix(b"/").unwrap_or(path).to_vec());
        self.server_root.written = Some(written);
    }

    fn load_module(&mut self, words: &[Vec<u8>], span: Span) {
        let identifier = String::from_utf8_lossy(words.first().map(Vec::as_slice).unwrap_or_default());
        let name = identifier.strip_suffix("_module").unwrap_or(&identifier);
        if let Some(file) = words.get(1) {
            self.check_module(&identifier, name, &String::from_utf8_lossy(file), span);
        }
        // A module that is loaded already stays where it is.
        if self.resolved.modules.loaded.insert(name.to_owned(), Some(span)).is_none() {
            self.resolved.modules.order.push(name.to_owned());
        }
        self.resolved.modules.last = Some(span);
    }

    fn use_macro(&mut self, store: &Store, words: &[Vec<u8>], span: Span) {
        let depth = self.frames.last().map_or(0, |frame| frame.depth + 1);
        let (found, used) = match self.macros.use_macro(words, span, |source, id| defined_at(store, source, id)) {
            Ok((found, used)) => (found.clone(), used),
            // In a fragment the macro may be defined elsewhere.
            Err(_) if !self.is_main || self.resolved.partial.is_some() => return self.unseen(span, Unknown::Fragment(span)),
            Err(reason) => return self.refuse(span, reason),
        };
        let recursive = self.frames.iter().filter_map(|frame| frame.used.as_ref()).any(|open| open.name == used.name);
        if recursive || depth > MAX_DEPTH {
            return self.refuse(span, format!("recursive use of macro '{}' is invalid", String::from_utf8_lossy(&used.name)));
        }
        let section = store.tree(found.source).directive(found.section);
        self.frames.push(Frame {
            source: found.source,
            next: found.section.0 + 1,
            end: section.after.0,
            end_token: TokenId(0),
            kind: FrameKind::Whole,
            depth,
            holes: Rc::default(),
            passed: 0,
            used: Some(Rc::new(used)),
        });
    }

    fn define_macro(&mut self, store: &Store, words: &[Vec<u8>], statement: &Statement, span: Span) {
        self.resolved.macros.get_or_insert(span);
        if words.first().is_none_or(Vec::is_empty) {
            return self.refuse(span, "<Macro macro definition: empty name".to_owned());
        }
        let parameters = words.get(1..).unwrap_or_default();
        if let Some(twice) = parameters.iter().enumerate().find_map(|(at, name)| parameters[..at].contains(name).then_some(name))
        {
            let (name, twice) = (String::from_utf8_lossy(&words[0]).to_ascii_lowercase(), String::from_utf8_lossy(twice));
            let place = defined_at(store, statement.source, statement.directive);
            let reason = format!("argument name conflict in macro '{name}' {place}: argument '{twice}', change argument names!");
            return self.refuse(span, reason);
        }
        let tree = store.tree(statement.source);
        let last = tree.directive(statement.directive).end.0.checked_sub(1).map(TokenId);
        if let Some(name) = words.first()
            && last.is_some_and(|last| tree.token(last).kind != TokenKind::Close)
        {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let place = defined_at(store, statement.source, statement.directive);
            self.refuse(span, format!("macro '{name}' {place}\n\tcontents error: expected token not found: </Macro>"));
        }
        self.macros.define(words, statement.source, statement.directive);
    }

    /// Whether the file `path` has the module `identifier`, and finds what it needs among those loaded before it.
    fn check_module(&mut self, identifier: &str, name: &str, path: &str, span: Span) {
        if self.is_main && self.server_root.is_live() && !path.starts_with('/') && !self.server_root.place.join(path).exists() {
            let message = format!("Cannot load {path} into server: cannot open shared object file: No such file or directory");
            return self.refuse_as(span, Fault::Value, message);
        }
        let file = path.rsplit('/').next().and_then(|file| file.strip_prefix("mod_")?.strip_suffix(".so"));
        let Some(file) = file.filter(|file| directives::is_own_module(file)) else { return };
        if !directives::is_own_module(name) {
            let message = format!(
                "Can't locate API module structure `{identifier}' in file {path}: {path}: undefined symbol: {identifier}"
            );
            return self.refuse_as(span, Fault::Value, message);
        }
        let symbol = match file {
            "proxy_http" | "proxy_http2" => "ap_proxy_location_reverse_map",
            "proxy_wstunnel" => "ap_proxy_pass_brigade",
            "proxy_fcgi" | "proxy_uwsgi" | "proxy_ajp" | "proxy_express" => "proxy_module",
            "proxy_scgi" | "proxy_fdpass" => "proxy_hook_canon_handler",
            "proxy_balancer" | "proxy_hcheck" => "proxy_hcmethods",
            "proxy_connect" => "ap_proxy_tunnel_create",
            "proxy_ftp" => "ap_proxy_canonenc",
            _ => return,
        };
        if self.is_main && self.resolved.partial.is_none() && !self.resolved.modules.loaded.contains_key("proxy") {
            let message = format!("Cannot load {path} into server: {path}: undefined symbol: {symbol}");
            self.refuse_as(span, Fault::NotAllowed, message);
        }
    }
}

/// Where a macro is defined, as httpd says it.
fn defined_at(store: &Store, source: SourceId, section: DirectiveId) -> String {
    let source_text = store.sources.get(source);
    let line = source_text.position(store.tree(source).head(section).start).line;
    format!("(defined on line {line} of \"{}\")", source_text.path().display())
}

/// Whether a line of the section passes requests on as WebSockets.
fn holds_websocket(store: &Store, section: &Statement) -> bool {
    let tree = store.tree(section.source);
    let bytes = store.sources.get(section.source).bytes();
    let inside = section.directive.0 + 1..tree.directive(section.directive).after.0;
    inside.map(DirectiveId).any(|id| {
        let head = tree.head(id);
        let line = bytes[head.start as usize..head.end as usize].to_ascii_lowercase();
        let maps = [&b"proxypass"[..], b"rewriterule", b"balancermember"].iter().any(|name| line.starts_with(name));
        maps && [&b"ws://"[..], b"wss://", b"upgrade="].iter().any(|sign| memchr::memmem::find(&line, sign).is_some())
    })
}
