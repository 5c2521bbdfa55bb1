//! Sockets in a server of hyper's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use longwire::Limits;
use longwire::server::{Body, Rejection, Sockets, Upgrade};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::{Raw, echo, exchange, request, soon};

/// How a server of hyper's is set up.
#[derive(Clone, Debug, Default)]
struct Setup {
    http2: bool,
    upgrades: bool,
    limits: Limits,
    sockets: Sockets,
}

fn answer(setup: &Setup, mut request: Request<Incoming>) -> Response<Body> {
    if !setup.upgrades && !setup.http2 {
        // As something does that makes a request anew.
        request.extensions_mut().clear();
    }
    match Upgrade::from_request(&mut request) {
        Ok(upgrade) => upgrade
            .limits(setup.limits.clone())
            .tracked(&setup.sockets)
            .on_socket(echo),
        Err(rejection) => rejection.into_response(),
    }
}

async fn start(setup: Setup) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let running = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let setup = setup.clone();
            tokio::spawn(async move {
                let io = TokioIo::new(stream);
                let handed = setup.clone();
                let service = service_fn(move |request| {
                    let answered = answer(&handed, request);
                    async move { Ok::<_, Infallible>(answered) }
                });
                if setup.http2 {
                    let mut server = http2::Builder::new(TokioExecutor::new());
                    server.enable_connect_protocol();
                    let _ = server.serve_connection(io, service).await;
                } else {
                    let serving = http1::Builder::new().serve_connection(io, service);
                    let _ = serving.with_upgrades().await;
                }
            });
        }
    });
    (addr, running)
}

//= rfc8441#5-3 test
#[tokio::test]
async fn pages_of_the_server_itself_open_sockets_over_http2() {
    let setup = Setup {
        http2: true,
        ..Setup::default()
    };
    let (addr, running) = start(setup).await;
    let io = TcpStream::connect(addr).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(io).await.unwrap();
    let driving = tokio::spawn(connection);
    for (origin, status) in [
        (format!("http://{addr}"), 200),
        (format!("https://{addr}"), 200),
        ("http://evil.example".to_owned(), 403),
    ] {
        requests = requests.ready().await.unwrap();
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut request = Request::builder()
            .method("CONNECT")
            .uri(format!("https://{addr}/chat"))
            .version(Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .header("origin", &origin)
            // Of a proxy on the way, perhaps.
            .header("host", "evil.example")
            .body(())
            .unwrap();
        let protocol = Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
        let (response, sending) = requests.send_request(request, false).unwrap();
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), status, "{origin}");
        drop::<h2::SendStream<Bytes>>(sending);
    }
    driving.abort();
    running.abort();
}

#[tokio::test]
async fn a_connection_that_cannot_be_upgraded_is_told_so_and_not_with_101() {
    let (addr, running) = start(Setup::default()).await;
    let response = exchange(addr, &request("/", &["Connection: close"])).await;
    assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
    let text = Rejection::NotUpgradable.to_string();
    assert!(text.contains("upgrade"), "{text}");
    running.abort();
}

#[tokio::test]
async fn the_limits_of_the_head_are_those_that_are_set() {
    for (most, status) in [(200, "101"), (20, "431")] {
        let setup = Setup {
            upgrades: true,
            limits: Limits::default().header_fields(most),
            ..Setup::default()
        };
        let (addr, running) = start(setup).await;
        let fields: Vec<String> = (0..60).map(|i| format!("x-{i}: 1")).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let response = exchange(addr, &request("/", &fields)).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&expected), "{most}: {response}");
        running.abort();
    }
}

#[tokio::test]
async fn sockets_that_are_tracked_are_closed_when_the_server_shuts_down() {
    let sockets = Sockets::new();
    let setup = Setup {
        upgrades: true,
        sockets: sockets.clone(),
        ..Setup::default()
    };
    let (addr, running) = start(setup).await;
    let url = format!("ws://{addr}/");
    let mut polite = longwire::connect(&url).await.unwrap();
    let rude = Raw::connect(addr, "/").await;
    soon(async {
        while sockets.open() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let patience = Duration::from_millis(300);
    let (report, ended) = tokio::join!(sockets.shutdown(patience), polite.next());
    assert!(ended.is_none());
    assert_eq!(polite.closed().unwrap().code, 1001);
    assert_eq!((report.open, report.unanswered.len()), (2, 1));
    drop(rude);
    // Those that come later are closed at once.
    let mut late = longwire::connect(&url).await.unwrap();
    assert!(soon(late.next()).await.is_none());
    assert_eq!(late.closed().unwrap().code, 1001);
    running.abort();
}
