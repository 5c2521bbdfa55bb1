//! The report for a person at a terminal: progress while it runs, then what
//! was not as it should be.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;

use super::{Report, Tried};
use crate::check::log::By;
use crate::check::outcome::Verdict;
use crate::output::harmless;

/// Shows how far a run is, where stderr is a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(cases: usize) -> Self {
        let bar = ProgressBar::new(cases as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// One more case is done.
    pub(crate) fn tell(&self, tried: &Tried, verbose: bool) {
        self.0.inc(1);
        self.0.set_message(tried.id.clone());
        if verbose {
            self.0.suspend(|| line(tried));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A case in a line.
fn line(tried: &Tried) {
    let verdict = coloured(tried.verdict);
    let observed = tried
        .observed
        .as_deref()
        .map_or_else(String::new, |observed| {
            format!("\n          {}", harmless(observed))
        });
    anstream::eprintln!(
        "{verdict}  {} {}{observed}",
        tried.id,
        tried.section.dimmed()
    );
}

fn coloured(verdict: Verdict) -> String {
    painted(verdict, &format!("{verdict:<8}"))
}

fn painted(verdict: Verdict, text: &str) -> String {
    match verdict {
        Verdict::Strict => text.green().to_string(),
        Verdict::Lenient => text.yellow().to_string(),
        Verdict::Info => text.cyan().to_string(),
        Verdict::Skipped => text.dimmed().to_string(),
        Verdict::Failed => text.red().bold().to_string(),
    }
}

/// What a person wants to know at the end: what failed and why, what was lenient,
/// and how many of each.
pub(crate) fn tell(report: &Report, verbose: bool) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for tried in &report.cases {
        let is_told = match tried.verdict {
            Verdict::Failed => true,
            Verdict::Lenient | Verdict::Info => !verbose,
            Verdict::Strict | Verdict::Skipped => false,
        };
        if !is_told {
            continue;
        }
        writeln!(
            out,
            "{}  {} {}",
            coloured(tried.verdict),
            tried.id.bold(),
            tried.section.dimmed()
        )?;
        writeln!(out, "          sent:     {}", tried.sent)?;
        writeln!(out, "          expected: {}", tried.expected)?;
        if let Some(observed) = &tried.observed {
            writeln!(out, "          {}", harmless(observed))?;
        }
        if verbose {
            wire(&mut out, tried)?;
        }
    }
    let counts = report.counts();
    let told: Vec<String> = Verdict::ALL
        .iter()
        .filter_map(|verdict| {
            let count = counts.get(verdict)?;
            Some(format!(
                "{count} {}",
                painted(*verdict, &verdict.to_string())
            ))
        })
        .collect();
    let (total, seconds) = (report.cases.len(), report.seconds);
    writeln!(out, "{total} cases in {seconds:.1} s: {}", told.join(", "))?;
    out.flush()
}

/// What went over the wire.
fn wire(out: &mut impl Write, tried: &Tried) -> io::Result<()> {
    for entry in &tried.wire {
        let arrow = match entry.by {
            By::Tester => ">",
            By::Peer => "<",
        };
        let ms = entry.ms;
        for text in entry.what.lines() {
            writeln!(out, "          {ms:8.1} ms {arrow} {}", harmless(text))?;
        }
        if !entry.hex.is_empty() {
            writeln!(out, "                      {}", entry.hex.dimmed())?;
        }
    }
    if tried.wire_left_out > 0 {
        writeln!(out, "          ... and {} more", tried.wire_left_out)?;
    }
    Ok(())
}
