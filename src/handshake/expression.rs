//! Whether a condition in a language of its own holds: a stack machine over truths that may be unknown.

use std::net::IpAddr;

use super::change::changed;
use super::evaluate::Environment;
use super::network::shares_bits;
use super::site::wildcard_match;
use crate::gateway::{Comparison, ExpressionId, ExpressionStep, Known, Unknown};

/// A text or a truth on the stack.
enum Value {
    Text(Known<String>),
    Truth(Known<bool>),
}

/// Whether the condition holds for the request.
///
/// # Errors
/// Where what decides cannot be known.
pub fn expression_holds(environment: &Environment<'_>, id: ExpressionId) -> Known<bool> {
    let expression = environment.gateway.expression(id);
    let malformed = || Unknown::Unmodelled(expression.span);
    let mut stack: Vec<Value> = Vec::new();
    // What the pattern before has captured; nothing where it has not matched (`ap_expr_eval_comp`).
    let mut captures: Known<Vec<String>> = Ok(Vec::new());
    for step in &expression.steps {
        let value = match *step {
            ExpressionStep::Text(text) => Value::Text(match &captures {
                Ok(captures) => Environment { captures: Some(captures), ..*environment }.evaluate(text),
                Err(_) => Environment { captures: None, ..*environment }.evaluate(text),
            }),
            ExpressionStep::Truth(truth) => Value::Truth(Ok(truth)),
            ExpressionStep::Unknown(why) => Value::Truth(Err(why)),
            ExpressionStep::Not => Value::Truth(truth(stack.pop(), malformed)?.map(|truth| !truth)),
            ExpressionStep::And | ExpressionStep::Or => {
                let right = truth(stack.pop(), malformed)?;
                let left = truth(stack.pop(), malformed)?;
                Value::Truth(combined(left, right, matches!(step, ExpressionStep::Or)))
            }
            ExpressionStep::Compare(comparison) => {
                let right = text(stack.pop(), malformed)?;
                let left = text(stack.pop(), malformed)?;
                Value::Truth(left.and_then(|left| Ok(compares(&left, &right?, comparison))))
            }
            ExpressionStep::Change(change) => {
                let text = text(stack.pop(), malformed)?;
                Value::Text(text.and_then(|text| changed(change, &text)))
            }
            ExpressionStep::Join => {
                let right = text(stack.pop(), malformed)?;
                let left = text(stack.pop(), malformed)?;
                Value::Text(left.and_then(|left| Ok(left + &right?)))
            }
            ExpressionStep::Pattern { pattern, ignore_case } => {
                let text = text(stack.pop(), malformed)?;
                let found = text.and_then(|text| environment.captures(pattern, ignore_case, &text, expression.span));
                captures = found.clone().map(Option::unwrap_or_default);
                Value::Truth(found.map(|captures| captures.is_some()))
            }
            ExpressionStep::IsEmpty => Value::Truth(text(stack.pop(), malformed)?.map(|text| text.is_empty())),
            ExpressionStep::Exists(wanted) => {
                Value::Truth(text(stack.pop(), malformed)?.and_then(|path| environment.file_test(wanted, &path)))
            }
            ExpressionStep::MeansYes => Value::Truth(
                text(stack.pop(), malformed)?
                    .map(|text| !matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "off" | "false" | "no")),
            ),
            ExpressionStep::InNetwork(network) => {
                let network = environment.gateway.texts.show(network);
                let lies = |text: String| text.parse().ok().and_then(|address| in_network(address, &network)).unwrap_or(false);
                Value::Truth(text(stack.pop(), malformed)?.map(lies))
            }
        };
        stack.push(value);
    }
    truth(stack.pop(), malformed)?
}

fn text(value: Option<Value>, malformed: impl FnOnce() -> Unknown) -> Known<Known<String>> {
    match value {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(malformed()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is popped is used up")]
fn truth(value: Option<Value>, malformed: impl FnOnce() -> Unknown) -> Known<Known<bool>> {
    match value {
        Some(Value::Truth(truth)) => Ok(truth),
        _ => Err(malformed()),
    }
}

/// Both hold, or (`any`) one does: what decides alone decides, whatever the other may be.
fn combined(left: Known<bool>, right: Known<bool>, any: bool) -> Known<bool> {
    match (left, right) {
        (Ok(truth), _) | (_, Ok(truth)) if truth == any => Ok(any),
        (Err(why), _) | (_, Err(why)) => Err(why),
        _ => Ok(!any),
    }
}

/// Whether two texts compare so; numbers as `atoi` reads them.
pub(super) fn compares(left: &str, right: &str, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Text(order) => order.holds(left.cmp(right)),
        Comparison::Folded(order) => order.holds(left.to_ascii_lowercase().cmp(&right.to_ascii_lowercase())),
        Comparison::Measured(order) => order.holds((left.len(), left).cmp(&(right.len(), right))),
        Comparison::Number(order) => order.holds(number(left).cmp(&number(right))),
        // `APR_FNM_PATHNAME` (`op_fnmatch`, `util_expr_eval.c`).
        Comparison::Wildcard { by_segment: true, .. } => {
            let (pattern, text) = (right.split('/'), left.split('/'));
            pattern.clone().count() == text.clone().count()
                && pattern.zip(text).all(|(pattern, text)| wildcard_match(pattern.as_bytes(), text.as_bytes()))
        }
        Comparison::Wildcard { ignore_case: false, .. } => wildcard_match(right.as_bytes(), left.as_bytes()),
        Comparison::Wildcard { ignore_case: true, .. } => {
            wildcard_match(right.to_ascii_lowercase().as_bytes(), left.to_ascii_lowercase().as_bytes())
        }
    }
}

fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let end = text.bytes().enumerate().find(|&(at, byte)| !(byte.is_ascii_digit() || at == 0 && matches!(byte, b'-' | b'+')));
    text[..end.map_or(text.len(), |(at, _)| at)].parse().unwrap_or(0)
}

/// Whether an address lies in a network: `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10.1`, an address. `None`: that is none.
pub(super) fn in_network(address: IpAddr, network: &str) -> Option<bool> {
    let (base, mask) = network.split_once('/').map_or((network, None), |(base, mask)| (base, Some(mask)));
    let (base, bits) = if let Ok(base) = base.parse::<IpAddr>() {
        let all = if base.is_ipv4() { 32 } else { 128 };
        let bits = match mask.map(str::parse::<u32>) {
            None => all,
            Some(Ok(bits)) => bits,
            Some(Err(_)) => u32::from(mask?.parse::<std::net::Ipv4Addr>().ok()?).leading_ones(),
        };
        (base, bits.min(all))
    } else {
        // The beginning of an address: `10.1` is `10.1.0.0/16`.
        let parts: Vec<u8> = base.trim_end_matches('.').split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let mut octets = [0; 4];
        octets.get_mut(..parts.len())?.copy_from_slice(&parts);
        (IpAddr::from(octets), u32::try_from(parts.len() * 8).ok()?)
    };
    Some(shares_bits(address, base, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_networks() {
        let in_network = |address: &str, network| in_network(address.parse().unwrap(), network);
        assert_eq!(in_network("127.0.0.1", "127.0.0.0/8"), Some(true));
        assert_eq!(in_network("127.0.0.1", "10.0.0.0/255.0.0.0"), Some(false));
        assert_eq!(in_network("10.1.2.3", "10.1"), Some(true));
        assert_eq!(in_network("10.1.2.3", "0.0.0.0/0"), Some(true));
        assert_eq!(in_network("::1", "::1"), Some(true));
        assert_eq!(in_network("10.1.2.3", "example.com"), None);
    }

    #[test]
    fn what_decides_alone_decides() {
        assert_eq!(combined(Ok(true), Err(Unknown::Runtime), true), Ok(true));
        assert_eq!(combined(Err(Unknown::Runtime), Ok(false), false), Ok(false));
        assert_eq!(combined(Err(Unknown::Runtime), Ok(true), false), Err(Unknown::Runtime));
    }
}
