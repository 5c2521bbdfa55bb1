//! How a program gives up an operation that it has started (DOM, section 3.1).

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::exception::{DomException, ExceptionName};

/// Aborts what its [`AbortSignal`] was given to. Cheap to clone.
#[derive(Clone)]
pub struct AbortController {
    reason: Arc<watch::Sender<Option<DomException>>>,
}

/// Tells whether, and why, an operation is to be given up. Cheap to clone.
#[derive(Clone)]
pub struct AbortSignal {
    reason: watch::Receiver<Option<DomException>>,
}

impl AbortController {
    /// A controller that has not aborted anything.
    pub fn new() -> Self {
        Self {
            reason: Arc::new(watch::Sender::new(None)),
        }
    }

    /// What to give to the operation.
    pub fn signal(&self) -> AbortSignal {
        AbortSignal {
            reason: self.reason.subscribe(),
        }
    }

    /// Aborts, with an `AbortError`.
    pub fn abort(&self) {
        let reason = DomException::new(ExceptionName::AbortError, "the operation was aborted");
        self.abort_with(reason);
    }

    /// Aborts, with this reason. Only the first call does.
    pub fn abort_with(&self, reason: DomException) {
        self.reason.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(reason);
            first
        });
    }
}

impl Default for AbortController {
    fn default() -> Self {
        Self::new()
    }
}

impl AbortSignal {
    /// Why it was aborted, once it was.
    pub fn reason(&self) -> Option<DomException> {
        self.reason.borrow().clone()
    }

    /// Waits until it is aborted.
    pub async fn aborted(&self) -> DomException {
        let mut reason = self.reason.clone();
        let aborted = reason.wait_for(Option::is_some).await;
        match aborted.ok().and_then(|reason| reason.clone()) {
            Some(reason) => reason,
            // Nobody is left who could.
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for AbortController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortController").finish_non_exhaustive()
    }
}

impl fmt::Debug for AbortSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortSignal")
            .field("reason", &self.reason())
            .finish()
    }
}
