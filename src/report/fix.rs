//! How a finding can be mended, as a small difference below it.

use std::fmt::Write as _;

use super::{Look, printable};
use crate::fix::hunk;
use crate::rules::{Fix, Safety};
use crate::source::{Edit, Sources, Span, apply};

/// Writes the fix: its title and the lines that change, or why there is none.
pub(super) fn write(text: &mut String, sources: &Sources, fix: &Fix, look: Look) {
    let (red, green, cyan, end) = if look.colour { ("\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m") } else { ("", "", "", "") };
    let plan = match &fix.plan {
        Ok(plan) => plan,
        Err(reason) => {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {cyan}no fix:{end} {}", printable(reason));
            return;
        }
    };
    let option = if fix.safety == Safety::Safe { "--fix" } else { "--unsafe-fixes" };
    let _ = writeln!(text, "  {cyan}{option}:{end} {}", printable(&plan.title));
    // Edits on neighbouring lines are shown as one change.
    let windows = plan.edits.chunk_by(|a, b| {
        let source = sources.get(a.span.source);
        a.span.source == b.span.source && source.position(b.span.start).line <= source.position(a.span.end).line + 1
    });
    for edits in windows {
        let Some((window, before, after)) = changed(sources, edits) else { continue };
        let source = sources.get(window.source);
        let (same, old, new) = hunk(&before, &after);
        let line = source.position(window.start).line as usize + same;
        let _ = writeln!(text, "    {}:{line}", printable(&source.path().display().to_string()));
        for (mark, colour, lines) in [('-', red, old), ('+', green, new)] {
            for line in lines {
                let line = String::from_utf8_lossy(line);
                let _ = writeln!(
                    text,
                    "    {colour}{mark} {}{end}",
                    printable(&line.trim_end_matches(['\n', '\r']).replace('\t', "    "))
                );
            }
        }
    }
}

/// The whole lines that edits of one source change: where they stand, as they are and as they become.
fn changed(sources: &Sources, edits: &[Edit]) -> Option<(Span, Vec<u8>, Vec<u8>)> {
    let (first, last) = (edits.first()?.span, edits.last()?.span);
    let bytes = sources.get(first.source).bytes();
    let start = memchr::memrchr(b'\n', &bytes[..first.start as usize]).map_or(0, |lf| lf + 1);
    let end = memchr::memchr(b'\n', &bytes[last.end as usize..]).map_or(bytes.len(), |lf| last.end as usize + lf + 1);
    let offset = u32::try_from(start).ok()?;
    let window = Span::new(first.source, offset, u32::try_from(end).ok()?);
    let inside = edits.iter().map(|edit| Edit {
        span: Span::new(first.source, edit.span.start - offset, edit.span.end - offset),
        text: edit.text.clone(),
    });
    let inside: Vec<Edit> = inside.collect();
    Some((window, bytes[start..end].to_vec(), apply(&bytes[start..end], &inside)))
}
