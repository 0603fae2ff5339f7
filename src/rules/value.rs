//! Values as rules and their users write them: `"1h"`, `"1.29.7"`, `true`.

use crate::facts::{Type, Value};
use crate::gateway::Millis;

/// The value of type `kind` that `text` writes.
pub(super) fn parse(text: &str, kind: Type) -> Option<Value> {
    match kind {
        Type::Text => Some(Value::text(text.to_owned())),
        Type::List => Some(Value::List(text.split(',').map(|item| item.trim().to_owned()).collect())),
        Type::Duration => parse_duration(text).map(Value::Duration),
        Type::Number => text.parse().ok().map(Value::Number),
        Type::Flag => text.parse().ok().map(Value::Flag),
        Type::Version => text.parse().ok().map(Value::Version),
    }
}

/// The value of type `kind` that a TOML value is.
pub(super) fn from_toml(value: &toml::Value, kind: Type) -> Option<Value> {
    match (value, kind) {
        (toml::Value::String(text), Type::Text | Type::Duration | Type::Version) => parse(text, kind),
        (toml::Value::Integer(number), Type::Number) => Some(Value::Number(*number)),
        (toml::Value::Boolean(flag), Type::Flag) => Some(Value::Flag(*flag)),
        _ => None,
    }
}

/// A duration: a whole number and one of `ms`, `s`, `m`, `min`, `h`, `d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Millis> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let unit: u64 = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).map(Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_must_fit() {
        for (text, millis) in
            [("60s", 60_000), ("1h", 3_600_000), ("10m", 600_000), ("10 min", 600_000), ("1500ms", 1500), ("2d", 172_800_000)]
        {
            assert_eq!(parse_duration(text), Some(Millis(millis)), "{text}");
        }
        for text in ["60", "", "h", "1y", "1.5h", "-1s", "99999999999999999999h", "18446744073709551615d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_toml_value_must_be_of_the_type() {
        assert_eq!(from_toml(&toml::Value::Boolean(true), Type::Flag), Some(Value::Flag(true)));
        assert_eq!(from_toml(&toml::Value::Boolean(true), Type::Text), None);
        assert_eq!(from_toml(&toml::Value::Integer(3), Type::Duration), None);
        assert_eq!(from_toml(&toml::Value::String("3".into()), Type::Number), None);
    }
}
