//! What the connections of one accepting task have in common.

use std::sync::Arc;

use tokio::sync::watch;

use super::Site;
use super::observer::TurnedAway;
use super::registry::Registry;

/// Where a connection is served. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) site: Arc<Site>,
    pub(super) registry: Arc<Registry>,
    /// Whether the server is stopping.
    pub(super) stopping: watch::Receiver<bool>,
}

impl Lane {
    /// Tells the observer of a connection that comes to nothing.
    pub(super) fn turned_away(&self, why: TurnedAway) {
        self.site.observe(|observer| observer.turned_away(why));
    }
}
