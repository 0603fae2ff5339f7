//! The difference between two texts as a unified diff that `git apply` takes.

use std::io::{self, Write};
use std::path::Path;

/// Lines shown around a change.
const CONTEXT: usize = 3;

/// Writes how `path` changes from `before` to `after`; nothing where it does not.
///
/// # Errors
/// Where it cannot be written.
pub fn diff(out: &mut dyn Write, path: &Path, before: &[u8], after: &[u8]) -> io::Result<()> {
    let (old, new) = (lines(before), lines(after));
    let changes = changes(&old, &new);
    if changes.is_empty() {
        return Ok(());
    }
    let name = path.strip_prefix(".").unwrap_or(path);
    write!(out, "--- ")?;
    write_name(out, "a", name)?;
    write!(out, "+++ ")?;
    write_name(out, "b", name)?;
    for hunk in changes.chunk_by(|a, b| b.old.start - a.old.end <= 2 * CONTEXT) {
        write_hunk(out, hunk, &old, &new)?;
    }
    Ok(())
}

/// How two short texts differ: the number of lines that are equal at the beginning, and the lines that differ behind them, equal ones at the
/// end left out.
#[must_use]
pub fn hunk<'a>(before: &'a [u8], after: &'a [u8]) -> (usize, Vec<&'a [u8]>, Vec<&'a [u8]>) {
    let (old, new) = (lines(before), lines(after));
    let first = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let rest = old[first..].iter().rev().zip(new[first..].iter().rev());
    let last = rest.take_while(|(one, other)| one == other).count();
    (first, old[first..old.len() - last].to_vec(), new[first..new.len() - last].to_vec())
}

/// A name as git writes it: in quotes where it holds what would be misread.
fn write_name(out: &mut dyn Write, side: &str, name: &Path) -> io::Result<()> {
    let bytes = name.as_os_str().as_encoded_bytes();
    // An absolute path loses its slash, as with git's own prefix.
    let bytes = bytes.strip_prefix(b"/").unwrap_or(bytes);
    let plain = bytes.iter().all(|&byte| byte > b' ' && byte < 0x7f && byte != b'"' && byte != b'\\');
    if plain {
        out.write_all(side.as_bytes())?;
        out.write_all(b"/")?;
        out.write_all(bytes)?;
        return out.write_all(b"\n");
    }
    write!(out, "\"{side}/")?;
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.write_all(&[b'\\', byte])?,
            b' '..=b'~' => out.write_all(&[byte])?,
            _ => write!(out, "\\{byte:03o}")?,
        }
    }
    out.write_all(b"\"\n")
}

/// A run of lines that others take the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    old: std::ops::Range<usize>,
    new: std::ops::Range<usize>,
}

/// The lines with their ends.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').collect()
}

/// Where the lines differ. Edits are few and small beside the file, so that the next equal line is near: it is looked for in steps.
fn changes(old: &[&[u8]], new: &[&[u8]]) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let (left, new_left) = (old.len() - i, new.len() - j);
        let equal = |steps: usize| {
            let ahead = (steps.saturating_sub(new_left)..=steps.min(left)).map(|k| (i + k, j + steps - k));
            ahead.filter(|&(i, j)| i < old.len() && j < new.len()).find(|&(i, j)| old[i] == new[j])
        };
        let (end, new_end) = (1..left + new_left).find_map(equal).unwrap_or((old.len(), new.len()));
        changes.push(Change { old: i..end, new: j..new_end });
        (i, j) = (end, new_end);
    }
    changes
}

fn write_hunk(out: &mut dyn Write, hunk: &[Change], old: &[&[u8]], new: &[&[u8]]) -> io::Result<()> {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return Ok(()) };
    let before = first.old.start.min(CONTEXT);
    let after = (old.len() - last.old.end).min(CONTEXT);
    let (start, end) = (first.old.start - before, last.old.end + after);
    let (new_start, new_end) = (first.new.start - before, last.new.end + after);
    // Of an empty range the line before is named.
    let shown = |start: usize, end: usize| if start == end { start } else { start + 1 };
    writeln!(out, "@@ -{},{} +{},{} @@", shown(start, end), end - start, shown(new_start, new_end), new_end - new_start)?;
    let mut at = start;
    for change in hunk {
        write_lines(out, b" ", &old[at..change.old.start])?;
        write_lines(out, b"-", &old[change.old.clone()])?;
        write_lines(out, b"+", &new[change.new.clone()])?;
        at = change.old.end;
    }
    write_lines(out, b" ", &old[at..end])
}

fn write_lines(out: &mut dyn Write, mark: &[u8], lines: &[&[u8]]) -> io::Result<()> {
    for line in lines {
        out.write_all(mark)?;
        out.write_all(line)?;
        if !line.ends_with(b"\n") {
            out.write_all(b"\n\\ No newline at end of file\n")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        let mut out = Vec::new();
        diff(&mut out, Path::new("./a.conf"), before.as_bytes(), after.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_equal_is_not_shown() {
        assert_eq!(shown("a\nb\n", "a\nb\n"), "");
    }

    #[test]
    fn a_change_stands_between_three_lines() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nx\ny\n6\n7\n8\n9\n";
        assert_eq!(shown(old, new), "--- a/a.conf\n+++ b/a.conf\n@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+x\n+y\n 6\n 7\n 8\n");
    }

    #[test]
    fn far_changes_are_apart_and_near_ones_together() {
        let old = (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        let new = old.replace("\n5\n", "\nfive\n").replace("\n10\n", "\n").replace("\n30\n", "\n30\nmore\n");
        let hunks = shown(&old, &new);
        assert_eq!(hunks.matches("\n@@ ").count(), 2, "{hunks}");
    }

    #[test]
    fn a_missing_last_newline_is_said() {
        assert_eq!(shown("a", "b\na"), "--- a/a.conf\n+++ b/a.conf\n@@ -1,1 +1,2 @@\n+b\n a\n\\ No newline at end of file\n");
    }
}
