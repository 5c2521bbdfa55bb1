//! The settings that clients and servers have in common.

use std::sync::Arc;
use std::time::Duration;

use longwire_proto::{Compression, Config, Heartbeat, Limits, MemoryBudget};

/// Who drives a socket while the program waits for something else.
///
/// What is read ahead is counted in the memory budget, and so is the rest of what was
/// read with it: at most 256 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drive {
    /// Whoever awaits it. While nobody waits for messages, up to about 64 KiB of
    /// them are read ahead by the connection's own task, so that pings are
    /// answered and a peer that is gone is noticed. The default of servers, where
    /// that task is the handler's too: one that computes for long is not
    /// interrupted.
    Caller,
    /// A task, all the time: up to about 64 KiB of messages are read ahead also
    /// between two calls that wait for them. The default of clients.
    Task,
}

/// Settings of sockets. Each has a default that is safe.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) config: Arc<Config>,
    pub(crate) drive: Drive,
    pub(crate) message_streams: bool,
}

impl Options {
    /// The defaults, with this choice of who drives the socket.
    pub fn new(drive: Drive) -> Self {
        Self {
            config: Arc::default(),
            drive,
            message_streams: false,
        }
    }

    fn config(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }

    /// What the peer may make us hold; see [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config().limits = limits;
        self
    }

    /// Pings that find dead peers: every 20 s by default, with 20 s to answer.
    /// `None` sends none.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: impl Into<Option<Heartbeat>>) -> Self {
        self.config().heartbeat = heartbeat.into();
        self
    }

    /// Closes with 1001 a connection on which no message passed for so long.
    /// Off by default.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config().idle_timeout = timeout.into();
        self
    }

    /// How long the closing handshake may take: 10 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config().close_timeout = timeout;
        self
    }

    /// Whether and how messages are compressed (RFC 7692), where the peer agrees:
    /// [`Compression::Shared`] by default in servers, [`Compression::DEDICATED`]
    /// in clients.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.config().compression.mode = compression;
        self
    }

    /// How hard to compress: 1 (fastest) to 9 (smallest), 6 by default.
    #[must_use]
    pub fn compression_level(mut self, level: u8) -> Self {
        self.config().compression.level = level;
        self
    }

    /// Messages of less bytes are sent as they are: 256 by default where each
    /// message is compressed alone, 32 where a context is kept.
    #[must_use]
    pub fn compression_threshold(mut self, bytes: usize) -> Self {
        self.config().compression.threshold = Some(bytes);
        self
    }

    /// Frees a kept context after so long without a message sent: 60 s. `None`
    /// keeps it.
    #[must_use]
    pub fn compression_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config().compression.idle_timeout = timeout.into();
        self
    }

    /// Has messages arrive in pieces from the start, so that nothing is gathered
    /// before the program asks for it with [`crate::Socket::next_reader`]. It is
    /// for sockets that are driven by a task and get messages above
    /// [`Limits::message_size`]; others need no such setting.
    #[must_use]
    pub fn message_streams(mut self, streams: bool) -> Self {
        self.message_streams = streams;
        self
    }

    /// Memory that many sockets share.
    #[must_use]
    pub fn memory_budget(mut self, budget: impl Into<Option<MemoryBudget>>) -> Self {
        self.config().memory_budget = budget.into();
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

            /// Whether and how messages are compressed; see
            /// [`crate::Options::compression`].
            #[must_use]
            pub fn compression(mut self, compression: longwire_proto::Compression) -> Self {
                self.options = self.options.compression(compression);
                self
            }

            /// How hard to compress; see [`crate::Options::compression_level`].
            #[must_use]
            pub fn compression_level(mut self, level: u8) -> Self {
                self.options = self.options.compression_level(level);
                self
            }

            /// What is worth compressing; see
            /// [`crate::Options::compression_threshold`].
            #[must_use]
            pub fn compression_threshold(mut self, bytes: usize) -> Self {
                self.options = self.options.compression_threshold(bytes);
                self
            }

            /// Frees unused contexts; see
            /// [`crate::Options::compression_idle_timeout`].
            #[must_use]
            pub fn compression_idle_timeout(
                mut self,
                timeout: impl Into<Option<std::time::Duration>>,
            ) -> Self {
                self.options = self.options.compression_idle_timeout(timeout);
                self
            }

            /// Has messages arrive in pieces; see
            /// [`crate::Options::message_streams`].
            #[must_use]
            pub fn message_streams(mut self, streams: bool) -> Self {
                self.options = self.options.message_streams(streams);
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
