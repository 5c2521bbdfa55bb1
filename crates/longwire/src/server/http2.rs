//! A connection that speaks HTTP/2: pages and sockets side by side, each on a
//! stream of its own (RFC 8441).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::Instrument as _;

use super::Site;
use super::answers::{Answers, Watched};
use super::guard::{Guard, Traffic};
use super::lane::Lane;
use super::registry::Registry;
use super::service::Requests;
use super::stream::Stream;
use super::upgraded::{Upgrading, serve_socket};
use crate::transport::{Io, Transport};

/// Whether HTTP/2 is spoken, and what a connection may make a server hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Http2 {
    pub(super) spoken: bool,
    /// Requests and sockets at the same time.
    pub(super) streams: u32,
    /// Bytes that a client may send on a stream beyond what was read.
    pub(super) stream_window: u32,
    /// The same for all streams together. It is that of many, so that sockets
    /// that are not read do not starve the others.
    pub(super) connection_window: u32,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            spoken: true,
            streams: 256,
            stream_window: 128 << 10,
            connection_window: 4 << 20,
        }
    }
}

/// The least time from one look at what happens on a connection to the next.
const LEAST_LOOK: Duration = Duration::from_millis(10);

/// Bytes that wait on a stream for the client to have room.
const SEND_BUFFER: usize = 64 << 10;

//= rfc8441#3-1, rfc8441#3-2
/// Serves a connection to its end.
pub(super) async fn serve_http2<T: Transport>(
    transport: T,
    peer_addr: Option<SocketAddr>,
    lane: Lane,
) {
    let Lane {
        site,
        registry,
        stopping: mut shutdown,
    } = lane;
    let (accepting, mut accepted) = mpsc::unbounded_channel();
    let activity = Arc::new(Activity::default());
    let service = service_fn({
        let (site, activity) = (site.clone(), activity.clone());
        // Each request has a task of its own.
        let span = tracing::Span::current();
        move |request| {
            let (site, activity) = (site.clone(), activity.clone());
            activity
                .answer(request, site, peer_addr, accepting.clone())
                .instrument(span.clone())
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
    let traffic = activity.traffic.clone();
    let guard = Guard::new(transport, site.write_timeout, traffic.clone());
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(guard), service));
    let mut sockets = JoinSet::new();
    let mut looking = interval(
        site.handshake_timeout
            .min(site.write_timeout)
            .max(LEAST_LOOK),
    );
    looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looking.reset();
    let mut quiet_since = Instant::now();
    let mut stopping = std::pin::pin!(shutdown.wait_for(|stopping| *stopping));
    let mut told_to_stop = None;
    loop {
        traffic.sockets.store(sockets.len(), Ordering::Relaxed);
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
            Some(_) = sockets.join_next() => quiet_since = Instant::now(),
            _ = &mut stopping, if told_to_stop.is_none() => {
                told_to_stop = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
            _ = looking.tick() => {
                if activity.is_busy(site.write_timeout) || !sockets.is_empty() {
                    quiet_since = Instant::now();
                } else if quiet_since.elapsed() >= site.handshake_timeout {
                    // A connection on which nothing happens is in the way. One
                    // that is told so and stays is dropped.
                    match told_to_stop {
                        None => {
                            told_to_stop = Some(Instant::now());
                            connection.as_mut().graceful_shutdown();
                        }
                        Some(at) if at.elapsed() >= site.handshake_timeout => {
                            tracing::debug!("a quiet HTTP/2 connection was dropped");
                            return;
                        }
                        Some(_) => {}
                    }
                }
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

/// What happens on a connection.
#[derive(Default)]
struct Activity {
    answers: Answers,
    traffic: Arc<Traffic>,
    /// Requests so far.
    requests: AtomicU64,
    /// Requests, and writes that the client has taken, at the last look.
    seen: AtomicU64,
    /// Requests that have no response yet.
    unanswered: AtomicUsize,
}

impl Activity {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        site: Arc<Site>,
        peer_addr: Option<SocketAddr>,
        accepting: mpsc::UnboundedSender<Upgrading>,
    ) -> Result<Response<Watched>, Infallible> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        // Each socket has a place of its own.
        let requests = Requests::new(site, peer_addr, None, None);
        let unanswered = Unanswered(&self.unanswered);
        let response = requests.clone().answer(with_host(request)).await?;
        drop(unanswered);
        if let Some(upgraded) = requests.take_upgrading() {
            // Where the connection is gone, so is the socket.
            let _ = accepting.send(upgraded);
        }
        Ok(response.map(|body| self.answers.watch(body)))
    }

    /// Whether anything happens, or has since the last look. Responses of which
    /// the client takes nothing for so long are given up.
    fn is_busy(&self, write_timeout: Duration) -> bool {
        let answered = self.answers.give_up_after(write_timeout);
        let requests = self.requests.load(Ordering::Relaxed);
        let happened = requests + self.traffic.writes.load(Ordering::Relaxed);
        let seen = self.seen.swap(happened, Ordering::Relaxed);
        answered > 0 || happened != seen || self.unanswered.load(Ordering::Relaxed) > 0
    }
}

/// Counts a request out, also where its client has given it up.
struct Unanswered<'a>(&'a AtomicUsize);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
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
