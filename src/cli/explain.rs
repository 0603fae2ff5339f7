//! `proxylint explain`: the page of a rule, or what a symptom means, and where the rules that look for its causes fire.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::terminal::Terminal;
use super::{Failure, Outcome, Settings};
use crate::Request;
use crate::config::nearest;
use crate::gateway::Server;
use crate::report::{self, Look};
use crate::rules::{self, Rule, Symptom};

/// Print the page of a rule, or what a symptom means: a status, a close code, a browser's message, a line of a log
///
/// Given PATHS, it also says which of the causes are found there. Exit status: 1 where one is.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A rule's name, or what you see: 400, 1006, AH01144, "works in Chrome not Firefox"
    #[arg(value_name = "RULE|SYMPTOM")]
    what: String,
    /// Files and directories to look for the causes in
    paths: Vec<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(args: ExplainArgs, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let look = terminal.look;
    let mut request = args.settings.into_request()?;
    request.paths = if args.paths.is_empty() { vec![".".into()] } else { args.paths.clone() };
    let own = own_rules(&request, &args.what)?;
    let mut all = rules::builtin().iter().chain(own.iter().map(Arc::as_ref));
    let causes: Vec<&Rule> = if let Some(rule) = all.find(|rule| rule.name() == args.what) {
        terminal.out.write_all(readable(rule.page(), look.colour).as_bytes())?;
        vec![rule]
    } else {
        let symptom = rules::symptom(&args.what).filter(|_| !is_slip(&args.what)).ok_or_else(|| unknown(&args.what))?;
        describe(symptom, look, &mut terminal.out)?;
        symptom.rules().collect()
    };
    if args.paths.is_empty() { Ok(Outcome::Clean) } else { find(&causes, &request, terminal) }
}

/// The user's own rules. What is wrong with them keeps nobody from reading about ours.
fn own_rules(request: &Request, what: &str) -> Result<Vec<Arc<Rule>>, Failure> {
    if rules::builtin().iter().any(|rule| rule.name() == what) || (!what.contains('-') && rules::symptom(what).is_some()) {
        return Ok(Vec::new());
    }
    Ok(request.settings()?.into_iter().flat_map(|settings| settings.own).collect())
}

/// Whether `what` was meant to be the name of a rule.
fn is_slip(what: &str) -> bool {
    let names: Vec<&str> = rules::builtin().iter().map(Rule::name).collect();
    what.contains('-') && nearest(what, &names).is_some()
}

fn unknown(what: &str) -> Failure {
    let rules = rules::builtin().iter().map(Rule::name);
    let names: Vec<&str> = rules.chain(rules::symptoms().iter().map(|symptom| symptom.name.as_str())).collect();
    let kind = if what.contains('-') && !what.contains(' ') { "rule" } else { "rule or symptom" };
    let otherwise =
        "`proxylint rules` lists the rules; a symptom is a status, a close code, a browser's message or a line of a log";
    Failure::new(format!("there is no {kind} `{what}`")).suggest(what, &names, otherwise)
}

/// What a symptom means, and its causes, the likeliest first.
fn describe(symptom: &Symptom, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let (bold, cyan, end) = if look.colour { ("\x1b[1m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
    writeln!(out, "{bold}{}: {}{end}\n", symptom.name, symptom.title)?;
    wrap(&symptom.means, "", look.width, out)?;
    if let Some(outside) = &symptom.outside {
        writeln!(out)?;
        wrap(&format!("Not in this configuration: {outside}."), "", look.width, out)?;
    }
    let Some(first) = symptom.rules().next() else { return Ok(()) };
    writeln!(out, "\nCauses, the likeliest first:\n")?;
    for rule in symptom.rules() {
        let servers: Vec<&str> = rule.servers().into_iter().map(Server::name).collect();
        writeln!(out, "  {cyan}{}{end} ({})", rule.name(), servers.join(", "))?;
        wrap(rule.summary(), "      ", look.width, out)?;
    }
    writeln!(out, "\n`proxylint explain {}` tells more, and so for the others.", first.name())
}

/// Which of the causes are found in the paths of `request`, and where.
fn find(causes: &[&Rule], request: &Request, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut checked = crate::check(request)?;
    checked.project.problems.iter().for_each(|problem| terminal.problem(problem));
    let rank = |name: &str| causes.iter().position(|rule| rule.name() == name);
    checked.findings.retain(|finding| rank(&finding.rule).is_some());
    // Stable: what one rule says stays in the order of files and lines.
    checked.findings.sort_by_key(|finding| rank(&finding.rule));
    let (out, look) = (&mut terminal.out, terminal.look);
    if !checked.project.store.sources.is_empty() {
        let found = if checked.findings.is_empty() { "None of this is found in the given files." } else { "Found here:" };
        writeln!(out, "\n{found}\n")?;
        report::concise(out, &checked, look)?;
        writeln!(out, "{}", report::summary(&checked))?;
    }
    Ok(match () {
        () if !checked.project.problems.is_empty() => Outcome::Incomplete,
        () if checked.findings.is_empty() => Outcome::Clean,
        () => Outcome::Findings,
    })
}

/// Writes a paragraph in lines of at most `width` columns.
fn wrap(text: &str, indent: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.chars().count() + 1 + word.chars().count() > width {
            writeln!(out, "{indent}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{indent}{line}")
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
    fn a_paragraph_is_broken_between_words() {
        let mut out = Vec::new();
        wrap("one two three four", "  ", 11, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  one two\n  three\n  four\n");
    }

    #[test]
    fn a_page_reads_without_its_definition() {
        let page = "# a-rule\n\n```toml\nlevel = \"error\"\n```\n\nWhat it is.\n\n```nginx bad\nserver { }\n```\n";
        assert_eq!(readable(page, false), "# a-rule\n\nWhat it is.\n\n  nginx bad:\n\n    server { }\n");
    }
}
