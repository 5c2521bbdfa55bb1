//! Any bytes, in any pieces, to a connection of either role under any limits:
//! never a panic, the same verdict as in one piece, memory within the limits.

#![no_main]

use std::io::IoSlice;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use longwire_proto::{
    CloseCode, Closed, ClosedBy, Config, Connection, Event, Input, Limits, MemoryBudget, Role,
};

/// What the first bytes of the input decide.
struct Settings {
    role: Role,
    message_size: usize,
    frame_size: usize,
    fragments: usize,
    /// The sizes of the pieces, again and again.
    pieces: [u8; 4],
}

impl Settings {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&[flags, message, frame, fragments, pieces @ ..], rest) =
            bytes.split_first_chunk::<8>()?;
        let role = if flags & 1 == 0 {
            Role::Server
        } else {
            Role::Client
        };
        let settings = Self {
            role,
            message_size: usize::from(message) << (flags >> 4),
            frame_size: usize::from(frame) << (flags >> 4),
            fragments: usize::from(fragments),
            pieces,
        };
        Some((settings, rest))
    }

    fn connection(&self, budget: &MemoryBudget) -> Connection {
        let mut config = Config::default();
        config.limits = Limits::default()
            .message_size(self.message_size)
            .frame_size(self.frame_size)
            .fragments(self.fragments);
        config.memory_budget = Some(budget.clone());
        let now = Instant::now();
        match self.role {
            Role::Client => Connection::client(config, Box::new(|| [1, 2, 3, 4]), now),
            Role::Server => Connection::server(config, now),
        }
    }

    /// What is told, what is written, and how it ends.
    fn verdict(&self, bytes: &[u8], in_pieces: bool) -> (Vec<String>, Vec<u8>, Closed) {
        let budget = MemoryBudget::new(usize::MAX >> 1);
        let mut connection = self.connection(&budget);
        let (mut told, mut written) = (Vec::new(), Vec::new());
        let mut rest = bytes.to_vec();
        let mut rest = rest.as_mut_slice();
        let mut sizes = self.pieces.iter().cycle();
        while !rest.is_empty() {
            let size = match sizes.next() {
                Some(&size) if in_pieces => usize::from(size).max(1).min(rest.len()),
                _ => rest.len(),
            };
            let (piece, after) = rest.split_at_mut(size);
            rest = after;
            let was_open = connection.is_open();
            let mut input = Input::new(piece);
            while let Some(event) = connection.handle_input(&mut input, Instant::now()) {
                assert!(was_open, "told after the end");
                told.push(name(&event));
                transmit(&mut connection, &mut written);
            }
            transmit(&mut connection, &mut written);
            assert!(input.is_empty());
            assert!(
                budget.used() <= self.message_size,
                "more is held than may be"
            );
        }
        let was_open = connection.is_open();
        connection.handle_input_end();
        assert_eq!(budget.used(), 0);
        assert_eq!(connection.buffered(), 0);
        let closed = connection.closed().cloned().expect("the input has ended");
        if let ClosedBy::Failure(error) = &closed.by {
            assert!(error.close_code().may_be_sent_by(self.role));
            assert_eq!(closed.code, CloseCode::ABNORMAL);
        }
        assert_eq!(was_open, closed.by == ClosedBy::Lost);
        (told, written, closed)
    }
}

fn name(event: &Event<'_>) -> String {
    match event {
        Event::Text(text) => format!("text {}", &**text),
        Event::Binary(data) => format!("binary {:?}", &**data),
        other => format!("{other:?}"),
    }
}

fn transmit(connection: &mut Connection, written: &mut Vec<u8>) {
    while connection.buffered() > 0 {
        let mut slices = [IoSlice::new(&[]); 2];
        let filled = connection.poll_transmit(&mut slices);
        assert!(filled > 0);
        let before = written.len();
        slices[..filled]
            .iter()
            .for_each(|slice| written.extend_from_slice(slice));
        connection.handle_transmitted(written.len() - before, Instant::now());
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some((settings, bytes)) = Settings::read(bytes) {
        let whole = settings.verdict(bytes, false);
        assert_eq!(settings.verdict(bytes, true), whole);
    }
});
