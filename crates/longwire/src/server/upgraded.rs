//! A socket of a server, from the upgrade to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt as _;
use futures_util::future::Either;
use hyper::upgrade::{OnUpgrade, Upgraded};
use longwire_proto::{CloseCode, Closed, Connection, MemoryBudget};

use super::caps::Place;
use super::handled::serve_handled;
use super::reactor::Adopted;
use super::registry::Registry;
use super::route::Serve;
use crate::driver::Driver;
use crate::error::Error;
use crate::handler::{Machine, SocketInfo};
use crate::options::{Drive, Options};
use crate::socket::{Info, Shared, Socket};
use crate::transport::{Io, now};

/// A response of 101 that is on its way: what follows once it is out.
pub(super) struct Upgrading {
    pub(super) on_upgrade: OnUpgrade,
    pub(super) serve: Serve,
    pub(super) drive: Drive,
    pub(super) info: Info,
    /// The socket's place among the connections, where it has one of its own.
    pub(super) place: Option<Place>,
    /// What its memory is counted against, where that is not the options'.
    pub(super) memory: Option<MemoryBudget>,
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
        serve,
        drive,
        info,
        place,
        memory,
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
    let mut connection =
        Connection::server(options.config.clone(), now()).with_compression(info.compression);
    if memory.is_some() {
        connection = connection.with_memory_budget(memory);
    }
    let io = match (&serve, registry.and_then(|registry| registry.reactor())) {
        (Serve::Handler(make), Some(reactor)) => match std_stream(io) {
            Ok(stream) => {
                tracing::info!(path, "socket opened");
                return reactor.adopt(Adopted {
                    stream,
                    machine: Machine::new(connection, make(&SocketInfo::new(&info))),
                    unhandled,
                    place,
                });
            }
            Err(io) => io,
        },
        _ => io,
    };
    let driver = Driver::new(io, connection, unhandled, options);
    let shared = Shared::new(driver, drive);
    let shared_with_handler = shared.clone();
    let entry = registry.map(|registry| registry.enter(shared.clone(), peer));
    tracing::info!(path, "socket opened");
    let handling = async move {
        match serve {
            Serve::Socket(handler) => handler(Socket::new(shared_with_handler, info)).await,
            Serve::Handler(make) => {
                let handler = make(&SocketInfo::new(&info));
                serve_handled(Socket::new(shared_with_handler, info), handler).await
            }
        }
    };
    let mut handling = Box::pin(AssertUnwindSafe(handling).catch_unwind());
    let (closed, done) = run(&mut handling, &shared).await;
    drop((entry, place));
    //= rfc6455#7.1.7-2
    tracing::info!(path, code = closed.code.get(), clean = closed.clean, by = %closed.by, "socket closed");
    // A handler may go on without its socket.
    if !done {
        tell(&handling.await);
    }
}

/// What a handler came to, or the panic that ended it.
type Handled = Result<crate::error::Result<()>, Box<dyn std::any::Any + Send>>;

/// Runs the handler, and keeps the socket in order while it does and after, up to
/// the end of the connection. Says whether the handler is done.
async fn run(
    handling: &mut (impl Future<Output = Handled> + Unpin),
    shared: &Shared,
) -> (Closed, bool) {
    // The handler is asked first: a socket that was let go of by a handler that
    // failed is closed with the code for that.
    let result = std::future::poll_fn(|cx| {
        shared.keep_in(cx);
        match handling.poll_unpin(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => shared.poll_keep(cx).map(|()| None),
        }
    })
    .await;
    let Some(result) = result else {
        // The program has let go of the socket, or the connection is over.
        let finishing = std::pin::pin!(shared.finish(CloseCode::NORMAL));
        return match futures_util::future::select(finishing, handling).await {
            Either::Left((closed, _)) => (closed, false),
            Either::Right((result, finishing)) => {
                tell(&result);
                (finishing.await, true)
            }
        };
    };
    tell(&result);
    let code = if let Ok(Ok(())) = result {
        // The socket may live on elsewhere.
        std::future::poll_fn(|cx| shared.poll_keep(cx)).await;
        CloseCode::NORMAL
    } else {
        CloseCode::INTERNAL_ERROR
    };
    (shared.finish(code).await, true)
}

/// Logs a handler that failed.
fn tell(result: &Handled) {
    match result {
        Ok(Ok(()) | Err(Error::Closed(_) | Error::Closing)) => {}
        Ok(Err(error)) => tracing::error!(%error, "the handler of a socket failed"),
        Err(_) => tracing::error!("the handler of a socket panicked"),
    }
}

/// The socket under plain TCP.
fn std_stream(io: Io) -> Result<std::net::TcpStream, Io> {
    match io {
        // One that is no stream of its own any more cannot be taken back: it has failed.
        Io::Tcp(stream) => stream.into_std().map_err(|error| {
            tracing::debug!(%error, "taking a connection over failed");
            Io::boxed(tokio::io::empty())
        }),
        io @ Io::Boxed(_) => Err(io),
    }
}
