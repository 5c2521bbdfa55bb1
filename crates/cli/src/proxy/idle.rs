//! A stream that knows when something last moved on it, and how long to wait for
//! one on which nothing does.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// When a byte was last read or written on any of the streams that share it.
#[derive(Clone, Debug)]
pub(super) struct Moved(Arc<Mutex<Instant>>);

impl Moved {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// A stream that tells it.
    pub(super) fn watch<S>(&self, stream: S) -> Watched<S> {
        Watched {
            stream,
            moved: self.clone(),
        }
    }

    /// What comes of `work`; `None` where nothing has moved for so long before.
    pub(super) async fn or_idle<T>(
        &self,
        within: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        self.tell();
        let idle = async {
            loop {
                let until = self.last() + within;
                if until <= Instant::now() {
                    return;
                }
                sleep_until(until).await;
            }
        };
        let (work, idle) = (pin!(work), pin!(idle));
        tokio::select! {
            biased;
            done = work => Some(done),
            () = idle => None,
        }
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// See [`Moved::watch`].
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    moved: Moved,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.moved.tell();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(1..)) = polled {
            this.moved.tell();
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn what_moves_has_all_the_time_and_what_does_not_has_an_end() {
        let (mut near, far) = duplex(64);
        let moved = Moved::now();
        let mut watched = moved.watch(far);
        let slow = tokio::spawn(async move {
            for _ in 0..30 {
                sleep(WITHIN.mul_f64(0.9)).await;
                near.write_all(b"x").await.unwrap();
            }
            near
        });
        let mut bytes = [0; 30];
        let reading = watched.read_exact(&mut bytes);
        assert!(moved.or_idle(WITHIN, reading).await.is_some());
        let _near = slow.await.unwrap();
        let began = Instant::now();
        let reading = watched.read_exact(&mut bytes);
        assert!(moved.or_idle(WITHIN, reading).await.is_none());
        assert_eq!(began.elapsed().as_secs(), WITHIN.as_secs());
    }
}
