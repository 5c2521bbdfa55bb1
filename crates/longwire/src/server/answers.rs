//! The responses of one HTTP/2 connection that are on their way.
//!
//! There, a client that takes nothing of a response does not stop what is
//! written, so that no write of the connection is seen to wait.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::body::Body;

/// The responses that are not out yet.
#[derive(Debug, Default)]
pub(super) struct Answers {
    open: Mutex<Vec<Weak<Mutex<Held>>>>,
}

/// A body, and since when the client has taken nothing of it that was there.
#[derive(Debug)]
struct Held {
    body: Option<Body>,
    stuck_since: Option<Instant>,
}

/// A body that may be given up while nobody asks for it.
#[derive(Debug)]
pub(super) struct Watched(Arc<Mutex<Held>>);

#[derive(Debug, thiserror::Error)]
#[error("the client has taken nothing of the response for too long")]
struct GivenUp;

impl Answers {
    pub(super) fn watch(&self, body: Body) -> Watched {
        let held = Arc::new(Mutex::new(Held {
            body: Some(body),
            stuck_since: Some(Instant::now()),
        }));
        let mut open = lock(&self.open);
        open.retain(|held| held.strong_count() > 0);
        open.push(Arc::downgrade(&held));
        Watched(held)
    }

    /// Drops the bodies of which the client has taken nothing for so long; how
    /// many others there are.
    pub(super) fn give_up_after(&self, timeout: Duration) -> usize {
        let mut open = lock(&self.open);
        open.retain(|held| {
            let Some(held) = held.upgrade() else {
                return false;
            };
            let mut held = lock(&held);
            let stuck = held.stuck_since.is_some_and(|at| at.elapsed() >= timeout);
            if stuck {
                tracing::debug!("a response was given up: its client took nothing");
                held.body = None;
            }
            !stuck
        });
        open.len()
    }
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut held = lock(&self.0);
        let Some(body) = &mut held.body else {
            return Poll::Ready(Some(Err(GivenUp.into())));
        };
        let frame = Pin::new(body).poll_frame(cx);
        held.stuck_since = frame.is_ready().then(Instant::now);
        frame
    }

    fn is_end_stream(&self) -> bool {
        let held = lock(&self.0);
        held.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let held = lock(&self.0);
        held.body
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
