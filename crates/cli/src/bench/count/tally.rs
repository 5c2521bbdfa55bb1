//! What a thread has counted since it was asked last.

use std::time::{Duration, Instant};

use super::latency::Latencies;

/// Counts of messages that were due after the warm-up.
#[derive(Clone, Debug, Default)]
pub(in crate::bench) struct Tally {
    pub(in crate::bench) counts: Counts,
    pub(in crate::bench) latencies: Latencies,
}

#[derive(Clone, Copy, Debug, Default)]
pub(in crate::bench) struct Counts {
    pub(in crate::bench) sent: u64,
    pub(in crate::bench) sent_bytes: u64,
    pub(in crate::bench) received: u64,
    pub(in crate::bench) received_bytes: u64,
    /// Answers that came while it was measured, whenever they were due: what a rate is of.
    pub(in crate::bench) in_time: u64,
    pub(in crate::bench) in_time_bytes: u64,
    /// Of those received, the ones that came after the end of the load.
    pub(in crate::bench) drained: u64,
    /// Sent and not answered, or not received by one that should have.
    pub(in crate::bench) lost: u64,
    /// Due and not sent.
    pub(in crate::bench) unsent: u64,
    /// Sent when they had been due for some time.
    pub(in crate::bench) late: u64,
    /// When the last answer came.
    pub(in crate::bench) last: Option<Instant>,
}

impl Tally {
    pub(in crate::bench) fn sent(&mut self, bytes: usize) {
        self.counts.sent += 1;
        self.counts.sent_bytes += bytes as u64;
    }

    pub(in crate::bench) fn received(&mut self, bytes: usize, latency: Duration, now: Instant) {
        self.counts.received += 1;
        self.counts.received_bytes += bytes as u64;
        self.counts.last = Some(now);
        self.latencies.record(latency);
    }

    /// Something came at an instant that is measured.
    pub(in crate::bench) fn in_time(&mut self, bytes: usize) {
        self.counts.in_time += 1;
        self.counts.in_time_bytes += bytes as u64;
    }

    pub(in crate::bench) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.latencies.add(&other.latencies);
    }

    pub(in crate::bench) fn clear(&mut self) {
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
        self.in_time += other.in_time;
        self.in_time_bytes += other.in_time_bytes;
        self.drained += other.drained;
        self.lost += other.lost;
        self.unsent += other.unsent;
        self.late += other.late;
        self.last = self.last.max(other.last);
    }
}
