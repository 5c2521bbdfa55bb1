//! What a peer may make us hold, each bound with a name and a default.
//!
//! RFC 6455 section 10.4 asks every implementation for such limits. [`Limits`]
//! are those of one connection, [`MemoryBudget`] is shared by many.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

//= rfc6455#10.4-1
//= rfc6455#10.4-2
/// The limits of one connection, sizes in bytes.
///
/// The defaults carry any message that people exchange in practice and keep
/// the cost of a hostile peer in the range of megabytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest message received, after reassembly: 16 MiB. Passing it closes
    /// the connection with 1009.
    pub message_size: usize,
    /// Largest payload of one frame received: 16 MiB. Passing it closes the
    /// connection with 1009 as soon as the header is read.
    pub frame_size: usize,
    /// Most frames of one message: 131,072. Passing it closes the connection
    /// with 1008; a message is assembled into one buffer, so what is
    /// bounded here is the work, not the memory.
    pub fragments: usize,
    /// Most bytes of a request or response head: 16 KiB. A server answers 431.
    pub header_bytes: usize,
    /// Most fields of a request or response head: 100. A server answers 431.
    pub header_fields: usize,
    /// Most pings, and most pongs, that wait for the transport: 64. Past it a
    /// ping of the program is refused, and of the pongs the newest takes the
    /// place of the one before it (RFC 6455 section 5.5.3).
    pub queued_control_frames: usize,
    /// Bytes of output above which no further message is accepted: 1 MiB. A
    /// single message may be larger, it is accepted while less than this waits.
    pub output_high_water: usize,
    /// Most bytes kept of the body of a response that refuses the handshake:
    /// 64 KiB. What follows is dropped.
    pub refusal_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 16 << 20,
            frame_size: 16 << 20,
            fragments: 131_072,
            header_bytes: 16 << 10,
            header_fields: 100,
            queued_control_frames: 64,
            output_high_water: 1 << 20,
            refusal_body: 64 << 10,
        }
    }
}

macro_rules! setters {
    ($($name:ident),*) => {
        impl Limits {
            $(
                #[doc = concat!("These limits with another [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, value: usize) -> Self {
                    self.$name = value;
                    self
                }
            )*
        }
    };
}

setters!(
    message_size,
    frame_size,
    fragments,
    header_bytes,
    header_fields,
    queued_control_frames,
    output_high_water,
    refusal_body
);

/// The name of a limit, as errors tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::message_size`]
    MessageSize,
    /// [`Limits::frame_size`]
    FrameSize,
    /// [`Limits::fragments`]
    Fragments,
    /// [`Limits::header_bytes`]
    HeaderBytes,
    /// [`Limits::header_fields`]
    HeaderFields,
    /// [`Limits::queued_control_frames`]
    QueuedControlFrames,
    /// [`Limits::output_high_water`]
    OutputHighWater,
    /// The [`MemoryBudget`] that the connection shares with others.
    MemoryBudget,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MessageSize => "message_size",
            Self::FrameSize => "frame_size",
            Self::Fragments => "fragments",
            Self::HeaderBytes => "header_bytes",
            Self::HeaderFields => "header_fields",
            Self::QueuedControlFrames => "queued_control_frames",
            Self::OutputHighWater => "output_high_water",
            Self::MemoryBudget => "memory_budget",
        })
    }
}

/// Bytes that many connections may hold together in messages being assembled
/// and in output not yet taken by the transport. What they share, as a message
/// that is encoded once for all of them, counts for each. Cheap to clone: all clones
/// draw on the same budget.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: usize,
    used: AtomicUsize,
    /// The budget that this is a part of.
    whole: Option<MemoryBudget>,
}

impl MemoryBudget {
    /// A budget of `total` bytes.
    pub fn new(total: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                total,
                used: AtomicUsize::new(0),
                whole: None,
            }),
        }
    }

    /// At most `total` bytes of this budget, for some of its connections.
    #[must_use]
    pub fn part(&self, total: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                total,
                used: AtomicUsize::new(0),
                whole: Some(self.clone()),
            }),
        }
    }

    /// The bytes of the whole budget.
    pub fn total(&self) -> usize {
        self.shared.total
    }

    /// A share of nothing yet, for whoever holds what a connection has handed
    /// out.
    pub fn share(&self) -> Share {
        Share::new(Some(self.clone()))
    }

    /// The bytes in use now.
    pub fn used(&self) -> usize {
        self.shared.used.load(Ordering::Relaxed)
    }

    fn reserve(&self, bytes: usize) -> Result<(), BudgetExhausted> {
        let total = self.shared.total;
        let taken = self
            .shared
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= total)
            });
        taken.map_err(|used| BudgetExhausted {
            used: used.saturating_add(bytes),
            total,
        })?;
        let Some(whole) = &self.shared.whole else {
            return Ok(());
        };
        whole.reserve(bytes).inspect_err(|_| {
            self.shared.used.fetch_sub(bytes, Ordering::Relaxed);
        })
    }

    fn release(&self, bytes: usize) {
        self.shared.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.shared.whole {
            whole.release(bytes);
        }
    }
}

/// A share of a [`MemoryBudget`], given back when dropped. The default is of no
/// budget, and has no bounds.
#[derive(Debug, Default)]
pub struct Share {
    budget: Option<MemoryBudget>,
    held: usize,
}

impl Share {
    pub(crate) fn new(budget: Option<MemoryBudget>) -> Self {
        Self { budget, held: 0 }
    }

    /// Makes the share `bytes` large; shrinking never fails.
    ///
    /// # Errors
    ///
    /// [`BudgetExhausted`] where the budget has not that much: nothing changes.
    pub fn resize(&mut self, bytes: usize) -> Result<(), BudgetExhausted> {
        let Some(budget) = &self.budget else {
            return Ok(());
        };
        if bytes == self.held {
            return Ok(());
        }
        if bytes > self.held {
            budget.reserve(bytes - self.held)?;
        } else {
            budget.release(self.held - bytes);
        }
        self.held = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.release(self.held);
        }
    }
}

/// A [`Share`] could not grow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {total} bytes in the memory budget, got {used}")]
#[non_exhaustive]
pub struct BudgetExhausted {
    /// Bytes that would be in use.
    pub used: usize,
    /// Bytes of the whole budget.
    pub total: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_within_the_budget_and_gives_all_back_when_dropped() {
        let budget = MemoryBudget::new(100);
        let mut one = Share::new(Some(budget.clone()));
        let mut two = Share::new(Some(budget.clone()));
        assert!(one.resize(60).is_ok());
        let refused = two.resize(41).unwrap_err();
        assert_eq!((refused.used, refused.total), (101, 100));
        assert!(two.resize(40).is_ok());
        assert_eq!(budget.used(), 100);
        assert!(one.resize(10).is_ok());
        assert_eq!(budget.used(), 50);
        drop((one, two));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_part_of_a_budget_is_bound_by_itself_and_by_the_whole() {
        let whole = MemoryBudget::new(100);
        let parts = [whole.part(60), whole.part(60)];
        let mut shares = parts.each_ref().map(MemoryBudget::share);
        let refused = shares[0].resize(61).unwrap_err();
        assert_eq!((refused.used, refused.total), (61, 60));
        assert_eq!(whole.used(), 0);
        assert!(shares[0].resize(60).is_ok());
        let refused = shares[1].resize(41).unwrap_err();
        assert_eq!((refused.used, refused.total), (101, 100));
        assert!(shares[1].resize(40).is_ok());
        assert_eq!((parts[1].used(), whole.used()), (40, 100));
        drop(shares);
        assert_eq!((parts[0].used(), whole.used()), (0, 0));
    }

    #[test]
    fn a_share_without_a_budget_never_refuses() {
        assert!(Share::new(None).resize(usize::MAX).is_ok());
    }
}
