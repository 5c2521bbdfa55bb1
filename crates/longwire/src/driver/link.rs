//! The transport of a connection.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll};

use crate::transport::{Io, with_scratch};

/// Payloads up to this are written behind their header, in one piece.
const TOGETHER: usize = 4 << 10;

/// The transport, and what was done with it.
pub(super) struct Link {
    pub(super) io: Io,
    pub(super) writing: Writing,
    /// Whether the peer has ended its side: there is nothing to read.
    pub(super) read_ended: bool,
    /// Whether all written bytes are flushed, which layered streams need.
    pub(super) flushed: bool,
}

impl Link {
    pub(super) fn new(io: Io) -> Self {
        Self {
            io,
            writing: Writing::Open,
            read_ended: false,
            flushed: true,
        }
    }

    /// What a write has come to: how many bytes were taken, or that no more are now.
    pub(super) fn note(&mut self, written: Poll<io::Result<usize>>) -> io::Result<usize> {
        match written {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.flushed = !self.io.is_layered();
                Ok(count)
            }
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
            Poll::Ready(result) => {
                tracing::debug!(?result, "writing failed");
                self.fail();
                Err(result.err().unwrap_or(ErrorKind::WriteZero.into()))
            }
        }
    }

    /// Nothing can be written any more.
    pub(super) fn fail(&mut self) {
        self.writing = Writing::Failed;
        self.flushed = true;
    }
}

/// What has become of our side of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Open,
    /// We have ended it.
    Shut,
    /// A write has failed: what was to be sent is lost.
    Failed,
}

/// Writes a frame: a small one in one piece, which is cheaper than two.
pub(super) fn poll_write_frame(
    io: &mut Io,
    cx: &mut Context<'_>,
    header: &[u8],
    payload: &[u8],
) -> Poll<io::Result<usize>> {
    if payload.len() > TOGETHER {
        return io.poll_write(cx, &[header, payload].map(IoSlice::new));
    }
    with_scratch(|scratch| {
        let len = header.len() + payload.len();
        scratch[..header.len()].copy_from_slice(header);
        scratch[header.len()..len].copy_from_slice(payload);
        io.poll_write(cx, &[IoSlice::new(&scratch[..len])])
    })
}
