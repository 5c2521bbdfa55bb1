//! The sockets that are open on a server, for its shutdown.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longwire_proto::{CloseCode, CloseFrame, Role};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::mailbox::{Mailbox, STOPPING};
use crate::socket::Shared;

/// What a graceful shutdown came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Sockets that were open when it began.
    pub open: usize,
    /// The peers that had not answered at the deadline, and were cut off.
    pub unanswered: Vec<Option<SocketAddr>>,
}

/// The sockets of [`super::Upgrade`] and [`super::UpgradeService`] in a server of
/// hyper, axum or another of their kind, which does not know of them when it shuts
/// down. Cheap to clone.
///
/// ```
/// # async fn example() {
/// let sockets = longwire::server::Sockets::new();
/// // upgrade.tracked(&sockets).on_socket(…), and when the server has stopped:
/// let report = sockets.shutdown(std::time::Duration::from_secs(10)).await;
/// println!("{} were open", report.open);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Sockets {
    registry: Arc<Registry>,
}

impl Sockets {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.registry.len()
    }

    /// Closes all with 1001, and those to come, and waits until they have closed;
    /// those that have not at the deadline are cut off.
    ///
    /// # Cancel safety
    ///
    /// The sockets are told at once; dropping the future leaves them to close.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let mut report = ShutdownReport {
            open: self.registry.close_all(),
            unanswered: Vec::new(),
        };
        if timeout(deadline, self.registry.emptied()).await.is_err() {
            report.unanswered = self.registry.cut_off();
        }
        report
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets")
            .field("open", &self.open())
            .finish()
    }
}

#[derive(Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
    left: Notify,
}

#[derive(Default)]
struct Inner {
    next: u64,
    open: HashMap<u64, (Arc<Shared>, Option<SocketAddr>)>,
    /// Where the connections of handlers are.
    reactors: Vec<Arc<Mailbox>>,
    /// Whether the server is shutting down: what enters is closed at once.
    closing: bool,
}

/// A socket's place in the registry, given back when dropped.
pub(super) struct Entry {
    registry: Arc<Registry>,
    id: u64,
}

impl Registry {
    pub(super) fn enter(self: &Arc<Self>, shared: Arc<Shared>, peer: Option<SocketAddr>) -> Entry {
        let mut sockets = self.lock();
        let id = sockets.next;
        sockets.next += 1;
        if sockets.closing {
            close(&shared);
        }
        sockets.open.insert(id, (shared, peer));
        Entry {
            registry: self.clone(),
            id,
        }
    }

    /// Starts closing all sockets, those to come included, with 1001; gives
    /// how many there are.
    pub(super) fn close_all(&self) -> usize {
        let mut sockets = self.lock();
        sockets.closing = true;
        let open: Vec<_> = sockets.open.values().map(|(s, _)| s.clone()).collect();
        let reactors = sockets.reactors.clone();
        drop(sockets);
        for shared in &open {
            close(shared);
        }
        let handled: usize = reactors.iter().map(|reactor| reactor.close_all()).sum();
        open.len() + handled
    }

    /// Waits until none is open.
    async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            let mut left = std::pin::pin!(left);
            // From here on, none leaves unnoticed.
            left.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            left.await;
        }
    }

    /// How many sockets are open.
    pub(super) fn len(&self) -> usize {
        let sockets = self.lock();
        let handled: usize = sockets.reactors.iter().map(|reactor| reactor.open()).sum();
        sockets.open.len() + handled
    }

    /// Adds a place for the connections of handlers.
    pub(super) fn add_reactor(&self, mailbox: Arc<Mailbox>) {
        self.lock().reactors.push(mailbox);
    }

    /// The place for the next connection of a handler, if there is any: the one with
    /// the fewest.
    pub(super) fn reactor(&self) -> Option<Arc<Mailbox>> {
        let sockets = self.lock();
        let alive = sockets
            .reactors
            .iter()
            .filter(|reactor| !reactor.has_ended());
        alive.min_by_key(|reactor| reactor.open()).cloned()
    }

    /// Waits until no handler has a connection.
    pub(super) async fn reactors_emptied(&self) {
        let reactors = self.lock().reactors.clone();
        for reactor in reactors {
            reactor.emptied().await;
        }
    }

    /// The peers whose connections reactors have cut off.
    pub(super) fn cut_by_reactors(&self) -> Vec<Option<SocketAddr>> {
        let reactors = self.lock().reactors.clone();
        reactors
            .iter()
            .flat_map(|reactor| reactor.take_unanswered())
            .collect()
    }

    /// Cuts off the sockets whose connections have not ended; gives their peers.
    pub(super) fn cut_off(&self) -> Vec<Option<SocketAddr>> {
        let sockets = self.lock();
        let open: Vec<_> = sockets.open.values().cloned().collect();
        for reactor in &sockets.reactors {
            reactor.cut_off();
        }
        drop(sockets);
        open.into_iter()
            .filter(|(shared, _)| shared.connection(|connection| connection.closed().is_none()))
            .map(|(shared, peer)| {
                shared.cut();
                peer
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.lock().open.remove(&self.id);
        self.registry.left.notify_waiters();
    }
}

fn close(shared: &Shared) {
    let frame = CloseFrame::new(Role::Server, CloseCode::GOING_AWAY, STOPPING);
    shared.close(frame.ok().as_ref());
}
