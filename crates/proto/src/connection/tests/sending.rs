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
