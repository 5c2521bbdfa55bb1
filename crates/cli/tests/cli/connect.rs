//! `longwire connect` as a pipe and at the prompt.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use longwire_testkit::accept_for_key;

use crate::program::{Serve, longwire, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_is_piped_in_is_sent_and_every_answer_is_printed() {
    let serve = Serve::start();
    let lines: Vec<String> = (0..500).map(|i| format!("line {i}\n")).collect();
    let lines = lines.concat();
    for input in [
        "hi\n",
        "no newline at the end",
        "\n",
        "héllo 𝄞\r\nnext\n",
        &lines,
    ] {
        let output = run(&["connect", &serve.url("/echo")], input.as_bytes());
        let mut expected = input.replace('\r', "");
        if !expected.ends_with('\n') {
            expected.push('\n');
        }
        assert_eq!(text(&output.stdout), expected);
        assert_eq!(text(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_server_that_answers_late_is_waited_for_where_that_is_asked() {
    let serve = Serve::start();
    let hello = serve.url("/article/websocket/demo/hello");
    let output = run(&["connect", &hello, "--wait", "60"], b"My name is John\n");
    assert_eq!(text(&output.stdout), "Hello from server, John!\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn messages_are_printed_while_lines_are_still_typed() {
    let serve = Serve::start();
    let mut child = longwire(&["connect", &serve.url("/echo")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for i in 0..3 {
        writeln!(stdin, "{i}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{i}\n"));
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn each_failure_has_its_exit_code_and_one_line_that_says_what_to_do() {
    let serve = Serve::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ws://{}", free.local_addr().unwrap());
    drop(free);
    let echo = serve.url("/echo");
    let secure = echo.replace("ws://", "wss://");
    let cases: [(&[&str], i32, &str); 10] = [
        (&[&nobody], 3, "is a server listening there?"),
        (&[&serve.url("/nowhere")], 4, "is the path right?"),
        (
            &[&echo, "--origin", "http://evil.example"],
            4,
            "another --origin",
        ),
        (&["http://127.0.0.1/"], 2, "write ws:// instead"),
        (&["127.0.0.1:8000"], 2, "ws://"),
        (&[&secure], 3, "does the server speak TLS on this port?"),
        (&[&echo, "--proxy", "ftp://x"], 2, "expected a proxy"),
        (&[&echo, "--ca-file", "/nowhere.pem"], 2, "/nowhere.pem"),
        (&[&echo, "--subprotocol", "a b"], 2, "subprotocol"),
        (
            &[&echo, "--header", "Host: elsewhere"],
            2,
            "the handshake sets it",
        ),
    ];
    for (arguments, code, advice) in cases {
        let output = run(&[&["connect"], arguments].concat(), b"");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(
            stderr.starts_with("longwire: ") && stderr.contains(advice),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(text(&output.stdout), "");
    }
    let wrong = run(&["connect", &echo, "--header", "no colon"], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("expected \"Name: value\""));
}

#[test]
fn a_connection_that_breaks_is_exit_code_1() {
    use std::io::Read as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = text(&head);
        let key = head
            .lines()
            .find_map(|l| l.strip_prefix("sec-websocket-key: "));
        let accept = accept_for_key(key.unwrap());
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .unwrap();
        // Binary, then gone.
        stream.write_all(b"\x82\x03\x00\x1f\xff").unwrap();
    });
    let child = longwire(&["connect", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    server.join().unwrap();
    assert_eq!(text(&output.stdout), "00 1f ff\n", "binary is shown as hex");
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("the connection broke: 1006"), "{stderr}");
}

#[test]
fn a_self_signed_server_is_talked_to_on_request() {
    let serve = Serve::with(&["--tls-self-signed"]);
    let url = format!("wss://{}/echo", serve.address);
    let refused = run(&["connect", &url], b"hello\n");
    assert_eq!(refused.status.code(), Some(3));
    let stderr = text(&refused.stderr);
    assert!(
        stderr.contains("--insecure takes any certificate"),
        "{stderr}"
    );
    for further in [&[][..], &["--http1.1"], &["--no-compression"]] {
        let arguments = ["connect", "--insecure", "--wait", "0.5", &url];
        let output = run(&[&arguments, further].concat(), b"hello\n");
        assert_eq!(text(&output.stdout), "hello\n", "{}", text(&output.stderr));
    }
}

#[test]
fn a_certificate_from_files_is_served() {
    let folder = std::env::temp_dir().join(format!("longwire-cli-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let serve = Serve::with(&["--tls-cert", cert, "--tls-key", key]);
    let url = format!("wss://{}/echo", serve.address);
    let output = run(
        &["connect", "--ca-file", cert, "--wait", "0.5", &url],
        b"hello\n",
    );
    assert_eq!(text(&output.stdout), "hello\n", "{}", text(&output.stderr));
    std::fs::remove_dir_all(&folder).unwrap();
    let wrong = run(&["serve", "--tls-cert", cert, "--tls-key", key], b"");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("could not read"));
}

#[test]
fn what_is_piped_comes_out_as_it_is() {
    let serve = Serve::start();
    let line = "a\u{1b}[31mred\u{1b}[0m\u{7}b\u{1}c\n";
    let arguments = ["connect", "--wait", "0.5", &serve.url("/echo")];
    let output = run(&arguments, line.as_bytes());
    assert_eq!(text(&output.stdout), line);
}
