//! Peers that take their time (RFC 6455 section 10.4): when does a server give up?

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::check::case::Case;
use crate::check::log::{By, Log};
use crate::check::outcome::{Level, Outcome};
use crate::check::server::Server;
use crate::check::session::Heard;
use crate::wire::{Frame, Opcode};

const SECURITY: &str = "RFC 6455 10.4";

pub(crate) fn cases() -> Vec<Case> {
    let wait = |name: &str, sent: &'static str, start: fn(&Server) -> Vec<u8>| {
        Case::server(format!("slow.{name}"), SECURITY, move |server| {
            Box::pin(async move { waits(server, &start(server)).await })
        })
        .level(Level::Info)
        .sent(sent)
        .expected("the server gives up within 15 s")
    };
    vec![
        wait(
            "no-request",
            "a connection on which nothing is said",
            |_| Vec::new(),
        ),
        wait(
            "half-a-request",
            "the first half of a request, then nothing",
            |server| {
                let bytes = server.request().encode();
                bytes[..bytes.len() / 2].to_vec()
            },
        ),
        Case::server("slow.request-in-drops", SECURITY, |server| {
            Box::pin(request_in_drops(server))
        })
        .level(Level::Info)
        .sent("a request at the rate of a byte a second")
        .expected("the server gives up within 15 s"),
        Case::server("slow.half-a-frame", SECURITY, |server| {
            Box::pin(half_a_frame(server))
        })
        .level(Level::Info)
        .sent("half a frame, then nothing")
        .expected("the server gives up within 15 s"),
        Case::server("slow.close-not-answered", "RFC 6455 7.1.1", |server| {
            Box::pin(close_not_answered(server))
        })
        .level(Level::Should)
        .sent("a frame that fails the connection; the server's Close frame is not answered")
        .expected("the server ends the stream within 15 s"),
    ]
}

/// How long a server may take to lose its patience.
const SLOW: Duration = Duration::from_secs(15);

async fn waits(server: &Server, bytes: &[u8]) -> Outcome {
    let mut log = Log::new();
    let mut stream = match server.dial().await {
        Ok(stream) => stream,
        Err(unopened) => return unopened.into(),
    };
    log.bytes(By::Tester, "the start", bytes);
    let began = Instant::now();
    let _ = timeout(server.patience, stream.write_all(bytes)).await;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let ended = timeout(SLOW, reading).await;
    log.bytes(By::Peer, "what it said", &answer);
    server.keep_log(log);
    given_up(ended.is_ok(), began)
}

fn given_up(is_over: bool, began: Instant) -> Outcome {
    if is_over {
        let seconds = began.elapsed().as_secs_f64();
        return Outcome::Info(format!("gave up after {seconds:.1} s"));
    }
    Outcome::Info(format!("still waits after {} s", SLOW.as_secs()))
}

async fn request_in_drops(server: &Server) -> Outcome {
    let mut stream = match server.dial().await {
        Ok(stream) => stream,
        Err(unopened) => return unopened.into(),
    };
    let began = Instant::now();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let bytes = server.request().encode();
    let mut drops = bytes.iter();
    let mut byte = [0];
    while began.elapsed() < SLOW {
        tokio::select! {
            _ = stream.read(&mut byte) => {
                return given_up(true, began);
            }
            _ = seconds.tick() => {
                let drop = drops.next().copied().unwrap_or(b'\n');
                if stream.write_all(&[drop]).await.is_err() {
                    return given_up(true, began);
                }
            }
        }
    }
    given_up(false, began)
}

async fn half_a_frame(server: &Server) -> Outcome {
    let mut session = match server.open(None).await {
        Ok(session) => session,
        Err(unopened) => return unopened.into(),
    };
    let bytes = session
        .proper(Frame::new(Opcode::BINARY, vec![1; 100]))
        .encode();
    session.send_bytes("half a frame", &bytes[..50]).await;
    let began = Instant::now();
    let heard = session.hear_within(SLOW).await;
    server.keep_log(session.log);
    given_up(heard != Heard::Silence, began)
}

async fn close_not_answered(server: &Server) -> Outcome {
    let mut session = match server.open(None).await {
        Ok(session) => session,
        Err(unopened) => return unopened.into(),
    };
    session.send(Frame::new(Opcode(0x3), "")).await;
    let outcome = loop {
        match session.hear_within(SLOW).await {
            Heard::Item(_) => {}
            Heard::End | Heard::Reset(_) => break Outcome::Pass,
            Heard::Silence => {
                let why = format!("the stream is open {} s later", SLOW.as_secs());
                break Outcome::Fail(why);
            }
        }
    };
    server.keep_log(session.log);
    outcome
}
