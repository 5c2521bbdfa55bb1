//! Compressed payloads to plain ones (RFC 7692 section 7.2.2).

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::machines::{Machines, with_machines};
use super::window::{MAX_WINDOW, Window};
use crate::error::{DeflateFault, ProtocolError};

/// What the sender has left out of the end of each message (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// An empty last block. Where the message was whole, a decompressor is now at
/// the start of a block and takes it as the end of the stream.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// A sender may end its stream anywhere, but to start the next one costs us far
/// more than it: a message has at most so many of them,
const STREAMS: u64 = 4096;

/// and one more for each so many of its plain bytes.
const BYTES_PER_STREAM: u64 = 1024;

/// Takes the plain bytes of one message as they are made.
pub(crate) trait PlainSink {
    /// The next bytes, or why there may be no more.
    fn put(&mut self, plain: &[u8]) -> Result<(), ProtocolError>;

    /// The last bytes of the message so far, as many as a window can have or
    /// all there are.
    fn history(&self) -> &[u8];
}

/// The receiving direction of a connection.
pub(crate) struct Inflater {
    /// What the next message may refer to, where a context is taken over.
    window: Option<Window>,
    /// The decompressor of a message of which more is to come.
    running: Option<Running>,
}

struct Running {
    machine: Inflate,
    /// Whether anything has been decompressed.
    begun: bool,
    /// Whether the last block so far was marked as the stream's last: what
    /// follows starts a new stream that may refer to this one.
    ended: bool,
    /// Streams of the message that have ended and been followed by another.
    streams: u64,
    /// Plain bytes of the message.
    made: u64,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("held", &self.held())
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

impl Inflater {
    /// `window_bits` is the peer's window, where it takes its context over.
    pub(crate) fn new(window_bits: Option<u8>) -> Self {
        Self {
            window: window_bits.map(Window::new),
            running: None,
        }
    }

    /// Bytes held between messages.
    pub(crate) fn held(&self) -> usize {
        self.window.as_ref().map_or(0, Window::held)
    }

    /// Whether a message holds a decompressor.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    //= rfc7692#7.2.2-1, rfc7692#7.2.2-2, rfc7692#7.2.3-3, rfc7692#6.2-1
    /// Decompresses the next bytes of a message; `last` says that the message
    /// ends with them.
    pub(crate) fn push(
        &mut self,
        packed: &[u8],
        last: bool,
        sink: &mut impl PlainSink,
    ) -> Result<(), ProtocolError> {
        with_machines(|machines| {
            let mut running = self.running.take().unwrap_or_else(|| {
                let mut machine = machines.take_inflater();
                recall(&mut machine, self.window.as_ref(), &[]);
                Running {
                    machine,
                    begun: false,
                    ended: false,
                    streams: 0,
                    made: 0,
                }
            });
            let window = self.window.as_ref();
            running.run(packed, machines, window, sink)?;
            if !last {
                self.running = Some(running);
                return Ok(());
            }
            running.finish(machines, sink)?;
            machines.give_back(running.machine);
            if let Some(window) = &mut self.window {
                window.push(sink.history());
            }
            Ok(())
        })
    }

    /// Forgets everything: the connection is over.
    pub(crate) fn clear(&mut self) {
        self.running = None;
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }
}

/// Tells a fresh decompressor what came before.
fn recall(machine: &mut Inflate, window: Option<&Window>, history: &[u8]) {
    let history = &history[history.len().saturating_sub(MAX_WINDOW)..];
    let window = if history.len() == MAX_WINDOW {
        &[]
    } else {
        window.map_or(&[][..], Window::as_slice)
    };
    for known in [window, history] {
        if !known.is_empty() {
            // A raw stream takes any dictionary.
            let _ = machine.set_dictionary(known);
        }
    }
}

impl Running {
    //= rfc7692#7.2.3-1, rfc7692#7.2.3-2, rfc7692#7.2.3-4
    /// Decompresses all of `packed`.
    fn run(
        &mut self,
        mut packed: &[u8],
        machines: &mut Machines,
        window: Option<&Window>,
        sink: &mut impl PlainSink,
    ) -> Result<(), ProtocolError> {
        self.begun |= !packed.is_empty();
        while !packed.is_empty() {
            if std::mem::take(&mut self.ended) {
                self.streams += 1;
                if self.streams > STREAMS + self.made / BYTES_PER_STREAM {
                    return Err(ProtocolError::Deflate(DeflateFault::Streams));
                }
                self.machine.reset(false);
                recall(&mut self.machine, window, sink.history());
            }
            packed = self.run_stream(packed, &mut machines.piece, sink)?;
        }
        Ok(())
    }

    /// Decompresses up to the end of the stream or of `packed`; gives what is
    /// left of it.
    fn run_stream<'p>(
        &mut self,
        mut packed: &'p [u8],
        piece: &mut [u8],
        sink: &mut impl PlainSink,
    ) -> Result<&'p [u8], ProtocolError> {
        loop {
            let before = (self.machine.total_in(), self.machine.total_out());
            let status = self
                .machine
                .decompress(packed, piece, InflateFlush::SyncFlush)
                .map_err(|_| ProtocolError::Deflate(DeflateFault::Invalid))?;
            packed = &packed[(self.machine.total_in() - before.0) as usize..];
            let made = (self.machine.total_out() - before.1) as usize;
            if made > 0 {
                self.made += made as u64;
                sink.put(&piece[..made])?;
            }
            if status == Status::StreamEnd {
                self.ended = true;
                return Ok(packed);
            }
            if packed.is_empty() && made < piece.len() {
                return Ok(packed);
            }
        }
    }

    /// Decompresses the tail that the sender left out, and sees that the
    /// message ends with it.
    fn finish(
        &mut self,
        machines: &mut Machines,
        sink: &mut impl PlainSink,
    ) -> Result<(), ProtocolError> {
        // A sender whose last block is the stream's last has to send one more,
        // but nothing is missing where it has not. Nor is it where an empty
        // message was compressed to nothing.
        if self.ended || !self.begun {
            return Ok(());
        }
        let made = self.made;
        let mut left = self.run_stream(&TAIL, &mut machines.piece, sink)?;
        // The block that the tail completes may be the stream's last itself.
        if !self.ended {
            left = self.run_stream(&LAST_BLOCK, &mut machines.piece, sink)?;
        }
        if left.is_empty() && self.ended && self.made == made {
            Ok(())
        } else {
            Err(ProtocolError::Deflate(DeflateFault::Truncated))
        }
    }
}
