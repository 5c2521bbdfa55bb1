//! How long to wait before the next try.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// Exponential backoff with full jitter: before try `n` (from 0) a random time
/// between nothing and `base` times 2 to the power of `n`, at most `cap`.
///
/// The first try waits too: where a server restarts, all its clients lose it at
/// the same instant (RFC 6455 section 7.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The longest wait before the first try: 5 s, as the RFC suggests.
    pub base: Duration,
    /// The longest wait before any try: 60 s.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(5),
            cap: Duration::from_mins(1),
        }
    }
}

impl Backoff {
    /// Waits with these bounds.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    //= rfc6455#7.2.3-1, rfc6455#7.2.3-2, rfc6455#7.2.3-3
    /// The wait before try `attempt`, counted from 0.
    pub fn delay(&self, attempt: u32, rng: &mut impl Rng) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        let most = self.base.saturating_mul(factor).min(self.cap);
        most.mul_f64(rng.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    //= rfc6455#7.2.3-1, rfc6455#7.2.3-2, rfc6455#7.2.3-3 test
    #[test]
    fn waits_are_spread_from_nothing_to_a_bound_that_doubles_up_to_the_cap() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        let mut rng = StdRng::seed_from_u64(1);
        for (attempt, bound) in [
            (0, 1.0),
            (1, 2.0),
            (3, 8.0),
            (4, 10.0),
            (40, 10.0),
            (u32::MAX, 10.0),
        ] {
            let waits: Vec<f64> = (0..2000)
                .map(|_| backoff.delay(attempt, &mut rng).as_secs_f64())
                .collect();
            let mean = waits.iter().sum::<f64>() / 2000.0;
            assert!(waits.iter().all(|wait| (0.0..=bound).contains(wait)));
            assert!((mean / bound - 0.5).abs() < 0.05, "{attempt}: {mean}");
        }
    }
}
