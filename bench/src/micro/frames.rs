//! Frames taken from bytes that have arrived, and made to be sent.

use std::hint::black_box;
use std::io::IoSlice;
use std::time::Instant;

use longwire_proto::{Config, Connection, Event, Input, MessageKind, Payload};

use super::{Case, count};
use crate::stopwatch::Work;
use crate::wire::{BINARY, KEY, TEXT, masked};

/// Slices of output that are looked at together.
const SLICES: usize = 16;

/// A server that reads frames which have all arrived, and copies what they carry
/// where the program is to own them.
pub struct Decoding<const OWNED: bool> {
    server: Connection,
    now: Instant,
    arrived: Vec<u8>,
    block: Vec<u8>,
}

impl<const OWNED: bool> Decoding<OWNED> {
    /// Of these frames, again and again.
    pub fn new(server: Connection, arrived: Vec<u8>) -> Self {
        Self {
            server,
            now: Instant::now(),
            block: arrived.clone(),
            arrived,
        }
    }
}

impl<const OWNED: bool> Work for Decoding<OWNED> {
    /// What a pass unmasks in place is masked again.
    fn prepare(&mut self) {
        self.block.copy_from_slice(&self.arrived);
    }

    fn pass(&mut self) -> usize {
        let mut input = Input::new(black_box(&mut self.block));
        let mut seen = 0;
        while let Some(event) = self.server.handle_input(&mut input, self.now) {
            seen += match event {
                Event::Text(text) if OWNED => black_box(text.into_string()).len(),
                Event::Binary(data) if OWNED => black_box(data.into_vec()).len(),
                Event::Text(text) => black_box(&*text).len(),
                Event::Binary(data) => black_box(&*data).len(),
                _ => 0,
            };
        }
        seen
    }
}

fn server() -> Connection {
    Connection::server(Config::default(), Instant::now())
}

fn decode<const OWNED: bool>(name: &'static str, bytes: usize, opcode: u8) -> Case {
    let frame = masked(opcode, false, &vec![b'x'; bytes]);
    let work = Decoding::<OWNED>::new(server(), frame.repeat(count(bytes)));
    Case::new(name, bytes, work)
}

/// Masked binary messages, lent to the program.
pub fn binary_lent(bytes: usize) -> Case {
    decode::<false>("decode binary, lent", bytes, BINARY)
}

/// Masked binary messages, each copied into memory of the program's, which is given back
/// at once.
pub fn binary_owned(bytes: usize) -> Case {
    decode::<true>("decode binary, owned", bytes, BINARY)
}

/// Masked texts, lent to the program.
pub fn text_lent(bytes: usize) -> Case {
    decode::<false>("decode text, lent", bytes, TEXT)
}

/// Masked texts, owned as the binary messages are.
pub fn text_owned(bytes: usize) -> Case {
    decode::<true>("decode text, owned", bytes, TEXT)
}

/// An end that sends messages.
struct Encoding<S> {
    sender: Connection,
    now: Instant,
    payload: Vec<u8>,
    count: usize,
    send: S,
}

impl<S: Fn(&mut Connection, &[u8], Instant) -> bool> Work for Encoding<S> {
    fn pass(&mut self) -> usize {
        let mut sent = 0;
        for _ in 0..self.count {
            let payload = black_box(&self.payload);
            if (self.send)(&mut self.sender, payload, self.now) {
                sent += payload.len();
            }
        }
        transmit(&mut self.sender, self.now, |bytes| {
            black_box(bytes);
        });
        sent
    }
}

/// Takes all output, as a transport does that has room; `see` is shown the bytes.
pub fn transmit(sender: &mut Connection, now: Instant, mut see: impl FnMut(&[u8])) {
    loop {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = sender.poll_transmit(&mut slices);
        let mut taken = 0;
        for slice in &slices[..filled] {
            see(slice);
            taken += slice.len();
        }
        if taken == 0 {
            return;
        }
        sender.handle_transmitted(taken, now);
    }
}

fn encode(
    name: &'static str,
    bytes: usize,
    sender: Connection,
    send: impl Fn(&mut Connection, &[u8], Instant) -> bool + 'static,
) -> Case {
    let work = Encoding {
        sender,
        now: Instant::now(),
        payload: vec![b'x'; bytes],
        count: count(bytes),
        send,
    };
    Case::new(name, bytes, work)
}

fn queue(sender: &mut Connection, payload: &[u8], _: Instant) -> bool {
    sender.send_binary(payload).is_ok()
}

/// Headers made, and payloads handed to a transport that takes all at once: none is
/// looked at.
pub fn encode_through(bytes: usize) -> Case {
    let send = |sender: &mut Connection, payload: &[u8], now| {
        let write = |header: &[u8], payload: &[u8]| {
            let (header, payload) = black_box((header, payload));
            header.len() + payload.len()
        };
        let payload = Payload::Lent(payload);
        let sent = sender.send_through(MessageKind::Binary, payload, now, write);
        matches!(sent, Ok(true))
    };
    Case {
        touched: false,
        ..encode("encode, handed over", bytes, server(), send)
    }
}

/// Messages that a server gathers, taken together afterwards.
pub fn encode_queued(bytes: usize) -> Case {
    encode("encode, gathered", bytes, server(), queue)
}

/// Messages that a client masks and gathers, taken together afterwards. Making keys
/// takes no time here.
pub fn encode_masked(bytes: usize) -> Case {
    let client = Connection::client(Config::default(), Box::new(|| KEY), Instant::now());
    encode("encode, masked", bytes, client, queue)
}
