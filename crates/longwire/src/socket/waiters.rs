//! Who waits for something on a socket, and is woken when anything happens to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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
    /// Whether it receives in another task than the keeper's: in `receiver`'s.
    apart: AtomicBool,
    receiver: Mutex<Option<Waker>>,
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
        let apart = !self.keeps(cx);
        if apart {
            let mut receiver = lock(&self.receiver);
            match &mut *receiver {
                Some(known) => known.clone_from(cx.waker()),
                None => *receiver = Some(cx.waker().clone()),
            }
        }
        self.apart.store(apart, Ordering::Relaxed);
        if apart {
            // One that wakes at the same time either sees this, or is seen by it: what it
            // had to tell is there then.
            self.receiving.swap(true, Ordering::AcqRel);
        } else {
            // The keeper is woken each time.
            self.receiving.store(true, Ordering::Release);
        }
    }

    /// Whether the program receives in another task than the keeper's.
    pub(super) fn is_apart(&self) -> bool {
        self.apart.load(Ordering::Relaxed)
    }

    /// Whether this is the task in which the program receives.
    pub(super) fn receives(&self, cx: &Context<'_>) -> bool {
        if self.apart.load(Ordering::Relaxed) {
            let receiver = lock(&self.receiver);
            return receiver
                .as_ref()
                .is_some_and(|one| one.will_wake(cx.waker()));
        }
        self.keeps(cx)
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
        let mut others = lock(&self.others);
        if !others.iter().any(|known| known.will_wake(waker)) {
            others.push(waker.clone());
        }
        self.crowded.store(true, Ordering::Release);
    }

    fn wake_others(&self) {
        if !self.crowded.load(Ordering::Acquire) {
            return;
        }
        let mut others = lock(&self.others);
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
        let receiving = self.receiving.swap(false, Ordering::AcqRel);
        if let Some(keeper) = self.keeper.get() {
            keeper.wake_by_ref();
        }
        if receiving && self.apart.load(Ordering::Relaxed) {
            let receiver = lock(&self.receiver).clone();
            if let Some(receiver) = receiver {
                receiver.wake();
            }
        }
        self.wake_others();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use std::sync::atomic::AtomicUsize;

    use futures_util::task::noop_waker;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_receiver_misses_no_message_while_others_wake_for_nothing() {
        const MESSAGES: usize = 20_000;
        let waiters = Arc::new(Waiters::default());
        let keeper = noop_waker();
        waiters.wait_as_keeper(&Context::from_waker(&keeper));
        let (sent, seen) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let seen = &seen;
            for brings in [true, false] {
                let (waiters, sent) = (&waiters, &sent);
                scope.spawn(move || {
                    while seen.load(Ordering::Acquire) < MESSAGES {
                        if brings && sent.load(Ordering::Acquire) == seen.load(Ordering::Acquire) {
                            sent.fetch_add(1, Ordering::AcqRel);
                            waiters.wake_by_ref();
                        } else if !brings {
                            waiters.wake_by_ref();
                        }
                        std::hint::spin_loop();
                    }
                });
            }
            let receiver = Arc::new(Thread(std::thread::current(), AtomicBool::new(false)));
            let waker = Waker::from(receiver.clone());
            let cx = Context::from_waker(&waker);
            while seen.load(Ordering::Relaxed) < MESSAGES {
                waiters.wait_as_receiver(&cx);
                if sent.load(Ordering::Acquire) > seen.load(Ordering::Relaxed) {
                    waiters.stop_receiving();
                    seen.fetch_add(1, Ordering::AcqRel);
                    continue;
                }
                let start = std::time::Instant::now();
                while !receiver.1.swap(false, Ordering::AcqRel) {
                    assert!(start.elapsed().as_secs() < 20, "nobody woke the receiver");
                    std::thread::park_timeout(std::time::Duration::from_secs(1));
                }
            }
        });
    }

    /// A thread, and whether it is woken.
    struct Thread(std::thread::Thread, AtomicBool);

    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::Release);
            self.0.unpark();
        }
    }

    #[test]
    fn a_receiver_that_is_polled_from_ever_new_tasks_leaves_none_of_them_behind() {
        let waiters = Arc::new(Waiters::default());
        let keeper = noop_waker();
        waiters.wait_as_keeper(&Context::from_waker(&keeper));
        let tasks: Vec<_> = (0..100).map(|_| Arc::new(Task::default())).collect();
        for task in &tasks {
            let waker = Waker::from(task.clone());
            waiters.wait_as_receiver(&Context::from_waker(&waker));
        }
        let held = |task| Arc::strong_count(task) - 1;
        assert_eq!(tasks.iter().map(held).sum::<usize>(), 1);
        waiters.wake_by_ref();
        waiters.wake_by_ref();
        let woken = |task: &Arc<Task>| task.0.load(Ordering::Relaxed);
        assert_eq!(woken(&tasks[99]), 1);
        assert_eq!(tasks.iter().map(woken).sum::<usize>(), 1);
    }
}
