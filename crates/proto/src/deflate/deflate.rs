//! Plain payloads to compressed ones (RFC 7692 section 7.2.1).

use zlib_rs::{Deflate, DeflateFlush};

use super::CompressionConfig;
use super::machines::{Settings, with_machines};
use super::params::Direction;
use super::window::Window;

/// What ends the output of a flush, and is left out at the end of a message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The least room that is made for compressed bytes at once.
const LEAST_ROOM: usize = 1024;

/// The sending direction of a connection.
#[derive(Debug)]
pub(crate) struct Deflater {
    settings: Settings,
    threshold: usize,
    /// What the next message may refer to, where the context is taken over.
    window: Option<Window>,
}

impl Deflater {
    pub(crate) fn new(config: &CompressionConfig, direction: Direction) -> Self {
        Self {
            settings: Settings {
                window_bits: direction.window_bits,
                level: config.level.clamp(1, 9),
                memory_level: config.memory_level(),
            },
            threshold: config.threshold(direction.takeover),
            window: direction
                .takeover
                .then(|| Window::new(direction.window_bits)),
        }
    }

    /// What compressors this direction uses: those with the same settings can
    /// share what was compressed alone.
    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether a message of so many bytes is worth compressing.
    pub(crate) fn is_worth(&self, len: usize) -> bool {
        len > 0 && len >= self.threshold
    }

    /// Bytes held between messages.
    pub(crate) fn held(&self) -> usize {
        self.window.as_ref().map_or(0, Window::held)
    }

    /// Forgets the context: what follows does not refer to it.
    pub(crate) fn forget(&mut self) {
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }

    //= rfc7692#6.1-2, rfc7692#7.2.1-1, rfc7692#7.2.1-2
    /// Compresses a whole message and lends the result to `send`: `None` where
    /// it would not be smaller than the message itself. What `send` accepts
    /// becomes the context of what follows.
    pub(crate) fn compress<T, E>(
        &mut self,
        payload: &[u8],
        send: impl FnOnce(Option<&[u8]>) -> Result<T, E>,
    ) -> Result<T, E> {
        with_machines(|machines| {
            let window = self.window.as_ref().map_or(&[][..], Window::as_slice);
            let (machine, packed) = machines.deflater(self.settings);
            pack(machine, window, payload, packed);
            let smaller = without_tail(packed).filter(|packed| packed.len() < payload.len());
            let done = send(smaller)?;
            if smaller.is_some() {
                self.remember(payload);
            }
            Ok(done)
        })
    }

    /// Compresses a fragment of a message and lends the result to `send`.
    pub(crate) fn compress_fragment<T, E>(
        &mut self,
        payload: &[u8],
        fin: bool,
        send: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, E> {
        with_machines(|machines| {
            let window = self.window.as_ref().map_or(&[][..], Window::as_slice);
            let (machine, packed) = machines.deflater(self.settings);
            pack(machine, window, payload, packed);
            let packed = if fin { without_tail(packed) } else { None }.unwrap_or(packed);
            let done = send(packed)?;
            self.remember(payload);
            Ok(done)
        })
    }

    /// Adds to the context what was sent compressed.
    pub(crate) fn remember(&mut self, payload: &[u8]) {
        if let Some(window) = &mut self.window {
            window.push(payload);
        }
    }
}

/// Compresses a message that refers to nothing before it, for everybody whose
/// direction has the same settings. `None` where it would not be smaller.
pub(crate) fn compress_alone(settings: Settings, payload: &[u8]) -> Option<Vec<u8>> {
    with_machines(|machines| {
        let (machine, packed) = machines.deflater(settings);
        pack(machine, &[], payload, packed);
        without_tail(packed)
            .filter(|packed| packed.len() < payload.len())
            .map(<[u8]>::to_vec)
    })
}

fn without_tail(packed: &[u8]) -> Option<&[u8]> {
    packed.strip_suffix(&TAIL)
}

/// Compresses `payload` into `packed`, up to a byte border.
fn pack(machine: &mut Deflate, window: &[u8], mut payload: &[u8], packed: &mut Vec<u8>) {
    if !window.is_empty() {
        // A raw stream takes any dictionary at its start.
        let _ = machine.set_dictionary(window);
    }
    packed.clear();
    let mut filled = 0;
    loop {
        let room = (payload.len() / 2).max(LEAST_ROOM);
        packed.resize(filled + room, 0);
        let before = (machine.total_in(), machine.total_out());
        let result = machine.compress(payload, &mut packed[filled..], DeflateFlush::SyncFlush);
        payload = &payload[(machine.total_in() - before.0) as usize..];
        let made = (machine.total_out() - before.1) as usize;
        filled += made;
        // All is out where there was room left.
        if result.is_err() || (payload.is_empty() && made < room) {
            packed.truncate(filled);
            return;
        }
    }
}
