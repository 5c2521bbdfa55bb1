//! What was measured, second by second and in all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bench::count::latency::Latencies;
use crate::bench::count::tally::{Counts, Tally};
use crate::bench::load::pace::Schedule;
use crate::bench::load::run::{Lane, Run};

/// Points of a time line at most; a longer one is made of longer points.
const MOST_POINTS: usize = 3_600;

/// What happened in a second, or in several of a long run.
#[derive(Clone, Debug, Serialize)]
pub(in crate::bench) struct Point {
    /// Since the measurement began.
    pub(in crate::bench) second: f64,
    /// In a second.
    pub(in crate::bench) sent: f64,
    /// In a second.
    pub(in crate::bench) received: f64,
    pub(in crate::bench) errors: u64,
    /// Connections open at its end.
    pub(in crate::bench) open: u64,
    /// Microseconds; the worst second's, where there are several.
    pub(in crate::bench) p50: Option<f64>,
    pub(in crate::bench) p99: Option<f64>,
    pub(in crate::bench) max: Option<f64>,
}

/// Collects what the threads have counted.
pub(in crate::bench) struct Timeline {
    began: Instant,
    /// When the load ends, where its duration is said.
    until: Option<Instant>,
    last: Instant,
    errors: u64,
    total: Tally,
    /// What one thread has counted: its own is empty then.
    taken: Tally,
    /// What all threads have counted since the last point.
    second: Tally,
    points: Vec<Point>,
    /// Seconds in a point.
    each: u32,
}

impl Timeline {
    pub(in crate::bench) fn new(schedule: &Schedule, run: &Run) -> Self {
        Self {
            began: schedule.measured,
            until: schedule.until,
            last: schedule.measured,
            errors: run.faults.total(),
            total: Tally::default(),
            taken: Tally::default(),
            second: Tally::default(),
            points: Vec::new(),
            each: 1,
        }
    }

    /// Takes what was counted since the last time, without a point.
    pub(in crate::bench) fn gather(&mut self, lanes: &[Arc<Lane>]) {
        self.second.clear();
        for lane in lanes {
            self.taken.clear();
            std::mem::swap(&mut *lane.tally(), &mut self.taken);
            self.second.add(&self.taken);
        }
        self.total.add(&self.second);
    }

    /// Takes what was counted since the last time, as a point.
    pub(in crate::bench) fn take(&mut self, lanes: &[Arc<Lane>], run: &Run) {
        // What comes later belongs to no second of the load.
        let now = Instant::now();
        let now = self.until.map_or(now, |until| until.min(now));
        self.gather(lanes);
        let time = now.checked_duration_since(self.last);
        let Some(time) = time.filter(|time| !time.is_zero()) else {
            return;
        };
        let errors = run.faults.total();
        let (seconds, latencies) = (time.as_secs_f64().max(1e-6), &self.second.latencies);
        let in_a_second = |count: u64| (count as f64 / seconds * 10.0).round() / 10.0;
        let point = Point {
            second: (now - self.began).as_secs_f64(),
            sent: in_a_second(self.second.counts.sent),
            received: in_a_second(self.second.counts.in_time),
            errors: errors - self.errors,
            open: run.gauges.open.get(),
            p50: latencies.percentile(50.0),
            p99: latencies.percentile(99.0),
            max: latencies.max(),
        };
        self.errors = errors;
        self.last = now;
        self.points.push(point);
        if self.points.len() >= MOST_POINTS {
            self.points = self.points.chunks(2).filter_map(joined).collect();
            self.each *= 2;
        }
    }

    /// Takes the last point, which is none where it is a small part of a second, or
    /// where nothing more was answered.
    pub(in crate::bench) fn finish(&mut self, lanes: &[Arc<Lane>], run: &Run) {
        const LEAST: Duration = Duration::from_millis(500);
        let (before, from) = (self.points.len(), self.last);
        self.take(lanes, run);
        let mut errors = run.faults.total() - self.errors;
        if self.points.len() > before && before > 0 && self.last - from < LEAST {
            errors += self.points.pop().map_or(0, |part| part.errors);
        }
        while let ([.., before, last], true) = (&self.points[..], self.until.is_none())
            && self.answered_for().is_some_and(|end| before.second >= end)
        {
            errors += last.errors;
            self.points.pop();
        }
        if let Some(last) = self.points.last_mut() {
            last.errors += errors;
            // Connections are being closed.
            last.open = last.open.max(run.gauges.survived.get());
        }
    }

    /// Seconds from the beginning to the last answer.
    fn answered_for(&self) -> Option<f64> {
        let time = self.total.counts.last?.checked_duration_since(self.began);
        time.map(|time| time.as_secs_f64())
    }

    /// How often a point is to be taken, in seconds.
    pub(in crate::bench) fn each(&self) -> u32 {
        self.each
    }

    pub(in crate::bench) fn began(&self) -> Instant {
        self.began
    }

    pub(in crate::bench) fn last(&self) -> Option<&Point> {
        self.points.last()
    }

    pub(in crate::bench) fn points(&self) -> &[Point] {
        &self.points
    }

    pub(in crate::bench) fn counts(&self) -> &Counts {
        &self.total.counts
    }

    pub(in crate::bench) fn latencies(&self) -> &Latencies {
        &self.total.latencies
    }
}

/// Two points as one: rates are their mean, latencies the worse of each.
fn joined(points: &[Point]) -> Option<Point> {
    let last = points.last()?;
    let of = points.len() as f64;
    let worst = |of: fn(&Point) -> Option<f64>| points.iter().filter_map(of).reduce(f64::max);
    Some(Point {
        second: last.second,
        sent: points.iter().map(|point| point.sent).sum::<f64>() / of,
        received: points.iter().map(|point| point.received).sum::<f64>() / of,
        errors: points.iter().map(|point| point.errors).sum(),
        open: last.open,
        p50: worst(|point| point.p50),
        p99: worst(|point| point.p99),
        max: worst(|point| point.max),
    })
}
