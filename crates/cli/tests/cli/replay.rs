//! `longwire replay`: a recording is played, and the answers compared.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::between::{Between, Folder, recording};
use crate::odd_server::OddServer;
use crate::program::{Serve, run};

/// Records what a client says to a path of a server, line by line.
fn record(file: &Path, serve: &Serve, path: &str, input: &str) {
    let between = Between::record(file, &["--quiet", &serve.url("")]);
    let output = run(&["connect", &between.url(path)], input.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(between.stop("-INT").status.code(), Some(0));
}

struct Replayed {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn replay(file: &Path, arguments: &[&str]) -> Replayed {
    let file = file.to_str().unwrap();
    let output = run(&[&["replay", file], arguments].concat(), b"");
    Replayed {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn an_echo_answers_as_recorded_at_any_speed() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    let long = "long ".repeat(5000);
    record(
        &file,
        &serve,
        "/echo",
        &format!("a\n{{\"b\": 1}}\n{long}\n"),
    );
    for speed in ["max", "original", "2x", "0.5x"] {
        let replayed = replay(&file, &[&serve.url(""), "--speed", speed]);
        assert_eq!(
            replayed.code,
            Some(0),
            "{speed}: {}{}",
            replayed.stdout,
            replayed.stderr
        );
        assert_eq!(replayed.stdout, "");
        let summary = "3 messages sent, 4 answers of 4 recorded";
        assert!(replayed.stderr.contains(summary), "{}", replayed.stderr);
    }
}

#[test]
fn answers_that_differ_are_shown_and_fields_that_change_are_left_out() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    // The chat complains about what is no message, with the date.
    let greeting = r#"{"type":"message","text":"Hi","id":1,"date":0}"#;
    record(&file, &serve, "/chat", &format!("{greeting}\nnonsense\n"));
    let replayed = replay(&file, &[&serve.url("")]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.stderr);
    assert!(
        replayed.stdout.contains("connection 1: answer 2 differs"),
        "{}",
        replayed.stdout
    );
    for mark in ["-  \"date\": ", "+  \"date\": "] {
        let lines = replayed.stdout.lines();
        assert_eq!(
            lines.filter(|line| line.starts_with(mark)).count(),
            1,
            "{}",
            replayed.stdout
        );
    }
    let same = replay(&file, &[&serve.url(""), "--ignore", "date"]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""));
    let replayed = replay(&file, &[&serve.url(""), "--json"]);
    assert_eq!(replayed.code, Some(1));
    let report: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!(report["same"], false);
    let connection = &report["connections"][0];
    assert_eq!(
        (&connection["sent"], &connection["received"]),
        (&json!(2), &json!(3))
    );
    let differences = connection["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1);
    assert_eq!(
        (&differences[0]["kind"], &differences[0]["answer"]),
        (&json!("changed"), &json!(2))
    );
}

#[test]
fn another_server_gives_what_is_missing_and_what_is_refused() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    record(
        &file,
        &serve,
        "/chat",
        "{\"type\":\"message\",\"text\":\"Hi\",\"id\":1,\"date\":0}\n",
    );
    let demo = serve.url("/article/websocket/demo/hello");
    let replayed = replay(&file, &[&demo, "--within", "300ms"]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.stderr);
    let refused = replay(&file, &[&serve.url("/nowhere")]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    let unreachable = replay(&file, &["ws://127.0.0.1:1"]);
    assert_eq!(unreachable.code, Some(3), "{}", unreachable.stderr);
}

/// A recording by hand: `(seconds, connection, event)`.
fn write(file: &Path, events: &[(f64, u64, Value)]) {
    let mut text = json!({
        "longwire_recording": 1, "url": "ws://x/", "listen": "ws://y", "started": "2026-01-01T00:00:00Z"
    })
    .to_string();
    for (t, conn, event) in events {
        let mut event = event.clone();
        event["t"] = json!(t);
        event["at"] = json!(format!("2026-01-01T00:00:{t:06.3}Z"));
        event["conn"] = json!(conn);
        text.push('\n');
        text.push_str(&event.to_string());
    }
    text.push('\n');
    std::fs::write(file, text).unwrap();
}

fn open(path: &str) -> Value {
    json!({
        "event": "open", "peer": "z", "url": "ws://x/",
        "request": { "line": format!("GET {path} HTTP/1.1"), "fields": [] },
        "response": { "line": "HTTP/1.1 101 Switching Protocols", "fields": [] },
    })
}

fn said(from: &str, data: &str) -> Value {
    json!({ "event": "message", "from": from, "opcode": "text", "len": data.len(), "data": data })
}

#[test]
fn the_pace_is_the_recorded_one_where_that_is_asked() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    let events = [
        (0.0, 1, open("/echo")),
        (0.1, 1, said("client", "a")),
        (0.1, 1, said("server", "a")),
        (0.6, 1, said("client", "b")),
        (0.6, 1, said("server", "b")),
    ];
    write(&file, &events);
    for (speed, least) in [("original", 600), ("2x", 300), ("0.5x", 1200)] {
        let began = Instant::now();
        let replayed = replay(&file, &[&serve.url(""), "--speed", speed]);
        assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
        assert!(began.elapsed() >= Duration::from_millis(least), "{speed}");
    }
}

#[test]
fn what_one_client_says_after_another_heard_it_is_said_in_that_order() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    let message =
        |text: &str| json!({ "type": "message", "text": text, "id": 1, "date": 0 }).to_string();
    let (one, two) = (message("one"), message("two"));
    let mut events = vec![(0.0, 1, open("/chat")), (0.0, 2, open("/chat"))];
    for (from, text) in [(1, &one), (2, &two)] {
        events.push((0.1, from, said("client", text)));
        // All hear it.
        events.push((0.1, 1, said("server", text)));
        events.push((0.1, 2, said("server", text)));
    }
    write(&file, &events);
    let replayed = replay(&file, &[&serve.url("")]);
    assert_eq!(
        replayed.code,
        Some(0),
        "{}{}",
        replayed.stdout,
        replayed.stderr
    );
    // One of them alone hears less.
    let replayed = replay(
        &file,
        &[&serve.url(""), "--connection", "1", "--within", "300ms"],
    );
    assert_eq!(replayed.code, Some(1));
    assert!(
        replayed
            .stdout
            .contains("connection 1: answer 2 is missing"),
        "{}",
        replayed.stdout
    );
}

#[test]
fn a_har_file_of_a_browser_is_played() {
    let folder = Folder::new();
    let file = folder.file("browser.har");
    let serve = Serve::start();
    let har = json!({ "log": { "version": "1.2", "creator": {}, "entries": [
        { "request": { "url": "https://x/" }, "response": { "status": 200 }, "startedDateTime": "2026-01-01T00:00:00.000Z" },
        {
            "startedDateTime": "2026-01-01T00:00:00.000Z",
            "request": { "method": "GET", "url": "wss://example.com/echo", "headers": [] },
            "response": { "status": 101, "statusText": "Switching Protocols", "headers": [] },
            "_webSocketMessages": [
                { "type": "send", "time": 1_767_225_600.5, "opcode": 1, "data": "hi" },
                { "type": "receive", "time": 1_767_225_600.6, "opcode": 1, "data": "hi" },
                { "type": "send", "time": 1_767_225_600.7, "opcode": 2, "data": "AQI=" },
                { "type": "receive", "time": 1_767_225_600.8, "opcode": 2, "data": "AQM=" },
            ],
        },
    ] } });
    std::fs::write(&file, har.to_string()).unwrap();
    let replayed = replay(&file, &[&serve.url("")]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.stderr);
    assert!(
        replayed.stdout.contains("answer 2 differs"),
        "{}",
        replayed.stdout
    );
    assert!(replayed.stdout.contains("-01 03") && replayed.stdout.contains("+01 02"));
    let shown = replay(&file, &[]);
    assert!(
        shown.stdout.contains("> text 2 bytes hi"),
        "{}",
        shown.stdout
    );
}

#[test]
fn a_recording_is_shown_and_a_part_of_it_is_one_again() {
    let folder = Folder::new();
    let (file, part) = (folder.file("session.jsonl"), folder.file("part.jsonl"));
    let events = [
        (0.0, 1, open("/echo")),
        (0.1, 1, said("client", "a")),
        (0.2, 2, open("/echo")),
        (0.3, 2, said("client", "b")),
    ];
    write(&file, &events);
    // The recorder was stopped within a line.
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"t\":0.4,\"at");
    std::fs::write(&file, text).unwrap();
    let shown = replay(&file, &["--json", "--connection", "2"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    std::fs::write(&part, shown.stdout).unwrap();
    assert_eq!(recording(&part).len(), 3);
    let shown = replay(&part, &[]);
    assert!(
        shown.stdout.contains("#2") && !shown.stdout.contains("#1"),
        "{}",
        shown.stdout
    );
}

#[test]
fn a_file_that_cannot_be_played_says_why() {
    let folder = Folder::new();
    let file = folder.file("x");
    let refused = |text: &str, part: &str| {
        std::fs::write(&file, text).unwrap();
        let replayed = replay(&file, &["ws://127.0.0.1:1"]);
        assert_eq!(replayed.code, Some(2), "{}", replayed.stderr);
        assert!(replayed.stderr.contains(part), "{}", replayed.stderr);
        assert_eq!(replayed.stderr.lines().count(), 1);
    };
    refused("hello", "expected a recording");
    refused("", "expected a recording");
    let header = r#"{"longwire_recording":1,"url":"","listen":"","started":""}"#;
    refused(&format!("{header}\n"), "found none");
    refused(&format!("{header}\nnonsense\n"), "line 2");
    refused(&header.replace(":1", ":2"), "version 2");
    let mut cut = said("client", "a");
    cut["truncated"] = json!(true);
    write(&file, &[(0.0, 1, open("/")), (0.1, 1, cut)]);
    let text = std::fs::read_to_string(&file).unwrap();
    refused(&text, "larger --keep");
    let replayed = replay(&folder.file("nowhere"), &[]);
    assert_eq!(replayed.code, Some(2));
    let replayed = replay(&file, &["ws://127.0.0.1:1", "--ignore", "a..."]);
    assert_eq!(replayed.code, Some(2));
    assert!(
        replayed.stderr.contains("expected a path"),
        "{}",
        replayed.stderr
    );
}

#[test]
fn what_was_not_recorded_whole_is_not_played_from_a_har_file_either() {
    let folder = Folder::new();
    let (file, har) = (folder.file("session.jsonl"), folder.file("session.har"));
    let mut cut = said("client", "a");
    cut["truncated"] = json!(true);
    let mut unknown = said("server", "a");
    unknown["fault"] = json!("it could not be inflated");
    for message in [cut, unknown] {
        write(&file, &[(0.0, 1, open("/")), (0.1, 1, message)]);
        let exported = replay(&file, &["--har", har.to_str().unwrap()]);
        assert_eq!(exported.code, Some(0), "{}", exported.stderr);
        let replayed = replay(&har, &["ws://127.0.0.1:1"]);
        assert_eq!(replayed.code, Some(2), "{}", replayed.stderr);
        assert!(
            replayed.stderr.contains("not recorded whole"),
            "{}",
            replayed.stderr
        );
    }
}

#[test]
fn a_large_difference_is_told_in_few_lines_and_whole_in_json() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    let large = "x\n".repeat(100_000);
    let events = [
        (0.0, 1, open("/echo")),
        (0.1, 1, said("client", "a")),
        (0.1, 1, said("server", &large)),
    ];
    write(&file, &events);
    let replayed = replay(&file, &[&serve.url("")]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.stderr);
    assert!(replayed.stdout.lines().count() < 60, "{}", replayed.stdout);
    assert!(replayed.stdout.contains("more lines (all with --json)"));
    let whole = replay(&file, &[&serve.url(""), "--json"]);
    assert!(whole.stdout.len() > large.len());
}

#[test]
fn numbers_beyond_a_double_are_not_taken_for_each_other() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    let events = [
        (0.0, 1, open("/echo")),
        (0.1, 1, said("client", "12345678901234567890123")),
        (0.1, 1, said("server", "12345678901234567890124")),
    ];
    write(&file, &events);
    let replayed = replay(&file, &[&serve.url("")]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.stderr);
}

#[test]
fn what_is_wrong_with_a_har_file_is_told_and_errors_in_it_are_no_answers() {
    let folder = Folder::new();
    let file = folder.file("browser.har");
    let serve = Serve::start();
    let mut entry = json!({
        "startedDateTime": "2026-01-01T00:00:00.000Z",
        "request": { "url": "wss://example.com/echo" },
        "response": { "status": 101 },
        "_webSocketMessages": [
            { "type": "send", "time": 1_767_225_600.5, "opcode": 1, "data": "hi" },
            { "type": "receive", "time": 1_767_225_600.6, "opcode": 1, "data": "hi" },
            { "type": "error", "time": 1_767_225_600.7, "opcode": -1, "data": "lost" },
        ],
    });
    let har = |entry: &Value| json!({ "log": { "entries": [entry] } }).to_string();
    std::fs::write(&file, har(&entry)).unwrap();
    let replayed = replay(&file, &[&serve.url("")]);
    assert_eq!(
        replayed.code,
        Some(0),
        "{}{}",
        replayed.stdout,
        replayed.stderr
    );
    let again = replay(&file, &["--har", folder.file("x").to_str().unwrap()]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("is a HAR file"), "{}", again.stderr);
    entry["startedDateTime"] = json!("yesterday");
    std::fs::write(&file, har(&entry)).unwrap();
    let replayed = replay(&file, &[&serve.url("")]);
    assert_eq!(replayed.code, Some(2));
    assert!(replayed.stderr.contains("yesterday"), "{}", replayed.stderr);
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for_longer_than_that() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    write(&file, &[(0.0, 1, open("/")), (0.1, 1, said("client", "a"))]);
    // It opens the connection, and does nothing more.
    let server = OddServer::start(|mut connection, _| {
        connection.accept()?;
        std::thread::sleep(Duration::from_mins(1));
        Ok(())
    });
    let began = Instant::now();
    let replayed = replay(&file, &[&server.url(), "--within", "300ms"]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.stderr);
    assert!(began.elapsed() < Duration::from_secs(10));
}
