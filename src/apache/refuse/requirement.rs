//! `Require` and the containers around it (`mod_authz_core.c`, `mod_authz_host.c`).

use super::value::is_method;
use super::{Checker, Line, Refused, escaped};
use crate::apache::expression::{self, is_network};
use crate::apache::statement::Statement;
use crate::apache::words::required_expression;
use crate::gateway::Fault;

/// What may be required, and the modules that know it.
const PROVIDERS: [(&str, &str); 18] = [
    ("all", "authz_core"),
    ("env", "authz_core"),
    ("method", "authz_core"),
    ("expr", "authz_core"),
    ("ip", "authz_host"),
    ("host", "authz_host"),
    ("forward-dns", "authz_host"),
    ("local", "authz_host"),
    ("user", "authz_user"),
    ("valid-user", "authz_user"),
    ("group", "authz_groupfile"),
    ("dbm-group", "authz_dbm"),
    ("dbd-group", "authz_dbd"),
    ("file-owner", "authz_owner"),
    ("ldap-user", "authnz_ldap"),
    ("ldap-group", "authnz_ldap"),
    ("ldap-filter", "authnz_ldap"),
    ("ldap-attribute", "authnz_ldap"),
];

/// How many requirements stand in a section.
#[derive(Clone, Copy, Default)]
pub(super) struct Inside {
    /// All of them, containers among them.
    all: usize,
    /// Those that nobody is let in by.
    negative: usize,
}

impl<'a> Checker<'a> {
    /// `Require [not] provider arguments` (`add_authz_provider`).
    pub(super) fn require(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        let is_negative = line.words.first().is_some_and(|word| word.value.eq_ignore_ascii_case(b"not"));
        self.stands_here(is_negative);
        let fault = |message: String| Err((Fault::Value, message));
        let mut words = line.words.as_slice();
        if is_negative {
            let container = self.container();
            if container != "RequireAll" {
                return fault(format!("negative Require directive has no effect in <{container}> directive"));
            }
            words = &words[1..];
        }
        let Some((provider, arguments)) = words.split_first() else {
            return fault("Unknown Authz provider: ".to_owned());
        };
        let name = String::from_utf8_lossy(&provider.value).to_ascii_lowercase();
        let known = PROVIDERS.iter().find(|(known, _)| *known == name);
        // A module that is not httpd's own may bring others.
        if known.is_none_or(|(_, module)| self.modules.has(module) == Some(false))
            && self.modules.complete
            && !self.foreign
            && !matches!(self.around.first(), Some(super::context::Around::Foreign))
            && (known.is_some() || !self.aliases)
        {
            return fault(format!("Unknown Authz provider: {}", escaped(&provider.value)));
        }
        match (name.as_str(), arguments) {
            ("all", [word]) if ["granted", "denied"].iter().any(|it| word.value.eq_ignore_ascii_case(it.as_bytes())) => Ok(()),
            ("all", _) => fault("Argument for 'Require all' must be 'granted' or 'denied'".to_owned()),
            ("ip", []) => fault("'require ip' requires an argument".to_owned()),
            ("ip", words) => match words.iter().find(|word| !is_network(&String::from_utf8_lossy(&word.value))) {
                Some(word) => fault(format!("ip address '{}' appears to be invalid", escaped(&word.value))),
                None => Ok(()),
            },
            ("method", words) => match words.iter().find(|word| !is_method(&word.value)) {
                Some(word) => fault(format!("Invalid Method '{}'", escaped(&word.value))),
                None => Ok(()),
            },
            ("expr", _) => {
                let (raw, _) = self.resolved.arguments(self.store, line.statement);
                match expression::condition(required_expression(&raw), self.modules.has("ssl") != Some(false)) {
                    Err(why) => fault(format!("Cannot parse expression in require line: {why}")),
                    Ok(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// What is amiss with a container of requirements once it is read (`add_authz_section`).
    pub(super) fn close(&mut self, statement: &Statement, closed: Option<super::context::Around>, inside: Inside) {
        let name = closed.map_or("", super::context::Around::name);
        // Requirements for some methods only stand in what is around that.
        if matches!(name, "Limit" | "LimitExcept") {
            return self.all_stand_here(inside);
        }
        if !matches!(name, "RequireAll" | "RequireAny" | "RequireNone") {
            return;
        }
        let span = statement.span(self.store);
        if inside.all == 0 {
            let message = format!("<{name}> directive contains no authorization directives");
            return self.refuse(span, Fault::Missing, message, statement);
        }
        let container = self.container();
        if name == "RequireAll" && container == name {
            // It is as if its requirements stood in the one around it.
            return self.all_stand_here(inside);
        }
        // `authz_core_check_section`
        if name == "RequireAll" && inside.all == inside.negative {
            let message = "AH01624: <RequireAll> directive contains only negative authorization directives";
            self.refuse(span, Fault::Value, message.to_owned(), statement);
        }
        self.stands_here(name == "RequireNone");
        if name == "RequireNone" && container != "RequireAll" {
            let message = format!("<RequireNone> directive has no effect in <{container}> directive");
            self.refuse(span, Fault::Value, message, statement);
        }
    }

    /// Counts a requirement, or a container of some, in what is open.
    fn stands_here(&mut self, is_negative: bool) {
        if let Some(inside) = self.required.last_mut() {
            inside.all += 1;
            inside.negative += usize::from(is_negative);
        }
    }

    /// Counts what stands in a section as if it stood in what is open.
    fn all_stand_here(&mut self, inside: Inside) {
        if let Some(around) = self.required.last_mut() {
            around.all += inside.all;
            around.negative += inside.negative;
        }
    }

    /// The container of requirements that is open; `<RequireAny>` where none is.
    fn container(&self) -> &'static str {
        let innermost = self
            .around
            .iter()
            .rev()
            .map(|around| around.name())
            .take_while(|name| matches!(*name, "RequireAll" | "RequireAny" | "RequireNone" | "Limit" | "LimitExcept"));
        innermost.into_iter().find(|name| name.starts_with("Require")).unwrap_or("RequireAny")
    }
}
