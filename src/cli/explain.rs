//! `proxylint explain`: the page of a rule.

use std::io::Write;

use clap::Args;

use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::rules;

/// Print the page of a rule: what it finds, why it matters and how to mend it
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The rule's name, as in a finding's brackets
    rule: String,
}

pub(super) fn run(args: &ExplainArgs, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let Some(rule) = rules::builtin().iter().find(|rule| rule.name() == args.rule) else {
        let names: Vec<&str> = rules::builtin().iter().map(rules::Rule::name).collect();
        return Err(Failure::new(format!("there is no rule `{}`", args.rule)).suggest(
            &args.rule,
            &names,
            "`proxylint rules` lists them",
        ));
    };
    let text = readable(rule.page(), terminal.look.colour);
    terminal.out.write_all(text.as_bytes())?;
    Ok(Outcome::Clean)
}

/// The page as it reads on a terminal: without the block that defines the rule, code indented, headings and code set off by colour.
fn readable(page: &str, colour: bool) -> String {
    let (bold, cyan, end) = if colour { ("\x1b[1m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
    let mut shown = String::with_capacity(page.len());
    let mut fence: Option<bool> = None;
    let mut blank = true;
    for line in page.lines() {
        match (fence, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let definition = info.trim() == "toml";
                if !definition {
                    shown.extend(["  ", cyan, info.trim(), ":", end, "\n\n"]);
                }
                fence = Some(definition);
            }
            (Some(_), Some(_)) => fence = None,
            (Some(true), None) => {}
            (Some(false), None) => shown.extend(["    ", line, "\n"]),
            // What was left out leaves no gap.
            (None, None) if line.is_empty() && blank => {}
            (None, None) if line.starts_with('#') => shown.extend([bold, line, end, "\n"]),
            (None, None) => shown.extend([line, "\n"]),
        }
        blank = line.is_empty() || fence == Some(true) || blank && line.starts_with("```");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_without_its_definition() {
        let page = "# a-rule\n\n```toml\nlevel = \"error\"\n```\n\nWhat it is.\n\n```nginx bad\nserver { }\n```\n";
        assert_eq!(readable(page, false), "# a-rule\n\nWhat it is.\n\n  nginx bad:\n\n    server { }\n");
    }
}
