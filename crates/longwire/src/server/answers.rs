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

/// Bytes of a body that are handed on at once. The rest is kept until the client
/// has room, so that what it does not take is seen.
const PIECE: usize = 16 << 10;

/// A body, and since when the client has taken nothing of it that was there.
#[derive(Debug)]
struct Held {
    body: Option<Body>,
    /// What the body has given and is not handed on.
    rest: Bytes,
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
            rest: Bytes::new(),
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
                held.rest = Bytes::new();
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
        let held = &mut *held;
        let Some(body) = &mut held.body else {
            return Poll::Ready(Some(Err(GivenUp.into())));
        };
        if held.rest.is_empty() {
            let frame = Pin::new(body).poll_frame(cx);
            held.stuck_since = frame.is_ready().then(Instant::now);
            match frame {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => held.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return other,
            }
        }
        held.stuck_since = Some(Instant::now());
        let size = held.rest.len().min(PIECE);
        let piece = held.rest.split_to(size);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        let held = lock(&self.0);
        held.rest.is_empty() && held.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let held = lock(&self.0);
        let Some(body) = &held.body else {
            return SizeHint::default();
        };
        let (hint, rest) = (body.size_hint(), held.rest.len() as u64);
        let mut with_rest = SizeHint::new();
        if let Some(upper) = hint.upper() {
            with_rest.set_upper(upper.saturating_add(rest));
        }
        with_rest.set_lower(hint.lower().saturating_add(rest));
        with_rest
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
