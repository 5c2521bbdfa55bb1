//! A server at work: accepts connections until it is told to stop.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::Instrument as _;

use super::Site;
use super::arrival::serve_tcp;
use super::caps::Full;
use super::lane::Lane;
use super::reactor::Thread;
use super::registry::{Registry, ShutdownReport};
use crate::error::Result;
use crate::tls::HTTP_1_1;

/// How long to wait where the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection above a cap may take to read why it is refused.
const REFUSE_WITHIN: Duration = Duration::from_secs(1);

/// How long reactors may take to drop their connections.
const CUT_WITHIN: Duration = Duration::from_secs(1);

/// Connections above a cap that are told so at the same time; the rest is just
/// dropped.
const REFUSED_AT_ONCE: usize = 64;

/// A server that listens and does not accept yet: [`BoundServer::run`] makes it.
#[derive(Debug)]
pub struct BoundServer {
    listener: TcpListener,
    local_addr: SocketAddr,
    site: Arc<Site>,
    control: Arc<Control>,
    ending: Ending,
}

/// Tells those that wait for the end, also where a server is just dropped.
#[derive(Debug)]
struct Ending(Arc<Control>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.report.send_modify(|report| {
            report.get_or_insert_default();
        });
    }
}

/// What a server and its handles share.
struct Control {
    registry: Arc<Registry>,
    /// When asked to stop: how long open sockets have to close.
    stop: watch::Sender<Option<Duration>>,
    report: watch::Sender<Option<ShutdownReport>>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// Controls a running server from elsewhere. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    control: Arc<Control>,
}

impl ServerHandle {
    /// Stops accepting, closes all sockets with 1001, and waits for the server
    /// to end: when all have closed, at the deadline, or where it is dropped.
    ///
    /// # Cancel safety
    ///
    /// Once started, the shutdown goes on by itself.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.control.stop.send_modify(|stop| {
            stop.get_or_insert(deadline);
        });
        let mut report = self.control.report.subscribe();
        let done = report.wait_for(Option::is_some).await;
        done.ok()
            .and_then(|report| report.clone())
            .unwrap_or_default()
    }

    /// How many sockets are open.
    pub fn open_sockets(&self) -> usize {
        self.control.registry.len()
    }
}

impl BoundServer {
    pub(super) async fn bind(address: impl tokio::net::ToSocketAddrs, site: Site) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let control = Arc::new(Control {
            registry: Arc::default(),
            stop: watch::Sender::new(None),
            report: watch::Sender::new(None),
        });
        Ok(Self {
            local_addr: listener.local_addr()?,
            listener,
            site: Arc::new(site),
            ending: Ending(control.clone()),
            control,
        })
    }

    /// The address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What stops the server.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            control: self.control.clone(),
        }
    }

    /// Serves until [`ServerHandle::shutdown`], and gives its report.
    pub async fn run(self) -> ShutdownReport {
        let Self {
            listener,
            site,
            control,
            ending,
            ..
        } = self;
        let (stopping, stopping_seen) = watch::channel(false);
        let mut accepting = Accepting {
            lane: Lane {
                site,
                registry: control.registry.clone(),
                stopping: stopping_seen,
            },
            reactors: Vec::new(),
            connections: JoinSet::new(),
            refused: JoinSet::new(),
        };
        accepting.start_reactors();
        let mut renewing = JoinSet::new();
        if let Some(tls) = accepting.lane.site.tls.clone() {
            renewing.spawn(tls.keep_fresh());
        }
        let mut stop = control.stop.subscribe();
        let deadline = {
            let stopped = std::pin::pin!(stop.wait_for(Option::is_some));
            let accepted = std::pin::pin!(accepting.accept_from(&listener));
            match futures_util::future::select(stopped, accepted).await {
                futures_util::future::Either::Left((stop, _)) => {
                    stop.ok().and_then(|stop| *stop).unwrap_or_default()
                }
                futures_util::future::Either::Right((never, _)) => match never {},
            }
        };
        drop(listener);
        let mut report = ShutdownReport {
            open: control.registry.close_all(),
            unanswered: Vec::new(),
        };
        stopping.send_replace(true);
        let mut connections = accepting.connections;
        let all = async {
            while connections.join_next().await.is_some() {}
            control.registry.reactors_emptied().await;
        };
        if timeout(deadline, all).await.is_err() {
            report.unanswered = control.registry.cut_off();
            let _ = timeout(CUT_WITHIN, control.registry.reactors_emptied()).await;
            report.unanswered.extend(control.registry.cut_by_reactors());
            connections.shutdown().await;
        }
        control.report.send_replace(Some(report.clone()));
        drop((accepting.reactors, ending));
        report
    }
}

struct Accepting {
    lane: Lane,
    reactors: Vec<Thread>,
    connections: JoinSet<()>,
    refused: JoinSet<()>,
}

impl Accepting {
    /// Starts threads for the connections of handlers, where there will be any.
    fn start_reactors(&mut self) {
        let Lane { site, registry, .. } = &self.lane;
        if !site.sockets.iter().any(|socket| socket.route.is_handled()) {
            return;
        }
        for _ in 0..site.threads.get() {
            match Thread::start() {
                Ok(thread) => {
                    registry.add_reactor(thread.mailbox().clone());
                    self.reactors.push(thread);
                }
                Err(error) => tracing::warn!(%error, "a thread for handlers could not start"),
            }
        }
    }

    async fn accept_from(&mut self, listener: &TcpListener) -> std::convert::Infallible {
        loop {
            let accepted = poll_fn(|cx| {
                // Those that have ended make room.
                while let Poll::Ready(Some(_)) = self.connections.poll_join_next(cx) {}
                while let Poll::Ready(Some(_)) = self.refused.poll_join_next(cx) {}
                listener.poll_accept(cx)
            })
            .await;
            match accepted {
                Ok((stream, peer)) => self.accept(stream, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "accepting failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accept(&mut self, stream: TcpStream, peer: SocketAddr) {
        let place = match self.lane.site.caps.take(peer) {
            Ok(place) => place,
            Err(full) => return self.refuse(stream, peer, full),
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "setting TCP_NODELAY failed");
        }
        let lane = self.lane.clone();
        // Boxed, so that its room is given back once the connection is a socket.
        let opening = Box::pin(serve_tcp(stream, peer, place, lane));
        let served = async move {
            if let Some(opened) = opening.await {
                opened.serve().await;
            }
        };
        let span = tracing::info_span!("connection", %peer);
        self.connections.spawn(served.instrument(span));
    }

    fn refuse(&mut self, stream: TcpStream, peer: SocketAddr, full: Full) {
        tracing::warn!(%peer, %full, "refused a connection");
        if self.refused.len() < REFUSED_AT_ONCE {
            let tls = self.lane.site.tls_config.clone();
            self.refused.spawn(async move {
                let answered = async {
                    match tls {
                        Some(tls) => answer_full(secured(stream, &tls).await?, full).await,
                        None => answer_full(stream, full).await,
                    }
                };
                let _ = timeout(REFUSE_WITHIN, answered).await;
            });
        }
    }
}

/// The connection with TLS, and HTTP/1.1 on it.
async fn secured(
    stream: TcpStream,
    config: &rustls::ServerConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut config = config.clone();
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    TlsAcceptor::from(Arc::new(config)).accept(stream).await
}

/// Tells a client that a cap is reached. The request is read and thrown away:
/// a socket dropped with unread input takes the answer with it.
async fn answer_full(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    full: Full,
) -> std::io::Result<()> {
    let body = format!("{full}\n");
    let response = format!(
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
