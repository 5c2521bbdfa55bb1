//! WebSockets over HTTP/2 (RFC 8441): one connection to an origin for many
//! sockets.

use std::collections::{HashMap, HashSet};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Ping, Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use longwire_proto::Limits;
use longwire_proto::handshake::client::{Agreed, Handshake, ResponseError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::timeout;

use super::handshake::{BODY_WITHIN, Shaken};
use super::observer::Observed;
use super::target::Target;
use crate::error::{Error, Refusal, Result};
use crate::transport::Io;

/// Bytes that a peer may send on a stream beyond what was read.
const STREAM_WINDOW: u32 = 128 << 10;

/// The same for all streams of a connection: those that nobody reads must not
/// starve the others.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            host: target.host.clone(),
            port: target.port,
        }
    }
}

/// The HTTP/2 connections of a client, and what it knows of servers. A
/// connection ends with its last socket.
#[derive(Debug, Default)]
pub(super) struct Pool {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<Origin, Weak<Session>>,
    /// Servers that speak HTTP/2 and take no WebSocket over it.
    without: HashSet<Origin>,
    /// Servers that did not speak HTTP/2 when they were last asked.
    http1: HashSet<Origin>,
    /// Connections that are being opened, which may turn out to be of HTTP/2.
    opening: HashMap<Origin, watch::Receiver<bool>>,
}

/// How to come to a socket at an origin.
pub(super) enum Turn {
    /// On this connection.
    Use(Arc<Session>),
    /// On a new one, which others wait for.
    Open(Opening),
    /// On a new one.
    Alone,
}

/// A connection that others wait for, until this is dropped.
pub(super) struct Opening {
    pool: Arc<Pool>,
    origin: Origin,
    /// Whether it is there to be shared.
    shared: watch::Sender<bool>,
}

impl Opening {
    /// The connection is in the pool.
    pub(super) fn into_session(self) {
        self.shared.send_replace(true);
    }

    /// It is one of HTTP/1.1: the next need not wait.
    pub(super) fn into_http1(self) {
        let mut known = self.pool.lock();
        remember(&mut known.http1, self.origin.clone());
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.pool.lock().opening.remove(&self.origin);
    }
}

fn remember(origins: &mut HashSet<Origin>, origin: Origin) {
    if origins.len() >= MOST_REMEMBERED {
        origins.clear();
    }
    origins.insert(origin);
}

/// Servers remembered at most; beyond it, all are forgotten.
const MOST_REMEMBERED: usize = 1024;

impl Pool {
    /// Whether to use an open connection to this origin, or to open one. Waits
    /// where somebody else is about to.
    pub(super) async fn turn(self: &Arc<Self>, origin: &Origin) -> Turn {
        loop {
            let mut opening = {
                let mut known = self.lock();
                if let Some(session) = known.session(origin) {
                    return Turn::Use(session);
                }
                if known.http1.contains(origin) {
                    return Turn::Alone;
                }
                if let Some(opening) = known.opening.get(origin) {
                    opening.clone()
                } else {
                    let (shared, opening) = watch::channel(false);
                    known.opening.insert(origin.clone(), opening);
                    return Turn::Open(Opening {
                        pool: self.clone(),
                        origin: origin.clone(),
                        shared,
                    });
                }
            };
            // Where it came to nothing, to wait for the next who tries would be to
            // try one after the other.
            if opening.wait_for(|shared| *shared).await.is_err() {
                return Turn::Alone;
            }
        }
    }

    pub(super) fn insert(&self, origin: Origin, session: &Arc<Session>) {
        let mut known = self.lock();
        known
            .sessions
            .retain(|_, session| session.strong_count() > 0);
        known.http1.remove(&origin);
        known.sessions.insert(origin, Arc::downgrade(session));
    }

    /// Takes out this connection, where it is still the one that is known.
    pub(super) fn remove(&self, origin: &Origin, session: &Weak<Session>) {
        let mut known = self.lock();
        if known
            .sessions
            .get(origin)
            .is_some_and(|s| s.ptr_eq(session))
        {
            known.sessions.remove(origin);
        }
    }

    /// Whether to offer HTTP/2 to this origin.
    pub(super) fn may_offer(&self, origin: &Origin) -> bool {
        !self.lock().without.contains(origin)
    }

    /// Remembers a server that takes no WebSocket over HTTP/2.
    pub(super) fn remember_without(&self, origin: Origin) {
        remember(&mut self.lock().without, origin);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// An open connection to this origin that has room for another socket.
    fn session(&mut self, origin: &Origin) -> Option<Arc<Session>> {
        let weak = self.sessions.get(origin)?;
        // Each socket holds its connection.
        let sockets = weak.strong_count();
        let found = weak.upgrade();
        if found.is_none() {
            self.sessions.remove(origin);
        }
        found.filter(|session| sockets < session.requests.current_max_send_streams())
    }
}

/// An HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Session {
    requests: SendRequest<Bytes>,
}

/// What a new HTTP/2 connection is good for.
pub(super) enum Opened {
    Session(Arc<Session>),
    /// It takes no WebSockets.
    NoExtendedConnect,
}

impl Session {
    //= rfc8441#3-3
    /// Starts HTTP/2 and waits for the server's settings.
    pub(super) async fn open(io: Io, limits: &Limits) -> Result<Opened, h2::Error> {
        let (requests, mut connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .enable_push(false)
            .handshake(io)
            .await?;
        let ping = connection.ping_pong();
        let running = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection failed");
            }
        });
        // Settings are the first that a server sends: they are known by the
        // time it has answered anything.
        if let Some(mut ping) = ping {
            ping.ping(Ping::opaque()).await?;
        }
        if requests.is_extended_connect_protocol_enabled() {
            Ok(Opened::Session(Arc::new(Self { requests })))
        } else {
            running.abort();
            Ok(Opened::NoExtendedConnect)
        }
    }
}

/// Why a stream did not become a WebSocket.
pub(super) enum Failure {
    /// The connection failed before the server answered: another may do.
    Connection(h2::Error),
    /// The server takes this over HTTP/1.1 alone (RFC 9113 section 7).
    Http1Required,
    /// The server gave up the stream. The connection is as good as before.
    Reset(h2::Error),
    /// The server's answer.
    Answer(Error),
}

//= rfc8441#5-1, rfc8441#5-2, rfc8441#5-3
/// Opens a WebSocket on a stream of its own.
pub(super) async fn shake_hands(
    session: Arc<Session>,
    handshake: &Handshake,
    mut request: Request<()>,
    limits: &Limits,
    observed: &Observed,
) -> Result<Shaken, Failure> {
    request
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));
    if let Some(observer) = observed.get() {
        observer.request(&request);
    }
    let requests = session.requests.clone();
    let mut requests = requests.ready().await.map_err(Failure::Connection)?;
    let (response, sending) = requests
        .send_request(request, false)
        .map_err(Failure::Connection)?;
    let response = response.await.map_err(failure)?;
    if let Some(observer) = observed.get() {
        observer.response(response.version(), response.status(), response.headers());
    }
    let (agreed, headers) = judge(&response, handshake).map_err(Failure::Answer)?;
    let Some(agreed) = agreed else {
        return Err(Failure::Answer(refusal(response, limits).await));
    };
    let stream = Stream {
        sending,
        receiving: response.into_body(),
        unread: Bytes::new(),
        _session: session,
    };
    Ok(Shaken {
        io: Io::boxed(stream),
        unhandled: Vec::new(),
        agreed,
        headers,
    })
}

fn failure(error: h2::Error) -> Failure {
    if error.reason() == Some(Reason::HTTP_1_1_REQUIRED) {
        Failure::Http1Required
    } else if error.is_reset() && error.is_remote() {
        Failure::Reset(error)
    } else {
        Failure::Connection(error)
    }
}

/// What was agreed on; `None` where the server refuses.
fn judge(
    response: &Response<RecvStream>,
    handshake: &Handshake,
) -> Result<(Option<Agreed>, HeaderMap)> {
    match handshake.verify_extended(response) {
        Ok(agreed) => Ok((Some(agreed), response.headers().clone())),
        Err(ResponseError::Status(_)) => Ok((None, HeaderMap::new())),
        Err(error) => Err(error.into()),
    }
}

async fn refusal(response: Response<RecvStream>, limits: &Limits) -> Error {
    let (parts, mut body) = response.into_parts();
    let mut kept = Vec::new();
    // A body that breaks off, or takes its time, is kept as far as it came.
    let reading = async {
        while kept.len() < limits.refusal_body
            && let Some(Ok(data)) = body.data().await
        {
            let room = limits.refusal_body - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            let _ = body.flow_control().release_capacity(data.len());
        }
    };
    let _ = timeout(BODY_WITHIN, reading).await;
    Error::Refused(Box::new(Refusal {
        status: parts.status,
        headers: parts.headers,
        body: kept,
    }))
}

/// The stream under a WebSocket. What is not read is not asked for, and what
/// the peer has no room for waits: flow control is the backpressure.
struct Stream {
    sending: SendStream<Bytes>,
    receiving: RecvStream,
    unread: Bytes,
    /// The connection lives as long as its streams.
    _session: Arc<Session>,
}

//= rfc8441#5-7, rfc8441#5-8
/// A stream that the peer resets is a connection that broke.
fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::ConnectionReset.into())
    } else {
        io::Error::new(io::ErrorKind::ConnectionReset, error)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(self.receiving.poll_data(cx)) {
                Some(data) => self.unread = data.map_err(broken)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..count]);
        self.unread.advance(count);
        // It was received, so that it can be given back.
        let _ = self.receiving.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.sending.reserve_capacity(bytes.len());
        while self.sending.capacity() == 0 {
            match ready!(self.sending.poll_capacity(cx)) {
                Some(capacity) => drop(capacity.map_err(broken)?),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let count = bytes.len().min(self.sending.capacity());
        let data = Bytes::copy_from_slice(&bytes[..count]);
        self.sending.send_data(data, false).map_err(broken)?;
        // What nobody writes must not hold back the other streams.
        self.sending.reserve_capacity(0);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Where it is closed already, nothing is left to do.
        let _ = self.sending.send_data(Bytes::new(), true);
        Poll::Ready(Ok(()))
    }
}
