//! Where a server listens, and the threads that accept there.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;

use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};
use tokio::runtime::Builder;
use tokio::sync::watch;

use super::accepting::Accepting;

/// Connections that the kernel holds until they are accepted, for each listener.
const BACKLOG: u32 = 1024;

/// One listener on the runtime of the program, or one for each thread of the server.
#[derive(Debug)]
pub(super) enum Listening {
    Here(TcpListener),
    Threads(Vec<std::net::TcpListener>),
}

impl Listening {
    pub(super) async fn bind(
        address: impl ToSocketAddrs,
        threads: Option<NonZero<usize>>,
    ) -> io::Result<Self> {
        let Some(threads) = threads else {
            return TcpListener::bind(address).await.map(Self::Here);
        };
        let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in lookup_host(address).await? {
            match listen_at(address, threads.get()) {
                Ok(listeners) => return Ok(Self::Threads(listeners)),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// With a listener that is open already.
    pub(super) fn with(
        listener: std::net::TcpListener,
        threads: Option<NonZero<usize>>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let Some(threads) = threads else {
            return TcpListener::from_std(listener).map(Self::Here);
        };
        let mut listeners = Vec::with_capacity(threads.get());
        for _ in 1..threads.get() {
            listeners.push(listener.try_clone()?);
        }
        listeners.push(listener);
        Ok(Self::Threads(listeners))
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Here(listener) => listener.local_addr(),
            Self::Threads(listeners) => match listeners.first() {
                Some(listener) => listener.local_addr(),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    /// Accepts, and serves what is accepted, until all of it has ended.
    pub(super) async fn run(self, accepting: Accepting, cut: watch::Receiver<bool>) {
        let listeners = match self {
            Self::Here(listener) => return accepting.run(listener, cut).await,
            Self::Threads(listeners) => listeners,
        };
        let running = watch::Sender::new(listeners.len());
        for listener in listeners {
            let (accepting, cut) = (accepting.another(), cut.clone());
            let running = Running(running.clone());
            let started = std::thread::Builder::new()
                .name("longwire-server".to_owned())
                .spawn(move || {
                    if let Err(error) = serve_thread(listener, accepting, cut, running) {
                        tracing::error!(%error, "a thread of the server ended");
                    }
                });
            if let Err(error) = started {
                tracing::error!(%error, "a thread of the server could not start");
            }
        }
        none(&running).await;
    }
}

/// A thread that has something to serve.
struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// Waits until no thread has anything to serve.
async fn none(running: &watch::Sender<usize>) {
    // There is a sender: we have it.
    let _ = running.subscribe().wait_for(|running| *running == 0).await;
}

/// A runtime of the thread's own: what it accepts never leaves it.
fn serve_thread(
    listener: std::net::TcpListener,
    accepting: Accepting,
    cut: watch::Receiver<bool>,
    running: Running,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let others = running.0.clone();
        accepting.run(TcpListener::from_std(listener)?, cut).await;
        drop(running);
        // What other threads hold may have been begun on this one's runtime.
        none(&others).await;
        Ok(())
    })
}

/// So many listeners at one address, among which the kernel divides what comes.
fn listen_at(address: SocketAddr, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    if address.port() != 0 {
        // Another server that shares its address with itself would share it with us too.
        drop(std::net::TcpListener::bind(address)?);
    }
    let first = listen(address)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        let another = if SHARED {
            listen(address)?
        } else {
            listeners[0].try_clone()?
        };
        listeners.push(another);
    }
    Ok(listeners)
}

/// Whether several listeners can have one address (`SO_REUSEPORT`).
const SHARED: bool = cfg!(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos"))
));

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
