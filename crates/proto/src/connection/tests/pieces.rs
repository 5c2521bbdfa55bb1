//! Messages handed out in pieces.

use super::*;
use crate::deflate::{CompressionConfig, accept, offer};
use crate::limits::MemoryBudget;

/// A server that hands out messages in pieces, compression agreed on.
fn compressed(config: Config, now: Instant) -> Connection {
    let agreed = accept(&config.compression, &offer(&CompressionConfig::default()));
    let agreement = agreed.unwrap().1;
    let mut server = Connection::server(config, now).with_compression(Some(agreement));
    server.deliver_pieces(true);
    server
}

#[test]
fn a_message_is_handed_out_as_it_arrives_whatever_its_size() {
    let mut server = server_with(Limits::default().message_size(4).frame_size(4).fragments(1));
    let now = Instant::now();
    server.deliver_pieces(true);
    let bytes = [
        frame_to(Role::Server, 0x01, b"Hello"),
        frame_to(Role::Server, 0x89, b"!"),
        frame_to(Role::Server, 0x00, b""),
        frame_to(Role::Server, 0x80, b" W\xc3\xb6rld"),
    ]
    .concat();
    let cut = bytes.len() - 4;
    let events = receive(&mut server, &bytes[..cut], now);
    assert_eq!(
        events,
        [
            format!("piece of Text [ {:?}", b"Hello"),
            "ping !".to_owned(),
            format!("piece of Text  {:?}", b" W\xc3"),
        ]
    );
    // A message that has begun in pieces ends in pieces.
    server.deliver_pieces(false);
    let events = receive(&mut server, &bytes[cut..], now);
    assert_eq!(events, [format!("piece of Text ] {:?}", b"\xb6rld")]);
    let whole = frame_to(Role::Server, 0x82, b"abc");
    assert_eq!(
        receive(&mut server, &whole, now),
        [format!("binary {:?}", b"abc")]
    );
}

#[test]
fn what_was_gathered_of_a_message_is_its_first_piece() {
    let (mut server, now) = server();
    let half = frame_to(Role::Server, 0x02, b"abc");
    assert!(receive(&mut server, &half, now).is_empty());
    server.deliver_pieces(true);
    let rest = frame_to(Role::Server, 0x80, b"def");
    let expected = format!("piece of Binary [] {:?}", b"abcdef");
    assert_eq!(receive(&mut server, &rest, now), [expected]);
    let empty = frame_to(Role::Server, 0x82, b"");
    assert_eq!(receive(&mut server, &empty, now), ["piece of Binary [] []"]);
}

#[test]
fn pieces_of_a_text_are_judged_as_they_come_and_at_its_end() {
    for (payload, fin, told) in [
        (&b"ok\xff"[..], 0x01, 0),
        (b"ok\xc3", 0x81, 0),
        (b"ok\xc3", 0x01, 1),
    ] {
        let (mut server, now) = server();
        server.deliver_pieces(true);
        let frame = frame_to(Role::Server, fin, payload);
        assert_eq!(receive(&mut server, &frame, now).len(), told);
        let expected = (told == 0).then_some(1007);
        assert_eq!(close_code(&transmit(&mut server, now)), expected);
    }
}

#[test]
fn a_plain_message_comes_in_large_pieces_where_compression_is_agreed_on() {
    let now = Instant::now();
    let mut server = compressed(Config::default(), now);
    let plain = frame_to(Role::Server, 0x82, &vec![7; 60_000]);
    assert_eq!(receive(&mut server, &plain, now).len(), 1);
}

#[test]
fn what_a_compressed_message_in_pieces_holds_is_counted() {
    let now = Instant::now();
    let budget = MemoryBudget::new(1 << 20);
    let config = Config {
        memory_budget: Some(budget.clone()),
        ..Config::default()
    };
    let mut server = compressed(config, now);
    let mut stored = b"\x00\x60\xea\x9f\x15".to_vec();
    stored.extend(vec![7; 60_000]);
    let pieces = receive(&mut server, &frame_to(Role::Server, 0x42, &stored), now);
    assert!(pieces.len() > 200);
    let least = crate::deflate::INFLATER_BYTES + (32 << 10);
    assert!(budget.used() >= least, "{} counted", budget.used());
    drop(server);
    assert_eq!(budget.used(), 0);
}

#[test]
fn compressed_pieces_hold_little_however_much_they_come_to() {
    let now = Instant::now();
    let config = Config {
        memory_budget: Some(MemoryBudget::new(400 << 10)),
        limits: Limits::default().message_size(1000),
        ..Config::default()
    };
    let mut server = compressed(config, now);
    let plain: Vec<u8> = (0_u32..8 << 20).map(|i| (i >> 16) as u8).collect();
    let mut packed = vec![0; 1 << 20];
    let mut machine = zlib_rs::Deflate::new(6, false, 15);
    machine
        .compress(&plain, &mut packed, zlib_rs::DeflateFlush::SyncFlush)
        .unwrap();
    packed.truncate(machine.total_out() as usize - 4);
    let mut bytes = frame_to(Role::Server, 0xc2, &packed);
    let mut got = Vec::new();
    let mut ended = false;
    for part in bytes.chunks_mut(3000) {
        let mut input = Input::new(part);
        while let Some(event) = server.handle_input(&mut input, now) {
            let Event::Piece(piece) = event else {
                panic!("expected a piece, got {event:?}");
            };
            assert!(piece.data.len() < 300 << 10);
            assert_eq!(piece.first, got.is_empty());
            got.extend_from_slice(&piece.data);
            ended = piece.last;
        }
    }
    assert!(ended && got == plain);
}
