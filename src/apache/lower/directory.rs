//! The files of directories, `.htaccess`: areas that count where `AllowOverride` lets them.

use super::section::{OpenArea, Section};
use super::{Lowerer, ServerIndex};
use crate::apache::directives::{self, Row};
use crate::apache::refuse::{compiles, count, rewrite, value};
use crate::apache::resolve::DirectoryLines;
use crate::apache::statement::{Kind, Statement, Word};
use crate::gateway::{Area, Covers, DirectoryFile, Leniency, Matcher, Needed, OverrideClass, Overrides};
use crate::source::Span;
use crate::tree::DirectiveId;

/// The longest line of such a file (`HUGE_STRING_LEN`, `ap_parse_htaccess`).
const LONGEST_LINE: usize = 8190;

/// Why a line is refused that no module has.
const UNKNOWN: &str = "is no directive of a module that is loaded";

/// Why a line is refused that may not stand there.
const FORBIDDEN: &str = "is not allowed here";

impl Lowerer<'_> {
    /// Adds the files of directories as areas of the main server, whose areas are there for every site: each once for each word of what is
    /// passed over in it, and once with all its lines.
    pub(super) fn directory_files(&mut self, files: &[DirectoryLines]) {
        let areas = self.servers.iter().flat_map(|server| &server.areas);
        let mut lenient: Vec<Overrides> = Vec::new();
        let mut is_strict = false;
        for overrides in areas.filter_map(|area| area.settings.overrides.as_deref()) {
            if !overrides.is_lenient() {
                is_strict |= overrides.reads();
            } else if !lenient.contains(overrides) {
                lenient.push(overrides.clone());
            }
        }
        for lines in files {
            if is_strict || lenient.is_empty() {
                self.directory_file(lines, &lines.statements, None);
            }
            for overrides in &lenient {
                let (statements, refused) = self.passed_over(lines, overrides);
                self.directory_file(lines, &statements, Some(Leniency { overrides: overrides.clone(), refused }));
            }
        }
    }

    /// What is left of a file's lines where some are passed over, and what is refused even so (`invoke_cmd`, `ap_walk_config_sub`).
    fn passed_over(&mut self, lines: &DirectoryLines, overrides: &Overrides) -> (Vec<Statement>, Option<(Span, &'static str)>) {
        let mut left = Vec::new();
        // Where the head of a condition is passed over, its end has none.
        let conditions = self.conditions_in(lines);
        let condition = conditions.iter().find(|needed| !overrides.allow(needed)).map(|needed| (needed.span, FORBIDDEN));
        let mut refused = self.too_long(lines).or(condition);
        // How many sections are open in the one that is passed over with all that stands in it.
        let mut depth = 0usize;
        for statement in &lines.statements {
            match statement.kind {
                Kind::Begin if depth > 0 => depth += 1,
                Kind::End if depth > 0 => depth -= 1,
                _ if depth > 0 => {}
                Kind::Begin | Kind::Line => {
                    let (passes, why) = match self.need(statement) {
                        Ok((need, is_faulty)) if overrides.allow(&need) => {
                            if is_faulty {
                                refused = refused.or(Some((need.span, "is refused")));
                            }
                            left.push(*statement);
                            continue;
                        }
                        Err(why @ UNKNOWN) => (overrides.passes_unknown, why),
                        Ok(_) | Err(_) => (overrides.passes_forbidden, FORBIDDEN),
                    };
                    depth += usize::from(statement.kind == Kind::Begin);
                    if !passes {
                        refused = refused.or(Some((statement.span(self.store), why)));
                    }
                }
                _ => left.push(*statement),
            }
        }
        (left, refused)
    }

    fn directory_file(&mut self, lines: &DirectoryLines, statements: &[Statement], under: Option<Leniency>) {
        self.server = ServerIndex(0);
        self.sections.clear();
        let span = Span::new(lines.source, 0, 0);
        let path = self.gateway.texts.intern(&lines.directory);
        let scope = self.gateway.scopes.open(Some(self.servers[0].scope), span);
        let mut area = Area::new(span, Covers::Directory(Matcher::Segments(path)), 0, scope);
        area.file = Some(Box::new(DirectoryFile { under, ..self.needs(lines) }));
        self.servers[0].areas.push(area);
        self.sections.push(Section::Area(Box::new(OpenArea::new(self.servers[0].areas.len() - 1))));
        for statement in statements {
            match statement.kind {
                Kind::Begin => self.begin(statement),
                Kind::End => self.end(statement),
                // Where what is refused is no failure, it is passed over.
                Kind::Line if !matches!(self.need(statement), Ok((_, false))) => {}
                Kind::Line => self.line(statement),
                Kind::Hole | Kind::Unseen(_) => {}
            }
        }
        if let Some(Section::Area(area)) = self.sections.pop() {
            self.close_area(*area, Vec::new());
        }
    }

    /// What must be allowed for the file, and what is refused whatever is allowed.
    fn needs(&mut self, lines: &DirectoryLines) -> DirectoryFile {
        let (refused, needs) = (self.too_long(lines), self.conditions_in(lines));
        let mut file = DirectoryFile { needs, refused, ..DirectoryFile::default() };
        for statement in &lines.statements {
            if !matches!(statement.kind, Kind::Line | Kind::Begin) {
                continue;
            }
            match self.need(statement) {
                Ok((need, is_faulty)) => {
                    if is_faulty {
                        file.refused = file.refused.or(Some((need.span, "is refused")));
                        file.faulty.push(need.clone());
                    }
                    file.needs.push(need);
                }
                Err(why) => file.refused = file.refused.or(Some((statement.span(self.store), why))),
            }
        }
        file
    }

    /// Why a file is refused that has a line too long.
    fn too_long(&self, lines: &DirectoryLines) -> Option<(Span, &'static str)> {
        let bytes = self.store.sources.get(lines.source).bytes();
        let is_long = bytes.split(|&byte| byte == b'\n').any(|line| line.len() > LONGEST_LINE);
        is_long.then(|| (Span::new(lines.source, 0, 0), "has a line that is too long"))
    }

    /// The conditions in a file, which must be allowed, too, by whatever class.
    fn conditions_in(&mut self, lines: &DirectoryLines) -> Vec<Needed> {
        let mut needs = Vec::new();
        let bytes = self.store.sources.get(lines.source).bytes();
        let conditions = self.store.tree(lines.source);
        for id in (0..conditions.directives().len()).filter_map(|id| u32::try_from(id).ok()).map(DirectiveId) {
            let name = conditions.range(conditions.directive(id).name);
            let name = bytes.get(name.start as usize..name.end as usize).unwrap_or_default();
            let name = name.strip_prefix(b"<").unwrap_or(name).to_ascii_lowercase();
            if matches!(name.as_slice(), b"ifmodule" | b"ifdefine" | b"ifversion" | b"iffile" | b"ifdirective" | b"ifsection") {
                let head = conditions.head(id);
                let span = Span::new(lines.source, head.start, head.end);
                needs.push(Needed { span, classes: OverrideClass::ALL.into(), name: self.gateway.texts.intern(&name) });
            }
        }
        needs
    }

    /// Whether the words of a line in the file of a directory are refused.
    fn is_refused(&self, row: &Row, words: &[Word<'_>], statement: &Statement) -> bool {
        let place = value::Place::in_directory_file(&self.gateway.modules);
        let (raw, unknown) = self.resolved.arguments(self.store, statement);
        if matches!(row.name, "RewriteRule" | "RewriteCond") {
            return unknown.is_none() && rewrite::check(row.name, &raw, self.gateway.modules.has("ssl") != Some(false)).is_err();
        }
        count(row, words).is_err() || compiles(row.name, words).is_err() || value::check(row.name, words, &raw, place).is_err()
    }

    /// What must be allowed for a line, and whether its words are refused where it is; or why it is refused whatever is allowed
    /// (`invoke_cmd`, `server/config.c`).
    fn need(&mut self, statement: &Statement) -> Result<(Needed, bool), &'static str> {
        let name = self.resolved.name(self.store, statement).to_ascii_lowercase();
        let rows = directives::directive(&name);
        let is_there = |row: &&Row| row.module == "core" || self.gateway.modules.has(row.module) != Some(false);
        let is_section = statement.kind == Kind::Begin;
        let mut allowed =
            rows.iter().filter(|row| row.is_section == is_section).filter(is_there).map(|row| row.allowed).peekable();
        // A module that is not httpd's own may have it.
        let foreign = self.gateway.modules.loaded.keys().any(|name| !directives::is_own_module(name));
        let known = self.gateway.modules.complete && !foreign;
        if allowed.peek().is_none() && (known || !rows.is_empty()) {
            return Err(UNKNOWN);
        }
        // Where only the manual is known, it is taken to be right.
        let classes: Box<[OverrideClass]> = match allowed.next().flatten() {
            Some(allowed) => allowed.classes().collect(),
            None => OverrideClass::ALL.into(),
        };
        if classes.is_empty() {
            return Err(FORBIDDEN);
        }
        let words = self.resolved.words(self.store, statement);
        let row = rows.iter().find(|row| row.is_section == is_section);
        let is_known = words.iter().all(|word| word.unknown.is_none());
        let is_faulty = is_known && row.is_some_and(|row| self.is_refused(row, &words, statement));
        Ok((Needed { span: statement.span(self.store), classes, name: self.gateway.texts.intern(&name) }, is_faulty))
    }
}
