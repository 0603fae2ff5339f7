//! What is set for an area, or for a server as a whole, beside mappings, rewriting and access.

use super::Lowerer;
use super::expression::{expression, string};
use super::symbols::{captured, literal};
use crate::apache::refuse::integer;
use crate::apache::statement::{Statement, Word};
use crate::apache::values::switch;
use crate::gateway::{
    Alias, Assignment, EncodedSlashes, ErrorPage, Matcher, Merging, OverrideClass, OwnName, Part, Redirect, Settings, SymbolicId,
    TextId, Variable, Via, When,
};
use crate::source::Span;

impl Lowerer<'_> {
    /// A directive that sets something for the area that is open, or else for the server.
    pub(super) fn area_setting(&mut self, name: &[u8], statement: &Statement) {
        let span = statement.span(self.store);
        if let Some(set) = flag_setter(name) {
            let words = self.resolved.words(self.store, statement);
            if let Some(value) = words.first().and_then(|word| switch(&word.value)) {
                set(&mut self.here().settings, value, span);
            }
            return;
        }
        match name {
            b"documentroot" => self.document_root(statement),
            b"setenv"
            | b"unsetenv"
            | b"setenvif"
            | b"setenvifnocase"
            | b"browsermatch"
            | b"browsermatchnocase"
            | b"setenvifexpr" => self.variable(name, statement),
            b"redirect" | b"redirectmatch" | b"redirectpermanent" | b"redirecttemp" => self.area_redirect(name, statement),
            b"alias" | b"aliasmatch" | b"scriptalias" | b"scriptaliasmatch" => self.alias(name, statement),
            b"rewritebase" => self.rewrite_base(statement),
            b"proxyremote" | b"proxyremotematch" => self.here().settings.remote = Some(span),
            b"sslrequiressl" => self.here().settings.requires_tls = Some(span),
            _ => self.word_setting(name, statement, span),
        }
    }

    /// Settings that are words.
    fn word_setting(&mut self, name: &[u8], statement: &Statement, span: Span) {
        let first = |words: &[Word<'_>]| words.first().map(|word| word.value.to_ascii_lowercase()).unwrap_or_default();
        match name {
            b"allowencodedslashes" => {
                let words = self.resolved.words(self.store, statement);
                self.here().settings.encoded_slashes = match first(&words).as_slice() {
                    b"on" => Some(EncodedSlashes::Decoded),
                    b"off" => Some(EncodedSlashes::Refused),
                    b"nodecode" => Some(EncodedSlashes::Kept),
                    _ => return,
                };
            }
            b"httpprotocoloptions" => {
                for word in self.resolved.words(self.store, statement) {
                    match word.value.to_ascii_lowercase().as_slice() {
                        b"unsafe" => self.here().settings.any_host = Some(true),
                        b"strict" => self.here().settings.any_host = Some(false),
                        _ => {}
                    }
                }
            }
            b"sslproxyverify" => {
                let words = self.resolved.words(self.store, statement);
                self.here().settings.proxy_verify = Some((first(&words) == b"require", span));
            }
            b"sslproxycacertificatefile" | b"sslproxycacertificatepath" => {
                self.here().settings.proxy_authorities = Some(span);
            }
            b"allowmethods" => {
                let methods = self.texts_of(statement);
                self.here().settings.methods = Some((methods, span));
            }
            b"proxyblock" => {
                let hosts = self.texts_of(statement);
                self.here().settings.blocked.extend(hosts.iter().map(|&host| (host, span)));
            }
            b"proxyvia" => {
                let words = self.resolved.words(self.store, statement);
                self.here().settings.via = match first(&words).as_slice() {
                    b"on" => Some(Via::On),
                    b"full" => Some(Via::Full),
                    b"block" => Some(Via::Block),
                    _ => Some(Via::Off),
                };
            }
            b"proxymaxforwards" => self.here().settings.max_forwards = self.number(statement),
            b"limitrequestline" => self.here().settings.limits.line = self.number(statement).map(|most| (most, span)),
            b"limitrequestfields" => self.here().settings.limits.fields = self.number(statement).map(|most| (most, span)),
            b"limitrequestfieldsize" => self.here().settings.limits.field = self.number(statement).map(|most| (most, span)),
            b"directoryindex" => {
                // Several lines of a level add up, and `disabled` alone takes all back (`add_index`, `mod_dir.c`).
                let files = self.texts_of(statement);
                let before = self.here().settings.indexes.take().unwrap_or_default();
                let is_off = files.len() == 1 && self.gateway.texts.get(files[0]).eq_ignore_ascii_case(b"disabled");
                let all = if is_off { Vec::new() } else { before.into_iter().chain(files).collect() };
                self.here().settings.indexes = Some(all.into());
            }
            b"fallbackresource" => {
                let files = self.texts_of(statement);
                self.here().settings.fallback = files.first().map(|&file| (file, span));
            }
            b"errordocument" => self.error_document(statement),
            b"usecanonicalname" => {
                let words = self.resolved.words(self.store, statement);
                self.here().settings.canonical_name = Some(match first(&words).as_slice() {
                    b"on" => OwnName::Written,
                    b"dns" => OwnName::LookedUp,
                    _ => OwnName::Asked,
                });
            }
            b"acceptpathinfo" => {
                let words = self.resolved.words(self.store, statement);
                self.here().settings.path_info = Some(first(&words) == b"on");
            }
            b"authmerging" => {
                let words = self.resolved.words(self.store, statement);
                self.here().settings.merging = match first(&words).as_slice() {
                    b"off" => Some(Merging::Off),
                    b"and" => Some(Merging::And),
                    b"or" => Some(Merging::Or),
                    _ => return,
                };
            }
            b"options" => self.options(statement),
            b"allowoverride" | b"allowoverridelist" => self.overrides(name, statement),
            b"authname" => self.here().settings.realm = Some(true),
            b"authtype" => {
                let words = self.texts_of(statement);
                self.here().settings.password = words.first().map(|&kind| (kind, span));
            }
            b"directoryindexredirect" => self.index_redirect(statement),
            b"require" | b"order" | b"allow" | b"deny" | b"satisfy" => {
                self.access_line(name, statement, &super::section::Inside::default());
            }
            _ => {}
        }
    }

    /// `DirectoryIndexRedirect status` (`configure_redirect`, `mod_dir.c`).
    fn index_redirect(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let word = words.first().map(|word| word.value.to_ascii_lowercase()).unwrap_or_default();
        self.here().settings.index_redirect = Some(match word.as_slice() {
            b"on" | b"temp" => Some(302),
            b"off" => None,
            b"permanent" => Some(301),
            b"seeother" => Some(303),
            word => str::from_utf8(word).ok().and_then(|word| word.parse().ok()),
        });
    }

    /// The number that a directive has; `None`: it is below 0 or not known.
    fn number(&self, statement: &Statement) -> Option<u64> {
        let words = self.resolved.words(self.store, statement);
        let word = words.first().filter(|word| word.unknown.is_none())?;
        u64::try_from(integer(&word.value)).ok()
    }

    /// `ErrorDocument status page` (`set_error_document`, `server/core.c`).
    fn error_document(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let [status, page] = words.as_slice() else { return };
        let Some(status) = str::from_utf8(&status.value).ok().and_then(|status| status.parse().ok()) else { return };
        let text = self.gateway.texts.intern(&page.value);
        let page = if page.value.starts_with(b"/") {
            ErrorPage::Path(text)
        } else if memchr::memmem::find(&page.value, b"://").is_some() {
            ErrorPage::Elsewhere(text)
        } else {
            ErrorPage::Text
        };
        self.here().settings.error_pages.push((status, page));
    }

    fn overrides(&mut self, name: &[u8], statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let names: Vec<TextId> = words.iter().map(|word| self.gateway.texts.intern_lower(&word.value)).collect();
        let overrides = self.here().settings.overrides.get_or_insert_default();
        if name == b"allowoverridelist" {
            overrides.names =
                if words.first().is_some_and(|word| word.value.eq_ignore_ascii_case(b"none")) { Vec::new() } else { names };
            return;
        }
        overrides.all = false;
        overrides.classes.clear();
        overrides.passes_forbidden = false;
        overrides.passes_unknown = false;
        for word in words {
            match word.value.to_ascii_lowercase().as_slice() {
                b"all" => overrides.all = true,
                b"authconfig" => overrides.classes.push(OverrideClass::Authentication),
                b"fileinfo" => overrides.classes.push(OverrideClass::FileInfo),
                b"indexes" => overrides.classes.push(OverrideClass::Indexes),
                b"limit" => overrides.classes.push(OverrideClass::Hosts),
                word if word.starts_with(b"options") => overrides.classes.push(OverrideClass::Options),
                word => {
                    let what = word.strip_prefix(b"nonfatal=").unwrap_or_default();
                    overrides.passes_forbidden |= matches!(what, b"override" | b"all");
                    overrides.passes_unknown |= matches!(what, b"unknown" | b"all");
                }
            }
        }
    }

    fn texts_of(&mut self, statement: &Statement) -> Box<[TextId]> {
        let words = self.resolved.words(self.store, statement);
        words.iter().map(|word| self.gateway.texts.intern(&word.value)).collect()
    }

    /// `Options`: of those that matter here. Without signs the list replaces what was set.
    fn options(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let replaces = words.iter().any(|word| !matches!(word.value.first(), Some(b'+' | b'-')));
        let settings = &mut self.here().settings;
        if replaces {
            settings.listing = Some(false);
            settings.follow_links = Some(false);
        }
        for word in words {
            let (on, name) = match word.value.split_first() {
                Some((b'-', name)) => (false, name),
                Some((b'+', name)) => (true, name),
                _ => (true, &*word.value),
            };
            match name.to_ascii_lowercase().as_slice() {
                b"indexes" => settings.listing = Some(on),
                b"followsymlinks" | b"symlinksifownermatch" => settings.follow_links = Some(on),
                b"all" => {
                    settings.listing = Some(on);
                    settings.follow_links = Some(on);
                }
                _ => {}
            }
        }
    }

    fn document_root(&mut self, statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let Some(word) = words.first() else { return };
        let path = match word.unknown {
            Some(why) => Err(why),
            None => Ok(self.gateway.texts.intern(&self.resolved.below_root(&word.value))),
        };
        self.here().settings.document_root = Some(path);
    }

    /// `SetEnv name [value]`, `SetEnvIf attribute pattern [!]name[=value] …` and their kin (`mod_setenvif.c`).
    fn variable(&mut self, name: &[u8], statement: &Statement) {
        let span = statement.span(self.store);
        let words = self.resolved.words(self.store, statement);
        let unknown = words.iter().find_map(|word| word.unknown);
        if matches!(name, b"setenv" | b"unsetenv") {
            let Some((variable, rest)) = words.split_first() else { return };
            let value = rest.first().map(|word| word.value.clone()).unwrap_or_default();
            let value = literal(&mut self.gateway, &value);
            let when = unknown.map_or(When::Always, When::Unknown);
            let name_of = self.gateway.texts.intern(&variable.value);
            let value = (name == b"setenv").then_some(value);
            self.here().variables.push(Assignment { span, when, name: name_of, value, late: true });
            return;
        }
        let ignore_case = name.ends_with(b"nocase");
        let (when, assignments) = match (name, words.as_slice()) {
            (b"setenvifexpr", [condition, rest @ ..]) => {
                (When::Condition(expression(&mut self.gateway, &condition.value, span)), rest)
            }
            (b"browsermatch" | b"browsermatchnocase", [pattern, rest @ ..]) => {
                let header = self.gateway.texts.intern(b"user-agent");
                let subject = self.gateway.symbolics.intern(&[Part::Variable(Variable::RequestHeader(header))]);
                (self.matches(subject, pattern, ignore_case), rest)
            }
            (_, [attribute, pattern, rest @ ..]) => {
                let subject = self.attribute(&attribute.value);
                (self.matches(subject, pattern, ignore_case), rest)
            }
            _ => return,
        };
        let when = unknown.map_or(when, When::Unknown);
        for word in assignments {
            let text = &*word.value;
            let (name, value) = if let Some(name) = text.strip_prefix(b"!") {
                (name, None)
            } else {
                let equals = memchr::memchr(b'=', text);
                let (name, value) = equals.map_or((text, &b"1"[..]), |at| (&text[..at], &text[at + 1..]));
                (name, Some(captured(&mut self.gateway, value)))
            };
            let name = self.gateway.texts.intern(name);
            self.here().variables.push(Assignment { span, when: when.clone(), name, value, late: false });
        }
    }

    fn matches(&mut self, subject: SymbolicId, pattern: &Word<'_>, ignore_case: bool) -> When {
        When::Matches { subject, pattern: self.gateway.texts.intern(&pattern.value), ignore_case }
    }

    /// What `SetEnvIf` tests: a property of the request, else a variable that is set, else a header; all but headers by their case.
    fn attribute(&mut self, name: &[u8]) -> SymbolicId {
        let variable = match name.to_ascii_lowercase().as_slice() {
            b"remote_addr" | b"remote_host" => Variable::ClientAddress,
            b"request_uri" => Variable::Path,
            b"request_method" => Variable::Method,
            b"request_protocol" => return literal(&mut self.gateway, b"HTTP/1.1"),
            b"server_addr" => Variable::ServerAddress,
            // A pattern over the names of headers.
            lower if lower.iter().any(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_')) => {
                Variable::RequestHeaderLike(self.gateway.texts.intern(name))
            }
            lower => {
                let id = self.gateway.texts.intern(name);
                let is_variable = self
                    .servers
                    .iter()
                    .flat_map(|server| &server.areas)
                    .flat_map(|area| &area.variables)
                    .any(|set| set.name == id);
                if is_variable { Variable::Process(id) } else { Variable::RequestHeader(self.gateway.texts.intern(lower)) }
            }
        };
        self.gateway.symbolics.intern(&[Part::Variable(variable)])
    }

    /// `Redirect` and its kin, as the area carries them out.
    fn area_redirect(&mut self, name: &[u8], statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let in_area = self.area_mut().is_some();
        let (status, words) = super::setting::redirect_words(name, &words, in_area);
        let span = statement.span(self.store);
        let is_match = name == b"redirectmatch";
        let (path, target) = match words {
            [path, target] => (Some(path), Some(target)),
            // Behind a status that is no redirect stands a path (`add_redirect_internal`).
            [one] if in_area && (300..400).contains(&status) => (None, Some(one)),
            [one] => (Some(one), None),
            _ => (None, None),
        };
        let matcher = path.map(|path| self.path_matcher(path, is_match));
        let target = target.map(|word| match word.unknown {
            Some(why) => super::symbols::unknown(&mut self.gateway, why),
            None if is_match => captured(&mut self.gateway, &word.value),
            // In a section without a path it is an expression (`add_redirect_internal`).
            None if in_area && path.is_none() => string(&mut self.gateway, &word.value, span),
            None => literal(&mut self.gateway, &word.value),
        });
        self.here().redirects.push(Redirect { span, matcher, status, target });
    }

    fn path_matcher(&mut self, word: &Word<'_>, is_match: bool) -> Matcher {
        let text = self.gateway.texts.intern(&word.value);
        match word.unknown {
            Some(why) => Matcher::Unknown(why),
            None if is_match => Matcher::Pattern { pattern: text, ignore_case: false },
            None => Matcher::Segments(text),
        }
    }

    /// `Alias` and its kin.
    fn alias(&mut self, name: &[u8], statement: &Statement) {
        let words = self.resolved.words(self.store, statement);
        let (path, target) = match words.as_slice() {
            [path, target] => (Some(path), target),
            [target] => (None, target),
            _ => return,
        };
        let span = statement.span(self.store);
        let is_match = name.ends_with(b"match");
        let matcher = path.map(|path| self.path_matcher(path, is_match));
        let target = match target.unknown {
            Some(why) => super::symbols::unknown(&mut self.gateway, why),
            // In a section it is an expression (`add_alias_internal`, `mod_alias.c`).
            None if path.is_none() => string(&mut self.gateway, &target.value, span),
            None if is_match => captured(&mut self.gateway, &target.value),
            None => literal(&mut self.gateway, &target.value),
        };
        let handler = name.starts_with(b"script").then(|| self.gateway.texts.intern(b"cgi-script"));
        self.here().aliases.push(Alias { span, matcher, target, handler });
    }
}

/// What a directive that is on or off sets.
fn flag_setter(name: &[u8]) -> Option<fn(&mut Settings, bool, Span)> {
    Some(match name {
        b"mergeslashes" => |settings, on, _| settings.merge_slashes = Some(on),
        b"sslengine" => |settings, on, _| settings.tls = Some(on),
        b"sslproxyengine" => |settings, on, _| settings.proxy_tls = Some(on),
        b"proxyaddheaders" => |settings, on, _| settings.add_headers = Some(on),
        b"proxyrequests" => |settings, on, span| settings.forward_proxy = Some((on, span)),
        b"proxywebsocketfallbacktoproxyhttp" => |settings, on, span| settings.http_tunnels = Some((on, span)),
        b"aliaspreservepath" => |settings, on, _| settings.keeps_path = Some(on),
        b"directoryslash" => |settings, on, _| settings.slash = Some(on),
        b"stricthostcheck" => |settings, on, span| settings.strict_host = Some((on, span)),
        b"checkspelling" => |settings, on, _| settings.spelling = Some(on),
        b"usecanonicalphysicalport" => |settings, on, _| settings.physical_port = Some(on),
        _ => return None,
    })
}
