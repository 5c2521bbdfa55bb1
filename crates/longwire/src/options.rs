//! The settings that clients and servers have in common.

use std::time::Duration;

use longwire_proto::{Config, Heartbeat, Limits, MemoryBudget};

/// Who drives a socket while the program waits for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drive {
    /// Nobody: the socket is driven by whoever awaits it, and pings are
    /// answered while the program waits for messages. The default of servers.
    Caller,
    /// A task: pings are answered and heartbeats run whatever the program does,
    /// and up to about 64 KiB of messages are read ahead. The default of
    /// clients.
    Task,
}

/// Settings of sockets. Each has a default that is safe.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) config: Config,
    pub(crate) drive: Drive,
}

impl Options {
    /// The defaults, with this choice of who drives the socket.
    pub fn new(drive: Drive) -> Self {
        Self {
            config: Config::default(),
            drive,
        }
    }

    /// What the peer may make us hold; see [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Pings that find dead peers: every 20 s by default, with 20 s to answer.
    /// `None` sends none.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: impl Into<Option<Heartbeat>>) -> Self {
        self.config.heartbeat = heartbeat.into();
        self
    }

    /// Closes with 1001 a connection on which no message passed for so long.
    /// Off by default.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.idle_timeout = timeout.into();
        self
    }

    /// How long the closing handshake may take: 10 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = timeout;
        self
    }

    /// Memory that many sockets share.
    #[must_use]
    pub fn memory_budget(mut self, budget: impl Into<Option<MemoryBudget>>) -> Self {
        self.config.memory_budget = budget.into();
        self
    }

    /// Who drives the socket while the program waits for something else.
    #[must_use]
    pub fn drive(mut self, drive: Drive) -> Self {
        self.drive = drive;
        self
    }
}

/// Gives a builder with a field `options` the settings of sockets as its own.
macro_rules! forward_options {
    ($builder:ident) => {
        impl $builder {
            /// What the peer may make us hold; see [`longwire_proto::Limits`].
            #[must_use]
            pub fn limits(mut self, limits: longwire_proto::Limits) -> Self {
                self.options = self.options.limits(limits);
                self
            }

            /// Pings that find dead peers; see [`crate::Options::heartbeat`].
            #[must_use]
            pub fn heartbeat(
                mut self,
                heartbeat: impl Into<Option<longwire_proto::Heartbeat>>,
            ) -> Self {
                self.options = self.options.heartbeat(heartbeat);
                self
            }

            /// Closes quiet connections; see [`crate::Options::idle_timeout`].
            #[must_use]
            pub fn idle_timeout(mut self, timeout: impl Into<Option<std::time::Duration>>) -> Self {
                self.options = self.options.idle_timeout(timeout);
                self
            }

            /// How long the closing handshake may take; see
            /// [`crate::Options::close_timeout`].
            #[must_use]
            pub fn close_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options = self.options.close_timeout(timeout);
                self
            }
        }
    };
}

pub(crate) use forward_options;
