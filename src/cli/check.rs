//! `proxylint check`: the main job.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::terminal::Terminal;
use super::{Failure, Outcome, Settings};
use crate::rules::{Level, Safety};
use crate::{Checked, fix, report};

/// Judge every route of the configuration in files and directories
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Files and directories
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Format::Full, value_name = "FORMAT")]
    output_format: Format,
    /// Apply only this rule; may be given several times, or several with commas
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    select: Vec<String>,
    /// Do not apply this rule; may be given several times, or several with commas
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Mend what can be mended without changing anything else
    #[arg(long)]
    fix: bool,
    /// Mend also where that sets a value of policy, such as a timeout, or changes more than the broken route
    #[arg(long)]
    unsafe_fixes: bool,
    /// Print what --fix would change as a patch that `git apply` takes, and change nothing
    #[arg(long)]
    diff: bool,
    /// The lowest level that makes the exit status 1
    #[arg(long, value_enum, default_value_t = FailOn::Warning, value_name = "LEVEL")]
    fail_on: FailOn,
    /// Also judge routes of which only a weak hint says that they are meant for WebSockets
    #[arg(long)]
    pedantic: bool,
    /// Count the findings by rule instead of showing them
    #[arg(long)]
    statistics: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Excerpts with labels and help
    Full,
    /// One line a finding
    Concise,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailOn {
    /// What breaks
    Error,
    /// What may well break
    Warning,
    /// Anything
    Note,
}

impl From<FailOn> for Level {
    fn from(level: FailOn) -> Self {
        match level {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
            FailOn::Note => Self::Note,
        }
    }
}

pub(super) fn run(args: CheckArgs, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut request = args.settings.into_request()?;
    request.paths = args.paths;
    request.select = args.select;
    request.ignore = args.ignore;
    request.pedantic = args.pedantic;
    let mut checked = crate::check(&request)?;
    checked.project.problems.iter().for_each(|problem| terminal.problem(problem));
    let fail_on = args.fail_on.into();
    let fails = |checked: &Checked| checked.findings.iter().any(|finding| finding.level >= fail_on);
    let safety = if args.unsafe_fixes { Safety::Unsafe } else { Safety::Safe };
    let (mut fixed, mut unwritten) = (None, false);
    let fails = if args.diff {
        // The findings as they are on disk decide: nothing is written.
        let fails = fails(&checked);
        let fixed = fix::mend(&mut checked, &request, safety);
        fix::patch(&mut terminal.out, &checked, &fixed)?;
        fails
    } else {
        if args.fix || args.unsafe_fixes {
            let mended = fix::mend(&mut checked, &request, safety);
            for (path, error) in fix::write(&checked, &mended) {
                unwritten = true;
                terminal.unwritten(&path, &error);
            }
            fixed = Some(mended.count);
        }
        let shows_fixes = matches!(args.output_format, Format::Full | Format::Json);
        if fixed.is_some() || shows_fixes && checked.routes <= ROUTES_WITH_FIXES_SHOWN {
            fix::plan(&mut checked, &request);
        }
        write(&checked, args.output_format, args.statistics, fixed, terminal)?;
        fails(&checked)
    };
    let outcome = match () {
        () if unwritten || !checked.project.problems.is_empty() => Outcome::Incomplete,
        () if fails => Outcome::Findings,
        () => Outcome::Clean,
    };
    // The process ends here and gives all memory back at once: to free 20,000 trees one by one takes longer than to parse some.
    std::mem::forget(checked);
    Ok(outcome)
}

/// Up to how many routes a report shows how each finding can be mended. To try a fix is to read all facts of the configuration again, which
/// in a large one takes many times as long as to check it.
const ROUTES_WITH_FIXES_SHOWN: usize = 5_000;

fn write(
    checked: &Checked,
    format: Format,
    statistics: bool,
    fixed: Option<usize>,
    terminal: &mut Terminal,
) -> std::io::Result<()> {
    use std::io::Write;
    let (out, look) = (&mut terminal.out, terminal.look);
    match format {
        Format::Json => return report::json(out, checked),
        // Where nothing could be read there is nothing to sum up: what is wrong was said.
        _ if checked.project.store.sources.is_empty() => return Ok(()),
        _ if statistics => report::statistics(out, checked)?,
        Format::Full => report::full(out, checked, look)?,
        Format::Concise => report::concise(out, checked, look)?,
    }
    writeln!(out, "{}", report::summary(checked))?;
    if format == Format::Full && fixed.is_none() && checked.routes > ROUTES_WITH_FIXES_SHOWN && !checked.findings.is_empty() {
        writeln!(out, "more than {ROUTES_WITH_FIXES_SHOWN} routes: --diff, --fix and --unsafe-fixes tell what can be mended")?;
    }
    report::mended(checked, fixed).map_or(Ok(()), |line| writeln!(out, "{line}"))
}
