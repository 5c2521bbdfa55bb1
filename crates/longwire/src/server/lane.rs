//! What the connections of one accepting task have in common.

use std::sync::Arc;

use tokio::sync::watch;

use super::Site;
use super::registry::Registry;

/// Where a connection is served. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) site: Arc<Site>,
    pub(super) registry: Arc<Registry>,
    /// Whether the server is stopping.
    pub(super) stopping: watch::Receiver<bool>,
}
