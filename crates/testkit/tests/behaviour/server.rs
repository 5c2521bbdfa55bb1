//! What the server makes of requests: handshakes, origins, hooks, pages, caps.

use std::time::Duration;

use longwire::http::{Request, Response};
use longwire::server::{Accept, OriginPolicy, Refuse, RequestBody, Route, UpgradeRequest};
use longwire::{ClientBuilder, Error, Limits, Server, Socket};
use longwire_proto::Opcode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Raw, TestServer, echo, exchange, read_head, request, soon};

//= rfc6455#4.2.1-1, rfc6455#7.2.2-1, rfc6455#10.7-4 test
#[tokio::test]
async fn each_fault_of_a_handshake_is_answered_by_its_status_and_says_what_is_wrong() {
    let server = TestServer::with(echo).await;
    let good = request("/", &[]);
    let cases = [
        ("GET /", "POST /", 405, "expected the method GET"),
        ("HTTP/1.1", "HTTP/1.0", 400, "expected HTTP/1.1"),
        ("Host: example.com\r\n", "", 400, "host"),
        ("Upgrade: websocket", "Upgrade: h2c", 400, "\"websocket\""),
        ("Upgrade: websocket\r\n", "", 400, "got none"),
        (
            "Connection: Upgrade",
            "Connection: keep-alive",
            400,
            "\"upgrade\"",
        ),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400, "16 bytes"),
        (
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Version: 8",
            426,
            "expected Sec-WebSocket-Version 13",
        ),
        (
            "\r\n\r\n",
            "\r\nSec-WebSocket-Protocol: a b\r\n\r\n",
            400,
            "\"a b\"",
        ),
        (
            "\r\n\r\n",
            "\r\nSec-WebSocket-Extensions: =\r\n\r\n",
            400,
            "extension",
        ),
    ];
    for (from, to, status, told) in cases {
        let response = exchange(server.addr, &good.replacen(from, to, 1)).await;
        let expected = format!("HTTP/1.{} {status} ", u8::from(to != "HTTP/1.0"));
        assert!(response.starts_with(&expected), "{to}: {response}");
        assert!(response.contains(told), "{told} in {response}");
    }
    let response = exchange(server.addr, &good.replace("Version: 13", "Version: 99")).await;
    assert!(response.contains("sec-websocket-version: 13"), "{response}");
}

#[tokio::test]
async fn a_head_above_the_limits_is_answered_by_431() {
    let server = TestServer::start(Server::new().route("/", echo)).await;
    let many: Vec<String> = (0..96).map(|i| format!("X-{i}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let response = exchange(server.addr, &request("/", &many)).await;
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
    assert!(response.contains("header_fields"), "{response}");
    let long = format!("X-Long: {}", "x".repeat(16 << 10));
    let response = exchange(server.addr, &request("/", &[&long])).await;
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
    assert!(response.contains("header_bytes"), "{response}");
    // Thousands of fields, and a head that never ends, are cut off early.
    for flood in [
        "X: 1\r\n".repeat(5000),
        format!("X: {}", "x".repeat(1 << 20)),
    ] {
        let head = request("/", &[]).replace("\r\n\r\n", &format!("\r\n{flood}"));
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        // The server may hang up before it has read all of it.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut response = Vec::new();
        let _ = soon(stream.read_to_end(&mut response)).await;
        let response = String::from_utf8_lossy(&response).into_owned();
        assert!(
            response.is_empty() || response.starts_with("HTTP/1.1 431 "),
            "{response}"
        );
    }
}

#[tokio::test]
async fn a_request_that_dawdles_is_dropped_after_the_handshake_timeout() {
    let server = Server::new()
        .route("/", echo)
        .handshake_timeout(Duration::from_millis(100));
    let server = TestServer::start(server).await;
    let head = request("/", &[]);
    let page = "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n";
    // Nothing at all, a head that breaks off, and nothing after a first request.
    for start in ["", &head[..40], page] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // Whatever it says, it ends; and it has opened nothing.
        let _ = soon(stream.read_to_end(&mut rest)).await;
        assert!(!rest.starts_with(b"HTTP/1.1 101"));
    }
}

//= rfc6455#4.2.1-9, rfc6455#4.2.2-4, rfc6455#10.2-1, rfc6455#10.2-2 test
#[tokio::test]
async fn pages_of_other_sites_are_refused_unless_the_route_says_otherwise() {
    let list = OriginPolicy::AllowList(vec!["https://friend.example".to_owned()]);
    let server = Server::new()
        .route("/", echo)
        .route("/list", Route::new(echo).origin(list))
        .route("/any", Route::new(echo).origin(OriginPolicy::Any))
        .route("/strict", Route::new(echo).allow_missing_origin(false));
    let server = TestServer::start(server).await;
    let cases = [
        ("/", Some("http://example.com"), 101),
        ("/", Some("https://example.com"), 101),
        ("/", Some("http://evil.example"), 403),
        ("/", Some("http://example.com:81"), 403),
        ("/", Some("null"), 403),
        ("/", None, 101),
        ("/list", Some("https://friend.example"), 101),
        ("/list", Some("http://example.com"), 403),
        ("/any", Some("http://evil.example"), 101),
        ("/strict", None, 403),
        ("/strict", Some("http://example.com"), 101),
    ];
    for (path, origin, status) in cases {
        let line = origin.map(|origin| format!("Origin: {origin}"));
        let further: Vec<&str> = line.as_deref().into_iter().collect();
        let response = exchange(server.addr, &request(path, &further)).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(
            response.starts_with(&expected),
            "{path} {origin:?}: {response}"
        );
    }
}

//= rfc6455#4.2.1-12 test
#[tokio::test]
async fn the_hook_sees_the_request_and_may_accept_with_what_it_likes() {
    #[derive(Clone)]
    struct User(String);
    let route = Route::new(|mut socket: Socket| async move {
        let user = socket.extensions().get::<User>().unwrap().0.clone();
        let about = format!("{user} {:?} {}", socket.subprotocol(), socket.uri());
        socket.send(about).await
    })
    .subprotocols(["v1", "v2"])
    .on_upgrade(|request: UpgradeRequest| async move {
        let user = request.headers()["x-user"].to_str().unwrap().to_owned();
        assert!(request.peer_addr().unwrap().ip().is_loopback());
        assert_eq!(request.subprotocols(), ["v2", "v1"]);
        let accept = Accept::new().attach(User(user)).header("Set-Cookie", "a=1");
        Ok(accept.header("set-cookie", "b=2").subprotocol("v2"))
    });
    let server = TestServer::start(Server::new().route("/chat", route)).await;
    let client = ClientBuilder::new()
        .header("X-User", "ann")
        .subprotocol("v2")
        .subprotocol("v1");
    let mut socket = client.connect(server.url("/chat?x=1")).await.unwrap();
    let cookies: Vec<_> = socket
        .response_headers()
        .get_all("set-cookie")
        .iter()
        .collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let message = socket.next().await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("ann Some(\"v2\") /chat?x=1"));
}

//= rfc6455#4.2.2-2, rfc6455#4.2.2-3, rfc6455#10.1-1, rfc6455#10.5-1 test
#[tokio::test]
async fn the_hook_may_refuse_with_any_response() {
    let route = Route::new(echo).on_upgrade(|request: UpgradeRequest| async move {
        Err(match request.uri().query().unwrap() {
            "redirect" => Refuse::redirect("/elsewhere"),
            "own" => Refuse::response(
                Response::builder()
                    .status(401)
                    .header("www-authenticate", "Basic")
                    .body("who are you?")
                    .unwrap(),
            ),
            status => Refuse::status(status.parse().unwrap()),
        })
    });
    let server = TestServer::with(route).await;
    for (query, status) in [
        ("403", 403),
        ("503", 503),
        ("redirect", 307),
        ("own", 401),
        ("101", 500),
    ] {
        let url = server.url(&format!("/?{query}"));
        let Err(Error::Refused(refusal)) = longwire::connect(url).await else {
            panic!("expected a refusal");
        };
        assert_eq!(refusal.status, status);
        match query {
            "redirect" => assert_eq!(refusal.headers["location"], "/elsewhere"),
            "own" => assert_eq!(refusal.body, b"who are you?"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_hook_that_asks_for_the_impossible_or_panics_is_a_500() {
    let hooks: [fn() -> Accept; 4] = [
        || Accept::new().subprotocol("not offered"),
        || Accept::new().header("upgrade", "other"),
        || Accept::new().header("a b", "c"),
        || panic!("the hook's own fault"),
    ];
    for hook in hooks {
        let route = Route::new(echo).on_upgrade(move |_| async move { Ok(hook()) });
        let server = TestServer::with(route).await;
        let Err(Error::Refused(refusal)) = longwire::connect(server.url("/")).await else {
            panic!("expected a refusal");
        };
        assert_eq!(refusal.status, 500);
    }
}

//= rfc6455#4.2.2-16 test
#[tokio::test]
async fn the_servers_order_of_subprotocols_decides() {
    let route = Route::new(|mut socket: Socket| async move {
        let name = socket.subprotocol().unwrap_or("none").to_owned();
        socket.send(name).await
    })
    .subprotocols(["best", "good"]);
    let server = TestServer::with(route).await;
    for (offered, expected) in [
        (&["good", "best"][..], "best"),
        (&["good"], "good"),
        (&["other"], "none"),
    ] {
        let mut client = ClientBuilder::new();
        for name in offered {
            client = client.subprotocol(*name);
        }
        let mut socket = client.connect(server.url("/")).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(expected));
    }
}

//= rfc6455#4.2.2-6 test
#[tokio::test]
async fn pages_files_and_sockets_share_a_port() {
    let folder = std::env::temp_dir().join(format!("longwire-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("hello.txt"), "from a file").unwrap();
    std::fs::create_dir_all(folder.join("below")).unwrap();
    let server = Server::new()
        .route("/", echo)
        .page("/", |_: Request<RequestBody>| async {
            Response::new("a page")
        })
        .files("/files", &folder)
        .route("/only-sockets", echo);
    let server = TestServer::start(server).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    for (path, status, body) in [
        ("/", 200, "a page"),
        ("/files/hello.txt", 200, "from a file"),
        ("/files/../Cargo.toml", 404, ""),
        ("/files/none.txt", 404, ""),
        ("/nowhere", 404, "404 Not Found"),
        ("/only-sockets", 400, "expected \"websocket\""),
    ] {
        let response = exchange(server.addr, &get(path)).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&expected), "{path}: {response}");
        assert!(response.contains(body), "{path}: {response}");
    }
    for path in ["/files/below", "/files//below"] {
        let response = exchange(server.addr, &get(path)).await;
        let below = response.contains("\r\nlocation: /files/below/\r\n");
        assert!(below || response.starts_with("HTTP/1.1 404 "), "{response}");
    }
    let mut socket = server.connect().await;
    socket.send("a socket").await.unwrap();
    assert!(socket.next().await.unwrap().is_ok());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn connections_above_a_cap_get_503_and_leave_the_others_alone() {
    for server in [
        Server::new().max_connections(2),
        Server::new().max_connections_per_address(2),
    ] {
        let server = TestServer::start(server.route("/", echo)).await;
        let mut one = server.connect().await;
        let two = server.connect().await;
        let Err(Error::Refused(refusal)) = longwire::connect(server.url("/")).await else {
            panic!("expected a refusal");
        };
        assert_eq!(refusal.status, 503);
        let told = String::from_utf8(refusal.body).unwrap();
        assert!(told.contains("max_connections"), "{told}");
        one.send("still here").await.unwrap();
        assert!(one.next().await.unwrap().is_ok());
        drop(two);
        // A place is free once the server has seen the end of the second.
        soon(async { while longwire::connect(server.url("/")).await.is_err() {} }).await;
    }
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_closes_with_1011_and_one_that_is_done_with_1000() {
    let handlers: [(u16, Route); 3] = [
        (1000, Route::new(|_| async { Ok(()) })),
        (
            1011,
            Route::new(|_| async { Err(Error::handler("its own")) }),
        ),
        (
            1011,
            Route::new(|socket: Socket| async move {
                let _socket = socket;
                panic!("the handler's own fault")
            }),
        ),
    ];
    for (code, route) in handlers {
        let server = TestServer::with(route).await;
        let mut raw = Raw::connect(server.addr, "/").await;
        assert_eq!(raw.read_close().await, code);
        raw.send(Opcode::Close, &code.to_be_bytes()).await;
        assert!(raw.is_at_end().await);
    }
}

//= rfc6455#5.5.1-12, rfc6455#7.1.1-2 test
//= rfc6455#7.1.1-4 test
#[tokio::test]
async fn a_server_drops_the_transport_first() {
    let server = TestServer::with(echo).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    raw.send(Opcode::Close, &[]).await;
    assert_eq!(raw.read().await, Some((0x88, Vec::new())));
    assert!(raw.is_at_end().await);
}

//= rfc6455#7.3-1 test
#[tokio::test]
async fn a_shutdown_closes_every_socket_with_1001_and_reports_who_did_not_answer() {
    let server = TestServer::with(echo).await;
    let mut polite = server.connect().await;
    let mut mute = Raw::connect(server.addr, "/").await;
    // In the middle of a handler that waits for something else.
    let busy = TestServer::with(|socket: Socket| async move {
        let _socket = socket;
        std::future::pending().await
    })
    .await;
    let mut waiting = busy.connect().await;
    while server.handle.open_sockets() < 2 {
        tokio::task::yield_now().await;
    }
    let deadline = Duration::from_millis(300);
    let (report, end) = tokio::join!(server.handle.shutdown(deadline), polite.next());
    assert!(end.is_none());
    assert_eq!(polite.closed().unwrap().code, 1001);
    assert_eq!(mute.read_close().await, 1001);
    assert_eq!(report.open, 2);
    assert_eq!(report.unanswered, [Some(mute.stream.local_addr().unwrap())]);
    assert!(
        longwire::connect(server.url("/")).await.is_err(),
        "it has stopped"
    );
    while busy.handle.open_sockets() < 1 {
        tokio::task::yield_now().await;
    }
    let (report, end) = tokio::join!(busy.handle.shutdown(deadline), waiting.next());
    assert!(end.is_none() && report.unanswered.is_empty(), "{report:?}");
    assert_eq!(waiting.closed().unwrap().code, 1001);
}

#[tokio::test]
async fn a_message_above_the_limit_is_1009_and_names_it() {
    let server = Server::new()
        .route("/", echo)
        .limits(Limits::default().message_size(1000));
    let server = TestServer::start(server).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    raw.send(Opcode::Binary, &[0; 1000]).await;
    assert_eq!(raw.read().await.unwrap().1.len(), 1000);
    raw.send(Opcode::Binary, &[0; 1001]).await;
    let (_, payload) = raw.read().await.unwrap();
    assert_eq!(payload[..2], 1009_u16.to_be_bytes());
    let reason = String::from_utf8(payload[2..].to_vec()).unwrap();
    assert!(reason.contains("message_size"), "{reason}");
}

#[tokio::test]
async fn routes_that_cannot_work_are_told_when_the_server_is_built() {
    let twice = Server::new().route("/a", echo).route("/a", echo);
    let relative = Server::new().route("a", echo);
    let list = OriginPolicy::AllowList(vec!["example.com".to_owned()]);
    let origin = Server::new().route("/", Route::new(echo).origin(list));
    for server in [twice, relative, origin] {
        assert!(matches!(
            server.bind("127.0.0.1:0").await,
            Err(Error::Usage(_))
        ));
    }
}

//= rfc6455#7.1.1-1 test
#[tokio::test]
async fn a_close_frame_is_read_to_its_end_although_more_input_was_on_its_way() {
    let server = TestServer::with(echo).await;
    for _ in 0..20 {
        let mut raw = Raw::connect(server.addr, "/").await;
        // The first byte is wrong, and much follows that nobody will read.
        raw.write(&vec![0xff; 500_000]).await;
        assert_eq!(raw.read_close().await, 1002);
        raw.stream.shutdown().await.unwrap();
        assert!(raw.is_at_end().await);
    }
}

#[tokio::test]
async fn a_fallback_answers_what_has_no_route() {
    let server =
        Server::new()
            .route("/", echo)
            .fallback(|request: Request<RequestBody>| async move {
                Response::new(format!("nothing at {}", request.uri().path()))
            });
    let server = TestServer::start(server).await;
    let response = exchange(server.addr, "GET /where HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(response.ends_with("nothing at /where"), "{response}");
    let mut socket = server.connect().await;
    socket.send("x").await.unwrap();
    assert!(socket.next().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_client_that_asks_for_a_page_and_reads_nothing_is_dropped() {
    let server = Server::new()
        .page("/large", |_| async { Response::new(vec![0; 50 << 20]) })
        .route("/", echo)
        .write_timeout(Duration::from_millis(100))
        .max_connections(1);
    let server = TestServer::start(server).await;
    let mut deaf = TcpStream::connect(server.addr).await.unwrap();
    let request = b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
    deaf.write_all(request).await.unwrap();
    deaf.readable().await.unwrap();
    assert!(longwire::connect(server.url("/")).await.is_err());
    // Its place is free once it is dropped.
    soon(async { while longwire::connect(server.url("/")).await.is_err() {} }).await;
}

//= rfc6455#4.1-40, rfc6455#4.2.1-13, rfc6455#4.2.2-17 test
#[tokio::test]
async fn header_fields_count_in_any_order_and_any_case_of_letters() {
    let server = TestServer::with(echo).await;
    let request = "GET / HTTP/1.1\r\nsEC-wEBSOCKET-vERSION: 13\r\nX-Unknown: yes\r\n\
                   CONNECTION: keep-alive, uPGRADE\r\nsec-websocket-KEY:  dGhlIHNhbXBsZSBub25jZQ==  \r\n\
                   uPgRaDe: WebSocket\r\nhost: h\r\n\r\n";
    let response = exchange(server.addr, request).await;
    assert!(
        response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{response}"
    );
    assert!(response.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
}

#[tokio::test]
async fn a_shutdown_of_a_server_that_is_gone_returns() {
    let never_run = Server::new().bind("127.0.0.1:0").await.unwrap();
    let handle = never_run.handle();
    drop(never_run);
    soon(handle.shutdown(Duration::MAX)).await;
    let server = TestServer::with(echo).await;
    let handle = server.handle.clone();
    drop(server);
    let report = soon(handle.shutdown(Duration::MAX)).await;
    assert_eq!(report.open, 0);
    // Asked again, it tells the same.
    assert_eq!(soon(handle.shutdown(Duration::ZERO)).await, report);
}

#[tokio::test]
async fn a_handshake_with_a_body_is_refused() {
    let server = TestServer::with(echo).await;
    for header in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let request = request("/", &[header]);
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{header}: {head}");
    }
    let response = exchange(server.addr, &request("/", &["Content-Length: 0"])).await;
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
}
