//! permessage-deflate (RFC 7692): what is agreed on, and the transformation of
//! a message's payload.
//!
//! No connection owns a compressor or a decompressor: each thread has a few,
//! lent for the time of a message. What a connection keeps where a context is
//! taken over from message to message is its LZ77 window alone, as plain
//! bytes, at most as large as was agreed on.
//!
//! Read `window`, `machines` (what a thread lends), `params` (the negotiation),
//! then `inflate` and `deflate` (payloads in and out).

mod window;

mod machines;

mod params;

mod inflate;

// The module has the name of what it does.
#[allow(clippy::module_inception)]
mod deflate;

use std::time::Duration;

pub(crate) use deflate::{Deflater, compress_alone};
pub(crate) use inflate::{Inflater, PlainSink};
pub(crate) use machines::{INFLATER_BYTES, Settings};
pub use params::{Agreement, EXTENSION, NegotiationError};
pub(crate) use params::{accept, conclude, offer};
pub(crate) use window::Window;

/// The largest LZ77 window there is: 32,768 bytes.
pub const MAX_WINDOW_BITS: u8 = 15;

/// The smallest LZ77 window that can be agreed on: 256 bytes.
pub const MIN_WINDOW_BITS: u8 = 8;

/// How much memory compression may take, and so how well it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// None: nothing is offered or accepted.
    Off,
    /// Each message is compressed on its own, by a compressor that all
    /// connections of a thread share. A connection holds nothing for it. The
    /// default of servers.
    Shared,
    /// What was said before helps to compress what follows, which is worth most
    /// where messages are small and alike. A connection holds the last bytes of
    /// each direction: at most twice the window. The default of clients, with
    /// 15 and 8.
    Dedicated {
        /// The window's size as a power of two: 8 (256 bytes) to 15 (32,768
        /// bytes).
        window_bits: u8,
        /// How much the thread's compressor may use: 1 (least) to 9 (fastest
        /// and best).
        memory_level: u8,
    },
}

impl Compression {
    /// The best there is, with the memory that zlib takes by default.
    pub const DEDICATED: Self = Self::Dedicated {
        window_bits: MAX_WINDOW_BITS,
        memory_level: DEFAULT_MEMORY_LEVEL,
    };
}

const DEFAULT_MEMORY_LEVEL: u8 = 8;

/// The settings of compression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompressionConfig {
    /// Whether and how: `Shared` by default.
    pub mode: Compression,
    /// How hard to try, from 1 (fastest) to 9 (smallest): 6.
    pub level: u8,
    /// Messages of less bytes are sent as they are. `None`, the default, is 256
    /// where each message stands alone and 32 where a context is taken over.
    pub threshold: Option<usize>,
    /// A context for sending is freed after so long without a message sent:
    /// 60 s. The next message starts a new one. What the peer's messages may
    /// refer to must be kept.
    pub idle_timeout: Option<Duration>,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self {
            mode: Compression::Shared,
            level: 6,
            threshold: None,
            idle_timeout: Some(Duration::from_mins(1)),
        }
    }
}

/// Settings of compression that zlib does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a compression {name} of {min} to {max}, got {value}")]
#[non_exhaustive]
pub struct CompressionError {
    /// The setting.
    pub name: &'static str,
    /// Its value.
    pub value: u8,
    /// Its least value.
    pub min: u8,
    /// Its greatest value.
    pub max: u8,
}

impl CompressionConfig {
    /// The same settings with another mode.
    #[must_use]
    pub fn mode(mut self, mode: Compression) -> Self {
        self.mode = mode;
        self
    }

    /// Whether the settings can work. Connections made with others than that
    /// take the nearest that do.
    pub fn check(&self) -> Result<(), CompressionError> {
        let within = |name, value, min, max| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(CompressionError {
                    name,
                    value,
                    min,
                    max,
                })
            }
        };
        within("level", self.level, 1, 9)?;
        if let Compression::Dedicated {
            window_bits,
            memory_level,
        } = self.mode
        {
            let (min, max) = (MIN_WINDOW_BITS, MAX_WINDOW_BITS);
            within("window_bits", window_bits, min, max)?;
            within("memory_level", memory_level, 1, 9)?;
        }
        Ok(())
    }

    fn memory_level(&self) -> u8 {
        match self.mode {
            Compression::Dedicated { memory_level, .. } => memory_level.clamp(1, 9),
            _ => DEFAULT_MEMORY_LEVEL,
        }
    }

    /// The window that this end is willing to hold for a direction.
    fn window_bits(&self) -> u8 {
        match self.mode {
            Compression::Dedicated { window_bits, .. } => {
                window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS)
            }
            _ => MAX_WINDOW_BITS,
        }
    }

    fn threshold(&self, takeover: bool) -> usize {
        self.threshold.unwrap_or(if takeover { 32 } else { 256 })
    }
}

#[cfg(test)]
mod tests;
