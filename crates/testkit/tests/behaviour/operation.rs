//! A server that is run for long: what is told of it, and what is changed in it.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::http::{Response, StatusCode};
use longwire::server::{Observer, Refuse, Route, TurnedAway};
use longwire::{Error, Server, Socket};

use crate::pki::Ca;
use crate::support::{TestServer, echo, exchange, soon};

#[tokio::test]
async fn a_socket_says_what_has_passed_also_beside_the_task_that_has_it() {
    let (give, mut given) = tokio::sync::mpsc::unbounded_channel();
    let server = TestServer::with(move |socket: Socket| {
        let _ = give.send(socket.sender());
        echo(socket)
    })
    .await;
    let mut socket = server.connect().await;
    for text in ["one", "two"] {
        socket.send(text).await.unwrap();
        soon(socket.next()).await.unwrap().unwrap();
    }
    let (ours, theirs) = (socket.statistics(), given.recv().await.unwrap());
    let passed = theirs.statistics();
    assert_eq!((ours.messages_sent, ours.messages_received), (2, 2));
    assert_eq!((passed.messages_received, passed.messages_sent), (2, 2));
    assert_eq!(ours.bytes_sent, passed.bytes_received);
    assert_eq!(ours.bytes_received, passed.bytes_sent);
    assert_eq!(passed.bytes_sent, 2 * 5);
    // A sender that is kept does not keep the socket from closing.
    socket.close(1000, "").await.unwrap();
    assert_eq!(soon(theirs.ended()).await.code, 1000);
}

#[derive(Default)]
struct Seen {
    connected: AtomicUsize,
    turned_away: Mutex<Vec<TurnedAway>>,
    handshakes: Mutex<Vec<StatusCode>>,
}

impl Observer for Seen {
    fn connected(&self, _: SocketAddr) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    fn turned_away(&self, why: TurnedAway) {
        self.turned_away.lock().unwrap().push(why);
    }

    fn handshake(&self, status: StatusCode, _: Duration) {
        self.handshakes.lock().unwrap().push(status);
    }
}

#[tokio::test]
async fn an_observer_is_told_of_sockets_and_of_what_becomes_none() {
    let seen = Arc::new(Seen::default());
    let refusing = Route::new(echo).on_upgrade(|_| async { Err(Refuse::status(401)) });
    let late = Route::new(echo).on_upgrade(|_| async {
        tokio::task::yield_now().await;
        Ok(longwire::server::Accept::new())
    });
    let server = Server::new()
        .route("/", echo)
        .route("/late", late)
        .route("/refusing", refusing)
        .page("/", |_| async { Response::new("a page") })
        .max_connections(2)
        .observer(seen.clone());
    let server = TestServer::start(server).await;
    let first = server.connect().await;
    let refused = longwire::connect(server.url("/refusing")).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    assert!(longwire::connect(server.url("/nowhere")).await.is_err());
    let page = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert!(exchange(server.addr, page).await.ends_with("a page"));
    let _second = longwire::connect(server.url("/late")).await.unwrap();
    assert!(longwire::connect(server.url("/")).await.is_err());
    assert_eq!(seen.connected.load(Ordering::Relaxed), 6);
    let handshakes = seen.handshakes.lock().unwrap().clone();
    assert_eq!(
        handshakes,
        [101, 401, 404, 101].map(|code| StatusCode::from_u16(code).unwrap())
    );
    assert_eq!(
        *seen.turned_away.lock().unwrap(),
        [TurnedAway::MaxConnections]
    );
    drop(first);
}

struct Panicking;

impl Observer for Panicking {
    fn connected(&self, _: SocketAddr) {
        panic!("the observer of this test panics");
    }

    fn handshake(&self, _: StatusCode, _: Duration) {
        panic!("the observer of this test panics");
    }
}

#[tokio::test]
async fn a_panic_of_an_observer_changes_nothing() {
    let server = Server::new().route("/", echo).observer(Arc::new(Panicking));
    let server = TestServer::start(server).await;
    for _ in 0..2 {
        let mut socket = soon(longwire::connect(server.url("/"))).await.unwrap();
        socket.send("hello").await.unwrap();
        soon(socket.next()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_observer_is_told_of_failed_tls() {
    let seen = Arc::new(Seen::default());
    let server = Server::new().tls(Ca::new().server()).observer(seen.clone());
    let server = TestServer::start(server.route("/", echo)).await;
    let answer = exchange(server.addr, "GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(*seen.turned_away.lock().unwrap(), [TurnedAway::Tls]);
}

#[tokio::test]
async fn an_observer_is_told_of_who_takes_too_long_and_not_of_who_only_looks() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for is_secure in [false, true] {
        let seen = Arc::new(Seen::default());
        let server = Server::new().route("/", echo).observer(seen.clone());
        let server = server.handshake_timeout(Duration::from_millis(200));
        let server = TestServer::start(if is_secure {
            server.tls(Ca::new().server())
        } else {
            server
        });
        let server = server.await;
        let connect = || tokio::net::TcpStream::connect(server.addr);
        drop(connect().await.unwrap());
        let reset = connect().await.unwrap();
        reset.set_zero_linger().unwrap();
        drop(reset);
        let mut expected = vec![TurnedAway::Timeout];
        let starts: &[&[u8]] = if is_secure {
            &[b""]
        } else {
            expected.push(TurnedAway::Timeout);
            &[b"", b"GET / HTTP/1.1\r\nHo"]
        };
        for start in starts {
            let mut slow = connect().await.unwrap();
            slow.write_all(start).await.unwrap();
            let mut answer = Vec::new();
            let _ = soon(slow.read_to_end(&mut answer)).await;
        }
        // Of those that ended before, nothing was told.
        assert_eq!(*seen.turned_away.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_server_is_given_other_settings_while_it_runs_and_open_sockets_go_on() {
    for threads in [None, NonZero::new(2)] {
        let first = Server::new().route("/old", echo).max_connections(1);
        let first = match threads {
            Some(count) => first.threads(count),
            None => first,
        };
        let server = TestServer::start(first).await;
        let mut open = longwire::connect(server.url("/old")).await.unwrap();
        let ca = Ca::new();
        let second = || Server::new().route("/new", echo).tls(ca.server());
        server.handle.replace(second().max_connections(1)).unwrap();
        // What was open before counts.
        let connect = || async {
            let client = longwire::ClientBuilder::new().tls(ca.client()).http2(false);
            client
                .connect(&server.url("/new").replace("ws:", "wss:"))
                .await
        };
        assert!(connect().await.is_err());
        server.handle.replace(second().max_connections(2)).unwrap();
        let mut new = connect().await.unwrap();
        for socket in [&mut open, &mut new] {
            socket.send("still here").await.unwrap();
            let echo = soon(socket.next()).await.unwrap().unwrap();
            assert_eq!(echo.as_text(), Some("still here"));
        }
        let wrong = server.handle.replace(Server::new().route("no path", echo));
        assert!(matches!(wrong, Err(Error::Usage(_))));
        assert_eq!(server.handle.open_sockets(), 2);
        let report = server.handle.shutdown(Duration::from_secs(10));
        let closing = async {
            while let Some(Ok(_)) = open.next().await {}
            while let Some(Ok(_)) = new.next().await {}
        };
        let (report, ()) = soon(async { tokio::join!(report, closing) }).await;
        assert_eq!((report.open, report.unanswered.len()), (2, 0));
    }
}

#[tokio::test]
async fn a_listener_that_is_open_already_is_served() {
    for threads in [None, NonZero::new(3)] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new().route("/", echo);
        let server = match threads {
            Some(count) => server.threads(count),
            None => server,
        };
        let bound = server.with_listener(listener).unwrap();
        assert_eq!(bound.local_addr(), address);
        let handle = bound.handle();
        let running = tokio::spawn(bound.run());
        for _ in 0..4 {
            let mut socket = longwire::connect(format!("ws://{address}/")).await.unwrap();
            socket.send("hello").await.unwrap();
            assert!(soon(socket.next()).await.unwrap().is_ok());
        }
        handle.shutdown(Duration::from_secs(10)).await;
        soon(running).await.unwrap();
    }
}

#[tokio::test]
async fn a_route_may_be_for_all_below_where_none_fits_better() {
    let say = |name: &'static str| move |mut socket: Socket| async move { socket.send(name).await };
    let server = Server::new()
        .route("/*", say("all"))
        .route("/a/*", say("below a"))
        .route("/a/b", say("b"));
    let server = TestServer::start(server).await;
    for (path, expected) in [
        ("/", "all"),
        ("/x/y", "all"),
        ("/a", "all"),
        ("/a/", "below a"),
        ("/a/c/d", "below a"),
        ("/a/b", "b"),
        ("/a/b/c", "below a"),
    ] {
        let mut socket = longwire::connect(server.url(path)).await.unwrap();
        let message = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(expected), "{path}");
    }
}

#[tokio::test]
async fn a_server_that_has_ended_lets_go_of_its_routes_though_handles_are_kept() {
    use longwire::server::ServerHandle;
    use std::sync::OnceLock;
    for is_run in [true, false] {
        let held = Arc::new(OnceLock::<ServerHandle>::new());
        let flag = Arc::downgrade(&held);
        // The route has its server's handle, as one that changes it would.
        let route = move |socket: Socket| {
            let _ = held.get();
            echo(socket)
        };
        let server = Server::new().route("/", route);
        let bound = server.bind("127.0.0.1:0").await.unwrap();
        let handle = bound.handle();
        flag.upgrade().unwrap().set(handle.clone()).unwrap();
        if is_run {
            let url = format!("ws://{}/", bound.local_addr());
            let running = tokio::spawn(bound.run());
            let mut socket = longwire::connect(url).await.unwrap();
            socket.close(1000, "").await.unwrap();
            soon(handle.shutdown(Duration::from_secs(10))).await;
            soon(running).await.unwrap();
        } else {
            drop(bound);
        }
        assert!(flag.upgrade().is_none(), "run: {is_run}");
        handle.replace(Server::new().route("/", echo)).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn hidden_files_and_those_outside_are_not_served() {
    let folder = std::env::temp_dir().join(format!("longwire-files-{}", std::process::id()));
    let (public, outside) = (folder.join("public"), folder.join("outside"));
    for name in ["public/.git", "public/.well-known", "public/sub", "outside"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    for name in [
        "public/index.html",
        "public/.env",
        "public/.git/config",
        "public/.well-known/security.txt",
        "public/sub/a b.txt",
        "outside/secret",
    ] {
        std::fs::write(folder.join(name), name).unwrap();
    }
    std::os::unix::fs::symlink(outside.join("secret"), public.join("link")).unwrap();
    std::os::unix::fs::symlink(&outside, public.join("folder")).unwrap();
    std::os::unix::fs::symlink(public.join("sub"), public.join("inside")).unwrap();
    for name in ["leading", "within"] {
        std::fs::create_dir(public.join(name)).unwrap();
    }
    let link = std::os::unix::fs::symlink;
    link(outside.join("secret"), public.join("leading/index.html")).unwrap();
    link(public.join("index.html"), public.join("within/index.html")).unwrap();
    let pipe = public.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.unwrap().success());
    let server = TestServer::start(Server::new().files("/", &public)).await;
    for (path, status) in [
        ("/leading", 404),
        ("/leading/", 404),
        ("/leading/index.html", 404),
        ("/within", 307),
        ("/within/", 200),
        ("/pipe", 404),
        ("/sub/", 404),
        ("/", 200),
        ("/index.html", 200),
        ("/sub/a%20b.txt", 200),
        ("/inside/a%20b.txt", 200),
        ("/.well-known/security.txt", 200),
        ("/.env", 404),
        ("/%2eenv", 404),
        ("/.git/config", 404),
        ("/sub/../.env", 404),
        ("/../outside/secret", 404),
        ("/%2e%2e/outside/secret", 404),
        ("/..%2foutside%2fsecret", 404),
        ("/link", 404),
        ("/folder/secret", 404),
        ("/nothing", 404),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let answer = soon(exchange(server.addr, &request)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {answer}"
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}
