//! Edits that change the order of mappings: of lines the first that fits counts, of sections the last (`proxy_trans`, `mod_proxy.c`).

use super::line::Line;
use super::parameters::{decisive_parameters, worker_section};
use super::{Editor, Step};
use crate::gateway::{Matcher, RouteId, Target};
use crate::handshake::alias_match;
use crate::source::{Edit, SourceId, Span, apply};

/// Lines that go elsewhere in their file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) source: SourceId,
    /// The lines.
    from: std::ops::Range<usize>,
    /// Where they go.
    to: usize,
    /// What stands around them there: before and behind.
    frame: (Vec<u8>, Vec<u8>),
    /// What is taken off at the beginning of the lines, and put there instead.
    head: Option<(std::ops::Range<usize>, Vec<u8>)>,
}

impl Move {
    fn of(line: Line<'_>, to: usize) -> Self {
        Self {
            source: line.source,
            from: line.start_with_comments()..line.end(),
            to,
            frame: (Vec::new(), Vec::new()),
            head: None,
        }
    }

    /// `edits` and the move in one: what is edited in the lines goes along.
    pub(super) fn carry_out(&self, bytes: &[u8], edits: Vec<Edit>) -> Result<Vec<Edit>, String> {
        let within = |edit: &Edit| {
            let range = edit.span.range();
            edit.span.source == self.source && self.from.start <= range.start && range.end <= self.from.end
        };
        let (mut inside, mut all): (Vec<Edit>, Vec<Edit>) = edits.into_iter().partition(within);
        let span = |start: usize, end: usize| {
            Span::new(self.source, u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX))
        };
        if let Some((range, text)) = &self.head {
            inside.push(Edit { span: span(range.start, range.end), text: text.clone() });
        }
        inside.sort_unstable();
        inside.dedup();
        if inside.windows(2).any(|pair| crate::source::overlap(&pair[0], &pair[1])) {
            return Err("two edits would touch the same words".to_owned());
        }
        // Edits of the lines, with the rest of the file cut away.
        let local = inside.into_iter().map(|edit| {
            let offset = u32::try_from(self.from.start).unwrap_or(u32::MAX);
            Edit { span: Span::new(self.source, edit.span.start - offset, edit.span.end - offset), text: edit.text }
        });
        let local: Vec<Edit> = local.collect();
        let mut text = self.frame.0.clone();
        let moved = apply(&bytes[self.from.clone()], &local);
        text.extend_from_slice(&moved);
        if !moved.ends_with(b"\n") {
            text.extend_from_slice(if memchr::memmem::find(bytes, b"\r\n").is_some() { b"\r\n" } else { b"\n" });
        }
        text.extend_from_slice(&self.frame.1);
        all.push(Edit { span: span(self.from.start, self.from.end), text: Vec::new() });
        all.push(Edit { span: span(self.to, self.to), text });
        Ok(all)
    }
}

impl Editor<'_> {
    /// The steps that put a mapping where requests come to it.
    /// `taker` is the line of what takes them.
    pub(super) fn unshadow(&self, id: RouteId, taker: Option<Span>) -> Result<Vec<Step>, String> {
        let gateway = self.gateway();
        let route = gateway.route(id);
        let site = gateway.site(route.site);
        let Matcher::Segments(path) = route.matcher else {
            return Err("which requests a pattern takes is for you to say".to_owned());
        };
        let path = gateway.texts.get(path);
        let covers = |other: &RouteId| {
            let matcher = gateway.route(*other).matcher;
            matches!(matcher, Matcher::Segments(prefix) if alias_match(path, gateway.texts.get(prefix)).is_some())
        };
        let line = |id: RouteId| self.line_at(gateway.route(id).span).ok_or_else(|| "the mapping cannot be found".to_owned());
        let own = line(id)?;
        if own.is_holed() || own.is_among_holes() {
            return Err("a template decides what stands here".to_owned());
        }
        let beside = |other: Line<'_>| {
            let parent = |line: Line<'_>| line.parent().map(|parent| parent.id);
            if other.source == own.source && parent(other) == parent(own) {
                return Ok(());
            }
            Err("the mapping that takes its requests stands in another file or section".to_owned())
        };
        let is_section = site.sections.contains(&id.0);
        let last_section = site.sections.clone().map(RouteId).rfind(|other| *other != id && covers(other));
        if is_section {
            let last = line(last_section.filter(|other| *other > id).ok_or("what takes its requests cannot be moved past")?)?;
            beside(last)?;
            let mut moved = Move::of(own, last.end());
            // Sections are parted by an empty line where these are.
            let end = own.line_end().to_vec();
            if own.bytes[..moved.from.start].ends_with(&[&end[..], &end[..]].concat()) {
                moved.from.start -= end.len();
            }
            if own.end() < last.start() && !own.bytes[..last.end()].ends_with(b"\n") {
                moved.frame.0 = end;
            }
            return Ok(vec![Step { moved: Some(moved), ..Step::new("move the section behind the broader one", Vec::new()) }]);
        }
        if let Some(section) = last_section {
            return sectioned(own, line(section)?).map(|step| vec![step]);
        }
        let is_taker =
            |other: &RouteId| matches!(&gateway.route(*other).target, Target::Proxy(proxy) if Some(proxy.span) == taker);
        let mut before_it = site.mappings.clone().map(RouteId).take_while(|other| *other < id);
        let first = before_it.find(|other| covers(other) || is_taker(other));
        let first = line(first.ok_or("what takes its requests stands in the main server, ahead of every virtual host")?)?;
        beside(first)?;
        Ok(vec![before(own, first)])
    }

    /// The steps that give a mapping a worker of its own, with its own parameters.
    pub(super) fn unshare(&self, id: RouteId) -> Result<Vec<Step>, String> {
        let (_, proxy) = self.proxied(id)?;
        let shared = proxy.shares.ok_or("it has a worker of its own")?;
        let unknown = || "the mapping cannot be found".to_owned();
        let own = self.line_at(proxy.span).ok_or_else(unknown)?;
        let other = self.line_at(shared.of).ok_or_else(unknown)?;
        let parent = |line: Line<'_>| line.parent().map(|parent| parent.id);
        let is_mapping = |line: Line<'_>| matches!(line.name().as_slice(), b"proxypass" | b"proxypassmatch");
        let mut steps = Vec::new();
        let beside = other.source == own.source && parent(other) == parent(own);
        let in_server = own.in_server().id == own.id;
        if beside && in_server && is_mapping(own) && is_mapping(other) && !own.is_holed() && !own.is_among_holes() {
            steps.push(before(own, other));
        }
        let ignored = decisive_parameters(own);
        if ignored.is_empty() {
            return if steps.is_empty() { Err("its parameters cannot be read".to_owned()) } else { Ok(steps) };
        }
        steps.extend(worker_section(own, other.in_server(), &ignored));
        let missing = ignored.join(" ");
        if let Ok(edit) = other.append(&format!(" {missing}")) {
            steps.push(Step::new(format!("write `{missing}` at the mapping whose worker is used"), vec![edit]));
        }
        Ok(steps)
    }
}

/// Moves a line in front of another one of its section.
fn before(own: Line<'_>, other: Line<'_>) -> Step {
    let moved = Move::of(own, other.start_with_comments());
    Step { moved: Some(moved), ..Step::new("move the mapping in front of the one that takes its requests", Vec::new()) }
}

/// A mapping of the server put into a section of its own behind the section that takes its requests.
fn sectioned(own: Line<'_>, section: Line<'_>) -> Result<Step, String> {
    let (Some(path), Some(url)) = (own.word(0), own.word(1)) else { return Err("no edit is known for it".to_owned()) };
    if own.source != section.source || own.name() != b"proxypass" || section.is_among_holes() {
        return Err("the section that takes its requests stands elsewhere".to_owned());
    }
    let same = |a: Option<Line<'_>>, b: Option<Line<'_>>| a.map(|line| line.id) == b.map(|line| line.id);
    if !same(own.parent(), section.parent()) {
        return Err("the section that takes its requests stands elsewhere".to_owned());
    }
    let (end, indent) = (own.line_end(), own.indent());
    let name = section.cased("Location");
    let quoted = String::from_utf8_lossy(path.text).into_owned();
    let open = [indent, format!("<{name} {quoted}>").as_bytes(), end, indent, section.unit().as_bytes()].concat();
    let close = [indent, format!("</{name}>").as_bytes(), end].concat();
    let mut moved = Move::of(own, section.end());
    let head = own.start()..url.span.start as usize;
    // The comments above the line stay above it.
    moved.from = own.start()..own.end();
    moved.head = Some((head, format!("{} ", own.cased("ProxyPass")).into_bytes()));
    moved.frame = (open, close);
    Ok(Step { moved: Some(moved), ..Step::new("put the mapping into a section behind the broader one", Vec::new()) })
}
