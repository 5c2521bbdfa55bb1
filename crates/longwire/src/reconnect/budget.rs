//! How often to try.

use std::time::Duration;

use tokio::time::Instant;

/// A bound on tries: so many in a row, and one more each time this has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryBudget {
    /// Tries that may follow each other: 100.
    pub tries: u32,
    /// How long until one more may be made: 20 s. With the default waits, a
    /// server that stays away is tried for ever.
    pub refill: Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            tries: 100,
            refill: Duration::from_secs(20),
        }
    }
}

impl RetryBudget {
    /// A budget with these bounds.
    pub fn new(tries: u32, refill: Duration) -> Self {
        Self { tries, refill }
    }
}

/// What is left of a budget.
#[derive(Debug)]
pub(super) struct Left {
    budget: RetryBudget,
    tries: u32,
    counted: Instant,
}

impl Left {
    pub(super) fn new(budget: RetryBudget, now: Instant) -> Self {
        Self {
            budget,
            tries: budget.tries,
            counted: now,
        }
    }

    /// Takes a try, if one is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let refill = self.budget.refill;
        let passed = now.duration_since(self.counted);
        let earned = if refill.is_zero() {
            u128::from(u32::MAX)
        } else {
            passed.as_nanos() / refill.as_nanos()
        };
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if earned > 0 {
            self.tries = self.tries.saturating_add(earned).min(self.budget.tries);
            self.counted = u32::try_from(passed.as_nanos() / refill.as_nanos().max(1))
                .ok()
                .and_then(|periods| self.counted.checked_add(refill.checked_mul(periods)?))
                .unwrap_or(now);
        }
        let taken = self.tries > 0;
        self.tries = self.tries.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tries_run_out_and_come_back_with_time() {
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let mut left = Left::new(RetryBudget::new(2, second), start);
        assert!(left.take(start) && left.take(start) && !left.take(start));
        assert!(!left.take(start + second / 2));
        assert!(left.take(start + second));
        assert!(!left.take(start + second));
        let later = start + second * 100;
        assert!(left.take(later) && left.take(later) && !left.take(later));
        let mut none = Left::new(RetryBudget::new(0, Duration::ZERO), start);
        assert!(!none.take(start), "a budget of none stays none");
    }
}
