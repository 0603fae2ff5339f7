//! Where output goes: standard output through one buffer, complaints to standard error, coloured where that is wanted.

use std::io::{self, BufWriter, IsTerminal, StderrLock, StdoutLock, Write};
use std::path::Path;

use clap::ValueEnum;

use super::Failure;
use crate::fix::WriteError;
use crate::project::Problem;
use crate::report::{Look, handler, printable};

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColourChoice {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColourChoice {
    fn on(self, stream: &impl IsTerminal) -> bool {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            // https://no-color.org
            Self::Auto => {
                stream.is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// Standard output and standard error.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Standard output.
    pub(super) out: BufWriter<StdoutLock<'static>>,
    /// How reports on standard output look.
    pub(super) look: Look,
    err: StderrLock<'static>,
    err_look: Look,
}

impl Terminal {
    pub(super) fn new(choice: ColourChoice) -> Self {
        let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100).clamp(40, 160);
        let (out, err) = (io::stdout().lock(), io::stderr().lock());
        Self {
            look: Look { colour: choice.on(&out), width },
            err_look: Look { colour: choice.on(&err), width },
            out: BufWriter::with_capacity(64 * 1024, out),
            err,
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Says why the job could not be done.
    pub(super) fn complain(&mut self, failure: &Failure) {
        match failure {
            Failure::Config(error) => {
                let mut text = String::new();
                if handler(self.err_look).render_report(&mut text, error.as_ref()).is_ok() {
                    let _ = self.err.write_all(text.as_bytes());
                } else {
                    self.say(&error.to_string(), error.help.as_deref());
                }
            }
            Failure::Output(_) => self.say(&failure.to_string(), None),
            Failure::Other { message, help } => self.say(message, help.as_deref()),
        }
    }

    /// Says what kept part of the job from being done.
    pub(super) fn problem(&mut self, problem: &Problem) {
        self.say(&problem.to_string(), Some(problem.help()));
    }

    /// Says why a mended file was not written.
    pub(super) fn unwritten(&mut self, path: &Path, error: &WriteError) {
        let help = match error {
            WriteError::Changed => "run the command again",
            WriteError::ReadOnly | WriteError::Io(_) => "make the file and its directory writable for this user",
        };
        self.say(&format!("`{}` is not mended: {error}", path.display()), Some(help));
    }

    fn say(&mut self, message: &str, help: Option<&str>) {
        let (red, cyan, end) = if self.err_look.colour { ("\x1b[31m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
        // Where standard error cannot be written there is nobody to tell; the exit status still says it.
        let _ = writeln!(self.err, "{red}error:{end} {}", printable(message));
        if let Some(help) = help {
            let _ = writeln!(self.err, "  {cyan}help:{end} {}", printable(help));
        }
    }
}
