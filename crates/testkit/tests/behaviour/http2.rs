//! WebSockets over HTTP/2 (RFC 8441), between our ends and with Node's.

use std::path::PathBuf;
use std::time::Duration;

use longwire::error::Fault;
use longwire::http::{Response, Version};
use longwire::server::{Accept, Decision, Refuse, Route, UpgradeRequest};
use longwire::{ClientBuilder, Error, Message, Result, Server, Socket};
use longwire_testkit::peers::{Peer, PeerServer, require, run_program};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::pki::{Ca, Identity};
use crate::support::{TestServer, echo, sink, soon};

/// Tells each socket which connection it is on.
async fn tell_address(mut socket: Socket) -> Result<()> {
    let peer = socket.peer_addr().unwrap();
    socket.send(peer.to_string()).await?;
    echo(socket).await
}

async fn check(request: UpgradeRequest) -> Decision {
    match request.headers().get("authorization") {
        Some(value) if value == "Bearer good" => Ok(Accept::new().header("x-user", "me")),
        _ => Err(Refuse::response(
            Response::builder()
                .status(401)
                .header("content-type", "text/plain")
                .body("who are you?\n")
                .unwrap(),
        )),
    }
}

async fn start(ca: &Ca) -> TestServer {
    let server = Server::new()
        .route("/echo", Route::new(echo).subprotocols(["v2", "v1"]))
        .route("/address", tell_address)
        .route("/checked", Route::new(echo).on_upgrade(check))
        .route("/sink", sink)
        .route("/unread", |socket: Socket| async move {
            std::future::pending::<()>().await;
            drop(socket);
            Ok(())
        })
        .page("/page", |_| async { Response::new("a page") });
    TestServer::start(server.tls(ca.server())).await
}

fn url(server: &TestServer, path: &str) -> String {
    format!("wss://localhost:{}{path}", server.addr.port())
}

fn client(ca: &Ca) -> ClientBuilder {
    let loopback = "127.0.0.1".parse().unwrap();
    ClientBuilder::new()
        .tls(ca.client())
        .resolve("localhost", [loopback])
}

async fn next_text(socket: &mut Socket) -> String {
    let message = soon(socket.next()).await.expect("a message").unwrap();
    message.as_text().unwrap().to_owned()
}

//= rfc8441#3-1, rfc8441#3-2, rfc8441#5-1, rfc8441#5-2, rfc8441#5-3, rfc8441#5-6 test
#[tokio::test]
async fn sockets_of_one_client_share_a_connection_that_ends_with_the_last() {
    let ca = Ca::new();
    let server = start(&ca).await;
    let client = client(&ca);
    let mut addresses = Vec::new();
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = client.connect(url(&server, "/address")).await.unwrap();
        assert_eq!(socket.http_version(), Version::HTTP_2);
        addresses.push(next_text(&mut socket).await);
        sockets.push(socket);
    }
    assert!(
        addresses.iter().all(|a| *a == addresses[0]),
        "{addresses:?}"
    );
    for (i, socket) in sockets.iter_mut().enumerate() {
        let text = format!("{i} ").repeat(100_000);
        socket.send(text.clone()).await.unwrap();
        assert!(next_text(socket).await == text);
    }
    for mut socket in sockets {
        let closed = soon(socket.close(1000, "done")).await.unwrap();
        assert!(closed.clean, "{closed}");
    }
    let mut socket = client.connect(url(&server, "/address")).await.unwrap();
    assert_ne!(next_text(&mut socket).await, addresses[0]);
    // Another client has a connection of its own, and so has HTTP/1.1.
    let other = self::client(&ca)
        .connect(url(&server, "/echo"))
        .await
        .unwrap();
    assert_ne!(other.peer_addr(), None);
    let old = client.clone().http2(false);
    let old = old.connect(url(&server, "/echo")).await.unwrap();
    assert_eq!(old.http_version(), Version::HTTP_11);
}

#[tokio::test]
async fn the_handshake_says_the_same_over_http2_as_over_http1() {
    let ca = Ca::new();
    let server = start(&ca).await;
    for http2 in [true, false] {
        let client = client(&ca).http2(http2);
        let offering = client.clone().subprotocol("v1").subprotocol("v3");
        let socket = offering.connect(url(&server, "/echo")).await.unwrap();
        assert_eq!(socket.subprotocol(), Some("v1"));
        assert!(socket.compression().is_some());

        let good = client.clone().bearer_token("good").unwrap();
        let socket = good.connect(url(&server, "/checked")).await.unwrap();
        assert_eq!(socket.response_headers()["x-user"], "me");
        let error = client.connect(url(&server, "/checked")).await.unwrap_err();
        let Error::Refused(refusal) = error else {
            panic!("expected a refusal, got {error:?}");
        };
        assert_eq!(refusal.status, 401);
        assert_eq!(refusal.body, b"who are you?\n");

        for (path, origin, status) in [
            ("/echo", "https://evil.example", 403),
            ("/nowhere", "https://localhost", 404),
        ] {
            let error = client.clone().origin(origin);
            let error = error.connect(url(&server, path)).await.unwrap_err();
            let told = matches!(&error, Error::Refused(r) if r.status == status);
            assert!(told, "{path} from {origin}: {error}");
        }
        let own = format!("https://localhost:{}", server.addr.port());
        client
            .origin(own)
            .connect(url(&server, "/echo"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_socket_that_is_not_read_holds_up_its_sender_and_nobody_else() {
    let ca = Ca::new();
    let server = start(&ca).await;
    let client = client(&ca).compression(longwire::Compression::Off);
    let mut unread = client.connect(url(&server, "/unread")).await.unwrap();
    let message = Message::from(vec![7; 100_000]);
    let mut sent = 0;
    while let Ok(done) =
        tokio::time::timeout(Duration::from_millis(300), unread.send(message.clone())).await
    {
        done.unwrap();
        sent += message.len();
        // The stream's window, what both ends buffer, and our high-water mark.
        assert!(sent < 8 << 20, "{sent} bytes went nowhere");
    }
    let mut other = client.connect(url(&server, "/echo")).await.unwrap();
    for _ in 0..20 {
        other.send(message.clone()).await.unwrap();
        let back = soon(other.next()).await.unwrap().unwrap();
        assert!(back == message);
    }
}

#[tokio::test]
async fn a_shutdown_closes_sockets_over_http2_with_1001() {
    let ca = Ca::new();
    let server = start(&ca).await;
    let client = client(&ca);
    let mut one = client.connect(url(&server, "/echo")).await.unwrap();
    let mut two = client.connect(url(&server, "/sink")).await.unwrap();
    let shutdown = server.handle.shutdown(Duration::from_secs(10));
    let (report, ..) = soon(futures_util::future::join3(
        shutdown,
        one.next(),
        two.next(),
    ))
    .await;
    assert_eq!((report.open, report.unanswered.len()), (2, 0));
    for socket in [one, two] {
        let closed = socket.closed().unwrap();
        assert!(closed.clean && closed.code == 1001, "{closed}");
    }
}

#[tokio::test]
async fn sockets_above_the_streams_of_a_connection_get_another_one() {
    let ca = Ca::new();
    let server = Server::new().route("/", tell_address).http2_max_streams(2);
    let server = TestServer::start(server.tls(ca.server())).await;
    let client = client(&ca);
    let mut sockets = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..5 {
        let mut socket = soon(client.connect(url(&server, "/"))).await.unwrap();
        addresses.push(next_text(&mut socket).await);
        sockets.push(socket);
    }
    assert!(addresses[0] == addresses[1] && addresses[2] == addresses[3]);
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "{addresses:?}");
}

/// The CA, and a server's certificate, in files.
struct Files(PathBuf);

impl Files {
    fn of(ca: &Ca, test: &str) -> Self {
        let name = format!("longwire-http2-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let Identity { chain, key } = ca.issue(&["localhost", "127.0.0.1"]);
        for (name, text) in [("ca.pem", ca.pem()), ("chain.pem", chain), ("key.pem", key)] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

//= rfc8441#5-4, rfc8441#5-5, rfc8441#5-7 test
#[tokio::test]
async fn nodes_http2_client_has_two_sockets_and_a_page_on_one_connection() {
    let Some(peer) = require(Peer::Node) else {
        return;
    };
    let ca = Ca::new();
    let files = Files::of(&ca, "client");
    let server = start(&ca).await;
    let url = format!("https://localhost:{}", server.addr.port());
    let arguments = ["client", &url, &files.path("ca.pem")];
    run_program(peer, "http2", &arguments, "HTTP/2".to_owned())
        .await
        .unwrap();
}

async fn node_server(files: &Files, connect: bool) -> Option<PeerServer> {
    let peer = require(Peer::Node)?;
    let parameters = format!("{{\"connect\": {connect}}}");
    let (chain, key) = (files.path("chain.pem"), files.path("key.pem"));
    let arguments = ["server", &chain, &key, &parameters];
    Some(
        PeerServer::start_program(peer, "http2", &arguments)
            .await
            .unwrap(),
    )
}

//= rfc8441#5-6, rfc8441#5-7, rfc8441#5-8 test
#[tokio::test]
async fn our_client_uses_nodes_http2_server_and_is_told_how_streams_end() {
    let ca = Ca::new();
    let files = Files::of(&ca, "server");
    let Some(server) = node_server(&files, true).await else {
        return;
    };
    let at = |path: &str| format!("wss://localhost:{}{path}", server.port());
    let client = client(&ca);
    let mut echo = client
        .clone()
        .subprotocol("chat")
        .connect(at("/echo"))
        .await
        .unwrap();
    assert_eq!(echo.http_version(), Version::HTTP_2);
    assert_eq!(echo.subprotocol(), Some("chat"));
    for size in [0, 1, 70_000, 1 << 20] {
        let message = Message::from(vec![3; size]);
        echo.send(message.clone()).await.unwrap();
        assert!(soon(echo.next()).await.unwrap().unwrap() == message);
    }
    let mut streams = client.connect(at("/streams")).await.unwrap();
    streams.send("how many?").await.unwrap();
    assert_eq!(next_text(&mut streams).await, "2");
    for path in ["/reset", "/end"] {
        let mut socket = client.connect(at(path)).await.unwrap();
        socket.send("go").await.unwrap();
        let error = soon(socket.next()).await.unwrap().unwrap_err();
        assert_eq!(error.fault(), Fault::Network, "{path}: {error}");
        assert_eq!(socket.closed().unwrap().code, 1006, "{path}");
    }
    let error = client.connect(at("/refuse")).await.unwrap_err();
    let Error::Refused(refusal) = error else {
        panic!("expected a refusal, got {error:?}");
    };
    assert_eq!(
        (refusal.status.as_u16(), refusal.body),
        (403, b"not for you\n".to_vec())
    );
    // A stream that is given up takes nothing else with it.
    let error = client.connect(at("/busy")).await.unwrap_err();
    assert!(matches!(error, Error::Http2 { .. }), "{error:?}");
    streams.send("how many now?").await.unwrap();
    assert_eq!(next_text(&mut streams).await, "2");
    let third = client.connect(at("/streams")).await.unwrap();
    streams.send("and now?").await.unwrap();
    assert_eq!(next_text(&mut streams).await, "3", "on the same connection");
    drop(third);
    // Where the server wants HTTP/1.1, it gets it, and is remembered.
    for _ in 0..2 {
        let mut socket = client.connect(at("/http1")).await.unwrap();
        assert_eq!(socket.http_version(), Version::HTTP_11);
        socket.send("hello").await.unwrap();
        assert_eq!(next_text(&mut socket).await, "hello");
    }
    let closed = soon(echo.close(4001, "bye")).await.unwrap();
    assert!(closed.clean && closed.code == 4001, "{closed}");
}

#[tokio::test]
async fn sockets_opened_at_once_share_a_connection() {
    let ca = Ca::new();
    let server = start(&ca).await;
    let client = client(&ca);
    let connecting = (0..20).map(|_| client.connect(url(&server, "/address")));
    let sockets = soon(futures_util::future::try_join_all(connecting)).await;
    let mut addresses = Vec::new();
    for mut socket in sockets.unwrap() {
        addresses.push(next_text(&mut socket).await);
    }
    assert!(
        addresses.iter().all(|a| *a == addresses[0]),
        "{addresses:?}"
    );
}

#[tokio::test]
async fn a_connection_that_answers_no_more_is_not_used_again() {
    let ca = Ca::new();
    let server = start(&ca).await;
    // Between both, a network that forgets its first connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (forget, forgotten) = watch::channel(false);
    let to = server.addr;
    let network = tokio::spawn(async move {
        let mut first = true;
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(to).await.unwrap();
            let mut forgotten = forgotten.clone();
            let is_first = std::mem::replace(&mut first, false);
            tokio::spawn(async move {
                let forgets = async {
                    let _ = forgotten.wait_for(|forgotten| *forgotten && is_first).await;
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => return,
                    () = forgets => {}
                }
                // Both ends are left waiting.
                std::future::pending::<()>().await;
            });
        }
    });
    let client = client(&ca)
        .heartbeat(None)
        .handshake_timeout(Duration::from_secs(1));
    let url = format!("wss://localhost:{port}/echo");
    let first = client.connect(&url).await.unwrap();
    forget.send_replace(true);
    let mut second = soon(client.connect(&url)).await.unwrap();
    second.send("hello").await.unwrap();
    assert_eq!(next_text(&mut second).await, "hello");
    drop(first);
    network.abort();
}

//= rfc8441#3-3 test
#[tokio::test]
async fn a_server_that_takes_no_websocket_over_http2_gets_http1_and_is_remembered() {
    let ca = Ca::new();
    let files = Files::of(&ca, "fallback");
    let Some(server) = node_server(&files, false).await else {
        return;
    };
    let client = client(&ca);
    for _ in 0..2 {
        let url = format!("wss://localhost:{}/echo", server.port());
        let mut socket = client.connect(url).await.unwrap();
        assert_eq!(socket.http_version(), Version::HTTP_11);
        socket.send("hello").await.unwrap();
        assert_eq!(next_text(&mut socket).await, "hello");
    }
}
