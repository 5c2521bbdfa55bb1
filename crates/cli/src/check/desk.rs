//! Where cases that wait for a client and clients that come meet.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use longwire::Transport;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::log::Log;
use crate::wire::Head;

/// A client's connection to a case.
pub(crate) struct Arrival {
    pub(crate) stream: Box<dyn Transport>,
    /// Its request.
    pub(crate) head: Head,
    /// What came behind the request.
    pub(crate) unread: Vec<u8>,
    pub(crate) log: Log,
}

/// A case for the client that asks next.
pub(crate) struct Offer {
    /// What it is told, in JSON.
    pub(crate) told: String,
    /// Says that it was told.
    pub(crate) taken: oneshot::Sender<()>,
}

/// Cases on one side, clients on the other.
#[derive(Default)]
pub(crate) struct Desk {
    /// By id, the cases to which a connection may come.
    expected: Mutex<HashMap<String, mpsc::Sender<Arrival>>>,
    offers: Mutex<VecDeque<Offer>>,
    changed: Notify,
    /// How many clients ask for a case and wait for it.
    asking: watch::Sender<usize>,
    /// Whether anything was ever heard of a client.
    heard: watch::Sender<bool>,
    /// Whether there are no more cases.
    done: watch::Sender<bool>,
    /// Clients that were told that there are none.
    farewells: watch::Sender<usize>,
    /// The client's own name, as it first gave it.
    name: Mutex<Option<String>>,
    /// What came last that was no request.
    fault: Mutex<Option<String>>,
}

/// Connections to a case that wait for it to look.
const QUEUE: usize = 4;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// Lets connections come to this case.
    pub(crate) fn expect(&self, id: &str) -> mpsc::Receiver<Arrival> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        lock(&self.expected).insert(id.to_owned(), sender);
        receiver
    }

    /// The case is over.
    pub(crate) fn forget(&self, id: &str) {
        lock(&self.expected).remove(id);
    }

    /// Hands a connection to its case; gives it back where none waits for it.
    pub(crate) fn hand_over(&self, id: &str, arrival: Arrival) -> Result<(), Box<Arrival>> {
        let expected = lock(&self.expected);
        match expected.get(id) {
            Some(case) => case
                .try_send(arrival)
                .map_err(|error| Box::new(error.into_inner())),
            None => Err(Box::new(arrival)),
        }
    }

    /// Offers a case to whoever asks next.
    pub(crate) fn offer(&self, offer: Offer) {
        lock(&self.offers).push_back(offer);
        self.changed.notify_waiters();
    }

    /// Takes back an offer that nobody was told.
    pub(crate) fn put_back(&self, offer: Offer) {
        lock(&self.offers).push_front(offer);
        self.changed.notify_waiters();
    }

    /// What is offered next; `None` once there is nothing more.
    pub(crate) async fn next(&self) -> Option<Offer> {
        self.asking.send_modify(|asking| *asking += 1);
        let _leaves = Leaves(&self.asking);
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(offer) = lock(&self.offers).pop_front() {
                return Some(offer);
            }
            if *self.done.borrow() {
                return None;
            }
            changed.await;
        }
    }

    /// There are no more cases.
    pub(crate) fn close(&self) {
        lock(&self.offers).clear();
        self.done.send_replace(true);
        self.changed.notify_waiters();
    }

    /// Resolves while a client asks and waits.
    pub(crate) async fn is_asked(&self) {
        let _ = self.asking.subscribe().wait_for(|asking| *asking > 0).await;
    }

    pub(crate) fn hear(&self) {
        self.heard.send_replace(true);
    }

    /// Resolves once anything was heard of a client.
    pub(crate) async fn is_heard(&self) {
        let _ = self.heard.subscribe().wait_for(|heard| *heard).await;
    }

    /// A client knows that there is no more.
    pub(crate) fn bid_farewell(&self) {
        self.farewells.send_modify(|farewells| *farewells += 1);
    }

    /// Resolves once a client knows that there is no more.
    pub(crate) async fn has_bid_farewell(&self) {
        let mut farewells = self.farewells.subscribe();
        let _ = farewells.wait_for(|farewells| *farewells > 0).await;
    }

    /// Keeps the client's name; gives the one it had where that is another.
    pub(crate) fn name(&self, name: &str) -> Result<(), String> {
        let mut known = lock(&self.name);
        match &*known {
            Some(known) if known != name => Err(known.clone()),
            Some(_) => Ok(()),
            None => {
                *known = Some(name.to_owned());
                Ok(())
            }
        }
    }

    pub(crate) fn known_name(&self) -> Option<String> {
        lock(&self.name).clone()
    }

    /// Something came that was no request.
    pub(crate) fn note(&self, fault: String) {
        *lock(&self.fault) = Some(fault);
    }

    pub(crate) fn take_note(&self) -> Option<String> {
        lock(&self.fault).take()
    }
}

/// Counts one less that asks, however its asking ends.
struct Leaves<'d>(&'d watch::Sender<usize>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|asking| *asking -= 1);
    }
}
