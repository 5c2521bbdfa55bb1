//! What a thread has counted since it was asked last.

use std::time::{Duration, Instant};

use super::latency::Latencies;

/// Counts of messages that were due after the warm-up.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) latencies: Latencies,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    pub(super) received: u64,
    pub(super) received_bytes: u64,
    /// Sent and not answered, or not received by one that should have.
    pub(super) lost: u64,
    /// Due and not sent.
    pub(super) unsent: u64,
    /// Sent when they had been due for some time.
    pub(super) late: u64,
    /// When the last answer came.
    pub(super) last: Option<Instant>,
}

impl Tally {
    pub(super) fn sent(&mut self, bytes: usize) {
        self.counts.sent += 1;
        self.counts.sent_bytes += bytes as u64;
    }

    pub(super) fn received(&mut self, bytes: usize, latency: Duration, now: Instant) {
        self.counts.received += 1;
        self.counts.received_bytes += bytes as u64;
        self.counts.last = Some(now);
        self.latencies.record(latency);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.latencies.add(&other.latencies);
    }

    pub(super) fn clear(&mut self) {
        self.counts = Counts::default();
        self.latencies.clear();
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.lost += other.lost;
        self.unsent += other.unsent;
        self.late += other.late;
        self.last = self.last.max(other.last);
    }
}
