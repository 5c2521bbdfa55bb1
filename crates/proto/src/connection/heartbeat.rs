//! Pings that find out whether the peer is still there (RFC 6455 section
//! 5.5.2), and how long it takes to answer.

use std::time::{Duration, Instant};

/// How a connection asks for signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Time from one ping to the next: 20 s.
    pub interval: Duration,
    /// Time to answer a ping: 20 s. It starts anew while data moves, so that a
    /// pong behind a large message on a slow line is waited for.
    pub timeout: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(20),
            timeout: Duration::from_secs(20),
        }
    }
}

/// The instant so long after `now`; a time that no clock reaches is a century.
pub(super) fn later(now: Instant, time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    now.checked_add(time).unwrap_or_else(|| now + CENTURY)
}

/// The least bytes that count as data moving. Less in a whole timeout is a
/// peer that only pretends to live.
const PROGRESS: u64 = 4096;

/// An instant by which something must have happened, put off while at least
/// [`PROGRESS`] bytes move in each period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    period: Duration,
    moved: u64,
}

impl Deadline {
    pub(super) fn new(now: Instant, period: Duration, moved: u64) -> Self {
        Self {
            at: later(now, period),
            period,
            moved,
        }
    }

    /// Whether it has passed; `moved` is the count of bytes moved so far.
    pub(super) fn has_passed(&mut self, now: Instant, moved: u64) -> bool {
        if now < self.at {
            return false;
        }
        // What was told to be sent and was not is taken back.
        if moved.saturating_sub(self.moved) < PROGRESS {
            return true;
        }
        *self = Self::new(now, self.period, moved);
        false
    }
}

/// A ping that has no answer yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    payload: [u8; 8],
    deadline: Deadline,
    /// Whether another ping went out after it: the peer may answer that alone
    /// (RFC 6455 section 5.5.3).
    overtaken: bool,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send a ping with this payload.
    Ping([u8; 8]),
    /// The peer is dead.
    Dead,
}

/// The pings of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    next: Instant,
    count: u64,
    asked: Option<Box<Asked>>,
    latency: Option<Duration>,
}

impl Pulse {
    pub(super) fn new(settings: Heartbeat, now: Instant) -> Self {
        Self {
            next: later(now, settings.interval),
            count: 0,
            asked: None,
            latency: None,
        }
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.asked
            .as_ref()
            .map_or(self.next, |asked| asked.deadline.at)
    }

    pub(super) fn handle_timeout(&mut self, settings: Heartbeat, now: Instant, moved: u64) -> Due {
        if let Some(asked) = &mut self.asked {
            if asked.deadline.has_passed(now, moved) {
                return Due::Dead;
            }
            return Due::Nothing;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.count += 1;
        let payload = self.count.to_be_bytes();
        self.next = later(now, settings.interval);
        self.asked = Some(Box::new(Asked {
            at: now,
            payload,
            deadline: Deadline::new(now, settings.timeout, moved),
            overtaken: false,
        }));
        Due::Ping(payload)
    }

    /// The program has sent a ping of its own.
    pub(super) fn handle_other_ping(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.overtaken = true;
        }
    }

    /// Says whether the pong answers a ping of the heartbeat.
    pub(super) fn handle_pong(&mut self, payload: &[u8], now: Instant) -> bool {
        let Some(asked) = &self.asked else {
            return false;
        };
        if asked.payload == payload {
            self.latency = Some(now.saturating_duration_since(asked.at));
            self.asked = None;
            return true;
        }
        if asked.overtaken {
            self.asked = None;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_ping_is_due_every_interval_and_its_pong_gives_the_latency() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Heartbeat::default(), start);
        assert_eq!(
            pulse.handle_timeout(Heartbeat::default(), start + 19 * SECOND, 0),
            Due::Nothing
        );
        let asked = pulse.next_timeout();
        assert_eq!(asked, start + 20 * SECOND);
        assert_eq!(
            pulse.handle_timeout(Heartbeat::default(), asked, 0),
            Due::Ping([0, 0, 0, 0, 0, 0, 0, 1])
        );
        pulse.handle_pong(b"other", asked + SECOND);
        assert_eq!(pulse.latency(), None);
        pulse.handle_pong(&1_u64.to_be_bytes(), asked + 3 * SECOND);
        assert_eq!(pulse.latency(), Some(3 * SECOND));
        assert_eq!(pulse.next_timeout(), asked + 20 * SECOND);
    }

    #[test]
    fn the_answer_to_a_later_ping_is_a_sign_of_life_but_gives_no_latency() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Heartbeat::default(), start);
        let mut now = start + 20 * SECOND;
        assert!(matches!(
            pulse.handle_timeout(Heartbeat::default(), now, 0),
            Due::Ping(_)
        ));
        pulse.handle_pong(b"unasked", now);
        assert_eq!(pulse.next_timeout(), now + 20 * SECOND, "the ping's own");
        pulse.handle_other_ping();
        pulse.handle_pong(b"other", now);
        now += 20 * SECOND;
        assert!(matches!(
            pulse.handle_timeout(Heartbeat::default(), now, 0),
            Due::Ping(_)
        ));
        assert_eq!(pulse.latency(), None);
    }

    #[test]
    fn a_peer_that_answers_nothing_is_dead_after_the_timeout() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Heartbeat::default(), start);
        assert!(matches!(
            pulse.handle_timeout(Heartbeat::default(), start + 20 * SECOND, 0),
            Due::Ping(_)
        ));
        assert_eq!(
            pulse.handle_timeout(Heartbeat::default(), start + 39 * SECOND, 20),
            Due::Nothing
        );
        assert_eq!(
            pulse.handle_timeout(Heartbeat::default(), start + 40 * SECOND, 20),
            Due::Dead
        );
    }

    #[test]
    fn a_pong_behind_a_large_message_is_waited_for() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Heartbeat::default(), start);
        assert!(matches!(
            pulse.handle_timeout(Heartbeat::default(), start + 20 * SECOND, 0),
            Due::Ping(_)
        ));
        assert_eq!(
            pulse.handle_timeout(Heartbeat::default(), start + 40 * SECOND, 4096),
            Due::Nothing
        );
        assert_eq!(
            pulse.handle_timeout(Heartbeat::default(), start + 60 * SECOND, 8191),
            Due::Dead
        );
    }
}
