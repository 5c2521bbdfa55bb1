//! What can subscribe.

use std::sync::Arc;

use super::crowd::Place;
use super::subscriber::Target;
use crate::socket::{Sender, Shared, Socket};

/// What can subscribe to a [`crate::Topic`]: a [`Socket`], its [`Sender`], or the
/// [`crate::handler::Context`] of a handler.
pub trait Subscribe: Reachable {}

/// How a topic reaches a subscriber.
pub trait Reachable {
    /// How.
    #[doc(hidden)]
    fn reach(&self) -> Reach;
}

/// Where a subscriber is delivered to, and what is sent to there.
pub struct Reach {
    pub(super) place: Place,
    pub(super) target: Target,
}

impl Reach {
    pub(crate) fn new(place: Place, target: Target) -> Self {
        Self { place, target }
    }

    /// Of a socket, to which a task delivers, here.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub(crate) fn socket(shared: Arc<Shared>) -> Self {
        let place = Place::Task {
            runtime: tokio::runtime::Handle::current().id(),
            thread: std::thread::current().id(),
        };
        Self::new(place, Target::Socket(shared))
    }
}

impl Subscribe for Socket {}

impl Reachable for Socket {
    fn reach(&self) -> Reach {
        Reach::socket(self.shared_arc())
    }
}

impl Subscribe for Sender {}

impl Reachable for Sender {
    fn reach(&self) -> Reach {
        Reach::socket(self.shared_arc())
    }
}
