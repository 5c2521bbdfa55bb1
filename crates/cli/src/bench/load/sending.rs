//! The end of a connection, and what ends the wait of one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::run::Run;

/// How long a message may wait for being sent before it counts as late.
pub(in crate::bench) const LATE: Duration = Duration::from_millis(10);

/// How long after the end what was due before it is still sent: longer than a busy
/// machine keeps a thread waiting, so that what is unsent is the connection's fault.
pub(in crate::bench) const GRACE: Duration = Duration::from_millis(100);

/// Messages that are taken at once before some are sent.
pub(in crate::bench) const BATCH: usize = 64;

/// Times that a connection takes and sends before another has its turn.
pub(in crate::bench) const ROUNDS: u32 = 8;

/// Why a connection is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum End {
    /// All was sent and answered, or the time is over.
    Done,
    /// The connection ended by itself.
    Closed,
    /// No answer came in time.
    Silent,
}

/// Waits for the end of the run or for an instant, whichever comes first.
pub(in crate::bench) struct Wait {
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    sleep: Pin<Box<Sleep>>,
    ended: bool,
}

impl Wait {
    pub(in crate::bench) fn new(run: &Arc<Run>) -> Self {
        Self {
            over: Box::pin(Arc::clone(run).over()),
            // Set before it is asked.
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            ended: false,
        }
    }

    /// Whether the run is over.
    pub(in crate::bench) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.ended = self.ended || self.over.as_mut().poll(cx).is_ready();
        self.ended
    }

    /// Ready at `until`. The timer is moved only where it would come too late: one
    /// that comes early is moved then.
    pub(in crate::bench) fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        until: Instant,
    ) -> Poll<()> {
        let until = tokio::time::Instant::from_std(until);
        if self.sleep.deadline() > until {
            self.sleep.as_mut().reset(until);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if tokio::time::Instant::now() >= until {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(until);
        }
    }
}
