//! `longwire connect` in a pipe: filters, events, files, ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Output, Stdio};

use crate::odd_server::OddServer;
use crate::program::{Serve, longwire, run};
use crate::puppet::Puppet;
use crate::terminal::Folder;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn stdout(output: &Output) -> &str {
    text(&output.stdout)
}

fn connect(serve: &Serve, further: &[&str], stdin: &str) -> Output {
    let url = serve.url("/echo");
    run(&[&["connect", &url], further].concat(), stdin.as_bytes())
}

#[test]
fn every_event_is_an_object_in_a_line_and_the_first_says_what_was_agreed() {
    let serve = Serve::start();
    let output = connect(&serve, &["--json"], "hello\n{\"a\":1}\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
    let mut seen = Vec::new();
    for line in stdout(&output).lines() {
        let time = line.split("\"time\":\"").nth(1).unwrap();
        assert!(time[..24].ends_with('Z') && &time[10..11] == "T", "{line}");
        let (before, after) = line.split_once("\"time\":\"").unwrap();
        seen.push(format!("{before}{}", &after[26..]));
    }
    assert!(
        seen[0].starts_with("{\"event\":\"open\",\"url\":\"ws://"),
        "{}",
        seen[0]
    );
    assert!(
        seen[0].contains(
            "\"http\":\"HTTP/1.1\",\"subprotocol\":null,\"compression\":\"permessage-deflate"
        ),
        "{}",
        seen[0]
    );
    for direction in ["sent", "received"] {
        let hello = format!(
            "{{\"event\":\"message\",\"direction\":\"{direction}\",\"type\":\"text\",\"data\":\"hello\"}}"
        );
        assert!(seen.contains(&hello), "{seen:?}");
    }
    assert_eq!(
        seen.last().unwrap(),
        "{\"event\":\"close\",\"code\":1000,\"reason\":\"\",\"clean\":true,\"by\":\"local\"}"
    );
    let refused = run(&["connect", "--json", &serve.url("/nowhere")], b"");
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        stdout(&refused).starts_with("{\"event\":\"error\""),
        "{}",
        stdout(&refused)
    );
    assert!(
        stdout(&refused).ends_with("\"exit\":4}\n"),
        "{}",
        stdout(&refused)
    );
    assert!(text(&refused.stderr).starts_with("longwire: "));
}

#[test]
fn a_filter_prints_what_it_finds_and_nothing_of_the_rest() {
    let serve = Serve::start();
    let input = "no JSON\n{\"type\":\"a\",\"p\":[1.50,{\"x\":\"y\"}]}\n{\"type\":\"b\",\"p\":[]}\n";
    for (filter, expected) in [
        (".p[]", "1.50\n{\"x\":\"y\"}\n"),
        (".p[1].x", "\"y\"\n"),
        (".type", "\"a\"\n\"b\"\n"),
        (".type == \"b\"", "{\"type\":\"b\",\"p\":[]}\n"),
        (".nothing", ""),
    ] {
        let output = connect(&serve, &["--filter", filter], input);
        assert_eq!(stdout(&output), expected, "{filter}");
        assert_eq!(output.status.code(), Some(0));
    }
    let wrong = connect(&serve, &["--filter", "type"], "");
    assert_eq!(wrong.status.code(), Some(2));
    let advice = "longwire: expected a filter such as .user.name";
    assert!(
        text(&wrong.stderr).starts_with(advice),
        "{}",
        text(&wrong.stderr)
    );
}

#[test]
fn a_session_ends_with_the_message_that_was_waited_for() {
    let serve = Serve::start();
    let input = "{\"v\":1}\nready now\n{\"v\":2}\n{\"v\":null}\n{\"ok\":true}\nrest\n";
    let cases: [(&[&str], usize); 7] = [
        (&["--count", "1"], 1),
        (&["--count", "6"], 6),
        (&["--count", "2", "--filter", ".v"], 2),
        (&["--exit-on", "ready"], 2),
        (&["--exit-on", ".v == 2"], 3),
        (&["--exit-on", ".ok"], 5),
        (&["--exit-on", ".v"], 1),
    ];
    for (options, lines) in cases {
        let output = connect(&serve, options, input);
        assert_eq!(output.status.code(), Some(0), "{options:?}");
        assert_eq!(stdout(&output).lines().count(), lines, "{options:?}");
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn an_end_before_what_was_waited_for_has_a_code_of_its_own() {
    let serve = Serve::start();
    let short = ["--count", "3", "--wait", "50ms"];
    let output = connect(&serve, &short, "one\n");
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(stdout(&output), "one\n");
    assert!(text(&output.stderr).contains("before --count or --exit-on was met: 1000"));

    for (close, code) in [(true, 5), (false, 5)] {
        let puppet = Puppet::new();
        let child = longwire(&["connect", "--exit-on", "x", &puppet.url()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut peer = puppet.accept();
        peer.text("y");
        if close {
            peer.close(1000, "");
        }
        drop(peer);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(stdout(&output), "y\n");
    }
}

#[test]
fn all_of_stdin_is_one_binary_message_and_comes_back_as_it_was() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let bytes: Vec<u8> = (0..3_000_000_u64).map(|i| ((i * i) >> 5) as u8).collect();
    let output = run(&["connect", "--binary", "--count", "1", &url], &bytes);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout == bytes, "{} bytes", output.stdout.len());
}

#[test]
fn binary_messages_are_written_to_a_file_or_to_files() {
    let folder = Folder::new();
    let spawn = |path: &str| {
        let puppet = Puppet::new();
        let child = longwire(&["connect", "--no-input", "--output", path, &puppet.url()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut peer = puppet.accept();
        peer.binary(b"one\0");
        peer.text("a text");
        peer.binary(b"two");
        peer.close(1000, "");
        drop(peer);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stdout(&output), "a text\n");
    };
    let file = folder.path("file");
    spawn(&file);
    assert_eq!(std::fs::read(&file).unwrap(), b"one\0two");
    let files = folder.path("files/");
    spawn(&files);
    // What is there stays.
    spawn(&files);
    for (name, content) in [
        ("000001.bin", &b"one\0"[..]),
        ("000002.bin", b"two"),
        ("000003.bin", b"one\0"),
        ("000004.bin", b"two"),
    ] {
        let path = format!("{files}{name}");
        assert_eq!(std::fs::read(path).unwrap(), content, "{name}");
    }
    let wrong = run(
        &["connect", "--output", "/nowhere/x", "ws://127.0.0.1:1"],
        b"",
    );
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("/nowhere/x"));
}

#[test]
fn verbose_shows_the_handshake_and_each_frame_on_stderr() {
    let serve = Serve::start();
    let long = "long and dull ".repeat(50);
    let options = [
        "--verbose",
        "--bearer",
        "secret-token",
        "--subprotocol",
        "x",
    ];
    let output = connect(&serve, &options, &format!("hello\n{long}\n"));
    assert_eq!(stdout(&output), format!("hello\n{long}\n"));
    let stderr = text(&output.stderr);
    for line in [
        "* connecting to the server: ",
        "> GET /echo HTTP/1.1\n",
        "> sec-websocket-version: 13\n",
        "> authorization: Bearer [hidden]\n",
        "< HTTP/1.1 101 Switching Protocols\n",
        "* extension agreed on: permessage-deflate",
        "* subprotocol agreed on: x\n",
        "* the WebSocket handshake: ",
        "> text fin masked 5 bytes: \"hello\"\n",
        "< text fin 5 bytes: \"hello\"\n",
        ", inflated 700: \"long and dull long",
        "> close fin masked 2 bytes: 1000 \"\"\n",
    ] {
        assert!(stderr.contains(line), "{line} in {stderr}");
    }
    assert!(stderr.contains("> text fin rsv1 masked "), "{stderr}");
    assert!(
        !stderr.contains("secret") && !stderr.contains('\u{1b}'),
        "{stderr}"
    );
}

#[test]
fn verbose_shows_what_goes_over_http2_too() {
    let serve = Serve::with(&["--tls-self-signed"]);
    let url = format!("wss://{}/echo", serve.address);
    let output = run(&["connect", "-vk", "--wait", "200ms", &url], b"hello\n");
    assert_eq!(stdout(&output), "hello\n", "{}", text(&output.stderr));
    let stderr = text(&output.stderr);
    for line in [
        "* the TLS handshake: ",
        "* TLSv1.3 with TLS13_",
        ", ALPN h2",
        "> CONNECT ",
        "< HTTP/2.0 200",
        "> text fin masked 5 bytes: \"hello\"",
    ] {
        assert!(stderr.contains(line), "{line} in {stderr}");
    }
}

#[test]
fn a_lost_connection_is_opened_again_where_that_is_asked_for() {
    let puppet = Puppet::new();
    let mut child = longwire(&["connect", "--reconnect", "--json", &puppet.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = |expected: &str| {
        let line = events.next().unwrap().unwrap();
        assert!(
            line.starts_with(&format!("{{\"event\":\"{expected}\"")),
            "{line}"
        );
        line
    };
    let peer = puppet.accept();
    next("open");
    drop(peer);
    assert!(next("close").contains("\"code\":1006"));
    assert!(next("retry").contains("\"wait_ms\":"));
    let mut peer = puppet.accept();
    next("open");
    writeln!(stdin, "hello").unwrap();
    assert_eq!(peer.read_text(), "hello");
    next("message");
    drop(stdin);
    assert_eq!(peer.read_close().0, 1000);
    drop(peer);
    assert!(next("close").contains("\"code\":1000"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_help_has_examples_that_are_accepted() {
    let help = run(&["connect", "--help"], b"");
    let help = stdout(&help);
    for text in ["Exit codes:", "Filters", "Events of --json", "Examples:"] {
        assert!(help.contains(text), "{text}");
    }
}

#[test]
fn what_is_said_before_the_connection_is_there_is_sent_once_it_is() {
    let serve = Serve::start();
    let output = connect(&serve, &["--reconnect", "--count", "2"], "one\ntwo\n");
    assert_eq!(stdout(&output), "one\ntwo\n", "{output:?}");
    // Nothing is waited for after stdin but the connection.
    let (said, heard) = std::sync::mpsc::channel();
    let server = OddServer::start(move |mut connection, number| {
        if number == 0 {
            return connection.refuse("503 Service Unavailable");
        }
        connection.accept()?;
        let message = connection.message()?;
        said.send(message).map_err(std::io::Error::other)?;
        connection.message().map(drop)
    });
    let output = run(&["connect", "--reconnect", &server.url()], b"three\n");
    assert_eq!(heard.try_recv().unwrap(), b"three");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_message_that_is_sent_as_it_is_read_is_told_too() {
    let serve = Serve::start();
    let output = connect(&serve, &["--json", "--binary", "--count", "1"], "12345");
    let sent = stdout(&output)
        .lines()
        .find(|line| line.contains("\"sent\""));
    assert!(sent.unwrap().ends_with("\"bytes\":5}"), "{output:?}");
}

#[test]
fn a_line_that_is_no_text_is_told_and_the_others_are_sent() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let output = run(&["connect", "--count", "2", &url], b"a\ncaf\xe9\nb\n");
    assert_eq!(stdout(&output), "a\nb\n");
    let told = "line 2 is not sent: expected UTF-8, got something else at byte 3";
    assert!(text(&output.stderr).contains(told), "{output:?}");
}

#[test]
fn a_file_is_emptied_by_the_first_message_alone() {
    let folder = Folder::new();
    let path = folder.path("out.bin");
    std::fs::write(&path, "what was there").unwrap();
    let file = &path[..];
    let serve = Serve::start();
    let refused = run(&["connect", "--output", file, &serve.url("/nowhere")], b"");
    assert_eq!(refused.status.code(), Some(4));
    assert_eq!(std::fs::read(&path).unwrap(), b"what was there");
    connect(
        &serve,
        &["--output", file, "--binary", "--count", "1"],
        "new",
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
}
