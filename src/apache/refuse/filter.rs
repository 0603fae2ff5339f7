//! Filters by name (`add_filter`, `mod_filter.c`): a name that neither a provider nor a module has is refused.

use super::Refused;
use super::value::Place;
use crate::apache::statement::Word;
use crate::gateway::Fault;

/// The filters of httpd's own modules for what is answered, in lower case, with their modules.
const FILTERS: [(&str, &str); 11] = [
    ("includes", "include"),
    ("deflate", "deflate"),
    ("inflate", "deflate"),
    ("brotli_compress", "brotli"),
    ("substitute", "substitute"),
    ("sed", "sed"),
    ("proxy-html", "proxy_html"),
    ("xml2enc", "xml2enc"),
    ("rate_limit", "ratelimit"),
    ("buffer", "buffer"),
    ("cache", "cache"),
];

/// `AddOutputFilterByType filter[;filter…] type…`: the filters are looked for at once.
pub(super) fn by_type(words: &[Word<'_>], place: Place<'_>) -> Result<(), Refused> {
    let Some(word) = words.first() else { return Ok(()) };
    for name in word.value.split(|&byte| byte == b';') {
        let known = FILTERS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        if known.is_some_and(|(_, module)| place.modules.has(module) == Some(false)) {
            return Err((Fault::Value, format!("Unknown filter provider {}", super::escaped(name))));
        }
    }
    Ok(())
}
