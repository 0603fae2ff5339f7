//! Comments that silence findings: `# proxylint: ignore[rule] reason` for the next directive and its block, `ignore-file[rule]` for a file.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::config::nearest;
use crate::facts::{Declared, View};
use crate::gateway::{Gateway, RemarkKind, Server, Unknown};
use crate::project::Store;
use crate::rules::{Finding, Options, Rule, judge};
use crate::source::{Mark, SourceId, Sources, Span};
use crate::tree::{DirectiveId, TokenId, TokenKind, Tree};

/// The name of the rule about comments that silence nothing.
const RULE: &str = "unused-suppression";

/// What may be said to proxylint in a comment.
const VERBS: [&str; 4] = ["ignore", "ignore-file", "websocket", "no-websocket"];

/// What the comments of all files silence.
#[derive(Debug, Default)]
pub struct Suppressions {
    /// By file and rule, in order; none of a file and rule lies in another.
    silent: BTreeMap<(SourceId, String), Vec<Silence>>,
    faults: Vec<Fault>,
}

/// Where one rule is not to be heard.
#[derive(Debug)]
struct Silence {
    covers: Range<u32>,
    /// The rule's name in the comment.
    name: Span,
    used: bool,
}

/// A comment that silences nothing whatever is found, and why.
#[derive(Debug)]
struct Fault {
    span: Span,
    why: String,
    help: String,
}

impl Suppressions {
    /// Reads the comments of every file of `store`; `rules` are the names of the rules there are.
    #[must_use]
    pub fn read(store: &Store, rules: &[&str]) -> Self {
        let sources: Vec<SourceId> = store.sources.iter().filter(|(_, source)| source.has_marks()).map(|(id, _)| id).collect();
        let read: Vec<Comments<'_>> = sources
            .into_par_iter()
            .map(|id| {
                let source = store.sources.get(id);
                let mut comments =
                    Comments { id, tree: store.tree(id), bytes: source.bytes(), rules, found: Vec::new(), faults: Vec::new() };
                comments.read();
                comments
            })
            .collect();
        let mut all = Self::default();
        for comments in read {
            all.faults.extend(comments.faults);
            for (rule, silence) in comments.found {
                all.add(&store.sources, rule, silence);
            }
        }
        all
    }

    /// Whether no comment says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.silent.is_empty() && self.faults.is_empty()
    }

    /// Whether anything that a comment was to silence was not found so far.
    #[must_use]
    pub fn is_any_unused(&self) -> bool {
        self.silent.values().flatten().any(|silence| !silence.used)
    }

    /// Adds what stands behind everything added before in its file.
    fn add(&mut self, sources: &Sources, rule: String, silence: Silence) {
        let source = silence.name.source;
        let silent = self.silent.entry((source, rule)).or_default();
        // Blocks lie in one another or side by side, so only the last can hold this one.
        match silent.last() {
            Some(outer) if silence.covers.start < outer.covers.end => {
                let line = sources.get(source).position(outer.name.start).line;
                let help = "remove it".to_owned();
                self.faults.push(Fault { span: silence.name, why: format!("line {line} silences the rule here already"), help });
            }
            _ => silent.push(silence),
        }
    }

    /// Takes what is silenced out of `findings`, and returns it.
    pub fn silence(&mut self, findings: &mut Vec<Finding>) -> Vec<Finding> {
        if self.silent.is_empty() {
            return Vec::new();
        }
        findings.extract_if(.., |finding| self.covers(finding)).collect()
    }

    fn covers(&mut self, finding: &Finding) -> bool {
        let Some(silent) = self.silent.get_mut(&(finding.span.source, finding.rule.clone())) else { return false };
        let before = silent.partition_point(|silence| silence.covers.start <= finding.span.start);
        match before.checked_sub(1).map(|index| &mut silent[index]) {
            Some(silence) if finding.span.start < silence.covers.end => {
                silence.used = true;
                true
            }
            _ => false,
        }
    }

    /// What `rule`, the one about comments that silence nothing, says after everything was silenced. `ran` says whether a rule was
    /// applied to a file, and `is_whole` whether the file was read as part of a whole configuration.
    #[must_use]
    pub fn unused(
        &mut self,
        store: &Store,
        rules: &[Rule],
        ran: impl Fn(SourceId, &str) -> bool,
        is_whole: impl Fn(SourceId) -> bool,
    ) -> Vec<Finding> {
        let Some(rule) = rules.iter().find(|rule| rule.name() == RULE) else { return Vec::new() };
        let looked_for = self.silent.iter().filter(|((source, name), _)| name != RULE && ran(*source, name));
        let unused = looked_for.flat_map(|((_, name), silent)| {
            silent.iter().filter(|silence| !silence.used).map(move |silence| (silence.name, name))
        });
        // By server, and whether more than the files given decides what is found.
        let mut gateways: BTreeMap<(bool, bool), Gateway> = BTreeMap::new();
        let mut remark = |span: Span, partial: bool, why: String, help: String| {
            let server = store.server(span.source);
            let gateway = gateways.entry((server == Server::Nginx, partial));
            let gateway = gateway.or_insert_with(|| Gateway::new(server, None, span.source));
            gateway.partial = partial.then_some(Unknown::Fragment(span));
            gateway.remark(span, RemarkKind::UnusedSuppression { why, help });
        };
        for (span, name) in unused {
            let why = format!("nothing in its reach raises `{name}`");
            remark(span, !is_whole(span.source), why, format!("remove `{name}` from the comment, or the comment"));
        }
        for fault in self.faults.drain(..) {
            remark(fault.span, false, fault.why, fault.help);
        }
        let declared = Declared::default();
        let mut findings = Vec::new();
        for gateway in gateways.values() {
            let view = View::new(&store.sources, gateway, &declared);
            findings.extend(judge(std::slice::from_ref(rule), &view, &Options::default()));
        }
        findings.retain(|finding| ran(finding.span.source, RULE));
        findings
    }
}

/// The comments of one file.
struct Comments<'a> {
    id: SourceId,
    tree: &'a Tree,
    bytes: &'a [u8],
    rules: &'a [&'a str],
    /// By where they begin, the wider first.
    found: Vec<(String, Silence)>,
    faults: Vec<Fault>,
}

impl Comments<'_> {
    fn read(&mut self) {
        let count = u32::try_from(self.tree.tokens().len()).unwrap_or(u32::MAX);
        // From behind, so that what follows a comment is known when it is met.
        let mut next = None;
        for id in (0..count).rev().map(TokenId) {
            match self.tree.token(id).kind {
                TokenKind::Comment => {
                    if let Some(mark) = Mark::of(self.tree.text(id, self.bytes)) {
                        self.mark(id, next, &mark);
                    }
                }
                TokenKind::Blank | TokenKind::Mark | TokenKind::Tag => {}
                _ => next = Some(id),
            }
        }
        self.faults.reverse();
        self.found.reverse();
        self.found.sort_by_key(|(_, silence)| (silence.covers.start, Reverse(silence.covers.end)));
    }

    /// Reads a comment; `next` is the first token behind it that is part of a directive or ends a block.
    fn mark(&mut self, comment: TokenId, next: Option<TokenId>, mark: &Mark) {
        let start = self.tree.range(comment).start;
        let (source, at) = (self.id, |offset: usize| start + u32::try_from(offset).unwrap_or(u32::MAX));
        let place = |range: &Range<usize>| Span::new(source, at(range.start), at(range.end));
        let text = self.tree.text(comment, self.bytes);
        let verb = String::from_utf8_lossy(&text[mark.verb.clone()]).into_owned();
        let whole = Span::new(self.id, start, self.tree.range(comment).end);
        let covers = match verb.as_str() {
            "websocket" | "no-websocket" => return,
            "ignore" => self.next_directive(comment, next),
            "ignore-file" => self.whole_file(comment),
            _ => {
                let near = nearest(&verb, &VERBS);
                let help =
                    near.map_or_else(|| format!("write one of {}", VERBS.join(", ")), |near| format!("did you mean `{near}`?"));
                return self.fault(whole, format!("`{verb}` means nothing here"), help);
            }
        };
        let names = mark.names.iter().flatten().collect::<Vec<_>>();
        if names.is_empty() {
            return self.fault(whole, "it names no rule".to_owned(), format!("write `{verb}[rule]`, several with commas"));
        }
        let covers = match covers {
            Ok(covers) => covers,
            Err((why, help)) => return self.fault(whole, why.to_owned(), help.to_owned()),
        };
        for name in names {
            let (span, rule) = (place(name), String::from_utf8_lossy(&text[name.clone()]).into_owned());
            if self.rules.contains(&rule.as_str()) {
                self.found.push((rule, Silence { covers: covers.clone(), name: span, used: false }));
            } else {
                let near = nearest(&rule, self.rules);
                let help =
                    near.map_or_else(|| "`proxylint rules` lists the rules".to_owned(), |near| format!("did you mean `{near}`?"));
                self.fault(span, format!("there is no rule `{rule}`"), help);
            }
        }
    }

    fn fault(&mut self, span: Span, why: String, help: String) {
        self.faults.push(Fault { span, why, help });
    }

    /// The directive that follows `comment` in its block, with its own block.
    fn next_directive(&self, comment: TokenId, next: Option<TokenId>) -> Result<Range<u32>, (&'static str, &'static str)> {
        let start = self.tree.range(comment).start;
        let mut line = self.bytes[..start as usize].iter().rev().take_while(|byte| **byte != b'\n');
        if !line.all(u8::is_ascii_whitespace) {
            return Err(("it stands behind a directive", "write it on a line of its own, above the directive"));
        }
        let directive = next.and_then(|token| {
            let index = self.tree.directives().binary_search_by_key(&token.0, |directive| directive.name.0).ok()?;
            u32::try_from(index).ok().map(DirectiveId)
        });
        match directive {
            Some(id) => Ok(start..self.tree.extent(id).end),
            None => Err(("no directive follows it in its block", "write it right above the directive to silence, or remove it")),
        }
    }

    /// The whole file, where `comment` stands above everything in it.
    fn whole_file(&self, comment: TokenId) -> Result<Range<u32>, (&'static str, &'static str)> {
        match self.tree.directives().first() {
            Some(first) if first.name.0 < comment.0 => Err((
                "it stands below the first directive",
                "move it to the top of the file, or write `ignore[rule]` above a directive",
            )),
            _ => Ok(0..u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Level, builtin};

    const RULES: [&str; 3] = ["syntax", "include-missing", RULE];

    /// A file, and what is found where in it: the rule at the start of the word.
    fn settle(text: &str, found: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let mut store = Store::default();
        let source = store.add("nginx.conf".into(), text.as_bytes().to_vec(), Server::Nginx);
        let finding = |&(rule, word): &(&str, &str)| {
            let start = u32::try_from(text.find(word).unwrap()).unwrap();
            Finding {
                rule: rule.to_owned(),
                level: Level::Error,
                intent: None,
                message: word.to_owned(),
                span: Span::new(source, start, start + 1),
                label: String::new(),
                labels: Vec::new(),
                help: None,
                subjects: Vec::new(),
                fix: None,
            }
        };
        let mut findings: Vec<Finding> = found.iter().map(finding).collect();
        let mut suppressions = Suppressions::read(&store, &RULES);
        suppressions.silence(&mut findings);
        let unused = suppressions.unused(&store, builtin(), |_, _| true, |_| true);
        let messages = |findings: Vec<Finding>| findings.into_iter().map(|finding| finding.message).collect();
        (messages(findings), messages(unused))
    }

    fn left(text: &str, found: &[(&str, &str)]) -> Vec<String> {
        settle(text, found).0
    }

    fn complaints(text: &str) -> Vec<String> {
        let shown = |message: String| message.split_once(": ").map(|(_, why)| why.to_owned()).unwrap();
        settle(text, &[("syntax", "fault")]).1.into_iter().map(shown).collect()
    }

    #[test]
    fn a_comment_covers_the_next_directive_and_its_block() {
        let text = "# proxylint: ignore[syntax] why\n\nserver { one; location / { two; } }\nthree;\n";
        assert_eq!(left(text, &[("syntax", "server"), ("syntax", "one"), ("syntax", "two")]), Vec::<String>::new());
        assert_eq!(left(text, &[("include-missing", "one"), ("syntax", "three"), ("syntax", "one")]), ["one", "three"]);
    }

    #[test]
    fn a_comment_at_the_top_covers_the_file() {
        let text = "# proxylint: ignore-file[syntax, include-missing]\none; two; three;\n";
        assert_eq!(left(text, &[("syntax", "one"), ("include-missing", "three"), ("undefined", "two")]), ["two"]);
    }

    #[test]
    fn comments_stand_one_above_the_other() {
        let text = "# proxylint: ignore[syntax]\n# said\n# proxylint: ignore[include-missing]\none;\n";
        assert_eq!(left(text, &[("syntax", "one"), ("include-missing", "one")]), Vec::<String>::new());
    }

    #[test]
    fn a_comment_that_does_nothing_says_why() {
        for (text, why) in [
            ("# proxylint: ignore[syntax]\nserver { } fault;", "nothing in its reach raises `syntax`"),
            ("# proxylint: ignore[sintax]\nfault;", "there is no rule `sintax`"),
            ("# proxylint: ignore\nfault;", "it names no rule"),
            ("# proxylint: ignroe[syntax]\nfault;", "`ignroe` means nothing here"),
            ("server { # proxylint: ignore[syntax]\nfault; }", "it stands behind a directive"),
            ("server { fault;\n# proxylint: ignore[syntax]\n}\nlisten;", "no directive follows it in its block"),
            ("server { }\n# proxylint: ignore-file[syntax]\nfault;", "it stands below the first directive"),
        ] {
            assert_eq!(complaints(text), [why], "{text}");
        }
        for text in ["# proxylint: websocket\nfault;", "# proxylint: ignore[unused-suppression]\nfault;", "# proxylint\nfault;"] {
            assert!(complaints(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_silenced_already_need_not_be_silenced_again() {
        let text =
            "# proxylint: ignore[syntax]\nserver {\n# proxylint: ignore[syntax]\nfault; }\n# proxylint: ignore[syntax]\nlast;";
        let (left, unused) = settle(text, &[("syntax", "fault"), ("syntax", "last")]);
        assert!(left.is_empty());
        assert_eq!(unused, ["this comment for proxylint does nothing: line 1 silences the rule here already"]);
    }
}
