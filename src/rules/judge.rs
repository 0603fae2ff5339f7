//! Judging: every rule over every item it is about.

use std::cell::{OnceCell, RefCell};
use std::cmp::Ordering;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::asked::{Asked, Questions};
use super::case::Case;
use super::condition::{Slot, Truth};
use super::finding::{Finding, Intent};
use super::grade::Grade;
use super::options::Options;
use super::rule::Rule;
use crate::facts::{Fact, Item, Reader, Reading, Subject, Value, View};
use crate::gateway::Unknown;
use crate::source::Span;

/// Items judged in one go. Enough that a thread's cells are worth their making; a small gateway is judged where it stands.
const CHUNK: usize = 512;

/// Rules under options, made ready to judge one gateway after another.
#[derive(Debug)]
pub struct Benches<'a>(Vec<Bench<'a>>);

/// Chunks that a thread takes in one go: few enough that all threads are busy to the end.
const BATCH: usize = 4;

/// What `rules` say of everything in `view`, by place and then by rule.
#[must_use]
pub fn judge<'a>(rules: impl IntoIterator<Item = &'a Rule>, view: &View<'_>, options: &Options) -> Vec<Finding> {
    Benches::new(rules, options).judge(view)
}

impl<'a> Benches<'a> {
    /// Makes `rules` ready.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = &'a Rule>, options: &Options) -> Self {
        let rules: Vec<&Rule> = rules.into_iter().collect();
        let subjects = [Subject::Route, Subject::Upstream, Subject::Site, Subject::Directive, Subject::Gateway];
        let benches = subjects.map(|subject| Bench::new(&rules, subject, options));
        Self(benches.into_iter().filter(|bench| !bench.always.is_empty() || !bench.gated.is_empty()).collect())
    }

    /// What they say of everything in `view`, by place and then by rule.
    #[must_use]
    pub fn judge(&self, view: &View<'_>) -> Vec<Finding> {
        self.judge_among(view, |_| true)
    }

    /// What they say of those items that `among` lets in.
    pub(crate) fn judge_among(&self, view: &View<'_>, among: impl Fn(Item) -> bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        for bench in &self.0 {
            let items: Vec<Item> = view.items(bench.subject).into_iter().filter(|&item| among(item)).collect();
            if items.is_empty() {
                continue;
            }
            let sitting = bench.sit(view);
            findings.par_extend(items.par_chunks(CHUNK).with_max_len(BATCH).flat_map_iter(|items| sitting.judge(items)));
        }
        settle(&mut findings);
        findings
    }
}

/// Puts findings in order, and says once, at the worst level, what many sites that include one snippet have in common.
fn settle(findings: &mut Vec<Finding>) {
    findings.sort_unstable_by(order);
    merge(findings);
}

/// Makes one of each row of sorted findings that say the same of the same place.
pub(crate) fn merge(findings: &mut Vec<Finding>) {
    findings.dedup_by(|one, other| {
        let same = (one.span, &one.rule, &one.message) == (other.span, &other.rule, &other.message);
        if same {
            other.subjects.append(&mut one.subjects);
        }
        same
    });
}

/// The order of findings. It is total, so that it does not depend on who found what first.
fn order(one: &Finding, other: &Finding) -> Ordering {
    (one.span, &one.rule, &one.message)
        .cmp(&(other.span, &other.rule, &other.message))
        .then_with(|| other.level.cmp(&one.level))
        .then_with(|| (&one.labels, &one.label, &one.help).cmp(&(&other.labels, &other.label, &other.help)))
        .then_with(|| one.subjects.cmp(&other.subjects))
}

/// The rules about one subject, with every fact that any of them uses named once.
#[derive(Debug)]
struct Bench<'a> {
    subject: Subject,
    pedantic: bool,
    possible: bool,
    /// Those that judge every item.
    always: Vec<Seat<'a>>,
    /// Those that judge what carries WebSockets.
    gated: Vec<Seat<'a>>,
    facts: Vec<&'a Fact>,
    questions: Questions,
    /// The fact `intent`, where a rule asks for it.
    intent: Option<Fact>,
}

/// A rule on the bench.
#[derive(Debug)]
struct Seat<'a> {
    rule: &'a Rule,
    /// Whether the rule is for an item.
    applies: Asked,
    /// Whether it has something to say of one that it is for.
    when: Asked,
    /// What gives it another grade than its own: the first that holds.
    grades: Vec<(Asked, Grade)>,
    parameters: Vec<Value>,
    /// Where on the bench the rule's facts are.
    facts: Vec<usize>,
}

impl<'a> Bench<'a> {
    fn new(rules: &[&'a Rule], subject: Subject, options: &Options) -> Self {
        let mut facts: Vec<&Fact> = Vec::new();
        let mut questions = Questions::default();
        let mut known: FxHashMap<(&str, &str), usize> = FxHashMap::default();
        let mut index = |fact: &'a Fact| {
            *known.entry((fact.definition.name, &fact.parameter)).or_insert_with(|| {
                facts.push(fact);
                facts.len() - 1
            })
        };
        let seat = |rule: &'a Rule| {
            let parameters = options.parameters(rule);
            let facts: Vec<usize> = rule.facts.iter().map(&mut index).collect();
            let mut ask = |condition| questions.ask(condition, &facts, &parameters);
            let applies = rule.compiled.applies.as_ref().map_or(Asked::All(Vec::new()), &mut ask);
            let when = ask(&rule.compiled.when);
            let grades = rule.compiled.grades.iter().map(|(when, grade)| (ask(when), *grade)).collect();
            Seat { rule, applies, when, grades, parameters, facts }
        };
        let seats = rules.iter().copied().filter(|rule| rule.subject() == subject).map(seat);
        let (gated, always): (Vec<Seat<'_>>, Vec<Seat<'_>>) = seats.partition(|seat| seat.rule.is_about_websockets());
        let intent = if gated.is_empty() { None } else { Fact::named("intent").ok() };
        let possible = options.pedantic || options.possible;
        Self { subject, pedantic: options.pedantic, possible, always, gated, facts, questions, intent }
    }

    /// Those of the rules that may be for something in `view`: others are for another server, perhaps.
    fn sit<'v>(&'v self, view: &'v View<'v>) -> Sitting<'v> {
        let reader = Reader::new(view, Item::Gateway);
        let unknown = || Reading::unknown(Unknown::Runtime);
        let is_whole = |fact: &Fact| fact.definition.subject == Subject::Gateway;
        let readings: Vec<Reading> =
            self.facts.iter().map(|fact| if is_whole(fact) { fact.read(&reader) } else { unknown() }).collect();
        let answers = self.questions.unanswered();
        let read = |fact: usize| &readings[fact];
        let may_be = |seat: &&Seat<'_>| seat.applies.evaluate(&self.questions, &answers, &read) != Truth::False;
        let always = self.always.iter().filter(may_be).collect();
        let gated = self.gated.iter().filter(may_be).collect();
        Sitting { bench: self, view, always, gated }
    }
}

impl Seat<'_> {
    /// Whether anybody would be told what it says of an item of this intent: many rules have words for pedants only, which take time to
    /// find.
    fn is_heard(&self, intent: Intent, holds: &impl Fn(&Asked) -> bool) -> bool {
        let is_heard = |grade: Grade| {
            let at_intent = if self.rule.is_about_websockets() { grade.at(intent) } else { Some(grade) };
            at_intent.is_some_and(|grade| grade.shown(false).is_some())
        };
        let own = self.rule.compiled.grade;
        let mut all = self.grades.iter().map(|(_, grade)| *grade).chain([own]);
        if all.clone().all(is_heard) {
            return true;
        }
        all.any(is_heard) && is_heard(self.grades.iter().find(|(when, _)| holds(when)).map_or(own, |(_, grade)| *grade))
    }
}

/// Rules that judge the items of one gateway.
struct Sitting<'a> {
    bench: &'a Bench<'a>,
    view: &'a View<'a>,
    always: Vec<&'a Seat<'a>>,
    gated: Vec<&'a Seat<'a>>,
}

impl Sitting<'_> {
    /// Judges `items`. Each fact of an item is read once, when a rule first asks for it.
    fn judge(&self, items: &[Item]) -> Vec<Finding> {
        let Bench { pedantic, possible, ref facts, ref questions, ref intent, .. } = *self.bench;
        let hinting = intent.as_ref().filter(|_| !self.gated.is_empty());
        let mut findings = Vec::new();
        let mut cells: Vec<OnceCell<Reading>> = facts.iter().map(|_| OnceCell::new()).collect();
        // The cells that hold what was read of one item.
        let used: RefCell<Vec<usize>> = RefCell::default();
        let answers = questions.unanswered();
        for &item in items {
            let reader = Reader::new(self.view, item);
            let hint = hinting.map(|fact| fact.read(&reader));
            let intent = hint.as_ref().map_or(Intent::None, intent_of);
            let carries_websockets = intent > Intent::Possible || (intent == Intent::Possible && possible);
            for index in used.borrow_mut().drain(..) {
                cells[index].take();
            }
            answers.clear();
            let read = |index: usize| {
                cells[index].get_or_init(|| {
                    // What is true of the whole configuration stays true from item to item.
                    if facts[index].definition.subject != Subject::Gateway {
                        used.borrow_mut().push(index);
                    }
                    facts[index].read(&reader)
                })
            };
            let holds = |asked: &Asked| asked.evaluate(questions, &answers, &read) == Truth::True;
            let gated = if carries_websockets { self.gated.as_slice() } else { &[] };
            for &seat in self.always.iter().chain(gated) {
                let Seat { rule, parameters, facts, .. } = seat;
                let gated = rule.is_about_websockets();
                let pedantic = pedantic || intent == Intent::Possible && gated;
                if !holds(&seat.applies) || !pedantic && !seat.is_heard(intent, &holds) || !holds(&seat.when) {
                    continue;
                }
                let case = Case {
                    name: rule.name(),
                    rule: &rule.compiled,
                    parameters,
                    server: self.view.gateway.server,
                    pedantic,
                    item,
                    intent: hint.as_ref().filter(|_| gated).map(|hint| (intent, hint)),
                };
                findings.extend(case.judge(&|slot: Slot| read(facts[slot.0]), || place_of(self.view, item)));
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
fn place_of(view: &View<'_>, item: Item) -> Span {
    let gateway = view.gateway;
    match item {
        Item::Route(id) => gateway.route(id).span,
        Item::Upstream(id) => gateway.upstream(id).span,
        Item::Site(id) => gateway.site(id).span,
        Item::Directive(index) => gateway.remarks[index].span,
        Item::Refused(index) => gateway.refusals[index].span,
        Item::Gateway => Span::new(gateway.root, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::SiteId;
    use crate::rules::{Level, Subject};
    use crate::source::SourceId;

    fn finding(start: u32, rule: &str, level: Level, message: &str) -> Finding {
        Finding {
            rule: rule.to_owned(),
            level,
            intent: None,
            message: message.to_owned(),
            span: Span::new(SourceId(0), start, start + 1),
            label: String::new(),
            labels: Vec::new(),
            help: None,
            subjects: vec![Subject { root: 0, item: Item::Site(SiteId(start)) }],
            fix: None,
        }
    }

    #[test]
    fn findings_stand_by_place_then_rule_and_the_same_is_said_once_at_its_worst() {
        let mut findings = vec![
            finding(9, "a", Level::Note, "m"),
            finding(3, "b", Level::Warning, "m"),
            finding(3, "b", Level::Error, "m"),
            finding(3, "b", Level::Note, "other"),
            finding(3, "a", Level::Note, "m"),
        ];
        let mut wanted = [&findings[4], &findings[2], &findings[3], &findings[0]].map(Clone::clone);
        wanted[1].subjects = vec![wanted[1].subjects[0]; 2];
        settle(&mut findings);
        assert_eq!(findings, wanted);
    }

    #[test]
    fn an_intent_that_is_not_known_is_none() {
        let unknown = Reading::unknown(Unknown::Runtime);
        assert_eq!(intent_of(&unknown), Intent::None);
        assert_eq!(intent_of(&Reading::new(Value::text("inferred"))), Intent::Inferred);
    }
}
