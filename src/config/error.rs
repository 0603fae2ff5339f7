//! What is wrong with the settings, shown at its place.

use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

use super::file::Value;
use crate::rules::RuleError;

/// A text with settings in it, and what to call it.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) text: String,
}

impl Text {
    /// An error at the place of `value`.
    pub(super) fn at<T>(&self, value: &Value<T>, message: &str) -> ConfigError {
        ConfigError::new(message, self, Some(value.span()))
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[help]
    pub help: Option<String>,
    #[source_code]
    source_code: Option<Arc<NamedSource<String>>>,
    #[label("here")]
    span: Option<SourceSpan>,
}

impl ConfigError {
    fn new(message: &str, source: &Text, span: Option<std::ops::Range<usize>>) -> Self {
        let text = NamedSource::new(crate::report::printable(&source.name), masked(&source.text));
        let message = crate::report::printable(message).into_owned();
        Self { message, help: None, source_code: Some(Arc::new(text)), span: span.map(SourceSpan::from) }
    }

    /// What is wrong with the page of a rule.
    pub(super) fn rule(path: &Path, error: &RuleError) -> Self {
        let source = Text { name: path.display().to_string(), text: error.page().to_owned() };
        let mut shown = Self::new(&error.to_string(), &source, Some(error.range()));
        shown.help = error.help().map(|help| crate::report::printable(help).into_owned());
        shown
    }

    /// An error that is in no text.
    pub(crate) fn plain(message: &str) -> Self {
        Self { message: crate::report::printable(message).into_owned(), help: None, source_code: None, span: None }
    }

    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::plain(&format!("cannot read `{}`: {error}", path.display()))
    }

    /// What the TOML parser says, in our words where a key is unknown.
    pub(super) fn parse(source: &Text, error: &toml::de::Error) -> Self {
        let message = error.message();
        let mut quoted = message.split('`').skip(1).step_by(2);
        match (message.starts_with("unknown field"), quoted.next()) {
            (true, Some(key)) => {
                let known: Vec<&str> = quoted.collect();
                Self::new(&format!("unknown key `{key}`"), source, error.span()).suggest(key, &known)
            }
            _ => Self::new(&message.trim_end().replace('\n', ", "), source, error.span()),
        }
    }

    /// The same with advice.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(crate::report::printable(&help.into()).into_owned());
        self
    }

    /// The same with the nearest of the names there are, or all of them where none is near and they are few.
    pub(super) fn suggest(self, name: &str, known: &[&str]) -> Self {
        match nearest(name, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None if known.len() <= 12 => self.help(format!("there are {}", known.join(", "))),
            None => self,
        }
    }

    /// Where in the text it is wrong: offset and length in bytes.
    #[must_use]
    pub fn span(&self) -> Option<(usize, usize)> {
        self.span.map(|span| (span.offset(), span.len()))
    }
}

/// The text with every character that could steer a terminal masked, byte by byte so that places stay what they are.
fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        let plain = matches!(char, '\n' | '\t' | '\r') || crate::report::is_plain(char);
        if plain { shown.push(char) } else { shown.extend(std::iter::repeat_n('?', char.len_utf8())) }
    }
    shown
}

/// The name most like `name`, where one is near enough to have been meant.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(candidate, name);
    let near = known.iter().copied().min_by_key(|candidate| distance(candidate))?;
    (distance(near) <= 1 + name.len() / 4).then_some(near)
}
