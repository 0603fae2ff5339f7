//! Why a command could not do its job.

use std::io;

use crate::config::{ConfigError, nearest};

/// Why a command could not do its job.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    /// Something else, with what to do about it.
    #[error("{message}")]
    Other {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl Failure {
    /// A failure in words.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::Other { message: message.into(), help: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Other { message, .. } => Self::Other { message, help: Some(help.into()) },
            other => other,
        }
    }

    /// The same with the nearest of the names there are, or `otherwise`.
    #[must_use]
    pub fn suggest(self, name: &str, known: &[&str], otherwise: &str) -> Self {
        let help = nearest(name, known).map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"));
        self.help(help)
    }
}
