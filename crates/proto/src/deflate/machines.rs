//! The compressors and decompressors of a thread, lent to its connections.

use std::cell::Cell;

use zlib_rs::{Deflate, DeflateConfig, Inflate};

use super::MAX_WINDOW_BITS;

/// Plain bytes are made in pieces of this size.
const PIECE: usize = 16 << 10;

/// Decompressors that a thread keeps when they are given back. Others are made
/// where messages that arrive in pieces hold these.
const KEPT_INFLATERS: usize = 4;

/// Compressors that a thread keeps, one for each setting in use.
const KEPT_DEFLATERS: usize = 4;

/// A buffer for compressed bytes that has grown beyond this is not kept.
const KEPT_PACKED: usize = 256 << 10;

/// About the memory of a decompressor, for those that a message holds while
/// the rest of it is awaited.
pub(crate) const INFLATER_BYTES: usize = 46 << 10;

/// What a compressor is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// 8 to 15.
    pub(crate) window_bits: u8,
    /// 1 to 9.
    pub(crate) level: u8,
    /// 1 to 9.
    pub(crate) memory_level: u8,
}

impl Settings {
    fn build(self) -> Deflate {
        let mut config = DeflateConfig::new(i32::from(self.level));
        // zlib has no window of 256 bytes for a raw stream. One of 512 will do:
        // it never reaches farther back than the window less 262 bytes.
        config.window_bits = -i32::from(self.window_bits.max(9));
        config.mem_level = i32::from(self.memory_level);
        Deflate::new_with_config(config)
    }
}

/// What a thread lends.
pub(super) struct Machines {
    inflaters: Vec<Inflate>,
    deflaters: Vec<(Settings, Deflate)>,
    pub(super) piece: Box<[u8]>,
    pub(super) packed: Vec<u8>,
}

thread_local! {
    static MACHINES: Cell<Option<Box<Machines>>> = const { Cell::new(None) };
}

/// Lends this thread's machines.
pub(super) fn with_machines<T>(work: impl FnOnce(&mut Machines) -> T) -> T {
    let mut machines = MACHINES.take().unwrap_or_else(|| Box::new(Machines::new()));
    let result = work(&mut machines);
    if machines.packed.capacity() > KEPT_PACKED {
        machines.packed = Vec::new();
    }
    MACHINES.set(Some(machines));
    result
}

impl Machines {
    fn new() -> Self {
        Self {
            inflaters: Vec::new(),
            deflaters: Vec::new(),
            piece: vec![0; PIECE].into_boxed_slice(),
            packed: Vec::new(),
        }
    }

    /// A decompressor at the start of a stream.
    pub(super) fn take_inflater(&mut self) -> Inflate {
        match self.inflaters.pop() {
            Some(mut inflater) => {
                inflater.reset(false);
                inflater
            }
            None => Inflate::new(false, MAX_WINDOW_BITS),
        }
    }

    pub(super) fn give_back(&mut self, inflater: Inflate) {
        if self.inflaters.len() < KEPT_INFLATERS {
            self.inflaters.push(inflater);
        }
    }

    /// A compressor with these settings at the start of a stream, and a buffer.
    pub(super) fn deflater(&mut self, settings: Settings) -> (&mut Deflate, &mut Vec<u8>) {
        let at = self.deflaters.iter().position(|(s, _)| *s == settings);
        let at = if let Some(at) = at {
            self.deflaters[at].1.reset();
            at
        } else {
            if self.deflaters.len() == KEPT_DEFLATERS {
                self.deflaters.remove(0);
            }
            self.deflaters.push((settings, settings.build()));
            self.deflaters.len() - 1
        };
        (&mut self.deflaters[at].1, &mut self.packed)
    }
}
