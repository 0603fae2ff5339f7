//! From the form of a rule to what is judged by: names become slots, values get types, and what does not fit is pointed at.

use std::ops::Range;

use toml::Spanned;

use super::condition::{Comparison, Condition, Operand, Slot};
use super::form::{ConditionForm, Form, HelpForm, Safety, Text, Tokens};
use super::grade::Grade;
use super::problem::{Fault, Problem};
use super::template::{Piece, Template};
use super::value;
use crate::facts::{Subject, Type, UnknownFact, Value};
use crate::gateway::Server;

/// What a fact of this name is about, and its type.
type Kinds<'a> = dyn Fn(&str) -> Result<(Subject, Type), UnknownFact> + 'a;

/// A rule's block, compiled. Slots index `facts`.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) subject: Subject,
    /// Whether only routes meant for WebSockets are judged.
    pub(super) websocket: bool,
    pub(super) grade: Grade,
    pub(super) grade_if_version_unset: Option<Grade>,
    /// The first whose condition holds replaces `grade`.
    pub(super) grades: Vec<(Condition, Grade)>,
    pub(super) in_every_version: bool,
    /// Which items the rule is for.
    pub(super) applies: Option<Condition>,
    pub(super) when: Condition,
    pub(super) message: Template,
    pub(super) blame: Option<Slot>,
    pub(super) label: Option<Template>,
    /// What the places of a fact show; `None` leaves them out.
    pub(super) labels: Vec<(Slot, Option<Template>)>,
    pub(super) help: Help,
    pub(super) safety: Option<Safety>,
    /// The facts that the fix makes true, with their values.
    pub(super) wants: Vec<(Slot, Operand)>,
    pub(super) parameters: Vec<Parameter>,
    /// The names of the facts used.
    pub(super) facts: Vec<String>,
}

/// What to write, by server.
#[derive(Debug)]
pub(super) enum Help {
    None,
    Same(Template),
    ByServer(Vec<(Server, Template)>),
}

impl Help {
    /// What to write on `server`.
    pub(super) fn on(&self, server: Server) -> Option<&Template> {
        match self {
            Self::None => None,
            Self::Same(text) => Some(text),
            Self::ByServer(texts) => texts.iter().find(|(of, _)| *of == server).map(|(_, text)| text),
        }
    }
}

/// Something that a user may set.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) kind: Type,
    /// Its value where the user does not set it.
    pub(super) default: Value,
}

/// Compiles `form`; `kind` knows every fact's subject and type.
pub(super) fn compile(form: &Form, kind: &Kinds<'_>) -> Result<Compiled, Fault> {
    let parameters = form.parameters.iter().map(|(name, text)| (name, text, None)).collect();
    let mut compiler = Compiler { kind, subject: form.subject, facts: Vec::new(), parameters };
    if let Some(about) = form.about.as_ref().filter(|_| form.subject != Subject::Route) {
        return Err(Fault::at(about.span(), Problem::NoIntent));
    }
    let applies = form.applies.as_ref().map(|form| compiler.condition(form)).transpose()?;
    let when = compiler.condition(&form.when)?;
    let mut grades = Vec::new();
    for level in &form.levels {
        grades.push((compiler.condition(&level.when)?, level.level));
    }
    let message = compiler.template(&form.message)?;
    let blame = form.blame.as_ref().map(|name| compiler.slot(name.get_ref(), name.span())).transpose()?;
    let label = form.label.as_ref().map(|text| compiler.template(text)).transpose()?;
    let mut labels = Vec::new();
    for (name, text) in &form.labels {
        let slot = compiler.slot(name.get_ref(), name.span())?.0;
        let shown = if text.get_ref().is_empty() { None } else { Some(compiler.template(text)?) };
        labels.push((Slot(slot), shown));
    }
    let help = compiler.help(form.help.as_ref(), form.message.span())?;
    let wants = form.fix.iter().flat_map(|fix| &fix.want).map(|(name, value)| compiler.want(name, value));
    let wants = wants.collect::<Result<_, _>>()?;
    let parameters = compiler.finish_parameters()?;
    Ok(Compiled {
        subject: form.subject,
        websocket: form.about.is_some(),
        grade: form.level,
        grade_if_version_unset: form.level_if_version_unset,
        grades,
        in_every_version: form.in_every_version,
        applies,
        when,
        message,
        blame: blame.map(|(slot, _)| Slot(slot)),
        label,
        labels,
        help,
        safety: form.fix.as_ref().map(|fix| fix.safety),
        wants,
        parameters,
        facts: compiler.facts,
    })
}

struct Compiler<'a> {
    kind: &'a Kinds<'a>,
    subject: Subject,
    facts: Vec<String>,
    /// Name, default as written, and the type that its uses give it.
    parameters: Vec<(&'a Text, &'a Text, Option<Type>)>,
}

impl Compiler<'_> {
    /// The slot and type of a fact that stands at `span`.
    fn slot(&mut self, name: &str, span: Range<usize>) -> Result<(usize, Type), Fault> {
        let (of, kind) = (self.kind)(name).map_err(|unknown| Fault::at(span.clone(), unknown))?;
        if of != self.subject && of != Subject::Gateway {
            let problem = Problem::WrongSubject { fact: name.to_owned(), of, subject: self.subject };
            return Err(Fault::at(span, problem));
        }
        let slot = self.facts.iter().position(|fact| fact == name).unwrap_or_else(|| {
            self.facts.push(name.to_owned());
            self.facts.len() - 1
        });
        Ok((slot, kind))
    }

    fn condition(&mut self, form: &Spanned<ConditionForm>) -> Result<Condition, Fault> {
        let ConditionForm { all, any, not, fact, .. } = form.get_ref();
        let not_one = || Fault::at(form.span(), Problem::NotACondition);
        if fact.is_none() && form.get_ref().compares() {
            return Err(not_one());
        }
        match (all, any, not, fact) {
            (Some(parts), None, None, None) => self.conditions(parts).map(Condition::All),
            (None, Some(parts), None, None) => self.conditions(parts).map(Condition::Any),
            (None, None, Some(inner), None) => Ok(Condition::Not(Box::new(self.condition(inner)?))),
            (None, None, None, Some(fact)) => self.comparisons(form.get_ref(), fact),
            _ => Err(not_one()),
        }
    }

    fn conditions(&mut self, parts: &[Spanned<ConditionForm>]) -> Result<Vec<Condition>, Fault> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    /// All comparisons of one form, on the same fact.
    fn comparisons(&mut self, form: &ConditionForm, fact: &Text) -> Result<Condition, Fault> {
        let (slot, kind) = self.slot(fact.get_ref(), fact.span())?;
        let need = |comparison: &'static str, span: Range<usize>, kinds: &[Type]| {
            let problem = || Problem::WrongComparison { comparison, fact: fact.get_ref().clone(), kind };
            if kinds.contains(&kind) { Ok(()) } else { Err(Fault::at(span, problem())) }
        };
        let mut found = Vec::new();
        found.extend(form.absent.map(Comparison::Absent));
        if let Some(value) = &form.is {
            need("is", value.span(), &SINGLE)?;
            found.push(Comparison::OneOf(vec![self.operand(value, kind)?]));
        }
        if let Some(values) = &form.one_of {
            need("one_of", values.span(), &SINGLE)?;
            let operands = values.get_ref().iter().map(|value| self.operand(value, kind)).collect::<Result<_, _>>()?;
            found.push(Comparison::OneOf(operands));
        }
        if let Some(tokens) = &form.contains {
            need("contains", tokens.span(), &[Type::List])?;
            found.push(Comparison::Contains(match tokens.get_ref() {
                Tokens::One(token) => vec![token.clone()],
                Tokens::Several(tokens) => tokens.clone(),
            }));
        }
        if let Some(value) = &form.below {
            need("below", value.span(), &ORDERED)?;
            found.push(Comparison::Below(self.operand(value, kind)?));
        }
        if let Some(value) = &form.at_least {
            need("at_least", value.span(), &ORDERED)?;
            found.push(Comparison::AtLeast(self.operand(value, kind)?));
        }
        if let Some(value) = &form.shorter_than {
            need("shorter_than", value.span(), &[Type::Duration])?;
            found.push(Comparison::Below(self.operand(value, kind)?));
        }
        if let Some(value) = &form.longer_than {
            need("longer_than", value.span(), &[Type::Duration])?;
            found.push(Comparison::Above(self.operand(value, kind)?));
        }
        let mut parts: Vec<Condition> = found.into_iter().map(|comparison| Condition::Compare(Slot(slot), comparison)).collect();
        match parts.len() {
            0 => Err(Fault::at(fact.span(), Problem::NoComparison { fact: fact.get_ref().clone() })),
            1 => Ok(parts.remove(0)),
            _ => Ok(Condition::All(parts)),
        }
    }

    /// A value to compare with, or a parameter in braces.
    fn operand(&mut self, value: &Spanned<toml::Value>, kind: Type) -> Result<Operand, Fault> {
        let text = value.get_ref().as_str();
        if let Some(name) = text.and_then(|text| text.strip_prefix('{')?.strip_suffix('}')) {
            return self.parameter(name, kind, value.span()).map(Operand::Parameter);
        }
        value::from_toml(value.get_ref(), kind).map(Operand::Value).ok_or_else(|| {
            let written = text.map_or_else(|| value.get_ref().to_string(), str::to_owned);
            Fault::at(value.span(), Problem::WrongValue { value: written, kind })
        })
    }

    /// A fact that a fix makes true, with the value it is to have.
    fn want(&mut self, name: &Text, value: &Text) -> Result<(Slot, Operand), Fault> {
        let (slot, kind) = self.slot(name.get_ref(), name.span())?;
        let text = value.get_ref();
        if text == ABSENT {
            return Ok((Slot(slot), Operand::Value(Value::Absent)));
        }
        if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            return Ok((Slot(slot), Operand::Parameter(self.parameter(name, kind, value.span())?)));
        }
        let wrong = || Fault::at(value.span(), Problem::WrongValue { value: text.clone(), kind });
        Ok((Slot(slot), Operand::Value(value::parse(text, kind).ok_or_else(wrong)?)))
    }

    /// The parameter `name`, which a value of type `kind` is wanted of.
    fn parameter(&mut self, name: &str, kind: Type, span: Range<usize>) -> Result<usize, Fault> {
        let Some(index) = self.parameters.iter().position(|(known, ..)| known.get_ref() == name) else {
            let names = self.parameters.iter().map(|(known, ..)| known.get_ref().as_str());
            return Err(Fault::at(span, Problem::UnknownParameter { name: name.to_owned() }).suggest(name, names));
        };
        let known = &mut self.parameters[index].2;
        match known {
            Some(known) if *known != kind => {
                Err(Fault::at(span, Problem::TwoTypes { name: name.to_owned(), one: kind, other: *known }))
            }
            _ => {
                *known = Some(kind);
                Ok(index)
            }
        }
    }

    fn template(&mut self, text: &Text) -> Result<Template, Fault> {
        self.template_at(text.get_ref(), &text.span())
    }

    fn template_at(&mut self, text: &str, span: &Range<usize>) -> Result<Template, Fault> {
        Template::parse(text, |name| match self.parameters.iter().position(|(known, ..)| known.get_ref() == name) {
            Some(index) => Ok(Piece::Parameter(index)),
            None => self.slot(name, span.clone()).map(|(slot, _)| Piece::Fact(Slot(slot))),
        })
    }

    /// Help has no span of its own, for it is of either form; the message's leads near it.
    fn help(&mut self, form: Option<&HelpForm>, span: Range<usize>) -> Result<Help, Fault> {
        Ok(match form {
            None => Help::None,
            Some(HelpForm::Same(text)) => Help::Same(self.template_at(text, &span)?),
            Some(HelpForm::ByServer(texts)) => {
                let templates = texts.iter().map(|(server, text)| Ok((*server, self.template_at(text, &span)?)));
                Help::ByServer(templates.collect::<Result<_, Fault>>()?)
            }
        })
    }

    /// The parameters with their defaults read as the types that their uses gave them.
    fn finish_parameters(&mut self) -> Result<Vec<Parameter>, Fault> {
        let finish = |&(name, text, kind): &(&Text, &Text, Option<Type>)| {
            let unused = || Fault::at(name.span(), Problem::UnusedParameter { name: name.get_ref().clone() });
            let kind = kind.ok_or_else(unused)?;
            let wrong = || Fault::at(text.span(), Problem::WrongValue { value: text.get_ref().clone(), kind });
            let default = value::parse(text.get_ref(), kind).ok_or_else(wrong)?;
            Ok(Parameter { name: name.get_ref().clone(), kind, default })
        };
        self.parameters.iter().map(finish).collect()
    }
}

/// What is written for a fact that is to have no value.
const ABSENT: &str = "absent";

/// The types of which a value is one thing.
const SINGLE: [Type; 5] = [Type::Text, Type::Duration, Type::Number, Type::Flag, Type::Version];
/// The types that `below` and `at_least` order; durations have words of their own.
const ORDERED: [Type; 2] = [Type::Number, Type::Version];

impl ConditionForm {
    /// Whether any comparison is given.
    fn compares(&self) -> bool {
        let values = [&self.is, &self.below, &self.at_least, &self.shorter_than, &self.longer_than];
        self.absent.is_some() || self.one_of.is_some() || self.contains.is_some() || values.into_iter().any(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A world of four facts.
    fn kinds(name: &str) -> Result<(Subject, Type), UnknownFact> {
        match name {
            "server" => Ok((Subject::Gateway, Type::Text)),
            "timeout.idle" => Ok((Subject::Route, Type::Duration)),
            "headers" => Ok((Subject::Route, Type::List)),
            "tls" => Ok((Subject::Site, Type::Flag)),
            _ => Err(UnknownFact { name: name.to_owned(), suggestion: None }),
        }
    }

    /// Compiles a rule about routes; on failure, the text pointed at and what is said of it.
    fn compiled(rest: &str) -> Result<Compiled, (String, String)> {
        let block = format!("subject = \"route\"\nlevel = \"error\"\nmessage = \"m\"\n{rest}\n");
        Form::parse(&block)
            .and_then(|form| compile(&form, &kinds))
            .map_err(|fault| (block[fault.span].to_owned(), fault.problem.to_string()))
    }

    #[test]
    fn a_rule_compiles_to_slots_and_typed_values() {
        let rule = compiled(
            "when.all = [{ fact = \"server\", is = \"nginx\" }, { fact = \"timeout.idle\", shorter_than = \"{min}\" }]\nparameters.min = \"1h\"",
        )
        .unwrap();
        assert_eq!(rule.facts, ["server", "timeout.idle"]);
        assert_eq!(rule.parameters[0].default.to_string(), "1 h");
    }

    #[test]
    fn what_does_not_fit_is_pointed_at() {
        for (rest, at, message) in [
            ("when = { fact = \"sever\", is = \"a\" }", "\"sever\"", "unknown fact `sever`"),
            ("when = { fact = \"tls\", is = true }", "\"tls\"", "`tls` is a fact about a site, and this rule is about a route"),
            ("when = { fact = \"headers\", is = \"a\" }", "\"a\"", "`is` cannot be asked of `headers`: it is a list"),
            ("when = { fact = \"timeout.idle\", is = \"soon\" }", "\"soon\"", "`soon` is not a duration such as `60s` or `1h`"),
            (
                "when = { fact = \"timeout.idle\", below = \"1h\" }",
                "\"1h\"",
                "`below` cannot be asked of `timeout.idle`: it is a duration such as `60s` or `1h`",
            ),
            ("when = { fact = \"timeout.idle\", is = \"{min}\" }", "\"{min}\"", "this rule has no parameter `min`"),
            (
                "when = { fact = \"server\", absent = true }\nparameters.min = \"1\"",
                "min",
                "no condition uses the parameter `min`",
            ),
            (
                "when = { fact = \"server\" }",
                "\"server\"",
                "nothing is asked of `server`: add a comparison such as `absent` or `is`",
            ),
            (
                "when = { is = \"a\", all = [] }",
                "{ is = \"a\", all = [] }",
                "a condition is one of `all`, `any`, `not`, or a comparison on a `fact`",
            ),
            ("when = {}", "{}", "a condition is one of `all`, `any`, `not`, or a comparison on a `fact`"),
            ("when = { fact = \"server\", absent = true }\nlabel = \"{nothing}\"", "\"{nothing}\"", "unknown fact `nothing`"),
        ] {
            assert_eq!(compiled(rest).unwrap_err(), (at.to_owned(), message.to_owned()), "{rest}");
        }
    }

    #[test]
    fn only_routes_have_an_intent() {
        let block = "subject = \"site\"\nabout = \"websocket\"\nlevel = \"note\"\nmessage = \"m\"\nwhen = { fact = \"tls\", is = true }\n";
        let fault = Form::parse(block).and_then(|form| compile(&form, &kinds)).unwrap_err();
        assert_eq!(&block[fault.span], "\"websocket\"");
    }
}
