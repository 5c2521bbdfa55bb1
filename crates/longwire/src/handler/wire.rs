//! What handlers have sent and the kernel has not been given yet.

use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Instant;

use longwire_proto::{Connection, EncodedBatch, MessageKind, Payload, SendError};

use crate::socket::{Shared, Write};
use crate::topic::Reactor;

/// Payloads above this go to the kernel at once, from where they are.
const GATHER_UP_TO: usize = 4 << 10;

/// Bytes that are gathered at most before they are written.
const FULL: usize = 64 << 10;

/// Slices given to one write.
const SLICES: usize = 16;

/// The replies to one read, whole frames, in a buffer that a thread's connections share:
/// it is empty whenever another connection has its turn.
#[derive(Default)]
pub(crate) struct Gathered {
    frames: Vec<u8>,
    /// Whether the kernel has taken less than it was given: it tells when it takes more.
    blocked: bool,
    /// Whether it will take nothing any more.
    failed: bool,
}

thread_local! {
    static GATHERED: Cell<Gathered> = const { Cell::new(Gathered::new()) };
}

impl Gathered {
    const fn new() -> Self {
        Self {
            frames: Vec::new(),
            blocked: false,
            failed: false,
        }
    }

    /// Lends the thread's buffer.
    pub(super) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut gathered = GATHERED.take();
        let result = work(&mut gathered);
        GATHERED.set(gathered);
        result
    }
}

/// The way to the kernel, for the turn of one connection.
pub(crate) struct Wire<'a> {
    gathered: &'a mut Gathered,
    write: &'a mut Write<'a>,
    home: Home<'a>,
}

/// How topics reach the connection.
#[derive(Clone, Copy)]
pub(crate) enum Home<'a> {
    Socket(&'a Arc<Shared>),
    /// By its place in a reactor and its number there.
    Reactor {
        reactor: &'a Arc<dyn Reactor>,
        key: usize,
        number: u64,
    },
}

impl<'a> Wire<'a> {
    pub(crate) fn new(
        gathered: &'a mut Gathered,
        write: &'a mut Write<'a>,
        home: Home<'a>,
    ) -> Self {
        gathered.blocked = false;
        gathered.failed = false;
        Self {
            gathered,
            write,
            home,
        }
    }

    pub(super) fn home(&self) -> Home<'a> {
        self.home
    }

    /// The same way, for a part of the turn.
    pub(super) fn lend(&mut self) -> Wire<'_> {
        Wire {
            gathered: self.gathered,
            write: self.write,
            home: self.home,
        }
    }

    /// Has the kernel take what it does where there is no room for another message: a
    /// refusal says that it takes no more.
    pub(super) fn make_room(&mut self, connection: &mut Connection, now: Instant) {
        if connection.is_output_full() {
            self.flush(connection, now);
        }
    }

    /// Sends a message: what is small is gathered, what is large goes to the kernel with
    /// what was gathered before.
    pub(super) fn send(
        &mut self,
        connection: &mut Connection,
        kind: MessageKind,
        payload: Payload<'_>,
        now: Instant,
    ) -> Result<(), SendError> {
        self.make_room(connection, now);
        let Self {
            gathered, write, ..
        } = self;
        let mut left = None;
        connection.send_through(kind, payload, now, |header, payload| {
            let len = header.len() + payload.len();
            if len <= GATHER_UP_TO {
                gathered.frames.extend_from_slice(header);
                gathered.frames.extend_from_slice(payload);
                return len;
            }
            let before = gathered.frames.len();
            let all = [&gathered.frames, header, payload].map(IoSlice::new);
            let all = &all[usize::from(before == 0)..];
            let written = write_all(*write, all);
            let written = note(
                &mut gathered.blocked,
                &mut gathered.failed,
                written,
                before + len,
            );
            if written < before {
                left = Some(written);
                return 0;
            }
            gathered.frames.clear();
            written - before
        })?;
        if let Some(written) = left {
            connection.put_back(&gathered.frames, written, now);
            gathered.frames.clear();
        }
        if gathered.failed {
            connection.handle_output_failed(now);
        } else if gathered.frames.len() >= FULL {
            self.flush(connection, now);
        }
        Ok(())
    }

    /// Sends messages that were encoded for many sockets, where nothing waits before them;
    /// gives how many were taken.
    pub(super) fn send_batch(
        &mut self,
        connection: &mut Connection,
        batch: &EncodedBatch,
        now: Instant,
    ) -> Result<usize, SendError> {
        let Self {
            gathered, write, ..
        } = self;
        let taken = connection.send_batch(batch, now, |frames| {
            let written = write_all(*write, &[IoSlice::new(frames)]);
            let Gathered {
                blocked, failed, ..
            } = &mut **gathered;
            note(blocked, failed, written, frames.len())
        })?;
        self.flush(connection, now);
        Ok(taken)
    }

    /// Writes what was gathered, and what waits in the connection behind it.
    pub(super) fn flush(&mut self, connection: &mut Connection, now: Instant) {
        let Self {
            gathered, write, ..
        } = self;
        let Gathered {
            frames,
            blocked,
            failed,
        } = &mut **gathered;
        while !*blocked && !*failed {
            if connection.buffered() == 0 {
                // What most turns come to.
                if frames.is_empty() {
                    return;
                }
                let written = write_all(*write, &[IoSlice::new(frames)]);
                let written = note(blocked, failed, written, frames.len());
                if written < frames.len() {
                    connection.put_back(frames, written, now);
                }
                frames.clear();
                continue;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let before = frames.len();
            let mut filled = 0;
            if before > 0 {
                slices[0] = IoSlice::new(frames);
                filled = 1;
            }
            filled += connection.poll_transmit(&mut slices[filled..]);
            let all = &slices[..filled];
            let written = write_all(*write, all);
            let written = note(blocked, failed, written, total(all));
            if written > before {
                connection.handle_transmitted(written - before, now);
            }
            if written < before {
                connection.put_back(frames, written, now);
            }
            frames.clear();
        }
        if *failed {
            frames.clear();
            connection.handle_output_failed(now);
        } else {
            self.hold(connection, now);
        }
    }

    /// Leaves to the connection what was gathered.
    pub(super) fn hold(&mut self, connection: &mut Connection, now: Instant) {
        let frames = &mut self.gathered.frames;
        if !frames.is_empty() {
            connection.put_back(frames, 0, now);
            frames.clear();
        }
    }

    /// Whether the kernel has said before that it takes nothing now.
    pub(super) fn set_blocked(&mut self, blocked: bool) {
        self.gathered.blocked = blocked;
    }

    /// Bytes gathered.
    pub(super) fn gathered(&self) -> usize {
        self.gathered.frames.len()
    }

    /// Whether the kernel has taken less than it was given.
    pub(super) fn is_blocked(&self) -> bool {
        self.gathered.blocked
    }
}

fn total(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).sum()
}

fn write_all(write: &mut Write<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    loop {
        match write(slices) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// What a write of so many bytes came to.
fn note(blocked: &mut bool, failed: &mut bool, written: io::Result<usize>, len: usize) -> usize {
    match written {
        Ok(written) => {
            *blocked |= written < len;
            written
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            *blocked = true;
            0
        }
        Err(error) => {
            tracing::debug!(%error, "writing failed");
            *failed = true;
            0
        }
    }
}
