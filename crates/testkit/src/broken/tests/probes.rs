//! What a client sends to find faults in an open connection.

use super::super::deflate::{Deflate, Params};
use super::super::faults::Plan;
use super::super::frames;

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frames::write(Plan(None), &mut out, first, payload, Some(*b"mask"));
    out
}

/// Frames of a client, with a length written by hand.
fn long_form(second: &[u8], payload: &[u8]) -> Vec<u8> {
    [b"\x82", second, b"\0\0\0\0", payload].concat()
}

/// Bytes that a message may have here.
pub(super) const LIMIT: usize = 100_000;

/// What a client sends, with its name, and whether permessage-deflate was agreed on.
pub(super) type Probe = (String, bool, Vec<u8>);

fn deflated(messages: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut client = Deflate::new(Plan(None), false, Params::default());
    messages
        .iter()
        .map(|plain| client.compress(plain))
        .collect()
}

fn close(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

pub(super) fn probes() -> Vec<Probe> {
    [framing(), controls(), texts(), closing(), compressed()].concat()
}

fn framing() -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut plain = |name: &str, frames: &[Vec<u8>]| {
        probes.push((name.to_owned(), false, frames.concat()));
    };
    plain("a binary message", &[frame(0x82, b"hi")]);
    plain("a text", &[frame(0x81, "h\u{e9}".as_bytes())]);
    plain("an empty message", &[frame(0x82, b"")]);
    plain("two messages", &[frame(0x82, b"1"), frame(0x82, b"2")]);
    plain(
        "three fragments",
        &[frame(0x02, b"1"), frame(0x00, b"2"), frame(0x80, b"3")],
    );
    plain(
        "an empty fragment",
        &[frame(0x02, b"1"), frame(0x00, b""), frame(0x80, b"3")],
    );
    let many: Vec<_> = (0..9)
        .map(|at| frame(if at == 0 { 0x02 } else { 0x00 }, b"x"))
        .collect();
    plain("many fragments", &[many.concat(), frame(0x80, b"x")]);
    plain("RSV1", &[frame(0xC2, b"hi")]);
    plain("RSV2", &[frame(0xA2, b"hi")]);
    plain("RSV3", &[frame(0x92, b"hi")]);
    plain("no mask", &[b"\x82\x02hi".to_vec()]);
    plain("opcode 3", &[frame(0x83, b"hi")]);
    plain("opcode 15", &[frame(0x8F, b"hi")]);
    plain("125 in 16 bits", &[long_form(b"\xFE\x00\x02", b"hi")]);
    plain(
        "2 in 64 bits",
        &[long_form(b"\xFF\0\0\0\0\0\0\0\x02", b"hi")],
    );
    plain(
        "a negative length",
        &[long_form(b"\xFF\x80\0\0\0\0\0\0\x02", b"hi")],
    );
    for (name, len) in [
        ("125", 125),
        ("126", 126),
        ("127", 127),
        ("65535", 65535),
        ("65536", 65536),
    ] {
        plain(name, &[frame(0x82, &vec![1; len])]);
    }
    plain("a continuation of nothing", &[frame(0x80, b"hi")]);
    plain(
        "a message within another",
        &[frame(0x02, b"1"), frame(0x82, b"2")],
    );
    plain(
        "a message too big",
        &[long_form(
            &[&[0xFF][..], &(LIMIT as u64 + 1).to_be_bytes()].concat(),
            b"",
        )],
    );
    probes
}

fn controls() -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut plain = |name: &str, frames: &[Vec<u8>]| {
        probes.push((name.to_owned(), false, frames.concat()));
    };
    plain("a ping", &[frame(0x89, b"hi")]);
    plain("a ping of 125", &[frame(0x89, &[1; 125])]);
    plain("a ping of 126", &[frame(0x89, &[1; 126])]);
    plain(
        "a ping in fragments",
        &[frame(0x09, b"h"), frame(0x80, b"i")],
    );
    plain(
        "a ping between fragments",
        &[frame(0x02, b"1"), frame(0x89, b"p"), frame(0x80, b"2")],
    );
    plain("two pings", &[frame(0x89, b"1"), frame(0x89, b"2")]);
    plain("a pong", &[frame(0x8A, b"hi")]);
    probes
}

fn texts() -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut plain = |name: &str, frames: &[Vec<u8>]| {
        probes.push((name.to_owned(), false, frames.concat()));
    };
    plain(
        "a split character",
        &[frame(0x01, b"\xC3"), frame(0x80, b"\xA9")],
    );
    plain("a surrogate", &[frame(0x81, b"\xED\xA0\x80")]);
    plain("an overlong character", &[frame(0x81, b"\xC0\xAF")]);
    plain("a character too high", &[frame(0x81, b"\xF4\x90\x80\x80")]);
    plain("half a character", &[frame(0x81, b"\xE2\x82")]);
    plain("an interrupted character", &[frame(0x81, b"\xE2\x82a")]);
    plain("half of another", &[frame(0x81, b"\xBF")]);
    plain("0xFE", &[frame(0x81, b"\xFE")]);
    plain("text that is wrong so far", &[frame(0x01, b"a\xC3(")]);
    plain("a noncharacter", &[frame(0x81, b"\xEF\xBF\xBF")]);
    plain("a NUL", &[frame(0x81, b"\0")]);
    plain("a byte order mark", &[frame(0x81, b"\xEF\xBB\xBFa")]);
    probes
}

fn closing() -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut plain = |name: &str, frames: &[Vec<u8>]| {
        probes.push((name.to_owned(), false, frames.concat()));
    };
    plain("close", &[frame(0x88, b"")]);
    plain("close 1 byte", &[frame(0x88, b"\x03")]);
    plain("close with reason", &[frame(0x88, b"\x03\xE8bye")]);
    plain("close with wrong reason", &[frame(0x88, b"\x03\xE8a\xC3(")]);
    plain(
        "close with long reason",
        &[frame(0x88, &[b"\x03\xE8", &[b'r'; 123][..]].concat())],
    );
    plain(
        "close, then a message",
        &[frame(0x88, b"\x0B\xB8"), frame(0x82, b"hi")],
    );
    plain(
        "close, then a ping",
        &[frame(0x88, b"\x0B\xB8"), frame(0x89, b"hi")],
    );
    plain("close 0", &[close(0)]);
    plain("close 999", &[close(999)]);
    let others = [2999, 3000, 3999, 4000, 4999, 5000, 65535];
    for code in (1000..=1016).chain(others) {
        plain(&format!("close {code}"), &[close(code)]);
    }
    probes
}

fn compressed() -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut with = |name: &str, frames: &[Vec<u8>]| {
        probes.push((name.to_owned(), true, frames.concat()));
    };
    let long: Vec<u8> = (0..100).collect();
    let context = deflated(&[&long, &long]);
    let (hello, again) = (&context[0], &context[1]);
    let alone = |plain: &[u8]| deflated(&[plain]).remove(0);
    let (head, tail) = hello.split_at(2);
    with("deflate: uncompressed", &[frame(0x82, b"hi")]);
    with("deflate: compressed", &[frame(0xC2, hello)]);
    with(
        "deflate: in a context",
        &[frame(0xC2, hello), frame(0xC2, again)],
    );
    with("deflate: empty", &[frame(0xC2, &alone(b""))]);
    with(
        "deflate: in fragments",
        &[frame(0x42, head), frame(0x80, tail)],
    );
    with(
        "deflate: RSV1 on each",
        &[frame(0x42, head), frame(0xC0, tail)],
    );
    with(
        "deflate: RSV1 late",
        &[frame(0x02, b"h"), frame(0xC0, b"i")],
    );
    with("deflate: RSV1 on a ping", &[frame(0xC9, b"hi")]);
    with("deflate: a ping", &[frame(0x89, b"hi")]);
    with(
        "deflate: BFINAL",
        &[frame(0xC2, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00")],
    );
    with("deflate: wrong text", &[frame(0xC1, &alone(b"a\xC3("))]);
    with("deflate: nonsense", &[frame(0xC2, b"\xFF\xFF\xFF")]);
    let bomb = alone(&vec![0; LIMIT + 1]);
    with("deflate: a bomb", &[frame(0xC2, &bomb)]);
    probes
}
