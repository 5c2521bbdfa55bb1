//! The negotiation as tables, and payloads through both directions.

use zlib_rs::DeflateFlush;

use super::*;
use crate::Role;
use crate::error::{DeflateFault, ProtocolError};
use crate::http::extension::{Extension, parse_extensions};
use crate::limits::Limit;
use distance::farthest;

mod distance;

fn extensions(text: &str) -> Vec<Extension> {
    let mut headers = ::http::HeaderMap::new();
    headers.insert("sec-websocket-extensions", text.parse().unwrap());
    parse_extensions(&headers).unwrap()
}

fn config(mode: Compression) -> CompressionConfig {
    CompressionConfig::default().mode(mode)
}

fn dedicated(window_bits: u8) -> Compression {
    Compression::Dedicated {
        window_bits,
        memory_level: 8,
    }
}

/// `(server takes over, its bits, client takes over, its bits)`.
fn summary(agreement: Agreement) -> (bool, u8, bool, u8) {
    let server = agreement.direction(Role::Server);
    let client = agreement.direction(Role::Client);
    (
        server.takeover,
        server.window_bits,
        client.takeover,
        client.window_bits,
    )
}

//= rfc6455#9-2 test
//= rfc7692#5-2, rfc7692#5-3, rfc7692#5-4, rfc7692#7-1, rfc7692#7-2, rfc7692#7-3, rfc7692#7-4 test
//= rfc7692#7.1-1, rfc7692#7.1.1.1-1, rfc7692#7.1.1.1-2, rfc7692#7.1.1.1-3 test
//= rfc7692#7.1.1.2-1, rfc7692#7.1.1.2-2, rfc7692#7.1.2.1-1, rfc7692#7.1.2.1-2 test
//= rfc7692#7.1.2.1-3, rfc7692#7.1.2.2-1, rfc7692#7.1.2.2-3, rfc7692#7.1.2.2-4 test
//= rfc7692#7.1.2.2-5 test
#[test]
fn a_server_answers_the_first_offer_that_is_in_order() {
    let full = Compression::DEDICATED;
    let both = "server_no_context_takeover; client_no_context_takeover";
    let cases = [
        (full, "permessage-deflate", "", (true, 15, true, 15)),
        (
            full,
            "permessage-deflate; client_max_window_bits",
            "",
            (true, 15, true, 15),
        ),
        (
            full,
            "permessage-deflate; server_max_window_bits=8; client_max_window_bits=\"9\"",
            "server_max_window_bits=8; client_max_window_bits=9",
            (true, 8, true, 9),
        ),
        (
            full,
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            both,
            (false, 15, false, 15),
        ),
        (
            dedicated(10),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=12",
            "server_max_window_bits=10; client_max_window_bits=10",
            (true, 10, true, 10),
        ),
        (
            dedicated(8),
            "permessage-deflate; client_max_window_bits",
            "server_max_window_bits=8; client_max_window_bits=9",
            (true, 8, true, 9),
        ),
        // A client that cannot be told to use less is told to keep nothing.
        (
            dedicated(10),
            "permessage-deflate",
            "client_no_context_takeover; server_max_window_bits=10",
            (true, 10, false, 15),
        ),
        (
            Compression::Shared,
            "permessage-deflate",
            both,
            (false, 15, false, 15),
        ),
        (
            Compression::Shared,
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
            (false, 9, false, 15),
        ),
        (
            full,
            "mux, permessage-deflate; server_max_window_bits=16, \
             permessage-deflate; server_max_window_bits=11, permessage-deflate",
            "server_max_window_bits=11",
            (true, 11, true, 15),
        ),
    ];
    for (mode, offers, params, agreed) in cases {
        let (answer, agreement) = accept(&config(mode), &extensions(offers)).unwrap();
        let expected = if params.is_empty() {
            "permessage-deflate".to_owned()
        } else {
            format!("permessage-deflate; {params}")
        };
        assert_eq!(answer.to_string(), expected, "{offers}");
        assert_eq!(summary(agreement), agreed, "{offers}");
        // What a server answers, a client of ours takes where it offered that.
        assert!(conclude(&config(full), &answer).is_ok() || params.contains("client_max"));
    }
}

//= rfc7692#7-2, rfc7692#7-3, rfc7692#7-4, rfc7692#7.1.1.1-1, rfc7692#7.1.1.2-1 test
//= rfc7692#7.1.2.1-1, rfc7692#7.1.2.2-1 test
#[test]
fn a_server_declines_what_is_unknown_repeated_or_malformed() {
    for offer in [
        "",
        "mux",
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover=true",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=+8",
        "permessage-deflate; server_max_window_bits=a",
        "permessage-deflate; server_max_window_bits=4294967304",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=015",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ] {
        let offers = extensions(offer);
        assert_eq!(
            accept(&config(Compression::DEDICATED), &offers),
            None,
            "{offer}"
        );
    }
    let good = extensions("permessage-deflate");
    assert_eq!(accept(&config(Compression::Off), &good), None);
}

//= rfc6455#4.1-22, rfc6455#9-1, rfc6455#9-3, rfc6455#9.1-4, rfc6455#9.1-6, rfc6455#9.2-1 test
//= rfc7692#5-5, rfc7692#7-5, rfc7692#7-6, rfc7692#7.1-2, rfc7692#7.1.1.1-1 test
//= rfc7692#7.1.2.1-2, rfc7692#7.1.2.2-2, rfc7692#7.1.2.2-6 test
#[test]
fn a_client_takes_an_answer_to_its_offer_and_no_other() {
    let full = Compression::DEDICATED;
    let offers = [
        (Compression::Off, ""),
        (full, "permessage-deflate; client_max_window_bits"),
        (
            dedicated(10),
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10, \
             permessage-deflate; server_no_context_takeover; client_max_window_bits",
        ),
        // zlib cannot make a window of 8.
        (
            dedicated(8),
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8, \
             permessage-deflate; server_no_context_takeover; client_max_window_bits",
        ),
    ];
    for (mode, expected) in offers {
        let offered = offer(&config(mode));
        let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
        assert_eq!(offered.join(", "), expected);
    }
    let good = [
        (full, "", (true, 15, true, 15)),
        (full, "server_no_context_takeover", (false, 15, true, 15)),
        (full, "client_no_context_takeover", (true, 15, false, 15)),
        (full, "server_max_window_bits=8", (true, 8, true, 15)),
        (full, "client_max_window_bits=8", (true, 15, true, 8)),
        (dedicated(9), "server_max_window_bits=9", (true, 9, true, 9)),
        (
            dedicated(9),
            "server_max_window_bits=8; client_max_window_bits=8",
            (true, 8, true, 8),
        ),
        (
            Compression::Shared,
            "server_no_context_takeover",
            (false, 15, false, 15),
        ),
    ];
    for (mode, params, agreed) in good {
        let answer = extensions(format!("permessage-deflate; {params}").trim_end_matches("; "));
        let agreement = conclude(&config(mode), &answer[0]);
        assert_eq!(agreement.map(summary), Ok(agreed), "{params}");
    }
    let bad = [
        (full, "unknown"),
        (full, "server_no_context_takeover=1"),
        (full, "server_max_window_bits"),
        (full, "server_max_window_bits=16"),
        (full, "client_max_window_bits"),
        (full, "client_max_window_bits=7"),
        (
            full,
            "client_no_context_takeover; client_no_context_takeover",
        ),
        (dedicated(9), ""),
        (dedicated(9), "server_max_window_bits=10"),
        (Compression::Shared, ""),
        (Compression::Off, "client_max_window_bits=8"),
    ];
    for (mode, params) in bad {
        let answer = extensions(format!("permessage-deflate; {params}").trim_end_matches("; "));
        assert!(conclude(&config(mode), &answer[0]).is_err(), "{params}");
    }
}

#[test]
fn settings_that_zlib_does_not_have_are_told_by_name() {
    let mut settings = config(dedicated(16));
    let text = settings.check().unwrap_err().to_string();
    assert_eq!(
        text,
        "expected a compression window_bits of 8 to 15, got 16"
    );
    settings.mode = Compression::Dedicated {
        window_bits: 8,
        memory_level: 0,
    };
    assert_eq!(settings.check().unwrap_err().name, "memory_level");
    settings = CompressionConfig {
        level: 10,
        ..CompressionConfig::default()
    };
    assert_eq!(settings.check().unwrap_err().name, "level");
    assert!(CompressionConfig::default().check().is_ok());
}

/// All that was made of one message, up to a limit.
struct Gathered(Vec<u8>, usize);

impl PlainSink for Gathered {
    fn put(&mut self, plain: &[u8]) -> Result<(), ProtocolError> {
        self.0.extend_from_slice(plain);
        if self.0.len() > self.1 {
            return Err(ProtocolError::limit(Limit::MessageSize, 0, self.1));
        }
        Ok(())
    }

    fn history(&self) -> &[u8] {
        &self.0
    }
}

fn inflate_in(
    inflater: &mut Inflater,
    packed: &[u8],
    step: usize,
) -> Result<Vec<u8>, ProtocolError> {
    let mut plain = Gathered(Vec::new(), 1 << 24);
    let mut parts = packed.chunks(step).peekable();
    if parts.peek().is_none() {
        inflater.push(&[], true, &mut plain)?;
    }
    while let Some(part) = parts.next() {
        inflater.push(part, parts.peek().is_none(), &mut plain)?;
    }
    Ok(plain.0)
}

fn inflate(inflater: &mut Inflater, packed: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    inflate_in(inflater, packed, usize::MAX)
}

//= rfc7692#7.2.2-1, rfc7692#7.2.2-2, rfc7692#7.2.3-1, rfc7692#7.2.3-2, rfc7692#7.2.3-3 test
//= rfc7692#7.2.3-4 test
#[test]
fn the_examples_of_the_rfc_are_understood() {
    let hello: [(&[u8], &str); 6] = [
        (b"\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello"),
        (b"\xf2\x00\x11\x00\x00", "Hello"),
        (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello"),
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello"),
        (
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            "Hello",
        ),
        (b"\x00", ""),
    ];
    assert_eq!(
        inflate(&mut Inflater::new(None), b"").as_deref(),
        Ok(&b""[..])
    );
    for step in [1, 2, 3, usize::MAX] {
        let mut inflater = Inflater::new(Some(15));
        for (packed, plain) in hello {
            let got = inflate_in(&mut inflater, packed, step);
            assert_eq!(got.as_deref(), Ok(plain.as_bytes()), "{packed:x?}");
        }
    }
    // The second refers to the first.
    let mut alone = Inflater::new(None);
    let error = inflate(&mut alone, hello[1].0).unwrap_err();
    assert_eq!(error, ProtocolError::Deflate(DeflateFault::Invalid));
}

#[test]
fn a_message_that_is_cut_or_damaged_is_refused() {
    let mut inflater = Inflater::new(None);
    // Cut inside a block, stored and compressed.
    let stored = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    // What is left out makes up for the four bytes missing at 6.
    for cut in [2, 3, 4, 5, 7, 8, 9] {
        assert!(inflate(&mut inflater, &stored[..cut]).is_err(), "{cut}");
    }
    let text = "the quick brown fox jumps over the lazy dog ".repeat(50);
    let packed = compress_alone(settings(15), text.as_bytes()).unwrap();
    assert_eq!(inflate(&mut inflater, &packed).unwrap(), text.as_bytes());
    for cut in 1..packed.len() - 1 {
        let error = inflate(&mut inflater, &packed[..cut]);
        assert!(matches!(error, Err(ProtocolError::Deflate(_))), "{cut}");
    }
    for bad in [
        &b"\xff"[..],
        b"\x07",
        b"\x00\x01\x00\x00\x00",
        b"\xf2\x48\xff\xff",
    ] {
        assert!(inflate(&mut inflater, bad).is_err());
    }
    assert_eq!(inflate(&mut inflater, &packed).unwrap(), text.as_bytes());
}

//= rfc7692#7.2.3-4 test
#[test]
fn what_follows_a_last_block_may_refer_to_what_was_before_it() {
    let first = b"a sentence that is worth referring to, all of it".as_slice();
    let mut packed = vec![0; 1000];
    let mut machine = zlib_rs::Deflate::new(6, false, 15);
    machine
        .compress(first, &mut packed, DeflateFlush::Finish)
        .unwrap();
    packed.truncate(machine.total_out() as usize);
    // In the same message, and in the one after.
    let mut rest = vec![0; 1000];
    let mut machine = zlib_rs::Deflate::new(6, false, 15);
    machine.set_dictionary(first).unwrap();
    machine
        .compress(first, &mut rest, DeflateFlush::SyncFlush)
        .unwrap();
    rest.truncate(machine.total_out() as usize - 4);
    assert!(rest.len() < first.len() / 2);
    for takeover in [Some(15), None] {
        for step in [1, usize::MAX] {
            let mut inflater = Inflater::new(takeover);
            let both = [packed.as_slice(), &rest].concat();
            let got = inflate_in(&mut inflater, &both, step).unwrap();
            assert_eq!(got, [first, first].concat());
            let got = inflate_in(&mut inflater, &rest, step);
            assert_eq!(got.is_ok(), takeover.is_some());
        }
    }
    // A last block of which the tail was left out, and nothing else.
    for step in [1, usize::MAX] {
        let mut inflater = Inflater::new(Some(15));
        assert_eq!(inflate(&mut inflater, b"\x01").unwrap(), b"");
        let last = [&rest[..], b"\0\0\xff\xff\x01"].concat();
        assert!(inflate_in(&mut inflater, &packed, step).is_ok());
        assert_eq!(inflate_in(&mut inflater, &last, step).unwrap(), first);
        assert_eq!(inflate_in(&mut inflater, &rest, step).unwrap(), first);
    }
    // A sender that leaves out the empty block after its last one.
    assert_eq!(inflate(&mut Inflater::new(None), &packed).unwrap(), first);
}

#[test]
fn a_message_of_streams_with_next_to_nothing_in_them_is_refused() {
    // An empty last block, and one of a kibibyte.
    let empty = b"\x03\x00".repeat(4000);
    let mut full = vec![1, 0, 4, 0xff, 0xfb];
    full.extend([7; 1024]);
    let full = full.repeat(8000);
    let mut inflater = Inflater::new(Some(15));
    assert_eq!(inflate(&mut inflater, &empty).unwrap(), b"");
    assert_eq!(inflate(&mut inflater, &full).unwrap().len(), 8000 << 10);
    let error = inflate(&mut inflater, &empty.repeat(2)).unwrap_err();
    assert_eq!(error, ProtocolError::Deflate(DeflateFault::Streams));
}

fn settings(window_bits: u8) -> Settings {
    Settings {
        window_bits,
        level: 6,
        memory_level: 8,
    }
}

/// Text with a rhyme every so often, so that there is something near and
/// something far to refer to.
fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut out = Vec::new();
    while out.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(7);
        let word = ["alpha", "beta", "gamma", "delta", "epsilon"][(state >> 33) as usize % 5];
        out.extend_from_slice(word.as_bytes());
        out.push((state >> 40) as u8);
    }
    out.truncate(len);
    out
}

//= rfc7692#7.1.2.1-2, rfc7692#7.1.2.2-6, rfc7692#7.2.1-1, rfc7692#7.2.1-2 test
#[test]
fn each_window_size_is_kept_to_and_8_for_real() {
    for bits in 8..=15 {
        for level in [1, 6, 9] {
            let settings = Settings {
                level,
                ..settings(bits)
            };
            let plain = text(30_000, 3);
            let packed = compress_alone(settings, &plain).unwrap();
            let farthest = farthest(&packed);
            assert!(
                farthest <= 1 << bits,
                "{farthest} of {bits} at level {level}"
            );
            let got = inflate(&mut Inflater::new(None), &packed).unwrap();
            assert!(got == plain);
        }
    }
    let far = compress_alone(settings(15), &text(30_000, 3)).unwrap();
    assert!(farthest(&far) > 1 << 14, "the test can tell");
}

//= rfc7692#6.1-2, rfc7692#6.1-3, rfc7692#7.2.1-1, rfc7692#7.2.1-2 test
#[test]
fn what_one_end_compresses_the_other_reads_with_and_without_context() {
    for bits in [8, 9, 12, 15] {
        for takeover in [true, false] {
            let direction = params::Direction {
                takeover,
                window_bits: bits,
            };
            let mut deflater = Deflater::new(&CompressionConfig::default(), direction);
            let mut inflater = Inflater::new(takeover.then_some(bits));
            for (i, len) in [1, 300, 5, 40_000, 0, 1000, 200_000, 70]
                .into_iter()
                .enumerate()
            {
                let plain = text(len, 5 + i as u64 % 3);
                let packed = deflater
                    .compress(&plain, |packed| Ok::<_, ()>(packed.map(<[u8]>::to_vec)))
                    .unwrap();
                if let Some(packed) = packed {
                    assert!(inflate_in(&mut inflater, &packed, 1000).unwrap() == plain);
                }
                // The same in fragments.
                let mut message = Vec::new();
                let mut parts = plain.chunks(777).peekable();
                while let Some(part) = parts.next() {
                    let fin = parts.peek().is_none();
                    deflater
                        .compress_fragment(part, fin, |packed| {
                            message.extend_from_slice(packed);
                            Ok::<_, ()>(())
                        })
                        .unwrap();
                }
                assert!(inflate_in(&mut inflater, &message, 1).unwrap() == plain);
                assert!(deflater.held() <= 1 << bits && inflater.held() <= 1 << bits);
            }
            assert_eq!(deflater.held() > 0, takeover);
            assert_eq!(inflater.held() > 0, takeover);
        }
    }
}

#[test]
fn a_forgotten_context_is_not_referred_to() {
    let direction = params::Direction {
        takeover: true,
        window_bits: 15,
    };
    let mut deflater = Deflater::new(&CompressionConfig::default(), direction);
    let plain = text(500, 9);
    let pack = |deflater: &mut Deflater| {
        deflater
            .compress(&plain, |packed| Ok::<_, ()>(packed.unwrap().to_vec()))
            .unwrap()
    };
    let (first, second) = (pack(&mut deflater), pack(&mut deflater));
    assert!(second.len() < first.len() / 4);
    deflater.forget();
    assert_eq!(deflater.held(), 0);
    assert_eq!(pack(&mut deflater), first);
}
