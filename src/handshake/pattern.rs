//! Regular expressions of the configuration: PCRE, run with a step limit and compiled once.

use std::ops::Range;
use std::sync::{Arc, RwLock};

use fancy_regex::{Regex, RegexBuilder};
use rustc_hash::FxHashMap;

use super::sample::sample;
use crate::gateway::{Gateway, Server, TextId, Texts, Version};

/// Steps that a pattern may take before it is undecided: the input is a stranger's.
const BACKTRACK_LIMIT: usize = 100_000;
/// Bytes that a compiled pattern may take.
const SIZE_LIMIT: usize = 1 << 20;

/// Whether `.` stands for a line feed, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LineFeeds {
    /// It does not: PCRE's default, and nginx's.
    #[default]
    Apart,
    /// It does: httpd's default (`AP_REG_DEFAULT`, `server/util_pcre.c`).
    Included,
    /// That depends on where a pattern is written (`RegexDefaultOptions`).
    Undecided,
}

/// httpd has defaults for patterns since this version.
const HAS_DEFAULTS: Version = Version::new(2, 4, 30);

/// The compiled patterns of one gateway.
#[derive(Debug, Default)]
pub struct Patterns {
    line_feeds: LineFeeds,
    compiled: RwLock<FxHashMap<Key, Option<Arc<Regex>>>>,
    samples: RwLock<FxHashMap<Key, Arc<str>>>,
}

/// What named groups have captured, by name.
pub(super) type Named = Vec<(String, String)>;

/// Where a pattern has matched, and its captures.
pub(super) type Found = (Range<usize>, Vec<String>);

/// A pattern and whether it ignores case.
type Key = (TextId, bool);

impl Patterns {
    /// The patterns of a gateway, none of which is compiled yet.
    #[must_use]
    pub fn of(gateway: &Gateway) -> Self {
        let has_defaults = gateway.version.is_none_or(|version| version >= HAS_DEFAULTS);
        let line_feeds = match gateway.server {
            Server::Apache if gateway.pattern_options.is_some() => LineFeeds::Undecided,
            Server::Apache if has_defaults => LineFeeds::Included,
            Server::Apache | Server::Nginx => LineFeeds::Apart,
        };
        Self { line_feeds, ..Self::default() }
    }

    /// # Errors
    /// Where it cannot be known what the pattern's dots stand for in `text`.
    fn decided(&self, text: &str) -> Result<(), Undecided> {
        if self.line_feeds == LineFeeds::Undecided && text.contains('\n') { Err(Undecided) } else { Ok(()) }
    }

    /// The captures of the pattern in `text`, the whole match first: `Ok(None)` where it does not match.
    ///
    /// # Errors
    /// Where the pattern cannot be compiled or decided within the limits.
    pub fn captures(
        &self,
        texts: &Texts,
        pattern: TextId,
        ignore_case: bool,
        text: &str,
    ) -> Result<Option<Vec<String>>, Undecided> {
        self.decided(text)?;
        let regex = self.regex(texts, pattern, ignore_case).ok_or(Undecided)?;
        let captures = regex.captures(text).map_err(|_| Undecided)?;
        let owned = |captures: fancy_regex::Captures<'_, str>| {
            captures.iter().map(|group| group.map(|found| found.as_str().to_owned()).unwrap_or_default()).collect()
        };
        Ok(captures.map(owned))
    }

    /// The first match of the pattern in `text` from `start` on: where it is, and its captures.
    ///
    /// # Errors
    /// Where the pattern cannot be compiled or decided within the limits.
    pub(super) fn find(&self, texts: &Texts, pattern: TextId, text: &str, start: usize) -> Result<Option<Found>, Undecided> {
        self.decided(text)?;
        let regex = self.regex(texts, pattern, false).ok_or(Undecided)?;
        let captures = regex.captures_from_pos(text, start).map_err(|_| Undecided)?;
        Ok(captures.and_then(|captures| {
            let whole = captures.get(0)?.range();
            Some((whole, captures.iter().map(|group| group.map(|found| found.as_str().to_owned()).unwrap_or_default()).collect()))
        }))
    }

    /// The groups of a pattern whose names are variables that the configuration uses, by number.
    #[must_use]
    pub fn names(&self, texts: &Texts, pattern: TextId, ignore_case: bool) -> Vec<(TextId, usize)> {
        let regex = self.regex(texts, pattern, ignore_case);
        let names = regex.iter().flat_map(|regex| regex.capture_names().enumerate());
        names.filter_map(|(number, name)| Some((texts.find(name?.to_ascii_lowercase().as_bytes())?, number))).collect()
    }

    /// What a pattern that is not interned captures in a name: by number, and by name.
    pub(super) fn name_captures(pattern: &str, text: &str) -> Option<(Vec<String>, Named)> {
        let regex = compile(pattern.as_bytes(), true, LineFeeds::Apart)?;
        let captures = regex.captures(text).ok()??;
        let group = |number: usize| captures.get(number).map(|found| found.as_str().to_owned()).unwrap_or_default();
        let named = regex.capture_names().enumerate().filter_map(|(number, name)| Some((name?.to_owned(), group(number))));
        Some(((0..captures.len()).map(group).collect(), named.collect()))
    }

    /// Whether a pattern that is not interned matches; for names, of which each is tried rarely.
    ///
    /// # Errors
    /// Where the pattern cannot be compiled or decided within the limits.
    pub fn is_match(&self, pattern: &str, text: &str) -> Result<bool, Undecided> {
        let regex = compile(pattern.as_bytes(), true, LineFeeds::Apart).ok_or(Undecided)?;
        regex.is_match(text).map_err(|_| Undecided)
    }

    /// A path that the pattern matches, or at least begins like.
    pub fn sample(&self, texts: &Texts, pattern: TextId, ignore_case: bool) -> Arc<str> {
        let key = (pattern, ignore_case);
        if let Some(known) = self.samples.read().ok().and_then(|samples| samples.get(&key).cloned()) {
            return known;
        }
        let matches =
            |path: &str| self.regex(texts, pattern, ignore_case).is_some_and(|regex| regex.is_match(path).unwrap_or(false));
        let sample: Arc<str> = sample(texts.get(pattern), matches).into();
        if let Ok(mut samples) = self.samples.write() {
            samples.insert(key, Arc::clone(&sample));
        }
        sample
    }

    fn regex(&self, texts: &Texts, pattern: TextId, ignore_case: bool) -> Option<Arc<Regex>> {
        let key = (pattern, ignore_case);
        if let Some(regex) = self.compiled.read().ok()?.get(&key) {
            return regex.clone();
        }
        let regex = compile(texts.get(pattern), ignore_case, self.line_feeds).map(Arc::new);
        self.compiled.write().ok()?.insert(key, regex.clone());
        regex
    }
}

/// A pattern that cannot be compiled or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided;

fn compile(pattern: &[u8], ignore_case: bool, line_feeds: LineFeeds) -> Option<Regex> {
    let pattern = std::str::from_utf8(pattern).ok()?;
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(line_feeds == LineFeeds::Included)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_pattern_is_undecided() {
        let mut texts = Texts::default();
        let pattern = texts.intern(b"^(a*)*(a*)*\\1\\2c$");
        let patterns = Patterns::default();
        let text = "a".repeat(4000) + "b";
        assert_eq!(patterns.captures(&texts, pattern, false, &text), Err(Undecided));
    }
}
