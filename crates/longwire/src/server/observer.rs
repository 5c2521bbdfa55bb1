//! Watching what comes to a server, sockets and those that become none.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;

use super::caps::Full;

/// Is told what comes to a server, for metrics: see [`super::Server::observer`].
///
/// Each method does nothing by default and should return soon: it is called where
/// connections are accepted, or from the connection's own task. A panic in it is logged
/// and changes nothing else. What passes on a socket is told by [`crate::Socket::statistics`].
pub trait Observer: Send + Sync + 'static {
    /// A connection was accepted by the system.
    fn connected(&self, peer: SocketAddr) {
        let _ = peer;
    }

    /// A connection, or a stream of HTTP/2 that asked for a socket, was turned away
    /// before its request was looked at.
    fn turned_away(&self, why: TurnedAway) {
        let _ = why;
    }

    /// A request for a socket has its answer: 101, or 200 over HTTP/2, where there is
    /// one. It took so long from the request's head to the answer's.
    fn handshake(&self, status: StatusCode, took: Duration) {
        let _ = (status, took);
    }
}

/// Why a server does not look at a connection's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TurnedAway {
    /// [`super::Server::max_connections`]
    MaxConnections,
    /// [`super::Server::max_connections_per_address`]
    MaxConnectionsPerAddress,
    /// It spoke no TLS, or the handshake of TLS failed.
    Tls,
    /// [`super::Server::handshake_timeout`]: it began, or not even that, and stayed.
    Timeout,
}

impl From<Full> for TurnedAway {
    fn from(full: Full) -> Self {
        match full {
            Full::Total(_) => Self::MaxConnections,
            Full::Address(_) => Self::MaxConnectionsPerAddress,
        }
    }
}
