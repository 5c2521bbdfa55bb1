//! A connection that speaks HTTP/2: pages and sockets side by side, each on a
//! stream of its own (RFC 8441).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::HOST;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument as _;

use super::Site;
use super::guard::Guard;
use super::registry::Registry;
use super::service::Requests;
use super::stream::Stream;
use super::upgraded::{Upgrading, serve_socket};
use crate::transport::{Io, Transport};

/// What an HTTP/2 connection may make a server hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Http2Limits {
    /// Requests and sockets at the same time.
    pub(super) streams: u32,
    /// Bytes that a client may send on a stream beyond what was read.
    pub(super) stream_window: u32,
    /// The same for all streams together. It is that of many, so that sockets
    /// that are not read do not starve the others.
    pub(super) connection_window: u32,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            streams: 256,
            stream_window: 128 << 10,
            connection_window: 4 << 20,
        }
    }
}

/// Bytes that wait on a stream for the client to have room.
const SEND_BUFFER: usize = 64 << 10;

//= rfc8441#3-1, rfc8441#3-2
/// Serves a connection to its end.
pub(super) async fn serve_http2<T: Transport>(
    transport: T,
    peer_addr: Option<SocketAddr>,
    site: Arc<Site>,
    registry: Arc<Registry>,
    mut shutdown: watch::Receiver<bool>,
) {
    let (accepting, mut accepted) = mpsc::unbounded_channel();
    let requests = Arc::new(AtomicU64::new(0));
    let service = service_fn({
        let (site, requests) = (site.clone(), requests.clone());
        // Each request has a task of its own.
        let span = tracing::Span::current();
        move |request| {
            requests.fetch_add(1, Ordering::Relaxed);
            let upgrading = Arc::new(Mutex::new(None));
            let answering = Requests {
                site: site.clone(),
                peer_addr,
                upgrading: upgrading.clone(),
            };
            let accepting = accepting.clone();
            let answered = async move {
                let response = answering.answer(with_host(request)).await;
                let upgraded = upgrading
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                if let Some(upgraded) = upgraded {
                    // Where the connection is gone, so is the socket.
                    let _ = accepting.send(upgraded);
                }
                response
            };
            answered.instrument(span.clone())
        }
    });
    let header_bytes = site.options.config.limits.header_bytes;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(site.http2.streams)
        .initial_stream_window_size(site.http2.stream_window)
        .initial_connection_window_size(site.http2.connection_window)
        .max_send_buf_size(SEND_BUFFER)
        // Twice, so that it is our answer that tells which limit was passed.
        .max_header_list_size(u32::try_from(header_bytes.saturating_mul(2)).unwrap_or(u32::MAX));
    let io = TokioIo::new(Guard::new(transport, site.write_timeout));
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let mut sockets = JoinSet::new();
    let mut quiet = interval(site.handshake_timeout);
    quiet.set_missed_tick_behavior(MissedTickBehavior::Delay);
    quiet.reset();
    let mut seen = 0;
    let mut stopping = std::pin::pin!(shutdown.wait_for(|stopping| *stopping));
    let mut told_to_stop = false;
    loop {
        tokio::select! {
            result = &mut connection => {
                if let Err(error) = result {
                    tracing::debug!(%error, "the HTTP/2 connection failed");
                }
                break;
            }
            Some(upgrading) = accepted.recv() => {
                let serving = socket(upgrading, site.clone(), registry.clone());
                sockets.spawn(serving.in_current_span());
            }
            Some(_) = sockets.join_next() => {}
            _ = &mut stopping, if !told_to_stop => {
                told_to_stop = true;
                connection.as_mut().graceful_shutdown();
            }
            // A connection on which nothing happens, and nothing has since the
            // last look, is in the way.
            _ = quiet.tick() => {
                let now = requests.load(Ordering::Relaxed);
                if sockets.is_empty() && now == seen && !told_to_stop {
                    // What is still being answered goes on.
                    told_to_stop = true;
                    connection.as_mut().graceful_shutdown();
                }
                seen = now;
            }
        }
    }
    // The streams are gone: what is left is for the sockets to notice.
    while let Ok(upgrading) = accepted.try_recv() {
        let serving = socket(upgrading, site.clone(), registry.clone());
        sockets.spawn(serving.in_current_span());
    }
    while sockets.join_next().await.is_some() {}
}

async fn socket(upgrading: Upgrading, site: Arc<Site>, registry: Arc<Registry>) {
    let taken = |upgraded| Some((Io::boxed(Stream::new(upgraded)), Vec::new()));
    serve_socket(upgrading, taken, &site.options, Some(&registry)).await;
}

//= rfc8441#5-3
/// `:authority` is what HTTP/1.1 has as `Host`.
fn with_host(mut request: Request<Incoming>) -> Request<Incoming> {
    let authority = request.uri().authority().map(ToString::to_string);
    if let Some(authority) = authority
        && !request.headers().contains_key(HOST)
        && let Ok(value) = HeaderValue::from_str(&authority)
    {
        request.headers_mut().insert(HOST, value);
    }
    request
}
