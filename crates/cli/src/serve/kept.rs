//! What lives longer than a configuration, which may be read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use longwire::{MemoryBudget, ServerTls};

use super::auth::Auth;
use super::broadcast::Broadcast;
use super::chat;
use super::exec::Processes;
use super::hosts::Reach;
use super::live::Live;
use super::metrics::Metrics;
use crate::args::serve::Args;

/// What lives longer than a configuration.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) live: Live,
    pub(super) metrics: Arc<Metrics>,
    pub(super) budget: MemoryBudget,
    pub(super) processes: Processes,
    /// Made once: those who took it take it again.
    pub(super) self_signed: Arc<OnceLock<Result<ServerTls, String>>>,
    pub(super) room: chat::Room,
    /// Known once it listens.
    pub(super) reach: Arc<Reach>,
    broadcasts: Arc<Mutex<HashMap<String, Broadcast>>>,
    /// Asked for each request, so that connections of before know it too.
    auth: Arc<Mutex<Option<Arc<Auth>>>>,
}

impl Kept {
    pub(super) fn new(args: &Args) -> Self {
        let live = Live::default();
        let budget = MemoryBudget::new(args.limits.memory);
        Self {
            metrics: Metrics::new(live.clone(), budget.clone()),
            live,
            budget,
            processes: Processes::new(args.services.max_processes),
            self_signed: Arc::default(),
            room: chat::Room::default(),
            reach: Arc::default(),
            broadcasts: Arc::default(),
            auth: Arc::default(),
        }
    }

    pub(super) fn set_auth(&self, auth: Option<Auth>) {
        *self.auth.lock().unwrap_or_else(PoisonError::into_inner) = auth.map(Arc::new);
    }

    pub(super) fn auth(&self) -> Option<Arc<Auth>> {
        self.auth
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn broadcast(&self, path: &str) -> Broadcast {
        let mut broadcasts = self
            .broadcasts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        broadcasts.entry(path.to_owned()).or_default().clone()
    }
}
