//! The walk: directive by directive, each read in the context of the block around it.

use super::line::Line;
use super::{Context, Frame, Level, Lowerer, Snippet};
use crate::gateway::{Definition, Matcher, Route, RouteId, ScopeId, Signal, SiteId, Target, Unknown};
use crate::nginx::directives;
use crate::source::{SourceId, Span};
use crate::tree::{Shape, TokenId, TokenKind, nesting};

impl<'a> Lowerer<'a> {
    /// Reads everything that the frames hold.
    pub(super) fn walk(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            let source = frame.source;
            let (tree, bytes) = (self.store.tree(source), self.store.sources.get(source).bytes());
            let Some(id) = frame.children.next() else {
                let (gap, end) = (frame.gap, frame.end);
                self.gap(source, gap, end);
                self.inside();
                self.end_frame();
                continue;
            };
            let directive = tree.directive(id);
            let gap = std::mem::replace(&mut frame.gap, directive.end);
            self.gap(source, gap, directive.name);
            if self.budget == 0 {
                let line = Line::new(source, tree, bytes, id);
                self.gateway.partial.get_or_insert(Unknown::MissingInclude(line.span()));
                self.frames.clear();
                break;
            }
            self.budget -= 1;
            self.directive(Line::new(source, tree, bytes, id));
        }
        while self.close_level() {}
    }

    /// Reads a file, and after it the files of the same include.
    pub(super) fn push_file(&mut self, source: SourceId, rest: Option<&'a [SourceId]>) {
        let tree = self.store.tree(source);
        let end = TokenId(u32::try_from(tree.tokens().len()).unwrap_or(u32::MAX));
        self.frames.push(Frame { source, children: tree.children(None), gap: TokenId(0), end, files: rest });
    }

    /// Reads the block of a directive, whose level was opened.
    fn push_block(&mut self, line: Line<'a>) {
        let directive = line.tree.directive(line.id);
        let gap = TokenId(directive.head_end.0 + 1);
        self.frames.push(Frame {
            source: line.source,
            children: line.tree.children(Some(line.id)),
            gap,
            end: directive.end,
            files: None,
        });
    }

    fn end_frame(&mut self) {
        match self.frames.pop().and_then(|frame| frame.files) {
            None => {
                self.close_level();
            }
            Some([next, rest @ ..]) => self.push_file(*next, Some(rest)),
            Some([]) => {}
        }
    }

    /// Looks at the tokens between two directives: comments, and template holes.
    fn gap(&mut self, source: SourceId, from: TokenId, to: TokenId) {
        let (tree, bytes) = (self.store.tree(source), self.store.sources.get(source).bytes());
        if from.0 + 1 == to.0 && self.above.is_empty() && tree.token(from).kind == TokenKind::Blank {
            return;
        }
        // A comment that begins behind something on its line belongs to what stands before it.
        let mut own_line = from.0 == 0;
        for token in (from.0..to.0).map(TokenId) {
            let kind = tree.token(token).kind;
            match kind {
                TokenKind::Blank => {
                    let lines = memchr::memchr_iter(b'\n', tree.text(token, bytes)).take(2).count();
                    own_line |= lines > 0;
                    if lines > 1 {
                        self.inside();
                    }
                }
                TokenKind::Comment | TokenKind::Hole | TokenKind::Tag => {
                    let range = tree.range(token);
                    let span = Span::new(source, range.start, range.end);
                    match kind {
                        TokenKind::Comment => {
                            self.above.extend(Signal::of(tree.text(token, bytes), span, is_directive));
                            if !own_line {
                                self.inside();
                            }
                        }
                        TokenKind::Hole => self.hidden(Unknown::TemplateHole(span)),
                        // Either branch may be the one that is used.
                        _ => {
                            self.gateway.partial.get_or_insert(Unknown::TemplateHole(span));
                            self.pass_tag(tree.text(token, bytes), span);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Passes a tag of a template.
    fn pass_tag(&mut self, tag: &[u8], span: Span) {
        let Some(Level { branch, .. }) = self.levels.last_mut() else { return };
        branch.open = branch.open.saturating_add_signed(nesting(tag));
        branch.tag = Some(span);
    }

    /// The comments seen last speak of the block that we are in, while no block stood in it.
    fn inside(&mut self) {
        if self.above.is_empty() {
            return;
        }
        if let Some(Level { context: Context::Location(route), nested: false, .. }) = self.levels.last() {
            self.gateway.routes[route.0 as usize].signals.append(&mut self.above);
        }
        self.above.clear();
    }

    /// Something may stand in the innermost block that we do not see.
    fn hidden(&mut self, why: Unknown) {
        self.gateway.partial.get_or_insert(why);
        let Some(level) = self.levels.last_mut() else { return };
        match &mut level.context {
            Context::Upstream(id) => {
                self.gateway.upstreams[id.0 as usize].partial.get_or_insert(why);
            }
            Context::Map(map) => {
                map.map.partial.get_or_insert(why);
            }
            Context::Main | Context::Http | Context::Server(_) | Context::ServerIf | Context::Location(_) => {
                level.builder.open.get_or_insert(why);
            }
        }
    }

    fn directive(&mut self, line: Line<'a>) {
        if line.shape() != Shape::Block {
            self.inside();
        }
        if line.is_holed() && !matches!(self.levels.last(), Some(Level { context: Context::Map(_), .. })) {
            return self.hidden(Unknown::TemplateHole(line.name_word().span));
        }
        if line.name() == b"include" && line.shape() == Shape::Simple {
            return self.include(line);
        }
        let Some(level) = self.levels.last_mut() else { return };
        match &mut level.context {
            Context::Main => self.in_main(line),
            Context::Http => self.in_http(line),
            Context::Server(id) => {
                let id = *id;
                self.in_server(id, line);
            }
            Context::ServerIf => self.in_server_if(line),
            Context::Location(id) => {
                let id = *id;
                self.in_location(id, line);
            }
            Context::Upstream(id) => {
                let id = *id;
                self.upstream_line(id, line);
            }
            Context::Map(_) => {
                if let Some(Level { context: Context::Map(mut map), scope, builder, nested, opened_by, branch }) =
                    self.levels.pop()
                {
                    self.map_row(&mut map, line);
                    self.levels.push(Level { context: Context::Map(map), scope, builder, nested, opened_by, branch });
                }
            }
        }
        self.above.clear();
    }

    fn in_main(&mut self, line: Line<'a>) {
        match (line.name(), line.shape()) {
            (b"http", Shape::Block) => {
                self.open_scope_level(Context::Http, line.span());
                self.push_block(line);
            }
            (b"events", Shape::Block) => {
                for id in line.tree.children(Some(line.id)) {
                    self.capacity(line.other(id));
                }
            }
            (b"worker_rlimit_nofile" | b"worker_shutdown_timeout", _) => self.capacity(line),
            (b"load_module", _) => {
                if let Some(file) = line.word(0) {
                    let path = file.value();
                    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(&path);
                    let name = name.strip_suffix(b".so").unwrap_or(name);
                    let name = name.strip_suffix(b"_module").unwrap_or(name);
                    let name = name.strip_prefix(b"ngx_").unwrap_or(name);
                    let name = String::from_utf8_lossy(name).into_owned();
                    self.gateway.modules.loaded.insert(name, Some(line.span()));
                    self.gateway.modules.last = Some(line.span());
                }
            }
            _ => {}
        }
    }

    fn in_http(&mut self, line: Line<'a>) {
        match (line.name(), line.shape()) {
            (b"server", Shape::Block) => {
                self.open_site(line.span());
                self.push_block(line);
            }
            (b"upstream", Shape::Block) => {
                if let Some(id) = self.open_upstream(line) {
                    self.open_level(Context::Upstream(id));
                    self.push_block(line);
                }
            }
            (b"map" | b"geo" | b"split_clients", Shape::Block) => {
                if let Some(map) = self.open_map(line) {
                    self.open_level(Context::Map(Box::new(map)));
                    self.push_block(line);
                }
            }
            _ => self.in_any(line),
        }
    }

    fn in_server(&mut self, site: SiteId, line: Line<'a>) {
        match (line.name(), line.shape()) {
            (b"location", Shape::Block) => self.location(site, line),
            (b"if", Shape::Block) => {
                self.open_level(Context::ServerIf);
                self.begin_if(line);
                self.push_block(line);
            }
            (b"listen", _) => {
                if let Some(listen) = self.listen(line) {
                    self.gateway.sites[site.0 as usize].listens.push(listen);
                }
            }
            (b"server_name", _) => {
                for word in line.words() {
                    let name = self.server_name(word);
                    self.gateway.sites[site.0 as usize].names.push(name);
                }
            }
            _ => self.in_any(line),
        }
    }

    fn in_server_if(&mut self, line: Line<'a>) {
        self.step(line);
        self.definition(line);
    }

    fn in_location(&mut self, route: RouteId, line: Line<'a>) {
        match (line.name(), line.shape()) {
            (b"location", Shape::Block) => {
                let site = self.gateway.route(route).site;
                self.location(site, line);
            }
            (b"if" | b"limit_except", Shape::Block) => {
                self.mark_nested();
                let site = self.gateway.route(route).site;
                let inner = self.open_route(site, Matcher::Conditional, line.span());
                if line.name() == b"if" {
                    self.begin_if(line);
                } else {
                    self.begin_limit_except(line, inner);
                }
                self.push_block(line);
            }
            _ => {
                if !self.target(route, line) {
                    self.in_any(line);
                }
            }
        }
    }

    /// What may stand in `http`, `server` and `location` alike.
    fn in_any(&mut self, line: Line<'a>) {
        let mut entries = std::mem::take(&mut self.entries);
        let sets = self.settings(line, &mut entries);
        if let Some(level) = self.levels.last_mut() {
            entries.drain(..).for_each(|entry| level.builder.push(entry));
        }
        self.entries = entries;
        if !sets {
            self.step(line);
            self.definition(line);
        }
    }

    /// The variable that a directive defines, where it does. That it is defined at all is known since the names were collected.
    fn definition(&mut self, line: Line<'a>) {
        let name = line.name();
        let word = match name {
            b"set" => line.word(0),
            b"geo" => line.words().last(),
            b"split_clients" => line.word(1),
            _ if name.ends_with(b"_set") || name.starts_with(b"set_") || name == b"js_var" => line.word(0),
            _ => None,
        };
        let Some(word) = word.filter(|word| !word.is_holed()) else { return };
        let value = word.value();
        let Some(variable) = value.strip_prefix(b"$") else { return };
        let variable = self.gateway.texts.intern_lower(variable);
        let assigned = if name == b"set" { line.word(1).map(|value| self.symbolic(value)) } else { None };
        let definition = self.gateway.variables.entry(variable);
        match assigned {
            Some(value) => {
                if let Definition::Assigned(rows) = definition.or_insert_with(|| Definition::Assigned(Vec::new())) {
                    rows.push((value, line.span()));
                }
            }
            // Whatever else assigns it, code or a subrequest does too.
            None => drop(definition.insert_entry(Definition::Opaque(line.span()))),
        }
    }

    fn location(&mut self, site: SiteId, line: Line<'a>) {
        self.mark_nested();
        let matcher = self.matcher(line);
        let route = self.open_route(site, matcher, line.span());
        self.gateway.routes[route.0 as usize].signals.append(&mut self.above);
        self.push_block(line);
    }

    fn mark_nested(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.nested = true;
        }
    }

    /// A route as the innermost level.
    pub(super) fn open_route(&mut self, site: SiteId, matcher: Matcher, span: Span) -> RouteId {
        let parent = match self.levels.last() {
            Some(Level { context: Context::Location(route), .. }) => Some(*route),
            _ => None,
        };
        let id = RouteId(u32::try_from(self.gateway.routes.len()).unwrap_or(u32::MAX));
        let scope = self.open_scope_level(Context::Location(id), span);
        self.gateway.routes.push(Route {
            site,
            parent,
            matcher,
            span,
            target: Target::Files,
            scope,
            signals: Vec::new(),
            requires: Vec::new(),
        });
        id
    }

    /// Expands an include, or takes its settings where it was read before and only sets things.
    fn include(&mut self, line: Line<'a>) {
        let resolved = self.resolved;
        let include = resolved.include(line.source, line.id, line.span());
        if let Some(why) = include.hides {
            self.hide_include(line, why);
        }
        let in_scope = matches!(self.levels.last(), Some(Level { context: Context::Server(_) | Context::Location(_), .. }));
        if let ([file], true) = (include.files, in_scope)
            && let Some(snippet) = self.snippet(*file)
        {
            if let Some(level) = self.levels.last_mut() {
                level.builder.share(snippet.run, &mut self.gateway.scopes);
                level.builder.open = level.builder.open.or(snippet.open);
            }
            self.above = snippet.signals;
            self.inside();
            return;
        }
        if let [first, rest @ ..] = include.files {
            self.push_file(*first, Some(rest));
        }
    }

    /// Files that we do not see. A pattern in `http` or outside of it brings whole sites, and seldom settings for all others.
    fn hide_include(&mut self, line: Line<'a>, why: Unknown) {
        let is_pattern = line.word(0).is_some_and(|word| crate::project::has_glob(word.text));
        let outer = matches!(self.levels.last(), Some(Level { context: Context::Main | Context::Http, .. }));
        if is_pattern && outer {
            self.gateway.partial.get_or_insert(why);
        } else {
            self.hidden(why);
        }
    }

    /// The settings of a file, where it does nothing but set things.
    fn snippet(&mut self, file: SourceId) -> Option<Snippet> {
        if let Some(known) = self.snippets.get(&file) {
            return known.clone();
        }
        let (tree, bytes) = (self.store.tree(file), self.store.sources.get(file).bytes());
        let lines = || tree.children(None).map(|id| Line::new(file, tree, bytes, id));
        let only_sets = lines().all(|line| line.shape() == Shape::Simple && !line.is_holed() && !does_more(line.name()));
        let whole = !tree.tokens().any(|token| matches!(token.kind, TokenKind::Hole | TokenKind::Tag));
        let snippet = (only_sets && whole).then(|| {
            let mut entries = Vec::new();
            for line in lines() {
                if !self.settings(line, &mut entries) {
                    self.definition(line);
                }
            }
            let comments = (0u32..).map(TokenId).zip(tree.tokens()).filter(|(_, token)| token.kind == TokenKind::Comment);
            let signals = comments
                .filter_map(|(id, _)| {
                    let range = tree.range(id);
                    Signal::of(tree.text(id, bytes), Span::new(file, range.start, range.end), is_directive)
                })
                .collect();
            Snippet { run: self.gateway.scopes.store(&entries), open: None, signals }
        });
        self.snippets.insert(file, snippet.clone());
        snippet
    }

    /// A level without settings of its own kind.
    fn open_level(&mut self, context: Context) {
        self.levels.push(Level::new(context, None));
    }

    /// A level that can hold settings, inside of the innermost one that can.
    pub(super) fn open_scope_level(&mut self, context: Context, span: Span) -> ScopeId {
        let parent = self.levels.iter().rev().find_map(|level| level.scope);
        let scope = self.gateway.scopes.open(parent, span);
        let builder = self.spare.pop().unwrap_or_default();
        self.levels.push(Level { builder, ..Level::new(context, Some(scope)) });
        scope
    }

    /// Closes the innermost level. Returns whether there was one.
    fn close_level(&mut self) -> bool {
        let Some(level) = self.levels.pop() else { return false };
        let last = RouteId(u32::try_from(self.gateway.routes.len()).unwrap_or(u32::MAX).wrapping_sub(1));
        if let Some(scope) = level.scope {
            self.spare.push(self.gateway.scopes.close(scope, level.builder));
            if let Some(program) = self.gateway.programs.get_mut(scope) {
                program.steps.shrink_to_fit();
            }
        } else if let Some(why) = level.builder.open {
            self.gateway.partial.get_or_insert(why);
        }
        match level.context {
            Context::Map(map) => self.close_map(*map),
            Context::Upstream(id) => self.gateway.upstreams[id.0 as usize].members.shrink_to_fit(),
            Context::Server(site) => {
                let end = u32::try_from(self.gateway.routes.len()).unwrap_or(u32::MAX);
                let site = &mut self.gateway.sites[site.0 as usize];
                site.routes.end = end;
                site.listens.shrink_to_fit();
                site.names.shrink_to_fit();
            }
            // A condition that passes nothing on is no route of its own. It is the last one: no location stands in it.
            Context::Location(route) if route == last && matches!(self.gateway.route(route).matcher, Matcher::Conditional) => {
                let own = matches!(self.gateway.route(route).target, Target::Proxy(_) | Target::Unknown(_)).then_some(route);
                if own.is_none() {
                    self.gateway.routes.pop();
                }
                self.end_condition(level.opened_by, level.scope, own);
            }
            Context::Location(route) => self.end_location(route),
            Context::ServerIf => self.end_condition(level.opened_by, None, None),
            _ => {}
        }
        true
    }

    /// Ends an `if` or `limit_except`: `own` is its route, where it passes requests on itself.
    fn end_condition(&mut self, opened_by: Option<(ScopeId, usize)>, scope: Option<ScopeId>, own: Option<RouteId>) {
        match (opened_by, scope) {
            (Some((owner, at)), _) => self.end_if(owner, at, own),
            (None, Some(scope)) => {
                // Its level stands in that of the location whose program names it.
                let owner = self.gateway.scopes.get(scope).parent;
                if let Some(limit) = owner.and_then(|owner| self.gateway.programs.get_mut(owner)?.limit_except.as_mut()) {
                    limit.route = own;
                }
            }
            (None, None) => {}
        }
    }
}

/// Whether a directive does more than set something: it makes sites, routes or targets, or brings other files.
fn does_more(name: &[u8]) -> bool {
    name.ends_with(b"_pass")
        || matches!(
            name,
            b"include"
                | b"listen"
                | b"server_name"
                | b"server"
                | b"ssl"
                | b"return"
                | b"rewrite"
                | b"set"
                | b"break"
                | b"try_files"
                | b"js_content"
                | b"perl"
                | b"stub_status"
                | b"empty_gif"
                | b"content_by_lua"
                | b"content_by_lua_file"
                | b"passenger_enabled"
        )
        || name.starts_with(b"echo")
        || directives::holds_lua(name)
}

/// Whether a comment's text is a line that was taken out.
fn is_directive(text: &[u8]) -> bool {
    text.ends_with(b";") || text.ends_with(b"{")
}
