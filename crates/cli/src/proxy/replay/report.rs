//! What a replay has shown, for people and as JSON.

use std::io::{self, Write as _};

use owo_colors::OwoColorize as _;
use serde::Serialize;

use super::super::show::count;
use super::compare::{Difference, compare};
use super::diff;
use super::path::FieldPath;
use super::play::Played;
use super::script::Script;
use crate::output;

/// Differences that are told one by one.
const MOST_TOLD: usize = 50;

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether all answers were the recorded ones.
    pub(super) same: bool,
    /// Seconds.
    took: f64,
    connections: Vec<OfConnection>,
}

#[derive(Debug, Serialize)]
struct OfConnection {
    connection: u64,
    /// Path and query as recorded.
    target: String,
    /// Messages sent.
    sent: usize,
    /// Answers recorded, and answers received.
    recorded: usize,
    received: usize,
    differences: Vec<Difference>,
}

impl Report {
    pub(super) fn new(script: &Script, played: &Played, ignored: &[FieldPath]) -> Self {
        let connections = script.connections.iter().map(|(&connection, recorded)| {
            let received = played.answers.get(&connection);
            let received = received.map(Vec::as_slice).unwrap_or_default();
            OfConnection {
                connection,
                target: recorded.target.clone(),
                sent: recorded.sent,
                recorded: recorded.answers.len(),
                received: received.len(),
                differences: compare(&recorded.answers, received, ignored),
            }
        });
        let connections: Vec<OfConnection> = connections.collect();
        Self {
            same: connections.iter().all(|each| each.differences.is_empty()),
            took: played.took.as_secs_f64(),
            connections,
        }
    }

    /// The differences on stdout, and on stderr how many there are.
    pub(super) fn print(&self) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        let of_all = self.connections.iter().flat_map(|each| {
            let differences = each.differences.iter();
            differences.map(|difference| (each.connection, difference))
        });
        for (connection, difference) in of_all.clone().take(MOST_TOLD) {
            writeln!(stdout, "{}", told(connection, difference))?;
        }
        let left_out = of_all.count().saturating_sub(MOST_TOLD);
        if left_out > 0 {
            writeln!(
                stdout,
                "\u{2026} {} more (all with --json)",
                count(left_out as u64, "difference")
            )?;
        }
        stdout.flush()?;
        drop(stdout);
        let sum = |of: fn(&OfConnection) -> usize| -> u64 {
            self.connections.iter().map(|each| of(each) as u64).sum()
        };
        let verdict = match sum(|each| each.differences.len()) {
            0 => "all are the recorded ones".to_owned(),
            differences => count(differences, "difference"),
        };
        output::note(&format!(
            "{}, {} sent, {} of {} recorded, in {:.2} s: {verdict}",
            count(self.connections.len() as u64, "connection"),
            count(sum(|each| each.sent), "message"),
            count(sum(|each| each.received), "answer"),
            sum(|each| each.recorded),
            self.took,
        ));
        Ok(())
    }
}

/// A difference as a unified diff under a line that says where it is.
fn told(connection: u64, difference: &Difference) -> String {
    let (place, recorded, received) = match difference {
        Difference::Changed {
            answer,
            recorded,
            received,
        } => (
            format!("answer {answer} differs"),
            recorded.as_str(),
            received.as_str(),
        ),
        Difference::Missing { answer, recorded } => {
            (format!("answer {answer} is missing"), recorded.as_str(), "")
        }
        Difference::Unexpected { after, received } => (
            format!("behind answer {after} one came that was not recorded"),
            "",
            received.as_str(),
        ),
    };
    let place = format!("connection {connection}: {place}");
    format!("{}\n{}", place.bold(), diff::unified(recorded, received))
}
