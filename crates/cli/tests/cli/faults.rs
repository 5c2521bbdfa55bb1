//! `longwire proxy` that disturbs what passes, seen from outside.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::between::{Between, messages};
use crate::program::{Serve, run};

fn lines(count: usize) -> String {
    let lines: Vec<String> = (0..count).map(|line| format!("{line}\n")).collect();
    lines.concat()
}

fn stdout(arguments: &[&str], input: &str) -> String {
    String::from_utf8(run(arguments, input.as_bytes()).stdout).unwrap()
}

#[test]
fn latency_holds_both_directions_back() {
    let serve = Serve::start();
    let options = [
        "--latency",
        "150ms",
        "--jitter",
        "50ms",
        "--seed",
        "1",
        &serve.url("/echo"),
    ];
    let between = Between::json(&options);
    let began = Instant::now();
    let input = lines(100);
    assert_eq!(stdout(&["connect", &between.url("/")], &input), input);
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn messages_come_in_fragments_of_the_size_and_say_the_same() {
    let serve = Serve::with(&["--compression", "dedicated"]);
    // What one proxy cuts, the next one sees.
    let seen = Between::json(&["--frames", &serve.url("/echo")]);
    let cutting = Between::proxy(&["--fragment", "4", &seen.url("/")]);
    for input in [
        "hello, world\n",
        &format!("{}\n", "compressed ".repeat(200)),
    ] {
        assert_eq!(stdout(&["connect", &cutting.url("/")], input), input);
        let events = seen.events_to_end();
        assert_eq!(
            messages(&events, "client")[0],
            ("text", input.trim_end_matches('\n'))
        );
        let frames: Vec<_> = events
            .iter()
            .filter(|event| event["event"] == "frame" && event["from"] == "client")
            .collect();
        let first = frames[0];
        assert_eq!(
            (&first["opcode"], &first["fin"]),
            (&"text".into(), &false.into())
        );
        let end = frames
            .iter()
            .position(|frame| frame["fin"] == true)
            .unwrap();
        assert!(end >= 2, "{frames:?}");
        for frame in &frames[1..=end] {
            assert_eq!(
                (&frame["opcode"], &frame["rsv"]),
                (&"continuation".into(), &0.into())
            );
            assert!(frame["len"].as_u64().is_some_and(|len| len <= 4) && frame["masked"] == true);
        }
        let is_compressed = input.len() > 100;
        assert_eq!(first["rsv"] == 4, is_compressed);
    }
}

#[test]
fn chopped_bytes_say_the_same() {
    let serve = Serve::start();
    let between = Between::proxy(&["--chop", "1", &serve.url("/echo")]);
    let input = lines(200);
    assert_eq!(stdout(&["connect", &between.url("/")], &input), input);
}

#[test]
fn a_narrow_way_takes_its_time() {
    let serve = Serve::start();
    let options = [
        "--bandwidth",
        "1k",
        "--disturb",
        "server",
        "--no-compression",
    ];
    let between = Between::proxy(&[&options[..], &[&serve.url("/echo")]].concat());
    let input = format!("{}\n", "x".repeat(512));
    let began = Instant::now();
    assert_eq!(stdout(&["connect", &between.url("/")], &input), input);
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn a_connection_is_lost_after_the_last_message_byte_or_second() {
    let serve = Serve::start();
    let drop_after = |limit| {
        let options = [
            "--drop-after",
            limit,
            "--disturb",
            "server",
            "--no-compression",
        ];
        Between::json(&[&options[..], &[&serve.url("/echo")]].concat())
    };
    let between = drop_after("3");
    let output = run(&["connect", &between.url("/")], lines(10).as_bytes());
    assert_eq!(output.status.code(), Some(1), "1006");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n1\n2\n");
    let events = between.events_to_end();
    assert_eq!(
        messages(&events, "server").len(),
        3,
        "what is lost is not shown"
    );
    assert_eq!(events.last().unwrap()["by"], "proxy");
    // Each answer is three bytes: the fourth is cut.
    let between = drop_after("10bytes");
    let output = run(&["connect", &between.url("/")], lines(10).as_bytes());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n1\n2\n");
    let why = between.events_to_end().pop().unwrap()["why"].to_string();
    assert!(why.contains("within a frame"), "{why}");
    let between = drop_after("2s");
    let output = run(&["connect", "--wait", "60s", &between.url("/")], b"hi\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "hi\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_same_seed_loses_the_same_connections() {
    let serve = Serve::start();
    let lost_after = |seed| {
        let options = ["--drop-rate", "10%", "--disturb", "server", "--seed", seed];
        let between = Between::proxy(&[&options[..], &[&serve.url("/echo")]].concat());
        stdout(&["connect", &between.url("/")], &lines(200))
            .lines()
            .count()
    };
    let first = lost_after("3");
    assert!((1..200).contains(&first), "{first}");
    assert_eq!(lost_after("3"), first);
    let others: Vec<_> = ["4", "5", "6"].map(lost_after).to_vec();
    assert!(others.iter().any(|other| *other != first), "{others:?}");
}

#[test]
fn a_silent_loss_leaves_the_connection_open_and_dumb() {
    let serve = Serve::start();
    let options = ["--drop-after", "1", "--drop-silently", &serve.url("/echo")];
    let between = Between::json(&options);
    let mut stream = TcpStream::connect(&between.address).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream.write_all(b"\x81\x82\0\0\0\0hi").unwrap();
    between.events_to_end();
    stream.write_all(b"\x89\x80\0\0\0\0").unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let error = stream.read(&mut [0; 9]).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
}
