//! `concise`: one line a finding, `path:line:column: level[rule] message`, for editors, logs and `grep`.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Look, printable, write_each};
use crate::Checked;
use crate::rules::Level;

/// Writes every finding on its line.
///
/// # Errors
/// Where it cannot be written.
pub fn concise(out: &mut dyn Write, checked: &Checked, look: Look) -> io::Result<()> {
    write_each(out, checked, |finding, text| {
        let source = checked.project.store.sources.get(finding.span.source);
        let at = source.position(finding.span.start);
        let path = source.path().to_string_lossy();
        let (start, end) = if look.colour { (colour(finding.level), "\x1b[0m") } else { ("", "") };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}:{}:{}: {start}{}[{}]{end} {}",
            printable(&path),
            at.line,
            at.column,
            finding.level,
            finding.rule,
            printable(&finding.message)
        );
    })
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[31m",
        Level::Warning => "\x1b[33m",
        Level::Note => "\x1b[36m",
    }
}
