//! A rule's page: its title, the `toml` block, the prose, and the examples in its fences.

use std::ops::Range;

use super::finding::Level;
use super::problem::{Fault, Problem};
use crate::gateway::{Server, Version};

/// One tested example of a page: a fence such as ```` ```nginx bad version=1.22 ````.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The server that reads it.
    pub server: Server,
    /// Whether the rule must stay silent.
    pub good: bool,
    /// The version to judge it for, where the fence names one.
    pub version: Option<Version>,
    /// The level to be raised, where it is not the rule's own.
    pub level: Option<Level>,
    /// Its files by path, the main one first.
    pub files: Vec<(String, String)>,
    /// Whether only a person can mend it, though the rule has a fix.
    pub manual: bool,
    /// Its files as the rule's fix leaves them, where the next fence shows that.
    pub fixed: Option<Vec<(String, String)>>,
    /// The line of the page on which the fence opens, from 1.
    pub line: usize,
}

/// A page taken apart; ranges are bytes of the page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) title: Range<usize>,
    pub(super) block: Range<usize>,
    pub(super) summary: String,
    pub(super) examples: Vec<Example>,
}

/// A fenced block: what follows the backticks, and what stands between them.
struct Fence {
    info: Range<usize>,
    body: Range<usize>,
    line: usize,
}

impl Page {
    /// Takes `text` apart.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let (outside, fences) = split(text)?;
        let title = outside.iter().find(|line| !text[(*line).clone()].trim().is_empty());
        let title = match title.map(|line| (line, &text[line.clone()])) {
            Some((line, heading)) if heading.starts_with("# ") && !heading[2..].trim().is_empty() => {
                let name = heading[2..].trim();
                let start = line.start + heading.find(name).unwrap_or(2);
                start..start + name.len()
            }
            _ => return Err(Fault::at(0..text.len().min(1), Problem::NoTitle)),
        };
        let block = fences.iter().find(|fence| text[fence.info.clone()].trim() == "toml");
        let block = block.ok_or_else(|| Fault::at(title.clone(), Problem::NoBlock))?.body.clone();
        let prose = outside.iter().filter(|line| line.start >= block.end).map(|line| &text[line.clone()]);
        let summary = first_sentence(prose);
        let mut examples = Vec::new();
        for fence in &fences {
            match (fixed(text, fence), examples.last_mut()) {
                (None, _) => examples.extend(example(text, fence)?),
                (Some(files), Some(Example { good: false, fixed, .. })) => *fixed = Some(files),
                (Some(_), _) => return Err(Fault::at(fence.info.clone(), Problem::BadFence { word: "fixed".to_owned() })),
            }
        }
        Ok(Self { title, block, summary, examples })
    }
}

/// The lines outside of fences, and the fences.
fn split(text: &str) -> Result<(Vec<Range<usize>>, Vec<Fence>), Fault> {
    let mut outside = Vec::new();
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let range = start..start + line.trim_end_matches(['\n', '\r']).len();
        start += line.len();
        match (&mut open, line.trim_end().strip_prefix("```")) {
            (None, Some(_)) => {
                open = Some(Fence { info: range.start + 3..range.end, body: start..start, line: index + 1 });
            }
            (None, None) => outside.push(range),
            (Some(_), Some("")) => fences.extend(open.take()),
            (Some(fence), _) => fence.body.end = start,
        }
    }
    match open {
        Some(fence) => Err(Fault::at(fence.info.start - 3..fence.info.end, Problem::OpenFence)),
        None => Ok((outside, fences)),
    }
}

/// The first sentence of the first paragraph.
fn first_sentence<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let paragraph: Vec<&str> =
        lines.map(str::trim).skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    let mut text = paragraph.join(" ");
    if let Some(end) = text.find(". ") {
        text.truncate(end + 1);
    }
    text
}

/// The files of a fence that shows the example before it mended: ```` ```nginx fixed ````.
fn fixed(text: &str, fence: &Fence) -> Option<Vec<(String, String)>> {
    let main = match text[fence.info.clone()].split_ascii_whitespace().collect::<Vec<_>>()[..] {
        ["nginx", "fixed"] => "nginx.conf",
        ["apache", "fixed"] => "httpd.conf",
        _ => return None,
    };
    Some(files(&text[fence.body.clone()], main))
}

/// The example that a fence holds: its info begins with a server and `good` or `bad`; any other fence is prose.
fn example(text: &str, fence: &Fence) -> Result<Option<Example>, Fault> {
    let mut words = text[fence.info.clone()].split_ascii_whitespace();
    let (server, main) = match words.next() {
        Some("nginx") => (Server::Nginx, "nginx.conf"),
        Some("apache") => (Server::Apache, "httpd.conf"),
        _ => return Ok(None),
    };
    let good = match words.next() {
        Some("good") => true,
        Some("bad") => false,
        _ => return Ok(None),
    };
    let files = files(&text[fence.body.clone()], main);
    let mut example = Example { server, good, version: None, level: None, files, manual: false, fixed: None, line: fence.line };
    for word in words {
        let understood = match word.split_once('=') {
            Some(("version", version)) => version.parse().map(|version| example.version = Some(version)).is_ok(),
            Some(("level", level)) => Level::named(level).map(|level| example.level = Some(level)).is_some(),
            None if word == "manual" && !good => {
                example.manual = true;
                true
            }
            _ => false,
        };
        if !understood {
            return Err(Fault::at(fence.info.clone(), Problem::BadFence { word: word.to_owned() }));
        }
    }
    Ok(Some(example))
}

/// The files of a fence: a line `# file: conf.d/a.conf` begins one.
fn files(body: &str, main: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in body.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("# file: ") {
            files.push((name.trim().to_owned(), String::new()));
        } else if let Some((_, text)) = files.last_mut() {
            text.push_str(line);
        } else {
            files.push((main.to_owned(), line.to_owned()));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# some-rule\n\n```toml\nlevel = \"note\"\n```\n\nFirst it is\nsaid. Then more.\n\nAnother.\n\n```nginx bad version=1.22 level=warning\nevents {}\n# file: conf.d/a.conf\nserver {}\n```\n\n```nginx\nshown only\n```\n";

    #[test]
    fn a_page_is_a_title_a_block_prose_and_examples() {
        let page = Page::parse(PAGE).unwrap();
        assert_eq!(&PAGE[page.title], "some-rule");
        assert_eq!(&PAGE[page.block], "level = \"note\"\n");
        assert_eq!(page.summary, "First it is said.");
        let [example] = &page.examples[..] else { panic!("{:?}", page.examples) };
        assert_eq!(example.files[0], ("nginx.conf".to_owned(), "events {}\n".to_owned()));
        assert_eq!(example.files[1], ("conf.d/a.conf".to_owned(), "server {}\n".to_owned()));
        assert_eq!((example.version, example.level), (Some(Version::new(1, 22, 0)), Some(Level::Warning)));
        assert!(!example.good);
    }

    #[test]
    fn what_is_missing_is_named() {
        let problem = |text: &str| Page::parse(text).map(drop).map_err(|fault| fault.problem.to_string());
        assert_eq!(problem("").unwrap_err(), Problem::NoTitle.to_string());
        assert_eq!(problem("# a\n").unwrap_err(), Problem::NoBlock.to_string());
        assert_eq!(problem("# a\n```toml\n").unwrap_err(), Problem::OpenFence.to_string());
        assert_eq!(
            problem("# a\n```toml\n```\n```nginx bad loud\n```\n").unwrap_err(),
            Problem::BadFence { word: "loud".to_owned() }.to_string()
        );
    }
}
