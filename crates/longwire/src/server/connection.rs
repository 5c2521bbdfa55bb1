//! One accepted connection: HTTP until it ends or is upgraded, then a socket
//! until that is closed.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use longwire_proto::{CloseCode, Closed, Connection};
use tokio::sync::watch;

use super::Site;
use super::guard::Guard;
use super::registry::Registry;
use super::service::{Requests, Upgrading};
use crate::driver::Driver;
use crate::error::Error;
use crate::socket::{Shared, Socket};
use crate::transport::{Io, Transport, now};

/// hyper's own least buffer.
const LEAST_BUFFER: usize = 8 << 10;

/// hyper makes room for all fields at once.
const MOST_FIELDS: usize = 1 << 16;

/// Fields that hyper reads beyond our limit, so that it is our answer that
/// tells the client, by name.
const FIELDS_BEYOND: usize = 28;

/// Serves a connection to its end.
pub(super) async fn serve<T: Transport>(
    transport: T,
    into_io: fn(T) -> Io,
    peer_addr: Option<SocketAddr>,
    site: Arc<Site>,
    registry: Arc<Registry>,
    shutdown: watch::Receiver<bool>,
) {
    let upgrading = Arc::new(Mutex::new(None));
    let requests = Requests {
        site: site.clone(),
        peer_addr,
        upgrading: upgrading.clone(),
    };
    // Boxed, so that its room is given back once the connection is upgraded.
    Box::pin(serve_http(transport, &site, requests, shutdown)).await;
    let upgraded = upgrading
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(upgrading) = upgraded {
        let taken = |upgraded| {
            let (transport, unhandled) = take_back(upgraded)?;
            Some((into_io(transport), unhandled))
        };
        Box::pin(serve_socket(upgrading, taken, &site, &registry)).await;
    }
}

async fn serve_http<T: Transport>(
    transport: T,
    site: &Site,
    requests: Requests,
    mut shutdown: watch::Receiver<bool>,
) {
    let limits = &site.options.config.limits;
    let service = service_fn(move |request| requests.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(site.handshake_timeout)
        .max_headers(
            limits
                .header_fields
                .saturating_add(FIELDS_BEYOND)
                .min(MOST_FIELDS),
        )
        .max_buf_size(limits.header_bytes.saturating_mul(2).max(LEAST_BUFFER))
        .serve_connection(
            TokioIo::new(Guard::new(transport, site.write_timeout)),
            service,
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut stopping = std::pin::pin!(shutdown.wait_for(|stopping| *stopping).fuse());
    let result = std::future::poll_fn(|cx| {
        if stopping.poll_unpin(cx).is_ready() {
            connection.as_mut().graceful_shutdown();
        }
        connection.poll_unpin(cx)
    })
    .await;
    if let Err(error) = result {
        tracing::debug!(%error, "the HTTP connection failed");
    }
}

/// Serves a socket to its end. `take_over` gives the transport under an upgraded
/// connection, and what was read of it beyond the request.
pub(super) async fn serve_socket(
    upgrading: Upgrading,
    take_over: impl FnOnce(Upgraded) -> Option<(Io, Vec<u8>)>,
    site: &Site,
    registry: &Arc<Registry>,
) {
    let Upgrading {
        on_upgrade,
        handler,
        drive,
        info,
    } = upgrading;
    let peer = info.peer_addr;
    let path = info.uri.path().to_owned();
    let (io, unhandled) = match on_upgrade.await {
        Ok(upgraded) => match take_over(upgraded) {
            Some(taken) => taken,
            None => return,
        },
        Err(error) => {
            tracing::debug!(%error, "the upgrade failed");
            return;
        }
    };
    //= rfc6455#4.2.2-14
    let connection =
        Connection::server(site.config.clone(), now()).with_compression(info.compression);
    let driver = Driver::new(io, connection, unhandled, &site.options);
    let shared = Shared::new(driver, drive);
    let _entry = registry.enter(shared.clone(), peer);
    tracing::info!(path, "socket opened");
    let socket = Socket::new(shared.clone(), info);
    let closed = run(socket, &shared, &handler).await;
    //= rfc6455#7.1.7-2
    tracing::info!(path, code = closed.code.get(), clean = closed.clean, by = %closed.by, "socket closed");
}

/// The transport as it was before HTTP, and a copy of what was read beyond the
/// request: the buffer itself is as large as HTTP needed it.
fn take_back<T: Transport>(upgraded: Upgraded) -> Option<(T, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<Guard<T>>>().ok()?;
    let unhandled = parts.read_buf.to_vec();
    Some((parts.io.into_inner().into_inner(), unhandled))
}

/// Runs the handler, and keeps the socket in order while it does and after.
async fn run(socket: Socket, shared: &Shared, handler: &super::route::Handler) -> Closed {
    let handling = AssertUnwindSafe(async { handler(socket).await }).catch_unwind();
    let mut handling = std::pin::pin!(handling);
    // The handler is asked first: a socket that was let go of by a handler that
    // failed is closed with the code for that.
    let result = std::future::poll_fn(|cx| match handling.poll_unpin(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => shared.poll_keep(cx).map(|()| None),
    })
    .await;
    match result {
        // The socket lives on elsewhere, or is let go of.
        Some(Ok(Ok(()))) => {
            std::future::poll_fn(|cx| shared.poll_keep(cx)).await;
            shared.finish(CloseCode::NORMAL).await
        }
        Some(Ok(Err(error))) => {
            match error {
                Error::Closed(_) | Error::Closing => {}
                error => tracing::error!(%error, "the handler of a socket failed"),
            }
            shared.finish(CloseCode::INTERNAL_ERROR).await
        }
        Some(Err(_)) => {
            tracing::error!("the handler of a socket panicked");
            shared.finish(CloseCode::INTERNAL_ERROR).await
        }
        // The handler goes on without its socket.
        None => {
            let finishing = shared.finish(CloseCode::NORMAL);
            let (closed, _) = futures_util::future::join(finishing, handling).await;
            closed
        }
    }
}
