//! What a client's conditions make of an answer of nginx's own (`ngx_http_not_modified_filter_module.c`,
//! `ngx_http_range_filter_module.c`).

use super::following::Following;
use crate::gateway::{Assigned, Known, Property, Unknown};

impl Following<'_> {
    /// The status that is sent instead of `status`; whether it `is_file`: it has a time and a tag then.
    ///
    /// # Errors
    /// Where the time, the tag or the size of a file decides.
    pub(super) fn conditional(&mut self, status: u16, is_file: bool) -> Known<u16> {
        let header = |name: &str| self.request.header(name.as_bytes());
        if status != 200 || self.subrequest {
            return Ok(status);
        }
        if header("if-unmodified-since").or(header("if-modified-since")).is_some() {
            return Err(Unknown::Environment);
        }
        let matches = |tags: &str| match tags {
            "*" => Ok(true),
            _ if is_file && tags.split(',').any(may_be_tag) => Err(Unknown::Environment),
            _ => Ok(false),
        };
        if let Some(tags) = header("if-match")
            && !matches(tags)?
        {
            let gateway = self.gateway;
            let (level, _) = gateway.scopes.list(self.followed.scope, Property::ErrorPage);
            let page = level.into_iter().flat_map(|level| gateway.scopes.own(level)).find_map(|entry| match entry.assigned {
                Assigned::ErrorPage { status: 412, .. } => Some(entry.span),
                _ => None,
            });
            self.note(None, "the client wants another version of it");
            return page.map_or(Ok(412), |span| Err(Unknown::Unmodelled(span)));
        }
        if let Some(tags) = header("if-none-match")
            && matches(tags)?
        {
            self.note(None, "the client wants it only where it has none");
            return Ok(304);
        }
        let is_range = |range: &str| range.len() > 6 && range.get(..6).is_some_and(|unit| unit.eq_ignore_ascii_case("bytes="));
        if is_file && header("range").is_some_and(is_range) && self.number(Property::MaxRanges)?.is_none_or(|(most, _)| most > 0)
        {
            return Err(Unknown::Environment);
        }
        Ok(status)
    }
}

/// Whether it may be the tag of a file, which is made of its time and its size (`ngx_http_set_etag`).
fn may_be_tag(text: &str) -> bool {
    let text = text.trim();
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = text.strip_prefix("W/").unwrap_or(text).trim_matches('"').split_once('-');
    parts.is_some_and(|(time, size)| is_hex(time) && is_hex(size))
}
