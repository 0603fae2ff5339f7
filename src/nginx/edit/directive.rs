//! The edits for single directives: what the server refuses, or what nothing defines.

use super::Editor;
use super::map::{Plain, USUAL};
use super::place::{Block, replace_word};
use crate::gateway::{Fault, Refusal, Remark, RemarkKind};
use crate::nginx::line::{Line, Word};
use crate::nginx::values::{self, Resolution};
use crate::rules::Plan;
use crate::source::{Edit, Span};
use crate::tree::Shape;

impl Editor<'_> {
    /// The edits for what was noted.
    pub(super) fn remark(&self, remark: &Remark) -> Result<Vec<Plan>, String> {
        match &remark.kind {
            RemarkKind::UndefinedVariable { name } if name == USUAL => {
                if self.gateway().partial.is_some() {
                    return Err("the `map` may stand in a file that is not here".to_owned());
                }
                let outermost = self.gateway().sites.first().map(|site| site.scope).ok_or("there is no `server` here")?;
                let edit = self.new_map(USUAL, Plain::Close, outermost)?;
                Ok(vec![Plan { title: format!("define `${USUAL}` with a `map`"), edits: vec![edit] }])
            }
            RemarkKind::UndefinedVariable { .. } => Err("what the variable is to hold is for you to say".to_owned()),
            _ => Err("no edit is known for it".to_owned()),
        }
    }

    /// The edits for what is refused.
    pub(super) fn refusal(&self, refusal: &Refusal) -> Result<Vec<Plan>, String> {
        let line = self.line_at(refusal.span).ok_or("no edit is known for it")?;
        match refusal.fault {
            Fault::Duration => respell(line),
            Fault::Address => mend_scheme(line),
            Fault::Duplicate => self.remove_copy(line),
            _ => Err("no edit is known for it".to_owned()),
        }
    }

    /// Takes out a line that says again, word for word, what one before it says.
    fn remove_copy(&self, line: Line<'_>) -> Result<Vec<Plan>, String> {
        let parent = line.tree.directive(line.id).parent;
        let words = |line: Line<'_>| line.words().map(|word| word.value().into_owned()).collect::<Vec<_>>();
        if line.shape() != Shape::Simple {
            return Err("which of the two blocks is to stay is for you to say".to_owned());
        }
        let before = line.tree.children(parent).take_while(|id| *id < line.id);
        let mut same = before.map(|id| line.other(id)).filter(|other| other.name() == line.name());
        let Some(first) = same.next() else {
            let elsewhere = "the other one stands in another file or block: which is to stay is for you to say";
            let edit = self.without_second_include(line.source).map_err(|_| elsewhere)?;
            return Ok(vec![Plan { title: "include the file once".to_owned(), edits: vec![edit] }]);
        };
        if words(first) != words(line) || line.words().any(Word::is_holed) {
            return Err("they differ: which is to stay is for you to say".to_owned());
        }
        let block = Block { source: line.source, tree: line.tree, bytes: line.bytes, of: parent };
        if block.is_templated() {
            return Err("a template decides what stands in this block".to_owned());
        }
        let name = String::from_utf8_lossy(line.name());
        Ok(vec![Plan { title: format!("remove the second `{name}`"), edits: vec![block.remove(line)] }])
    }
}

/// `proxy_pass ws://…`: nginx knows no such scheme, and a WebSocket begins as a request over HTTP.
fn mend_scheme(line: Line<'_>) -> Result<Vec<Plan>, String> {
    let unknown = || "what the address is to be is for you to say".to_owned();
    let word = line.word(0).filter(|word| !word.is_holed() && line.name() == b"proxy_pass").ok_or_else(unknown)?;
    let quote = u32::from(matches!(word.text, [b'"' | b'\'', ..]));
    let lower = word.value().to_ascii_lowercase();
    let (old, new) = match lower.as_slice() {
        [b'w', b's', b':', b'/', b'/', ..] => ("ws", "http"),
        [b'w', b's', b's', b':', b'/', b'/', ..] => ("wss", "https"),
        _ => return Err(unknown()),
    };
    let start = word.span.start + quote;
    let span = Span::new(word.span.source, start, start + u32::try_from(old.len()).unwrap_or(0));
    let edit = Edit { span, text: new.as_bytes().to_vec() };
    Ok(vec![Plan { title: format!("write `{new}://`"), edits: vec![edit] }])
}

/// A duration in words that nginx does not know, in those that it does.
fn respell(line: Line<'_>) -> Result<Vec<Plan>, String> {
    let unknown = || "what the duration is to be is for you to say".to_owned();
    let word = line.word(0).filter(|word| !word.is_holed()).ok_or_else(unknown)?;
    let value = word.value();
    let time = std::str::from_utf8(&value).ok().and_then(meant).ok_or_else(unknown)?;
    let text = super::route::written(crate::gateway::Millis(time));
    if values::duration(text.as_bytes(), Resolution::Milliseconds).is_none() {
        return Err(unknown());
    }
    let edit = replace_word(line, 0, &text).ok_or_else(unknown)?;
    Ok(vec![Plan { title: format!("write `{text}`"), edits: vec![edit] }])
}

/// The milliseconds that somebody meant who wrote `60sec`, `1.5h` or `1 hour`.
fn meant(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim() {
        "ms" | "msec" | "msecs" | "millis" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 604_800_000,
        "y" | "year" | "years" => 31_536_000_000,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if part.is_empty() {
        return Some(whole).filter(|_| !number.ends_with('.'));
    }
    let scale = 10u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part = part.parse::<u64>().ok()?.checked_mul(unit)?;
    part.is_multiple_of(scale).then(|| whole.checked_add(part / scale))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_read_and_nothing_is_guessed() {
        for (text, millis) in [
            ("60sec", 60_000),
            ("1.5h", 5_400_000),
            ("10 minutes", 600_000),
            ("1Hour", 3_600_000),
            ("1y", 31_536_000_000),
            ("0.5s", 500),
        ] {
            assert_eq!(meant(text), Some(millis), "{text}");
        }
        for text in ["off", "never", "", "60", "-1s", "1.3333333s", "1.s", "h", "1h30", "99999999999999999999h"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }
}
