//! A socket of a server, from the upgrade to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt as _;
use futures_util::future::{CatchUnwind, Either};
use hyper::upgrade::{OnUpgrade, Upgraded};
use longwire_proto::{CloseCode, Closed, Connection, MemoryBudget};

use super::caps::Place;
use super::handled::serve_handled;
use super::reactor::Adopted;
use super::registry::{Entry, Registry};
use super::route::{BoxFuture, NewHandler, Serve};
use crate::driver::Driver;
use crate::error::Error;
use crate::handler::{Context, Guarded, Handler, Machine, MessageRef, SocketInfo};
use crate::options::{Drive, Options};
use crate::socket::{Info, Shared, Socket};
use crate::transport::{Io, now};

/// A response of 101 that is on its way, and what follows once it is out.
pub(super) struct Upgrading {
    pub(super) on_upgrade: OnUpgrade,
    pub(super) agreed: Agreed,
}

/// What a socket is to be.
pub(super) struct Agreed {
    pub(super) serve: Serve,
    pub(super) drive: Drive,
    pub(super) info: Info,
    /// The socket's place among the connections, where it has one of its own.
    pub(super) place: Option<Place>,
    /// What its memory is counted against, where that is not the options'.
    pub(super) memory: Option<MemoryBudget>,
}

/// A socket that is open, and its handler.
pub(super) struct Opened {
    shared: Arc<Shared>,
    handling: Handling,
    entry: Option<Entry>,
    place: Option<Place>,
    path: Box<str>,
}

/// Opens a socket once its response is out; `None` where that fails, or where a reactor
/// has it. `take_over` gives the transport under an upgraded connection, and what was
/// read of it beyond the request.
pub(super) async fn open_upgraded(
    upgrading: Upgrading,
    take_over: impl FnOnce(Upgraded) -> Option<(Io, Vec<u8>)>,
    options: &Options,
    registry: Option<&Arc<Registry>>,
) -> Option<Opened> {
    let (io, unhandled) = match upgrading.on_upgrade.await {
        Ok(upgraded) => take_over(upgraded)?,
        Err(error) => {
            tracing::debug!(%error, "the upgrade failed");
            return None;
        }
    };
    open_socket(upgrading.agreed, io, unhandled, options, registry)
}

/// Opens a socket whose response is out; `None` where a reactor has it. `unhandled` is
/// what was read beyond the request.
pub(super) fn open_socket(
    agreed: Agreed,
    io: Io,
    unhandled: Vec<u8>,
    options: &Options,
    registry: Option<&Arc<Registry>>,
) -> Option<Opened> {
    let Agreed {
        serve,
        drive,
        info,
        place,
        memory,
    } = agreed;
    //= rfc6455#4.2.2-14
    let mut connection =
        Connection::server(options.config.clone(), now()).with_compression(info.compression);
    if memory.is_some() {
        connection = connection.with_memory_budget(memory);
    }
    let path: Box<str> = info.uri.path().into();
    tracing::info!(path, "socket opened");
    let io = match (&serve, registry.and_then(|registry| registry.reactor())) {
        (Serve::Handler(make), Some(reactor)) => match std_stream(io) {
            Ok(stream) => {
                let adopted = reactor.adopt(Adopted {
                    stream,
                    machine: Machine::new(connection, made(make.as_ref(), &info)),
                    unhandled,
                    place,
                });
                if adopted.is_err() {
                    tracing::error!("a connection came to a reactor that had ended");
                }
                return None;
            }
            Err(io) => io,
        },
        _ => io,
    };
    let driver = Driver::new(io, connection, unhandled, options);
    let shared = Shared::new(driver, drive);
    let peer = info.peer_addr;
    let entry = registry.map(|registry| registry.enter(shared.clone(), peer));
    let socket = Socket::new(shared.clone(), info);
    let handling: BoxFuture<_> = match serve {
        Serve::Socket(handler) => Box::pin(async move { handler(socket).await }),
        Serve::Handler(make) => Box::pin(async move {
            let handler = make(&socket.info());
            serve_handled(socket, Guarded::new(handler)).await
        }),
    };
    Some(Opened {
        shared,
        handling: AssertUnwindSafe(handling).catch_unwind(),
        entry,
        place,
        path,
    })
}

/// Opens a socket and serves it to its end.
pub(super) async fn serve_socket(
    upgrading: Upgrading,
    take_over: impl FnOnce(Upgraded) -> Option<(Io, Vec<u8>)>,
    options: &Options,
    registry: Option<&Arc<Registry>>,
) {
    // Boxed, so that its room is given back.
    let opening = Box::pin(open_upgraded(upgrading, take_over, options, registry));
    if let Some(opened) = opening.await {
        opened.serve().await;
    }
}

impl Opened {
    /// Serves the socket to its end.
    pub(super) async fn serve(mut self) {
        let (closed, done) = run(&mut self.handling, &self.shared).await;
        self.entry = None;
        self.place = None;
        //= rfc6455#7.1.7-2
        tracing::info!(path = self.path, code = closed.code.get(), clean = closed.clean, by = %closed.by, "socket closed");
        // A handler may go on without its socket.
        if !done {
            tell(&self.handling.await);
        }
    }
}

/// A handler at work.
type Handling = CatchUnwind<AssertUnwindSafe<BoxFuture<crate::error::Result<()>>>>;

/// What a handler came to, or the panic that ended it.
type Handled = Result<crate::error::Result<()>, Box<dyn std::any::Any + Send>>;

/// Runs the handler, and keeps the socket in order while it does and after, up to
/// the end of the connection. Says whether the handler is done.
async fn run(handling: &mut Handling, shared: &Shared) -> (Closed, bool) {
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
        // Boxed, as what seldom happens should take no room before.
        let finishing = Box::pin(shared.finish(CloseCode::NORMAL));
        return match futures_util::future::select(finishing, handling).await {
            Either::Left((closed, _)) => (closed, false),
            Either::Right((result, finishing)) => {
                tell(&result);
                (finishing.await, true)
            }
        };
    };
    let done = is_done(&result);
    drop(result);
    if done {
        // The socket may live on elsewhere.
        std::future::poll_fn(|cx| shared.poll_keep(cx)).await;
    }
    let code = if done {
        CloseCode::NORMAL
    } else {
        CloseCode::INTERNAL_ERROR
    };
    (Box::pin(shared.finish(code)).await, true)
}

/// Whether a handler has done its work; logs it where it has not.
fn is_done(result: &Handled) -> bool {
    tell(result);
    matches!(result, Ok(Ok(())))
}

/// Logs a handler that failed.
fn tell(result: &Handled) {
    match result {
        Ok(Ok(()) | Err(Error::Closed(_) | Error::Closing)) => {}
        Ok(Err(error)) => tracing::error!(%error, "the handler of a socket failed"),
        Err(_) => tracing::error!("the handler of a socket panicked"),
    }
}

/// A handler for a socket; where making one panics, one that fails.
fn made(make: &NewHandler, info: &Info) -> Guarded {
    let handler = catch_unwind(AssertUnwindSafe(|| make(&SocketInfo::new(info))));
    Guarded::new(handler.unwrap_or_else(|_| Box::new(Failed)))
}

/// What takes the place of a handler that could not be made.
struct Failed;

impl Handler for Failed {
    fn open(&mut self, context: &mut Context<'_>) {
        // A code that can be sent.
        let _ = context.close(CloseCode::INTERNAL_ERROR, "");
    }

    fn message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}
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
