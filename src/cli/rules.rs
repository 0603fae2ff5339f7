//! `proxylint rules`: the rules there are.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::gateway::Server;
use crate::report::{page, reference};
use crate::rules::{self, Level, Safety};

/// List the rules
#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output_format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// For programs
    Json,
    /// The index of the rules: by server, by symptom, by level
    Markdown,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    level: Level,
    subject: &'static str,
    servers: Vec<&'static str>,
    /// Whether only routes meant for WebSockets are judged.
    websocket: bool,
    /// How far its fix can be trusted.
    fix: Option<Safety>,
    summary: &'a str,
    /// The symptoms that it may be behind, by name.
    symptoms: Vec<&'static str>,
    /// What a user may set: name and default.
    parameters: BTreeMap<&'a str, String>,
    url: String,
}

pub(super) fn run(args: &RulesArgs, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut rows: Vec<Row<'_>> = rules::builtin().iter().map(row).collect();
    rows.sort_by_key(|row| row.name);
    match args.output_format {
        Format::Markdown => terminal.out.write_all(reference(rules::builtin(), rules::symptoms()).as_bytes())?,
        Format::Json => {
            serde_json::to_writer(&mut terminal.out, &rows).map_err(std::io::Error::from)?;
            terminal.out.write_all(b"\n")?;
        }
        Format::Text => {
            let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
            for Row { name, level, servers, summary, .. } in rows {
                writeln!(terminal.out, "{name:width$}  {:7}  {:13}  {summary}", level.to_string(), servers.join(" "))?;
            }
        }
    }
    Ok(Outcome::Clean)
}

fn row(rule: &rules::Rule) -> Row<'_> {
    Row {
        name: rule.name(),
        level: rule.level(),
        subject: rule.subject().name(),
        servers: rule.servers().into_iter().map(Server::name).collect(),
        websocket: rule.is_about_websockets(),
        fix: rule.safety(),
        summary: rule.summary(),
        symptoms: rules::symptoms()
            .iter()
            .filter(|symptom| symptom.names(rule.name()))
            .map(|symptom| symptom.name.as_str())
            .collect(),
        parameters: rule.parameters().collect(),
        url: page(rule.name()),
    }
}
