//! Alarms that are more exact than the runtime's: those are right to a
//! millisecond, which would be most of what is measured on a local network.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Least time between two rounds of waking: at high rates several messages are
/// sent in a round rather than one in each.
const ROUND: Duration = Duration::from_micros(100);

#[derive(Debug)]
struct Alarm {
    at: Instant,
    waker: Waker,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

#[derive(Debug, Default)]
struct Alarms {
    due: BinaryHeap<Reverse<Alarm>>,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that wakes whoever set an alarm. It ends with the value.
#[derive(Debug)]
pub(in crate::bench) struct Pacer(Arc<Shared>);

impl Pacer {
    pub(in crate::bench) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let waking = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(move || wake_all(&waking))?;
        Ok(Self(shared))
    }

    /// Ready at the instant; `set` is what the task has set its alarm to. A task
    /// waits for one instant at a time.
    pub(in crate::bench) fn poll(
        &self,
        cx: &Context<'_>,
        at: Instant,
        set: &mut Option<Instant>,
    ) -> Poll<()> {
        if Instant::now() >= at {
            *set = None;
            return Poll::Ready(());
        }
        if set.replace(at) != Some(at) {
            let waker = cx.waker().clone();
            let mut alarms = self.0.lock();
            let sooner = alarms.due.peek().is_none_or(|Reverse(next)| at < next.at);
            alarms.due.push(Reverse(Alarm { at, waker }));
            drop(alarms);
            if sooner {
                self.0.changed.notify_one();
            }
        }
        Poll::Pending
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_one();
    }
}

fn wake_all(shared: &Shared) {
    let mut woken = Vec::new();
    let mut alarms = shared.lock();
    while !alarms.stopped {
        let now = Instant::now();
        while alarms
            .due
            .peek()
            .is_some_and(|Reverse(next)| next.at <= now)
        {
            woken.extend(alarms.due.pop().map(|Reverse(alarm)| alarm.waker));
        }
        if woken.is_empty() {
            let next = alarms.due.peek().map(|Reverse(next)| next.at);
            alarms = wait(shared, alarms, next);
            continue;
        }
        drop(alarms);
        woken.drain(..).for_each(Waker::wake);
        std::thread::sleep(ROUND);
        alarms = shared.lock();
    }
}

fn wait<'a>(
    shared: &'a Shared,
    alarms: MutexGuard<'a, Alarms>,
    until: Option<Instant>,
) -> MutexGuard<'a, Alarms> {
    let Some(until) = until else {
        let waited = shared.changed.wait(alarms);
        return waited.unwrap_or_else(PoisonError::into_inner);
    };
    let time = until.saturating_duration_since(Instant::now());
    let waited = shared.changed.wait_timeout(alarms, time);
    waited.unwrap_or_else(PoisonError::into_inner).0
}
