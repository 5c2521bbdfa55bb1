//! What the members of a fan-out know of each other: how far all have received.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

use futures_util::task::AtomicWaker;
use memchr::memmem::Finder;
use tokio::sync::watch;

use crate::bench::message::stamp::{find_token, token_finder};

/// What the sender has sent, once that is all.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Sent {
    pub(in crate::bench) at: Instant,
    /// All messages, those of the warm-up too.
    pub(in crate::bench) total: u64,
}

/// Counters are of messages times members. That suffices for a window: no member
/// can be ahead of what was sent, so all that is missing is somebody's.
#[derive(Debug)]
pub(in crate::bench) struct Fan {
    finder: Finder<'static>,
    /// Received, or passed over for good.
    passed: AtomicU64,
    members: AtomicU64,
    /// The sender is woken when so much has passed.
    wake_at: AtomicU64,
    sender: AtomicWaker,
    /// The number of the first message that is measured.
    pub(in crate::bench) first_measured: AtomicU64,
    pub(in crate::bench) all_sent: watch::Sender<Option<Sent>>,
}

impl Fan {
    pub(in crate::bench) fn new(run: u32) -> Self {
        Self {
            finder: token_finder(run),
            passed: AtomicU64::new(0),
            members: AtomicU64::new(0),
            wake_at: AtomicU64::new(u64::MAX),
            sender: AtomicWaker::new(),
            first_measured: AtomicU64::new(u64::MAX),
            all_sent: watch::Sender::new(None),
        }
    }

    /// The number of a message, and its due time in nanoseconds, by its token.
    pub(in crate::bench) fn find(&self, message: &[u8]) -> Option<(u64, u64)> {
        find_token(&self.finder, message)
    }

    /// One more has to receive all.
    pub(in crate::bench) fn join(&self) {
        self.members.fetch_add(1, Ordering::AcqRel);
    }

    /// A member has got so many messages further.
    pub(in crate::bench) fn pass(&self, messages: u64) {
        let before = self.passed.fetch_add(messages, Ordering::AcqRel);
        if before + messages >= self.wake_at.load(Ordering::Acquire) {
            self.sender.wake();
        }
    }

    /// The sender goes on as if all had received what it has sent.
    pub(in crate::bench) fn pass_missing(&self, sent: u64) {
        let all = sent * self.members.load(Ordering::Acquire);
        self.passed.fetch_max(all, Ordering::AcqRel);
    }

    /// A member will receive nothing more, having passed so many messages.
    pub(in crate::bench) fn leave(&self, passed: u64) {
        self.members.fetch_sub(1, Ordering::AcqRel);
        self.passed.fetch_sub(passed, Ordering::AcqRel);
        self.sender.wake();
    }

    /// How many messages wait for a member to receive them, where that is fewer than
    /// `window`; otherwise the sender is woken when it is.
    pub(in crate::bench) fn waiting(&self, sent: u64, window: u64, waker: &Waker) -> Option<u64> {
        let look = || {
            let members = self.members.load(Ordering::Acquire).max(1);
            let needed = (sent + 1).saturating_sub(window) * members;
            let passed = self.passed.load(Ordering::Acquire);
            self.wake_at.store(needed, Ordering::Release);
            (passed >= needed).then(|| sent.saturating_sub(passed / members))
        };
        self.sender.register(waker);
        // The second look is for what passed between the first one and its `wake_at`.
        look().or_else(look)
    }
}
