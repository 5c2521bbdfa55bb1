//! Compression between two ends, and against frames written by hand.

use super::*;
use crate::deflate::{Agreement, Compression, CompressionConfig, accept, offer};
use crate::limits::MemoryBudget;

fn agreed(mode: Compression) -> Agreement {
    let config = CompressionConfig::default().mode(mode);
    accept(&config, &offer(&config)).unwrap().1
}

fn config(mode: Compression) -> Config {
    Config {
        compression: CompressionConfig::default().mode(mode),
        ..Config::default()
    }
}

fn compressed_server(config: Config, now: Instant) -> Connection {
    let agreement = agreed(config.compression.mode);
    Connection::server(config, now).with_compression(Some(agreement))
}

fn compressed_client(config: Config, now: Instant) -> Connection {
    let agreement = agreed(config.compression.mode);
    client_with(config, now).with_compression(Some(agreement))
}

fn random_bytes(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn long_text(seed: usize) -> String {
    let items: Vec<String> = (0..100)
        .map(|i| format!("item {} of {seed}", i * seed % 17))
        .collect();
    items.join(", ")
}

//= rfc7692#6-1, rfc7692#6.1-1, rfc7692#6.2-1, rfc6455#6.2-6 test
#[test]
fn a_compressed_message_has_rsv1_and_arrives_as_it_was() {
    for mode in [Compression::Shared, Compression::DEDICATED] {
        let now = Instant::now();
        let mut server = compressed_server(config(mode), now);
        let mut client = compressed_client(config(mode), now);
        for round in 1..5 {
            let text = long_text(round);
            client.send_text(&text).unwrap();
            let sent = transmit(&mut client, now);
            assert_eq!(sent[0], 0xc1);
            assert!(sent.len() < text.len() / 2);
            assert_eq!(receive(&mut server, &sent, now), [format!("text {text}")]);
            server.send_binary(text.as_bytes()).unwrap();
            let sent = transmit(&mut server, now);
            assert_eq!(sent[0], 0xc2);
            let expected = format!("binary {:?}", text.as_bytes());
            assert_eq!(receive(&mut client, &sent, now), [expected]);
        }
    }
}

//= rfc7692#6.1-1, rfc7692#6.2-3 test
#[test]
fn a_message_not_worth_compressing_is_sent_as_it_is() {
    let now = Instant::now();
    let mut server = compressed_server(config(Compression::Shared), now);
    let mut client = compressed_client(config(Compression::Shared), now);
    let random = random_bytes(1000);
    server.send_text(&"a".repeat(255)).unwrap();
    server.send_binary(&random).unwrap();
    server.send_text(&"a".repeat(256)).unwrap();
    let sent = transmit(&mut server, now);
    let second = 4 + 255;
    let third = second + 4 + 1000;
    assert_eq!((sent[0], sent[second], sent[third]), (0x81, 0x82, 0xc1));
    let events = receive(&mut client, &sent, now);
    assert_eq!(events[1], format!("binary {random:?}"));
    assert_eq!(events.len(), 3);
}

#[test]
fn a_message_sent_as_it_is_is_no_part_of_the_context() {
    let now = Instant::now();
    let mut server = compressed_server(config(Compression::DEDICATED), now);
    let mut client = compressed_client(config(Compression::DEDICATED), now);
    let random = random_bytes(1000);
    for _ in 0..3 {
        server.send_text(&long_text(3)).unwrap();
        server.send_binary(&random).unwrap();
        server.send_text(&long_text(3)).unwrap();
        let sent = transmit(&mut server, now);
        let events = receive(&mut client, &sent, now);
        let text = format!("text {}", long_text(3));
        assert_eq!(events, [text.clone(), format!("binary {random:?}"), text]);
    }
}

//= rfc7692#6-2, rfc7692#6-3 test
#[test]
fn rsv1_anywhere_else_fails_the_connection() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let cases: [&[(u8, &[u8])]; 7] = [
        &[(0xc9, b"")],                              // a ping
        &[(0xca, b"")],                              // a pong
        &[(0xc8, b"")],                              // a Close
        &[(0x41, &hello[..2]), (0xc0, &hello[2..])], // a continuation
        &[(0xa1, hello)],                            // RSV2
        &[(0xd1, hello)],                            // RSV3 with RSV1
        &[(0xc3, hello)],                            // a reserved opcode
    ];
    for frames in cases {
        let now = Instant::now();
        let mut server = compressed_server(config(Compression::Shared), now);
        for (first, payload) in frames {
            receive(&mut server, &frame_to(Role::Server, *first, payload), now);
        }
        let output = transmit(&mut server, now);
        assert_eq!(close_code(&output), Some(1002), "{frames:x?}");
    }
    // Without an agreement, on a data frame too.
    let (mut plain, now) = server();
    receive(&mut plain, &frame_to(Role::Server, 0xc1, hello), now);
    assert_eq!(close_code(&transmit(&mut plain, now)), Some(1002));
}

//= rfc7692#6.2-2 test
#[test]
fn a_compressed_message_may_be_cut_anywhere_with_control_frames_between() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    for cut in 0..=hello.len() {
        let now = Instant::now();
        let mut server = compressed_server(config(Compression::Shared), now);
        let bytes = [
            frame_to(Role::Server, 0x41, &hello[..cut]),
            frame_to(Role::Server, 0x89, b"ping"),
            frame_to(Role::Server, 0x00, b""),
            frame_to(Role::Server, 0x80, &hello[cut..]),
            frame_to(Role::Server, 0x81, b"plain"),
        ]
        .concat();
        for step in [1, bytes.len()] {
            let mut events = Vec::new();
            for part in bytes.chunks(step) {
                events.extend(receive(&mut server, part, now));
            }
            assert_eq!(events, ["ping ping", "text Hello", "text plain"]);
        }
    }
}

#[test]
fn a_message_that_is_no_deflate_data_is_told_by_1007() {
    for payload in [&b"\xff\xff"[..], b"\xf2\x48", b"\xf2\x00\x11\x00\x00"] {
        let now = Instant::now();
        let mut server = compressed_server(config(Compression::Shared), now);
        assert!(receive(&mut server, &frame_to(Role::Server, 0xc2, payload), now).is_empty());
        assert_eq!(close_code(&transmit(&mut server, now)), Some(1007));
    }
    // Plain text that is no UTF-8.
    let now = Instant::now();
    let mut server = compressed_server(config(Compression::Shared), now);
    let stored = b"\x00\x02\x00\xfd\xff\xc3\x28\x00";
    assert!(receive(&mut server, &frame_to(Role::Server, 0xc1, stored), now).is_empty());
    assert_eq!(close_code(&transmit(&mut server, now)), Some(1007));
}

/// About 1 MiB that decompresses to 1 GiB of zeros.
fn bomb() -> Vec<u8> {
    let mut mebibyte = vec![0; 4096];
    let mut machine = zlib_rs::Deflate::new(9, false, 15);
    let zeros = vec![0; 1 << 20];
    machine
        .compress(&zeros, &mut mebibyte, zlib_rs::DeflateFlush::FullFlush)
        .unwrap();
    mebibyte.truncate(machine.total_out() as usize);
    let bomb = mebibyte.repeat(1024);
    assert!((1 << 19..1 << 21).contains(&bomb.len()));
    bomb
}

#[test]
fn a_bomb_ends_in_1009_with_the_message_limit_held_at_most() {
    let bomb = bomb();
    for (step, fragmented) in [(usize::MAX, false), (1000, false), (4096, true)] {
        let now = Instant::now();
        let limits = Limits::default().message_size(1 << 20);
        // What is beside the message: a decompressor, while more is to come.
        let budget = MemoryBudget::new((1 << 20) + (46 << 10));
        let mut server = compressed_server(
            Config {
                limits,
                memory_budget: Some(budget.clone()),
                ..config(Compression::Shared)
            },
            now,
        );
        let bytes = if fragmented {
            let mut bytes = frame_to(Role::Server, 0x42, b"");
            for part in bomb.chunks(step) {
                bytes.extend(frame_to(Role::Server, 0x00, part));
            }
            bytes
        } else {
            frame_to(Role::Server, 0xc2, &bomb)
        };
        for part in bytes.chunks(step) {
            assert!(receive(&mut server, part, now).is_empty());
        }
        assert_eq!(close_code(&transmit(&mut server, now)), Some(1009));
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn a_broadcast_is_compressed_once_for_all_with_the_same_settings() {
    let now = Instant::now();
    let message = EncodedMessage::text(&long_text(3));
    let mut frames = Vec::new();
    for mode in [
        Compression::Shared,
        Compression::DEDICATED,
        Compression::Shared,
    ] {
        let mut server = compressed_server(config(mode), now);
        let mut client = compressed_client(config(mode), now);
        for text in [long_text(4), long_text(3)] {
            server.send_text(&text).unwrap();
        }
        server.send_encoded(&message).unwrap();
        server.send_text(&long_text(3)).unwrap();
        let settings = server.deflater.as_ref().unwrap().settings();
        frames.push(message.packed(settings).unwrap());
        let sent = transmit(&mut server, now);
        let events = receive(&mut client, &sent, now);
        assert_eq!(events.len(), 4);
        assert_eq!(events[2], format!("text {}", long_text(3)));
        assert_eq!(events[3], events[2]);
        // A client masks it, and compresses no more than a server.
        client.send_encoded(&message).unwrap();
        let sent = transmit(&mut client, now);
        assert_eq!(sent[0], 0xc1);
        assert_eq!(receive(&mut server, &sent, now), [events[2].clone()]);
    }
    // The same bytes in memory.
    let first = frames[0].bytes().as_ptr();
    assert!(frames.iter().all(|frame| frame.bytes().as_ptr() == first));
    let (mut plain, now) = server();
    plain.send_encoded(&message).unwrap();
    assert_eq!(transmit(&mut plain, now)[0], 0x81);
}

#[test]
fn a_context_unused_for_long_is_freed_and_counted_out_of_the_budget() {
    let now = Instant::now();
    let budget = MemoryBudget::new(1 << 20);
    let mut settings = Config {
        heartbeat: None,
        memory_budget: Some(budget.clone()),
        ..config(Compression::DEDICATED)
    };
    settings.compression.idle_timeout = Some(SECOND * 5);
    let mut server = compressed_server(settings, now);
    let mut client = compressed_client(config(Compression::DEDICATED), now);
    assert_eq!(server.next_timeout(), None);
    server.send_text(&long_text(1)).unwrap();
    let sent = transmit(&mut server, now);
    receive(&mut client, &sent, now);
    assert!(budget.used() >= long_text(1).len());
    assert_eq!(server.next_timeout(), Some(now + SECOND * 5));
    server.send_text(&long_text(1)).unwrap();
    let later = now + SECOND;
    let again = transmit(&mut server, later);
    assert!(again.len() < sent.len() / 2);
    receive(&mut client, &again, later);
    assert_eq!(server.next_timeout(), Some(later + SECOND * 5));
    server.handle_timeout(later + SECOND * 5);
    assert_eq!((budget.used(), server.next_timeout()), (0, None));
    server.send_text(&long_text(1)).unwrap();
    let fresh = transmit(&mut server, later + SECOND * 6);
    assert_eq!(fresh, sent);
    assert_eq!(receive(&mut client, &fresh, later).len(), 1);
}

#[test]
fn a_context_that_the_budget_has_no_room_for_is_done_without() {
    let now = Instant::now();
    let mut settings = config(Compression::DEDICATED);
    settings.memory_budget = Some(MemoryBudget::new(1100));
    let mut server = compressed_server(settings, now);
    let mut client = compressed_client(config(Compression::DEDICATED), now);
    for _ in 0..3 {
        server.send_text(&long_text(2)).unwrap();
        let sent = transmit(&mut server, now);
        assert_eq!(receive(&mut client, &sent, now).len(), 1);
    }
    assert_eq!(server.deflater.as_ref().unwrap().held(), 0);
    // What the peer may refer to has to be held: there the connection ends.
    client.send_text(&long_text(2)).unwrap();
    let sent = transmit(&mut client, now);
    receive(&mut server, &sent, now);
    assert_eq!(close_code(&transmit(&mut server, now)), Some(1013));
}

//= rfc7692#6.1-3 test
#[test]
fn fragments_of_a_compressed_message_have_rsv1_on_the_first_alone() {
    for mode in [Compression::Shared, Compression::DEDICATED] {
        let now = Instant::now();
        let mut server = compressed_server(config(mode), now);
        let mut client = compressed_client(config(mode), now);
        let text = long_text(5);
        let (one, two) = text.as_bytes().split_at(700);
        for (part, fin) in [(one, false), (&[][..], false), (two, true)] {
            server.send_fragment(MessageKind::Text, part, fin).unwrap();
            let sent = transmit(&mut server, now);
            let first = if part == one {
                0x41
            } else {
                u8::from(fin) << 7
            };
            assert_eq!(sent[0], first);
            let events = receive(&mut client, &sent, now);
            assert_eq!(events.len(), usize::from(fin));
            if fin {
                assert_eq!(events, [format!("text {text}")]);
            }
        }
        server.send_text("still in order").unwrap();
        let sent = transmit(&mut server, now);
        assert_eq!(receive(&mut client, &sent, now), ["text still in order"]);
    }
}
