//! A socket of a server, from the upgrade to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt as _;
use hyper::upgrade::{OnUpgrade, Upgraded};
use longwire_proto::{CloseCode, Closed, Connection};

use super::registry::Registry;
use super::route::Handler;
use crate::driver::Driver;
use crate::error::Error;
use crate::options::{Drive, Options};
use crate::socket::{Info, Shared, Socket};
use crate::transport::{Io, now};

/// A response of 101 that is on its way: what follows once it is out.
pub(super) struct Upgrading {
    pub(super) on_upgrade: OnUpgrade,
    pub(super) handler: Handler,
    pub(super) drive: Drive,
    pub(super) info: Info,
}

/// Serves a socket to its end. `take_over` gives the transport under an upgraded
/// connection, and what was read of it beyond the request.
pub(super) async fn serve_socket(
    upgrading: Upgrading,
    take_over: impl FnOnce(Upgraded) -> Option<(Io, Vec<u8>)>,
    options: &Options,
    registry: Option<&Arc<Registry>>,
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
        Connection::server(options.config.clone(), now()).with_compression(info.compression);
    let driver = Driver::new(io, connection, unhandled, options);
    let shared = Shared::new(driver, drive);
    let _entry = registry.map(|registry| registry.enter(shared.clone(), peer));
    tracing::info!(path, "socket opened");
    let socket = Socket::new(shared.clone(), info);
    let closed = run(socket, &shared, &handler).await;
    //= rfc6455#7.1.7-2
    tracing::info!(path, code = closed.code.get(), clean = closed.clean, by = %closed.by, "socket closed");
}

/// Runs the handler, and keeps the socket in order while it does and after.
async fn run(socket: Socket, shared: &Shared, handler: &Handler) -> Closed {
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
