//! The engine as its driver sees it. Helpers here; `framing`, `direct`,
//! `sending`, `compression`, `pieces` and `closing` have the tests.

use super::*;
use crate::header::FrameHeader;
use crate::limits::Limit;
use crate::{CloseCode, Closed, ClosedBy, Limits, MemoryBudget, MessageKind, TimeoutKind};

const SECOND: Duration = Duration::from_secs(1);
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn server() -> (Connection, Instant) {
    let now = Instant::now();
    (Connection::server(Config::default(), now), now)
}

fn client() -> (Connection, Instant) {
    let now = Instant::now();
    (client_with(Config::default(), now), now)
}

fn client_with(config: Config, now: Instant) -> Connection {
    Connection::client(config, Box::new(|| KEY), now)
}

fn server_with(limits: Limits) -> Connection {
    let config = Config {
        limits,
        ..Config::default()
    };
    Connection::server(config, Instant::now())
}

/// A frame as the peer of `role` sends it.
fn frame_to(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let masking_key = (role == Role::Server).then_some(KEY);
    let mut header = [0; FrameHeader::MAX_LEN];
    let len = FrameHeader {
        fin: true,
        rsv1: false,
        opcode: Opcode::Binary,
        masking_key,
        payload_len: payload.len() as u64,
    }
    .encode(&mut header);
    header[0] = first;
    let mut frame = header[..len].to_vec();
    frame.extend_from_slice(payload);
    if let Some(key) = masking_key {
        crate::mask::apply_mask(&mut frame[len..], key, 0);
    }
    frame
}

/// What events say, in words that tests compare.
fn said(event: Event<'_>) -> String {
    match event {
        Event::Text(text) => format!("text {}", &*text),
        Event::Binary(data) => format!("binary {:?}", &*data),
        Event::Piece(piece) => format!(
            "piece of {:?} {}{} {:?}",
            piece.kind,
            if piece.first { "[" } else { "" },
            if piece.last { "]" } else { "" },
            &*piece.data
        ),
        Event::Ping(payload) => format!("ping {}", String::from_utf8_lossy(&payload)),
        Event::Pong(payload) => format!("pong {}", String::from_utf8_lossy(&payload)),
        Event::Closing(None) => "closing".to_owned(),
        Event::Closing(Some(frame)) => format!("closing {} {}", frame.code().get(), frame.reason()),
    }
}

fn receive(connection: &mut Connection, bytes: &[u8], now: Instant) -> Vec<String> {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    let mut events = Vec::new();
    while let Some(event) = connection.handle_input(&mut input, now) {
        events.push(said(event));
    }
    assert!(input.is_empty());
    events
}

fn transmit(connection: &mut Connection, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = connection.poll_transmit(&mut slices);
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
        if bytes.is_empty() {
            return all;
        }
        connection.handle_transmitted(bytes.len(), now);
        all.extend(bytes);
    }
}

/// The Close frame that a server's output ends with: its code.
fn close_code(output: &[u8]) -> Option<u16> {
    let at = output.iter().position(|&byte| byte == 0x88)?;
    Some(u16::from_be_bytes([
        *output.get(at + 2)?,
        *output.get(at + 3)?,
    ]))
}

#[test]
fn a_connection_is_small() {
    let size = size_of::<Connection>();
    assert!(size <= 352, "{size} bytes");
}

mod framing;

mod direct;

mod sending;

mod compression;

mod pieces;

mod closing;

mod statistics;
