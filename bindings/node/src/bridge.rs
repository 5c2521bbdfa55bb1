//! A stream of JavaScript as the transport of a socket: TLS that Node speaks, or
//! anything else that has no file descriptor to take over.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use napi_derive::napi;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::mailbox::{Kind, Letter, Mailbox, NativeMailbox};

/// Bytes from JavaScript that wait to be read before its stream is paused.
const TO_READ: usize = 256 << 10;

/// Bytes that JavaScript's stream may have to write.
const TO_WRITE: usize = 256 << 10;

/// Bytes written at once, at most.
const PIECE: usize = 64 << 10;

/// Both ends hold this.
struct Shared {
    state: Mutex<State>,
    mailbox: Arc<Mailbox>,
    socket: u32,
}

// Each may be so whatever the others are.
#[allow(clippy::struct_excessive_bools)]
#[derive(Default)]
struct State {
    /// What JavaScript has read.
    arrived: VecDeque<Bytes>,
    arrived_len: usize,
    /// Whether JavaScript's stream is paused.
    paused: bool,
    /// Whether the stream of what arrives has ended.
    ended: bool,
    /// Whether the stream is gone.
    lost: bool,
    /// Bytes that JavaScript is writing.
    writing: usize,
    shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, kind: Kind, payload: Bytes) {
        self.mailbox.put(Letter {
            socket: self.socket,
            kind,
            value: 0,
            payload,
            room: None,
        });
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The end of a stream of JavaScript that is JavaScript's.
#[napi]
pub struct NativeBridge {
    shared: Arc<Shared>,
}

#[napi]
impl NativeBridge {
    /// Letters for the stream are addressed to this socket.
    #[napi(constructor)]
    pub fn new(mailbox: &NativeMailbox, socket: u32) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                mailbox: mailbox.mailbox.clone(),
                socket,
            }),
        }
    }

    /// Bytes have arrived. Whether the stream may go on: it is told to otherwise.
    #[napi]
    pub fn arrived(&self, bytes: &[u8]) -> bool {
        let mut state = self.shared.state();
        if !bytes.is_empty() && !state.lost {
            state.arrived_len += bytes.len();
            state.arrived.push_back(Bytes::copy_from_slice(bytes));
        }
        state.paused = state.arrived_len >= TO_READ;
        let (paused, reader) = (state.paused, state.reader.take());
        drop(state);
        wake(reader);
        !paused
    }

    /// No more will arrive.
    #[napi]
    pub fn ended(&self) {
        let mut state = self.shared.state();
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// The stream is gone.
    #[napi]
    pub fn lost(&self) {
        let mut state = self.shared.state();
        state.lost = true;
        let (reader, writer) = (state.reader.take(), state.writer.take());
        drop(state);
        wake(reader);
        wake(writer);
    }

    /// So many bytes have been written.
    #[napi]
    pub fn written(&self, count: u32) {
        let mut state = self.shared.state();
        state.writing = state.writing.saturating_sub(count as usize);
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }
}

impl NativeBridge {
    pub(crate) fn transport(&self) -> Bridge {
        Bridge(self.shared.clone())
    }
}

/// The end that is the socket's.
pub(crate) struct Bridge(Arc<Shared>);

impl Drop for Bridge {
    fn drop(&mut self) {
        self.0.state().lost = true;
        self.0.put(Kind::Destroy, Bytes::new());
    }
}

fn lost() -> Poll<io::Result<usize>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Bridge {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        while let Some(first) = state.arrived.front_mut() {
            let count = first.len().min(buffer.remaining());
            buffer.put_slice(&first[..count]);
            first.advance(count);
            let done = first.is_empty();
            state.arrived_len -= count;
            if !done {
                break;
            }
            state.arrived.pop_front();
        }
        if buffer.filled().is_empty() {
            if state.ended {
                return Poll::Ready(Ok(()));
            }
            if state.lost {
                return lost().map_ok(drop);
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if state.paused && state.arrived_len < TO_READ / 2 {
            state.paused = false;
            drop(state);
            self.0.put(Kind::Resume, Bytes::new());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bridge {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.state();
        if state.lost || state.shut {
            return lost();
        }
        let count = bytes.len().min(PIECE);
        if state.writing > 0 && state.writing + count > TO_WRITE {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.writing += count;
        drop(state);
        self.0
            .put(Kind::Write, Bytes::copy_from_slice(&bytes[..count]));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if state.lost {
            return lost().map_ok(drop);
        }
        if state.writing > 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.0.state().shut, true) {
            self.0.put(Kind::End, Bytes::new());
        }
        self.poll_flush(cx)
    }
}
