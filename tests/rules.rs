//! Every rule's page is held to its examples: a bad one raises exactly that rule at its level, a good one nothing.

#[path = "common/lint.rs"]
mod lint;

use std::fmt::Write as _;

use proxylint::rules::{Example, Rule, builtin};

/// What an example must raise: the rule and its level.
fn wanted(rule: &Rule, example: &Example) -> Vec<String> {
    let level = example.level.unwrap_or(rule.level());
    if example.good { Vec::new() } else { vec![format!("{level}[{}]", rule.name())] }
}

#[test]
fn examples_raise_what_their_pages_say() {
    let mut wrong = String::new();
    for rule in builtin() {
        for example in rule.examples() {
            let found = lint::lint(&example.files, example.server, example.version);
            let names: Vec<String> = found.iter().map(|(_, finding)| format!("{}[{}]", finding.level, finding.rule)).collect();
            let wanted = wanted(rule, example);
            if names != wanted {
                writeln!(wrong, "rules/{}.md:{}: wanted {wanted:?}, found:", rule.name(), example.line).unwrap();
                for (place, finding) in found {
                    writeln!(wrong, "    {place}: {}[{}] {}", finding.level, finding.rule, finding.message).unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn bad_examples_are_mended_as_their_pages_say() {
    let mut wrong = String::new();
    for rule in builtin().iter().filter(|rule| rule.has_wants()) {
        for example in rule.examples().iter().filter(|example| !example.good) {
            let place = format!("rules/{}.md:{}", rule.name(), example.line);
            let (mended, left) = lint::mend(rule.name(), example);
            if let Some(fixed) = &example.fixed
                && mended != *fixed
            {
                for ((path, text), (_, wanted)) in mended.iter().zip(fixed).filter(|(one, other)| one != other) {
                    writeln!(wrong, "{place}: {path} is to be\n{wanted}and is\n{text}").unwrap();
                }
            }
            if left.is_empty() == example.manual {
                writeln!(wrong, "{place}: the fix leaves {left:?} in\n{}", mended[0].1).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn findings_are_in_lower_case_and_say_what_to_write() {
    for rule in builtin() {
        for example in rule.examples() {
            for (place, finding) in lint::lint(&example.files, example.server, example.version) {
                let message = &finding.message;
                assert!(!message.starts_with(char::is_uppercase), "{place}: {message}");
                assert!(!message.ends_with('.') && !message.contains('\n'), "{place}: {message}");
                assert!(finding.help.is_some(), "{place}: {} says nothing of how to mend it", finding.rule);
            }
        }
    }
}
