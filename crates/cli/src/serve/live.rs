//! The connections that are open now, and the sums of those that were.
//!
//! What passes is counted by the library where it passes; here it is only asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::Version;
use longwire::http;
use longwire::{Closed, ClosedBy, Result, Sender, Socket, Statistics};

use super::auth::User;

/// Code of a socket whose credentials are no longer good (policy violation).
pub(super) const NO_LONGER_GOOD: u16 = 1008;

/// The codes from here on are the clients' to choose: they are counted by the thousand,
/// so that nobody can make up sums without end.
const PRIVATE: u16 = 3000;
const PRIVATE_EACH: u16 = 1000;

/// What such a socket is told.
pub(super) const EXPIRED: &str = "the credentials have expired";

/// All connections. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Live {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    open: BTreeMap<u64, Connection>,
    past: Past,
}

impl Inner {
    /// What is asked of them is asked without the lock: each has one of its own, and
    /// those that open and close do not wait for all of them.
    fn senders(&self) -> Vec<Sender> {
        let all = self.open.values();
        all.map(|connection| connection.sender.clone()).collect()
    }
}

/// A connection that is open.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) sender: Sender,
    /// The route, as it was configured.
    pub(super) route: Arc<str>,
    /// The path that was asked for.
    pub(super) path: String,
    pub(super) peer: Option<std::net::SocketAddr>,
    pub(super) since: SystemTime,
    pub(super) version: Version,
    pub(super) subprotocol: Option<String>,
    pub(super) is_compressed: bool,
    pub(super) user: Option<Arc<str>>,
}

/// The sums of connections that are gone.
#[derive(Clone, Default)]
pub(super) struct Past {
    pub(super) statistics: Statistics,
    /// How many were opened on each route.
    pub(super) opened: BTreeMap<Arc<str>, u64>,
    /// How many ended with each code, by whom; from 3000 on, with each thousand of them.
    pub(super) closed: HashMap<(u16, &'static str), u64>,
}

impl Live {
    /// Has a handler serve a socket, which is listed until it has closed.
    pub(super) async fn serve<Fut>(
        self,
        route: Arc<str>,
        socket: Socket,
        handle: impl FnOnce(Socket) -> Fut,
    ) -> Result<()>
    where
        Fut: Future<Output = Result<()>>,
    {
        let sender = socket.sender();
        let user = socket.extensions().get::<User>().cloned();
        let until = user.as_ref().and_then(|user| user.until);
        let _listed = self.enter(Connection {
            sender: sender.clone(),
            route,
            path: socket.uri().path().to_owned(),
            peer: socket.peer_addr(),
            since: SystemTime::now(),
            version: socket.http_version(),
            subprotocol: socket.subprotocol().map(str::to_owned),
            is_compressed: socket.compression().is_some(),
            user: user.map(|user| user.name),
        });
        let mut handling = std::pin::pin!(handle(socket));
        let handled = tokio::select! {
            handled = &mut handling => handled,
            () = expired(until) => {
                sender.close(NO_LONGER_GOOD, EXPIRED)?;
                // It sees the end of its socket, and has its time for what it does then.
                handling.await
            }
        };
        if sender.closed().is_none() {
            // Where it is closing already, this changes nothing.
            sender.close(if handled.is_ok() { 1000 } else { 1011 }, "")?;
            sender.ended().await;
        }
        handled
    }

    fn enter(&self, connection: Connection) -> Listed {
        let mut inner = self.lock();
        let id = inner.next;
        inner.next += 1;
        let opened = inner.past.opened.entry(connection.route.clone());
        *opened.or_default() += 1;
        inner.open.insert(id, connection);
        Listed {
            live: self.clone(),
            id,
        }
    }

    /// Those that are open, the oldest first, with their numbers: `most` of them at
    /// most, and how many there are.
    pub(super) fn open(&self, most: usize) -> (Vec<(u64, Connection)>, usize) {
        let inner = self.lock();
        let newest = inner.open.iter().rev().take(most);
        let mut open: Vec<_> = newest.map(|(id, open)| (*id, open.clone())).collect();
        open.reverse();
        (open, inner.open.len())
    }

    /// Closes one; whether there was such a one.
    pub(super) fn close(&self, id: u64, code: u16, reason: &str) -> bool {
        let sender = self.lock().open.get(&id).map(|open| open.sender.clone());
        sender.is_some_and(|sender| sender.close(code, reason).is_ok())
    }

    /// How many are open on each route, and their latencies.
    pub(super) fn now(&self) -> (BTreeMap<Arc<str>, u64>, Vec<Duration>) {
        let inner = self.lock();
        let mut open = BTreeMap::new();
        for route in inner.past.opened.keys() {
            open.insert(route.clone(), 0);
        }
        for connection in inner.open.values() {
            *open.entry(connection.route.clone()).or_default() += 1;
        }
        let senders = inner.senders();
        drop(inner);
        let latencies = senders.iter().filter_map(Sender::latency);
        (open, latencies.collect())
    }

    /// The sums of all there ever were.
    pub(super) fn totals(&self) -> Past {
        let inner = self.lock();
        let mut totals = inner.past.clone();
        let senders = inner.senders();
        drop(inner);
        for sender in &senders {
            add(&mut totals.statistics, sender.statistics());
        }
        totals
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the list, given back when dropped.
struct Listed {
    live: Live,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut inner = self.live.lock();
        let Some(gone) = inner.open.remove(&self.id) else {
            return;
        };
        add(&mut inner.past.statistics, gone.sender.statistics());
        let (code, by) = match gone.sender.closed() {
            Some(closed) => (code(&closed), by(&closed)),
            // Its handler panicked: the library closes it.
            None => (1011, "server"),
        };
        let code = if code < PRIVATE {
            code
        } else {
            code / PRIVATE_EACH * PRIVATE_EACH
        };
        *inner.past.closed.entry((code, by)).or_default() += 1;
        drop(inner);
        // Dropped without the lock: it may be the last of its socket.
        drop(gone);
    }
}

/// The code that says why a connection ended: the one that was sent where the peer's
/// cannot be known.
fn code(closed: &Closed) -> u16 {
    match &closed.by {
        ClosedBy::Failure(error) => error.close_code().get(),
        _ => closed.code.get(),
    }
}

/// Who ended a connection, in a word.
fn by(closed: &Closed) -> &'static str {
    match closed.by {
        ClosedBy::Local => "server",
        ClosedBy::Peer => "client",
        ClosedBy::Failure(_) => "violation",
        ClosedBy::Timeout(_) => "timeout",
        _ => "lost",
    }
}

fn add(sum: &mut Statistics, more: Statistics) {
    sum.messages_received += more.messages_received;
    sum.messages_sent += more.messages_sent;
    sum.bytes_received += more.bytes_received;
    sum.bytes_sent += more.bytes_sent;
}

/// Waits until credentials are no longer good.
pub(super) async fn expired(until: Option<SystemTime>) {
    let Some(until) = until else {
        return std::future::pending().await;
    };
    let left = until.duration_since(SystemTime::now()).unwrap_or_default();
    match Instant::now().checked_add(left) {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        // Beyond what a clock can show.
        None => std::future::pending().await,
    }
}
