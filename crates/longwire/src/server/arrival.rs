//! What a client speaks: the first bytes tell HTTP/1.1, HTTP/2 or TLS.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::at_once::{Accepted, accept_at_once};
use super::caps::Place;
use super::connection::serve;
use super::http2::serve_http2;
use super::lane::Lane;
use super::last_answer::answer_last;
use super::observer::TurnedAway;
use super::rewound::Rewound;
use super::service::Requests;
use super::upgraded::{Opened, open_socket};
use crate::tls::H2;
use crate::transport::{Io, with_scratch};

/// The first byte of TLS: a record of the handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// How HTTP/2 starts where no TLS has said so before (RFC 9113 section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is read before it is known what the client speaks.
const FIRST_READ: usize = 8 << 10;

/// How long a client that speaks no TLS may take to read so.
const REFUSE_WITHIN: Duration = Duration::from_secs(1);

//= rfc6455#4.2.2-1, rfc6455#4.2.2-15, rfc6455#10.6-1, rfc6455#10.6-2
/// Serves a connection to its end, or gives the socket that it becomes.
pub(super) async fn serve_tcp(
    mut stream: TcpStream,
    peer_addr: SocketAddr,
    place: Place,
    mut lane: Lane,
) -> Option<Opened> {
    // Each way is boxed, so that a connection has room for its own alone.
    if let Some(config) = lane.site.tls_config.clone() {
        return Box::pin(serve_tls(stream, config, peer_addr, place, lane)).await;
    }
    let http2 = lane.site.http2.spoken;
    let first = in_time(read_first(&mut stream, http2), &mut lane).await?;
    let peer = Some(peer_addr);
    if http2 && first.starts_with(HTTP2_PREFACE) {
        Box::pin(serve_http2(Rewound::new(first, stream), peer, lane)).await;
        return None;
    }
    let memory = place.memory().cloned();
    let started = lane.site.observer.is_some().then(Instant::now);
    let mut accepted = match accept_at_once(&first, &lane.site, peer) {
        Ok(accepted) => {
            if let Some(started) = started {
                let (status, took) = (StatusCode::SWITCHING_PROTOCOLS, started.elapsed());
                lane.site
                    .observe(|observer| observer.handshake(status, took));
            }
            accepted
        }
        Err(begun) => {
            let requests = Requests::new(lane.site.clone(), peer, memory, begun);
            let stream = Rewound::new(first, stream);
            return Box::pin(serve(stream, rewound, requests, place, lane)).await;
        }
    };
    if let Err(error) = respond(&mut stream, &accepted, lane.site.write_timeout).await {
        tracing::debug!(%error, "the upgrade failed");
        return None;
    }
    accepted.agreed.memory = memory;
    accepted.agreed.place = Some(place);
    let unhandled = first[accepted.head_len..].to_vec();
    let (options, registry) = (&lane.site.options, Some(&lane.registry));
    open_socket(
        accepted.agreed,
        Io::Tcp(stream),
        unhandled,
        options,
        registry,
    )
}

/// As [`serve_tcp`], over TLS.
async fn serve_tls(
    stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
    peer_addr: SocketAddr,
    place: Place,
    mut lane: Lane,
) -> Option<Opened> {
    let mut start = [0];
    let count = in_time(stream.peek(&mut start), &mut lane).await?;
    if count == 0 {
        // One that only looks whether somebody listens, as load balancers do.
        return None;
    }
    if start[..count] != [TLS_HANDSHAKE] {
        tracing::debug!("the client speaks no TLS");
        lane.turned_away(TurnedAway::Tls);
        let _ = timeout(REFUSE_WITHIN, answer_plain(stream)).await;
        return None;
    }
    let accepting = TlsAcceptor::from(config).accept(stream);
    let stream = match timeout(lane.site.handshake_timeout, accepting).await {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the TLS handshake failed");
            lane.turned_away(TurnedAway::Tls);
            return None;
        }
        Err(_) => {
            tracing::debug!("the TLS handshake took too long");
            lane.turned_away(TurnedAway::Timeout);
            return None;
        }
    };
    let peer = Some(peer_addr);
    if stream.get_ref().1.alpn_protocol() == Some(H2) {
        Box::pin(serve_http2(stream, peer, lane)).await;
        return None;
    }
    let requests = Requests::new(lane.site.clone(), peer, place.memory().cloned(), None);
    Box::pin(serve(stream, over_tls, requests, place, lane)).await
}

fn over_tls(stream: Box<TlsStream<TcpStream>>) -> (Io, Bytes) {
    (Io::Boxed(stream), Bytes::new())
}

fn rewound(stream: Rewound<TcpStream>) -> (Io, Bytes) {
    let (stream, rest) = stream.into_parts();
    (Io::Tcp(stream), rest)
}

/// What a client says first, unless it takes too long or the server stops.
async fn in_time<T>(start: impl Future<Output = io::Result<T>>, lane: &mut Lane) -> Option<T> {
    let start = tokio::select! {
        biased;
        start = timeout(lane.site.handshake_timeout, start) => start,
        _ = lane.stopping.wait_for(|stopping| *stopping) => return None,
    };
    match start {
        Ok(Ok(start)) => Some(start),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the client went without a word");
            None
        }
        Err(_) => {
            tracing::debug!("the client said nothing in time");
            lane.turned_away(TurnedAway::Timeout);
            None
        }
    }
}

/// The first bytes: what is there, and what follows where it may become HTTP/2. None at
/// the end.
async fn read_first(stream: &mut TcpStream, http2: bool) -> io::Result<Bytes> {
    let mut first = read(stream).await?;
    while http2 && first.len() < HTTP2_PREFACE.len() && HTTP2_PREFACE.starts_with(&first) {
        let more = read(stream).await?;
        if more.is_empty() {
            break;
        }
        first = [first, more].concat().into();
    }
    Ok(first)
}

async fn read(stream: &mut TcpStream) -> io::Result<Bytes> {
    poll_fn(|cx| {
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..FIRST_READ]);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
        })
    })
    .await
}

/// Writes the response that accepts.
async fn respond(stream: &mut TcpStream, accepted: &Accepted, within: Duration) -> io::Result<()> {
    let head = accepted.head();
    let sent = match stream.try_write(&head) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
        sent => sent.unwrap_or(0),
    };
    if sent < head.len() {
        timeout(within, stream.write_all(&head[sent..])).await??;
    }
    Ok(())
}

/// Tells a client that the port speaks TLS.
async fn answer_plain(stream: TcpStream) -> io::Result<()> {
    let body = "expected TLS on this port, got plain HTTP: use https:// or wss://\n";
    answer_last(stream, "400 Bad Request", "", body).await
}
