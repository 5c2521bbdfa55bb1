use super::*;
use crate::{CloseCode, Closed, ClosedBy, Limits, TimeoutKind};

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

//= rfc6455#5.4-9, rfc6455#6.2-1, rfc6455#6.2-4, rfc6455#5.6-2 test
#[test]
fn the_example_frames_of_the_rfc_are_read() {
    let (mut server, now) = server();
    let masked_hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(receive(&mut server, masked_hello, now), ["text Hello"]);
    let masked_pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(receive(&mut server, masked_pong, now), ["pong Hello"]);

    let (mut client, now) = client();
    let hello = b"\x81\x05\x48\x65\x6c\x6c\x6f";
    assert_eq!(receive(&mut client, hello, now), ["text Hello"]);
    let fragments = b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f";
    assert_eq!(receive(&mut client, fragments, now), ["text Hello"]);
    let ping = b"\x89\x05\x48\x65\x6c\x6c\x6f";
    assert_eq!(receive(&mut client, ping, now), ["ping Hello"]);
    for (header, len) in [
        (&b"\x82\x7e\x01\x00"[..], 256),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65536),
    ] {
        let mut frame = header.to_vec();
        frame.extend(vec![7; len]);
        let expected = format!("binary {:?}", vec![7; len]);
        assert_eq!(receive(&mut client, &frame, now), [expected]);
    }
}

//= rfc6455#5.1-1, rfc6455#5.1-4, rfc6455#5.4-1, rfc6455#5.4-2, rfc6455#5.4-8 test
//= rfc6455#6.1-2, rfc6455#6.1-3, rfc6455#6.1-4, rfc6455#6.1-5, rfc6455#10.3-1 test
#[test]
fn the_example_frames_of_the_rfc_are_written() {
    let (mut server, now) = server();
    server.send_text("Hello").unwrap();
    assert_eq!(transmit(&mut server, now), b"\x81\x05\x48\x65\x6c\x6c\x6f");
    server
        .send_fragment(MessageKind::Text, b"Hel", false)
        .unwrap();
    server
        .send_fragment(MessageKind::Text, b"lo", true)
        .unwrap();
    assert_eq!(
        transmit(&mut server, now),
        b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f"
    );
    server.ping(b"Hello").unwrap();
    assert_eq!(transmit(&mut server, now), b"\x89\x05\x48\x65\x6c\x6c\x6f");
    server.send_binary(&[7; 256]).unwrap();
    assert_eq!(transmit(&mut server, now)[..4], *b"\x82\x7e\x01\x00");
    server.send_binary(&vec![7; 65536]).unwrap();
    let long = transmit(&mut server, now);
    assert_eq!(long[..10], *b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00");

    let (mut client, now) = client();
    client.send_text("Hello").unwrap();
    let masked_hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(transmit(&mut client, now), masked_hello);
    receive(&mut client, b"\x89\x05\x48\x65\x6c\x6c\x6f", now);
    let masked_pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(transmit(&mut client, now), masked_pong);
}

//= rfc6455#5.1-2, rfc6455#5.1-3, rfc6455#5.4-6, rfc6455#5.4-12, rfc6455#7.1.7-1 test
//= rfc6455#7.1.7-3, rfc6455#7.1.7-4, rfc6455#8.1-1, rfc6455#10.7-1, rfc6455#10.7-2 test
//= rfc6455#10.7-3 test
#[test]
fn each_breach_of_the_protocol_fails_the_connection_with_its_code() {
    let cases: &[(&[u8], u16)] = &[
        (b"\xc1\x80\0\0\0\0", 1002),                      // RSV1
        (b"\x83\x80\0\0\0\0", 1002),                      // reserved opcode
        (b"\x8b\x80\0\0\0\0", 1002),                      // reserved control opcode
        (b"\x81\x00", 1002),                              // not masked
        (b"\x82\xfe\x00\x7d", 1002),                      // length not minimal
        (b"\x82\xff\x80\0\0\0\0\0\0\0", 1002),            // length of 64 bits
        (b"\x09\x80", 1002),                              // ping without FIN
        (b"\x89\xfe\x00\x7e", 1002),                      // ping too long
        (b"\x80\x80\0\0\0\0", 1002),                      // nothing to continue
        (b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 1002),      // message in a message
        (b"\x81\x81\0\0\0\0\xff", 1007),                  // not UTF-8
        (b"\x01\x81\0\0\0\0\xce\x80\x81\0\0\0\0a", 1007), // nor over fragments
        (b"\x81\x81\0\0\0\0\xce", 1007),                  // cut code point
        (b"\x88\x81\0\0\0\0\x03", 1002),                  // Close of one byte
        (b"\x88\x82\0\0\0\0\x03\xed", 1002),              // code 1005
        (b"\x88\x82\0\0\0\0\x00\x00", 1002),              // code 0
        (b"\x88\x83\0\0\0\0\x03\xe8\xff", 1007),          // reason not UTF-8
        (b"\x82\xff\0\0\0\0\x01\0\0\x01", 1009),          // frame above 16 MiB
    ];
    for &(bytes, code) in cases {
        // Whole, and byte by byte.
        for size in [bytes.len(), 1] {
            let (mut server, now) = server();
            for piece in bytes.chunks(size) {
                assert_eq!(receive(&mut server, piece, now), [""; 0], "{bytes:x?}");
            }
            let output = transmit(&mut server, now);
            assert_eq!(close_code(&output), Some(code), "{bytes:x?}");
            // What follows is not looked at.
            let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
            assert_eq!(receive(&mut server, hello, now), [""; 0]);
            assert_eq!(server.transport_state(), TransportState::ShutDown);
            server.handle_input_end();
            let closed = server.closed().unwrap();
            assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
            let ClosedBy::Failure(error) = &closed.by else {
                panic!("{closed:?}");
            };
            assert_eq!(error.close_code(), code);
        }
    }
}

#[test]
fn a_client_refuses_a_masked_frame() {
    let (mut client, now) = client();
    receive(&mut client, b"\x81\x85\x37\xfa\x21\x3d", now);
    client.handle_input_end();
    let by = &client.closed().map(|closed| &closed.by);
    // The Close frame is still to be written.
    assert_eq!(*by, None);
    transmit(&mut client, now);
    let by = &client.closed().unwrap().by;
    assert_eq!(*by, ClosedBy::Failure(ProtocolError::Masked));
}

//= rfc6455#8.1-1 test
#[test]
fn text_fails_on_the_first_bad_byte_before_the_message_is_whole() {
    let (mut server, now) = server();
    // 200 bytes are announced, 3 arrive.
    receive(&mut server, b"\x81\xfe\x00\xc8\0\0\0\0a\xc0", now);
    assert_eq!(close_code(&transmit(&mut server, now)), Some(1007));
}

//= rfc6455#5.4-9, rfc6455#6.2-3 test
//= rfc6455#6.2-5 test
#[test]
fn zero_length_frames_and_fragments_make_messages() {
    let (mut server, now) = server();
    let mut bytes = Vec::new();
    bytes.extend(frame_to(Role::Server, 0x81, b""));
    bytes.extend(frame_to(Role::Server, 0x82, b""));
    bytes.extend(frame_to(Role::Server, 0x01, b""));
    bytes.extend(frame_to(Role::Server, 0x00, b"x"));
    bytes.extend(frame_to(Role::Server, 0x80, b""));
    let expected = ["text ", "binary []", "text x"];
    assert_eq!(receive(&mut server, &bytes, now), expected);
}

//= rfc6455#5.4-3, rfc6455#5.4-5, rfc6455#5.4-7, rfc6455#6.2-2, rfc6455#6.2-3 test
#[test]
fn control_frames_between_fragments_are_handled_at_once() {
    let (mut server, now) = server();
    let mut bytes = frame_to(Role::Server, 0x01, b"a");
    bytes.extend(frame_to(Role::Server, 0x89, b"1"));
    bytes.extend(frame_to(Role::Server, 0x00, b"b"));
    bytes.extend(frame_to(Role::Server, 0x89, b"2"));
    bytes.extend(frame_to(Role::Server, 0x80, b"c"));
    let expected = ["ping 1", "ping 2", "text abc"];
    assert_eq!(receive(&mut server, &bytes, now), expected);
    assert_eq!(transmit(&mut server, now), b"\x8a\x011\x8a\x012");
}

//= rfc6455#5.5.2-1, rfc6455#5.5.2-2, rfc6455#5.5.3-1 test
#[test]
fn pongs_go_out_in_order_and_before_queued_data() {
    let (mut server, now) = server();
    server.send_text("data").unwrap();
    for payload in [&b"1"[..], b"2", b"3"] {
        receive(&mut server, &frame_to(Role::Server, 0x89, payload), now);
    }
    let output = transmit(&mut server, now);
    assert_eq!(output, b"\x8a\x011\x8a\x012\x8a\x013\x81\x04data");
}

#[test]
fn more_pings_than_the_limit_without_taking_the_pongs_end_in_1008() {
    let (mut server, now) = server();
    let ping = frame_to(Role::Server, 0x89, b"");
    receive(&mut server, &ping.repeat(64), now);
    assert!(server.is_open() && server.should_transmit());
    receive(&mut server, &ping, now);
    assert_eq!(close_code(&transmit(&mut server, now)), Some(1008));
}

//= rfc6455#5.5.3-3 test
#[test]
fn an_unsolicited_pong_changes_nothing() {
    let (mut server, now) = server();
    let pong = frame_to(Role::Server, 0x8a, b"hm");
    assert_eq!(receive(&mut server, &pong, now), ["pong hm"]);
    assert!(server.is_open() && transmit(&mut server, now).is_empty());
}

//= rfc6455#5.5.1-2, rfc6455#5.5.1-6, rfc6455#5.5.1-7, rfc6455#5.5.1-8, rfc6455#5.5.1-11 test
//= rfc6455#5.5.1-12, rfc6455#5.5.1-9, rfc6455#5.5.1-10, rfc6455#6.1-1, rfc6455#7.1.1-2 test
//= rfc6455#7.1.2-2, rfc6455#7.1.3-1, rfc6455#7.1.4-1, rfc6455#7.1.5-1, rfc6455#7.1.6-1 test
#[test]
fn a_close_from_the_peer_is_echoed_and_the_server_drops_the_transport_first() {
    for (payload, code, reason) in [
        (&b""[..], 1005, ""),
        (b"\x03\xe8", 1000, ""),
        (b"\x0f\xa1bye", 4001, "bye"),
    ] {
        let (mut server, now) = server();
        server.send_text("last").unwrap();
        receive(&mut server, &frame_to(Role::Server, 0x88, payload), now);
        assert_eq!(server.send_text("late"), Err(SendError::Closed));
        let mut expected = b"\x81\x04last\x88".to_vec();
        expected.push(payload.len() as u8);
        expected.extend(payload);
        assert_eq!(server.transport_state(), TransportState::Open);
        assert_eq!(transmit(&mut server, now), expected);
        assert_eq!(server.transport_state(), TransportState::Closed);
        let closed = Closed {
            code: code.into(),
            reason: reason.to_owned(),
            clean: true,
            by: ClosedBy::Peer,
        };
        assert_eq!(server.closed(), Some(&closed));
    }
}

//= rfc6455#5.5.1-13, rfc6455#7.1.1-3 test
//= rfc6455#7.1.1-5 test
#[test]
fn a_client_waits_a_bounded_time_for_the_server_to_drop_the_transport() {
    for ended in [true, false] {
        let (mut client, now) = client();
        client.close(None, now);
        assert_eq!(transmit(&mut client, now).len(), 6);
        receive(&mut client, b"\x88\x02\x03\xe8", now);
        assert_eq!(client.transport_state(), TransportState::Open);
        if ended {
            client.handle_input_end();
        } else {
            assert_eq!(client.next_timeout(), Some(now + 10 * SECOND));
            client.handle_timeout(now + 10 * SECOND);
        }
        let closed = client.closed().unwrap();
        assert!(closed.clean && closed.code == CloseCode::NORMAL);
        assert_eq!(closed.by, ClosedBy::Local);
    }
}

//= rfc6455#5.5.1-14, rfc6455#5.5.1-3, rfc6455#7.1.2-1 test
#[test]
fn simultaneous_closes_end_cleanly_on_both_sides() {
    let (mut client, now) = client();
    let (mut server, _) = server();
    client.close(
        CloseFrame::new(Role::Client, 4000.into(), "c")
            .ok()
            .as_ref(),
        now,
    );
    server.close(
        CloseFrame::new(Role::Server, 4001.into(), "s")
            .ok()
            .as_ref(),
        now,
    );
    let from_client = transmit(&mut client, now);
    let from_server = transmit(&mut server, now);
    assert_eq!(receive(&mut client, &from_server, now), ["closing 4001 s"]);
    assert_eq!(receive(&mut server, &from_client, now), ["closing 4000 c"]);
    assert!(transmit(&mut client, now).is_empty() && transmit(&mut server, now).is_empty());
    client.handle_input_end();
    assert!(server.closed().unwrap().clean && client.closed().unwrap().clean);
}

//= rfc6455#5.5.1-11 test
#[test]
fn data_after_a_close_is_ignored() {
    let (mut server, now) = server();
    let mut bytes = frame_to(Role::Server, 0x88, b"\x03\xe8");
    bytes.extend(frame_to(Role::Server, 0x81, b"late"));
    bytes.extend(b"\xff\xff");
    assert_eq!(receive(&mut server, &bytes, now), ["closing 1000 "]);
}

#[test]
fn messages_on_their_way_when_we_close_still_arrive() {
    let (mut server, now) = server();
    server.close(None, now);
    let text = frame_to(Role::Server, 0x81, b"crossing");
    assert_eq!(receive(&mut server, &text, now), ["text crossing"]);
    let ping = frame_to(Role::Server, 0x89, b"x");
    assert_eq!(receive(&mut server, &ping, now), ["ping x"]);
    assert_eq!(
        transmit(&mut server, now),
        b"\x88\x00",
        "no pong after a Close"
    );
}

//= rfc6455#7.1.4-1, rfc6455#7.1.5-1, rfc6455#7.2.1-1 test
#[test]
fn a_transport_that_ends_without_a_close_is_1006() {
    let (mut server, _) = server();
    server.handle_input_end();
    assert_eq!(server.closed(), Some(&Closed::abnormal(ClosedBy::Lost)));
}

#[test]
fn a_peer_that_does_not_answer_our_close_is_given_up_after_the_close_timeout() {
    let (mut server, now) = server();
    server.close(None, now);
    transmit(&mut server, now);
    server.handle_timeout(now + 9 * SECOND);
    assert!(server.closed().is_none());
    server.handle_timeout(now + 10 * SECOND);
    let by = ClosedBy::Timeout(TimeoutKind::Close);
    assert_eq!(server.closed(), Some(&Closed::abnormal(by)));
}

#[test]
fn a_close_that_waits_in_the_input_is_found_after_writing_fails() {
    let (mut client, now) = client();
    client.send_text("lost").unwrap();
    client.handle_output_failed(now);
    assert!(client.closed().is_none());
    receive(&mut client, b"\x88\x04\x03\xe9by", now);
    client.handle_input_end();
    let closed = client.closed().unwrap();
    assert_eq!((closed.code, closed.clean), (CloseCode::GOING_AWAY, false));
}

#[test]
fn a_dead_peer_is_found_by_the_heartbeat() {
    let (mut server, start) = server();
    let mut now = start + 20 * SECOND;
    assert_eq!(server.next_timeout(), Some(now));
    server.handle_timeout(now);
    assert_eq!(transmit(&mut server, now)[..2], [0x89, 8]);
    // A byte a second is no sign of life.
    receive(
        &mut server,
        &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        now,
    );
    for _ in 0..20 {
        now += SECOND;
        receive(&mut server, &[1], now);
        server.handle_timeout(now);
    }
    assert_eq!(close_code(&transmit(&mut server, now)), Some(1011));
    assert_eq!(server.next_timeout(), Some(now + SECOND));
    server.handle_timeout(now + SECOND);
    let by = ClosedBy::Timeout(TimeoutKind::Heartbeat);
    assert_eq!(server.closed(), Some(&Closed::abnormal(by)));
}

#[test]
fn an_idle_connection_is_closed_with_1001_where_that_is_wished_for() {
    let start = Instant::now();
    let config = Config {
        idle_timeout: Some(30 * SECOND),
        heartbeat: None,
        ..Config::default()
    };
    let mut server = Connection::server(config, start);
    let text = frame_to(Role::Server, 0x81, b"");
    receive(&mut server, &text, start + 10 * SECOND);
    let pong = frame_to(Role::Server, 0x8a, b"");
    receive(&mut server, &pong, start + 20 * SECOND);
    assert_eq!(server.next_timeout(), Some(start + 40 * SECOND));
    server.send_text("x").unwrap();
    transmit(&mut server, start + 30 * SECOND);
    server.handle_timeout(start + 59 * SECOND);
    assert!(server.is_open());
    server.handle_timeout(start + 60 * SECOND);
    assert_eq!(close_code(&transmit(&mut server, start)), Some(1001));
}

//= rfc6455#10.4-1 test
//= rfc6455#10.4-2 test
#[test]
fn each_limit_ends_in_its_code_and_is_named() {
    let small = Limits {
        message_size: 10,
        fragments: 3,
        ..Limits::default()
    };
    let first = |payload: &[u8]| frame_to(Role::Server, 0x02, payload);
    let next = |payload: &[u8]| frame_to(Role::Server, 0x00, payload);
    let cases = [
        (
            frame_to(Role::Server, 0x82, &[0; 11]),
            1009,
            Limit::MessageSize,
        ),
        (
            [first(&[0; 6]), next(&[0; 5])].concat(),
            1009,
            Limit::MessageSize,
        ),
        (
            [first(b""), next(b""), next(b""), next(b"")].concat(),
            1008,
            Limit::Fragments,
        ),
    ];
    for (bytes, code, limit) in cases {
        let mut server = server_with(small.clone());
        let now = Instant::now();
        receive(&mut server, &bytes, now);
        let output = transmit(&mut server, now);
        assert_eq!(close_code(&output), Some(code));
        let text = String::from_utf8_lossy(&output).into_owned();
        assert!(text.contains(&limit.to_string()), "{text}");
    }
}

#[test]
fn nothing_is_reserved_for_what_a_header_announces() {
    let budget = crate::MemoryBudget::new(1 << 20);
    let now = Instant::now();
    let config = Config {
        memory_budget: Some(budget.clone()),
        ..Config::default()
    };
    let mut server = Connection::server(config, now);
    // 16 MiB announced, 2 bytes sent.
    let mut bytes = b"\x82\xff\0\0\0\0\x01\0\0\0\0\0\0\0ab".to_vec();
    assert!(receive(&mut server, &bytes, now).is_empty());
    assert!(server.is_open() && budget.used() <= 1024);
    // What does arrive is counted, up to the budget.
    bytes = vec![0; 1 << 20];
    receive(&mut server, &bytes, now);
    assert_eq!(close_code(&transmit(&mut server, now)), Some(1013));
    assert_eq!(budget.used(), 0);
}

#[test]
fn output_above_the_high_water_mark_is_refused_and_nothing_is_lost() {
    let mut server = server_with(Limits {
        output_high_water: 100,
        ..Limits::default()
    });
    let now = Instant::now();
    server.send_binary(&[1; 200]).unwrap();
    assert!(server.is_output_full());
    assert_eq!(
        server.send_text("x"),
        Err(SendError::OutputFull {
            buffered: 204,
            high_water: 100
        })
    );
    assert_eq!(transmit(&mut server, now).len(), 204);
    server.send_text("x").unwrap();
}

//= rfc6455#5.3-2, rfc6455#5.5.1-5, rfc6455#10.3-2, rfc6455#10.3-1 test
#[test]
fn each_frame_of_a_client_has_a_new_masking_key() {
    let mut next = 0_u32;
    let now = Instant::now();
    let keys = Box::new(move || {
        next += 1;
        next.to_be_bytes()
    });
    let mut client = Connection::client(Config::default(), keys, now);
    client.send_binary(&[0]).unwrap();
    client.ping(&[0]).unwrap();
    client
        .send_fragment(MessageKind::Binary, &[0], false)
        .unwrap();
    client
        .send_fragment(MessageKind::Binary, &[0], true)
        .unwrap();
    client.close(None, now);
    let output = transmit(&mut client, now);
    let keys: Vec<u8> = [5, 12, 19, 26, 33].iter().map(|&at| output[at]).collect();
    assert_eq!(keys, [2, 1, 3, 4, 5]);
}

//= rfc6455#5.4-6 test
#[test]
fn a_message_may_not_cut_into_one_that_is_being_sent_but_a_ping_may() {
    let (mut server, now) = server();
    server
        .send_fragment(MessageKind::Text, b"a", false)
        .unwrap();
    assert_eq!(server.send_text("b"), Err(SendError::MessageInterrupted));
    assert_eq!(
        server.send_fragment(MessageKind::Binary, b"b", true),
        Err(SendError::MessageInterrupted)
    );
    server.ping(b"").unwrap();
    server.send_fragment(MessageKind::Text, b"c", true).unwrap();
    server.send_text("d").unwrap();
    let output = transmit(&mut server, now);
    assert_eq!(output, b"\x89\x00\x01\x01a\x80\x01c\x81\x01d");
}

#[test]
fn an_encoded_message_is_the_same_frame_on_each_connection() {
    let message = EncodedMessage::text("Hello");
    let (mut server, now) = server();
    server.send_encoded(&message).unwrap();
    assert_eq!(transmit(&mut server, now), b"\x81\x05Hello");
    let (mut client, now) = client();
    client.send_encoded(&message).unwrap();
    let masked_hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(transmit(&mut client, now), masked_hello);
}

#[test]
fn a_failure_in_the_middle_of_a_frame_finishes_it_before_the_close() {
    let (mut server, now) = server();
    server.send_text("first").unwrap();
    server.send_text("second").unwrap();
    let mut slices = [IoSlice::new(&[]); 2];
    assert_eq!(server.poll_transmit(&mut slices), 1);
    server.handle_transmitted(3, now);
    receive(&mut server, b"\xff", now);
    let rest = transmit(&mut server, now);
    assert_eq!(&rest[..5], b"irst\x88");
}

#[test]
fn times_that_no_clock_reaches_are_never_and_not_a_panic() {
    let now = Instant::now();
    let config = Config {
        heartbeat: Some(Heartbeat {
            interval: Duration::MAX,
            timeout: Duration::MAX,
        }),
        idle_timeout: Some(Duration::MAX),
        close_timeout: Duration::MAX,
        linger: Duration::MAX,
        ..Config::default()
    };
    let mut server = Connection::server(config, now);
    server.send_text("x").unwrap();
    transmit(&mut server, now);
    server.handle_timeout(now + 1000 * SECOND);
    assert!(server.is_open());
    server.close(None, now);
    assert!(server.next_timeout().unwrap() > now + 1000 * SECOND);
    receive(&mut server, b"\xff", now);
    assert!(server.next_timeout().unwrap() > now + 1000 * SECOND);
}
