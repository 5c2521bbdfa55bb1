//! When a connection's messages are due.

use std::time::{Duration, Instant};

use crate::bench::count::tally::Tally;

/// When the load begins, when the measurement, and when both end.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Schedule {
    pub(in crate::bench) start: Instant,
    pub(in crate::bench) measured: Instant,
    /// Where the number of messages does not say it.
    pub(in crate::bench) until: Option<Instant>,
}

impl Schedule {
    pub(in crate::bench) fn measures(&self, due: Instant) -> bool {
        due >= self.measured
    }

    /// Whether the end was so long ago.
    pub(in crate::bench) fn is_past(&self, time: Duration) -> bool {
        let since = |until| Instant::now().checked_duration_since(until);
        self.until.and_then(since).is_some_and(|past| past >= time)
    }

    /// Counts an answer that came now to a message that was due then.
    pub(in crate::bench) fn count(
        &self,
        due: Instant,
        now: Instant,
        bytes: usize,
        tally: &mut Tally,
    ) {
        if self.measures(now) && !self.is_over(now) {
            tally.in_time(bytes);
        }
        if self.measures(due) {
            tally.received(bytes, now.saturating_duration_since(due), now);
            tally.counts.drained += u64::from(self.is_over(now));
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

/// What decides when the next message is due.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) enum Rhythm {
    /// As soon as fewer than this wait for their answers.
    Window(usize),
    /// At fixed instants: this connection's are every `of`-th of all, from the
    /// `first`-th on.
    Rate {
        per_second: u64,
        first: u64,
        of: u64,
    },
}

/// The messages of one connection, also over several sockets.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Pace {
    rhythm: Rhythm,
    /// Messages that are still to be sent and measured; `None` is without end.
    quota: Option<u64>,
    /// The number of the next message.
    next: u64,
}

impl Pace {
    pub(in crate::bench) fn new(rhythm: Rhythm, quota: Option<u64>) -> Self {
        Self {
            rhythm,
            quota,
            next: 0,
        }
    }

    /// The number of the next message, and when it was due, where that is now.
    pub(in crate::bench) fn due(
        &self,
        schedule: &Schedule,
        now: Instant,
        waiting: usize,
    ) -> Option<(u64, Instant)> {
        if self.quota == Some(0) {
            return None;
        }
        let due = match self.rhythm {
            Rhythm::Window(window) => (waiting < window).then_some(now)?,
            Rhythm::Rate { .. } => self.alarm(schedule).filter(|due| *due <= now)?,
        };
        (!schedule.is_over(due)).then_some((self.next, due))
    }

    /// When the next message is due at a rate, where there is one.
    pub(in crate::bench) fn alarm(&self, schedule: &Schedule) -> Option<Instant> {
        let Rhythm::Rate {
            per_second,
            first,
            of,
        } = self.rhythm
        else {
            return None;
        };
        let index = u128::from(self.next) * u128::from(of) + u128::from(first);
        let nanos = index * 1_000_000_000 / u128::from(per_second.max(1));
        let due = schedule
            .start
            .checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))?;
        (self.quota != Some(0) && !schedule.is_over(due)).then_some(due)
    }

    /// The message was sent, or given up.
    pub(in crate::bench) fn advance(&mut self, schedule: &Schedule, due: Instant) {
        self.next += 1;
        if schedule.measures(due)
            && let Some(quota) = &mut self.quota
        {
            *quota = quota.saturating_sub(1);
        }
    }

    /// Whether nothing is to be sent any more.
    pub(in crate::bench) fn is_over(&self, schedule: &Schedule, now: Instant) -> bool {
        match self.rhythm {
            _ if self.quota == Some(0) => true,
            Rhythm::Window(_) => schedule.is_over(now),
            Rhythm::Rate { .. } => self.alarm(schedule).is_none(),
        }
    }

    /// Messages that are still to be sent, where their number is fixed.
    pub(in crate::bench) fn left(&self) -> u64 {
        self.quota.unwrap_or(0)
    }

    /// Gives up what was due before `now`; tells how many that would have been measured.
    pub(in crate::bench) fn skip(&mut self, schedule: &Schedule, now: Instant) -> u64 {
        let end = schedule.until.map_or(now, |until| until.min(now));
        let upto = self.due_before(schedule, end);
        if upto <= self.next {
            return 0;
        }
        let first = self.due_before(schedule, schedule.measured).max(self.next);
        let skipped = upto
            .saturating_sub(first)
            .min(self.quota.unwrap_or(u64::MAX));
        self.next = upto;
        if let Some(quota) = &mut self.quota {
            *quota -= skipped;
        }
        skipped
    }

    /// How many messages are due before this instant, from the start on, at a rate.
    fn due_before(&self, schedule: &Schedule, instant: Instant) -> u64 {
        let Rhythm::Rate {
            per_second,
            first,
            of,
        } = self.rhythm
        else {
            return 0;
        };
        let nanos = instant.saturating_duration_since(schedule.start).as_nanos();
        let all = (nanos * u128::from(per_second)).div_ceil(1_000_000_000);
        let mine = all.saturating_sub(u128::from(first));
        u64::try_from(mine.div_ceil(u128::from(of.max(1)))).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(warmup: u64, seconds: u64) -> Schedule {
        let start = Instant::now();
        let measured = start + Duration::from_secs(warmup);
        Schedule {
            start,
            measured,
            until: Some(measured + Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn the_messages_of_all_connections_are_spread_evenly() {
        let schedule = schedule(0, 1);
        let mut dues = Vec::new();
        for first in 0..4 {
            let rhythm = Rhythm::Rate {
                per_second: 100,
                first,
                of: 4,
            };
            let mut pace = Pace::new(rhythm, None);
            while let Some(due) = pace.alarm(&schedule) {
                pace.advance(&schedule, due);
                dues.push((due - schedule.start).as_millis());
            }
        }
        dues.sort_unstable();
        assert_eq!(dues, (0..100).map(|index| index * 10).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_skipped_is_counted_from_the_warm_up_on() {
        let schedule = schedule(1, 2);
        let rhythm = Rhythm::Rate {
            per_second: 10,
            first: 0,
            of: 1,
        };
        let mut pace = Pace::new(rhythm, None);
        let after = |millis| schedule.start + Duration::from_millis(millis);
        assert_eq!(pace.skip(&schedule, after(500)), 0);
        assert_eq!(pace.due(&schedule, after(499), 0), None);
        assert_eq!(pace.due(&schedule, after(900), 99), Some((5, after(500))));
        assert_eq!(pace.skip(&schedule, after(1_500)), 5);
        assert_eq!(pace.skip(&schedule, after(60_000)), 15);
        assert!(pace.is_over(&schedule, after(0)));
    }

    #[test]
    fn a_window_and_a_quota_hold_messages_back() {
        let schedule = schedule(0, 60);
        let mut pace = Pace::new(Rhythm::Window(2), Some(1));
        let now = schedule.start;
        assert_eq!(pace.due(&schedule, now, 2), None);
        assert_eq!(pace.due(&schedule, now, 1), Some((0, now)));
        pace.advance(&schedule, now);
        assert_eq!(pace.due(&schedule, now, 0), None);
        assert!(pace.is_over(&schedule, now));
    }

    #[test]
    fn counting_what_is_due_agrees_with_going_through_it() {
        let schedule = schedule(1, 1);
        for (per_second, of) in [(7, 1), (1_000, 3), (333, 7)] {
            for first in 0..of {
                let rhythm = Rhythm::Rate {
                    per_second,
                    first,
                    of,
                };
                let mut pace = Pace::new(rhythm, None);
                let end = schedule.start + Duration::from_millis(1_234);
                let mut measured = 0;
                while let Some(due) = pace.alarm(&schedule).filter(|due| *due < end) {
                    pace.advance(&schedule, due);
                    measured += u64::from(schedule.measures(due));
                }
                let mut skipping = Pace::new(rhythm, None);
                assert_eq!(skipping.skip(&schedule, end), measured);
                assert_eq!(skipping.next, pace.next, "{per_second} {first} {of}");
            }
        }
    }
}
