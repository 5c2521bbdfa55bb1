//! What came of a case, and how much that weighs.

use std::fmt;

use serde::Serialize;

/// How much a requirement binds (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// A MUST: to do otherwise is a failure.
    Must,
    /// A SHOULD, or what follows from one: to do otherwise is lenient.
    Should,
    /// Nothing the RFCs ask for, but worth knowing: never a failure.
    Info,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Info => "info",
        })
    }
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As the RFC asks.
    Pass,
    /// Not as expected, but within what the RFC allows.
    Lenient(String),
    /// Observed, and not judged.
    Info(String),
    /// Against the RFC.
    Fail(String),
    /// It could not be tried.
    Skip(String),
}

impl Outcome {
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Pass => Verdict::Strict,
            Self::Lenient(_) => Verdict::Lenient,
            Self::Info(_) => Verdict::Info,
            Self::Fail(_) => Verdict::Failed,
            Self::Skip(_) => Verdict::Skipped,
        }
    }

    /// What was seen, where that is not what was expected.
    pub(crate) fn observed(&self) -> Option<&str> {
        match self {
            Self::Pass => None,
            Self::Lenient(text) | Self::Info(text) | Self::Fail(text) | Self::Skip(text) => {
                Some(text)
            }
        }
    }

    /// A failure weighs as much as the requirement does.
    pub(crate) fn at(self, level: Level) -> Self {
        match (self, level) {
            (Self::Fail(why), Level::Should) => Self::Lenient(why),
            (Self::Fail(why) | Self::Lenient(why), Level::Info) => Self::Info(why),
            (outcome, _) => outcome,
        }
    }
}

/// [`Outcome`] in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Failed,
    Lenient,
    Info,
    Skipped,
    Strict,
}

impl Verdict {
    /// All of them, the best first.
    pub(crate) const ALL: [Self; 5] = [
        Self::Strict,
        Self::Lenient,
        Self::Info,
        Self::Skipped,
        Self::Failed,
    ];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
            Self::Info => "info",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_weighs_as_much_as_the_requirement() {
        let fail = || Outcome::Fail("no".to_owned());
        assert_eq!(fail().at(Level::Must).verdict(), Verdict::Failed);
        assert_eq!(fail().at(Level::Should).verdict(), Verdict::Lenient);
        assert_eq!(fail().at(Level::Info).verdict(), Verdict::Info);
        assert_eq!(Outcome::Pass.at(Level::Info).verdict(), Verdict::Strict);
    }
}
