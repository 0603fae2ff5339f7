//! How much a rule's word weighs: a finding's level, or less than any.

use serde::Deserialize;

use super::finding::{Intent, Level};

/// A level, or `pedantic`: a note that is only shown to those who ask for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Grade {
    /// Shown as a note under `--pedantic`, else not at all.
    Pedantic,
    /// Worth knowing.
    Note,
    /// It may well break.
    Warning,
    /// It breaks.
    Error,
}

impl Grade {
    /// The grade at this intent: as it is where a WebSocket is declared, one lower where it is inferred, pedantic where it is
    /// only possible, and nothing where there is none.
    pub(super) fn at(self, intent: Intent) -> Option<Self> {
        match intent {
            Intent::None => None,
            Intent::Possible => Some(Self::Pedantic),
            Intent::Inferred => Some(self.lower()),
            Intent::Declared => Some(self),
        }
    }

    fn lower(self) -> Self {
        match self {
            Self::Error => Self::Warning,
            Self::Warning => Self::Note,
            Self::Note | Self::Pedantic => Self::Pedantic,
        }
    }

    /// The level to show it at, if at all.
    pub(super) fn shown(self, pedantic: bool) -> Option<Level> {
        match self {
            Self::Pedantic => pedantic.then_some(Level::Note),
            Self::Note => Some(Level::Note),
            Self::Warning => Some(Level::Warning),
            Self::Error => Some(Level::Error),
        }
    }
}

impl Level {
    /// The level that `name` names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Note, Self::Warning, Self::Error].into_iter().find(|level| level.name() == name)
    }
}

impl Intent {
    /// The intent that `name` names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Possible, Self::Inferred, Self::Declared].into_iter().find(|intent| intent.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intent_lowers_the_level() {
        let shown = |grade: Grade, intent, pedantic| grade.at(intent).and_then(|grade| grade.shown(pedantic));
        assert_eq!(shown(Grade::Error, Intent::Declared, false), Some(Level::Error));
        assert_eq!(shown(Grade::Error, Intent::Inferred, false), Some(Level::Warning));
        assert_eq!(shown(Grade::Note, Intent::Inferred, false), None);
        assert_eq!(shown(Grade::Error, Intent::Possible, false), None);
        assert_eq!(shown(Grade::Error, Intent::Possible, true), Some(Level::Note));
        assert_eq!(shown(Grade::Error, Intent::None, true), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(Level::named("warning"), Some(Level::Warning));
        assert_eq!(Intent::named("inferred"), Some(Intent::Inferred));
        assert_eq!(Level::named("Error"), None);
    }
}
