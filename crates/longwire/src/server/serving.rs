//! A server at work: accepts connections until it is told to stop.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::accepting::Accepting;
use super::listening::Listening;
use super::reactor::Thread;
use super::registry::{Registry, ShutdownReport};
use super::{Server, Site};
use crate::error::Result;

/// How long reactors may take to drop their connections.
const CUT_WITHIN: Duration = Duration::from_secs(1);

/// A server that listens and does not accept yet: [`BoundServer::run`] makes it.
#[derive(Debug)]
pub struct BoundServer {
    listening: Listening,
    local_addr: SocketAddr,
    control: Arc<Control>,
    ending: Ending,
}

/// Tells those that wait for the end, also where a server is just dropped.
#[derive(Debug)]
struct Ending(Arc<Control>);

impl Drop for Ending {
    fn drop(&mut self) {
        // Handles may be kept, by what the routes hold too.
        self.0.site.send_replace(None);
        self.0.report.send_modify(|report| {
            report.get_or_insert_default();
        });
    }
}

/// What a server and its handles share.
struct Control {
    registry: Arc<Registry>,
    /// What new connections are served with; `None` once the server has ended.
    site: watch::Sender<Option<Arc<Site>>>,
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

    /// Serves connections to come with other settings and routes: what is open goes on
    /// as it was, and counts against the new caps too. The listener and the threads
    /// stay, and so do the caps on memory of the addresses that are connected. One that
    /// has ended is given nothing.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Usage`] for routes that cannot work; nothing has changed then.
    pub fn replace(&self, server: Server) -> Result<()> {
        let mut site = server.build()?;
        self.control.site.send_if_modified(|current| {
            let Some(current) = current else {
                return false;
            };
            site.caps = site.caps.following(&current.caps);
            *current = Arc::new(site);
            true
        });
        Ok(())
    }

    /// How many sockets are open.
    pub fn open_sockets(&self) -> usize {
        self.control.registry.len()
    }
}

impl BoundServer {
    pub(super) async fn bind(address: impl tokio::net::ToSocketAddrs, site: Site) -> Result<Self> {
        Self::new(Listening::bind(address, site.threads).await?, site)
    }

    pub(super) fn with_listener(listener: std::net::TcpListener, site: Site) -> Result<Self> {
        Self::new(Listening::with(listener, site.threads)?, site)
    }

    fn new(listening: Listening, site: Site) -> Result<Self> {
        let control = Arc::new(Control {
            registry: Arc::default(),
            site: watch::Sender::new(Some(Arc::new(site))),
            stop: watch::Sender::new(None),
            report: watch::Sender::new(None),
        });
        Ok(Self {
            local_addr: listening.local_addr()?,
            listening,
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
            listening,
            control,
            ending,
            ..
        } = self;
        let registry = &control.registry;
        let (stopping, stopping_seen) = watch::channel(false);
        let (cut, cut_seen) = watch::channel(false);
        let mut renewing = JoinSet::new();
        renewing.spawn(renew(control.site.subscribe()));
        let site = control.site.borrow().clone();
        let reactors = site.map_or_else(Vec::new, |site| start_reactors(&site, registry));
        let sites = control.site.subscribe();
        let accepting = Accepting::new(sites, registry.clone(), stopping_seen);
        let mut all = Box::pin(async {
            listening.run(accepting, cut_seen).await;
            registry.reactors_emptied().await;
        });
        let mut stop = control.stop.subscribe();
        let stopped = Box::pin(stop.wait_for(Option::is_some));
        let (deadline, ended) = match select(stopped, &mut all).await {
            Either::Left((stop, _)) => {
                let deadline = stop.ok().and_then(|stop| *stop);
                (deadline.unwrap_or_default(), false)
            }
            // All threads are gone.
            Either::Right(_) => (Duration::ZERO, true),
        };
        stopping.send_replace(true);
        let mut report = ShutdownReport {
            open: registry.close_all(),
            unanswered: Vec::new(),
        };
        if !ended && timeout(deadline, &mut all).await.is_err() {
            report.unanswered = registry.cut_off();
            let _ = timeout(CUT_WITHIN, registry.reactors_emptied()).await;
            report.unanswered.extend(registry.cut_by_reactors());
            cut.send_replace(true);
            all.await;
        }
        control.report.send_replace(Some(report.clone()));
        drop((reactors, ending));
        report
    }
}

/// Keeps the certificate fresh, whichever it is.
async fn renew(mut sites: watch::Receiver<Option<Arc<Site>>>) {
    loop {
        let site = sites.borrow_and_update().clone();
        let tls = site.and_then(|site| site.tls.clone());
        let renewing = async {
            if let Some(tls) = tls {
                tls.keep_fresh().await;
            }
            std::future::pending::<()>().await;
        };
        match select(Box::pin(sites.changed()), Box::pin(renewing)).await {
            Either::Left((Ok(()), _)) => {}
            _ => return,
        }
    }
}

/// Starts threads for the connections of handlers, where there will be any.
fn start_reactors(site: &Site, registry: &Registry) -> Vec<Thread> {
    let mut reactors = Vec::new();
    if !site.sockets.iter().any(|socket| socket.route.is_handled()) {
        return reactors;
    }
    let count = site.threads.or_else(|| available_parallelism().ok());
    for _ in 0..count.map_or(1, NonZero::get) {
        match Thread::start() {
            Ok(thread) => {
                registry.add_reactor(thread.mailbox().clone());
                reactors.push(thread);
            }
            Err(error) => tracing::warn!(%error, "a thread for handlers could not start"),
        }
    }
    reactors
}
