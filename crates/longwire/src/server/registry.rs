//! The sockets that are open on a server, for its shutdown.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longwire_proto::{CloseCode, CloseFrame};

use crate::socket::Shared;

#[derive(Default)]
pub(super) struct Registry {
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    next: u64,
    open: HashMap<u64, (Arc<Shared>, Option<SocketAddr>)>,
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
        drop(sockets);
        for shared in &open {
            close(shared);
        }
        open.len()
    }

    /// How many sockets are open.
    pub(super) fn len(&self) -> usize {
        self.lock().open.len()
    }

    /// Cuts off the sockets whose connections have not ended; gives their peers.
    pub(super) fn cut_off(&self) -> Vec<Option<SocketAddr>> {
        let sockets = self.lock();
        let open: Vec<_> = sockets.open.values().cloned().collect();
        drop(sockets);
        open.into_iter()
            .filter(|(shared, _)| shared.connection(|connection| connection.closed().is_none()))
            .map(|(shared, peer)| {
                shared.cut();
                peer
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.lock().open.remove(&self.id);
    }
}

fn close(shared: &Shared) {
    let role = longwire_proto::Role::Server;
    let reason = "the server is shutting down";
    shared.close(
        CloseFrame::new(role, CloseCode::GOING_AWAY, reason)
            .ok()
            .as_ref(),
    );
}
