//! What nginx refuses when it starts: one walk over the directives in the order in which nginx reads them, with nginx's checks in
//! nginx's order and words (`ngx_conf_handler`, `ngx_conf_file.c`, and the setters of the modules).

mod address;
mod bounds;
mod buffers;
mod cache;
mod condition;
mod core;
mod foreign;
mod http;
mod listen;
mod location;
mod log;
mod passing;
mod pattern;
mod referers;
mod rows;
mod setter;
mod shared;
mod trust;
mod upstream;
mod value;

use rustc_hash::{FxHashMap, FxHashSet};

use self::buffers::Buffers;
use self::http::Http;
use self::location::Place;
use self::trust::Trust;
use self::upstream::Members;
use super::Resolved;
use super::context::Context;
use super::directives::{self, ROWS, Row};
use super::line::Line;
use crate::gateway::{Fault, Gateway, Misreading, Refusal, Remark, RemarkKind, Unknown, Version};
use crate::project::{Root, Store};
use crate::source::{SourceId, Span};
use crate::tree::{Children, Shape};

/// Reads `root` and what it includes as nginx does when it starts. Needs nothing of the gateway, so that both are made at the same
/// time; [`Checker::note`] brings them together.
pub(super) fn read<'a>(
    store: &'a Store,
    root: &Root,
    resolved: &'a Resolved,
    version: Option<Version>,
    budget: usize,
) -> Checker<'a> {
    let missing = resolved.problems.iter().filter_map(|problem| match &problem.kind {
        RemarkKind::IncludeMissing { path, inside: true } => Some((problem.span, path.clone())),
        _ => None,
    });
    let mut checker = Checker {
        store,
        resolved,
        version,
        is_main: root.is_main,
        missing: missing.collect(),
        refusals: Vec::new(),
        remarks: Vec::new(),
        doubt: None,
        broken: false,
        levels: Vec::new(),
        opened: 0,
        frames: Vec::new(),
        visited: FxHashSet::default(),
        snippets: FxHashMap::default(),
        http: Http::default(),
        budget,
    };
    checker.levels.push(Level::new(0, root.is_main.then_some(Context::Main), None));
    checker.push_file(root.source, Some(&[]));
    checker.walk();
    checker.unread();
    checker
}

/// The state of the walk.
pub(super) struct Checker<'a> {
    store: &'a Store,
    resolved: &'a Resolved,
    version: Option<Version>,
    /// Whether the root is a whole configuration, not a fragment of one.
    is_main: bool,
    /// The includes whose file is missing, with the path as written.
    missing: FxHashMap<Span, String>,
    refusals: Vec<Refusal>,
    remarks: Vec<Remark>,
    doubt: Option<Unknown>,
    /// Whether a file could not be split into directives: what the rest of it means is then a guess.
    broken: bool,
    levels: Vec<Level<'a>>,
    /// How many blocks were opened.
    opened: usize,
    frames: Vec<Frame<'a>>,
    /// The files that were read.
    visited: FxHashSet<SourceId>,
    /// What files without blocks set on the level that includes them, by the kind of that level; `None`: they do more than that.
    snippets: FxHashMap<(SourceId, Option<Context>), Option<Slots>>,
    http: Http,
    /// How many more directives may be visited.
    budget: usize,
}

/// A set of rows of the table of directives.
#[derive(Clone, Copy, Debug)]
struct Slots([u64; ROWS / 64]);

impl Slots {
    const NONE: Self = Self([0; ROWS / 64]);

    /// Adds a row; whether it was there already.
    fn add(&mut self, index: u16) -> bool {
        let (word, bit) = (usize::from(index) / 64, 1u64 << (index % 64));
        let Some(word) = self.0.get_mut(word) else { return false };
        let was = *word & bit != 0;
        *word |= bit;
        was
    }

    fn has(&self, index: u16) -> bool {
        self.0.get(usize::from(index) / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Adds all of `other`, unless the two have a row in common.
    fn merge(&mut self, other: &Self) -> bool {
        if self.0.iter().zip(&other.0).any(|(own, other)| own & other != 0) {
            return false;
        }
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
        true
    }
}

/// A block whose inside is being read.
struct Level<'a> {
    /// Its number among all levels.
    number: usize,
    /// What kind of block; `None` where that is not known: a fragment.
    context: Option<Context>,
    /// The directive whose block it is.
    head: Option<Line<'a>>,
    /// What was set once and may not be set again.
    slots: Slots,
    /// The location that it is, and those in it.
    place: Place<'a>,
    /// What it says of TLS to upstreams.
    trust: Trust,
    /// The backends of an `upstream`.
    members: Members,
    /// What it says of buffers.
    buffers: Buffers,
    /// The directives that `off` stands alone for, and whether it stood there.
    offs: Vec<(&'a [u8], bool)>,
    /// What limits which zones.
    limits: FxHashSet<(&'a [u8], Vec<u8>)>,
    /// Whether a `proxy_pass` stands in it, and whether with variables.
    passes: Option<bool>,
    /// Where clients may come from.
    referers: Referers,
    /// The same of what is in a server and adds its names, which may follow.
    adding: Vec<Referers>,
    /// The names of a server, patterns aside.
    names: Vec<Vec<u8>>,
    /// Whether something that we cannot see may stand in it.
    open: bool,
}

impl<'a> Level<'a> {
    fn new(number: usize, context: Option<Context>, head: Option<Line<'a>>) -> Self {
        Self {
            number,
            context,
            head,
            slots: Slots::NONE,
            place: Place::default(),
            trust: Trust::default(),
            members: Members::default(),
            buffers: Buffers::default(),
            offs: Vec::new(),
            limits: FxHashSet::default(),
            passes: None,
            referers: Referers::default(),
            adding: Vec::new(),
            names: Vec::new(),
            open: false,
        }
    }
}

/// What the `valid_referers` of a level say.
#[derive(Clone, Debug, Default)]
struct Referers {
    /// `none` or `blocked`.
    nobody: Option<Span>,
    /// A name without a pattern.
    named: bool,
    /// The names, as they stand in nginx's tables.
    keys: FxHashSet<Vec<u8>>,
    /// The line that adds the names of the server.
    adds_server: Option<Span>,
}

/// A block or a row of included files, read up to some directive.
struct Frame<'a> {
    source: SourceId,
    children: Children<'a>,
    /// One past the last byte of the inside.
    end: u32,
    /// Files of the same include that are read after this one; `None` for a block.
    files: Option<&'a [SourceId]>,
    /// How many errors of the source were told.
    errors: usize,
    /// A file without blocks: what it set, to be remembered; with the kind of its level, and what that level had before.
    snippet: Option<(Option<Context>, Slots)>,
}

impl<'a> Checker<'a> {
    /// Notes in `gateway`, whose remarks are complete, what nginx refuses.
    pub(super) fn note(mut self, gateway: &mut Gateway, root: &Root) {
        let unread = self.whole(gateway, root);
        if !unread.is_empty() {
            gateway
                .remarks
                .retain(|remark| !(matches!(remark.kind, RemarkKind::UndefinedVariable { .. }) && unread.contains(&remark.span)));
        }
        let Self { mut refusals, mut remarks, doubt, .. } = self;
        // So is what is only odd.
        remarks.sort_unstable_by_key(|remark| remark.span);
        remarks.dedup();
        gateway.remarks.append(&mut remarks);
        // A file that is read several times is refused once.
        if refusals.len() > 1 {
            let mut seen: FxHashSet<(Span, String)> = FxHashSet::default();
            refusals.retain(|refusal| seen.insert((refusal.span, refusal.message.clone())));
        }
        gateway.refusals = refusals;
        gateway.doubt = doubt;
    }

    fn walk(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            let source = frame.source;
            let (tree, bytes) = (self.store.tree(source), self.store.sources.get(source).bytes());
            let Some(id) = frame.children.next() else {
                let end = frame.end;
                self.tell_errors(end);
                self.end_frame();
                continue;
            };
            if self.budget == 0 {
                self.doubt.get_or_insert(Unknown::Environment);
                break;
            }
            self.budget -= 1;
            let line = Line::new(source, tree, bytes, id);
            let directive = tree.directive(id);
            let has_errors = tree.errors().len() > frame.errors;
            let malformed = has_errors && self.tell_errors(tree.range(directive.head_end).end);
            self.directive(line, malformed);
        }
    }

    /// Notes the syntax errors of the innermost file before `end`; whether there are any.
    fn tell_errors(&mut self, end: u32) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        let errors = &self.store.tree(frame.source).errors()[frame.errors..];
        let count = errors.iter().take_while(|error| error.start < end || end == u32::MAX).count();
        frame.errors += count;
        let source = frame.source;
        for error in &errors[..count] {
            self.refusals.push(syntax(source, error));
        }
        self.broken |= count > 0;
        count > 0
    }

    /// The syntax errors of files that no directive of nginx's own includes.
    fn unread(&mut self) {
        for &source in self.resolved.sources.iter().filter(|source| !self.visited.contains(source)) {
            self.refusals.extend(self.store.tree(source).errors().iter().map(|error| syntax(source, error)));
        }
    }

    fn push_file(&mut self, source: SourceId, rest: Option<&'a [SourceId]>) {
        let first = self.visited.insert(source);
        let tree = self.store.tree(source);
        let errors = if first { 0 } else { tree.errors().len() };
        let snippet = self.levels.last().map(|level| (level.context, level.slots));
        let (context, children) = (snippet.and_then(|snippet| snippet.0), tree.children(None));
        let known = if first { None } else { self.snippets.get(&(source, context)).copied().flatten() };
        let known = known.is_some_and(|set| self.levels.last_mut().is_some_and(|level| level.slots.merge(&set)));
        let mut children = children;
        if known {
            // Nothing in the file depends on where it stands: there is no more to be said of it.
            children.by_ref().for_each(drop);
        }
        self.frames.push(Frame { source, children, end: u32::MAX, files: rest, errors, snippet: snippet.filter(|_| !known) });
    }

    fn push_block(&mut self, line: Line<'a>, context: Context) {
        self.opened += 1;
        self.http.has_events |= context == Context::Events;
        self.http.counts_modules |= matches!(context, Context::Events | Context::Http | Context::Stream | Context::Mail);
        self.levels.push(Level::new(self.opened, Some(context), Some(line)));
        let errors = self.frames.last().map_or(0, |frame| frame.errors);
        let end = line.tree.extent(line.id).end;
        let children = line.tree.children(Some(line.id));
        self.frames.push(Frame { source: line.source, children, end, files: None, errors, snippet: None });
        self.not_a_snippet();
    }

    /// The files being read do more than set things.
    fn not_a_snippet(&mut self) {
        for frame in &mut self.frames {
            frame.snippet = None;
        }
    }

    fn end_frame(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        if let Some((context, before)) = frame.snippet
            && let Some(level) = self.levels.last()
        {
            let mut own = level.slots;
            own.0.iter_mut().zip(&before.0).for_each(|(own, before)| *own &= !before);
            self.snippets.insert((frame.source, context), Some(own));
        }
        match frame.files {
            None => {
                if let Some(below) = self.frames.last_mut() {
                    below.errors = frame.errors;
                }
                if let Some(level) = self.levels.pop() {
                    self.close(level);
                }
            }
            Some([next, rest @ ..]) => self.push_file(*next, Some(rest)),
            Some([]) => {}
        }
    }

    /// Notes that nginx refuses `span`.
    fn refuse(&mut self, span: Span, fault: Fault, message: String) {
        if !self.broken {
            self.refusals.push(Refusal::new(span, fault, message));
        }
    }

    fn context(&self) -> Option<Context> {
        self.levels.last().and_then(|level| level.context)
    }

    fn directive(&mut self, line: Line<'a>, malformed: bool) {
        if line.is_holed() {
            return self.open();
        }
        let name = line.name();
        if name == b"include" && line.shape() == Shape::Simple {
            return self.include(line);
        }
        let context = self.context();
        let rows = directives::directive(name);
        if rows.is_empty() {
            return self.unknown(line);
        }
        let Some(row) = rows.iter().find(|row| context.is_none_or(|context| row.contexts.has(context))) else {
            // What is only documented may be allowed where the documentation does not say so.
            if self.fits_another(rows) || line.is_in_template() {
                // It may well be right.
            } else if rows.iter().all(|row| row.arity.is_none()) {
                self.doubt.get_or_insert(Unknown::ForeignDirective(line.span()));
            } else {
                self.refuse(line.span(), Fault::NotAllowed, format!("\"{}\" directive is not allowed here", show(name)));
            }
            return;
        };
        if context.is_none() && rows.len() > 1 {
            return self.fragment(line);
        }
        self.version(line, row);
        if !malformed {
            let has_dollar = line.has_dollar();
            let (mut count, mut filled_in) = (0, false);
            for word in line.words() {
                count += 1;
                filled_in |= word.is_holed() || has_dollar && is_placeholder(word.text);
            }
            if !filled_in {
                self.arguments(line, row, count, has_dollar);
            }
        }
        if line.shape() == Shape::Block {
            match context {
                Some(outer) => {
                    if let Some(inner) = outer.inside(name) {
                        self.push_block(line, inner);
                        self.entered(line);
                    } else if directives::holds_rows(name) && outer == Context::Http {
                        self.rows(line);
                    }
                }
                None => self.fragment(line),
            }
        }
    }

    /// A directive of a fragment: what kind of block surrounds it, its own name must tell.
    fn fragment(&mut self, line: Line<'a>) {
        let inner = match line.name() {
            _ if line.shape() != Shape::Block => return,
            b"http" => Context::Http,
            b"server" => Context::Server,
            b"location" => Context::Location,
            b"upstream" => Context::Upstream,
            b"if" => Context::LocationIf,
            _ => return,
        };
        self.push_block(line, inner);
        if let Some(level) = self.levels.last_mut() {
            level.open = true;
        }
    }

    fn include(&mut self, line: Line<'a>) {
        let count = line.words().count();
        if count != 1 {
            return self.refuse(line.span(), Fault::Arguments, arguments(line));
        }
        if let Some(path) = self.missing.get(&line.span()) {
            let message = format!("open() \"{path}\" failed (2: No such file or directory)");
            return self.refuse(line.span(), Fault::Include, message);
        }
        if self.resolved.is_cut(line.source, line.id) {
            let message = "the include leads back to this file, and nginx follows it until it crashes".to_owned();
            return self.refuse(line.span(), Fault::Cycle, message);
        }
        let include = self.resolved.include(line.source, line.id, line.span());
        if include.hides.is_some() {
            self.open();
        }
        if let Some((first, rest)) = include.files.split_first() {
            self.not_a_snippet();
            self.push_file(*first, Some(rest));
        }
    }

    /// Something may stand in the innermost block that we do not see.
    fn open(&mut self) {
        self.not_a_snippet();
        if let Some(level) = self.levels.last_mut() {
            level.open = true;
        }
    }

    /// A directive that nginx itself does not have.
    fn unknown(&mut self, line: Line<'a>) {
        let name = line.name();
        let text = show(name);
        // nginx's own names, and those of all modules, are made of these.
        let begins = name.first().is_some_and(|first| !first.is_ascii_digit());
        let is_name = begins && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if name.contains(&0) {
            // nginx reads no further; what it says then, the parser has said.
            return;
        }
        // Nothing else of that length is written there.
        let in_group = matches!(self.context(), Some(Context::Upstream | Context::StreamUpstream));
        let block = if line.shape() == Shape::Block || in_group { foreign::nearest_block(&text) } else { None };
        let near = block.or_else(|| directives::nearest(&text));
        if is_name && foreign::is_known(name) {
            self.open();
        } else if !is_name || foreign::is_none(name) || near.is_some() {
            let mut refusal = Refusal::new(line.span(), Fault::UnknownDirective, format!("unknown directive \"{text}\""));
            if let Some(near) = near {
                refusal.labels.push((line.name_word().span, format!("did you mean `{near}`?")));
            }
            if !self.broken {
                self.refusals.push(refusal);
            }
        } else {
            self.open();
            self.doubt.get_or_insert(Unknown::ForeignDirective(line.span()));
        }
    }

    /// A directive that came with a later version, or went with an earlier one.
    fn version(&mut self, line: Line<'a>, row: &Row) {
        let Some(version) = self.version else { return };
        // `ssl on` (`ngx_http_ssl_module.c`) was removed in 1.25.1.
        if line.name() == b"ssl" && row.module == "http_ssl" && version >= Version::new(1, 25, 1) {
            self.refuse(line.span(), Fault::UnknownDirective, "unknown directive \"ssl\"".to_owned());
        }
        // Distributions carry some directives back into their versions: that it is unknown there cannot be said.
        if row.since.is_some_and(|since| version < since) {
            // These came with a change of what others do, and nobody has carried them back.
            if matches!(line.name(), b"http2" | b"keepalive_min_timeout") {
                let message = format!("unknown directive \"{}\"", show(line.name()));
                return self.refuse(line.span(), Fault::UnknownDirective, message);
            }
            self.doubt.get_or_insert(Unknown::ForeignDirective(line.span()));
        }
    }

    /// The number of arguments, then what the setter checks.
    fn arguments(&mut self, line: Line<'a>, row: &'static Row, count: usize, has_dollar: bool) {
        let Some(arity) = row.arity else { return };
        // The parser told already where a block is missing or too much.
        if row.block.is_some_and(|block| block != (line.shape() == Shape::Block)) {
            let name = show(line.name());
            let message = if line.shape() == Shape::Block {
                format!("directive \"{name}\" is not terminated by \";\"")
            } else {
                format!("directive \"{name}\" has no opening \"{{\"")
            };
            return self.refuse(line.span(), Fault::Syntax, message);
        }
        if !arity.takes(count) || self.was_narrower(line) {
            return self.refuse(line.span(), Fault::Arguments, arguments(line));
        }
        if row.value.is_once() && self.levels.last_mut().is_some_and(|level| level.slots.add(row.index)) && !line.is_in_template()
        {
            let message = format!("\"{}\" directive is duplicate", show(line.name()));
            return self.refuse(line.span(), Fault::Duplicate, message);
        }
        if let Err((fault, message)) = value::check(line, row, self.version) {
            return self.refuse(line.span(), fault, message);
        }
        if let Some(text) = value::oddly_read(line, row) {
            let kind = RemarkKind::Misread { how: Misreading::DurationOdd, text };
            self.remarks.push(Remark { span: line.span(), labels: Vec::new(), kind });
        }
        if let Err((fault, message)) = self.set(line, row, has_dollar) {
            self.refuse(line.span(), fault, message);
        }
    }

    /// Whether a directive may stand in the block that a fragment is about: its `server` may be one of `stream` or `mail` as well.
    fn fits_another(&self, rows: &[Row]) -> bool {
        let others: &[Context] = match self.context() {
            _ if self.is_main => &[],
            Some(Context::Server) => &[Context::StreamServer, Context::MailServer],
            Some(Context::Upstream) => &[Context::StreamUpstream],
            Some(Context::Http) => &[Context::Stream, Context::Mail],
            _ => &[],
        };
        others.iter().any(|&other| rows.iter().any(|row| row.contexts.has(other)))
    }
}

/// What the tree of a source says of an error, as a refusal.
fn syntax(source: SourceId, error: &crate::tree::SyntaxError) -> Refusal {
    // A comment is read like a word (`ngx_conf_read_token`), and nginx names it by its first bytes.
    let fault = if error.message.starts_with("too long parameter \"#") { Fault::Comment } else { Fault::Syntax };
    let mut refusal = Refusal::new(Span::new(source, error.start, error.end), fault, error.message.clone());
    if let Some((start, end, label)) = error.related {
        refusal.labels.push((Span::new(source, start, end), label.to_owned()));
    }
    refusal
}

fn arguments(line: Line<'_>) -> String {
    format!("invalid number of arguments in \"{}\" directive", show(line.name()))
}

/// Whether `envsubst` or the like is to fill the word in: `${UPSTREAM}`. nginx's own variables are written in small letters.
fn is_placeholder(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"${").is_some_and(|at| text.get(at + 2).is_some_and(u8::is_ascii_uppercase))
}

fn show(text: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text)
}
