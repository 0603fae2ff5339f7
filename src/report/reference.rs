//! The index of the rules in Markdown: by server, by symptom, by level. `rules/README.md` is this text.

use std::fmt::Write as _;

use crate::gateway::Server;
use crate::rules::{Level, Rule, Safety, Symptom};

const HEAD: &str = "\
# The rules

Each rule is one page: what is wrong, what a user sees of it, how to mend it, and examples that the tests hold it to. `proxylint explain RULE`
prints a page, `proxylint explain SYMPTOM` what a symptom means. The level is that of a route where a WebSocket is declared; where it is only
inferred, it is one lower. How a page is written, and how to write rules of your own: [docs/own-rules.md](../docs/own-rules.md).

This index is written by `proxylint rules --output-format markdown`.
";

/// The index of `rules`, with what their users see.
#[must_use]
pub fn reference(rules: &[Rule], symptoms: &[Symptom]) -> String {
    let mut text = HEAD.to_owned();
    let both = [Server::Nginx, Server::Apache];
    for (heading, servers) in [("nginx and Apache httpd", &both[..]), ("nginx", &both[..1]), ("Apache httpd", &both[1..])] {
        by_server(&mut text, heading, rules.iter().filter(|rule| rule.servers() == servers));
    }
    text.push_str(
        "\n## By symptom\n\nThe likeliest cause first; `proxylint explain` knows many more wordings, and lines of logs.\n\n",
    );
    text.push_str("| you see | look at |\n|---|---|\n");
    for symptom in symptoms.iter().filter(|symptom| symptom.rules().next().is_some()) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| **{}**: {} | {} |", symptom.name, symptom.title, links(symptom.rules()));
    }
    text.push_str("\n## By level\n\n| level | rules |\n|---|---|\n");
    for level in [Level::Error, Level::Warning, Level::Note] {
        let _ = writeln!(text, "| {level} | {} |", links(rules.iter().filter(|rule| rule.level() == level)));
    }
    text
}

fn by_server<'a>(text: &mut String, heading: &str, rules: impl Iterator<Item = &'a Rule>) {
    let _ = write!(text, "\n## {heading}\n\n| rule | level | fix | what it finds |\n|---|---|---|---|\n");
    for rule in rules {
        let fix = match rule.safety() {
            Some(Safety::Safe) => "safe",
            Some(Safety::Unsafe) => "unsafe",
            Some(Safety::Manual) | None => "by hand",
        };
        let _ = writeln!(text, "| {} | {} | {fix} | {} |", link(rule), rule.level(), rule.summary());
    }
}

fn links<'a>(rules: impl Iterator<Item = &'a Rule>) -> String {
    rules.map(link).collect::<Vec<_>>().join(", ")
}

fn link(rule: &Rule) -> String {
    format!("[{0}]({0}.md)", rule.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{builtin, symptoms};

    #[test]
    fn the_index_in_the_repository_is_what_the_rules_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/README.md");
        let written = std::fs::read_to_string(path).unwrap();
        let index = reference(builtin(), symptoms());
        assert!(written == index, "write it anew: cargo run -q -- rules --output-format markdown > rules/README.md\n{index}");
    }

    #[test]
    fn every_rule_stands_once_by_server_and_once_by_level() {
        let index = reference(builtin(), symptoms());
        let (servers, rest) = index.split_once("\n## By symptom").unwrap();
        let (_, levels) = rest.split_once("\n## By level").unwrap();
        for rule in builtin() {
            assert_eq!(servers.matches(&link(rule)).count(), 1, "{}", rule.name());
            assert_eq!(levels.matches(&link(rule)).count(), 1, "{}", rule.name());
        }
    }
}
