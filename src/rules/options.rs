//! What a user may set about judging.

use std::collections::BTreeMap;

use super::problem::nearest;
use super::rule::Rule;
use super::value;
use crate::facts::Value;

/// How to judge.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether to show also what is only possible, and what is only worth knowing to those who ask.
    pub pedantic: bool,
    /// Whether to judge all the same what is only possible, so that its number can be told.
    pub possible: bool,
    parameters: BTreeMap<String, BTreeMap<String, Value>>,
}

/// A rule's parameter that cannot be set so.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    /// The rule has no such parameter.
    #[error("`{rule}` has no parameter `{name}`{}", .suggestion.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The rule.
        rule: String,
        /// The parameter.
        name: String,
        /// The nearest that it has.
        suggestion: Option<String>,
    },
    /// The value is not of the parameter's type.
    #[error("`{value}` is no value for `{name}` of `{rule}`, which is now {default}")]
    Value {
        /// The rule.
        rule: String,
        /// The parameter.
        name: String,
        /// The value.
        value: String,
        /// A value that would do.
        default: String,
    },
}

impl Options {
    /// Sets the parameter `name` of `rule`, e.g. `min` to `"10m"`.
    ///
    /// # Errors
    /// Where the rule has no such parameter, or it cannot have this value.
    pub fn set(&mut self, rule: &Rule, name: &str, value: &toml::Value) -> Result<(), ParameterError> {
        let known = &rule.compiled.parameters;
        let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
            let suggestion = nearest(name, known.iter().map(|parameter| parameter.name.as_str())).map(str::to_owned);
            return Err(ParameterError::Unknown { rule: rule.name().to_owned(), name: name.to_owned(), suggestion });
        };
        let typed = value::from_toml(value, parameter.kind).ok_or_else(|| ParameterError::Value {
            rule: rule.name().to_owned(),
            name: name.to_owned(),
            value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            default: parameter.default.to_string(),
        })?;
        self.parameters.entry(rule.name().to_owned()).or_default().insert(name.to_owned(), typed);
        Ok(())
    }

    /// The values of the parameters of `rule`, in its order.
    pub(super) fn parameters(&self, rule: &Rule) -> Vec<Value> {
        let set = self.parameters.get(rule.name());
        let value = |name: &str| set.and_then(|set| set.get(name)).cloned();
        let parameters = rule.compiled.parameters.iter();
        parameters.map(|parameter| value(&parameter.name).unwrap_or_else(|| parameter.default.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Millis;
    use crate::rules::builtin;

    fn rule() -> &'static Rule {
        builtin().iter().find(|rule| rule.name() == "read-timeout-short").unwrap()
    }

    #[test]
    fn a_parameter_keeps_its_default_until_it_is_set() {
        let mut options = Options::default();
        assert_eq!(options.parameters(rule()), [Value::Duration(Millis(3_600_000))]);
        options.set(rule(), "min", &"10m".into()).unwrap();
        assert_eq!(options.parameters(rule()), [Value::Duration(Millis(600_000))]);
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        let mut options = Options::default();
        let error = |result: Result<(), ParameterError>| result.unwrap_err().to_string();
        assert_eq!(
            error(options.set(rule(), "mim", &"10m".into())),
            "`read-timeout-short` has no parameter `mim`: did you mean `min`?"
        );
        assert_eq!(
            error(options.set(rule(), "min", &"soon".into())),
            "`soon` is no value for `min` of `read-timeout-short`, which is now 1 h"
        );
        assert!(options.set(rule(), "min", &3600.into()).is_err());
    }
}
