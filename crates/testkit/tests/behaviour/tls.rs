//! TLS between our client and our server, and against clients that speak none.

use std::time::Duration;

use longwire::error::{Fault, UsageError};
use longwire::{ClientBuilder, ClientTls, Error, Server, ServerTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::pki::{Ca, Identity};
use crate::support::{TestServer, echo, exchange, request, soon};

async fn server(tls: ServerTls) -> TestServer {
    TestServer::start(Server::new().route("/", echo).tls(tls)).await
}

fn url(server: &TestServer, host: &str) -> String {
    format!("wss://{host}:{}/", server.addr.port())
}

/// A client that finds every name on the loopback interface.
fn client(tls: ClientTls) -> ClientBuilder {
    ["localhost", "other.test"]
        .iter()
        .fold(ClientBuilder::new().tls(tls), |client, host| {
            client.resolve(host, ["127.0.0.1".parse().unwrap()])
        })
}

async fn echoes(client: &ClientBuilder, url: &str) -> Result<(), Error> {
    let mut socket = soon(client.connect(url)).await?;
    for message in ["short".to_owned(), "long ".repeat(100_000)] {
        socket.send(message.clone()).await?;
        let back = soon(socket.next()).await.expect("an echo")?;
        assert!(back.as_text() == Some(&message));
    }
    let closed = soon(socket.close(1000, "done")).await?;
    assert!(closed.clean, "{closed}");
    Ok(())
}

//= rfc6455#4.1-7, rfc6455#4.1-38, rfc6455#4.2.2-1, rfc6455#4.2.2-15 test
//= rfc6455#10.6-1, rfc6455#10.6-2 test
#[tokio::test]
async fn messages_pass_over_tls_in_both_versions_of_http() {
    let ca = Ca::new();
    for http2 in [true, false] {
        let server = server(ca.server()).await;
        let client = client(ca.client()).http2(http2);
        echoes(&client, &url(&server, "localhost")).await.unwrap();
        echoes(&client, &url(&server, "127.0.0.1")).await.unwrap();
    }
    let plain = server(ca.server().http2(false)).await;
    echoes(&client(ca.client()), &url(&plain, "localhost"))
        .await
        .unwrap();
}

//= rfc6455#4.1-8, rfc6455#4.1-37 test
#[tokio::test]
async fn a_certificate_of_a_stranger_or_of_another_name_is_refused_unless_asked_to_be_taken() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    let server = server(ca.server()).await;
    let cases = [
        (client(stranger.client()), "localhost", "peer certificate"),
        (client(ca.client()), "other.test", "other.test"),
        // The system's roots do not have it either.
        (client(ClientTls::new()), "localhost", "certificate"),
    ];
    for (client, host, told) in cases {
        let error = echoes(&client, &url(&server, host)).await.unwrap_err();
        assert!(matches!(error, Error::Tls { .. }), "{error:?}");
        assert_eq!(error.fault(), Fault::Peer, "{error}");
        assert!(!error.is_worth_retrying());
        assert!(error.to_string().contains(told), "{error}");
    }
    let trusting = client(ClientTls::new().danger_accept_invalid_certs(true));
    echoes(&trusting, &url(&server, "other.test"))
        .await
        .unwrap();
    // The name that is asked for can be another than the URL's.
    let named = client(ca.client().server_name("localhost").unwrap());
    echoes(&named, &url(&server, "other.test")).await.unwrap();
}

#[tokio::test]
async fn a_server_may_ask_for_a_certificate_of_its_clients() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    let tls = ca.server().client_ca_pem(ca.pem().as_bytes()).unwrap();
    let server = server(tls).await;
    let with = |Identity { chain, key }: Identity| {
        let tls = ca.client();
        client(
            tls.client_certificate_pem(chain.as_bytes(), key.as_bytes())
                .unwrap(),
        )
    };
    let url = url(&server, "localhost");
    echoes(&with(ca.issue(&["me"])), &url).await.unwrap();
    assert!(echoes(&with(stranger.issue(&["me"])), &url).await.is_err());
    assert!(echoes(&client(ca.client()), &url).await.is_err());
}

#[tokio::test]
async fn a_renewed_certificate_is_for_new_connections_and_open_ones_go_on() {
    let folder = std::env::temp_dir().join(format!("longwire-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let write = |identity: &Identity| {
        std::fs::write(&chain, &identity.chain).unwrap();
        std::fs::write(&key, &identity.key).unwrap();
    };
    let (old, new) = (Ca::new(), Ca::new());
    write(&old.issue(&["localhost"]));
    let tls = ServerTls::from_pem_files(&chain, &key).unwrap();
    let tls = tls.reload_interval(Duration::from_millis(20));
    let server = server(tls.clone()).await;
    let url = url(&server, "localhost");
    let mut open = client(old.client()).connect(&url).await.unwrap();

    // A broken file changes nothing, and is told.
    std::fs::write(&chain, "nonsense").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("chain.pem"), "{error}");
    echoes(&client(old.client()), &url).await.unwrap();

    write(&new.issue(&["localhost"]));
    soon(async {
        while echoes(&client(new.client()), &url).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(echoes(&client(old.client()), &url).await.is_err());
    open.send("still here").await.unwrap();
    let back = soon(open.next()).await.unwrap().unwrap();
    assert_eq!(back.as_text(), Some("still here"));
    assert!(!tls.reload().unwrap(), "nothing has changed since");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_answered_by_what_is_expected() {
    let server = server(Ca::new().server()).await;
    let response = exchange_to_end(&server, &request("/", &[])).await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert!(response.ends_with("use https:// or wss://\n"), "{response}");
}

async fn exchange_to_end(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    soon(stream.read_to_string(&mut response)).await.unwrap();
    response
}

#[tokio::test]
async fn a_server_without_tls_is_told_by_a_hint() {
    let plain = TestServer::with(echo).await;
    let error = client(Ca::new().client())
        .connect(url(&plain, "localhost"))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("does the server speak TLS"), "{text}");
    assert!(
        text.contains(&format!("localhost:{}", plain.addr.port())),
        "{text}"
    );
    // Nor does a plain server choke on it.
    let response = exchange(plain.addr, &request("/", &[])).await;
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
}

#[tokio::test]
async fn a_peer_that_is_silent_in_the_tls_handshake_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = client(Ca::new().client()).tls_timeout(Duration::from_millis(100));
    let error = soon(client.connect(format!("wss://localhost:{port}/")))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the TLS handshake took longer than 100 ms"
    );

    let tls = Ca::new().server();
    let server = Server::new().route("/", echo).tls(tls);
    let server = TestServer::start(server.handshake_timeout(Duration::from_millis(100))).await;
    for start in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(start).await.unwrap();
        let ended = soon(stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok_and(|read| read < 100));
    }
}

#[test]
fn certificates_and_keys_that_are_none_are_told_with_their_file() {
    let Identity { chain, key } = Ca::new().issue(&["a"]);
    let other = Ca::new().issue(&["a"]);
    let refused = |chain: &str, key: &str| {
        ServerTls::from_pem(chain.as_bytes(), key.as_bytes())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused("", &key), "expected certificates in PEM, got none");
    assert_eq!(
        refused(&chain, ""),
        "expected a private key in PEM, got none"
    );
    assert!(refused(&chain, &other.key).contains("certificate cannot be used"));
    let error = ServerTls::from_pem_files("/nowhere/chain.pem", "/nowhere/key.pem").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("could not read /nowhere/chain.pem")
    );
    let error = ClientTls::new().ca_file("/nowhere/ca.pem").unwrap_err();
    assert!(error.to_string().contains("/nowhere/ca.pem"));
    let error: Error = ClientTls::new().server_name("a b").unwrap_err().into();
    assert!(matches!(error, Error::Usage(UsageError::Tls(_))));
}

#[tokio::test]
async fn connections_above_a_cap_get_503_over_tls_too() {
    let ca = Ca::new();
    let server = Server::new()
        .route("/", echo)
        .tls(ca.server())
        .max_connections(1);
    let server = TestServer::start(server).await;
    let client = client(ca.client());
    let url = url(&server, "localhost");
    let first = client.clone().http2(false).connect(&url).await.unwrap();
    for http2 in [true, false] {
        let error = client.clone().http2(http2).connect(&url).await.unwrap_err();
        assert!(
            matches!(&error, Error::Refused(refusal) if refusal.status == 503),
            "{error}"
        );
        assert!(error.is_worth_retrying());
    }
    drop(first);
}

#[tokio::test]
async fn a_tls_failure_that_is_not_of_certificates_is_worth_another_try() {
    let ca = Ca::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream
            .write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            .await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let url = format!("wss://localhost:{port}/");
    let error = client(ca.client()).connect(url).await.unwrap_err();
    assert!(error.is_worth_retrying(), "{error}");
    answering.abort();
}

#[test]
fn no_private_key_is_in_what_is_logged() {
    let ca = Ca::new();
    let Identity { chain, key } = ca.issue(&["localhost"]);
    let folder = std::env::temp_dir().join(format!("longwire-key-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (chain_at, key_at) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain_at, &chain).unwrap();
    std::fs::write(&key_at, &key).unwrap();
    let shown = format!("{:?}", ServerTls::from_pem_files(chain_at, key_at).unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!shown.contains(&format!("{:?}", key.as_bytes())) && !shown.contains(&key));
    assert!(shown.contains("key.pem"), "{shown}");
}

#[tokio::test]
async fn a_stream_is_accepted_without_a_server_behind_it() {
    let ca = Ca::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}", listener.local_addr().unwrap());
    let tls = ca.server();
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tls.accept(stream).await?;
        let mut said = [0; 5];
        stream.read_exact(&mut said).await?;
        stream.write_all(&said).await?;
        stream.flush().await?;
        std::io::Result::Ok(said)
    };
    let client = ClientBuilder::new().tls(ca.client());
    let dialing = async {
        let mut stream = client.dial(&url).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.flush().await.unwrap();
        let mut back = [0; 5];
        stream.read_exact(&mut back).await.unwrap();
        back
    };
    let (said, back) = soon(async { tokio::join!(accepting, dialing) }).await;
    assert_eq!((said.unwrap(), back), (*b"hello", *b"hello"));
    // A client that speaks none is an error, and no more.
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        tls.accept(stream).await.map(drop)
    };
    let plain = async {
        let mut stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        stream
    };
    let (accepted, _plain) = soon(async { tokio::join!(accepting, plain) }).await;
    assert!(accepted.is_err());
}
