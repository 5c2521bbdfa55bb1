//! Handlers that panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use longwire_proto::{CloseCode, Closed};

use super::{Context, Handler, MessageRef};

/// A handler whose panics go no further: its connection is closed with 1011.
pub(crate) struct Guarded(Box<dyn Handler>);

impl Guarded {
    pub(crate) fn new(handler: Box<dyn Handler>) -> Self {
        Self(handler)
    }

    /// Has the handler do something.
    pub(crate) fn call(
        &mut self,
        context: &mut Context<'_>,
        what: impl FnOnce(&mut dyn Handler, &mut Context<'_>),
    ) {
        let called = catch_unwind(AssertUnwindSafe(|| what(&mut *self.0, context)));
        if called.is_err() {
            self.fail();
            // A code that can be sent.
            let _ = context.close(CloseCode::INTERNAL_ERROR, "");
        }
    }

    /// Tells it of the end.
    pub(crate) fn end(&mut self, closed: &Closed) {
        if catch_unwind(AssertUnwindSafe(|| self.0.close(closed))).is_err() {
            self.fail();
        }
    }

    fn fail(&mut self) {
        tracing::error!("the handler of a socket panicked");
        self.let_go();
    }

    fn let_go(&mut self) {
        let handler = std::mem::replace(&mut self.0, Box::new(Absent));
        if catch_unwind(AssertUnwindSafe(|| drop(handler))).is_err() {
            tracing::error!("the handler of a socket panicked when it was dropped");
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// What takes the place of a handler that is gone.
struct Absent;

impl Handler for Absent {
    fn message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}
}
