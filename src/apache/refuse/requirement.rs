//! `Require` and the containers around it (`mod_authz_core.c`, `mod_authz_host.c`).

use super::{Checker, Line, Refused, escaped};
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

impl<'a> Checker<'a> {
    /// `Require [not] provider arguments` (`add_authz_provider`).
    pub(super) fn require(&self, line: &Line<'a>) -> Result<(), Refused> {
        let fault = |message: String| Err((Fault::Value, message));
        let mut words = line.words.as_slice();
        if words.first().is_some_and(|word| word.value.eq_ignore_ascii_case(b"not")) {
            let container = self.container();
            if container != "RequireAll" {
                return fault(format!("negative Require directive has no effect in <{container}> directive"));
            }
            words = &words[1..];
        }
        let Some((provider, arguments)) = words.split_first() else { return Ok(()) };
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
            _ => Ok(()),
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
