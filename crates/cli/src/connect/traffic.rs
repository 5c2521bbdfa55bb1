//! What has passed on the wire: counts, and the round trips of pings.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::clock::short;
use super::look::Direction;
use crate::wire::{Decoder, DeflateParams, Frame, Inflater, Item, Messages, Opcode};

/// Bytes of a message that are kept to be shown: a compressed one that is larger
/// is not shown, nor are those behind it that refer to it.
const KEPT: usize = 256 << 10;

/// Pings whose answers are waited for.
const MOST_PINGS: usize = 64;

/// Counts of one direction, over all connections.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    messages: u64,
    /// Of messages, as the program has them.
    bytes: u64,
    frames: u64,
    /// Of frames, with their headers.
    wire_bytes: u64,
    /// Of the payloads of data frames.
    payload: u64,
}

/// Reads the frames of one direction.
#[derive(Debug)]
struct Reading {
    decoder: Decoder,
    messages: Messages,
    /// Whether part of what later messages refer to was not kept.
    has_gap: bool,
}

impl Reading {
    fn new(inflater: Option<Inflater>) -> Self {
        Self {
            decoder: Decoder::new(KEPT),
            messages: Messages::new(KEPT, inflater),
            has_gap: false,
        }
    }
}

/// A frame that passed.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) frame: Frame,
    /// The compressed message that it completes, where it can be read.
    pub(super) inflated: Option<Item>,
    /// How long after its ping this pong came.
    pub(super) latency: Option<Duration>,
}

/// All that is counted.
#[derive(Debug)]
pub(super) struct Traffic {
    opened: Option<Instant>,
    connections: u32,
    sent: Counts,
    received: Counts,
    reading_sent: Reading,
    reading_received: Reading,
    pings: VecDeque<(Vec<u8>, Instant)>,
    latencies: Vec<Duration>,
}

/// Round trips that are remembered.
const MOST_LATENCIES: usize = 1000;

impl Traffic {
    pub(super) fn new() -> Self {
        Self {
            opened: None,
            connections: 0,
            sent: Counts::default(),
            received: Counts::default(),
            reading_sent: Reading::new(None),
            reading_received: Reading::new(None),
            pings: VecDeque::new(),
            latencies: Vec::new(),
        }
    }

    /// A connection has been opened with this.
    pub(super) fn open(&mut self, compression: Option<DeflateParams>) {
        let inflater = |no_context| compression.is_some().then(|| Inflater::new(no_context));
        let params = compression.as_ref();
        let client = params.is_some_and(|params| params.client_no_context_takeover);
        let server = params.is_some_and(|params| params.server_no_context_takeover);
        self.reading_sent = Reading::new(inflater(client));
        self.reading_received = Reading::new(inflater(server));
        self.pings.clear();
        self.opened = Some(Instant::now());
        self.connections += 1;
    }

    /// A message was sent or received.
    pub(super) fn message(&mut self, direction: Direction, len: usize) {
        let counts = self.counts(direction);
        counts.messages += 1;
        counts.bytes += len as u64;
    }

    /// Bytes of frames have passed; gives the next frame in them.
    pub(super) fn take(&mut self, direction: Direction, bytes: &mut &[u8]) -> Option<Passed> {
        let before = bytes.len();
        let reading = match direction {
            Direction::Sent => &mut self.reading_sent,
            Direction::Received => &mut self.reading_received,
        };
        let frame = reading.decoder.decode(bytes);
        let taken = (before - bytes.len()) as u64;
        let item = frame
            .as_ref()
            .and_then(|frame| reading.messages.push(frame));
        reading.has_gap |= item
            .as_ref()
            .is_some_and(|item| item.compressed && item.truncated);
        let is_readable = |item: &Item| item.compressed && item.fault.is_none() && !reading.has_gap;
        let inflated = item.filter(is_readable);
        let counts = self.counts(direction);
        counts.wire_bytes += taken;
        let frame = frame?;
        counts.frames += 1;
        if !frame.opcode.is_control() {
            counts.payload += frame.payload_len;
        }
        let latency = self.round_trip(direction, &frame);
        Some(Passed {
            frame,
            inflated,
            latency,
        })
    }

    fn round_trip(&mut self, direction: Direction, frame: &Frame) -> Option<Duration> {
        match (direction, frame.opcode) {
            (Direction::Sent, Opcode::PING) => {
                if self.pings.len() == MOST_PINGS {
                    self.pings.pop_front();
                }
                self.pings
                    .push_back((frame.payload.clone(), Instant::now()));
                None
            }
            (Direction::Received, Opcode::PONG) => {
                // The latest may be answered alone (RFC 6455 section 5.5.3).
                let at = self
                    .pings
                    .iter()
                    .position(|(payload, _)| *payload == frame.payload)?;
                let (_, sent) = self.pings.drain(..=at).next_back()?;
                let latency = sent.elapsed();
                if self.latencies.len() < MOST_LATENCIES {
                    self.latencies.push(latency);
                } else {
                    self.latencies.rotate_left(1);
                    self.latencies[MOST_LATENCIES - 1] = latency;
                }
                Some(latency)
            }
            _ => None,
        }
    }

    fn counts(&mut self, direction: Direction) -> &mut Counts {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }

    /// What `/stats` says.
    pub(super) fn report(&self) -> String {
        let open = self.opened.map_or_else(
            || "never".to_owned(),
            |opened| format!("for {}", short(opened.elapsed())),
        );
        let times = match self.connections {
            0 | 1 => String::new(),
            times => format!(", connection {times}"),
        };
        format!(
            "connected    {open}{times}\nsent         {}\nreceived     {}\nlatency      {}",
            self.sent.report(),
            self.received.report(),
            self.latency()
        )
    }

    fn latency(&self) -> String {
        let Some(&last) = self.latencies.last() else {
            return "not known yet: /ping measures it".to_owned();
        };
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let quickest = sorted.first().copied().unwrap_or(last);
        let slowest = sorted.last().copied().unwrap_or(last);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(last);
        format!(
            "{} (median {}, {} to {}, of {})",
            short(last),
            short(median),
            short(quickest),
            short(slowest),
            sorted.len()
        )
    }
}

impl Counts {
    fn report(&self) -> String {
        let mut text = format!(
            "{} of {}; {} of {} on the wire",
            counted(self.messages, "message"),
            size(self.bytes),
            counted(self.frames, "frame"),
            size(self.wire_bytes)
        );
        // Without compression both are the same.
        if self.payload < self.bytes {
            let percent = self.payload.saturating_mul(100) / self.bytes;
            let _ = write!(text, "; compressed to {percent} %");
        }
        text
    }
}

/// A number of things.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The digit behind the point.
fn tenths(bytes: u64, shift: u32) -> u64 {
    ((bytes >> (shift - 10)) % 1024) * 10 / 1024
}

/// Bytes for a person.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x2800 => format!("{bytes} B"),
        0x2800..0xA0_0000 => format!("{}.{} KiB", bytes >> 10, tenths(bytes, 10)),
        _ => format!("{}.{} MiB", bytes >> 20, tenths(bytes, 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Deflater;

    fn feed(traffic: &mut Traffic, direction: Direction, mut bytes: &[u8]) -> Vec<Passed> {
        std::iter::from_fn(|| traffic.take(direction, &mut bytes)).collect()
    }

    #[test]
    fn a_pong_is_timed_by_the_ping_it_answers() {
        let mut traffic = Traffic::new();
        traffic.open(None);
        for payload in ["a", "b"] {
            let ping = Frame::new(Opcode::PING, payload).masked([1; 4]).encode();
            assert_eq!(feed(&mut traffic, Direction::Sent, &ping).len(), 1);
        }
        let pong = Frame::new(Opcode::PONG, "b").encode();
        assert!(
            feed(&mut traffic, Direction::Received, &pong)[0]
                .latency
                .is_some()
        );
        // Those before it are not answered any more, nor is it twice.
        for payload in ["a", "b", "c"] {
            let pong = Frame::new(Opcode::PONG, payload).encode();
            assert!(
                feed(&mut traffic, Direction::Received, &pong)[0]
                    .latency
                    .is_none()
            );
        }
        assert!(traffic.report().contains("of 1)"), "{}", traffic.report());
    }

    #[test]
    fn what_passes_is_counted_as_it_was_and_as_it_is() {
        let mut traffic = Traffic::new();
        traffic.open(DeflateParams::parse("permessage-deflate"));
        let plain = "long and dull ".repeat(100);
        let mut deflater = Deflater::new(15, false);
        for _ in 0..2 {
            let frame = Frame::new(Opcode::TEXT, deflater.deflate(plain.as_bytes())).rsv(0b100);
            let passed = feed(&mut traffic, Direction::Received, &frame.encode());
            assert_eq!(passed[0].inflated.as_ref().unwrap().data, plain.as_bytes());
            traffic.message(Direction::Received, plain.len());
        }
        let report = traffic.report();
        assert!(
            report.contains("2 messages of 2800 B; 2 frames of"),
            "{report}"
        );
        assert!(report.contains("compressed to"), "{report}");
        assert!(
            report.contains("sent         0 messages of 0 B"),
            "{report}"
        );
    }

    #[test]
    fn what_refers_to_a_message_not_kept_is_not_shown() {
        let mut traffic = Traffic::new();
        traffic.open(DeflateParams::parse("permessage-deflate"));
        let noise: Vec<u8> = (0..2 * KEPT as u64)
            .map(|i| ((i * i * i) >> 7) as u8)
            .collect();
        let mut deflater = Deflater::new(15, false);
        for (plain, frames) in [(&noise[..], 1), (b"small", 1)] {
            let frame = Frame::new(Opcode::BINARY, deflater.deflate(plain)).rsv(0b100);
            let passed = feed(&mut traffic, Direction::Received, &frame.encode());
            assert_eq!(passed.len(), frames);
            assert!(passed[0].inflated.is_none());
        }
    }
}
