//! httpd's expressions (`ap_expr`): conditions of `<If>`, `RewriteCond expr`, `Require expr`, as steps for a stack.
//!
//! The operators are put in order with a stack of their own (Dijkstra's shunting yard), so nesting costs no recursion.

use super::symbols::{literal, parts, server_variable};
use crate::gateway::{
    Change, Comparison, Expression, ExpressionId, ExpressionStep, FileTest, Gateway, Order, Part, SymbolicId, Unknown, Variable,
};
use crate::source::Span;

/// The condition that `text` says; where a part of it has no words in the model, the whole is unknown.
pub(super) fn expression(gateway: &mut Gateway, text: &[u8], span: Span) -> ExpressionId {
    let reader = Reader { gateway, rest: text, span, steps: Vec::new(), pending: Vec::new() };
    let steps = reader.read().unwrap_or_else(|| vec![ExpressionStep::Unknown(Unknown::Unmodelled(span))]);
    add(gateway, steps, span)
}

/// The condition that holds where none of `others` does, and `own`, where there is one: `<ElseIf>` and `<Else>`.
pub(super) fn otherwise(gateway: &mut Gateway, others: &[ExpressionId], own: Option<ExpressionId>, span: Span) -> ExpressionId {
    let mut steps = vec![ExpressionStep::Truth(true)];
    for &other in others {
        steps.extend(&gateway.expression(other).steps);
        steps.extend([ExpressionStep::Not, ExpressionStep::And]);
    }
    if let Some(own) = own {
        steps.extend(&gateway.expression(own).steps);
        steps.push(ExpressionStep::And);
    }
    add(gateway, steps, span)
}

fn add(gateway: &mut Gateway, steps: Vec<ExpressionStep>, span: Span) -> ExpressionId {
    let id = ExpressionId(u32::try_from(gateway.expressions.len()).unwrap_or(u32::MAX));
    gateway.expressions.push(Expression { span, steps: steps.into() });
    id
}

/// A text with `%{…}` in it, as `RequestHeader … expr=` takes it.
pub(super) fn string(gateway: &mut Gateway, text: &[u8], span: Span) -> SymbolicId {
    let mut parts = parts(gateway);
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%'
            && after.first() == Some(&b'{')
            && let Some(end) = memchr::memchr(b'}', after)
        {
            server_variable(&mut parts, &after[1..end], span);
            rest = &after[end + 1..];
        } else {
            parts.text.push(byte);
            rest = after;
        }
    }
    parts.finish()
}

/// The order that `eq`, `lt` … ask for.
pub(super) fn numeric_order(name: &[u8]) -> Option<Order> {
    Some(match name {
        b"eq" => Order::Equal,
        b"ne" => Order::Unequal,
        b"lt" => Order::Less,
        b"le" => Order::LessOrEqual,
        b"gt" => Order::Greater,
        b"ge" => Order::GreaterOrEqual,
        _ => return None,
    })
}

/// What waits on the stack of operators.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Open,
    Or,
    And,
    Not,
}

impl Pending {
    fn step(self) -> Option<ExpressionStep> {
        match self {
            Self::Open => None,
            Self::Or => Some(ExpressionStep::Or),
            Self::And => Some(ExpressionStep::And),
            Self::Not => Some(ExpressionStep::Not),
        }
    }
}

/// What stands between two texts.
enum Operator {
    Compare(Comparison, bool),
    Match(bool),
    Network,
    List,
}

/// How many texts a list has at most.
const LONGEST_LIST: usize = 100;

struct Reader<'a, 'g> {
    gateway: &'g mut Gateway,
    rest: &'a [u8],
    span: Span,
    steps: Vec<ExpressionStep>,
    pending: Vec<Pending>,
}

impl Reader<'_, '_> {
    fn read(mut self) -> Option<Vec<ExpressionStep>> {
        loop {
            // Here a truth must follow.
            self.blanks();
            if self.take(b"!") {
                self.pending.push(Pending::Not);
                continue;
            }
            if self.take(b"(") {
                self.pending.push(Pending::Open);
                continue;
            }
            self.truth()?;
            // Here an operator must follow, or the end.
            loop {
                self.blanks();
                if self.rest.is_empty() {
                    while let Some(pending) = self.pending.pop() {
                        self.steps.push(pending.step()?);
                    }
                    return Some(self.steps);
                }
                if !self.take(b")") {
                    break;
                }
                while let Some(step) = self.pending.pop()?.step() {
                    self.steps.push(step);
                }
            }
            let operator = if self.take(b"&&") {
                Pending::And
            } else if self.take(b"||") {
                Pending::Or
            } else {
                return None;
            };
            // What binds as strongly or stronger is carried out first.
            while let Some(&top) = self.pending.last()
                && let Some(step) = top.step()
                && (top != Pending::Or || operator == Pending::Or)
            {
                self.steps.push(step);
                self.pending.pop();
            }
            self.pending.push(operator);
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, token: &[u8]) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes a whole word of letters, in any case.
    fn keyword(&mut self, word: &[u8]) -> bool {
        let Some((head, rest)) = self.rest.split_at_checked(word.len()) else { return false };
        if head.eq_ignore_ascii_case(word) && !rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            self.rest = rest;
            return true;
        }
        false
    }

    /// A comparison, a test of one text, `true` or `false`.
    fn truth(&mut self) -> Option<()> {
        if self.keyword(b"true") {
            self.steps.push(ExpressionStep::Truth(true));
            return Some(());
        }
        if self.keyword(b"false") {
            self.steps.push(ExpressionStep::Truth(false));
            return Some(());
        }
        if self.rest.first() == Some(&b'-') {
            let (&letter, rest) = self.rest[1..].split_first()?;
            self.rest = rest;
            self.blanks();
            if letter == b'R' {
                let client = self.gateway.symbolics.intern(&[Part::Variable(Variable::ClientAddress)]);
                self.steps.push(ExpressionStep::Text(client));
                return self.network();
            }
            self.text()?;
            match letter {
                b'z' => self.steps.push(ExpressionStep::IsEmpty),
                b'n' => self.steps.extend([ExpressionStep::IsEmpty, ExpressionStep::Not]),
                b'T' => self.steps.push(ExpressionStep::MeansYes),
                b'f' => self.steps.push(ExpressionStep::Exists(FileTest::File)),
                b'd' => self.steps.push(ExpressionStep::Exists(FileTest::Directory)),
                b'e' => self.steps.push(ExpressionStep::Exists(FileTest::Any)),
                _ => return None,
            }
            return Some(());
        }
        let start = self.steps.len();
        self.text()?;
        self.blanks();
        match self.operator()? {
            Operator::Compare(comparison, negated) => {
                self.blanks();
                self.text()?;
                self.steps.push(ExpressionStep::Compare(comparison));
                self.steps.extend(negated.then_some(ExpressionStep::Not));
            }
            Operator::Match(negated) => {
                self.blanks();
                let (pattern, ignore_case) = self.regex()?;
                let pattern = self.gateway.texts.intern(&pattern);
                self.steps.push(ExpressionStep::Pattern { pattern, ignore_case });
                self.steps.extend(negated.then_some(ExpressionStep::Not));
            }
            Operator::Network => {
                self.blanks();
                return self.network();
            }
            Operator::List => return self.list(start),
        }
        Some(())
    }

    /// Takes the network that the text on the stack must lie in.
    fn network(&mut self) -> Option<()> {
        let network = self.quoted()?.to_vec();
        let network = self.gateway.texts.intern(&network);
        self.steps.push(ExpressionStep::InNetwork(network));
        Some(())
    }

    /// `{ 'a', 'b' }`: the text that the steps from `start` on put on the stack is one of these; it is compared with each.
    fn list(&mut self, start: usize) -> Option<()> {
        let subject: Vec<ExpressionStep> = self.steps.drain(start..).collect();
        self.blanks();
        self.take(b"{").then_some(())?;
        let mut count = 0;
        while count < LONGEST_LIST {
            self.steps.extend(&subject);
            self.blanks();
            self.text()?;
            self.steps.push(ExpressionStep::Compare(Comparison::Text(Order::Equal)));
            self.steps.extend((count > 0).then_some(ExpressionStep::Or));
            count += 1;
            self.blanks();
            if self.take(b"}") {
                return Some(());
            }
            self.take(b",").then_some(())?;
        }
        None
    }

    fn operator(&mut self) -> Option<Operator> {
        let text = |order| Operator::Compare(Comparison::Text(order), false);
        let signs: [(&[u8], Operator); 9] = [
            (b"=~", Operator::Match(false)),
            (b"!~", Operator::Match(true)),
            (b"==", text(Order::Equal)),
            (b"!=", text(Order::Unequal)),
            (b"<=", text(Order::LessOrEqual)),
            (b">=", text(Order::GreaterOrEqual)),
            (b"<", text(Order::Less)),
            (b">", text(Order::Greater)),
            (b"=", text(Order::Equal)),
        ];
        for (sign, operator) in signs {
            if self.take(sign) {
                return Some(operator);
            }
        }
        let dashed = self.take(b"-");
        let names: [(&[u8], Operator); 5] = [
            (b"strmatch", Operator::Compare(Comparison::Wildcard { ignore_case: false }, false)),
            (b"strcmatch", Operator::Compare(Comparison::Wildcard { ignore_case: true }, false)),
            (b"fnmatch", Operator::Compare(Comparison::Wildcard { ignore_case: false }, false)),
            (b"ipmatch", Operator::Network),
            (b"in", Operator::List),
        ];
        for name in [b"eq", b"ne", b"lt", b"le", b"gt", b"ge"] {
            if self.keyword(name) {
                return Some(Operator::Compare(Comparison::Number(numeric_order(name)?), false));
            }
        }
        names
            .into_iter()
            .filter(|(name, _)| dashed || *name == b"in")
            .find(|(name, _)| self.keyword(name))
            .map(|(_, operator)| operator)
    }

    /// A text: in quotes, a variable, a number, or a function of one.
    fn text(&mut self) -> Option<()> {
        let mut changes = Vec::new();
        loop {
            let change = if self.function(b"tolower") {
                Change::Lower
            } else if self.function(b"toupper") {
                Change::Upper
            } else {
                break;
            };
            changes.push(change);
        }
        let text = match self.rest.first()? {
            b'\'' | b'"' => {
                let text = self.quoted()?.to_vec();
                string(self.gateway, &text, self.span)
            }
            b'%' => {
                let end = memchr::memchr(b'}', self.rest)?;
                let (variable, rest) = self.rest.split_at(end + 1);
                self.rest = rest;
                string(self.gateway, variable, self.span)
            }
            byte if byte.is_ascii_digit() => {
                let end = self.rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.rest.len());
                let (number, rest) = self.rest.split_at(end);
                self.rest = rest;
                literal(self.gateway, number)
            }
            _ => self.looked_up()?,
        };
        self.steps.push(ExpressionStep::Text(text));
        for change in changes.into_iter().rev() {
            self.blanks();
            if !self.take(b")") {
                return None;
            }
            self.steps.push(ExpressionStep::Change(change));
        }
        // Texts may be put together, which is rare.
        self.blanks();
        if self.rest.starts_with(b".") { None } else { Some(()) }
    }

    /// `req('Upgrade')`, `reqenv('NAME')` and their kin: what has the name.
    fn looked_up(&mut self) -> Option<SymbolicId> {
        let names: [(&[u8], &[u8]); 5] =
            [(b"req_novary", b"HTTP"), (b"req", b"HTTP"), (b"http", b"HTTP"), (b"reqenv", b"ENV"), (b"env", b"ENV")];
        let (_, kind) = names.into_iter().find(|(name, _)| self.function(name))?;
        let name = self.quoted()?.to_vec();
        self.blanks();
        self.take(b")").then_some(())?;
        let mut parts = parts(self.gateway);
        server_variable(&mut parts, &[kind, b":", &name].concat(), self.span);
        Some(parts.finish())
    }

    fn function(&mut self, name: &[u8]) -> bool {
        let before = self.rest;
        if self.keyword(name) {
            self.blanks();
            if self.take(b"(") {
                self.blanks();
                return true;
            }
        }
        self.rest = before;
        false
    }

    /// What stands in quotes; an escape in it is beyond the model.
    fn quoted(&mut self) -> Option<&[u8]> {
        let (&quote, rest) = self.rest.split_first()?;
        if !matches!(quote, b'\'' | b'"') {
            return None;
        }
        let end = memchr::memchr(quote, rest)?;
        self.rest = &rest[end + 1..];
        let text = &rest[..end];
        (!text.contains(&b'\\')).then_some(text)
    }

    /// `/pattern/i` or `m#pattern#i`.
    fn regex(&mut self) -> Option<(Vec<u8>, bool)> {
        self.take(b"m");
        let (&mark, rest) = self.rest.split_first()?;
        if mark.is_ascii_alphanumeric() {
            return None;
        }
        let end = memchr::memchr(mark, rest)?;
        let (pattern, rest) = (&rest[..end], &rest[end + 1..]);
        let flags = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let ignore_case = rest[..flags].contains(&b'i');
        self.rest = &rest[flags..];
        Some((pattern.to_vec(), ignore_case))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Server;
    use crate::source::SourceId;

    fn steps(text: &str) -> String {
        let source = SourceId(0);
        let mut gateway = Gateway::new(Server::Apache, None, source);
        let id = expression(&mut gateway, text.as_bytes(), Span::new(source, 0, 0));
        let shown = |step: &ExpressionStep| match step {
            ExpressionStep::Text(_) => "text".to_owned(),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        };
        gateway.expression(id).steps.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn operators_follow_their_operands() {
        assert_eq!(steps("%{HTTP:Upgrade} == 'websocket'"), "text text Compare");
        assert_eq!(steps("tolower(%{HTTP:Upgrade}) == 'websocket'"), "text Change text Compare");
        assert_eq!(steps("%{REQUEST_URI} =~ m#^/ws#"), "text Pattern");
        assert_eq!(steps("true || false && ! (true)"), "Truth Truth Truth Not And Or");
        assert_eq!(steps("%{HTTP:Upgrade} -eq 1"), "text text Compare");
        assert_eq!(steps("%{HTTP_HOST} in { 'a', 'b' }"), "text text Compare text text Compare Or");
        assert_eq!(steps("-z req('Upgrade') && -R '10.0.0.0/8'"), "text IsEmpty text InNetwork And");
        assert_eq!(steps("what is this"), "Unknown");
        assert_eq!(steps("(true"), "Unknown");
    }
}
