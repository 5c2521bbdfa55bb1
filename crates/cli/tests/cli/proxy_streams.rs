//! `longwire proxy`: the two ends of a connection as they end, and plain requests.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use crate::between::{Between, messages};
use crate::proxy::head;

/// A proxy with both ends of a connection that changed its protocol.
fn upgraded() -> (Between, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("ws://{}", listener.local_addr().unwrap());
    let between = Between::json(&[&upstream]);
    let mut client = TcpStream::connect(&between.address).unwrap();
    write!(
        client,
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
    )
    .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    head(&mut server);
    write!(
        server,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    )
    .unwrap();
    head(&mut client);
    (between, client, server)
}

#[test]
fn a_server_may_say_a_lot_after_its_client_has_ended() {
    let (between, mut client, mut server) = upgraded();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    // Longer in all than either may be silent.
    for _ in 0..6 {
        std::thread::sleep(Duration::from_secs(2));
        server.write_all(b"\x81\x02hi").unwrap();
    }
    drop(server);
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), 6 * 4);
    let events = between.events_to_end();
    assert_eq!(messages(&events, "server").len(), 6);
}

#[test]
fn one_that_says_nothing_after_the_other_has_ended_is_cut_off_and_that_is_told() {
    let (between, client, _server) = upgraded();
    drop(client);
    let events = between.events_to_end();
    let why = events.last().unwrap()["why"].as_str().unwrap();
    assert!(
        why.contains("the server did not end, and was cut off"),
        "{why}"
    );
}

#[test]
fn a_server_learns_that_the_client_of_a_plain_request_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("ws://{}", listener.local_addr().unwrap());
    let between = Between::json(&[&upstream]);
    let mut client = TcpStream::connect(&between.address).unwrap();
    write!(client, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    head(&mut server);
    write!(server, "HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n").unwrap();
    head(&mut client);
    drop(client);
    server
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0, "it is told");
}

#[test]
fn another_request_behind_a_plain_one_does_not_pass_unseen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("ws://{}", listener.local_addr().unwrap());
    let between = Between::json(&["--rewrite-origin", &upstream]);
    let mut client = TcpStream::connect(&between.address).unwrap();
    write!(
        client,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /second HTTP/1.1\r\n\r\n"
    )
    .unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut got = String::new();
    server.read_to_string(&mut got).unwrap();
    assert!(
        got.starts_with("POST / ") && got.ends_with("\r\n\r\nhi"),
        "{got}"
    );
    // The answer reaches a client that has said all.
    write!(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nhi"), "{answer}");
}

#[test]
fn values_of_fields_that_are_no_utf_8_pass_as_they_are() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("ws://{}", listener.local_addr().unwrap());
    let between = Between::json(&[&upstream]);
    let mut client = TcpStream::connect(&between.address).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: caf\xe9\r\n\r\n")
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        got.push(byte[0]);
    }
    assert!(
        got.windows(9).any(|part| part == b"X-A: caf\xe9"),
        "{got:?}"
    );
    server
        .write_all(b"HTTP/1.1 200 OK\r\nX-B: \xe9\r\n\r\n")
        .unwrap();
    drop(server);
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert!(got.windows(6).any(|part| part == b"X-B: \xe9"), "{got:?}");
    let shown = between.lines_to("\"event\":\"http\"").concat();
    assert!(shown.contains("caf\u{fffd}"), "{shown}");
}
