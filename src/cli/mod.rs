//! The command line: one file a subcommand.

mod check;
mod explain;
mod facts;
mod failure;
mod rules;
mod terminal;
mod trace;

use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use failure::Failure;
use terminal::{ColourChoice, Terminal};

use crate::gateway::Version;

/// Says whether WebSockets survive your nginx and Apache httpd configuration, which line is to blame and how to mend it.
///
/// Exit status: 0 where there is nothing at or above --fail-on, 1 where there are such findings, 2 where the job could not be done
/// in full: wrong usage or settings, an unreadable file, no configuration at the given paths.
#[derive(Debug, Parser)]
#[command(name = "proxylint", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Whether to colour the output
    #[arg(long, global = true, value_enum, default_value_t = ColourChoice::Auto, value_name = "WHEN")]
    color: ColourChoice,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Rules(rules::RulesArgs),
    Facts(facts::FactsArgs),
    Trace(trace::TraceArgs),
}

/// Options of every command that reads configuration.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct Settings {
    /// Use this settings file, or set one key of it; may be given several times
    #[arg(long, value_name = "FILE|KEY=VALUE")]
    config: Vec<String>,
    /// Leave settings files alone
    #[arg(long)]
    isolated: bool,
    /// The version of nginx to judge for, e.g. 1.28
    #[arg(long, value_name = "VERSION")]
    nginx_version: Option<Version>,
    /// The version of Apache httpd to judge for, e.g. 2.4.52
    #[arg(long, value_name = "VERSION")]
    apache_version: Option<Version>,
}

impl Settings {
    fn into_request(self) -> Result<crate::Request, Failure> {
        let (set, mut files): (Vec<String>, Vec<String>) =
            self.config.into_iter().partition(|value| value.contains('=') && !std::path::Path::new(value).is_file());
        let config = files.pop().map(Into::into);
        match files.pop() {
            Some(_) => Err(Failure::new("--config names more than one file").help("give one file, and single keys as KEY=VALUE")),
            None => Ok(crate::Request {
                config,
                isolated: self.isolated,
                set,
                nginx_version: self.nginx_version,
                apache_version: self.apache_version,
                ..crate::Request::default()
            }),
        }
    }
}

/// How a command ended, where it could do its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing to complain of.
    Clean,
    /// Findings at or above the level that fails.
    Findings,
    /// Part of the job could not be done; what and why was said.
    Incomplete,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
            Outcome::Incomplete => 2,
        })
    }
}

/// Runs the program on the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Where even the usage cannot be written there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Outcome::Incomplete } else { Outcome::Clean }.into();
        }
    };
    // This thread works as one of the pool. That there is a pool already is no reason to give up.
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    let mut terminal = Terminal::new(cli.color);
    let outcome = match cli.command {
        Command::Check(args) => check::run(args, &mut terminal),
        Command::Explain(args) => explain::run(args, &mut terminal),
        Command::Rules(args) => rules::run(&args, &mut terminal),
        Command::Facts(args) => facts::run(args, &mut terminal),
        Command::Trace(args) => trace::run(args, &mut terminal),
    };
    match outcome.and_then(|outcome| Ok(terminal.flush().map(|()| outcome)?)) {
        Ok(outcome) => outcome.into(),
        // Who reads us has seen enough, as `head` has.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Clean.into(),
        Err(failure) => {
            terminal.complain(&failure);
            Outcome::Incomplete.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
