//! What holds for any stream of bytes.

use std::io::IoSlice;
use std::time::Instant;

use longwire::http::{HeaderMap, HeaderValue, Request, Response};
use longwire_proto::handshake::client::Handshake;
use longwire_proto::handshake::server::Offer;
use longwire_proto::http::extension::{Extension, ExtensionParam, parse_extensions};
use longwire_proto::utf8::Utf8Validator;
use longwire_proto::{
    CloseCode, ClosedBy, Config, Connection, Event, Input, Limits, MemoryBudget, MessageKind,
    Opcode, Role,
};
use longwire_testkit::wire::frame;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// What a peer sends.
#[derive(Clone, Debug)]
enum Sent {
    Text(String, Vec<Index>),
    Binary(Vec<u8>, Vec<Index>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// What is told, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Closing(Option<u16>),
}

fn told(event: Event<'_>) -> Told {
    match event {
        Event::Text(text) => Told::Text(text.into_string()),
        Event::Binary(data) => Told::Binary(data.into_vec()),
        Event::Piece(piece) => Told::Binary(piece.data.into_vec()),
        Event::Ping(payload) => Told::Ping(payload.to_vec()),
        Event::Pong(payload) => Told::Pong(payload.to_vec()),
        Event::Closing(frame) => Told::Closing(frame.map(|frame| frame.code().get())),
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = || vec(any::<Index>(), 0..4);
    prop_oneof![
        (".{0,300}", cuts()).prop_map(|(text, cuts)| Sent::Text(text, cuts)),
        (vec(any::<u8>(), 0..70_000), cuts()).prop_map(|(data, cuts)| Sent::Binary(data, cuts)),
        vec(any::<u8>(), 0..=125).prop_map(Sent::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Sent::Pong),
    ]
}

/// The bytes of what is sent, with a ping between fragments, and what it says.
fn stream(receiver: Role, all: &[Sent], key: [u8; 4]) -> (Vec<u8>, Vec<Told>) {
    let key = (receiver == Role::Server).then_some(key);
    let mut bytes = Vec::new();
    let mut says = Vec::new();
    for sent in all {
        let (opcode, payload, cuts) = match sent {
            Sent::Text(text, cuts) => (Opcode::Text, text.as_bytes(), cuts),
            Sent::Binary(data, cuts) => (Opcode::Binary, data.as_slice(), cuts),
            Sent::Ping(payload) => {
                bytes.extend(frame(true, Opcode::Ping, payload, key));
                says.push(Told::Ping(payload.clone()));
                continue;
            }
            Sent::Pong(payload) => {
                bytes.extend(frame(true, Opcode::Pong, payload, key));
                says.push(Told::Pong(payload.clone()));
                continue;
            }
        };
        let mut cuts: Vec<usize> = cuts
            .iter()
            .map(|cut| cut.index(payload.len() + 1))
            .collect();
        cuts.sort_unstable();
        cuts.push(payload.len());
        let (mut start, mut opcode) = (0, opcode);
        for (i, &end) in cuts.iter().enumerate() {
            let fin = i + 1 == cuts.len();
            bytes.extend(frame(fin, opcode, &payload[start..end], key));
            if !fin {
                bytes.extend(frame(true, Opcode::Ping, b"!", key));
                says.push(Told::Ping(b"!".to_vec()));
            }
            (start, opcode) = (end, Opcode::Continuation);
        }
        says.push(match sent {
            Sent::Text(text, _) => Told::Text(text.clone()),
            _ => Told::Binary(payload.to_vec()),
        });
    }
    (bytes, says)
}

fn connection(role: Role, config: Config) -> Connection {
    let now = Instant::now();
    match role {
        Role::Client => Connection::client(config, Box::new(|| [1, 2, 3, 4]), now),
        Role::Server => Connection::server(config, now),
    }
}

/// Feeds the bytes cut at these places; gives what was told, and what was
/// written meanwhile.
fn receive(connection: &mut Connection, bytes: &[u8], cuts: &[Index]) -> (Vec<Told>, Vec<u8>) {
    let now = Instant::now();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    let (mut events, mut written, mut start) = (Vec::new(), Vec::new(), 0);
    for end in cuts {
        let mut piece = bytes[start..end].to_vec();
        let mut input = Input::new(&mut piece);
        while let Some(event) = connection.handle_input(&mut input, now) {
            events.push(told(event));
            transmit(connection, usize::MAX, &mut written);
        }
        transmit(connection, usize::MAX, &mut written);
        start = end;
    }
    (events, written)
}

fn transmit(connection: &mut Connection, most: usize, written: &mut Vec<u8>) {
    while connection.buffered() > 0 {
        let mut slices = [IoSlice::new(&[]); 2];
        let filled = connection.poll_transmit(&mut slices);
        let mut count = 0;
        for slice in &slices[..filled] {
            let part = slice.len().min(most - count);
            written.extend_from_slice(&slice[..part]);
            count += part;
        }
        connection.handle_transmitted(count, Instant::now());
    }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// Bytes that often look like frames.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..40),
        (0_u8..16, 0_u8..=127, vec(any::<u8>(), 0..40)).prop_map(|(opcode, len, rest)| {
            let mut bytes = vec![0x80 | opcode, 0x80 | len];
            bytes.extend(rest);
            bytes
        }),
        (0_u8..3, 0_u8..30, vec(any::<u8>(), 30)).prop_map(|(opcode, len, rest)| {
            let mut bytes = vec![opcode, 0x80 | len, 0, 0, 0, 0];
            bytes.extend(&rest[..usize::from(len)]);
            bytes
        }),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn small_limits(budget: &MemoryBudget) -> Config {
    let mut config = Config::default();
    config.limits = Limits::default()
        .message_size(100)
        .frame_size(80)
        .fragments(5)
        .queued_control_frames(4);
    config.memory_budget = Some(budget.clone());
    config
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_valid_stream_gives_the_same_events_however_it_is_cut(
        role in role(),
        all in vec(sent(), 0..6),
        key in any::<[u8; 4]>(),
        cuts in vec(any::<Index>(), 0..40),
    ) {
        let (bytes, says) = stream(role, &all, key);
        for cuts in [&[][..], &cuts] {
            let mut connection = connection(role, Config::default());
            let (events, _) = receive(&mut connection, &bytes, cuts);
            prop_assert!(events == says);
            prop_assert!(connection.is_open());
        }
    }

    #[test]
    fn any_bytes_give_events_or_an_error_the_same_however_they_are_cut(
        role in role(),
        bytes in noise(),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut verdicts = Vec::new();
        for cuts in [&[][..], &cuts] {
            let budget = MemoryBudget::new(1 << 20);
            let mut connection = connection(role, small_limits(&budget));
            let (events, written) = receive(&mut connection, &bytes, cuts);
            // One message in assembly, and nothing that waits to be written.
            prop_assert!(budget.used() <= 100, "{} bytes held", budget.used());
            connection.handle_input_end();
            let closed = connection.closed().cloned();
            let closed = closed.expect("the end of the input ends it");
            if let ClosedBy::Failure(error) = &closed.by {
                prop_assert!(error.close_code().may_be_sent_by(role));
                // The last frame written is the Close frame with that code.
                let code = error.close_code().get().to_be_bytes();
                let at = written.iter().rposition(|&byte| byte == 0x88);
                prop_assert!(at.is_some());
                if role == Role::Server {
                    prop_assert!(written.windows(2).any(|pair| pair == code));
                }
            }
            prop_assert!(closed.code == CloseCode::ABNORMAL || matches!(events.last(), Some(Told::Closing(_))));
            prop_assert_eq!(budget.used(), 0);
            verdicts.push((events, closed));
        }
        prop_assert_eq!(&verdicts[0], &verdicts[1]);
    }

    #[test]
    fn a_valid_stream_with_a_flipped_bit_never_panics_and_never_lies(
        role in role(),
        all in vec(sent(), 1..4),
        at in any::<Index>(),
        bit in 0..8_u32,
        cuts in vec(any::<Index>(), 0..10),
    ) {
        let (mut bytes, says) = stream(role, &all, [9, 8, 7, 6]);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut connection = connection(role, Config::default());
        let (events, _) = receive(&mut connection, &bytes, &cuts);
        // What was whole before the flipped bit is told as it was sent.
        let whole = {
            let mut sound = self::connection(role, Config::default());
            receive(&mut sound, &bytes[..at], &[]).0
        };
        prop_assert!(events.len() >= whole.len());
        prop_assert!(events[..whole.len()] == says[..whole.len()]);
    }

    #[test]
    fn what_one_role_writes_the_other_reads(
        client_writes in any::<bool>(),
        messages in vec(
            (any::<bool>(), vec(any::<u8>(), 0..6000), vec(any::<Index>(), 0..3)),
            0..6,
        ),
        most in prop_oneof![Just(1_usize), 2..50_usize, Just(usize::MAX)],
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let (from, to) = if client_writes {
            (Role::Client, Role::Server)
        } else {
            (Role::Server, Role::Client)
        };
        let mut writer = connection(from, Config::default());
        let mut expected = Vec::new();
        for (large, payload, pieces) in &messages {
            if *large {
                let bytes = bytes::Bytes::from(payload.clone());
                writer.send_bytes(MessageKind::Binary, &bytes).unwrap();
            } else {
                let mut ends: Vec<usize> =
                    pieces.iter().map(|cut| cut.index(payload.len() + 1)).collect();
                ends.sort_unstable();
                ends.push(payload.len());
                let mut start = 0;
                for (i, &end) in ends.iter().enumerate() {
                    let fin = i + 1 == ends.len();
                    writer
                        .send_fragment(MessageKind::Binary, &payload[start..end], fin)
                        .unwrap();
                    start = end;
                }
            }
            expected.push(Told::Binary(payload.clone()));
        }
        let mut written = Vec::new();
        transmit(&mut writer, most, &mut written);
        let mut reader = connection(to, Config::default());
        let (events, _) = receive(&mut reader, &written, &cuts);
        prop_assert!(events == expected);
    }

    #[test]
    fn utf8_is_judged_as_by_the_standard_library_however_it_is_cut(
        text in ".{0,100}",
        garbage in vec(any::<u8>(), 0..6),
        at in any::<Index>(),
        cuts in vec(any::<Index>(), 0..10),
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len() + 1);
        bytes.splice(at..at, garbage);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut validator = Utf8Validator::new();
        let mut start = 0;
        let mut verdict = Ok(());
        for end in cuts {
            verdict = verdict.and_then(|()| validator.push(&bytes[start..end]));
            start = end;
        }
        let verdict = verdict.and_then(|()| validator.finish());
        let expected = std::str::from_utf8(&bytes).map_err(|e| e.valid_up_to() as u64);
        prop_assert_eq!(verdict.map_err(|e| e.at), expected.map(drop));
    }

    #[test]
    fn handshakes_of_any_bytes_are_judged_without_a_panic(
        headers in vec((0..9_usize, vec(0x20_u8..=0xff, 0..40)), 0..12),
        status in 100..600_u16,
    ) {
        let names = [
            "host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version",
            "sec-websocket-protocol", "sec-websocket-extensions", "sec-websocket-accept", "origin",
        ];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(names[name], value);
            }
        }
        let mut request = Request::new(());
        *request.headers_mut() = map.clone();
        if let Err(error) = Offer::read(&request) {
            prop_assert!(error.response().status().is_client_error());
        }
        let mut response = Response::new(());
        *response.headers_mut() = map;
        *response.status_mut() = longwire::http::StatusCode::from_u16(status).unwrap();
        let handshake = Handshake::new([7; 16], vec!["chat".to_owned()], longwire_proto::CompressionConfig::default()).unwrap();
        prop_assert!(handshake.verify(&response).is_err());
    }

    #[test]
    fn a_list_of_extensions_parses_to_what_it_was_written_from(
        list in vec(
            ("[a-z0-9-]{1,12}", vec(("[a-z_]{1,8}", proptest::option::of("[A-Za-z0-9.]{1,6}"), any::<bool>()), 0..4)),
            0..4,
        ),
        space in "[ \t]{0,2}",
    ) {
        let mut expected = Vec::new();
        let mut fields = Vec::new();
        for (name, params) in list {
            let mut text = name.clone();
            let mut extension = Extension { name, params: Vec::new() };
            for (name, value, quoted) in params {
                text.extend([&space, ";", &space, &name]);
                if let Some(value) = &value {
                    let quote = if quoted { "\"" } else { "" };
                    text.extend([&space, "=", &space, quote, value, quote]);
                }
                extension.params.push(ExtensionParam { name, value });
            }
            fields.push(text);
            expected.push(extension);
        }
        let mut headers = HeaderMap::new();
        let joined = fields.join(&format!("{space},{space}"));
        headers.insert("sec-websocket-extensions", joined.parse().unwrap());
        prop_assert_eq!(parse_extensions(&headers).unwrap(), expected);
    }
}
