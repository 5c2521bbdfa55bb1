//! What came of a run, in each of its forms.

mod json;

pub(crate) mod terminal;

use std::collections::BTreeMap;
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

    /// Whether all is well.
    pub(crate) fn is_good(&self, strict: bool) -> bool {
        let is_bad =
            |verdict| verdict == Verdict::Failed || (strict && verdict == Verdict::Lenient);
        !self.cases.iter().any(|case| is_bad(case.verdict))
    }

    /// Writes the files that were asked for.
    pub(crate) fn write(&self, args: &ReportArgs) -> Result<(), String> {
        if let Some(path) = &args.json {
            if path.as_os_str() == "-" {
                print!("{}", self.to_json());
            } else {
                write_file(path, &self.to_json())?;
            }
        }
        Ok(())
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error| format!("could not write {}: {error}", path.display());
    std::fs::write(path, text).map_err(failed)
}
