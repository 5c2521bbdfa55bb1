//! What a connection is told when it is made.

use std::time::Duration;

use super::heartbeat::Heartbeat;
use crate::deflate::CompressionConfig;
use crate::limits::{Limits, MemoryBudget};

/// The settings of a connection, the same for both roles. Shared by many
/// connections in an `Arc`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What the peer may make us hold.
    pub limits: Limits,
    /// Pings that find dead peers; `None` sends none. Every 20 s by default.
    pub heartbeat: Option<Heartbeat>,
    /// Closes with 1001 a connection on which no message passed for so long, in
    /// neither direction. Pings and pongs do not count. `None`, the default,
    /// waits for ever.
    pub idle_timeout: Option<Duration>,
    /// How long the closing handshake may take, and a client waits for the
    /// server to drop the connection: 10 s. It starts anew while the peer still
    /// takes output that waits before the Close frame, 4 KiB or more each time.
    pub close_timeout: Duration,
    /// How long a failed connection stays open for the peer to read why: 1 s.
    pub linger: Duration,
    /// Whether and how messages are compressed: what is offered and accepted
    /// by the handshake, and how what was agreed on is used.
    pub compression: CompressionConfig,
    /// Memory shared with other connections.
    pub memory_budget: Option<MemoryBudget>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            heartbeat: Some(Heartbeat::default()),
            idle_timeout: None,
            close_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            compression: CompressionConfig::default(),
            memory_budget: None,
        }
    }
}
