//! The round trips of all pings.

use std::time::Duration;

use serde::Serialize;

/// Sums, so that a ping of days holds no more than one of seconds.
#[derive(Debug, Default)]
pub(super) struct Trips {
    sent: u64,
    received: u64,
    /// Milliseconds.
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
}

/// What is told at the end; times are milliseconds.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Percent.
    pub(super) loss: f64,
    pub(super) min: Option<f64>,
    pub(super) avg: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) stddev: Option<f64>,
}

impl Trips {
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    pub(super) fn received(&mut self, trip: Duration) {
        let trip = millis(trip);
        self.min = if self.received == 0 {
            trip
        } else {
            self.min.min(trip)
        };
        self.max = self.max.max(trip);
        self.received += 1;
        self.sum += trip;
        self.squares += trip * trip;
    }

    pub(super) fn summary(&self) -> Summary {
        let (sent, received) = (self.sent, self.received);
        let of = received as f64;
        let told = |value: f64| (received > 0).then(|| round(value));
        let average = self.sum / of;
        // A little below zero by rounding where all are alike.
        let variance = (self.squares / of - average * average).max(0.0);
        let lost = sent.saturating_sub(received) as f64;
        Summary {
            sent,
            received,
            loss: round(lost * 100.0 / (sent.max(1)) as f64),
            min: told(self.min),
            avg: told(average),
            max: told(self.max),
            stddev: told(variance.sqrt()),
        }
    }
}

/// With three digits behind the point.
pub(super) fn millis(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1e3)
}

fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_what_was_lost_and_how_the_rest_is_spread() {
        let mut trips = Trips::default();
        for trip in [1, 2, 3] {
            trips.sent();
            trips.received(Duration::from_millis(trip));
        }
        trips.sent();
        let expected = Summary {
            sent: 4,
            received: 3,
            loss: 25.0,
            min: Some(1.0),
            avg: Some(2.0),
            max: Some(3.0),
            stddev: Some(0.816),
        };
        assert_eq!(trips.summary(), expected);
    }

    #[test]
    fn nothing_is_no_zero() {
        let summary = Trips::default().summary();
        assert_eq!((summary.min, summary.avg, summary.loss), (None, None, 0.0));
    }
}
