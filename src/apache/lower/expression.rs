//! httpd's expressions (`ap_expr`): conditions of `<If>`, `RewriteCond expr`, `Require expr`, as the gateway's steps.

use super::symbols::{expression_variable, function, looked_up, parts, unknown};
use crate::apache::expression::{Piece, Step, condition, string as parse_string};
use crate::gateway::{
    Comparison, Expression, ExpressionId, ExpressionStep, FileTest, Gateway, Order, Part, SymbolicId, Unknown, Variable,
};
use crate::source::Span;

/// The condition that `text` says; where a part of it has no words in the model, that part is unknown.
pub(super) fn expression(gateway: &mut Gateway, text: &[u8], span: Span) -> ExpressionId {
    let tls = gateway.modules.has("ssl") != Some(false);
    let mut steps = Vec::new();
    match condition(text, tls) {
        Ok(written) => lower(gateway, &written, span, &mut steps),
        // The server does not start.
        Err(_) => steps.push(ExpressionStep::Unknown(Unknown::Unmodelled(span))),
    }
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
    let tls = gateway.modules.has("ssl") != Some(false);
    match parse_string(text, tls) {
        Ok(pieces) => symbolic(gateway, &pieces, span),
        Err(_) => unknown(gateway, Unknown::Unmodelled(span)),
    }
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

fn symbolic(gateway: &mut Gateway, pieces: &[Piece], span: Span) -> SymbolicId {
    let mut parts = parts(gateway);
    for piece in pieces {
        match piece {
            Piece::Text(text) => parts.text.extend_from_slice(text),
            Piece::Variable(name) => expression_variable(&mut parts, name, span),
            Piece::Looked(name, Some(text)) => looked_up(&mut parts, name, text),
            Piece::Capture(Some(group)) => parts.part(Part::Variable(Variable::Capture(*group))),
            // What a name with variables in it leads to.
            Piece::Looked(_, None) | Piece::Capture(None) => parts.part(Part::Unknown(Unknown::Unmodelled(span))),
        }
    }
    parts.finish()
}

/// What a row of steps that puts one text comes to, where functions are not needed for it.
fn lower(gateway: &mut Gateway, written: &[Step], span: Span, steps: &mut Vec<ExpressionStep>) {
    let mut start_of_text = steps.len();
    for step in written {
        match step {
            Step::Text(pieces) => {
                start_of_text = steps.len();
                let text = symbolic(gateway, pieces, span);
                steps.push(ExpressionStep::Text(text));
            }
            Step::Function(name) => {
                steps.push(ExpressionStep::Change(function(name)));
            }
            Step::Join => steps.push(ExpressionStep::Join),
            Step::Truth(truth) => steps.push(ExpressionStep::Truth(*truth)),
            Step::Unary(letter) => unary(gateway, *letter, steps),
            Step::Binary(name) => steps.push(binary(gateway, name, steps.last().copied())),
            Step::Pattern { pattern, ignore_case, negated } => {
                let pattern = gateway.texts.intern(pattern);
                steps.push(ExpressionStep::Pattern { pattern, ignore_case: *ignore_case });
                steps.extend(negated.then_some(ExpressionStep::Not));
            }
            Step::OneOf(rows) => {
                let subject: Vec<ExpressionStep> = steps.drain(start_of_text..).collect();
                for (count, row) in rows.iter().enumerate() {
                    steps.extend(&subject);
                    lower(gateway, row, span, steps);
                    steps.push(ExpressionStep::Compare(Comparison::Text(Order::Equal)));
                    steps.extend((count > 0).then_some(ExpressionStep::Or));
                }
            }
            Step::InList => {
                steps.truncate(start_of_text);
                steps.push(ExpressionStep::Unknown(Unknown::Runtime));
            }
            Step::Not => steps.push(ExpressionStep::Not),
            Step::And => steps.push(ExpressionStep::And),
            Step::Or => steps.push(ExpressionStep::Or),
        }
        // The network of `-ipmatch` is no text on the stack.
        if let (Step::Binary(name), Some(&ExpressionStep::InNetwork(_))) = (step, steps.last())
            && name == b"ipmatch"
        {
            let network = steps.len() - 2;
            steps.remove(network);
        }
    }
}

fn unary(gateway: &mut Gateway, letter: u8, steps: &mut Vec<ExpressionStep>) {
    match letter {
        b'z' => steps.push(ExpressionStep::IsEmpty),
        b'n' => steps.extend([ExpressionStep::IsEmpty, ExpressionStep::Not]),
        b'T' => steps.push(ExpressionStep::MeansYes),
        b'f' => steps.push(ExpressionStep::Exists(FileTest::File)),
        b'd' => steps.push(ExpressionStep::Exists(FileTest::Directory)),
        b'e' => steps.push(ExpressionStep::Exists(FileTest::Any)),
        b'R' => {
            let network = network_of(gateway, steps.pop());
            let client = gateway.symbolics.intern(&[Part::Variable(Variable::ClientAddress)]);
            steps.push(ExpressionStep::Text(client));
            steps.push(network);
        }
        // Sizes, links, permissions, requests on behalf of this one.
        _ => {
            steps.pop();
            steps.push(ExpressionStep::Unknown(Unknown::Environment));
        }
    }
}

fn binary(gateway: &mut Gateway, name: &[u8], right: Option<ExpressionStep>) -> ExpressionStep {
    ExpressionStep::Compare(match name {
        b"==" => Comparison::Text(Order::Equal),
        b"!=" => Comparison::Text(Order::Unequal),
        b"<" => Comparison::Text(Order::Less),
        b"<=" => Comparison::Text(Order::LessOrEqual),
        b">" => Comparison::Text(Order::Greater),
        b">=" => Comparison::Text(Order::GreaterOrEqual),
        b"strcmatch" => Comparison::Wildcard { ignore_case: true, by_segment: false },
        b"strmatch" => Comparison::Wildcard { ignore_case: false, by_segment: false },
        b"fnmatch" => Comparison::Wildcard { ignore_case: false, by_segment: true },
        b"ipmatch" => return network_of(gateway, right),
        number => Comparison::Number(numeric_order(number).unwrap_or(Order::Equal)),
    })
}

/// The test whether an address lies in the network that a step says.
fn network_of(gateway: &mut Gateway, step: Option<ExpressionStep>) -> ExpressionStep {
    let text = match step {
        Some(ExpressionStep::Text(text)) => gateway.symbolics.literal(text, &gateway.texts).map(<[u8]>::to_vec),
        _ => None,
    };
    ExpressionStep::InNetwork(gateway.texts.intern(&text.unwrap_or_default()))
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
        assert_eq!(steps("%{HTTP_HOST} in { 'a', 'b' }"), "text text Compare text text Compare Or");
        assert_eq!(steps("-z req('Upgrade') && -R '10.0.0.0/8'"), "text IsEmpty text InNetwork And");
        assert_eq!(steps("%{REMOTE_ADDR} -ipmatch '10.0.0.0/8' || true"), "text InNetwork Truth Or");
        assert_eq!(steps("'a' . 'b' == 'ab'"), "text text Join text Compare");
        assert_eq!(steps("what is this"), "Unknown");
    }
}
