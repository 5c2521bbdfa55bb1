//! What arrives: frames, messages, limits.

use super::*;

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
fn a_message_of_one_frame_is_within_every_limit_of_fragments_however_it_arrives() {
    let whole = frame_to(Role::Server, 0x82, b"ab");
    for step in [1, whole.len()] {
        let mut server = server_with(Limits::default().fragments(0));
        let now = Instant::now();
        let parts = whole.chunks(step);
        let events: Vec<_> = parts
            .flat_map(|part| receive(&mut server, part, now))
            .collect();
        assert_eq!(events, ["binary [97, 98]"]);
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
