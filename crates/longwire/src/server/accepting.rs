//! Accepts connections, and has each served in a task of its own.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::io::{AsyncRead, AsyncWrite};
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
use super::last_answer::answer_last;
use super::registry::Registry;
use super::upgraded::Served;
use crate::tls::HTTP_1_1;

/// How long to wait where the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection above a cap may take to read why it is refused.
const REFUSE_WITHIN: Duration = Duration::from_secs(1);

/// Connections above a cap that are told so at the same time; the rest is just
/// dropped.
const REFUSED_AT_ONCE: usize = 64;

/// What accepts connections, and has them served.
pub(super) struct Accepting {
    sites: watch::Receiver<Option<Arc<Site>>>,
    registry: Arc<Registry>,
    stopping: watch::Receiver<bool>,
    connections: JoinSet<()>,
    refused: JoinSet<()>,
}

impl Accepting {
    pub(super) fn new(
        sites: watch::Receiver<Option<Arc<Site>>>,
        registry: Arc<Registry>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            sites,
            registry,
            stopping,
            connections: JoinSet::new(),
            refused: JoinSet::new(),
        }
    }

    /// The same for another thread.
    pub(super) fn another(&self) -> Self {
        let (sites, registry) = (self.sites.clone(), self.registry.clone());
        Self::new(sites, registry, self.stopping.clone())
    }

    /// Where the next connection is served, unless the server has ended.
    fn lane(&self) -> Option<Lane> {
        Some(Lane {
            site: self.sites.borrow().clone()?,
            registry: self.registry.clone(),
            stopping: self.stopping.clone(),
        })
    }

    /// Accepts until the server stops, and then serves what is open until it has ended
    /// or is cut off.
    pub(super) async fn run(mut self, listener: TcpListener, mut cut: watch::Receiver<bool>) {
        let mut stopping = self.stopping.clone();
        {
            let stopped = std::pin::pin!(stopping.wait_for(|stopping| *stopping));
            let accepted = std::pin::pin!(self.accept_from(&listener));
            select(stopped, accepted).await;
        }
        drop(listener);
        let connections = &mut self.connections;
        let is_cut_off = {
            let all = std::pin::pin!(async { while connections.join_next().await.is_some() {} });
            // A server that is dropped cuts off too.
            let cut = std::pin::pin!(cut.wait_for(|cut| *cut));
            matches!(select(all, cut).await, Either::Right(_))
        };
        if is_cut_off {
            self.connections.shutdown().await;
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
        let Some(lane) = self.lane() else {
            return;
        };
        lane.site.observe(|observer| observer.connected(peer));
        let place = match lane.site.caps.take(peer) {
            Ok(place) => place,
            Err(full) => return self.refuse(stream, peer, full, &lane.site),
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "setting TCP_NODELAY failed");
        }
        let served = Served::new(Box::pin(serve_tcp(stream, peer, place, lane)));
        let span = tracing::info_span!("connection", %peer);
        self.connections.spawn(served.instrument(span));
    }

    fn refuse(&mut self, stream: TcpStream, peer: SocketAddr, full: Full, site: &Site) {
        tracing::warn!(%peer, %full, "refused a connection");
        site.observe(|observer| observer.turned_away(full.into()));
        if self.refused.len() < REFUSED_AT_ONCE {
            let tls = site.tls_config.clone();
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

/// Tells a client that a cap is reached.
async fn answer_full(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    full: Full,
) -> std::io::Result<()> {
    let body = format!("{full}\n");
    answer_last(
        stream,
        "503 Service Unavailable",
        "Retry-After: 1\r\n",
        &body,
    )
    .await
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
