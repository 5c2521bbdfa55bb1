//! `longwire proxy` and `longwire record`: what passes, is shown and recorded.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::between::{Between, Folder, messages, recording};
use crate::program::{Serve, longwire, run};

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_passes_is_shown_and_recorded_as_it_was_said() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    let between = Between::record(&file, &[&serve.url("")]);
    let url = between.url("/echo?room=1&access_token=secret");
    let arguments = ["connect", "--cookie", "sid=secret", &url];
    let output = run(&arguments, "hello\nh\u{e9}\u{1b}[31m\n".as_bytes());
    assert_eq!(text(&output.stdout), "hello\nh\u{e9}\u{1b}[31m\n");
    let shown = between.lines_to("end by the").concat();
    for part in [
        "> text 5 bytes hello",
        "< text 5 bytes hello",
        "101 Switching",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(
        !shown.contains('\u{1b}') && shown.contains("\\u{1b}[31m"),
        "{shown}"
    );
    let ended = between.stop("-INT");
    assert_eq!(ended.status.code(), Some(0));
    let events = recording(&file);
    assert_eq!(events[0]["longwire_recording"], 1);
    assert_eq!(events[1]["event"], "open");
    assert_eq!(
        events[1]["request"]["line"],
        "GET /echo?room=1&access_token=(redacted) HTTP/1.1"
    );
    let expected = [
        ("text", "hello"),
        ("text", "h\u{e9}\u{1b}[31m"),
        ("close", ""),
    ];
    assert_eq!(messages(&events, "client"), expected);
    assert_eq!(messages(&events, "server"), expected);
    let close = events
        .iter()
        .find(|event| event["opcode"] == "close")
        .unwrap();
    assert_eq!(
        (&close["code"], &close["masked"]),
        (&json!(1000), &json!(true))
    );
    let times: Vec<f64> = events[1..]
        .iter()
        .map(|event| event["t"].as_f64().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let all = std::fs::read_to_string(&file).unwrap();
    assert!(!all.contains("secret") && all.contains("(redacted)"));
}

#[test]
fn secrets_are_kept_where_that_is_asked() {
    let serve = Serve::start();
    let between = Between::json(&["--secrets", &serve.url("/echo")]);
    run(
        &["connect", "--cookie", "sid=secret", &between.url("/")],
        b"",
    );
    let events = between.events_to_end();
    assert!(events[0]["request"].to_string().contains("sid=secret"));
    assert_eq!(
        events[0]["request"]["line"], "GET /echo HTTP/1.1",
        "the URL's path is asked for"
    );
}

#[test]
fn compressed_messages_pass_as_they_are_and_are_recorded_inflated() {
    for compression in ["shared", "dedicated"] {
        let serve = Serve::with(&["--compression", compression]);
        let between = Between::json(&["--frames", &serve.url("/echo")]);
        let lines = format!(
            "{}\n{}\n",
            "compress me ".repeat(500),
            "compress me ".repeat(501)
        );
        let output = run(&["connect", &between.url("/")], lines.as_bytes());
        assert_eq!(text(&output.stdout), lines);
        let events = between.events_to_end();
        let said: Vec<_> = lines.lines().map(|line| ("text", line)).collect();
        for side in ["client", "server"] {
            assert_eq!(messages(&events, side)[..2], said, "{compression} {side}");
        }
        let compressed: Vec<_> = events
            .iter()
            .filter(|event| event["compressed"] == true)
            .collect();
        assert_eq!(compressed.len(), 4, "{events:?}");
        for message in compressed {
            let (len, wire_len) = (&message["len"], &message["wire_len"]);
            assert!(len.as_u64() > wire_len.as_u64(), "{len} {wire_len}");
        }
        let marked = events
            .iter()
            .filter(|event| event["event"] == "frame" && event["rsv"] == 4);
        assert_eq!(marked.count(), 4);
    }
}

#[test]
fn a_message_beyond_what_is_kept_passes_whole_and_is_marked() {
    let serve = Serve::start();
    let options = ["--keep", "10", "--no-compression", &serve.url("/echo")];
    let between = Between::json(&options);
    let output = run(&["connect", &between.url("/")], b"0123456789abc\nnext\n");
    assert_eq!(text(&output.stdout), "0123456789abc\nnext\n");
    let events = between.events_to_end();
    let said = [("text", "0123456789"), ("text", "next"), ("close", "")];
    assert_eq!(messages(&events, "client"), said);
    let cut = events
        .iter()
        .find(|event| event["truncated"] == true)
        .unwrap();
    assert_eq!(cut["len"], 13);
}

/// Reads a head.
pub(crate) fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    text(&head)
}

#[test]
fn bytes_pass_unchanged_whatever_they_are() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("ws://{}", listener.local_addr().unwrap());
    let between = Between::json(&[&upstream]);
    let request =
        "GET /x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nX-Own:  a b \r\n\r\n";
    let response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    // Reserved bits, a reserved opcode, a length in more bytes than it needs, a
    // fragment without a beginning.
    let up = b"\xf3\x81\x01\x02\x03\x04\xff\x80\xfe\x00\x01\x00\x00\x00\x00z";
    let down = b"\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x02hi\x8b\x00";
    let mut client = TcpStream::connect(&between.address).unwrap();
    // What comes with the request passes behind it.
    client
        .write_all(&[request.as_bytes(), &up[..]].concat())
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let asked = head(&mut server);
    assert!(
        asked.contains(upstream.trim_start_matches("ws://")),
        "{asked}"
    );
    assert!(
        asked.contains("Upgrade: websocket") && asked.contains("X-Own: a b"),
        "{asked}"
    );
    server
        .write_all(&[response.as_bytes(), &down[..]].concat())
        .unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, [response.as_bytes(), &down[..]].concat());
    drop(client);
    let mut got = Vec::new();
    server.read_to_end(&mut got).unwrap();
    assert_eq!(got, up);
    let events = between.events_to_end();
    assert_eq!(messages(&events, "server")[0], ("binary", "aGk="));
    assert_eq!(messages(&events, "client")[0].0, "opcode 0x3");
}

#[test]
fn connections_are_told_apart_and_refusals_passed_on() {
    let serve = Serve::start();
    let between = Between::json(&[&serve.url("")]);
    assert_eq!(
        run(&["connect", &between.url("/echo")], b"a\n")
            .status
            .code(),
        Some(0)
    );
    let first = between.events_to_end();
    let refused = run(&["connect", &between.url("/nowhere")], b"");
    assert_eq!(refused.status.code(), Some(4));
    assert!(text(&refused.stderr).contains("404"));
    let second = between.events_to_end();
    assert!(first.iter().all(|event| event["conn"] == 1));
    assert!(second.iter().all(|event| event["conn"] == 2));
    assert_eq!(second[0]["response"]["line"], "HTTP/1.1 404 Not Found");
}

#[test]
fn a_page_and_its_sockets_come_through() {
    let serve = Serve::start();
    let between = Between::json(&["--rewrite-origin", &serve.url("")]);
    let mut stream = TcpStream::connect(&between.address).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {}\r\n\r\n",
        between.address
    )
    .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("</html>"),
        "{page}"
    );
    let own = format!("http://{}", between.address);
    let arguments = ["connect", "--origin", &own, &between.url("/echo")];
    assert_eq!(text(&run(&arguments, b"hi\n").stdout), "hi\n");
    // The server cannot tell any more who asks: the proxy does.
    let arguments = [
        "connect",
        "--origin",
        "https://evil.example",
        &between.url("/echo"),
    ];
    let refused = run(&arguments, b"hi\n");
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        text(&refused.stderr).contains("403"),
        "{}",
        text(&refused.stderr)
    );
    // Without it, the server judges what the page says.
    let between = Between::json(&[&serve.url("")]);
    let refused = run(
        &["connect", "--origin", &own, &between.url("/echo")],
        b"hi\n",
    );
    assert_eq!(refused.status.code(), Some(4));
}

#[test]
fn a_har_file_has_each_connection_with_its_messages() {
    let folder = Folder::new();
    let (file, har) = (folder.file("session.jsonl"), folder.file("session.har"));
    let serve = Serve::start();
    let between = Between::record(&file, &["--har", har.to_str().unwrap(), &serve.url("")]);
    for line in ["one\n", "two\n"] {
        run(&["connect", &between.url("/echo?x=1")], line.as_bytes());
    }
    assert_eq!(between.stop("-TERM").status.code(), Some(0));
    let converted = folder.file("converted.har");
    let arguments = [
        "replay",
        file.to_str().unwrap(),
        "--har",
        converted.to_str().unwrap(),
    ];
    assert_eq!(run(&arguments, b"").status.code(), Some(0));
    let read = |path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let (har, converted) = (read(&har), read(&converted));
    assert_eq!(har, converted, "made of a recording later it is the same");
    let log = &har["log"];
    assert_eq!(log["version"], "1.2");
    assert!(log["creator"]["name"].is_string() && log["creator"]["version"].is_string());
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    for (entry, said) in entries.iter().zip(["one", "two"]) {
        assert_eq!(entry["_resourceType"], "websocket");
        assert_eq!(entry["request"]["method"], "GET");
        assert_eq!(entry["request"]["url"], serve.url("/echo?x=1"));
        assert_eq!(
            entry["request"]["queryString"],
            json!([{ "name": "x", "value": "1" }])
        );
        assert_eq!(entry["response"]["status"], 101);
        // What the specification asks of every entry.
        for field in ["startedDateTime", "time", "cache", "timings"] {
            assert!(!entry[field].is_null(), "{field}");
        }
        for (head, fields) in [
            (
                "request",
                &[
                    "httpVersion",
                    "cookies",
                    "headers",
                    "queryString",
                    "headersSize",
                    "bodySize",
                ][..],
            ),
            (
                "response",
                &[
                    "statusText",
                    "httpVersion",
                    "cookies",
                    "headers",
                    "content",
                    "redirectURL",
                ],
            ),
        ] {
            for field in fields {
                assert!(!entry[head][field].is_null(), "{head} {field}");
            }
        }
        let messages = entry["_webSocketMessages"].as_array().unwrap();
        assert_eq!(messages.len(), 2);
        for (message, kind) in messages.iter().zip(["send", "receive"]) {
            assert_eq!(
                (&message["type"], &message["opcode"]),
                (&json!(kind), &json!(1))
            );
            assert_eq!(message["data"], *said);
            assert!(message["time"].as_f64().unwrap() > 1.7e9);
        }
    }
}

#[test]
fn a_recording_is_whole_however_the_proxy_ends() {
    for signal in ["-INT", "-KILL"] {
        let folder = Folder::new();
        let file = folder.file("session.jsonl");
        let serve = Serve::start();
        let between = Between::record(&file, &[&serve.url("/echo")]);
        let mut client = longwire(&["connect", &between.url("/")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = client.stdin.take().unwrap();
        writeln!(stdin, "hi").unwrap();
        let mut line = String::new();
        BufReader::new(client.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "hi\n");
        let ended = between.stop(signal);
        let events = recording(&file);
        assert_eq!(messages(&events, "server"), [("text", "hi")]);
        if signal == "-INT" {
            assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
            let last = events.last().unwrap();
            assert_eq!(
                (&last["event"], &last["by"]),
                (&json!("end"), &json!("proxy"))
            );
        }
        drop(stdin);
        assert_eq!(
            client.wait().unwrap().code(),
            Some(1),
            "its connection broke"
        );
    }
}

#[test]
fn a_tcp_port_leads_to_a_websocket() {
    let serve = Serve::start();
    let between = Between::json(&["--raw", "--lines", &serve.url("/echo")]);
    let mut stream = TcpStream::connect(&between.address).unwrap();
    stream.write_all(b"one\r\ntwo\nthree").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers, "one\ntwo\nthree\n");
    let said = [
        ("text", "one"),
        ("text", "two"),
        ("text", "three"),
        ("close", ""),
    ];
    assert_eq!(messages(&between.events_to_end(), "client"), said);
    let between = Between::json(&["--raw", &serve.url("/echo")]);
    let mut stream = TcpStream::connect(&between.address).unwrap();
    stream.write_all(b"\x00\xffa\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    assert_eq!(answers, b"\x00\xffa\n");
    assert_eq!(messages(&between.events_to_end(), "server")[0].0, "binary");
}

/// A service that answers each line in capitals, until its client ends.
fn shout(stream: impl std::io::Read, mut to: impl std::io::Write) {
    for line in BufReader::new(stream).lines() {
        writeln!(to, "{}", line.unwrap().to_uppercase()).unwrap();
    }
}

#[test]
fn a_websocket_leads_to_a_tcp_service() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("tcp://{}", listener.local_addr().unwrap());
    let service = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        shout(stream.try_clone().unwrap(), stream);
    });
    let between = Between::json(&["--lines", &upstream]);
    let arguments = [
        "connect",
        "--origin",
        "https://evil.example",
        &between.url("/"),
    ];
    let refused = run(&arguments, b"");
    assert_eq!(refused.status.code(), Some(4), "pages of others stay out");
    between.events_to_end();
    let mut client = longwire(&["connect", "--subprotocol", "lines", &between.url("/")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let mut stdout = BufReader::new(client.stdout.take().unwrap());
    for (said, expected) in [("hi", "HI\n"), ("you", "YOU\n")] {
        writeln!(stdin, "{said}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, expected);
    }
    drop(stdin);
    assert_eq!(client.wait().unwrap().code(), Some(0));
    service.join().unwrap();
    let events = between.events_to_end();
    assert_eq!(
        messages(&events, "server"),
        [("text", "HI"), ("text", "YOU"), ("close", "")]
    );
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_listened_on_and_connected_to() {
    use std::os::unix::net::UnixListener;
    let folder = Folder::new();
    let (front, back) = (folder.file("front.sock"), folder.file("back.sock"));
    let listener = UnixListener::bind(&back).unwrap();
    let service = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        shout(stream.try_clone().unwrap(), stream);
    });
    let upstream = format!("unix:{}", back.display());
    let listen = format!("unix:{}", front.display());
    // What an earlier run has left behind is no obstacle.
    drop(UnixListener::bind(&front).unwrap());
    let between = Between::start(&["proxy", "--listen", &listen], &["--lines", &upstream]);
    assert_eq!(between.address, front.to_str().unwrap());
    let arguments = [
        "connect",
        "--unix-socket",
        front.to_str().unwrap(),
        "ws://x/",
    ];
    let mut client = longwire(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    writeln!(stdin, "hi").unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "HI\n");
    drop(stdin);
    assert_eq!(client.wait().unwrap().code(), Some(0));
    service.join().unwrap();
    assert_eq!(between.stop("-INT").status.code(), Some(0));
    assert!(!front.exists(), "it is removed at the end");
}

#[test]
fn a_server_that_is_not_there_is_a_502_that_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ws://{}", free.local_addr().unwrap());
    drop(free);
    let between = Between::proxy(&[&nobody]);
    let output = run(&["connect", &between.url("/")], b"");
    assert_eq!(output.status.code(), Some(4));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("502") && stderr.contains("is a server listening"),
        "{stderr}"
    );
    let shown = between.lines_to("end by the proxy").concat();
    assert!(shown.contains("502 Bad Gateway"), "{shown}");
}

#[test]
fn both_sides_speak_tls_where_that_is_asked() {
    let serve = Serve::with(&["--tls-self-signed"]);
    let upstream = format!("wss://{}/echo", serve.address);
    let between = Between::json(&["--tls-self-signed", "--insecure", &upstream]);
    let url = format!("wss://{}/", between.address);
    let output = run(&["connect", "--insecure", &url], b"hi\n");
    assert_eq!(text(&output.stdout), "hi\n", "{}", text(&output.stderr));
    let events = between.events_to_end();
    assert_eq!(messages(&events, "server")[0], ("text", "hi"));
    // A client that speaks none is told nothing, and the next one is let in.
    assert_eq!(
        run(&["connect", &between.url("/")], b"").status.code(),
        Some(4)
    );
    let output = run(&["connect", "--insecure", &url], b"hi\n");
    assert_eq!(text(&output.stdout), "hi\n");
}

#[test]
fn a_line_that_is_no_text_passes_as_it_is() {
    let serve = Serve::start();
    let between = Between::json(&["--raw", "--lines", &serve.url("/echo")]);
    let mut stream = TcpStream::connect(&between.address).unwrap();
    stream.write_all(b"caf\xe9\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"caf\xe9\n");
}
