//! A socket of a server, from the upgrade to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::upgrade::{OnUpgrade, Upgraded};
use longwire_proto::{CloseCode, Closed, Connection, MemoryBudget};

use super::caps::Place;
use super::handled::serve_handled;
use super::mailbox::Adopted;
use super::registry::{Entry, Registry};
use super::route::{BoxFuture, NewHandler, Serve};
use crate::driver::Driver;
use crate::error::Error;
use crate::handler::{self, Guarded, Handler, Machine, MessageRef, SocketInfo};
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

/// A socket that is open, and its handler, up to the end of both. Small, as it waits most
/// of the time.
pub(super) struct Opened {
    shared: Arc<Shared>,
    /// Until the handler is done.
    handling: Option<BoxFuture<crate::error::Result<()>>>,
    end: End,
    entry: Option<Entry>,
    place: Option<Place>,
    path: Box<str>,
}

/// How near the socket's end is.
enum End {
    /// The handler has it.
    Open,
    /// The handler is done, and the socket may live on elsewhere.
    Kept,
    Finishing(BoxFuture<Closed>),
    Over,
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
    Some(Opened::new(shared, serve, socket, entry, place, path))
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
        opened.await;
    }
}

/// What a connection becomes: a socket, or nothing that has to be served. No larger than
/// that takes.
pub(super) enum Served {
    /// Boxed, so that its room is given back once it is a socket.
    Opening(BoxFuture<Option<Opened>>),
    Open(Opened),
}

impl Served {
    pub(super) fn new(opening: BoxFuture<Option<Opened>>) -> Self {
        Self::Opening(opening)
    }
}

impl Future for Served {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Self::Opening(opening) = this {
            match ready!(opening.as_mut().poll(cx)) {
                Some(opened) => *this = Self::Open(opened),
                None => return Poll::Ready(()),
            }
        }
        match this {
            Self::Opening(_) => Poll::Pending,
            Self::Open(opened) => Pin::new(opened).poll(cx),
        }
    }
}

impl Opened {
    fn new(
        shared: Arc<Shared>,
        serve: Serve,
        socket: Socket,
        entry: Option<Entry>,
        place: Option<Place>,
        path: Box<str>,
    ) -> Self {
        let handling = catch_unwind(AssertUnwindSafe(|| -> BoxFuture<_> {
            match serve {
                Serve::Socket(handler) => handler(socket),
                Serve::Handler(make) => Box::pin(async move {
                    let handler = make(&socket.info());
                    serve_handled(socket, Guarded::new(handler)).await
                }),
            }
        }));
        let mut opened = Self {
            shared,
            handling: None,
            end: End::Open,
            entry,
            place,
            path,
        };
        match handling {
            Ok(handling) => opened.handling = Some(handling),
            Err(panic) => opened.handled(&Err(panic)),
        }
        opened
    }

    /// The handler's turn; what it came to, once.
    fn poll_handling(&mut self, cx: &mut Context<'_>) -> Option<Handled> {
        let handling = self.handling.as_mut()?;
        let handled = match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(panic) => Err(panic),
        };
        self.handling = None;
        Some(handled)
    }

    /// The handler is done, or has failed: what becomes of the socket.
    fn handled(&mut self, handled: &Handled) {
        let done = is_done(handled);
        if let End::Open = self.end {
            if done {
                self.end = End::Kept;
            } else {
                self.finish(CloseCode::INTERNAL_ERROR);
            }
        }
    }

    fn finish(&mut self, code: CloseCode) {
        let shared = self.shared.clone();
        // Boxed, as what seldom happens should take no room before.
        self.end = End::Finishing(Box::pin(async move { shared.finish(code).await }));
    }
}

/// Serves the socket to its end.
impl Future for Opened {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.keep_in(cx);
        // The handler is asked first: a socket that was let go of by a handler that
        // failed is closed with the code for that.
        if let Some(handled) = this.poll_handling(cx) {
            this.handled(&handled);
        }
        loop {
            match &mut this.end {
                End::Open | End::Kept => {
                    ready!(this.shared.poll_keep(cx));
                    this.finish(CloseCode::NORMAL);
                }
                End::Finishing(finishing) => {
                    let closed = ready!(finishing.as_mut().poll(cx));
                    this.end = End::Over;
                    this.entry = None;
                    this.place = None;
                    //= rfc6455#7.1.7-2
                    tracing::info!(path = this.path, code = closed.code.get(), clean = closed.clean, by = %closed.by, "socket closed");
                }
                // A handler may go on without its socket.
                End::Over if this.handling.is_some() => return Poll::Pending,
                End::Over => return Poll::Ready(()),
            }
        }
    }
}

/// What a handler came to, or the panic that ended it.
type Handled = Result<crate::error::Result<()>, Box<dyn std::any::Any + Send>>;

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
    fn open(&mut self, context: &mut handler::Context<'_>) {
        // A code that can be sent.
        let _ = context.close(CloseCode::INTERNAL_ERROR, "");
    }

    fn message(&mut self, _: &mut handler::Context<'_>, _: MessageRef<'_>) {}
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
