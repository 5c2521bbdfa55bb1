//! Latencies in a histogram, and what is told of them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency that is told apart from longer ones: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// Significant digits: a latency is right to a thousandth of it.
const DIGITS: u8 = 3;

/// How many latencies were how long, in nanoseconds.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        // Constants that it takes.
        #[allow(clippy::expect_used)]
        Self(Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("bounds of a histogram"))
    }
}

impl Latencies {
    pub(in crate::bench) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanos);
    }

    pub(in crate::bench) fn add(&mut self, other: &Self) {
        // The bounds of both are the same.
        let _ = self.0.add(&other.0);
    }

    pub(in crate::bench) fn clear(&mut self) {
        self.0.reset();
    }

    pub(in crate::bench) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Microseconds that so many of a hundred kept within.
    pub(in crate::bench) fn percentile(&self, percentile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| micros(self.0.value_at_percentile(percentile)))
    }

    pub(in crate::bench) fn max(&self) -> Option<f64> {
        self.percentile(100.0)
    }

    pub(in crate::bench) fn summary(&self) -> Option<Summary> {
        let at = |percentile| self.percentile(percentile);
        Some(Summary {
            count: self.count(),
            min: micros((!self.0.is_empty()).then(|| self.0.min())?),
            mean: round(self.0.mean() / 1e3),
            stddev: round(self.0.stdev() / 1e3),
            max: self.max()?,
            p50: at(50.0)?,
            p75: at(75.0)?,
            p90: at(90.0)?,
            p95: at(95.0)?,
            p99: at(99.0)?,
            p99_9: at(99.9)?,
            p99_99: at(99.99)?,
        })
    }

    /// Percentile and microseconds, the closer together the nearer to 100.
    pub(in crate::bench) fn distribution(&self) -> Vec<(f64, f64)> {
        const TICKS: u32 = 5;
        self.0
            .iter_quantiles(TICKS)
            .map(|step| {
                let percentile = (step.quantile_iterated_to() * 1e8).round() / 1e6;
                (
                    percentile,
                    micros(step.value_iterated_to().min(self.0.max())),
                )
            })
            .collect()
    }

    /// How many were between two latencies in microseconds, up to the second.
    pub(in crate::bench) fn between(&self, from: f64, to: f64) -> u64 {
        let nanos = |micros: f64| (micros * 1e3) as u64;
        let below = |nanos| {
            if nanos == 0 {
                0.0
            } else {
                self.0.quantile_below(nanos)
            }
        };
        let share = below(nanos(to)) - below(nanos(from));
        (share * self.0.len() as f64).round().max(0.0) as u64
    }
}

/// Latencies in microseconds.
#[derive(Clone, Debug, Serialize)]
pub(in crate::bench) struct Summary {
    pub(in crate::bench) count: u64,
    pub(in crate::bench) min: f64,
    pub(in crate::bench) mean: f64,
    pub(in crate::bench) stddev: f64,
    pub(in crate::bench) max: f64,
    pub(in crate::bench) p50: f64,
    pub(in crate::bench) p75: f64,
    pub(in crate::bench) p90: f64,
    pub(in crate::bench) p95: f64,
    pub(in crate::bench) p99: f64,
    #[serde(rename = "p99.9")]
    pub(in crate::bench) p99_9: f64,
    #[serde(rename = "p99.99")]
    pub(in crate::bench) p99_99: f64,
}

fn micros(nanos: u64) -> f64 {
    round(nanos as f64 / 1e3)
}

/// To a tenth: what is behind it is noise.
fn round(micros: f64) -> f64 {
    (micros * 10.0).round() / 10.0
}
