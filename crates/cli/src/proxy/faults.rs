//! What a proxy does to what passes: when each byte goes on, and whether the
//! connection is lost there.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;

use super::event::Side;
use super::fragment::Fragmenter;
use crate::args::proxy::{DropAfter, FaultArgs};

/// The disturbances of all connections.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    args: FaultArgs,
    seed: u64,
}

impl Faults {
    pub(super) fn new(args: FaultArgs) -> Self {
        let seed = args.seed.unwrap_or_else(|| rand::random::<u32>().into());
        Self { args, seed }
    }

    /// The seed, where it decides anything.
    pub(super) fn seed(&self) -> Option<u64> {
        let is_used = self.args.jitter.is_some() || self.args.drop_rate.is_some();
        is_used.then_some(self.seed)
    }

    pub(super) fn drop_silently(&self) -> bool {
        self.args.drop_silently
    }

    /// How long bytes are held back at most.
    pub(super) fn most_latency(&self) -> Duration {
        self.args.latency.unwrap_or_default() + self.args.jitter.unwrap_or_default()
    }

    /// How long a connection lives.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        match self.args.drop_after {
            Some(DropAfter::Time(lifetime)) => Some(lifetime),
            _ => None,
        }
    }

    /// The two directions of a connection: what the client sends, and the server.
    pub(super) fn lanes(&self, conn: u64) -> (Lane, Lane) {
        let passed = Arc::new(Passed::default());
        let lane = |side| {
            let is_disturbed = self
                .args
                .disturb
                .is_none_or(|only| Side::from(only) == side);
            let args = if is_disturbed {
                self.args.clone()
            } else {
                FaultArgs::default()
            };
            Lane::new(args, self.seed, conn, side, Arc::clone(&passed))
        };
        (lane(Side::Client), lane(Side::Server))
    }
}

/// What has passed of a connection, in the directions that are disturbed.
#[derive(Debug, Default)]
struct Passed {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Lane {
    args: FaultArgs,
    random: StdRng,
    passed: Arc<Passed>,
    fragmenter: Option<Fragmenter>,
    /// When the last bytes go on: later ones do not overtake them.
    last: Option<Instant>,
}

impl Lane {
    fn new(args: FaultArgs, seed: u64, conn: u64, side: Side, passed: Arc<Passed>) -> Self {
        let fragmenter = args.fragment.map(Fragmenter::new);
        // Each direction has its choices, however the two come to mix.
        let seed = seed ^ (conn << 33) ^ (u64::from(side == Side::Server) << 32);
        Self {
            args,
            random: StdRng::seed_from_u64(seed),
            passed,
            fragmenter,
            last: None,
        }
    }

    /// Whether bytes are held back.
    pub(super) fn is_late(&self) -> bool {
        self.args.latency.is_some()
    }

    pub(super) fn chop(&self) -> Option<NonZero<usize>> {
        self.args.chop
    }

    /// Bytes a second.
    pub(super) fn bandwidth(&self) -> Option<NonZero<usize>> {
        self.args.bandwidth
    }

    /// How many of these bytes pass before the connection is lost; `None` where
    /// it is not.
    pub(super) fn lost_within(&self, len: usize) -> Option<usize> {
        let Some(DropAfter::Bytes(most)) = self.args.drop_after else {
            return None;
        };
        let before = self.passed.bytes.fetch_add(len as u64, Ordering::Relaxed);
        let room = usize::try_from(most.saturating_sub(before)).ok()?;
        (room <= len).then_some(room)
    }

    /// Whether the connection is lost behind a message that has passed.
    pub(super) fn is_lost_at_message(&mut self) -> bool {
        let is_last = if let Some(DropAfter::Messages(most)) = self.args.drop_after {
            self.passed.messages.fetch_add(1, Ordering::Relaxed) + 1 >= most
        } else {
            false
        };
        let rate = self.args.drop_rate.unwrap_or_default();
        is_last || self.random.random::<f64>() < rate
    }

    /// The bytes that are written for these.
    pub(super) fn reshape(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        match &mut self.fragmenter {
            Some(fragmenter) => fragmenter.pass(&bytes),
            None => bytes,
        }
    }

    /// When what has come now goes on.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        let latency = self.args.latency.unwrap_or_default();
        let jitter = self.args.jitter.unwrap_or_default();
        let spread = jitter.mul_f64(2.0 * self.random.random::<f64>());
        let due = now + (latency + spread).saturating_sub(jitter);
        let due = self.last.map_or(due, |last| due.max(last));
        self.last = Some(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::proxy::SideArg;

    fn client(args: FaultArgs, conn: u64) -> Lane {
        Faults::new(args).lanes(conn).0
    }

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let args = FaultArgs {
            drop_rate: Some(0.1),
            seed: Some(7),
            ..FaultArgs::default()
        };
        let lost = |conn| {
            let mut lane = client(args.clone(), conn);
            (0..10_000).position(|_| lane.is_lost_at_message())
        };
        assert_eq!(lost(1), lost(1));
        let all: std::collections::HashSet<_> = (1..20).map(lost).collect();
        assert!(all.len() > 3, "each connection has its own: {all:?}");
    }

    #[test]
    fn a_connection_is_lost_behind_the_last_message_or_byte() {
        let with = |drop_after| FaultArgs {
            drop_after: Some(drop_after),
            ..FaultArgs::default()
        };
        let (mut up, mut down) = Faults::new(with(DropAfter::Messages(3))).lanes(1);
        let lost = [
            up.is_lost_at_message(),
            up.is_lost_at_message(),
            down.is_lost_at_message(),
        ];
        assert_eq!(lost, [false, false, true], "both directions count");
        let only = FaultArgs {
            disturb: Some(SideArg::Server),
            ..with(DropAfter::Messages(1))
        };
        let (mut up, mut down) = Faults::new(only).lanes(1);
        let lost = [up.is_lost_at_message(), down.is_lost_at_message()];
        assert_eq!(lost, [false, true], "an undisturbed one does not");
        let lane = client(with(DropAfter::Bytes(25)), 1);
        assert_eq!(
            (lane.lost_within(20), lane.lost_within(20)),
            (None, Some(5))
        );
    }

    #[test]
    fn jitter_keeps_the_order() {
        let mut lane = client(
            FaultArgs {
                latency: Some(Duration::from_millis(100)),
                jitter: Some(Duration::from_millis(50)),
                ..FaultArgs::default()
            },
            1,
        );
        let now = Instant::now();
        let mut last = now;
        for _ in 0..100 {
            let due = lane.due(now);
            assert!(due >= last && due >= now + Duration::from_millis(50));
            assert!(due <= now + Duration::from_millis(150));
            last = due;
        }
    }
}
