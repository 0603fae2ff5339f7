//! What people see when a WebSocket breaks, and which rules look for its causes: the table of `rules/symptoms.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Rule, builtin};

/// Something that people see, hear from a browser, or read in a log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// What one asks for: `400`, `AH01144`.
    pub name: String,
    /// The same in a few words, lower case.
    pub title: String,
    /// Other wordings.
    said: Vec<String>,
    /// What it means, in one paragraph.
    pub means: String,
    /// Causes that no configuration shows.
    pub outside: Option<String>,
    /// The names of the rules that look for its causes, the likeliest first.
    rules: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    symptom: Vec<Symptom>,
}

#[expect(clippy::expect_used, reason = "the file is part of the program and a test reads it")]
static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../../rules/symptoms.toml")).expect("rules/symptoms.toml is read by a test"));

/// Every symptom, in the order of the table.
#[must_use]
pub fn symptoms() -> &'static [Symptom] {
    &TABLE.symptom
}

/// The symptom that a question is about: a status, a close code, a browser's message or a line of a log.
///
/// The longest wording decides whose words all occur in the question in their order; else a wording that the question is a part of.
#[must_use]
pub fn symptom(question: &str) -> Option<&'static Symptom> {
    let asked = words(question);
    let wordings = || symptoms().iter().flat_map(|symptom| symptom.wordings().map(move |wording| (symptom, words(wording))));
    let length = |words: &[String]| words.iter().map(String::len).sum::<usize>();
    // Of equal ones the first: the table puts the usual meaning first.
    let mut best: Option<(usize, &Symptom)> = None;
    for (symptom, wording) in wordings().filter(|(_, wording)| occur(wording, &asked)) {
        if best.is_none_or(|(longest, _)| longest < length(&wording)) {
            best = Some((length(&wording), symptom));
        }
    }
    // Half a word says too little.
    let part = || wordings().find(|(_, wording)| length(&asked) >= 6 && occur(&asked, wording));
    best.map(|(_, symptom)| symptom).or_else(|| part().map(|(symptom, _)| symptom))
}

impl Symptom {
    /// The rules that look for its causes, the likeliest first.
    pub fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        self.rules.iter().filter_map(|name| builtin().iter().find(|rule| rule.name() == name))
    }

    /// Whether it may come of what the rule `name` finds.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule == name)
    }

    fn wordings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.said).map(String::as_str)
    }
}

/// The words and numbers of a text, in lower case.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Whether all `words` occur in `text`, in their order; nothing does not occur.
fn occur(words: &[String], text: &[String]) -> bool {
    let mut rest = text.iter();
    !words.is_empty() && words.iter().all(|word| rest.any(|other| other == word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Level;

    fn named(question: &str) -> Option<&'static str> {
        symptom(question).map(|symptom| symptom.name.as_str())
    }

    #[test]
    fn statuses_codes_and_names_are_understood() {
        for name in [
            "200",
            "301",
            "400",
            "401",
            "403",
            "404",
            "405",
            "426",
            "500",
            "501",
            "502",
            "503",
            "504",
            "505",
            "1000",
            "1006",
            "1011",
            "timeout",
            "works in Chrome not Firefox",
            "long polling fallback",
            "AH01144",
            "AH01146",
        ] {
            assert_eq!(named(name), Some(name));
        }
        for (question, name) in [("308", "301"), ("1001", "1000"), ("1005", "1000"), ("ah01144", "AH01144"), ("HTTP 426", "426")]
        {
            assert_eq!(named(question), Some(name), "{question}");
        }
    }

    #[test]
    fn what_browsers_say_is_understood() {
        for (question, name) in [
            (
                "WebSocket connection to 'wss://example.com/ws' failed: Error during WebSocket handshake: Unexpected response code: 400",
                "400",
            ),
            (
                "WebSocket connection to 'wss://example.com/ws' failed: WebSocket is closed before the connection is established.",
                "1006",
            ),
            ("Firefox can’t establish a connection to the server at wss://example.com/ws.", "1006"),
            (
                "WebSocket connection to 'wss://h/' failed: Error in connection establishment: net::ERR_CERT_DATE_INVALID",
                "certificate error",
            ),
            ("Error during WebSocket handshake: 'Upgrade' header is missing", "handshake response incomplete"),
            ("works in chrome but not in firefox", "works in Chrome not Firefox"),
            ("{\"code\":1,\"message\":\"Session ID unknown\"}", "400"),
        ] {
            assert_eq!(named(question), Some(name), "{question}");
        }
    }

    #[test]
    fn lines_of_logs_are_understood() {
        for (question, name) in [
            (
                "2026/01/02 10:00:00 [error] 7#7: *1 upstream prematurely closed connection while reading response header from upstream",
                "502",
            ),
            (
                "2026/01/02 10:00:00 [info] 7#7: *1 upstream timed out (110: Connection timed out) while proxying upgraded connection",
                "timeout",
            ),
            (
                "2026/01/02 10:00:00 [error] 7#7: *1 upstream timed out (110: Connection timed out) while reading response header from upstream",
                "504",
            ),
            ("AH01144: No protocol handler was valid for the URL /ws (scheme 'ws')", "AH01144"),
            ("No protocol handler was valid for the URL /ws", "AH01144"),
            ("nginx: [emerg] unknown \"connection_upgrade\" variable", "emerg"),
            ("nginx: [alert] 1024 worker_connections are not enough", "hangs"),
            ("app.conf:3: no resolver defined to resolve backend", "no resolver"),
            ("AH00111: Config variable ${backend} is not defined", "AH00111"),
            ("AH01171: balancer://ws: Can not find worker for ws://x", "AH01171"),
            ("(EAI 2)Name or service not known: AH00898: DNS lookup failure for: 127.0.0.1:9000ws returned by /ws", "AH00898"),
            ("AH01961: SSL Proxy requested for localhost:80 but not enabled [Hint: SSLProxyEngine]", "AH01961"),
        ] {
            assert_eq!(named(question), Some(name), "{question}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_symptom() {
        for question in ["", "...", "the", "read", "418", "it does not work"] {
            assert_eq!(named(question), None, "{question}");
        }
    }

    #[test]
    fn wordings_belong_to_one_symptom_and_texts_read_as_texts() {
        let mut seen = Vec::new();
        for symptom in symptoms() {
            for wording in symptom.wordings() {
                assert!(!seen.contains(&words(wording)), "{wording} is said twice");
                seen.push(words(wording));
            }
            assert!(symptom.means.ends_with('.'), "{}", symptom.name);
            assert!(!symptom.means.contains("  ") && !symptom.means.contains('\n'), "{}: {}", symptom.name, symptom.means);
            assert!(!symptom.title.ends_with('.'), "{}", symptom.title);
        }
    }

    #[test]
    fn every_rule_that_is_named_is_built_in() {
        for symptom in symptoms() {
            for name in &symptom.rules {
                let known = builtin().iter().any(|rule| rule.name() == name);
                assert!(known, "rules/symptoms.toml names `{name}` under `{}`, and there is no such rule", symptom.name);
            }
        }
    }

    #[test]
    fn every_rule_that_breaks_a_websocket_is_reached_by_a_symptom() {
        for rule in builtin().iter().filter(|rule| rule.is_about_websockets() && rule.level() == Level::Error) {
            let reached = symptoms().iter().any(|symptom| symptom.names(rule.name()));
            assert!(reached, "name `{}` under what its users see in rules/symptoms.toml", rule.name());
        }
    }
}
