//! `full`: each finding with the lines it is about and what to write, drawn by miette.

use std::fmt;
use std::io::{self, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode};
use textwrap::{WordSeparator, WordSplitter};

use super::excerpt::{AROUND, Excerpt};
use super::{Look, fix, printable, write_each};
use crate::Checked;
use crate::rules::{Finding, Level};
use crate::source::Sources;

/// More places than this are counted, not shown.
const MOST_LABELS: usize = 8;

/// Writes every finding with its excerpts.
///
/// # Errors
/// Where it cannot be written.
pub fn full(out: &mut dyn Write, checked: &Checked, look: Look) -> io::Result<()> {
    let handler = handler(look);
    let sources = &checked.project.store.sources;
    write_each(out, checked, |finding, text| {
        let shown = Shown::new(sources, finding);
        if handler.render_report(text, &shown).is_err() {
            // Drawing fails only on an excerpt that does not hold its own labels; the words are still worth having.
            text.extend([&shown.message, "\n"]);
        }
        if let Some(fix) = &finding.fix {
            fix::write(text, sources, fix, look);
        }
        text.push('\n');
    })
}

/// What draws findings and errors.
pub(crate) fn handler(look: Look) -> GraphicalReportHandler {
    let theme = if look.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    GraphicalReportHandler::new_themed(theme)
        .with_width(look.width)
        .with_urls(false)
        .with_context_lines(AROUND as usize)
        .without_syntax_highlighting()
        // Words of a configuration hold slashes and hyphens, and are not to be broken there.
        .with_word_separator(WordSeparator::AsciiSpace)
        .with_word_splitter(WordSplitter::NoHyphenation)
}

/// A finding as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    finding: &'a Finding,
    excerpt: Excerpt,
    message: String,
    help: Option<String>,
}

impl<'a> Shown<'a> {
    fn new(sources: &Sources, finding: &'a Finding) -> Self {
        let others = finding.labels.iter().map(|(span, label)| (*span, label.as_str()));
        let labels: Vec<_> = std::iter::once((finding.span, finding.label.as_str())).chain(others).take(MOST_LABELS).collect();
        let left_out = (finding.labels.len() + 1).saturating_sub(MOST_LABELS);
        let mut message = printable(&finding.message).into_owned();
        if left_out > 0 {
            let places = if left_out == 1 { "place" } else { "places" };
            message.extend([" (and ", &left_out.to_string(), " more ", places, ")"]);
        }
        let help = finding.help.as_deref().map(|help| help.lines().map(printable).collect::<Vec<_>>().join("\n"));
        Self { finding, excerpt: Excerpt::new(sources, &labels), message, help }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("{}[{}]", self.finding.level, self.finding.rule)))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.finding.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.excerpt.labels.iter().cloned()))
    }
}
