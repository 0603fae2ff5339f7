//! Judging: every rule over every item it is about.

use std::cell::OnceCell;
use std::cmp::Ordering;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::case::Case;
use super::condition::Slot;
use super::finding::{Finding, Intent};
use super::options::Options;
use super::rule::Rule;
use crate::facts::{Fact, Item, Reader, Reading, Subject, Value, View};
use crate::source::Span;

/// Items judged in one go. Enough that a thread's cells are worth their making; a small gateway is judged where it stands.
const CHUNK: usize = 512;

/// What `rules` say of everything in `view`, by place and then by rule.
#[must_use]
pub fn judge(rules: &[Rule], view: View<'_>, options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    for subject in [Subject::Route, Subject::Upstream, Subject::Site, Subject::Directive, Subject::Gateway] {
        let bench = Bench::new(rules, subject, view, options);
        if !bench.rules.is_empty() {
            let items = view.items(subject);
            findings.par_extend(items.par_chunks(CHUNK).flat_map_iter(|items| bench.judge(items)));
        }
    }
    // A snippet that many sites include is one place: said once, at the worst level.
    findings.sort_unstable_by(order);
    findings.dedup_by(|one, other| (one.span, &one.rule, &one.message) == (other.span, &other.rule, &other.message));
    findings
}

/// The order of findings. It is total, so that it does not depend on who found what first.
fn order(one: &Finding, other: &Finding) -> Ordering {
    (one.span, &one.rule, &one.message)
        .cmp(&(other.span, &other.rule, &other.message))
        .then_with(|| other.level.cmp(&one.level))
        .then_with(|| (&one.labels, &one.label, &one.help).cmp(&(&other.labels, &other.label, &other.help)))
}

/// The rules about one subject, with every fact that any of them uses named once.
struct Bench<'a> {
    view: View<'a>,
    pedantic: bool,
    rules: Vec<Seat<'a>>,
    facts: Vec<&'a Fact>,
    /// The fact `intent`, where a rule asks for it.
    intent: Option<Fact>,
}

/// A rule on the bench.
struct Seat<'a> {
    rule: &'a Rule,
    parameters: Vec<Value>,
    /// Where on the bench the rule's facts are.
    facts: Vec<usize>,
}

impl<'a> Bench<'a> {
    fn new(rules: &'a [Rule], subject: Subject, view: View<'a>, options: &Options) -> Self {
        let mut facts: Vec<&Fact> = Vec::new();
        let mut known: FxHashMap<(&str, &str), usize> = FxHashMap::default();
        let mut index = |fact: &'a Fact| {
            *known.entry((fact.definition.name, &fact.parameter)).or_insert_with(|| {
                facts.push(fact);
                facts.len() - 1
            })
        };
        let rules = rules.iter().filter(|rule| rule.subject() == subject);
        let seat = |rule: &'a Rule| {
            let facts = rule.facts.iter().map(&mut index).collect();
            Seat { rule, parameters: options.parameters(rule), facts }
        };
        let rules: Vec<Seat<'_>> = rules.map(seat).collect();
        let gated = rules.iter().any(|seat| seat.rule.is_about_websockets());
        let intent = if gated { Fact::named("intent").ok() } else { None };
        Self { view, pedantic: options.pedantic, rules, facts, intent }
    }

    /// Judges `items`. Each fact of an item is read once, when a rule first asks for it.
    fn judge(&self, items: &[Item]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut cells: Vec<OnceCell<Reading>> = self.facts.iter().map(|_| OnceCell::new()).collect();
        for &item in items {
            let reader = Reader::new(self.view, item);
            let hint = self.intent.as_ref().map(|fact| fact.read(&reader));
            let intent = hint.as_ref().map_or(Intent::None, intent_of);
            let carries_websockets = intent > Intent::Possible || (intent == Intent::Possible && self.pedantic);
            for (cell, fact) in cells.iter_mut().zip(&self.facts) {
                // What is true of the whole configuration stays true from item to item.
                if fact.definition.subject != Subject::Gateway {
                    cell.take();
                }
            }
            for Seat { rule, parameters, facts } in &self.rules {
                let gated = rule.is_about_websockets();
                if gated && !carries_websockets {
                    continue;
                }
                let case = Case {
                    name: rule.name(),
                    rule: &rule.compiled,
                    parameters,
                    server: self.view.gateway.server,
                    pedantic: self.pedantic,
                    intent: hint.as_ref().filter(|_| gated).map(|hint| (intent, hint)),
                };
                let read = |slot: Slot| {
                    let index = facts[slot.0];
                    cells[index].get_or_init(|| self.facts[index].read(&reader))
                };
                findings.extend(case.judge(&read, || place_of(self.view, item)));
            }
        }
        findings
    }
}

/// The intent that a reading of the fact `intent` gives; what is unknown is none.
fn intent_of(reading: &Reading) -> Intent {
    match &reading.value {
        Ok(Value::Text(name)) => Intent::named(name).unwrap_or(Intent::None),
        _ => Intent::None,
    }
}

/// The place of an item itself, for findings whose facts come from nowhere in particular.
fn place_of(view: View<'_>, item: Item) -> Span {
    let gateway = view.gateway;
    match item {
        Item::Route(id) => gateway.route(id).span,
        Item::Upstream(id) => gateway.upstream(id).span,
        Item::Site(id) => gateway.site(id).span,
        Item::Directive(index) => gateway.remarks[index].span,
        Item::Gateway => Span::new(gateway.root, 0, 0),
    }
}
