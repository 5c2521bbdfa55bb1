//! A socket that comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::SinkExt as _;
use longwire::http::Response;
use longwire::reconnect::{Backoff, Lost, ReconnectingBuilder, RetryBudget, WhileAway};
use longwire::server::{Accept, Refuse, Route, UpgradeRequest};
use longwire::{ConnectionState, Error, ReconnectingSocket, Result, Server, Socket};
use tokio::net::TcpListener;

use crate::support::{Raw, TestServer, echo, soon};

/// Waits too short to wait for.
fn quick(url: String) -> ReconnectingBuilder {
    let short = Duration::from_millis(10);
    ReconnectingSocket::builder(url).backoff(Backoff::new(short, short))
}

async fn until(socket: &ReconnectingSocket, state: ConnectionState) {
    let mut states = socket.watch();
    soon(states.wait_for(|now| *now == state)).await.unwrap();
}

async fn next(socket: &mut ReconnectingSocket) -> String {
    let message = soon(socket.next()).await.expect("a message").unwrap();
    message.to_string()
}

/// Echoes two messages, then closes with what the URL's query says.
async fn two(mut socket: Socket) -> Result<()> {
    let code = socket.uri().query().unwrap().parse::<u16>().unwrap();
    for _ in 0..2 {
        let Some(message) = socket.next().await else {
            return Ok(());
        };
        socket.send(message?).await?;
    }
    socket.close(code, "enough").await?;
    Ok(())
}

#[tokio::test]
async fn a_socket_comes_back_and_goes_on_in_order() {
    let server = TestServer::with(two).await;
    let mut socket = quick(server.url("/?1012")).start();
    for i in 0..20 {
        socket.send(i.to_string()).await.unwrap();
        assert_eq!(next(&mut socket).await, i.to_string());
    }
    soon(socket.close(1000, "done")).await.unwrap();
    assert_eq!(socket.state(), ConnectionState::Closed);
    assert!(socket.next().await.is_none());
    assert!(matches!(socket.send("late").await, Err(Error::Closing)));
}

#[tokio::test]
async fn what_is_sent_while_away_goes_out_over_the_next_connection_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut socket = quick(url).start();
    for i in 0..5 {
        socket.send(format!("early {i}")).await.unwrap();
    }
    let mut raw = Raw::accept(&listener).await;
    for i in 0..5 {
        let (_, payload) = raw.read().await.unwrap();
        assert_eq!(payload, format!("early {i}").as_bytes());
    }
    until(&socket, ConnectionState::Open).await;
    drop(raw);
    let mut states = socket.watch();
    soon(states.wait_for(|now| *now != ConnectionState::Open))
        .await
        .unwrap();
    socket.send("between").await.unwrap();
    let mut raw = Raw::accept(&listener).await;
    socket.send("after").await.unwrap();
    for expected in ["between", "after"] {
        let (_, payload) = raw.read().await.unwrap();
        assert_eq!(payload, expected.as_bytes());
    }
    let (closed, ()) = tokio::join!(socket.close(4000, "bye"), async {
        assert_eq!(raw.read_close().await, 4000);
        drop(raw);
    });
    closed.unwrap();
}

#[tokio::test]
async fn a_ping_goes_out_on_the_connection_there_is_and_waits_for_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = quick(url).start();
    let sender = socket.sender();
    assert!(matches!(sender.ping("early").await, Err(Error::Away)));
    let mut raw = Raw::accept(&listener).await;
    until(&socket, ConnectionState::Open).await;
    sender.ping("now").await.unwrap();
    let (first, payload) = raw.read().await.unwrap();
    assert_eq!((first & 0xF, &payload[..]), (9, &b"now"[..]));
    drop(raw);
    let mut states = socket.watch();
    soon(states.wait_for(|now| *now != ConnectionState::Open))
        .await
        .unwrap();
    assert!(matches!(sender.ping("late").await, Err(Error::Away)));
}

#[tokio::test]
async fn an_end_that_is_not_worth_another_try_is_the_end() {
    let server = TestServer::with(two).await;
    // An orderly one is no error.
    let mut socket = quick(server.url("/?1000")).start();
    for text in ["one", "two"] {
        socket.send(text).await.unwrap();
        assert_eq!(next(&mut socket).await, text);
    }
    assert!(soon(socket.next()).await.is_none());
    assert_eq!(socket.state(), ConnectionState::Closed);

    // The program may see it in another way.
    let mut socket = quick(server.url("/?1000"))
        .retry_if(|lost| matches!(lost, Lost::Closed(closed) if closed.code == 1000))
        .start();
    for i in 0..6 {
        socket.send(i.to_string()).await.unwrap();
        assert_eq!(next(&mut socket).await, i.to_string());
    }

    let mut socket = quick(server.url("/nowhere")).start();
    let error = soon(socket.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Refused(refusal) if refusal.status == 404));
    assert!(soon(socket.next()).await.is_none());
}

#[tokio::test]
async fn tries_end_where_the_budget_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut socket = quick(url)
        .budget(RetryBudget::new(3, Duration::from_hours(1)))
        .start();
    let states = socket.watch();
    let error = soon(socket.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert_eq!(*states.borrow(), ConnectionState::Closed);
}

#[tokio::test]
async fn credentials_are_renewed_before_each_try() {
    let checked = Route::new(two).on_upgrade(|request: UpgradeRequest| async move {
        let token = request.headers().get("authorization").cloned();
        match token {
            Some(token) => Ok(Accept::new().attach(token.to_str().unwrap().to_owned())),
            None => Err(Refuse::status(401)),
        }
    });
    let server = TestServer::with(checked).await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let mut socket = quick(server.url("/?1012"))
        .refresh(move |mut attempt| {
            let token = counted.fetch_add(1, Ordering::SeqCst).to_string();
            async move {
                attempt.client = attempt.client.bearer_token(&token)?;
                Ok(attempt)
            }
        })
        .start();
    for i in 0..6 {
        socket.send(i.to_string()).await.unwrap();
        assert_eq!(next(&mut socket).await, i.to_string());
    }
    assert!(count.load(Ordering::SeqCst) >= 3);
    // What it fails with counts as the try's failure.
    let mut socket = quick(server.url("/?1012"))
        .refresh(|attempt| async move {
            attempt.client.bearer_token("a\nb")?;
            unreachable!("that is no token")
        })
        .start();
    let error = soon(socket.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_names_a_time_is_left_alone_for_it() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let busy = Route::new(echo).on_upgrade(move |_| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if !first {
                return Ok(Accept::new());
            }
            let response = Response::builder()
                .status(503)
                .header("retry-after", "120")
                .body("")
                .unwrap();
            Err(Refuse::response(response))
        }
    });
    let server = TestServer::with(busy).await;
    let start = tokio::time::Instant::now();
    let socket = quick(server.url("/")).start();
    let mut states = socket.watch();
    let waiting = states
        .wait_for(|now| matches!(now, ConnectionState::Waiting(_)))
        .await
        .unwrap()
        .clone();
    let ConnectionState::Waiting(wait) = waiting else {
        panic!("expected to wait, got {waiting:?}");
    };
    assert!(wait >= Duration::from_mins(2), "{wait:?}");
    states
        .wait_for(|now| *now == ConnectionState::Open)
        .await
        .unwrap();
    assert!(start.elapsed() >= Duration::from_mins(2));
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_does_not_fit_while_away_is_treated_as_its_policy_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    // The listener accepts, and nobody answers: the client stays away.
    let away = |policy| {
        ReconnectingSocket::builder(url.clone())
            .while_away(policy)
            .outbox(2, 1 << 20)
            .start()
    };
    let failing = away(WhileAway::Fail);
    assert!(matches!(failing.send("x").await, Err(Error::Away)));
    let waiting = away(WhileAway::Wait);
    waiting.send("1").await.unwrap();
    waiting.send("2").await.unwrap();
    let third = tokio::time::timeout(Duration::from_millis(50), waiting.send("3")).await;
    assert!(third.is_err(), "it waits");
    let dropping = away(WhileAway::DropOldest);
    let mut sink = dropping.sender();
    for text in ["1", "2", "3"] {
        sink.feed(text).await.unwrap();
    }
    drop((failing, waiting));
}

#[tokio::test]
async fn dropping_all_handles_closes_the_connection_and_ends_the_task() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = quick(url).start();
    let sender = socket.sender();
    let states = socket.watch();
    let mut raw = Raw::accept(&listener).await;
    drop(socket);
    sender.send("still").await.unwrap();
    assert_eq!(raw.read().await.unwrap().1, b"still");
    drop(sender);
    assert_eq!(raw.read_close().await, 1000);
    drop(raw);
    let mut states = states;
    soon(states.wait_for(|now| *now == ConnectionState::Closed))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_shutdown_of_the_server_brings_its_clients_to_the_next() {
    let first = TestServer::start(Server::new().route("/", echo)).await;
    let addr = first.addr;
    let mut socket = quick(first.url("/")).start();
    socket.send("one").await.unwrap();
    assert_eq!(next(&mut socket).await, "one");
    first.handle.shutdown(Duration::from_secs(5)).await;
    let bound = Server::new().route("/", echo).bind(addr).await.unwrap();
    let running = tokio::spawn(bound.run());
    socket.send("two").await.unwrap();
    assert_eq!(next(&mut socket).await, "two");
    running.abort();
}

#[tokio::test]
async fn a_wait_that_a_server_asks_for_is_bounded() {
    for asked in ["18446744073709551615", "99999999999"] {
        let unavailable = move || {
            Response::builder()
                .status(503)
                .header("retry-after", asked)
                .body("")
                .unwrap()
        };
        let route = Route::new(echo)
            .on_upgrade(move |_| async move { Err(Refuse::response(unavailable())) });
        let server = TestServer::with(route).await;
        let socket = quick(server.url("/"))
            .most_retry_after(Duration::from_mins(3))
            .start();
        let mut states = socket.watch();
        let waiting = |state: &ConnectionState| matches!(state, ConnectionState::Waiting(_));
        let state = soon(states.wait_for(waiting)).await.unwrap().clone();
        let ConnectionState::Waiting(wait) = state else {
            panic!("{state:?}");
        };
        assert!((180..=181).contains(&wait.as_secs()), "{wait:?}");
    }
}

#[tokio::test]
async fn a_program_that_never_reads_gets_new_connections_and_can_close() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let server = TestServer::with(move |mut socket: Socket| {
        let counted = counted.clone();
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            for _ in 0..40 {
                socket.send("y".repeat(100)).await?;
            }
            socket.close(1012, "restart").await?;
            Ok(())
        }
    })
    .await;
    let socket = quick(server.url("/")).start();
    soon(async {
        while connections.load(Ordering::SeqCst) < 5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut states = socket.watch();
    socket.sender().close(1000, "").unwrap();
    let closed = states.wait_for(|state| *state == ConnectionState::Closed);
    soon(closed).await.unwrap();
}

#[tokio::test]
async fn what_came_before_a_connection_ended_is_read_before_what_came_after() {
    let number = Arc::new(AtomicUsize::new(0));
    let server = TestServer::with(move |mut socket: Socket| {
        let number = number.clone();
        async move {
            let number = number.fetch_add(1, Ordering::SeqCst);
            for i in 0..50 {
                socket.send(format!("{number}:{i}")).await?;
            }
            if number == 0 {
                socket.close(1012, "restart").await?;
            }
            echo(socket).await
        }
    })
    .await;
    let mut socket = quick(server.url("/")).start();
    let mut states = socket.watch();
    let mut opened = 0;
    while opened < 2 {
        soon(states.changed()).await.unwrap();
        opened += usize::from(*states.borrow_and_update() == ConnectionState::Open);
    }
    for number in 0..2 {
        for i in 0..50 {
            assert_eq!(next(&mut socket).await, format!("{number}:{i}"));
        }
    }
}

#[tokio::test]
async fn a_function_of_the_programs_that_panics_ends_the_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut socket = quick(url).retry_if(|_| panic!("on purpose")).start();
    let mut states = socket.watch();
    let closed = states.wait_for(|state| *state == ConnectionState::Closed);
    soon(closed).await.unwrap();
    assert!(matches!(socket.send("x").await, Err(Error::Closing)));
    assert!(socket.next().await.is_none());
}

#[tokio::test]
async fn closing_has_its_time_however_slowly_the_server_reads() {
    let server = TestServer::with(|socket: Socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
        Ok(())
    })
    .await;
    let mut socket = quick(server.url("/"))
        .outbox(1000, 64 << 20)
        .close_timeout(Duration::from_millis(300))
        .start();
    until(&socket, ConnectionState::Open).await;
    for _ in 0..40 {
        socket.send(vec![1; 1 << 20]).await.unwrap();
    }
    soon(socket.close(1000, "")).await.unwrap();
    assert_eq!(socket.state(), ConnectionState::Closed);
}

#[tokio::test]
async fn a_sink_is_closed_when_the_connection_is() {
    let server = TestServer::with(echo).await;
    let socket = quick(server.url("/")).start();
    let mut sink = socket.sender();
    sink.send("first").await.unwrap();
    soon(futures_util::SinkExt::<&str>::close(&mut sink))
        .await
        .unwrap();
    assert_eq!(socket.state(), ConnectionState::Closed);
}

#[tokio::test]
async fn senders_that_give_up_waiting_are_forgotten() {
    let server = TestServer::with(|socket: Socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
        Ok(())
    })
    .await;
    let socket = server.connect().await;
    let (sender, _receiver) = socket.split();
    let held = Arc::new(());
    // Until no more fits.
    while tokio::time::timeout(Duration::from_millis(50), sender.send(vec![0; 1 << 20]))
        .await
        .is_ok()
    {}
    for _ in 0..20 {
        let (sender, held) = (sender.clone(), held.clone());
        let sending = tokio::spawn(async move {
            let sent = sender.send("one more").await;
            drop(held);
            sent
        });
        tokio::task::yield_now().await;
        sending.abort();
        assert!(sending.await.unwrap_err().is_cancelled());
    }
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn a_program_that_keeps_the_sender_alone_has_its_connection_looked_after() {
    let (asked, mut answered) = tokio::sync::mpsc::channel(1);
    let server = TestServer::with(move |mut socket: Socket| {
        let asked = asked.clone();
        async move {
            for _ in 0..200 {
                socket.send("y".repeat(1000)).await?;
            }
            socket.ping("there?").await?;
            while let Some(event) = socket.next_event().await {
                if matches!(event?, longwire::Event::Pong(_)) {
                    let _ = asked.send(()).await;
                }
            }
            Ok(())
        }
    })
    .await;
    let socket = quick(server.url("/")).start();
    let sender = socket.sender();
    drop(socket);
    soon(answered.recv()).await.unwrap();
    sender.send("still here").await.unwrap();
    assert_eq!(sender.state(), ConnectionState::Open);
}
