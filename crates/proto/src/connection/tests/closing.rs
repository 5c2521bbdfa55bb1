//! How connections end.

use super::*;

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

//= rfc6455#5.5.2-1 test
#[test]
fn until_the_peer_closes_too_its_messages_arrive_and_its_pings_are_answered() {
    let (mut server, now) = server();
    server.close(None, now);
    let text = frame_to(Role::Server, 0x81, b"crossing");
    assert_eq!(receive(&mut server, &text, now), ["text crossing"]);
    let ping = |payload| frame_to(Role::Server, 0x89, payload);
    assert_eq!(receive(&mut server, &ping(b"x"), now), ["ping x"]);
    assert_eq!(transmit(&mut server, now), b"\x8a\x01x\x88\x00");
    assert_eq!(receive(&mut server, &ping(b"y"), now), ["ping y"]);
    assert_eq!(transmit(&mut server, now), b"\x8a\x01y");
    let mut last = frame_to(Role::Server, 0x88, b"");
    last.extend(ping(b"z"));
    assert_eq!(receive(&mut server, &last, now), ["closing"]);
    assert!(transmit(&mut server, now).is_empty());
    assert!(server.closed().unwrap().clean);
}

#[test]
fn pings_without_end_do_not_put_off_the_end_of_the_closing_handshake() {
    let (mut server, start) = server();
    server.close(None, start);
    let ping = frame_to(Role::Server, 0x89, &[0; 125]);
    for second in 0..10 {
        assert!(server.closed().is_none(), "after {second} s");
        let now = start + second * SECOND;
        for _ in 0..100 {
            receive(&mut server, &ping, now);
            transmit(&mut server, now);
        }
        server.handle_timeout(now + SECOND);
    }
    let by = ClosedBy::Timeout(TimeoutKind::Close);
    assert_eq!(server.closed(), Some(&Closed::abnormal(by)));
}

#[test]
fn messages_before_our_answer_to_a_close_get_the_time_that_they_take() {
    let (mut server, start) = server();
    server.send_binary(&vec![0; 100_000]).unwrap();
    receive(&mut server, &frame_to(Role::Server, 0x88, b""), start);
    for step in 1..=10 {
        let now = start + step * 9 * SECOND;
        server.handle_timeout(now);
        assert!(server.closed().is_none(), "closed in step {step}");
        server.handle_transmitted(10_000, now);
    }
    server.handle_timeout(start + 100 * SECOND);
    server.handle_timeout(start + 110 * SECOND);
    assert!(!server.closed().unwrap().clean, "the Close is not out");
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
fn a_second_failure_to_write_takes_nothing_from_the_first() {
    let (mut client, now) = client();
    client.send_text("lost").unwrap();
    client.handle_output_failed(now);
    client.handle_output_failed(now);
    assert_eq!(receive(&mut client, b"\x88\x00", now), ["closing"]);
    client.handle_output_failed(now);
    let closed = client.closed().unwrap();
    assert_eq!((closed.code, closed.clean), (CloseCode::NO_STATUS, false));
}

#[test]
fn a_failure_to_write_after_our_close_is_out_does_not_make_the_end_unclean() {
    for (out, by) in [(true, ClosedBy::Local), (false, ClosedBy::Peer)] {
        let (mut client, now) = client();
        client.close(None, now);
        client.handle_transmitted(if out { 6 } else { 5 }, now);
        receive(&mut client, b"\x89\x00", now);
        client.handle_output_failed(now);
        assert!(client.closed().is_none() && client.buffered() == 0);
        receive(&mut client, b"\x88\x02\x03\xe8", now);
        client.handle_input_end();
        let closed = client.closed().unwrap();
        assert_eq!((closed.clean, &closed.by), (out, &by));
    }
}

#[test]
fn a_violation_after_writing_has_failed_ends_the_connection_at_once() {
    let (mut client, now) = client();
    client.handle_output_failed(now);
    receive(&mut client, b"\xff\x00", now);
    assert_eq!(client.transport_state(), TransportState::Closed);
    let by = &client.closed().unwrap().by;
    assert!(matches!(by, ClosedBy::Failure(_)), "{by:?}");
}

#[test]
fn after_writing_has_failed_the_rest_of_the_input_has_the_time_to_linger() {
    let (mut client, now) = client();
    client.handle_output_failed(now);
    assert_eq!(client.next_timeout(), Some(now + SECOND));
    client.handle_timeout(now + SECOND);
    assert_eq!(client.closed(), Some(&Closed::abnormal(ClosedBy::Lost)));
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

fn closed_where_idle(now: Instant) -> Connection {
    let config = Config {
        idle_timeout: Some(30 * SECOND),
        heartbeat: None,
        ..Config::default()
    };
    Connection::server(config, now)
}

#[test]
fn an_idle_connection_is_closed_with_1001_where_that_is_wished_for() {
    let start = Instant::now();
    let mut server = closed_where_idle(start);
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

#[test]
fn a_large_message_on_a_slow_line_is_not_idle() {
    let start = Instant::now();
    let mut server = closed_where_idle(start);
    server.send_binary(&vec![0; 100_000]).unwrap();
    for step in 1..10 {
        let now = start + step * 20 * SECOND;
        server.handle_transmitted(10_000, now);
        server.handle_timeout(now);
        assert!(server.is_open(), "closed in step {step}");
    }
    server.ping(b"").unwrap();
    server.handle_timeout(start + 210 * SECOND);
    assert!(!server.is_open(), "nothing moved");
}

#[test]
fn a_ping_of_the_heartbeat_goes_out_however_many_of_the_program_wait() {
    let (mut server, start) = server();
    while server.ping(b"").is_ok() {}
    let now = start + 20 * SECOND;
    server.handle_timeout(now);
    let output = transmit(&mut server, now);
    assert!(output.ends_with(b"\x89\x08\0\0\0\0\0\0\0\x01"));
    let pong = frame_to(Role::Server, 0x8a, &1_u64.to_be_bytes());
    receive(&mut server, &pong, now + SECOND);
    assert_eq!(server.latency(), Some(SECOND));
}

#[test]
fn a_peer_that_answers_only_the_last_of_several_pings_is_alive() {
    let (mut server, start) = server();
    let now = start + 20 * SECOND;
    server.handle_timeout(now);
    server.ping(b"own").unwrap();
    receive(&mut server, &frame_to(Role::Server, 0x8a, b"own"), now);
    server.handle_timeout(now + 20 * SECOND);
    assert!(server.is_open());
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
