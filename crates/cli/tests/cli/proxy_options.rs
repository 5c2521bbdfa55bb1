//! `longwire proxy` and `longwire record`: what is refused, and the files.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use crate::between::{Between, Folder, messages, recording};
use crate::program::{Serve, longwire, run};
use crate::proxy::text;

#[test]
fn a_command_line_that_cannot_work_is_told_at_once() {
    let cases: [(&[&str], &str); 26] = [
        (&["proxy", "localhost:80"], "expected ws://"),
        (&["proxy", "--lines", "ws://x"], "speaks no WebSocket"),
        (&["proxy", "--raw", "tcp://x:1"], "needs a WebSocket server"),
        (
            &["proxy", "--bearer", "t", "tcp://x:1"],
            "are for a WebSocket server",
        ),
        (&["proxy", "--location", "ws://x"], "redirects"),
        (&["proxy", "--drop-after", "10m", "ws://x"], "10min or 10MB"),
        (&["proxy", "--jitter", "10ms", "ws://x"], "--latency"),
        (&["proxy", "--drop-silently", "ws://x"], "--drop-after"),
        (&["proxy", "--seed", "1", "ws://x"], "--jitter"),
        (
            &["proxy", "--rewrite-origin", "-o", "http://x", "ws://x"],
            "--origin",
        ),
        (&["replay", "x.jsonl", "--bearer", "t"], "<URL>"),
        (&["replay", "x.jsonl", "--timeout", "1s"], "<URL>"),
        (&["replay", "x.jsonl", "--http1.1"], "<URL>"),
        (
            &["replay", "x.jsonl", "--compression", "dedicated"],
            "<URL>",
        ),
        (
            &["proxy", "--compression", "dedicated", "tcp://x:1"],
            "are for a WebSocket server",
        ),
        (
            &["proxy", "--no-proxy", "unix:/x"],
            "are for a WebSocket server",
        ),
        (
            &["proxy", "--http1.1", "tcp://x:1"],
            "are for a WebSocket server",
        ),
        (&["proxy", "--tls-cert", "/nowhere", "ws://x"], "--tls-key"),
        (&["proxy", "--tls-key", "/nowhere", "ws://x"], "--tls-cert"),
        (
            &["proxy", "--tls-client-ca", "/nowhere", "ws://x"],
            "--tls-self-signed",
        ),
        (
            &[
                "proxy",
                "--tls-self-signed",
                "--tls-client-ca",
                "/nowhere",
                "ws://x",
            ],
            "/nowhere",
        ),
        (&["proxy", "--disturb", "client", "ws://x"], "--latency"),
        (&["proxy", "unix:"], "unix:PATH"),
        (
            &["replay", "x.jsonl", "ws://x", "--speed", "1e-18x"],
            "expected 0.001x",
        ),
        (&["record", "ws://x"], "--output"),
        (
            &["proxy", "--allow-origin", "*", "ws://x"],
            "judges origins itself",
        ),
    ];
    for (arguments, part) in cases {
        let output = run(arguments, b"");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["proxy", "--listen", &address, "ws://x"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--listen"));
    let output = run(
        &[
            "record",
            "-o",
            "/nowhere/x",
            "--listen",
            "127.0.0.1:0",
            "ws://x",
        ],
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nowhere/x"));
    let arguments = ["proxy", "--har", "/nowhere/x", "--listen", "127.0.0.1:0"];
    let output = run(&[&arguments[..], &["ws://x"]].concat(), b"");
    assert_eq!(
        output.status.code(),
        Some(1),
        "it is not known at the end only"
    );
    assert!(text(&output.stderr).contains("/nowhere/x"));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_no_socket_of_an_earlier_run_is_left_alone() {
    let folder = Folder::new();
    let file = folder.file("precious.txt");
    std::fs::write(&file, "precious").unwrap();
    let listen = format!("unix:{}", file.display());
    let output = run(&["proxy", "--listen", &listen, "ws://x"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    // Nor is the file that took the socket's place meanwhile.
    let socket = folder.file("own.sock");
    let listen = format!("unix:{}", socket.display());
    let between = Between::start(&["proxy", "--listen", &listen], &["ws://127.0.0.1:1"]);
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "another's").unwrap();
    assert_eq!(between.stop("-INT").status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "another's");
}

#[test]
fn a_recording_is_not_written_over_unless_that_is_asked() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    std::fs::write(&file, "earlier\n").unwrap();
    let path = file.to_str().unwrap();
    let arguments = ["record", "-o", path, "--listen", "127.0.0.1:0", "ws://x"];
    let output = run(&arguments, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--force"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "earlier\n");
    let between = Between::record(&file, &["--force", "ws://127.0.0.1:1"]);
    assert_eq!(between.stop("-INT").status.code(), Some(0));
    assert_eq!(recording(&file).len(), 1);
}

#[test]
fn a_recording_goes_on_where_nobody_reads_what_is_printed() {
    let folder = Folder::new();
    let file = folder.file("session.jsonl");
    let serve = Serve::start();
    let url = serve.url("/echo");
    let arguments = [
        "record",
        "-o",
        file.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        &url,
    ];
    let mut child = longwire(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let url = line.split(' ').nth(3).unwrap().to_owned();
    for _ in 0..2 {
        assert_eq!(text(&run(&["connect", &url], b"hi\n").stdout), "hi\n");
    }
    let said = messages(&recording(&file), "client").len();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said >= 3, "{said}");
}

#[test]
fn it_ends_when_nobody_reads_what_it_prints() {
    let serve = Serve::start();
    let mut child = longwire(&["proxy", "--listen", "127.0.0.1:0", &serve.url("/echo")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let url = line.split(' ').nth(3).unwrap().to_owned();
    let _ = run(&["connect", &url], b"hi\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
