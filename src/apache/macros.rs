//! `<Macro>` and `Use` (`modules/core/mod_macro.c`): text replaced in the lines of a section.

use rustc_hash::FxHashMap;

use crate::source::{SourceId, Span};
use crate::tree::DirectiveId;

/// A defined macro.
#[derive(Clone, Debug)]
pub(super) struct Macro {
    /// Its parameters as written.
    parameters: Vec<Vec<u8>>,
    /// Where its `<Macro>` section stands.
    pub(super) source: SourceId,
    /// The section.
    pub(super) section: DirectiveId,
}

/// The macros defined so far, by lower-case name.
#[derive(Debug, Default)]
pub(super) struct Macros {
    defined: FxHashMap<Vec<u8>, Macro>,
    /// Whether there ever was one.
    any: bool,
}

/// A macro in use: what its parameters become.
#[derive(Debug)]
pub(super) struct Use {
    /// Longest first, for of two names that fit the longer one wins.
    replacements: Vec<(Vec<u8>, Vec<u8>)>,
    /// Lower-case name.
    pub(super) name: Vec<u8>,
    /// The `Use` line.
    pub(super) span: Span,
}

impl Macros {
    /// `<Macro name parameters…>`.
    pub(super) fn define(&mut self, words: &[Vec<u8>], source: SourceId, section: DirectiveId) {
        if let Some((name, parameters)) = words.split_first() {
            self.any = true;
            self.defined.insert(name.to_ascii_lowercase(), Macro { parameters: parameters.to_vec(), source, section });
        }
    }

    /// `UndefMacro name`.
    pub(super) fn undefine(&mut self, name: &[u8]) {
        self.defined.remove(&name.to_ascii_lowercase());
    }

    /// `Use name arguments…`: the macro, and what its parameters become; `place` says where a macro is defined.
    ///
    /// # Errors
    /// The reason for which httpd refuses, where it can be told from here.
    pub(super) fn use_macro(
        &self,
        words: &[Vec<u8>],
        span: Span,
        place: impl Fn(SourceId, DirectiveId) -> String,
    ) -> Result<(&Macro, Use), String> {
        let Some((name, arguments)) = words.split_first() else {
            return Err("no macro name specified in use".to_owned());
        };
        let name = name.to_ascii_lowercase();
        let shown = String::from_utf8_lossy(&name);
        let Some(found) = self.defined.get(&name) else {
            return Err(if self.any { format!("macro '{shown}' undefined") } else { "no macro defined before Use".to_owned() });
        };
        if arguments.len() != found.parameters.len() {
            let (have, want) = (arguments.len(), found.parameters.len());
            let place = place(found.source, found.section);
            return Err(format!("macro '{shown}' {place} used with {have} arguments instead of {want}"));
        }
        let mut replacements: Vec<_> = found.parameters.iter().cloned().zip(arguments.iter().cloned()).collect();
        replacements.retain(|(parameter, _)| !parameter.is_empty());
        replacements.sort_by_key(|(parameter, _)| std::cmp::Reverse(parameter.len()));
        Ok((found, Use { replacements, name, span }))
    }
}

impl Use {
    /// A line of the macro with its parameters replaced; lines beyond httpd's own limit (`MAX_STRING_LEN`) are cut there.
    pub(super) fn replace(&self, line: &[u8]) -> Vec<u8> {
        const LONGEST: usize = 8192;
        let mut out = Vec::with_capacity(line.len());
        let mut rest = &line[..line.len().min(LONGEST)];
        while let Some(&byte) = rest.first() {
            if out.len() > LONGEST {
                break;
            }
            if let Some((parameter, value)) = self.replacements.iter().find(|(parameter, _)| rest.starts_with(parameter)) {
                // A parameter that begins with `@` is put in quotes (`ARG_PREFIX` and `substitute_macro_args`).
                if parameter.starts_with(b"@") {
                    out.push(b'"');
                    out.extend_from_slice(value);
                    out.push(b'"');
                } else {
                    out.extend_from_slice(value);
                }
                rest = &rest[parameter.len()..];
            } else {
                out.push(byte);
                rest = &rest[1..];
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_parameter_wins_and_the_number_of_arguments_counts() {
        let mut macros = Macros::default();
        let span = Span::new(SourceId(0), 0, 0);
        let place = |_, _| String::new();
        let words = |text: &str| text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(macros.use_macro(&words("ws a"), span, place).unwrap_err(), "no macro defined before Use");
        macros.define(&words("WS $port $ports"), SourceId(0), DirectiveId(0));
        assert_eq!(macros.use_macro(&words("x"), span, place).unwrap_err(), "macro 'x' undefined");
        assert!(macros.use_macro(&words("ws 1"), span, place).is_err());
        let (_, used) = macros.use_macro(&words("ws 1 2"), span, place).unwrap();
        assert_eq!(used.replace(b"http://b:$port/$ports$x"), b"http://b:1/2$x");
    }
}
