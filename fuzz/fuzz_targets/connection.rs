//! Any bytes, in any pieces, to a connection of either role under any limits:
//! never a panic, the same verdict as in one piece, memory within the limits.

#![no_main]

use std::io::IoSlice;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use longwire_proto::handshake::server::Offer;
use longwire_proto::{
    Agreement, CloseCode, Closed, ClosedBy, Compression, CompressionConfig, Config, Connection,
    Event, Input, Limits, MemoryBudget, Role,
};

/// What the first bytes of the input decide.
struct Settings {
    role: Role,
    message_size: usize,
    frame_size: usize,
    fragments: usize,
    /// Whether permessage-deflate was agreed on.
    compressed: bool,
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
            compressed: flags & 2 != 0,
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
        let connection = match self.role {
            Role::Client => Connection::client(config, Box::new(|| [1, 2, 3, 4]), now),
            Role::Server => Connection::server(config, now),
        };
        connection.with_compression(if self.compressed { agreement() } else { None })
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
            // A decompressor, and the window that messages may refer to.
            let beside = if self.compressed { 80 << 10 } else { 0 };
            assert!(
                budget.used() <= self.message_size + beside,
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

/// That each end takes its context over.
fn agreement() -> Option<Agreement> {
    let request = http::Request::builder()
        .method("CONNECT")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-extensions", "permessage-deflate")
        .body(())
        .ok()?;
    let offer = Offer::read_extended(&request, Some("websocket")).ok()?;
    let config = CompressionConfig::default().mode(Compression::DEDICATED);
    offer.accept(None, &config).ok()?.1
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
        let pieces = settings.verdict(bytes, true);
        assert_eq!(pieces.0, whole.0);
        // How far a message above the limit was inflated depends on the pieces.
        if settings.compressed {
            assert_eq!(pieces.2.clean, whole.2.clean);
        } else {
            assert_eq!((pieces.1, pieces.2), (whole.1, whole.2));
        }
    }
});
