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
    /// `RewriteRule` and `RewriteCond`.
    pub(super) fn rewriting(&mut self, line: &Line<'a>) -> Result<(), Refused> {
        let (text, unknown) = self.resolved.arguments(self.store, line.statement);
        if unknown.is_some() {
            return Ok(());
        }
        check(line.row.name, &text, self.modules.has("ssl") != Some(false))?;
        // It came with 2.4.60, and distributions carried it back with the fix that needs it.
        let flags = rewrite_arguments(&text).and_then(|arguments| arguments.flags);
        let came_later = flags.is_some_and(|flags| flags_of(flags).any(|(key, _)| key.eq_ignore_ascii_case(b"unsafeallow3f")));
        if came_later && self.version.is_some_and(|version| version < Version::new(2, 4, 60)) {
            self.doubt.get_or_insert(Unknown::ForeignDirective(line.span));
        }
        Ok(())
    }
}

/// The flags between the brackets, each with its value.
fn flags_of(flags: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let inside = flags.strip_prefix(b"[").unwrap_or(flags);
    let inside = inside.strip_suffix(b"]").unwrap_or(inside);
    inside.split(|&byte| byte == b',').map(|flag| {
        let flag = flag.trim_ascii();
        match flag.iter().position(|&byte| byte == b'=') {
            Some(at) => (&flag[..at], &flag[at + 1..]),
            None => (flag, &b""[..]),
        }
    })
}

/// What is said against the arguments of a `RewriteRule` or `RewriteCond` of a server with or without TLS.
pub(in crate::apache) fn check(name: &str, text: &[u8], tls: bool) -> Result<(), Refused> {
    let is_rule = name == "RewriteRule";
    let Some(arguments) = rewrite_arguments(text) else {
        return Err((Fault::Arguments, format!("{name}: bad argument line '{}'", escaped(text.trim_ascii()))));
    };
    if let Some(list) = arguments.flags {
        flags(name, list, if is_rule { &RULE_FLAGS } else { &CONDITION_FLAGS })?;
    }
    let pattern = if is_rule { arguments.subject } else { arguments.object };
    let pattern = pattern.strip_prefix(b"!").unwrap_or(pattern);
    if !is_rule && arguments.subject.eq_ignore_ascii_case(b"expr") {
        let refused = |why| (Fault::Value, format!("{name}: cannot compile expression \"{}\" {why}", escaped(pattern)));
        return expression::condition(pattern, tls).map(|_| ()).map_err(refused);
    }
    // `-f`, `=text`, `<text` and their like are no patterns.
    let is_test = !is_rule && pattern.len() > 1 && matches!(pattern[0], b'-' | b'<' | b'>' | b'=');
    match crate::pcre::fault(pattern).filter(|_| !is_test) {
        Some(_) => Err((Fault::Value, format!("{name}: cannot compile regular expression '{}'", escaped(pattern)))),
        None => Ok(()),
    }
}

fn flags(name: &str, list: &[u8], known: &[&str]) -> Result<(), Refused> {
    let refused = |message: String| Err((Fault::Value, format!("{name}: {message}")));
    if list.len() < 2 || !list.starts_with(b"[") || !list.ends_with(b"]") {
        return refused("bad flag delimiters".to_owned());
    }
    for (key, value) in flags_of(list) {
        let is = |known: &str| key.eq_ignore_ascii_case(known.as_bytes());
        // Anything that begins with `d` is taken (`cmd_rewriterule_setflag`).
        if name == "RewriteRule" && matches!(key.first(), Some(b'd' | b'D')) || is("unsafeallow3f") {
            continue;
        }
        if (is("r") || is("redirect")) && value.first().is_some_and(u8::is_ascii_digit) && !super::value::is_status(value) {
            return refused(format!("invalid HTTP response code '{}' for flag 'R'", escaped(value)));
        }
        if is("bne") && value.is_empty() {
            return refused("flag 'BNE' wants a list of characters (i.e. [BNE=...])".to_owned());
        }
        // Of `R` and `S` among others httpd looks at what follows the first letter.
        if !known.iter().any(|known| is(known)) {
            return refused(format!("unknown flag '{}'", escaped(key)));
        }
    }
    Ok(())
}
