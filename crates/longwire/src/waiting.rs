//! Waiting that leaves nothing behind.

use std::future::poll_fn;
use std::task::{Context, Poll};

/// Polls until it is ready. Where the future is dropped before, `wake_all` has all that
/// wait say so again: the task that gave up is not kept in mind.
pub(crate) async fn wait<T>(
    wake_all: impl Fn(),
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> T {
    let mut leaving = Leaving {
        wake_all,
        waits: false,
    };
    poll_fn(|cx| {
        let result = poll(cx);
        leaving.waits = result.is_pending();
        result
    })
    .await
}

struct Leaving<F: Fn()> {
    wake_all: F,
    waits: bool,
}

impl<F: Fn()> Drop for Leaving<F> {
    fn drop(&mut self) {
        if self.waits {
            (self.wake_all)();
        }
    }
}
