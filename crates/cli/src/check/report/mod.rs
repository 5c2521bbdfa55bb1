//! What came of a run, in each of its forms.

mod html;

mod json;

mod junit;

pub(crate) mod terminal;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::case::Case;
use super::log::{Entry, Log};
use super::outcome::{Level, Outcome, Verdict};
use crate::args::check::ReportArgs;

/// What came of one case.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tried {
    pub(crate) id: String,
    pub(crate) section: &'static str,
    pub(crate) level: Level,
    pub(crate) verdict: Verdict,
    pub(crate) sent: String,
    pub(crate) expected: String,
    /// What was seen instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) observed: Option<String>,
    /// Milliseconds it took.
    pub(crate) ms: f64,
    pub(crate) wire: Vec<Entry>,
    /// Lines of the log that were left out.
    pub(crate) wire_left_out: usize,
}

impl Tried {
    pub(crate) fn new(case: &Case, outcome: &Outcome, ms: f64, log: Log) -> Self {
        Self {
            id: case.id.to_string(),
            section: case.section,
            level: case.level,
            verdict: outcome.verdict(),
            sent: case.sent.to_string(),
            expected: case.expected.to_string(),
            observed: outcome.observed().map(str::to_owned),
            ms,
            wire: log.entries,
            wire_left_out: log.dropped,
        }
    }

    /// The part of the id before the dot.
    pub(crate) fn group(&self) -> &str {
        self.id.split_once('.').map_or(&self.id, |(group, _)| group)
    }
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The tester and its version.
    pub(crate) tester: String,
    /// Who was tested: a URL, or a client's name.
    pub(crate) tested: String,
    /// `server` or `client`.
    pub(crate) role: &'static str,
    /// When it began, in seconds since 1970.
    pub(crate) began: u64,
    /// Seconds it took.
    pub(crate) seconds: f64,
    pub(crate) cases: Vec<Tried>,
}

impl Report {
    /// How many cases had each verdict.
    pub(crate) fn counts(&self) -> BTreeMap<Verdict, usize> {
        let mut counts = BTreeMap::new();
        for case in &self.cases {
            *counts.entry(case.verdict).or_default() += 1;
        }
        counts
    }

    /// The cases by group, each where its first case is.
    pub(crate) fn groups(&self) -> Vec<(&str, Vec<&Tried>)> {
        let mut groups: Vec<(&str, Vec<&Tried>)> = Vec::new();
        for tried in &self.cases {
            match groups.iter_mut().find(|(name, _)| *name == tried.group()) {
                Some((_, cases)) => cases.push(tried),
                None => groups.push((tried.group(), vec![tried])),
            }
        }
        groups
    }

    /// Whether all is well.
    pub(crate) fn is_good(&self, strict: bool) -> bool {
        let is_bad =
            |verdict| verdict == Verdict::Failed || (strict && verdict == Verdict::Lenient);
        !self.cases.iter().any(|case| is_bad(case.verdict))
    }

    /// Writes the files that were asked for.
    pub(crate) fn write(&self, args: &ReportArgs) -> io::Result<()> {
        if let Some(path) = &args.json {
            if path.as_os_str() == "-" {
                let mut out = std::io::stdout().lock();
                out.write_all(self.to_json().as_bytes())?;
                out.flush()?;
            } else {
                write_file(path, &self.to_json())?;
            }
        }
        if let Some(path) = &args.junit {
            write_file(path, &self.to_junit(args.strict))?;
        }
        if let Some(path) = &args.html {
            write_file(path, &self.to_html())?;
        }
        Ok(())
    }
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let failed = |error: io::Error| {
        let what = format!("could not write {}: {error}", path.display());
        io::Error::other(what)
    };
    std::fs::write(path, text).map_err(failed)
}

const DAY: u64 = 24 * 60 * 60;

/// Days of 400 years, after which the calendar repeats.
const CYCLE: u64 = 146_097;

/// Seconds since 1970 as `2026-01-31 12:34:56 UTC`.
fn date(seconds: u64) -> String {
    // Years are counted from March on, so that a leap day ends one.
    let days = seconds / DAY + 719_468;
    let (cycle, day) = (days / CYCLE, days % CYCLE);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = cycle * 400 + year + next;
    let time = seconds % DAY;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_that_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_798_761_599, "2026-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }
}
