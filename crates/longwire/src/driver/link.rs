//! The transport of a connection.

use std::io::IoSlice;
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

    /// How many bytes a write has taken.
    pub(super) fn note(
        &mut self,
        written: Poll<std::io::Result<usize>>,
        failed: &mut bool,
    ) -> usize {
        match written {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.flushed = !self.io.is_layered();
                count
            }
            Poll::Pending => 0,
            Poll::Ready(result) => {
                tracing::debug!(?result, "writing failed");
                *failed = true;
                0
            }
        }
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
) -> Poll<std::io::Result<usize>> {
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
