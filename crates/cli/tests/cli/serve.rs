//! `longwire serve`: what it says, what it serves, how it stops.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use crate::program::{Serve, longwire, run};

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn it_says_what_is_where() {
    let mut serve = Serve::start();
    let mut said = String::new();
    while !said.contains("Ctrl-C") {
        let mut line = String::new();
        assert!(serve.stdout.read_line(&mut line).unwrap() > 0, "{said}");
        said.push_str(&line);
    }
    for path in ["/echo", "/chat", "/article/websocket/demo/hello"] {
        assert!(said.contains(&serve.url(path)), "{path} in {said}");
    }
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let serve = Serve::start();
    let page = get(&serve.address, "/");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(
        page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    let mut files = 0;
    for (_, reference) in ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.match_indices(attribute))
        .map(|(at, attribute)| page.split_at(at + attribute.len()))
    {
        let (target, _) = reference.split_once('"').unwrap();
        if target.starts_with("data:") || target.starts_with('#') {
            continue;
        }
        assert!(!target.contains("//"), "{target} is elsewhere");
        if target.starts_with("assets/") {
            let file = get(&serve.address, &format!("/{target}"));
            assert!(file.starts_with("HTTP/1.1 200 OK\r\n"), "{target}: {file}");
            files += 1;
        }
    }
    assert!(files > 0, "the page has files");
}

#[test]
fn a_chat_message_goes_to_all_and_a_malformed_one_is_answered() {
    let serve = Serve::start();
    let message = "{\"type\":\"message\",\"text\":\"Hi\",\"id\":7,\"date\":1700000000000}\n";
    let output = run(&["connect", &serve.url("/chat")], message.as_bytes());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), message);
    let output = run(&["connect", &serve.url("/chat")], b"hi\n");
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(
        answer.starts_with("{\"type\":\"error\",\"text\":\"expected JSON"),
        "{answer}"
    );
}

#[test]
fn a_stop_signal_closes_open_sockets_with_1001_and_ends_well() {
    for signal in ["-INT", "-TERM"] {
        let serve = Serve::start();
        let mut child = longwire(&["connect", &serve.url("/echo")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Once it has an echo it is connected.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"x\n").unwrap();
        let mut echo = [0; 2];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut echo)
            .unwrap();
        let output = serve.stop(signal);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("stopped: 1 of 1 sockets closed"), "{said}");
        assert!(
            said.contains("socket opened") && said.contains("code=1001")
                || said.contains("socket closed"),
            "{said}"
        );
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("1001"), "{told}");
        assert!(output.status.success());
    }
}

#[test]
fn an_address_that_is_taken_is_told_with_what_to_do() {
    let serve = Serve::start();
    let output = run(&["serve", "--listen", &serve.address], b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("choose another address with --listen"),
        "{stderr}"
    );
}

#[test]
fn help_says_what_each_command_does() {
    let output = run(&["--help"], b"");
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("serve") && help.contains("connect"), "{help}");
    let output = run(&["connect", "--help"], b"");
    let help = String::from_utf8(output.stdout).unwrap();
    for option in [
        "--subprotocol",
        "--header",
        "--origin",
        "--wait",
        "Exit codes:",
    ] {
        assert!(help.contains(option), "{option} in {help}");
    }
}

//= rfc6455#7.1.7-2 test
#[test]
fn a_failed_connection_is_logged_with_what_was_wrong() {
    let serve = Serve::start();
    let mut stream = TcpStream::connect(&serve.address).unwrap();
    let request = format!(
        "GET /echo HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        serve.address
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(&[0xff]).unwrap();
    // The server is done with it once the stream ends.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    drop(stream);
    let output = serve.stop("-INT");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("failed by this end: expected no reserved bit"),
        "{log}"
    );
}

#[tokio::test]
async fn a_chat_member_that_does_not_read_is_dropped_and_the_others_notice_nothing() {
    use tokio::io::AsyncWriteExt as _;
    let serve = Serve::start();
    let mut deaf = tokio::net::TcpStream::connect(&serve.address)
        .await
        .unwrap();
    let request = format!(
        "GET /chat HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        serve.address
    );
    deaf.write_all(request.as_bytes()).await.unwrap();
    // It reads the answer, so that it is a member, and nothing more.
    deaf.readable().await.unwrap();

    let mut member = longwire::connect(serve.url("/chat")).await.unwrap();
    let text = "x".repeat(60_000);
    for i in 0..600 {
        let message = format!("{{\"type\":\"message\",\"text\":\"{text}\",\"id\":{i},\"date\":0}}");
        member.send(message.as_str()).await.unwrap();
        let echo = member.next().await.unwrap().unwrap();
        assert_eq!(echo.as_text(), Some(message.as_str()));
    }
    member.close(1000, "").await.unwrap();
    drop(deaf);
    let output = serve.stop("-INT");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("a subscriber is disconnected: too slow to follow"),
        "{log}"
    );
}
