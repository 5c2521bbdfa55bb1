//! What a replay has shown, for people and as JSON.

use std::io::{self, Write as _};

use owo_colors::OwoColorize as _;
use serde::Serialize;
use similar::TextDiff;

use super::super::show::count;
use super::compare::{Difference, compare};
use super::path::FieldPath;
use super::play::Played;
use super::script::Script;
use crate::output;

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
        for each in &self.connections {
            for difference in &each.differences {
                writeln!(stdout, "{}", told(each.connection, difference))?;
            }
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
    let mut text = format!("{}\n", format!("connection {connection}: {place}").bold());
    let lines = |text: &str| {
        let mut lines = output::harmless(text);
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines
    };
    let (recorded, received) = (lines(recorded), lines(received));
    let diff = TextDiff::from_lines(recorded.as_str(), received.as_str());
    let unified = diff
        .unified_diff()
        .header("recorded", "received")
        .to_string();
    for line in unified.lines() {
        let coloured = match line.as_bytes().first() {
            Some(b'-') => line.red().to_string(),
            Some(b'+') => line.green().to_string(),
            Some(b'@') => line.cyan().to_string(),
            _ => line.to_owned(),
        };
        text.push_str(&coloured);
        text.push('\n');
    }
    text
}
