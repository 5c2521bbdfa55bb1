//! Who waits for something on a socket, and is woken when anything happens to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Wake, Waker};

/// The wakers of a socket.
///
/// The task of its keeper is known from the start and woken each time; where the
/// program receives and sends in the same task, as servers' handlers do, that is all,
/// and nobody else has to be noted down.
#[derive(Default)]
pub(super) struct Waiters {
    keeper: OnceLock<Waker>,
    /// Whether the keeper may be among `others`: it was polled in another task since.
    keeper_moved: AtomicBool,
    /// Whether the program waits for messages. A wake-up says no: it has to come back.
    receiving: AtomicBool,
    /// Whether there may be any in `others`.
    crowded: AtomicBool,
    others: Mutex<Vec<Waker>>,
}

impl Waiters {
    /// The keeper runs in this task.
    pub(super) fn wait_as_keeper(&self, cx: &Context<'_>) {
        let keeper = self.keeper.get_or_init(|| cx.waker().clone());
        if !keeper.will_wake(cx.waker()) {
            self.keeper_moved.store(true, Ordering::Relaxed);
            self.note(cx.waker());
        }
    }

    /// The program waits for messages in this task.
    pub(super) fn wait_as_receiver(&self, cx: &Context<'_>) {
        self.wait(cx);
        self.receiving.store(true, Ordering::Relaxed);
    }

    /// The program does not wait for messages now.
    pub(super) fn stop_receiving(&self) {
        self.receiving.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_receiving(&self) -> bool {
        self.receiving.load(Ordering::Relaxed)
    }

    /// Something is waited for in this task.
    pub(super) fn wait(&self, cx: &Context<'_>) {
        if !self.keeps(cx) {
            self.note(cx.waker());
        }
    }

    /// Whether the keeper runs in this task.
    pub(super) fn keeps(&self, cx: &Context<'_>) -> bool {
        self.keeper
            .get()
            .is_some_and(|keeper| keeper.will_wake(cx.waker()))
    }

    /// Has the keeper look.
    pub(super) fn wake_keeper(&self) {
        // One that is not known has not looked yet, and will.
        if let Some(keeper) = self.keeper.get() {
            keeper.wake_by_ref();
        }
        if self.keeper_moved.load(Ordering::Relaxed) {
            self.wake_others();
        }
    }

    fn note(&self, waker: &Waker) {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if !others.iter().any(|known| known.will_wake(waker)) {
            others.push(waker.clone());
        }
        self.crowded.store(true, Ordering::Release);
    }

    fn wake_others(&self) {
        if !self.crowded.load(Ordering::Acquire) {
            return;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        self.crowded.store(false, Ordering::Relaxed);
        let woken = std::mem::take(&mut *others);
        drop(others);
        for waker in woken {
            waker.wake();
        }
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stop_receiving();
        if let Some(keeper) = self.keeper.get() {
            keeper.wake_by_ref();
        }
        self.wake_others();
    }
}
