//! A request for a WebSocket is answered the same, however its bytes arrive: whole in one
//! piece, in pieces, or with frames behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longwire::handler::{Context, MessageRef};
use longwire::http::Response;
use longwire::server::{Accept, Refuse, Route, UpgradeRequest};
use longwire::{Limits, Server};
use longwire_proto::Opcode;
use longwire_testkit::wire::frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Raw, TestServer, echo, read_head, request, soon};

/// Echoes, with a handler and with a future.
fn routes() -> [Route; 2] {
    let handler = |context: &mut Context<'_>, message: MessageRef<'_>| {
        context.send(message).unwrap();
    };
    [Route::handled(move |_| handler), Route::new(echo)]
}

/// Gives the server, which is on this thread, time to read what was written.
async fn let_it_read() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Sends a request in these pieces, and gives all that comes back up to the end of the
/// response, but for its date.
async fn answer(server: &TestServer, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        // A server that has heard enough may be gone.
        let _ = stream.write_all(piece).await;
        let_it_read().await;
    }
    let head = read_head(&mut stream).await;
    let lines = head.split_inclusive("\r\n");
    let mut told: Vec<&str> = lines.filter(|line| !line.starts_with("date: ")).collect();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    soon(stream.read_exact(&mut body)).await.unwrap();
    let body = String::from_utf8(body).unwrap();
    told.push(&body);
    told.concat()
}

#[tokio::test]
async fn a_head_that_is_cut_anywhere_opens_the_same_socket() {
    for route in routes() {
        let server = TestServer::with(route).await;
        let head = request("/", &["X-Further: 1"]);
        let whole = answer(&server, &[head.as_bytes()]).await;
        assert!(whole.starts_with("HTTP/1.1 101 "), "{whole}");
        for cut in 1..head.len() {
            let (start, rest) = head.as_bytes().split_at(cut);
            assert_eq!(answer(&server, &[start, rest]).await, whole, "{cut}");
        }
    }
}

#[tokio::test]
async fn frames_behind_the_head_are_read_wherever_all_of_it_is_cut() {
    let key = Some([1, 2, 3, 4]);
    let frames = [
        frame(true, Opcode::Text, b"first", key),
        frame(true, Opcode::Binary, &[7; 300], key),
    ]
    .concat();
    for route in routes() {
        let server = TestServer::with(route).await;
        let mut all = request("/", &[]).into_bytes();
        let head_len = all.len();
        all.extend_from_slice(&frames);
        // At each byte around the end of the head and of the first frame.
        for cut in (head_len - 5..head_len + 20).chain([all.len()]) {
            let mut raw = Raw::over(TcpStream::connect(server.addr).await.unwrap());
            raw.stream.set_nodelay(true).unwrap();
            raw.write(&all[..cut]).await;
            let_it_read().await;
            raw.write(&all[cut..]).await;
            let head = read_head(&mut raw.stream).await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            assert_eq!(raw.read().await, Some((0x81, b"first".to_vec())), "{cut}");
            assert_eq!(raw.read().await, Some((0x82, vec![7; 300])), "{cut}");
        }
    }
}

#[tokio::test]
async fn more_behind_the_head_than_is_read_at_once_is_not_lost() {
    for (route, further) in routes().into_iter().flat_map(|route| {
        // With so long a head, the first read ends within it.
        let long = format!("X-Long: {}", "x".repeat(9000));
        [(route.clone(), String::new()), (route, long)]
    }) {
        let server = TestServer::with(route).await;
        let further: Vec<&str> = [further.as_str()]
            .into_iter()
            .filter(|f| !f.is_empty())
            .collect();
        let mut all = request("/", &further).into_bytes();
        let messages: Vec<Vec<u8>> = (0..40_u8).map(|i| vec![i; 1000]).collect();
        for message in &messages {
            all.extend_from_slice(&frame(true, Opcode::Binary, message, Some([5; 4])));
        }
        let mut raw = Raw::over(TcpStream::connect(server.addr).await.unwrap());
        raw.write(&all).await;
        let head = read_head(&mut raw.stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        for message in messages {
            assert_eq!(raw.read().await, Some((0x82, message)));
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_the_same_whole_and_in_pieces() {
    let good = request("/", &[]);
    let long = format!("\r\nX-Long: {}\r\n\r\n", "x".repeat(2000));
    let many = format!("\r\n{}\r\n", "X: 1\r\n".repeat(30));
    let cases = [
        ("GET /", "POST /", 405),
        ("GET /", "GET /elsewhere", 404),
        ("GET /", "GET http://example.com/elsewhere", 404),
        ("GET /", "GET \u{1}", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("HTTP/1.1", "HTTP/3", 400),
        ("Host: example.com\r\n", "", 400),
        ("Host: example.com", "Host: a\r\nHost: b", 400),
        ("Host: example.com", "Host : example.com", 400),
        ("Host: example.com", "Host: a\r\n b", 400),
        ("Upgrade: websocket", "Upgrade: h2c", 400),
        ("Upgrade: websocket\r\n", "", 400),
        ("Connection: Upgrade", "Connection: close", 400),
        ("Version: 13", "Version: 8", 426),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Key: x\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a b\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a, a\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: =\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n", 403),
        ("\r\n\r\n", "\r\nOrigin: null\r\n\r\n", 403),
        ("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n", 400),
        (
            "\r\n\r\n",
            "\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            400,
        ),
        ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("\r\n\r\n", "\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        ("\r\n\r\n", &long, 431),
        ("\r\n\r\n", &many, 431),
        // These are in order.
        ("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 101),
        ("\r\n\r\n", "\r\nOrigin: http://example.com\r\n\r\n", 101),
        ("\r\n", "\n", 101),
        ("GET /", "\r\nGET /", 101),
        ("GET /", "GET http://example.com/", 101),
        ("GET /", "GET /?x=1", 101),
    ];
    for route in routes() {
        let limits = Limits::default().header_bytes(1500).header_fields(25);
        let server = TestServer::start(Server::new().route("/", route).limits(limits)).await;
        for (from, to, status) in cases {
            let bad = good.replacen(from, to, 1);
            let whole = answer(&server, &[bad.as_bytes()]).await;
            let start = format!("{status} ");
            assert!(whole[9..].starts_with(&start), "{to:?}: {whole}");
            let (start, rest) = bad.as_bytes().split_at(20);
            assert_eq!(answer(&server, &[start, rest]).await, whole, "{to:?}");
        }
    }
}

#[tokio::test]
async fn a_hook_is_asked_once_whether_it_answers_at_once_or_takes_its_time() {
    for (at_once, route) in [true, false]
        .into_iter()
        .flat_map(|at_once| routes().map(|route| (at_once, route)))
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let route = route.on_upgrade(move |request: UpgradeRequest| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                if !at_once {
                    let_it_read().await;
                }
                match request.uri().query() {
                    Some("refuse") => Err(Refuse::status(403)),
                    Some("own") => Err(Refuse::response(Response::new("no"))),
                    Some("panic") => panic!("as I was told to"),
                    _ => Ok(Accept::new().header("set-cookie", "a=1")),
                }
            }
        });
        let server = TestServer::with(route).await;
        for (i, (query, status)) in [("", 101), ("refuse", 403), ("own", 200), ("panic", 500)]
            .into_iter()
            .enumerate()
        {
            let head = request(&format!("/?{query}"), &[]);
            let whole = answer(&server, &[head.as_bytes()]).await;
            let start = format!("HTTP/1.1 {status} ");
            assert!(whole.starts_with(&start), "{query}: {whole}");
            assert_eq!(whole.contains("set-cookie: a=1\r\n"), status == 101);
            assert_eq!(asked.load(Ordering::Relaxed), 2 * i + 1, "{query}");
            let (start, rest) = head.as_bytes().split_at(20);
            assert_eq!(answer(&server, &[start, rest]).await, whole, "{query}");
        }
    }
}

#[tokio::test]
async fn a_request_behind_a_refused_handshake_is_answered_too() {
    let server = TestServer::with(echo).await;
    let refused = request("/", &["Origin: http://evil.example"]);
    let both = format!("{refused}{}", request("/", &[]));
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(both.as_bytes()).await.unwrap();
    let first = read_head(&mut stream).await;
    assert!(first.starts_with("HTTP/1.1 403 "), "{first}");
    let mut rest = String::new();
    while !rest.contains("HTTP/1.1 101 ") {
        rest.push(char::from(soon(stream.read_u8()).await.unwrap()));
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_hook_thinks_ends_the_hook() {
    /// Tells when it is dropped.
    struct Dropped(tokio::sync::mpsc::UnboundedSender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let route = Route::new(echo).on_upgrade(move |_| {
        let dropped = Dropped(tell.clone());
        async move {
            let _dropped = dropped;
            std::future::pending().await
        }
    });
    let server = TestServer::with(route).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream
        .write_all(request("/", &[]).as_bytes())
        .await
        .unwrap();
    let_it_read().await;
    drop(stream);
    soon(told.recv()).await.unwrap();
}
