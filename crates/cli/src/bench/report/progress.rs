//! What is seen while a run goes on: a bar on stderr, where that is a terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::show;
use super::timeline::Timeline;
use crate::bench::load::pace::Schedule;
use crate::bench::load::run::Run;

/// Steps of the bar: it measures time, or messages where their number is fixed.
const STEPS: u64 = 1000;

pub(in crate::bench) struct Progress(ProgressBar);

impl Progress {
    pub(in crate::bench) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new(STEPS);
        if quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        // The template is a constant that parses.
        if let Ok(style) = ProgressStyle::with_template("{bar:20.cyan/dim} {wide_msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self(bar)
    }

    pub(in crate::bench) fn opening(&self, run: &Run) {
        let (tried, all) = (run.gauges.tried.get(), u64::from(run.plan.connections));
        self.0.set_position(tried * STEPS / all.max(1));
        let failed = match run.gauges.failed.get() {
            0 => String::new(),
            failed => format!(", {} failed", show::count(failed)),
        };
        let (tried, all) = (show::count(tried), show::count(all));
        self.0
            .set_message(format!("opening connections: {tried} of {all}{failed}"));
    }

    pub(in crate::bench) fn running(&self, run: &Run, schedule: &Schedule, timeline: &Timeline) {
        let now = Instant::now();
        let Some(running) = now.checked_duration_since(schedule.measured) else {
            let left = (schedule.measured - now).as_secs_f64().ceil();
            self.0.set_position(0);
            return self.0.set_message(format!("warming up, {left} s left"));
        };
        let sent = timeline.counts().sent;
        let by_time = schedule.until.map(|until| {
            let all = (until - schedule.measured).max(Duration::from_millis(1));
            running.as_secs_f64() / all.as_secs_f64()
        });
        let by_messages = run.plan.messages.map(|all| sent as f64 / all as f64);
        let share = by_time.unwrap_or(0.0).max(by_messages.unwrap_or(0.0));
        self.0.set_position((share.min(1.0) * STEPS as f64) as u64);
        let elapsed = show::seconds(running.as_secs_f64().floor());
        let rest = live(run, timeline);
        self.0.set_message(format!("{elapsed}  {rest}"));
    }

    pub(in crate::bench) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// The last second.
fn live(run: &Run, timeline: &Timeline) -> String {
    let Some(point) = timeline.last() else {
        return format!("{} open", show::count(run.gauges.open.get()));
    };
    let errors = match run.faults.total() {
        0 => String::new(),
        errors => format!("  {} errors", show::count(errors)),
    };
    let (Some(p50), Some(p99), Some(max)) = (point.p50, point.p99, point.max) else {
        let open = show::count(run.gauges.open.get());
        return format!("{open} open{errors}");
    };
    let rate = show::rate(point.received);
    let (p50, p99, max) = (show::time(p50), show::time(p99), show::time(max));
    format!("{rate}/s  p50 {p50}  p99 {p99}  max {max}{errors}")
}
