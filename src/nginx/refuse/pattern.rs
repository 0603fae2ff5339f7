//! Regular expressions that nginx compiles when it starts (`ngx_http_regex_compile`, `ngx_http_variables.c`).

use super::value::Refused;
use super::{Checker, show};
use crate::gateway::Fault;
use crate::nginx::directives;
use crate::nginx::line::{Line, Word};
use crate::pcre;

/// Checks the patterns among the words of a directive.
pub(super) fn check(line: Line<'_>) -> Result<(), Refused> {
    match line.name() {
        b"rewrite" => line.word(0).map_or(Ok(()), |word| compile(&word.value())),
        b"if" => {
            let mut words = line.words().map(Word::value);
            if !words.any(|word| matches!(word.as_ref(), b"~" | b"~*" | b"!~" | b"!~*")) {
                return Ok(());
            }
            let Some(pattern) = words.next() else { return Ok(()) };
            // The `)` of the condition is its own word, or the end of the pattern's.
            let pattern = if words.next().is_some() { &pattern } else { pattern.strip_suffix(b")").unwrap_or(&pattern) };
            compile(pattern)
        }
        b"server_name" => line.words().try_for_each(|word| match word.value().as_ref() {
            b"~" => Err((Fault::Value, "empty regex in server name \"~\"".to_owned())),
            [b'~', pattern @ ..] => compile(pattern),
            _ => Ok(()),
        }),
        b"proxy_redirect" | b"proxy_cookie_path" => marked(line, true),
        b"proxy_cookie_domain" | b"proxy_cookie_flags" => marked(line, false),
        // These are patterns without variables (`ngx_regex_compile`).
        b"valid_referers" => line.words().try_for_each(|word| match word.value().as_ref() {
            [b'~', pattern @ ..] => plain(pattern),
            _ => Ok(()),
        }),
        b"gzip_disable" => {
            line.words().map(Word::value).filter(|word| word.as_ref() != b"msie6").try_for_each(|word| plain(&word))
        }
        b"fastcgi_split_path_info" => {
            let Some(pattern) = line.word(0).map(Word::value) else { return Ok(()) };
            plain(&pattern)?;
            match pcre::groups(&pattern) {
                None | Some(2) => Ok(()),
                Some(_) => Err((Fault::Value, format!("pattern \"{}\" must have 2 captures", show(&pattern)))),
            }
        }
        _ => Ok(()),
    }
}

/// The first word is a pattern behind `~`, and `~*` where that is another marker.
fn marked(line: Line<'_>, has_star: bool) -> Result<(), Refused> {
    let Some(word) = line.word(0) else { return Ok(()) };
    let value = word.value();
    let Some(pattern) = value.strip_prefix(b"~").filter(|_| line.words().count() > 1) else { return Ok(()) };
    compile(if has_star { pattern.strip_prefix(b"*").unwrap_or(pattern) } else { pattern })
}

fn plain(pattern: &[u8]) -> Result<(), Refused> {
    match pcre::fault(pattern) {
        Some(reason) => Err((Fault::Value, format!("pcre2_compile() failed: {reason} in \"{}\"", show(pattern)))),
        None => Ok(()),
    }
}

/// Whether nginx compiles a pattern whose named groups become variables.
pub(super) fn compile(pattern: &[u8]) -> Result<(), Refused> {
    plain(pattern)?;
    for name in pcre::names(pattern) {
        if directives::is_changeable(&name.to_ascii_lowercase()) == Some(false) {
            return Err((Fault::Duplicate, format!("the duplicate \"{}\" variable", show(name))));
        }
    }
    Ok(())
}

impl Checker<'_> {
    /// The row of a map whose key is a pattern.
    pub(super) fn row_pattern(&mut self, row: Line<'_>, pattern: &[u8]) -> bool {
        let refused = compile(pattern.strip_prefix(b"*").unwrap_or(pattern)).err();
        if let Some((fault, message)) = &refused {
            self.refuse(row.span(), *fault, message.clone());
        }
        refused.is_some()
    }
}
