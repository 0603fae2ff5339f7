//! How httpd processes a request, phase by phase (`ap_process_request_internal`, `request.c`).

mod admission;
mod areas;
mod backend;
mod errors;
mod handlers;
mod head;
mod headers;
mod host;
mod paths;
mod redirects;
mod rules;
mod served;
mod standing;
#[cfg(test)]
mod tests;
mod translate;
mod variables;
mod worker;

use super::{Client, Files};
use crate::facts::View;
use crate::gateway::{Area, Assumed, Covers, Gateway, Handler, Known, SiteId, Target, Unknown, host_and_port};
use crate::handshake::evaluate::{Environment, Notes};
use crate::handshake::request::Request;
use crate::handshake::send::{Changed, change_early};
use crate::handshake::site::Socket;
use crate::handshake::walk::{Because, Verdict};
use crate::handshake::{Chosen, Walk};
use crate::source::Span;

use areas::{Whereto, covering, setting};
use backend::{Asked, pass_on, unfit};
use paths::UNKNOWN_ROOT;
pub(in crate::handshake) use paths::escaped_in_location;

/// How often a request may be handled anew (`AP_DEFAULT_MAX_INTERNAL_REDIRECTS`).
const ROUNDS: usize = 10;

/// Follows the request of `client` through the site `chosen`.
pub(super) fn follow(view: &View<'_>, client: &Client, files: Files<'_>, chosen: Chosen) -> Walk {
    let walk = Walk::at_site(view, chosen);
    let notes = Notes { from: Some(client.from), reached: Some(client.socket.address), files: Some(files), ..Notes::default() };
    let mut course = Course {
        view,
        gateway: view.gateway,
        site: chosen.site,
        request: client.request.clone(),
        notes,
        walk,
        areas: Vec::new(),
        asked_in: None,
        lookups: 0,
        walked: None,
        rewrites: true,
        unreadable: None,
        is_nameless: false,
        kept: None,
        failed: None,
    };
    course.walk.verdict = match course.run(client.socket) {
        Ok(verdict) => verdict,
        Err(why) => {
            course.step(why.span(), why.reason(), true);
            Verdict::Unknown(why)
        }
    };
    course.say_what_is_assumed();
    course.walk
}

/// A request on its way.
struct Course<'a> {
    view: &'a View<'a>,
    gateway: &'a Gateway,
    site: SiteId,
    request: Request,
    notes: Notes<'a>,
    walk: Walk,
    /// The areas that count by now.
    areas: Vec<&'a Area>,
    /// The path and the areas by which the client was let in or not in the round before.
    asked_in: Option<(String, Vec<&'a Area>)>,
    /// How many requests were made on behalf of it.
    lookups: usize,
    /// The file whose directories were looked through, for it or for the one before.
    walked: Option<String>,
    /// Whether rules are carried out: none after one that ends them all.
    rewrites: bool,
    /// The status for a path that is not decoded.
    unreadable: Option<u16>,
    /// Whether what the client calls the host is no name.
    is_nameless: bool,
    /// The status that rules have left behind, which whatever is served then comes with.
    kept: Option<u16>,
    /// What went wrong, where a page is looked for that says so.
    failed: Option<Verdict>,
}

fn with_query(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

/// What one round of handling comes to.
enum Round {
    Done(Verdict),
    /// The request is handled anew with this path and query; `bool`: without rewriting.
    Again(String, Option<String>, bool),
}

/// What handles a request, with the areas that cover it; or what it comes to before anything handles it.
type Found<'a> = Result<(Vec<&'a Area>, Mapped), Round>;

/// Where a request is mapped to.
#[derive(Clone, Debug)]
enum Mapped {
    Backend(Asked),
    File(String),
    /// There is no document root that we know: the file, below what stands for it.
    Nowhere(String),
}

/// What is mapped to a file has the path that the file system gives it (`ap_directory_walk`, `apr_filepath_merge`).
fn canonical(mapped: Mapped) -> Mapped {
    match mapped {
        Mapped::File(file) => Mapped::File(paths::reduced(&file, true).unwrap_or(file)),
        Mapped::Nowhere(file) => Mapped::Nowhere(paths::reduced(&file, true).unwrap_or(file)),
        backend @ Mapped::Backend(_) => backend,
    }
}

impl<'a> Course<'a> {
    fn environment(&self) -> Environment<'_> {
        Environment {
            gateway: self.gateway,
            patterns: &self.view.patterns,
            request: &self.request,
            site: self.gateway.site(self.site),
            proxy: None,
            captures: None,
            condition_captures: None,
            notes: Some(&self.notes),
            followed: None,
        }
    }

    /// Says of which lines on the way it is only assumed that they count.
    fn say_what_is_assumed(&mut self) {
        let on_the_way =
            |assumed: &&Assumed| self.walk.because.iter().filter_map(|because| because.span).any(|span| assumed.covers(span));
        let said: Vec<Because> = (self.gateway.assumed.iter().filter(on_the_way))
            .map(|assumed| Because {
                span: Some(assumed.head),
                message: "is taken to hold: nothing here says whether it does".into(),
                culprit: false,
            })
            .collect();
        self.walk.because.splice(0..0, said);
    }

    fn step(&mut self, span: Option<Span>, message: impl Into<String>, culprit: bool) {
        let message = message.into().replace(UNKNOWN_ROOT, "(unknown directory)").into();
        self.walk.because.push(Because { span, message, culprit });
    }

    fn answered(&mut self, status: u16, span: Span, message: impl Into<String>) -> Verdict {
        self.step(Some(span), message, true);
        Verdict::Answered { status, location: None }
    }

    fn run(&mut self, socket: Socket) -> Known<Verdict> {
        let site_areas = areas::of_site(self.gateway, self.site);
        let ends_tls = setting(&site_areas, |settings| settings.tls).unwrap_or(false);
        let span = self.gateway.site(self.site).span;
        match (ends_tls, self.request.tls) {
            (true, false) => return Ok(self.answered(400, span, "speaks TLS, and the client does not")),
            (false, true) => return Err(Unknown::Unmodelled(span)),
            _ => {}
        }
        let written = self.request.target.get_or_insert_with(|| with_query(&self.request.path, self.request.query.as_deref()));
        let raw = written.split(['?', '#']).next().unwrap_or_default().to_owned();
        match self.read_path(&raw) {
            Ok(path) => self.request.path = path,
            Err(status) => self.unreadable = Some(status),
        }
        let host = self.request.header(b"host").unwrap_or_default();
        self.notes.named_port = host_and_port(host).1.and_then(|port| port.parse().ok());
        self.notes.expects = self.request.header(b"expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        let mut refused = self.refused_head(socket)?;
        let site_areas = areas::of_site(self.gateway, self.site);
        self.is_nameless = !host::is_valid_in(&self.request, &site_areas);
        self.request.headers = change_early(&self.environment(), &areas::levels(&site_areas))?;
        self.notes.begun = true;
        self.notes.own_name = setting(&site_areas, |settings| settings.canonical_name).unwrap_or_default();
        self.notes.physical_port = setting(&site_areas, |settings| settings.physical_port).unwrap_or(false);
        for _ in 0..ROUNDS {
            let round = match refused.take() {
                Some(verdict) => Round::Done(verdict),
                None => self.round()?,
            };
            match round {
                Round::Done(verdict) => match self.instead_of(&verdict) {
                    Some(Round::Done(verdict)) => return Ok(verdict),
                    Some(Round::Again(path, query, _)) => {
                        self.failed = Some(verdict);
                        self.kept = None;
                        self.begin_anew(&path, query);
                    }
                    None => return Ok(self.after_failure(verdict)),
                },
                Round::Again(path, query, without_rules) => {
                    self.begin_anew(&path, query);
                    // What fails from then on is told as the status that stands there already (`ap_die_r`).
                    if let Some(status) = self.kept.take() {
                        self.failed.get_or_insert(Verdict::Answered { status, location: None });
                    }
                    self.rewrites &= !without_rules;
                }
            }
        }
        let verdict = self.answered(500, span, "the request was handled anew too often");
        Ok(self.after_failure(verdict))
    }

    /// The request is handled anew (`internal_internal_redirect`): its variables are told apart from those that are set then.
    fn begin_anew(&mut self, path: &str, query: Option<String>) {
        // The request line stays (`the_request`).
        if self.request.first_target.is_none() {
            self.request.first_target = Some(self.request.sent_target());
        }
        match self.read_path(path) {
            Ok(path) => self.request.path = path,
            Err(status) => {
                self.unreadable = Some(status);
                path.clone_into(&mut self.request.path);
            }
        }
        self.request.target = Some(with_query(path, query.as_deref()));
        self.request.query = query;
        if let Some(changed) = self.notes.changed.take() {
            self.request.headers = changed.headers;
        }
        for (name, _) in &mut self.notes.variables {
            name.insert_str(0, "REDIRECT_");
        }
    }

    /// Handles the request once.
    fn round(&mut self) -> Known<Round> {
        if std::mem::take(&mut self.is_nameless) {
            self.areas = areas::of_site(self.gateway, self.site);
            let span = self.gateway.site(self.site).span;
            return Ok(Round::Done(self.answered(400, span, "takes no request without a valid Host")));
        }
        // Nothing but the server itself counts where the path is refused, unless it is mapped before it is decoded.
        if let Some(status) = self.unreadable.take() {
            let early = covering(self.gateway, &self.environment(), self.site, Whereto::default())?;
            if self.mapped_undecoded(&early)?.is_none() {
                self.areas = areas::of_site(self.gateway, self.site);
                let span = self.gateway.site(self.site).span;
                return Ok(Round::Done(self.answered(status, span, "refuses the path")));
            }
        }
        let verdict = match self.look_up(0)? {
            Ok((areas, Mapped::Backend(asked))) => return Ok(Round::Done(self.pass(&areas, &asked)?)),
            Ok((areas, Mapped::File(file))) => self.serve(&areas, &file)?,
            Ok((areas, Mapped::Nowhere(file))) => self.serve_stock(&areas, &file)?,
            Err(Round::Done(verdict)) => verdict,
            Err(again) => return Ok(again),
        };
        Ok(Round::Done(match (self.kept, verdict) {
            (Some(status), Verdict::Answered { status: 200, location }) => Verdict::Answered { status, location },
            (_, verdict) => verdict,
        }))
    }

    /// Finds out what handles the request, which is the client's own where its `depth` is 0, and else on behalf of as many others.
    fn look_up(&mut self, depth: usize) -> Known<Found<'a>> {
        let own = depth == 0;
        let gateway = self.gateway;
        self.notes.file = None;
        self.notes.handler = None;
        self.notes.aliased = None;
        self.notes.is_subrequest = !own;
        let mut early = covering(gateway, &self.environment(), self.site, Whereto::default())?;
        let taken = self.mapped_undecoded(&early)?.map(|(asked, path)| {
            // It is not decoded any more.
            self.request.path = path;
            asked
        });
        if taken.is_some() {
            early = covering(gateway, &self.environment(), self.site, Whereto::default())?;
        }
        self.areas.clone_from(&early);
        self.notes.own_name = setting(&early, |settings| settings.canonical_name).unwrap_or_default();
        if own {
            self.assign_in_server(&early)?;
        }
        let mapped = match self.mapped_to(&early, taken, own)? {
            Ok(mapped) => canonical(mapped),
            Err(verdict) => return Ok(Err(Round::Done(verdict))),
        };
        let (file, url) = match &mapped {
            Mapped::Backend(asked) => (Some(format!("proxy:{}", asked.url)), Some(asked.url.clone())),
            Mapped::File(file) | Mapped::Nowhere(file) => (Some(file.clone()), None),
        };
        self.notes.file.clone_from(&file);
        let on_disk = file.as_deref().filter(|_| url.is_none()).map(|file| self.on_disk(file)).transpose()?;
        if let Some((file, there)) = file.as_deref().zip(on_disk.as_deref())
            && let Some(verdict) = self.note_file(file, there)
        {
            return Ok(Err(Round::Done(verdict)));
        }
        let walked = self.walked.take();
        self.walked = on_disk.as_ref().map(|file| self.walk_over(file, walked));
        let whereto = Whereto { file: on_disk.as_deref(), walked: self.walked.as_deref(), url: url.as_deref() };
        let areas = covering(gateway, &self.environment(), self.site, whereto)?;
        let areas = match areas::allowed(gateway, areas) {
            Ok(areas) => areas,
            Err((span, why)) => return Ok(Err(Round::Done(self.answered(500, span, why)))),
        };
        self.areas.clone_from(&areas);
        self.notes.own_name = setting(&areas, |settings| settings.canonical_name).unwrap_or_default();
        if own {
            self.assign_in_sections(&areas)?;
        }
        if let Some(verdict) = self.refused_in(&areas, own)? {
            return Ok(Err(Round::Done(verdict)));
        }
        // The order of fixups: `mod_rewrite`, `mod_proxy`, then `mod_env` and `mod_alias`, then `mod_headers` and `mod_dir`.
        let rewritten = self.rewrite_in_areas(&areas, mapped, !own)?;
        if let Ok(Mapped::Backend(asked)) = &rewritten
            && let Some(message) = unfit(self.gateway, asked)
        {
            return Ok(Err(Round::Done(self.answered(403, asked.span, message))));
        }
        self.assign_late(&areas)?;
        if !matches!(rewritten, Err(Round::Done(_)))
            && let Some(verdict) = self.redirected_in(&areas)?
        {
            return Ok(Err(Round::Done(verdict)));
        }
        let handler = areas.iter().rev().find_map(|area| Some((area.handler?, area.span)));
        let span = self.gateway.site(self.site).span;
        let named = |name| (Handler::Named(name), span);
        let handler = self.notes.handler.map(named).or(handler).or(self.notes.aliased.map(named));
        // Rules do not keep `mod_dir` from looking into a directory (`DirectoryCheckHandler Off`), and the query that they leave counts there.
        if let Err(Round::Again(_, query, _)) = &rewritten {
            self.request.query.clone_from(query);
        }
        if !matches!(rewritten, Err(Round::Done(_))) {
            let is_served = matches!(rewritten, Ok(Mapped::File(_) | Mapped::Nowhere(_)));
            let bare = is_served && matches!(handler, None | Some((Handler::Files, _)));
            let file = file.filter(|_| url.is_none());
            if let Some(found) = self.change_headers(&areas, file.as_deref(), bare, depth)? {
                return Ok(found);
            }
        }
        let mapped = match rewritten {
            Ok(mapped) => mapped,
            Err(round) => return Ok(Err(round)),
        };
        if let (Mapped::File(file) | Mapped::Nowhere(file), Some((Handler::Named(name), span))) = (&mapped, handler)
            && let Some(round) = self.handled_by(name, file, span)?
        {
            return Ok(Err(round));
        }
        let mapped = match (mapped, handler) {
            (Mapped::Backend(asked), _) => Mapped::Backend(asked),
            (Mapped::File(file) | Mapped::Nowhere(file), Some((Handler::Proxy(route), span))) => {
                let url = self.url_of(route, span, &self.request.path)?;
                // The file's path, as the server sees it, is what is sent (`proxy_handler`).
                let file = self.sent_file(&file)?;
                let query = self.request.query.clone();
                Mapped::Backend(Asked { route, url: format!("{url}{file}"), query, verbatim: false, span, as_handler: true })
            }
            (mapped, _) => mapped,
        };
        Ok(Ok((areas, mapped)))
    }

    /// `mod_headers`, and `mod_dir` before or after it: whichever is loaded first comes first (both are `APR_HOOK_LAST` among the fixups). What
    /// stands for the file, if anything does.
    fn change_headers(&mut self, areas: &[&'a Area], file: Option<&str>, bare: bool, depth: usize) -> Known<Option<Found<'a>>> {
        let order = self.gateway.modules.comes_first("headers", "dir");
        if order != Some(false) {
            self.notes.changed = Some(Changed::by(&self.environment(), areas::levels(areas))?);
        }
        let stands = file.map(|file| self.stand_in(areas, file, bare, depth)).transpose()?.flatten();
        let taken = match &stands {
            Some(Err(Round::Done(_))) => return Ok(stands),
            Some(Err(_)) => self.areas.clone(),
            Some(Ok((inner, _))) => inner.clone(),
            None => areas.to_vec(),
        };
        match order {
            Some(true) => {}
            Some(false) => self.notes.changed = Some(Changed::by(&self.environment(), areas::levels(&taken))?),
            None => {
                // It matters only where something else is passed on with other headers.
                let is_passed = matches!(stands, Some(Ok((_, Mapped::Backend(_)))));
                let is_same = |levels| Ok(Changed::by(&self.environment(), levels)?.headers == self.request.headers);
                if is_passed && !(is_same(areas::levels(areas))? && is_same(areas::levels(&taken))?) {
                    return Err(Unknown::Environment);
                }
            }
        }
        Ok(stands)
    }

    /// The file whose directories are looked through: that of the request before, where the file is one in the same directory
    /// (`ap_directory_walk`: "Well this looks really familiar!").
    fn walk_over(&self, file: &str, before: Option<String>) -> String {
        let directory = |file: &str| file.rfind('/').map_or(0, |at| at + 1);
        let is_same = |before: &String| before[..directory(before)] == file[..directory(file)];
        let before = before.filter(|before| is_same(before) && self.is_file());
        before.unwrap_or_else(|| file.to_owned())
    }

    /// The answer where the areas do not let the client in.
    fn refused_in(&mut self, areas: &[&'a Area], own: bool) -> Known<Option<Verdict>> {
        // Where the same areas count as in the round before, nobody is asked again (`ap_process_request_internal`): those of `<Proxy>` are
        // merged anew each time. A module that asks in the old way wants it done for every other path (`auth_internal_per_conf`).
        let every_path_is_asked = self.gateway.modules.has("allowmethods");
        let is_same = |(path, before): &(String, Vec<&'a Area>)| {
            (every_path_is_asked != Some(true) || *path == self.request.path)
                && before.len() == areas.len()
                && before.iter().zip(areas).all(|(one, other)| std::ptr::eq(*one, *other))
                && !areas.iter().any(|area| matches!(area.covers, Covers::Proxied(_)))
        };
        let asks = !own || !self.asked_in.as_ref().is_some_and(is_same);
        if own {
            self.asked_in = Some((self.request.path.clone(), areas.to_vec()));
        }
        if !asks {
            return Ok(None);
        }
        let Err(refused) = admission::admitted(&self.environment(), areas)? else { return Ok(None) };
        let message = match refused.status {
            401 => "asks for a password",
            405 => "does not let the method in",
            500 => "asks for a user, and AuthType, AuthName and Require do not say together how",
            _ => "does not let the client in",
        };
        Ok(Some(self.answered(refused.status, refused.span, message)))
    }

    /// What takes the request before it is decoded, else the rules where they are carried out, else the mappings.
    fn mapped_to(&mut self, early: &[&'a Area], taken: Option<Asked>, own: bool) -> Known<Result<Mapped, Verdict>> {
        if self.rewrites {
            return self.translate(early, taken, !own);
        }
        if let Some(asked) = taken {
            return Ok(Ok(self.takes_undecoded(asked)));
        }
        let asked = self.request.path.clone();
        self.map(early, &asked)
    }

    /// Passes the request on, with the areas that cover what it is passed to.
    fn pass(&mut self, areas: &[&'a Area], asked: &Asked) -> Known<Verdict> {
        self.walk.route = Some(asked.route);
        let route = self.gateway.route(asked.route);
        let environment = self.environment();
        let proxy = match &route.target {
            Target::Proxy(proxy) => Some(proxy),
            _ => None,
        };
        let environment = Environment { proxy, ..environment };
        let answer = pass_on(&environment, self.site, areas, asked)?;
        let culprit = !matches!(answer.verdict, Verdict::Upgraded { .. });
        if let Some((span, message)) = answer.because {
            self.step(Some(span), message, culprit);
        }
        self.walk.upstream_request = answer.sent;
        Ok(answer.verdict)
    }
}
