//! Payloads that the transport puts where they belong, and takes from where they are.

use super::*;
use bytes::Bytes;

use crate::message::Payload;

/// As [`receive`], of a transport that brings so many bytes at once, or as many as there is
/// room for, or more; tells how many came the direct way too.
fn read(connection: &mut Connection, bytes: &[u8], at_once: usize) -> (Vec<String>, usize) {
    let now = Instant::now();
    let mut events = Vec::new();
    let (mut rest, mut direct) = (bytes, 0);
    while !rest.is_empty() {
        let (next, later) = rest.split_at(at_once.min(rest.len()));
        rest = later;
        let Some(buffer) = connection.payload_buffer() else {
            events.extend(receive(connection, next, now));
            continue;
        };
        assert!(buffer.len() < buffer.capacity(), "there is no room");
        buffer.extend_from_slice(next);
        let (event, beyond) = connection.handle_payload(now);
        direct += next.len() - beyond.len();
        events.extend(event.map(said));
        events.extend(receive(connection, &beyond, now));
    }
    (events, direct)
}

fn mixed() -> Vec<u8> {
    let text = "aé€😀".repeat(10_000);
    let (start, end) = text.as_bytes().split_at(50_001);
    [
        frame_to(Role::Server, 0x82, &vec![1; 40_000]),
        frame_to(Role::Server, 0x81, b"small"),
        frame_to(Role::Server, 0x01, start),
        frame_to(Role::Server, 0x89, b"between"),
        frame_to(Role::Server, 0x80, end),
        frame_to(Role::Server, 0x82, &vec![2; 300_000]),
        frame_to(Role::Server, 0x82, &vec![3; 16_385]),
        frame_to(Role::Server, 0x8a, b"last"),
    ]
    .concat()
}

//= rfc6455#6.2-1, rfc6455#5.4-9 test
#[test]
fn large_messages_are_the_same_whichever_way_they_are_read() {
    let bytes = mixed();
    let (mut server, now) = server();
    let expected = receive(&mut server, &bytes, now);
    assert_eq!(expected.len(), 7);
    for at_once in [997, 4096, 20_000, 65_536, 299_000, usize::MAX] {
        let (mut server, _) = super::server();
        let (events, direct) = read(&mut server, &bytes, at_once);
        assert!(events == expected, "{at_once} at once");
        assert!(at_once > bytes.len() || direct > 100_000, "{direct}");
    }
}

#[test]
fn what_is_no_text_fails_where_it_is_read_directly_too() {
    for at in [20_000, 39_999] {
        let mut text = vec![b'x'; 40_000];
        text[at] = 0xff;
        let frame = frame_to(Role::Server, 0x81, &text);
        let (mut server, now) = server();
        let (events, _) = read(&mut server, &frame[..frame.len() - 1], 10_000);
        assert!(events.is_empty());
        // It need not be whole to be wrong.
        assert_eq!(server.is_open(), at == 39_999);
        read(&mut server, &frame[frame.len() - 1..], 1);
        assert_eq!(close_code(&transmit(&mut server, now)), Some(1007));
    }
}

#[test]
fn a_buffer_to_read_into_grows_with_what_has_come_and_within_the_budget() {
    let budget = MemoryBudget::new(1 << 20);
    let config = Config {
        memory_budget: Some(budget.clone()),
        ..Config::default()
    };
    let now = Instant::now();
    let mut server = Connection::server(config, now);
    let frame = frame_to(Role::Server, 0x82, &vec![0; 4 << 20]);
    receive(&mut server, &frame[..1000], now);
    assert!(server.payload_buffer().is_none(), "for so little");
    receive(&mut server, &frame[1000..5000], now);
    let buffer = server.payload_buffer().unwrap();
    let capacity = buffer.capacity();
    assert!(capacity <= 4 * 5000 + 4096, "{capacity} in advance");
    // A transport reads what there is room for.
    let (mut at, mut reads) = (5000, 0);
    while server.is_open() {
        reads += 1;
        let Some(buffer) = server.payload_buffer() else {
            receive(&mut server, &frame[at..at + 10_000], now);
            at += 10_000;
            continue;
        };
        let room = buffer.capacity() - buffer.len();
        buffer.extend_from_slice(&frame[at..at + room]);
        at += room;
        assert_eq!(server.handle_payload(now), (None, Vec::new()));
        assert!(budget.used() <= budget.total());
    }
    assert!(reads < 50, "{reads} reads");
    let closing = transmit(&mut server, now);
    assert_eq!(close_code(&closing), Some(1013), "{closing:?}");
}

#[test]
fn nothing_is_read_directly_that_is_compressed_or_handed_out_in_pieces_or_after_the_end() {
    let frame = frame_to(Role::Server, 0x82, &vec![0; 100_000]);
    let (mut server, now) = server();
    assert!(server.payload_buffer().is_none());
    server.deliver_pieces(true);
    receive(&mut server, &frame[..10_000], now);
    assert!(server.payload_buffer().is_none());
    let (mut server, now) = super::server();
    receive(&mut server, &frame[..10_000], now);
    assert!(server.payload_buffer().is_some());
    server.handle_input_end();
    assert!(server.payload_buffer().is_none());
    // Where nothing was lent, nothing is taken.
    assert_eq!(server.handle_payload(now), (None, Vec::new()));
}

#[test]
fn a_frame_that_was_taken_in_part_goes_on_where_it_was_and_control_frames_behind_it() {
    let payload = Bytes::from(vec![7; 10_000]);
    let mut expected = vec![0x82, 126, 0x27, 0x10];
    expected.extend_from_slice(&payload);
    for payload in [Payload::Lent(&payload), Payload::Shared(&payload)] {
        for taken in [0, 1, 3, 4, 5, 5000, 10_003, 10_004] {
            let (mut server, now) = server();
            let sent = server.send_through(MessageKind::Binary, payload, now, |_, _| taken);
            assert_eq!(sent, Ok(true));
            assert_eq!(server.buffered(), expected.len() - taken);
            server.ping(b"p").unwrap();
            server.send_text("next").unwrap();
            let rest = transmit(&mut server, now);
            let border = if taken == 0 { 0 } else { expected.len() };
            let mut all = [&expected[..], b"\x81\x04next"].concat();
            all.splice(border..border, *b"\x89\x01p");
            assert!(rest == all[taken..], "{taken} taken");
        }
    }
}
