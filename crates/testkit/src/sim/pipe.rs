//! Bytes on their way from one end to the other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How a line behaves.
#[derive(Clone, Debug)]
pub struct Line {
    /// How long a byte is on its way.
    pub latency: Duration,
    /// Bytes that fit on the way and in the reader's buffer: a writer that has
    /// so many out waits.
    pub capacity: usize,
    /// The most bytes taken by one write, and given by one read.
    pub most_at_once: usize,
    /// After how many bytes the connection is lost, and how.
    pub loss: Option<(u64, Loss)>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            capacity: 64 << 10,
            most_at_once: 64 << 10,
            loss: None,
        }
    }
}

/// How a connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Both ends see the end of the stream, as when a proxy dies.
    End,
    /// Both ends get an error.
    Reset,
    /// Nobody sees anything, as when a cable is cut.
    Silence,
}

/// What arrives.
#[derive(Debug)]
pub(super) enum Item {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) line: Line,
    items: VecDeque<(Instant, Item)>,
    /// Bytes of the first item that are read.
    read: usize,
    waiting: usize,
    /// Bytes that were written so far.
    pub(super) written: u64,
    ended: bool,
}

impl Pipe {
    pub(super) fn new(line: Line) -> Self {
        Self {
            line,
            items: VecDeque::new(),
            read: 0,
            waiting: 0,
            written: 0,
            ended: false,
        }
    }

    /// Bytes that one write may have now.
    pub(super) fn room(&self) -> usize {
        self.line
            .most_at_once
            .min(self.line.capacity.saturating_sub(self.waiting))
    }

    /// Takes bytes. `Some` where the line is lost by them: what comes before
    /// the loss still arrives.
    pub(super) fn write(&mut self, bytes: &[u8], now: Instant) -> Option<Loss> {
        let mut bytes = bytes;
        let mut lost = None;
        if let Some((at, loss)) = self.line.loss {
            let left = at.saturating_sub(self.written);
            if bytes.len() as u64 >= left {
                bytes = &bytes[..left as usize];
                lost = Some(loss);
                self.line.loss = None;
            }
        }
        self.written += bytes.len() as u64;
        if !self.ended && !bytes.is_empty() {
            self.waiting += bytes.len();
            self.items
                .push_back((now + self.line.latency, Item::Bytes(bytes.to_vec())));
        }
        lost
    }

    /// The end of the stream, or an error, behind what is on its way.
    pub(super) fn end(&mut self, item: Item, now: Instant) {
        if !self.ended {
            self.ended = true;
            self.items.push_back((now + self.line.latency, item));
        }
    }

    /// Nothing more arrives, not even what is on its way, and nobody is told.
    pub(super) fn fall_silent(&mut self) {
        self.ended = true;
        self.items.clear();
        self.read = 0;
    }

    /// What has arrived, at most `most` bytes of it.
    pub(super) fn read(&mut self, now: Instant, most: usize) -> Option<Item> {
        let (at, item) = self.items.front()?;
        if *at > now {
            return None;
        }
        let Item::Bytes(bytes) = item else {
            return self.items.pop_front().map(|(_, item)| item);
        };
        let end = bytes.len().min(self.read.saturating_add(most));
        let part = bytes[self.read..end].to_vec();
        self.waiting -= part.len();
        self.read = end;
        if end == bytes.len() {
            self.items.pop_front();
            self.read = 0;
        }
        Some(Item::Bytes(part))
    }

    /// When something arrives next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.items.front().map(|(at, _)| *at)
    }
}
