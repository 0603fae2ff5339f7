//! The edits for a site: which versions of TLS it speaks, and whether it is a proxy for anybody.

use super::Editor;
use super::line::{Line, Word};
use crate::facts::{Item, Reader, Value};
use crate::gateway::SiteId;
use crate::rules::{Plan, Want};
use crate::source::Edit;

impl Editor<'_> {
    /// The plans for a site.
    pub(super) fn site(&self, id: SiteId, wants: &[Want]) -> Result<Vec<Plan>, String> {
        let [want] = wants else { return Err("no edit is known for it".to_owned()) };
        let reading = want.fact.read(&Reader::new(self.view, Item::Site(id)));
        let line = reading.evidence.first().and_then(|evidence| self.line_at(evidence.span));
        let line = line.filter(|line| !line.is_holed()).ok_or("the line that would have to be changed cannot be read")?;
        match (want.name().as_str(), &reading.value) {
            ("tls.weak", Ok(Value::List(weak))) => Ok(strong_protocols(line, weak)),
            ("open_forward_proxy", _) if line.name() == b"proxyrequests" => {
                let word = line.word(0).ok_or("the line that would have to be changed cannot be read")?;
                Ok(vec![Plan { title: "write `ProxyRequests Off`".to_owned(), edits: vec![word.replace("Off")] }])
            }
            _ => Err("no edit is known for it".to_owned()),
        }
    }
}

/// The line without the weak versions: taken out where they are named, and put behind it with a minus where `all` stands for them. Where
/// nothing else is left, the whole line anew.
fn strong_protocols(line: Line<'_>, weak: &[String]) -> Vec<Plan> {
    let name = |word: &Word<'_>| String::from_utf8_lossy(&word.value()).trim_start_matches('+').to_ascii_lowercase();
    let words: Vec<Word<'_>> = line.words().collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return Vec::new() };
    let is_weak = |word: &Word<'_>| weak.iter().any(|weak| name(word) == weak.to_ascii_lowercase());
    let brings_all = words.iter().any(|word| name(word) == "all");
    let mut plans = Vec::new();
    if words.iter().any(|word| !is_weak(word) && !word.value().starts_with(b"-")) {
        let mut edits: Vec<Edit> = Vec::new();
        let mut before = first.span.start;
        for (index, word) in words.iter().enumerate() {
            // The first goes with the blank behind it, the others with that before them.
            let next = words.get(index + 1).map_or(word.span.end, |next| next.span.start);
            let (start, end) = if index == 0 { (word.span.start, next) } else { (before, word.span.end) };
            if is_weak(word) {
                match edits.last_mut().filter(|edit| edit.span.end >= start) {
                    Some(edit) => edit.span.end = edit.span.end.max(end),
                    None => edits.push(line.edit(start as usize, end as usize, Vec::new())),
                }
            }
            before = word.span.end;
        }
        if brings_all {
            let end = last.span.end as usize;
            let minus: String = weak.iter().flat_map(|weak| [" -", weak]).collect();
            edits.push(line.edit(end, end, minus.into_bytes()));
        }
        plans.push(Plan { title: "take the weak versions out of `SSLProtocol`".to_owned(), edits });
    }
    let all = line.edit(first.span.start as usize, last.span.end as usize, b"-all +TLSv1.2 +TLSv1.3".to_vec());
    plans.push(Plan { title: "write `SSLProtocol -all +TLSv1.2 +TLSv1.3`".to_owned(), edits: vec![all] });
    plans
}
