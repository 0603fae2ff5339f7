//! The configuration phase: includes, definitions, conditions and macros carried out, leaving the lines that are in effect.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::condition::{self, BUILT_IN, Outcome};
use super::directives;
use super::expand::Defines;
use super::include::{Included, ServerRoot, include};
use super::macros::{Macros, Use};
use super::statement::{Expanded, Kind, Statement, Word};
use super::words::{joined, next_word};
use crate::gateway::{Assumed, Fault, Modules, Refusal, Remark, RemarkKind, Server, Unknown, Version};
use crate::project::{Root, Store};
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, Shape, TokenId, TokenKind};

/// How deep includes and macros may nest (`AP_MAX_INCLUDE_DEPTH`).
const MAX_DEPTH: u32 = 128;

/// How many lines are carried out at most: files that include each other again and again must not keep us for ever.
const MAX_STEPS: usize = 4_000_000;

/// What httpd has in its hands after reading: the lines in effect, in order.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The lines in effect.
    pub(super) statements: Vec<Statement>,
    /// The texts of lines that variables or macros changed.
    pub(super) expanded: Vec<Expanded>,
    /// Every source reached, in the order in which httpd opens them.
    pub sources: Vec<SourceId>,
    /// What came to light: missing includes, what httpd refuses.
    pub remarks: Vec<Remark>,
    /// The lines, by place in `statements`, that are in effect only if a condition holds which cannot be decided.
    pub(super) undecided: Vec<Range<usize>>,
    /// The first `<Macro>`, where there is one.
    pub(super) macros: Option<Span>,
    /// What httpd refuses while it reads files and sections.
    pub refusals: Vec<Refusal>,
    /// The modules seen to be loaded.
    pub modules: Modules,
    /// Set where lines may be in effect that are not here.
    pub partial: Option<Unknown>,
    /// The sections that are read as if their condition held, because nothing says whether it does.
    pub(super) assumed: Vec<Assumed>,
    /// The lines of the files of directories that the configuration names.
    pub(super) directories: Vec<DirectoryLines>,
}

/// The lines of a `.htaccess`.
#[derive(Debug)]
pub(super) struct DirectoryLines {
    /// The directory, as the configuration names it.
    pub(super) directory: Vec<u8>,
    /// The file.
    pub(super) source: SourceId,
    /// Its lines in effect.
    pub(super) statements: Vec<Statement>,
}

/// Carries out what httpd does while it reads `root`, for whatever version.
#[must_use]
pub fn resolve(store: &mut Store, root: &Root) -> Resolved {
    resolve_for(store, root, None)
}

/// Carries out what httpd of `version` does while it reads `root`.
#[must_use]
pub fn resolve_for(store: &mut Store, root: &Root, version: Option<Version>) -> Resolved {
    let mut first = Reader::new(root, version, if root.is_main { Absence::Known } else { Absence::Unknown });
    first.run(store, root);
    // Whether a module is absent is known at the end only: if not everything was there, read again without saying so.
    if first.absence == Absence::Decisive && !first.resolved.modules.complete {
        let mut again = Reader::new(root, version, Absence::Unknown);
        again.run(store, root);
        return again.resolved;
    }
    first.resolved
}

/// A run of directives still to be read: those of a file, a section or a macro.
struct Frame {
    source: SourceId,
    next: u32,
    end: u32,
    /// One past the last token of the run: holes before it belong to it.
    end_token: TokenId,
    kind: FrameKind,
    depth: u32,
    /// The holes of the source and how many of them were passed.
    holes: Rc<[TokenId]>,
    passed: usize,
    /// The macro whose lines these are.
    used: Option<Rc<Use>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    /// A file or a macro.
    Whole,
    /// A section that stays one.
    Section(usize),
    /// A condition that holds.
    Transparent,
    /// The inside of a condition that cannot be decided, with the number of lines in effect before it.
    Assumed(usize),
}

/// What is carried out at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadTime {
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
    IfKnown,
    Macro,
    Use,
    UndefMacro,
    Error,
}

fn read_time(name: &[u8]) -> Option<ReadTime> {
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
        ("IfDirective", ReadTime::IfKnown),
        ("IfSection", ReadTime::IfKnown),
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

/// Whether modules not loaded so far count as absent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// They may be loaded elsewhere.
    Unknown,
    /// They do.
    Known,
    /// They do, and a condition turned on it.
    Decisive,
}

struct Reader {
    resolved: Resolved,
    frames: Vec<Frame>,
    defines: Defines,
    macros: Macros,
    server_root: ServerRoot,
    version: Option<Version>,
    is_main: bool,
    absence: Absence,
    /// Set where a limit is reached: httpd stops, or would not end.
    stopped: bool,
    reached: FxHashSet<SourceId>,
}

impl Reader {
    fn new(root: &Root, version: Option<Version>, absence: Absence) -> Self {
        let mut resolved = Resolved::default();
        resolved.modules.loaded.extend(BUILT_IN.iter().map(|&name| (name.to_owned(), None)));
        if !root.is_main {
            resolved.partial = Some(Unknown::Fragment(Span::new(root.source, 0, 0)));
        }
        Self {
            resolved,
            frames: Vec::new(),
            defines: Defines::default(),
            macros: Macros::default(),
            server_root: ServerRoot { place: root.base.clone(), written: None },
            version,
            is_main: root.is_main,
            absence,
            stopped: false,
            reached: FxHashSet::default(),
        }
    }

    fn run(&mut self, store: &mut Store, root: &Root) {
        self.reach(root.source);
        self.open_file(store, root.source, 0);
        self.read(store);
        let modules = &mut self.resolved.modules;
        modules.complete = self.is_main && modules.last.is_some() && self.resolved.partial.is_none();
        self.read_directories(store);
    }

    /// Reads the `.htaccess` of every directory that the configuration names, where any may have one.
    ///
    /// httpd reads them for each request; what they hold is no part of the configuration that it may refuse to start with.
    fn read_directories(&mut self, store: &mut Store) {
        let mut directories: Vec<Vec<u8>> = Vec::new();
        let mut wanted = false;
        for statement in &self.resolved.statements {
            let is_directory =
                |name: &[u8]| name.eq_ignore_ascii_case(b"directory") || name.eq_ignore_ascii_case(b"documentroot");
            if !matches!(statement.kind, Kind::Line | Kind::Begin) {
                continue;
            }
            let name = self.resolved.name(store, statement);
            if name.len() >= 13 && name[..13].eq_ignore_ascii_case(b"AllowOverride") {
                let words = self.resolved.words(store, statement);
                wanted |= words.first().is_some_and(|word| !word.value.eq_ignore_ascii_case(b"none"));
            } else if is_directory(&name) {
                let words = self.resolved.words(store, statement);
                let path = words.first().filter(|word| word.unknown.is_none() && word.value.starts_with(b"/"));
                directories.extend(path.map(|path| path.value.strip_suffix(b"/").unwrap_or(&path.value).to_vec()));
            }
        }
        if !wanted {
            return;
        }
        directories.sort_unstable();
        directories.dedup();
        for directory in directories {
            let Some(place) = self.server_root.locate(store, &directory).map(|place| place.join(".htaccess")) else { continue };
            if !place.is_file() {
                continue;
            }
            let Some(Ok(source)) = store.load(&[place], Server::Apache).pop() else { continue };
            let (lines, remarks) = (self.resolved.statements.len(), self.resolved.remarks.len());
            let partial = self.resolved.partial;
            self.open_file(store, source, 0);
            self.read(store);
            self.resolved.remarks.truncate(remarks);
            self.resolved.partial = partial;
            let statements = self.resolved.statements.split_off(lines);
            self.resolved.directories.push(DirectoryLines { directory, source, statements });
        }
    }

    /// Reads what is open to its end.
    fn read(&mut self, store: &mut Store) {
        let mut steps = 0;
        while let Some(frame) = self.frames.last_mut() {
            if frame.next >= frame.end || self.stopped {
                self.leave();
                continue;
            }
            let (source, id) = (frame.source, DirectiveId(frame.next));
            frame.next = store.tree(source).directive(id).after.0;
            let name = store.tree(source).directive(id).name;
            self.pass_holes(name);
            steps += 1;
            if steps > MAX_STEPS {
                self.refuse(head(store, source, id), format!("the configuration comes to more than {MAX_STEPS} lines"));
                self.stopped = true;
                continue;
            }
            self.directive(store, source, id);
        }
    }

    fn reach(&mut self, source: SourceId) {
        if self.reached.insert(source) {
            self.resolved.sources.push(source);
        }
    }

    fn open_file(&mut self, store: &Store, source: SourceId, depth: u32) {
        let tree = store.tree(source);
        let is_hole = |(_, token): &(u32, crate::tree::Token)| token.kind == TokenKind::Hole;
        let holes: Rc<[TokenId]> = (0u32..).zip(tree.tokens()).filter(is_hole).map(|(at, _)| TokenId(at)).collect();
        if let Some(&hole) = holes.first() {
            let range = tree.range(hole);
            let why = Unknown::TemplateHole(Span::new(source, range.start, range.end));
            self.resolved.partial = self.resolved.partial.or(Some(why));
        }
        self.frames.push(Frame {
            source,
            next: 0,
            end: u32::try_from(tree.directives().len()).unwrap_or(u32::MAX),
            end_token: TokenId(u32::MAX),
            kind: FrameKind::Whole,
            depth,
            holes,
            passed: 0,
            used: None,
        });
    }

    /// Reports the holes before `token` in the run that is being read.
    fn pass_holes(&mut self, token: TokenId) {
        let Some(frame) = self.frames.last_mut() else { return };
        while let Some(&hole) = frame.holes.get(frame.passed).filter(|&&hole| hole < token) {
            frame.passed += 1;
            self.resolved.statements.push(Statement {
                source: frame.source,
                directive: DirectiveId(hole.0),
                kind: Kind::Hole,
                expanded: None,
            });
        }
    }

    fn leave(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        self.pass_holes(frame.end_token);
        let Some(frame) = self.frames.pop() else { return };
        if frame.kind == FrameKind::Whole {
            return;
        }
        if let Some(around) = self.frames.last_mut() {
            around.passed = frame.passed;
        }
        if let FrameKind::Assumed(begin) = frame.kind {
            self.resolved.undecided.push(begin..self.resolved.statements.len());
        }
        if let FrameKind::Section(begin) = frame.kind {
            let begin = self.resolved.statements[begin];
            self.resolved.statements.push(Statement { kind: Kind::End, ..begin });
        }
    }

    /// Goes on with what stands in the section `id` of the run that is being read.
    fn enter(&mut self, store: &Store, id: DirectiveId, kind: FrameKind) {
        let Some(frame) = self.frames.last() else { return };
        let directive = store.tree(frame.source).directive(id);
        let inner = Frame {
            source: frame.source,
            next: id.0 + 1,
            end: directive.after.0,
            end_token: directive.end,
            kind,
            depth: frame.depth,
            holes: Rc::clone(&frame.holes),
            passed: frame.passed,
            used: frame.used.clone(),
        };
        self.frames.push(inner);
    }

    /// The text of the line after macro and variables; `None` where it is as written.
    fn expand(&mut self, store: &Store, source: SourceId, id: DirectiveId) -> Option<Expanded> {
        let span = head(store, source, id);
        let written = store.sources.slice(span);
        let used = self.frames.last().and_then(|frame| frame.used.clone());
        if used.is_none() && memchr::memmem::find(written, b"${").is_none() {
            return None;
        }
        let line = joined(written);
        let line = used.as_ref().map_or_else(|| line.clone(), |used| used.replace(&line).into());
        let changed = self.defines.expand(&line);
        if changed.is_none() && used.is_none() {
            return None;
        }
        let line = changed.unwrap_or_else(|| line.into_owned());
        let mut rest = line.as_slice();
        let name = next_word(&mut rest)?.into_owned();
        Some(Expanded { name, arguments: rest.to_vec(), used: used.map(|used| used.span) })
    }

    fn directive(&mut self, store: &mut Store, source: SourceId, id: DirectiveId) {
        let expanded = self.expand(store, source, id).map(|expanded| {
            self.resolved.expanded.push(expanded);
            u32::try_from(self.resolved.expanded.len() - 1).unwrap_or(u32::MAX)
        });
        let is_section = store.tree(source).directive(id).shape == Shape::Block;
        let kind = if is_section { Kind::Begin } else { Kind::Line };
        let statement = Statement { source, directive: id, kind, expanded };
        let action = read_time(&self.resolved.name(store, &statement));
        if let Some(action) = action {
            return self.carry_out(store, statement, action);
        }
        if is_section {
            self.enter(store, id, FrameKind::Section(self.resolved.statements.len()));
        }
        self.resolved.statements.push(statement);
    }

    fn carry_out(&mut self, store: &mut Store, statement: Statement, action: ReadTime) {
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
            ReadTime::Define => return self.defines.define(first, words.get(1).map(Vec::as_slice)),
            ReadTime::UnDefine => return self.defines.undefine(first),
            ReadTime::ServerRoot => return self.set_server_root(store, first),
            ReadTime::LoadModule => return self.load_module(&words, span),
            ReadTime::Macro => return self.define_macro(store, &words, &statement, span),
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
                outcome
            }
            ReadTime::IfDefine => condition::if_define(first, &self.defines),
            ReadTime::IfVersion => condition::if_version(&words, self.version),
            ReadTime::IfFile => {
                condition::if_file(first, |path| self.server_root.locate(store, path).map(|place| place.exists()))
            }
            ReadTime::IfKnown => {
                let outcome = condition::if_known(first, &self.resolved.modules, self.absence != Absence::Unknown);
                if outcome != condition::if_known(first, &self.resolved.modules, false) {
                    self.absence = Absence::Decisive;
                }
                outcome
            }
        };
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
                self.is_main && directory.is_some_and(|directory| store.list(directory).is_some())
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
        self.server_root.written = Some(written);
    }

    fn load_module(&mut self, words: &[Vec<u8>], span: Span) {
        let identifier = String::from_utf8_lossy(words.first().map(Vec::as_slice).unwrap_or_default());
        let name = identifier.strip_suffix("_module").unwrap_or(&identifier);
        if let Some(file) = words.get(1) {
            self.check_module(&identifier, name, &String::from_utf8_lossy(file), span);
        }
        self.resolved.modules.loaded.insert(name.to_owned(), Some(span));
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
        let file = path.rsplit('/').next().and_then(|file| file.strip_prefix("mod_")?.strip_suffix(".so"));
        let Some(file) = file.filter(|file| directives::is_own_module(file)) else { return };
        if !directives::is_own_module(name) {
            let message = format!(
                "Can't locate API module structure `{identifier}' in file {path}: {path}: undefined symbol: {identifier}"
            );
            return self.refuse_as(span, Fault::Value, message);
        }
        let symbol = match file {
            "proxy_http" => "ap_proxy_location_reverse_map",
            "proxy_wstunnel" => "ap_proxy_pass_brigade",
            _ => return,
        };
        if self.is_main && self.resolved.partial.is_none() && !self.resolved.modules.loaded.contains_key("proxy") {
            let message = format!("Cannot load {path} into server: {path}: undefined symbol: {symbol}");
            self.refuse_as(span, Fault::Missing, message);
        }
    }

    fn refuse(&mut self, span: Span, reason: String) {
        self.refuse_as(span, Fault::Syntax, reason);
    }

    fn refuse_as(&mut self, span: Span, fault: Fault, message: String) {
        // Under a condition that cannot be decided it may well not be met.
        if !self.frames.iter().any(|frame| matches!(frame.kind, FrameKind::Assumed(_))) {
            self.resolved.refusals.push(Refusal::new(span, fault, message));
        }
    }
}

/// Where a macro is defined, as httpd says it.
fn defined_at(store: &Store, source: SourceId, section: DirectiveId) -> String {
    let source_text = store.sources.get(source);
    let line = source_text.position(store.tree(source).head(section).start).line;
    format!("(defined on line {line} of \"{}\")", source_text.path().display())
}

/// The name and words of a directive.
pub(super) fn head(store: &Store, source: SourceId, id: DirectiveId) -> Span {
    let range = store.tree(source).head(id);
    Span::new(source, range.start, range.end)
}
