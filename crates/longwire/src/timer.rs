//! A timer that is set again and again and seldom goes off.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::task::coop;
use tokio::time::{Sleep, sleep_until};

/// Holds nothing until it is waited for.
#[derive(Default)]
pub(crate) struct Timer(Option<Waiting>);

struct Waiting {
    sleep: Pin<Box<Sleep>>,
    /// Whether it will wake whoever polled last.
    wakes: bool,
}

impl Timer {
    /// Whether it is known without looking at the clock that `at` has not come, and
    /// that the waker polled with last will be called when it may have. All polls
    /// must be with the same one.
    pub(crate) fn waits_for(&self, at: Instant) -> bool {
        self.0.as_ref().is_some_and(|Waiting { sleep, wakes }| {
            *wakes && sleep.deadline().into_std() <= at && !sleep.is_elapsed()
        })
    }

    /// Ready at `at` or some time before: an instant that is put off again and
    /// again does not touch the timer.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let at = tokio::time::Instant::from_std(at);
        let Waiting { sleep, wakes } = self.0.get_or_insert_with(|| Waiting {
            sleep: Box::pin(sleep_until(at)),
            wakes: false,
        });
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        // Without budget, the timer does not look who asks.
        let looks = coop::has_budget_remaining();
        let slept = sleep.as_mut().poll(cx);
        *wakes = looks && slept.is_pending();
        slept
    }

    /// Waits for nothing.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}
