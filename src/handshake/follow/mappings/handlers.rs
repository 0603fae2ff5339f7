//! What handlers make of a request: `SetHandler` by name.

use super::served::in_tree;
use super::{Course, Round};
use crate::gateway::{Area, Handler, Known, TextId, Unknown};
use crate::source::Span;

/// What a name stands for.
enum Handles {
    /// A page, whatever the file is.
    Page,
    /// What the file says, where it is there.
    File,
    /// What a program says, if programs may be run there at all (`Options ExecCGI`).
    Program,
    /// Nothing: the file is served as it is (`default_handler`, `server/core.c`).
    Nothing,
}

impl Course<'_> {
    /// What the handler `name` answers; `None`: nothing handles requests by this name, and files are served.
    ///
    /// # Errors
    /// Where what is in a file decides.
    pub(super) fn handled_by(&mut self, name: TextId, file: &str, span: Span) -> Known<Option<Round>> {
        let files = self.notes.files.ok_or(Unknown::Environment)?;
        let is_there = || Ok(files(in_tree(&self.on_disk(file)?)).is_some());
        let (status, message) = match self.handles(name) {
            Handles::Nothing => return Ok(None),
            Handles::Page => (200, format!("the handler {} answers", self.gateway.texts.show(name))),
            Handles::Program => return Err(Unknown::Environment),
            Handles::File if is_there()? => return Err(Unknown::Environment),
            Handles::File => (404, format!("there is no file for the handler {}", self.gateway.texts.show(name))),
        };
        Ok(Some(Round::Done(self.answered(status, span, message))))
    }

    fn handles(&self, name: TextId) -> Handles {
        let has = |modules: &[&str]| modules.iter().any(|module| self.gateway.modules.has(module) != Some(false));
        let (modules, handles): (&[&str], _) = match self.gateway.texts.get(name) {
            b"server-status" => (&["status"], Handles::Page),
            b"server-info" => (&["info"], Handles::Page),
            b"balancer-manager" => (&["proxy_balancer"], Handles::Page),
            b"ldap-status" => (&["ldap"], Handles::Page),
            b"http2-status" => (&["http2"], Handles::Page),
            b"cgi-script" => (&["cgi", "cgid"], Handles::Program),
            b"send-as-is" => (&["asis"], Handles::File),
            b"type-map" => (&["negotiation"], Handles::File),
            b"lua-script" => (&["lua"], Handles::File),
            b"imap-file" => (&["imagemap"], Handles::File),
            b"fcgid-script" => (&["fcgid"], Handles::Program),
            b"wsgi-script" => (&["wsgi"], Handles::Program),
            b"perl-script" | b"modperl" => (&["perl"], Handles::Program),
            php if memchr::memmem::find(php, b"php").is_some() => (&["php", "php5", "php7"], Handles::File),
            _ => return Handles::Nothing,
        };
        if has(modules) { handles } else { Handles::Nothing }
    }

    /// Whether something is said to handle what the areas cover, even where nothing does by this name.
    pub(super) fn names_handler(&self, areas: &[&Area]) -> bool {
        let said = areas.iter().rev().find_map(|area| area.handler);
        self.notes.handler.is_some() || matches!(said, Some(Handler::Named(_)))
    }
}
