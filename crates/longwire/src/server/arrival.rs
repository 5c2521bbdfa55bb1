//! What a client speaks: the first bytes tell HTTP/1.1, HTTP/2 or TLS.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::caps::Place;
use super::connection::serve;
use super::http2::serve_http2;
use super::lane::Lane;
use super::upgraded::Opened;
use crate::tls::H2;
use crate::transport::Io;

/// The first byte of TLS: a record of the handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// How HTTP/2 starts where no TLS has said so before (RFC 9113 section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long to wait before looking whether the rest of what may be HTTP/2 is there:
/// at first, and at most. It doubles from look to look.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(640));

/// How long a client that speaks no TLS may take to read so.
const REFUSE_WITHIN: Duration = Duration::from_secs(1);

//= rfc6455#4.2.2-1, rfc6455#4.2.2-15, rfc6455#10.6-1, rfc6455#10.6-2
/// Serves a connection to its end, or gives the socket that it becomes.
pub(super) async fn serve_tcp(
    stream: TcpStream,
    peer_addr: SocketAddr,
    place: Place,
    mut lane: Lane,
) -> Option<Opened> {
    let site = lane.site.clone();
    let start = tokio::select! {
        start = timeout(site.handshake_timeout, peek(&stream)) => start,
        _ = lane.stopping.wait_for(|stopping| *stopping) => return None,
    };
    let Ok(Ok(start)) = start else {
        tracing::debug!("the client said nothing in time");
        return None;
    };
    let peer = Some(peer_addr);
    // Each way is boxed, so that a connection has room for its own alone.
    let Some(config) = site.tls_config.clone() else {
        if site.http2.spoken && start == HTTP2_PREFACE {
            Box::pin(serve_http2(stream, peer, lane)).await;
            return None;
        }
        return serve(stream, Io::Tcp, peer, place, lane).await;
    };
    if start.first() != Some(&TLS_HANDSHAKE) {
        tracing::debug!("the client speaks no TLS");
        let _ = Box::pin(timeout(REFUSE_WITHIN, answer_plain(stream))).await;
        return None;
    }
    let accepting = TlsAcceptor::from(config).accept(stream);
    let accepting = Box::pin(timeout(site.handshake_timeout, accepting));
    let stream = match accepting.await {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the TLS handshake failed");
            return None;
        }
        Err(_) => {
            tracing::debug!("the TLS handshake took too long");
            return None;
        }
    };
    if stream.get_ref().1.alpn_protocol() == Some(H2) {
        Box::pin(serve_http2(stream, peer, lane)).await;
        return None;
    }
    Box::pin(serve(stream, over_tls, peer, place, lane)).await
}

fn over_tls(stream: Box<TlsStream<TcpStream>>) -> Io {
    Io::Boxed(stream)
}

/// The first bytes, which stay where they are.
async fn peek(stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut start = [0; HTTP2_PREFACE.len()];
    let (mut pause, longest) = LOOK_AGAIN;
    loop {
        let before = start;
        let count = stream.peek(&mut start).await?;
        let may_be_http2 = HTTP2_PREFACE.starts_with(&start[..count]);
        if count == 0 || count == start.len() || !may_be_http2 {
            return Ok(start[..count].to_vec());
        }
        if before == start {
            // What is there is there at once, and more is not told of.
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }
}

/// Tells a client that the port speaks TLS. The request is read and thrown
/// away: a socket dropped with unread input takes the answer with it.
async fn answer_plain(mut stream: TcpStream) -> std::io::Result<()> {
    let body = "expected TLS on this port, got plain HTTP: use https:// or wss://\n";
    let response = format!(
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}
