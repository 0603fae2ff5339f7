//! One rule over one item: whether it speaks, how loudly, and what it shows.

use super::compile::Compiled;
use super::condition::{Slot, Truth};
use super::finding::{Finding, Intent, Level, Subject};
use crate::facts::{Evidence, Item, Reading, Value};
use crate::gateway::{Server, Version};
use crate::source::Span;

/// A rule, and what is known before its facts are read.
pub(super) struct Case<'a> {
    pub(super) name: &'a str,
    pub(super) rule: &'a Compiled,
    /// The values of the rule's parameters.
    pub(super) parameters: &'a [Value],
    pub(super) server: Server,
    pub(super) pedantic: bool,
    pub(super) item: Item,
    /// The item's intent and what it was read off, where the rule is gated by it.
    pub(super) intent: Option<(Intent, &'a Reading)>,
}

impl Case<'_> {
    /// What the rule says of the item whose facts `read` gives; `place` is where the item itself stands.
    pub(super) fn judge<'r>(&self, read: &impl Fn(Slot) -> &'r Reading, place: impl FnOnce() -> Span) -> Option<Finding> {
        let Self { rule, parameters, .. } = *self;
        let mut conditions = rule.applies.iter().chain([&rule.when]);
        if !conditions.all(|condition| condition.evaluate(read, parameters) == Truth::True) {
            return None;
        }
        let mut grounds = Vec::new();
        rule.when.grounds(read, parameters, &mut grounds);
        // The defect ends with the first of the defaults that make it.
        let until = grounds.iter().filter_map(|&slot| read(slot).until).min().filter(|_| !rule.in_every_version);
        let level = self.level(until, read)?;

        let mut places = self.places(&grounds, read).into_iter();
        let (span, note) = places.next().unwrap_or_else(|| (place(), String::new()));
        let mut labels: Vec<(Span, String)> = Vec::new();
        for (at, text) in places {
            if at != span && labels.iter().all(|(other, _)| *other != at) {
                labels.push((at, text));
            }
        }
        let mut message = rule.message.fill(read, parameters);
        // A server's own words may end in a full stop.
        message.truncate(message.trim_end_matches('.').len());
        if let Some(version) = until {
            message = format!("{message} (before {} {version})", self.server.program());
        }
        Some(Finding {
            rule: self.name.to_owned(),
            level,
            intent: self.intent.map(|(intent, _)| intent),
            message,
            span,
            label: rule.label.as_ref().map_or(note, |label| label.fill(read, parameters)),
            labels,
            help: rule.help.on(self.server).map(|help| help.fill(read, parameters)),
            subjects: vec![Subject { root: 0, item: self.item }],
            fix: None,
        })
    }

    /// The level, if the finding is to be shown at all.
    fn level<'r>(&self, until: Option<Version>, read: &impl Fn(Slot) -> &'r Reading) -> Option<Level> {
        let special = self.rule.grades.iter().find(|(when, _)| when.evaluate(read, self.parameters) == Truth::True);
        let mut grade = special.map_or(self.rule.grade, |(_, grade)| *grade);
        if let Some(unset) = self.rule.grade_if_version_unset.filter(|_| until.is_some()) {
            grade = grade.min(unset);
        }
        if let Some((intent, _)) = self.intent {
            grade = grade.at(intent)?;
        }
        grade.shown(self.pedantic)
    }

    /// The places that the finding rests on and what they show: first those of the fact to blame, then those of the `grounds` and
    /// of the facts that the rule has labels for, last what the intent was guessed from.
    fn places<'r>(&self, grounds: &[Slot], read: &impl Fn(Slot) -> &'r Reading) -> Vec<(Span, String)> {
        let rule = self.rule;
        let labelled = rule.labels.iter().filter(|(_, text)| text.is_some()).map(|(slot, _)| *slot);
        let mut slots: Vec<Slot> = Vec::new();
        for slot in rule.blame.into_iter().chain(grounds.iter().copied()).chain(labelled) {
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        let mut places = Vec::new();
        for slot in slots {
            let own = rule.labels.iter().find(|(of, _)| *of == slot).map(|(_, text)| text.as_ref());
            if matches!(own, Some(None)) && rule.blame != Some(slot) {
                continue;
            }
            let text = own.flatten().map(|text| text.fill(read, self.parameters));
            let shown = |evidence: &Evidence| text.clone().unwrap_or_else(|| evidence.note.clone().into_owned());
            places.extend(read(slot).evidence.iter().map(|evidence| (evidence.span, shown(evidence))));
        }
        if let Some((Intent::Inferred | Intent::Possible, reading)) = self.intent {
            places.extend(reading.evidence.first().map(|first| (first.span, first.note.clone().into_owned())));
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Subject, Type, UnknownFact};
    use crate::gateway::{Millis, Unknown};
    use crate::rules::compile::compile;
    use crate::rules::form::Form;
    use crate::source::SourceId;

    const BLOCK: &str = r#"
        subject = "route"
        about = "websocket"
        level = "error"
        level_if_version_unset = "warning"
        levels = [{ when = { fact = "partial", is = true }, level = "note" }]
        where = { fact = "server", is = "nginx" }
        when.all = [{ fact = "sent", absent = true }, { fact = "idle", shorter_than = "{min}" }]
        message = "closed after {idle}, not {min}."
        blame = "idle"
        labels = { sent = "not sent from here", next = "" }
        help = { nginx = "write `a { b; }`", apache = "write {min}" }
        parameters = { min = "1h" }
    "#;

    fn kinds(name: &str) -> Result<(Subject, Type), UnknownFact> {
        match name {
            "sent" | "next" => Ok((Subject::Route, Type::List)),
            "idle" => Ok((Subject::Route, Type::Duration)),
            "partial" => Ok((Subject::Gateway, Type::Flag)),
            "server" => Ok((Subject::Gateway, Type::Text)),
            _ => Err(UnknownFact { name: name.to_owned(), suggestion: None }),
        }
    }

    fn span(start: u32) -> Span {
        Span::new(SourceId(0), start, start + 1)
    }

    /// Judges [`BLOCK`] over facts changed by `change`, at `intent`.
    fn judge(intent: Intent, change: impl Fn(&str, &mut Reading)) -> Option<Finding> {
        let rule = compile(&Form::parse(BLOCK).unwrap(), &kinds).unwrap();
        let readings: Vec<Reading> = rule
            .facts
            .iter()
            .map(|name| {
                let mut reading = match name.as_str() {
                    "sent" => Reading::new(Value::Absent).at(span(10), "its own note").at(span(20), "again"),
                    "idle" => Reading::new(Value::Duration(Millis(60_000))).at(span(20), "set here"),
                    "server" => Reading::new(Value::text("nginx")).at(span(40), "no evidence"),
                    "partial" => Reading::new(Value::Flag(false)),
                    _ => Reading::new(Value::Absent),
                };
                change(name, &mut reading);
                reading
            })
            .collect();
        let hint = Reading::new(Value::text(intent.name().to_owned())).at(span(30), "a path for WebSockets");
        let parameters = [Value::Duration(Millis(3_600_000))];
        let case = Case {
            name: "some-rule",
            rule: &rule,
            parameters: &parameters,
            server: Server::Nginx,
            pedantic: false,
            item: Item::Gateway,
            intent: Some((intent, &hint)),
        };
        case.judge(&|slot: Slot| &readings[slot.0], || span(0))
    }

    #[test]
    fn a_finding_blames_one_place_and_shows_the_others_once() {
        let finding = judge(Intent::Declared, |_, _| {}).unwrap();
        assert_eq!(finding.message, "closed after 60 s, not 1 h");
        assert_eq!((finding.span, finding.label.as_str()), (span(20), "set here"));
        assert_eq!(finding.labels, [(span(10), "not sent from here".to_owned())]);
        assert_eq!(finding.help.as_deref(), Some("write `a { b; }`"));
        assert_eq!(finding.level, Level::Error);
    }

    #[test]
    fn a_guessed_intent_lowers_the_level_and_is_shown() {
        let finding = judge(Intent::Inferred, |_, _| {}).unwrap();
        assert_eq!(finding.level, Level::Warning);
        assert_eq!(finding.labels.last().unwrap(), &(span(30), "a path for WebSockets".to_owned()));
        assert!(judge(Intent::Possible, |_, _| {}).is_none());
        assert!(judge(Intent::None, |_, _| {}).is_none());
    }

    #[test]
    fn what_is_unknown_does_not_fire() {
        let unknown = |name: &str, reading: &mut Reading| {
            if name == "sent" {
                reading.value = Err(Unknown::Runtime);
            }
        };
        assert!(judge(Intent::Declared, unknown).is_none());
    }

    #[test]
    fn a_rule_is_silent_where_it_does_not_apply() {
        let other = |name: &str, reading: &mut Reading| {
            if name == "server" {
                reading.value = Ok(Value::text("apache"));
            }
        };
        assert!(judge(Intent::Declared, other).is_none());
    }

    #[test]
    fn further_conditions_change_the_level() {
        let partial = |name: &str, reading: &mut Reading| {
            if name == "partial" {
                reading.value = Ok(Value::Flag(true));
            }
        };
        assert_eq!(judge(Intent::Declared, partial).unwrap().level, Level::Note);
        assert!(judge(Intent::Inferred, partial).is_none());
    }

    #[test]
    fn a_default_that_ended_is_said_to_have_ended() {
        let old = |name: &str, reading: &mut Reading| {
            if name == "sent" {
                reading.until = Some(Version::new(1, 29, 7));
            }
        };
        let finding = judge(Intent::Declared, old).unwrap();
        assert_eq!(finding.message, "closed after 60 s, not 1 h (before nginx 1.29.7)");
        assert_eq!(finding.level, Level::Warning);
    }

    #[test]
    fn without_any_evidence_the_item_itself_is_the_place() {
        let finding = judge(Intent::Declared, |_, reading| reading.evidence.clear()).unwrap();
        assert_eq!((finding.span, finding.label.as_str()), (span(0), ""));
    }
}
