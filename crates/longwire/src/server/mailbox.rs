//! What a reactor is told by other threads: connections to take over, topics that have
//! something for it, and when to stop.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::caps::Place;
use crate::handler::Machine;
use crate::topic::{self, Crowd};

/// Why connections are closed when a server stops.
pub(super) const STOPPING: &str = "the server is shutting down";

/// A connection that a reactor is to take over.
pub(super) struct Adopted {
    pub(super) stream: std::net::TcpStream,
    pub(super) machine: Machine,
    /// What was read behind the handshake.
    pub(super) unhandled: Vec<u8>,
    pub(super) place: Option<Place>,
}

/// What a reactor is told by others.
pub(super) struct Mailbox {
    letters: Mutex<Letters>,
    waker: mio::Waker,
    /// Whether it has been woken and has not looked since.
    woken: AtomicBool,
    open: AtomicUsize,
    left: Notify,
    /// Whether nobody reads the mail any more.
    ended: AtomicBool,
}

#[derive(Default)]
pub(super) struct Letters {
    pub(super) adopted: Vec<Adopted>,
    /// Topics that have something for connections here.
    pub(super) crowds: Vec<Arc<Crowd>>,
    /// Close all connections, those to come included.
    pub(super) stop: bool,
    /// Drop all connections.
    pub(super) cut: bool,
    /// Drop them, and end.
    pub(super) end: bool,
    /// Whose connections were cut off.
    pub(super) unanswered: Vec<Option<SocketAddr>>,
}

impl Mailbox {
    pub(super) fn new(waker: mio::Waker) -> Self {
        Self {
            letters: Mutex::default(),
            waker,
            woken: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            left: Notify::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// What there is to read. Who tells something from here on wakes again.
    pub(super) fn read(&self) -> MutexGuard<'_, Letters> {
        self.woken.store(false, Ordering::Release);
        self.lock()
    }

    /// Nobody reads the mail any more: what is on its way here ends too.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.lose_late();
    }

    /// Gives back a connection that comes too late: nobody reads the mail any more.
    pub(super) fn adopt(&self, adopted: Adopted) -> Result<(), Box<Adopted>> {
        if self.has_ended() {
            return Err(Box::new(adopted));
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        self.tell(|letters| letters.adopted.push(adopted));
        // It may have ended meanwhile.
        if self.has_ended() {
            self.lose_late();
        }
        Ok(())
    }

    /// Whether nobody reads the mail any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Drops the connections that have come too late, and tells topics that nobody
    /// delivers.
    fn lose_late(&self) {
        let late = std::mem::take(&mut self.lock().adopted);
        for adopted in late {
            drop(adopted);
            self.leave();
        }
        self.end_crowds();
    }

    /// Tells topics that nobody delivers.
    fn end_crowds(&self) {
        let crowds = std::mem::take(&mut self.lock().crowds);
        for crowd in crowds {
            crowd.end();
        }
    }

    /// Closes all connections, those to come included; gives how many there are.
    pub(super) fn close_all(&self) -> usize {
        self.tell(|letters| letters.stop = true);
        self.open()
    }

    /// Drops all connections.
    pub(super) fn cut_off(&self) {
        self.tell(|letters| letters.cut = true);
    }

    /// The peers of the connections that were dropped so.
    pub(super) fn take_unanswered(&self) -> Vec<Option<SocketAddr>> {
        std::mem::take(&mut self.lock().unanswered)
    }

    /// How many connections there are.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until there is none.
    pub(super) async fn emptied(&self) {
        loop {
            let mut left = std::pin::pin!(self.left.notified());
            // From here on, none leaves unnoticed.
            left.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            left.await;
        }
    }

    /// A connection has gone.
    pub(super) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.left.notify_waiters();
    }

    /// Tells the reactor something, and wakes it.
    pub(super) fn tell(&self, what: impl FnOnce(&mut Letters)) {
        what(&mut self.lock());
        if self.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "a reactor could not be woken");
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl topic::Reactor for Mailbox {
    fn summon(&self, crowd: Arc<Crowd>) -> bool {
        if self.has_ended() {
            return false;
        }
        self.tell(|letters| letters.crowds.push(crowd));
        // It may have ended meanwhile.
        if self.has_ended() {
            self.end_crowds();
        }
        true
    }
}
