//! The way to a server: proxies, Unix sockets, redirects, cookies, credentials,
//! and the time that each step may take.

use std::time::Duration;

use longwire::error::{Fault, RedirectError, Step};
use longwire::http::Response;
use longwire::server::{Accept, Decision, OriginPolicy, Refuse, Route, UpgradeRequest};
use longwire::{ClientBuilder, CookieJar, Error, Proxy, Server, Socket};
use tokio::net::TcpListener;

use crate::pki::Ca;
use crate::proxies::{Manner, TestProxy};
use crate::support::{TestServer, echo, soon};

async fn echoes(client: &ClientBuilder, url: &str) -> Result<Socket, Error> {
    let mut socket = soon(client.connect(url)).await?;
    socket.send("hello").await?;
    let back = soon(socket.next()).await.expect("an echo")?;
    assert_eq!(back.as_text(), Some("hello"));
    Ok(socket)
}

fn through(scheme: &str, credentials: &str, proxy: &TestProxy) -> ClientBuilder {
    let url = format!("{scheme}://{credentials}{}", proxy.addr);
    ClientBuilder::new().proxy(Proxy::parse(&url).unwrap())
}

//= rfc6455#4.1-4 test
#[tokio::test]
async fn a_proxy_is_asked_to_connect_for_ws_and_for_wss() {
    let ca = Ca::new();
    let plain = TestServer::with(echo).await;
    let secure = TestServer::start(Server::new().route("/", echo).tls(ca.server())).await;
    let known = Some("Basic bWU6cDp3");
    for (scheme, credentials, manner) in [
        ("http", "", Manner::Connect(None)),
        ("http", "me:p%3Aw@", Manner::Connect(known)),
        ("socks5", "", Manner::Socks5(None)),
        ("socks5", "me:p%3Aw@", Manner::Socks5(Some(("me", "p:w")))),
        ("socks5h", "", Manner::Socks5(None)),
    ] {
        let proxy = TestProxy::start(manner).await;
        let client = through(scheme, credentials, &proxy).tls(ca.client());
        let socket = echoes(&client, &plain.url("/")).await.unwrap();
        assert_eq!(socket.peer_addr(), None, "the proxy's is not the server's");
        let url = format!("wss://127.0.0.1:{}/", secure.addr.port());
        echoes(&client, &url).await.unwrap();
        assert_eq!(proxy.tunnels(), 2, "{scheme} {manner:?}");
    }
}

#[tokio::test]
async fn a_proxy_looks_up_names_that_are_not_known_here() {
    let server = TestServer::with(echo).await;
    let url = format!("ws://only-there.test:{}/", server.addr.port());
    for (scheme, manner) in [
        ("http", Manner::Connect(None)),
        ("socks5h", Manner::Socks5(None)),
    ] {
        let proxy = TestProxy::start(manner).await;
        echoes(&through(scheme, "", &proxy), &url).await.unwrap();
    }
    // This one has names looked up here.
    let proxy = TestProxy::start(Manner::Socks5(None)).await;
    let client = through("socks5", "", &proxy);
    let error = client.connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
    assert!(error.to_string().contains("only-there.test"), "{error}");
    let known = client.resolve("only-there.test", ["127.0.0.1".parse().unwrap()]);
    echoes(&known, &url).await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_does_not_let_us_through_is_told_by_name() {
    let server = TestServer::with(echo).await;
    let cases = [
        (
            "http",
            Manner::Connect(Some("Basic other")),
            "asks for a user name",
            Fault::Peer,
        ),
        (
            "http",
            Manner::Says("HTTP/1.1 403 No\r\n\r\n"),
            "403 Forbidden",
            Fault::Peer,
        ),
        (
            "http",
            Manner::Says("HTTP/1.1 502 No\r\n\r\n"),
            "502",
            Fault::Network,
        ),
        (
            "http",
            Manner::Says("nonsense\r\n\r\n"),
            "expected an HTTP response",
            Fault::Peer,
        ),
        (
            "http",
            Manner::Says(""),
            "expected an HTTP response",
            Fault::Network,
        ),
        (
            "http",
            Manner::Says("HTTP/1.1 200 OK\r\n\r\nmore"),
            "expected nothing behind the answer",
            Fault::Peer,
        ),
        (
            "socks5",
            Manner::Socks5(Some(("a", "b"))),
            "did not connect to",
            Fault::Peer,
        ),
        (
            "socks5",
            Manner::SocksRefuses(5),
            "did not connect to",
            Fault::Network,
        ),
        (
            "socks5",
            Manner::SocksRefuses(2),
            "did not connect to",
            Fault::Peer,
        ),
        (
            "socks5",
            Manner::Says("nonsense"),
            "did not connect to",
            Fault::Peer,
        ),
    ];
    for (scheme, manner, told, fault) in cases {
        let proxy = TestProxy::start(manner).await;
        let client = through(scheme, "", &proxy).proxy_timeout(Duration::from_secs(2));
        let error = soon(client.connect(server.url("/"))).await.unwrap_err();
        let text = error.to_string();
        if manner == Manner::Says("nonsense") {
            // It waits for a head that SOCKS has none of.
            assert!(
                matches!(
                    error,
                    Error::Timeout {
                        step: Step::Proxy,
                        ..
                    }
                ),
                "{text}"
            );
            continue;
        }
        assert!(matches!(error, Error::Proxy(_)), "{manner:?}: {error:?}");
        assert!(text.contains(told), "{manner:?}: {text}");
        assert!(text.contains(&proxy.addr.to_string()), "{text}");
        assert_eq!(error.fault(), fault, "{manner:?}: {text}");
    }
}

#[tokio::test]
async fn each_step_has_its_own_time_and_its_own_error() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let proxy = TestProxy::start(Manner::Silent).await;
    let short = Duration::from_millis(50);
    let cases = [
        (
            through("http", "", &proxy).proxy_timeout(short),
            format!("ws://127.0.0.1:{port}/"),
            Step::Proxy,
        ),
        (
            through("socks5", "", &proxy).proxy_timeout(short),
            format!("ws://127.0.0.1:{port}/"),
            Step::Proxy,
        ),
        (
            ClientBuilder::new().tls_timeout(short),
            format!("wss://127.0.0.1:{port}/"),
            Step::Tls,
        ),
        (
            ClientBuilder::new().handshake_timeout(short),
            format!("ws://127.0.0.1:{port}/"),
            Step::Handshake,
        ),
    ];
    for (client, url, expected) in cases {
        let error = soon(client.connect(url)).await.unwrap_err();
        assert!(
            matches!(error, Error::Timeout { step, after } if step == expected && after == short),
            "expected {expected}, got {error}"
        );
        assert!(error.is_worth_retrying());
    }
}

#[tokio::test]
async fn a_host_without_addresses_is_told_by_name() {
    let error = longwire::connect("ws://nowhere.invalid/")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
    assert!(error.to_string().contains("nowhere.invalid"), "{error}");
    assert_eq!(error.fault(), Fault::Network);
    let none = ClientBuilder::new().resolve("empty.test", []);
    let error = none.connect("ws://empty.test/").await.unwrap_err();
    assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_leads_to_a_server_as_well() {
    let server = TestServer::with(echo).await;
    let path = std::env::temp_dir().join(format!("longwire-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let addr = server.addr;
    let relay = tokio::spawn(async move {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut to = tokio::net::TcpStream::connect(addr).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    });
    let client = ClientBuilder::new().unix_socket(&path);
    let mut socket = echoes(&client, "ws://example.com/").await.unwrap();
    socket.close(1000, "done").await.unwrap();
    relay.await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = client.connect("ws://example.com/").await.unwrap_err();
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error}"
    );
}

fn redirect(status: u16, location: String) -> Refuse {
    let response = Response::builder()
        .status(status)
        .header("location", location)
        .body("")
        .unwrap();
    Refuse::response(response)
}

/// A server that tells the headers it got, and one that redirects to it.
async fn tell(request: UpgradeRequest) -> Decision {
    let header = |name| {
        let value = request.headers().get(name);
        value.map_or("-".to_owned(), |v| v.to_str().unwrap().to_owned())
    };
    let told = format!(
        "{} {} {}",
        header("authorization"),
        header("cookie"),
        header("x-mine")
    );
    Ok(Accept::new().attach(told))
}

async fn say(mut socket: Socket) -> longwire::Result<()> {
    let told = socket.extensions().get::<String>().unwrap().clone();
    socket.send(told).await?;
    echo(socket).await
}

async fn told(client: &ClientBuilder, url: &str) -> Result<String, Error> {
    let mut socket = soon(client.connect(url)).await?;
    let message = soon(socket.next()).await.expect("a message")?;
    Ok(message.as_text().unwrap().to_owned())
}

#[tokio::test]
async fn redirects_are_followed_on_request_and_leave_credentials_behind() {
    let target = TestServer::with(Route::new(say).on_upgrade(tell)).await;
    let elsewhere = format!("http://{}/", target.addr);
    let there = elsewhere.clone();
    let server = Server::new()
        .route("/told", Route::new(say).on_upgrade(tell))
        .route(
            "/here",
            Route::new(echo).on_upgrade(|_| async { Err(redirect(302, "told#top".to_owned())) }),
        )
        .route(
            "/elsewhere",
            Route::new(echo)
                .origin(OriginPolicy::Any)
                .on_upgrade(move |_| {
                    let there = there.clone();
                    async move { Err(redirect(307, there)) }
                }),
        )
        .route(
            "/loop",
            Route::new(echo).on_upgrade(|_| async { Err(redirect(308, "/loop".to_owned())) }),
        )
        .route(
            "/bad",
            Route::new(echo).on_upgrade(|_| async { Err(redirect(301, "ftp://x/".to_owned())) }),
        );
    let server = TestServer::start(server).await;
    let client = ClientBuilder::new()
        .header("x-mine", "yes")
        .header("cookie", "a=1")
        .bearer_token("secret")
        .unwrap();

    // Not without being asked to.
    let error = client.connect(server.url("/here")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(r) if r.status == 302));

    let client = client.redirects(3);
    let here = told(&client, &server.url("/here")).await.unwrap();
    assert_eq!(here, "Bearer secret a=1 yes");
    let there = told(&client, &server.url("/elsewhere")).await.unwrap();
    assert_eq!(there, "- - yes");
    let in_url = format!("ws://me:pw@{}/elsewhere", server.addr);
    let plain = ClientBuilder::new().redirects(1);
    assert_eq!(told(&plain, &in_url).await.unwrap(), "- - -");
    let in_url = format!("ws://me:pw@{}/here", server.addr);
    assert_eq!(told(&plain, &in_url).await.unwrap(), "Basic bWU6cHc= - -");

    // Nor is the page that was redirected taken for one that asked.
    let own = format!("http://{}", target.addr);
    let error = plain.clone().origin(own);
    let error = error.connect(server.url("/elsewhere")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused(r) if r.status == 403),
        "{error}"
    );

    let error = told(&client, &server.url("/loop")).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Redirect(RedirectError::TooMany { max: 3, .. })
        ),
        "{error:?}"
    );
    let error = told(&client, &server.url("/bad")).await.unwrap_err();
    assert!(
        matches!(error, Error::Redirect(RedirectError::Location { .. })),
        "{error:?}"
    );
    assert!(error.to_string().contains("ftp://x/"), "{error}");
}

#[tokio::test]
async fn no_redirect_leads_from_wss_to_ws() {
    let ca = Ca::new();
    let plain = TestServer::with(echo).await;
    let location = plain.url("/");
    let server = Server::new().tls(ca.server()).route(
        "/",
        Route::new(echo).on_upgrade(move |_| {
            let location = location.clone();
            async move { Err(redirect(302, location)) }
        }),
    );
    let server = TestServer::start(server).await;
    let client = ClientBuilder::new().tls(ca.client()).redirects(5);
    let url = format!("wss://127.0.0.1:{}/", server.addr.port());
    let error = soon(client.connect(url)).await.unwrap_err();
    assert!(
        matches!(error, Error::Redirect(RedirectError::Downgrade { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_cookie_jar_brings_back_what_servers_set() {
    let server = Server::new()
        .route(
            "/login",
            Route::new(echo).on_upgrade(|_| async {
                Ok(Accept::new().header("set-cookie", "session=abc; Path=/"))
            }),
        )
        .route(
            "/refused",
            Route::new(echo).on_upgrade(|_| async {
                let response = Response::builder()
                    .status(403)
                    .header("set-cookie", "tried=1; Path=/")
                    .body("")
                    .unwrap();
                Err(Refuse::response(response))
            }),
        )
        .route("/told", Route::new(say).on_upgrade(tell));
    let server = TestServer::start(server).await;
    let jar = CookieJar::new();
    let client = ClientBuilder::new().cookie_jar(jar.clone());
    assert_eq!(told(&client, &server.url("/told")).await.unwrap(), "- - -");
    drop(client.connect(server.url("/login")).await.unwrap());
    assert!(client.connect(server.url("/refused")).await.is_err());
    let got = told(&client, &server.url("/told")).await.unwrap();
    assert!(
        got.contains("session=abc") && got.contains("tried=1"),
        "{got}"
    );
    let without = ClientBuilder::new();
    assert_eq!(told(&without, &server.url("/told")).await.unwrap(), "- - -");
    let header = jar.header(&server.url("/other")).unwrap().unwrap();
    assert!(header.contains("session=abc"), "{header}");
}

#[tokio::test]
async fn credentials_come_from_the_url_or_from_the_program() {
    let server = TestServer::with(Route::new(say).on_upgrade(tell)).await;
    let url = format!("ws://me:p%20w@{}/", server.addr);
    let basic = "Basic bWU6cCB3 - -";
    assert_eq!(told(&ClientBuilder::new(), &url).await.unwrap(), basic);
    let given = ClientBuilder::new().basic_auth("me", "p w").unwrap();
    assert_eq!(told(&given, &server.url("/")).await.unwrap(), basic);
    let token = ClientBuilder::new().bearer_token("t0ken").unwrap();
    assert_eq!(told(&token, &url).await.unwrap(), "Bearer t0ken - -");
    assert!(ClientBuilder::new().bearer_token("a\nb").is_err());
    assert!(
        !format!("{given:?}").contains("bWU6cCB3"),
        "secrets are not logged"
    );
}
