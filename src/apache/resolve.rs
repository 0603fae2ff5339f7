//! The configuration phase: includes, definitions, conditions and macros carried out, leaving the lines that are in effect.

use std::ops::Range;
use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::condition::BUILT_IN;
use super::expand::{Defines, references};
use super::include::ServerRoot;
use super::macros::{Macros, Use};
use super::statement::{Expanded, Kind, Statement};
use super::words::{joined, next_word};
use crate::gateway::{Assumed, Fault, Misreading, Modules, Refusal, Remark, RemarkKind, Unknown, Version};
use crate::project::{Root, Store};
use crate::source::{SourceId, Span};
use crate::tree::{DirectiveId, Shape, TokenId, TokenKind};

mod carry_out;
mod directories;

use carry_out::read_time;

/// How deep includes and macros may nest (`AP_MAX_INCLUDE_DEPTH`).
const MAX_DEPTH: u32 = 128;

/// How many lines are carried out at most: files that include each other again and again must not keep us for ever.
const MAX_STEPS: usize = 4_000_000;

/// How many names that nothing defines are remembered.
const MOST_MISSED: usize = 64;

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
    /// `ServerRoot`, where it is written: what relative paths begin at.
    pub(super) server_root: Option<Vec<u8>>,
    /// The lines of the files of directories that the configuration names.
    pub(super) directories: Vec<DirectoryLines>,
}

impl Resolved {
    /// A path of a directory without a slash at its end; a relative one begins at `ServerRoot`, where that is written.
    pub(super) fn below_root(&self, path: &[u8]) -> Vec<u8> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        match &self.server_root {
            Some(root) if !path.starts_with(b"/") && !path.is_empty() => [root, &b"/"[..], path].concat(),
            _ => path.to_vec(),
        }
    }
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
    /// The first use of each name that was not defined there: the name in lower case, and the line.
    missed: Vec<(Vec<u8>, Span)>,
    /// The modules for whose want a section counts: `<IfModule !NAME>`.
    wanting: FxHashSet<Vec<u8>>,
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
            missed: Vec::new(),
            wanting: FxHashSet::default(),
        }
    }

    fn run(&mut self, store: &mut Store, root: &Root) {
        self.reach(root.source);
        self.open_file(store, root.source, 0);
        self.read(store);
        let modules = &mut self.resolved.modules;
        // Whoever loads no processing module has one built in, and maybe others, or loads it in a file that is not here.
        let processes = modules.loaded.keys().any(|name| name.starts_with("mpm_"));
        modules.complete = self.is_main && modules.last.is_some() && self.resolved.partial.is_none() && processes;
        self.note_misplaced_definitions();
        self.tell_alternatives();
        self.read_directories(store);
    }

    /// Of two sections, for a module and for the want of it, the other one counts: no mapping is lost.
    fn tell_alternatives(&mut self) {
        for remark in &mut self.resolved.remarks {
            if let RemarkKind::Misread { how: how @ Misreading::SectionHidesWebSocket, text } = &mut remark.kind
                && self.wanting.contains(text.as_bytes())
            {
                *how = Misreading::SectionNeverTrue;
            }
        }
    }

    /// Notes names that are used where no definition is in force, and that a line elsewhere defines. What no line defines may come from the
    /// environment; so do the names that Debian's start script gives.
    fn note_misplaced_definitions(&mut self) {
        for (name, span) in std::mem::take(&mut self.missed) {
            if self.defines.is_ever_defined(&name) && !name.starts_with(b"apache_") {
                let text = String::from_utf8_lossy(&name).into_owned();
                let kind = RemarkKind::Misread { how: Misreading::NotDefinedHere, text };
                self.resolved.remarks.push(Remark { span, labels: Vec::new(), kind });
            }
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
        self.miss(changed.as_deref().unwrap_or(&line), span);
        if changed.is_none() && used.is_none() {
            return None;
        }
        let line = changed.unwrap_or_else(|| line.into_owned());
        let mut rest = line.as_slice();
        let name = next_word(&mut rest)?.into_owned();
        Some(Expanded { name, arguments: rest.to_vec(), used: used.map(|used| used.span) })
    }

    /// Remembers what a line asks for and nothing above it defines. A definition that does so is told of where it is used.
    fn miss(&mut self, line: &[u8], span: Span) {
        if line.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"define")) {
            return;
        }
        for name in references(line) {
            if self.missed.len() < MOST_MISSED && self.missed.iter().all(|(known, _)| *known != name) {
                self.missed.push((name, span));
            }
        }
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

/// The name and words of a directive.
pub(super) fn head(store: &Store, source: SourceId, id: DirectiveId) -> Span {
    let range = store.tree(source).head(id);
    Span::new(source, range.start, range.end)
}
