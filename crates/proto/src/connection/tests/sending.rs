//! What goes out.

use super::*;

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

//= rfc6455#5.5.3-2 test
#[test]
fn past_the_limit_the_newest_pong_takes_the_place_of_the_one_before() {
    let (mut server, now) = server();
    server.send_text("partly").unwrap();
    server.handle_transmitted(1, now);
    for number in 0..1000_u16 {
        let ping = frame_to(Role::Server, 0x89, &number.to_be_bytes());
        receive(&mut server, &ping, now);
        assert_eq!(server.should_transmit(), number >= 32);
    }
    assert_eq!(server.buffered(), 7 + 64 * 4);
    let output = transmit(&mut server, now);
    let pongs: Vec<u16> = output[7..]
        .chunks(4)
        .map(|pong| u16::from_be_bytes([pong[2], pong[3]]))
        .collect();
    assert_eq!(pongs, (0..63).chain([999]).collect::<Vec<_>>());
}

#[test]
fn a_peer_that_reads_slowly_and_pings_on_is_answered_for_ever() {
    let (mut server, now) = server();
    let ping = frame_to(Role::Server, 0x89, &[7; 125]);
    receive(&mut server, &ping, now);
    for _ in 0..10_000 {
        receive(&mut server, &ping, now);
        // One behind, and in the middle of a frame.
        server.handle_transmitted(127, now);
        assert_eq!(server.buffered(), 127);
    }
    assert!(!server.should_transmit());
    assert!(server.output.held() < 20_000, "{}", server.output.held());
    assert_eq!(transmit(&mut server, now)[..2], [0x8a, 125]);
}

#[test]
fn a_pong_that_is_partly_sent_is_never_replaced() {
    let mut server = server_with(Limits::default().queued_control_frames(1));
    let now = Instant::now();
    receive(&mut server, &frame_to(Role::Server, 0x89, b"1"), now);
    server.handle_transmitted(1, now);
    receive(&mut server, &frame_to(Role::Server, 0x89, b"2"), now);
    receive(&mut server, &frame_to(Role::Server, 0x89, b"3"), now);
    assert_eq!(transmit(&mut server, now), b"\x011\x8a\x013");
}

#[test]
fn pings_of_the_program_past_the_limit_are_refused_and_pongs_are_not() {
    let (mut server, now) = server();
    for _ in 0..64 {
        server.ping(b"").unwrap();
    }
    let refused = SendError::LimitExceeded {
        limit: Limit::QueuedControlFrames,
        value: 65,
        max: 64,
    };
    assert_eq!(server.ping(b""), Err(refused));
    receive(&mut server, &frame_to(Role::Server, 0x89, b"p"), now);
    assert!(transmit(&mut server, now).ends_with(b"\x8a\x01p"));
    server.ping(b"").unwrap();
}

#[test]
fn the_budget_counts_what_output_holds_until_it_is_given_back() {
    let now = Instant::now();
    let budget = MemoryBudget::new(100_000);
    let config = || Config {
        memory_budget: Some(budget.clone()),
        ..Config::default()
    };
    let mut server = Connection::server(config(), now);
    server
        .send_bytes(MessageKind::Binary, &vec![0; 60_000].into())
        .unwrap();
    server.handle_transmitted(50_000, now);
    assert!(budget.used() >= 60_000, "{} of a payload", budget.used());
    let refused = server.send_binary(&vec![0; 60_000]).unwrap_err();
    assert!(matches!(
        refused,
        SendError::LimitExceeded {
            limit: Limit::MemoryBudget,
            ..
        }
    ));
    transmit(&mut server, now);
    assert_eq!(budget.used(), 0);
    // Memory is taken in advance only where there is some.
    let mut sent = 0;
    while server.send_binary(&[0; 998]).is_ok() {
        sent += 1;
    }
    assert!(sent >= 97, "{sent} messages of 1,002 bytes");
    // Answers wait for none, but take little.
    let ping = frame_to(Role::Server, 0x89, &[0; 125]);
    receive(&mut server, &ping.repeat(60), now);
    let pongs = server.buffered() - sent * 1002;
    assert!((127..1000).contains(&pongs), "{pongs} bytes of pongs");
    // What a failure drops is given back.
    receive(&mut server, b"\xff\xff", now);
    assert!(budget.used() < 1000, "{} held", budget.used());
    drop(server);
    assert_eq!(budget.used(), 0);
}

//= rfc6455#5.5.3-3 test
#[test]
fn an_unsolicited_pong_changes_nothing() {
    let (mut server, now) = server();
    let pong = frame_to(Role::Server, 0x8a, b"hm");
    assert_eq!(receive(&mut server, &pong, now), ["pong hm"]);
    assert!(server.is_open() && transmit(&mut server, now).is_empty());
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
