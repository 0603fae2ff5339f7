//! The flags of `RewriteRule` and `RewriteCond` (`cmd_rewriterule`, `cmd_rewritecond`, `mod_rewrite.c`).

use super::{Checker, Line, Refused, escaped};
use crate::apache::expression;
use crate::apache::words::rewrite_arguments;
use crate::gateway::{Fault, Unknown, Version};

const RULE_FLAGS: [&str; 49] = [
    "b",
    "bctls",
    "bne",
    "bnp",
    "backrefnoplus",
    "backrefescape",
    "c",
    "chain",
    "co",
    "cookie",
    "dpi",
    "discardpath",
    "e",
    "env",
    "end",
    "f",
    "forbidden",
    "g",
    "gone",
    "h",
    "handler",
    "l",
    "last",
    "n",
    "next",
    "nc",
    "nocase",
    "ne",
    "noescape",
    "ns",
    "nosubreq",
    "p",
    "proxy",
    "pt",
    "passthrough",
    "qsa",
    "qsappend",
    "qsd",
    "qsdiscard",
    "qsl",
    "qslast",
    "r",
    "redirect",
    "s",
    "skip",
    "t",
    "type",
    "unc",
    "unsafeprefixstat",
];
const CONDITION_FLAGS: [&str; 6] = ["nc", "nocase", "or", "ornext", "nv", "novary"];

impl<'a> Checker<'a> {
    pub(super) fn rewrite_rule(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        self.flags(line, &RULE_FLAGS)?;
        let (text, unknown) = self.resolved.arguments(self.store, line.statement);
        let pattern = rewrite_arguments(&text).filter(|_| unknown.is_none()).map(|arguments| arguments.subject);
        let pattern = pattern.map(|pattern| pattern.strip_prefix(b"!").unwrap_or(pattern));
        match pattern.filter(|pattern| crate::pcre::fault(pattern).is_some()) {
            Some(pattern) => {
                Err((Fault::Value, format!("RewriteRule: cannot compile regular expression '{}'", escaped(pattern))))
            }
            None => Ok(()),
        }
    }

    pub(super) fn rewrite_cond(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        self.flags(line, &CONDITION_FLAGS)?;
        let (text, unknown) = self.resolved.arguments(self.store, line.statement);
        let Some(arguments) = rewrite_arguments(&text).filter(|_| unknown.is_none()) else { return Ok(()) };
        let pattern = arguments.object;
        if arguments.subject.eq_ignore_ascii_case(b"expr") {
            let tls = self.modules.has("ssl") != Some(false);
            let pattern = pattern.strip_prefix(b"!").unwrap_or(pattern);
            return match expression::condition(pattern, tls) {
                Err(why) => {
                    let text = escaped(pattern);
                    Err((Fault::Value, format!("RewriteCond: cannot compile expression \"{text}\" {why}")))
                }
                Ok(_) => Ok(()),
            };
        }
        let pattern = pattern.strip_prefix(b"!").unwrap_or(pattern);
        // `-f`, `=text`, `<text` and their like are no patterns.
        let is_test = pattern.len() > 1 && matches!(pattern[0], b'-' | b'<' | b'>' | b'=');
        match crate::pcre::fault(pattern).filter(|_| !is_test) {
            Some(_) => Err((Fault::Value, format!("RewriteCond: cannot compile regular expression '{}'", escaped(pattern)))),
            None => Ok(()),
        }
    }

    fn flags(&mut self, line: &Line<'a>, known: &[&str]) -> Result<(), Refused> {
        let name = line.row.name;
        let (text, unknown) = self.resolved.arguments(self.store, line.statement);
        if unknown.is_some() {
            return Ok(());
        }
        let Some(arguments) = rewrite_arguments(&text) else {
            return Err((Fault::Arguments, format!("{name}: bad argument line '{}'", escaped(text.trim_ascii()))));
        };
        let Some(flags) = arguments.flags else { return Ok(()) };
        let Some(inside) = flags.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) else {
            return Err((Fault::Value, format!("{name}: bad flag delimiters")));
        };
        for flag in inside.split(|&byte| byte == b',') {
            let flag = flag.trim_ascii();
            let key = flag.split(|&byte| byte == b'=').next().unwrap_or(flag);
            // Anything that begins with `d` is taken (`cmd_rewriterule_setflag`).
            if name == "RewriteRule" && matches!(key.first(), Some(b'd' | b'D')) {
                continue;
            }
            let is = |known: &str| key.eq_ignore_ascii_case(known.as_bytes());
            if is("unsafeallow3f") {
                // It came with 2.4.60, and distributions carried it back with the fix that needs it.
                if self.version.is_some_and(|version| version < Version::new(2, 4, 60)) {
                    self.doubt.get_or_insert(Unknown::ForeignDirective(line.span));
                }
                continue;
            }
            let value = flag.iter().position(|&byte| byte == b'=').map_or(&b""[..], |at| &flag[at + 1..]);
            if (is("r") || is("redirect")) && value.first().is_some_and(u8::is_ascii_digit) && !super::value::is_status(value) {
                let value = escaped(value);
                return Err((Fault::Value, format!("{name}: invalid HTTP response code '{value}' for flag 'R'")));
            }
            if is("bne") && value.is_empty() {
                let message = format!("{name}: flag 'BNE' wants a list of characters (i.e. [BNE=...])");
                return Err((Fault::Value, message));
            }
            // Of `R` and `S` among others httpd looks at what follows the first letter.
            if !known.iter().any(|known| is(known)) {
                return Err((Fault::Value, format!("{name}: unknown flag '{}'", escaped(key))));
            }
        }
        Ok(())
    }
}
