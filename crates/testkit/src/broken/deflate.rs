//! Messages compressed and inflated (RFC 7692 section 7.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::faults::{Fault, Plan};

/// What ends each message and is left off on the wire.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// The largest window, and all that a peer may refer back to.
const WINDOW: usize = 32 << 10;

/// How many bytes are inflated before the limit is looked at.
const STEP: usize = 16 << 10;

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Params {
    /// The server starts each message without a context.
    pub(super) server_no_context_takeover: bool,
    /// The client starts each message without a context.
    pub(super) client_no_context_takeover: bool,
    /// The server's window, as a power of two.
    pub(super) server_max_window_bits: u8,
    /// The client's window, as a power of two.
    pub(super) client_max_window_bits: u8,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}

/// Why a message could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// It is no DEFLATE data.
    Invalid,
    /// It is larger than it may be.
    TooBig,
}

/// Compresses one direction of a connection and inflates the other.
#[derive(Debug)]
pub(super) struct Deflate {
    deflater: Deflater,
    inflater: Inflater,
}

#[derive(Debug)]
struct Deflater {
    plan: Plan,
    machine: Compress,
    starts_anew: bool,
    /// Whether a message has been compressed.
    has_context: bool,
}

#[derive(Debug)]
struct Inflater {
    plan: Plan,
    machine: Decompress,
    /// The peer begins each message without a context.
    starts_anew: bool,
    /// The end of what the peer has sent, for when its stream begins anew.
    history: Vec<u8>,
    /// The peer's stream has ended, and nothing has come since.
    at_end: bool,
}

impl Deflate {
    pub(super) fn new(plan: Plan, is_server: bool, params: Params) -> Self {
        let (bits, starts_anew, peer_starts_anew) = if is_server {
            (
                params.server_max_window_bits,
                params.server_no_context_takeover,
                params.client_no_context_takeover,
            )
        } else {
            (
                params.client_max_window_bits,
                params.client_no_context_takeover,
                params.server_no_context_takeover,
            )
        };
        let bits = if plan.breaks(Fault::LargerWindow) {
            15
        } else {
            // zlib has no window of 8 bits, and refers back by less than 256
            // bytes in one of 9: that is what it keeps for its longest match.
            bits.clamp(9, 15)
        };
        Self {
            deflater: Deflater {
                plan,
                machine: Compress::new_with_window_bits(Compression::default(), false, bits),
                starts_anew: starts_anew && !plan.breaks(Fault::KeepsContext),
                has_context: false,
            },
            inflater: Inflater {
                plan,
                machine: Decompress::new(false),
                starts_anew: peer_starts_anew || plan.breaks(Fault::ForgetsPeerContext),
                history: Vec::new(),
                at_end: false,
            },
        }
    }

    /// The payload of a message.
    pub(super) fn compress(&mut self, plain: &[u8]) -> Vec<u8> {
        self.deflater.compress(plain)
    }

    /// Inflates a piece of a message behind what there is of it.
    pub(super) fn inflate(
        &mut self,
        piece: &[u8],
        plain: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), InflateError> {
        self.inflater.inflate(piece, plain, limit)
    }

    /// Ends a message: what the sender left off is put back.
    pub(super) fn end_message(
        &mut self,
        plain: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), InflateError> {
        self.inflater.end_message(plain, limit)
    }

    /// Forgets what the peer has sent.
    pub(super) fn forget(&mut self) {
        self.inflater.forget();
    }
}

impl Deflater {
    /// The payload of a message.
    fn compress(&mut self, plain: &[u8]) -> Vec<u8> {
        if self.plan.breaks(Fault::OwnContextDiverges) && self.has_context {
            // What the peer never sees.
            self.compress_once(plain);
        }
        let mut compressed = self.compress_once(plain);
        self.has_context = true;
        if self.starts_anew {
            self.machine.reset();
        }
        if compressed.ends_with(&TAIL) {
            compressed.truncate(compressed.len() - TAIL.len());
        }
        if compressed.is_empty() {
            // Section 7.2.3.6.
            compressed.push(0);
        }
        if self.plan.breaks(Fault::LeavesTail) {
            compressed.extend(TAIL);
        }
        compressed
    }

    fn compress_once(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut compressed = Vec::with_capacity(plain.len() / 2 + 64);
        let start = self.machine.total_in();
        loop {
            let done = (self.machine.total_in() - start) as usize;
            let rest = plain.get(done..).unwrap_or_default();
            let before = compressed.len();
            let status = self
                .machine
                .compress_vec(rest, &mut compressed, FlushCompress::Sync);
            let is_stuck = compressed.len() == before && !matches!(status, Ok(Status::Ok));
            // Room that is left over says that nothing is held back.
            if is_stuck || compressed.len() < compressed.capacity() {
                return compressed;
            }
            compressed.reserve(STEP);
        }
    }
}

impl Inflater {
    /// Inflates a piece of a message behind what there is of it.
    fn inflate(
        &mut self,
        mut piece: &[u8],
        plain: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), InflateError> {
        loop {
            plain.reserve(STEP);
            let (before_in, before_out) = (self.machine.total_in(), plain.len());
            let status = self
                .machine
                .decompress_vec(piece, plain, FlushDecompress::None)
                .map_err(|_| InflateError::Invalid)?;
            let read = (self.machine.total_in() - before_in) as usize;
            piece = piece.get(read..).unwrap_or_default();
            if read > 0 {
                self.at_end = false;
            }
            if plain.len() > limit {
                return Err(InflateError::TooBig);
            }
            if status == Status::StreamEnd {
                self.begin_anew(plain)?;
            } else if read == 0 && plain.len() == before_out && !piece.is_empty() {
                return Err(InflateError::Invalid);
            }
            if piece.is_empty() && plain.len() < plain.capacity() {
                return Ok(());
            }
        }
    }

    /// A block with BFINAL ends a stream, and the message may go on with another
    /// (section 7.2.3.4), which may refer back to what was before it.
    fn begin_anew(&mut self, plain: &[u8]) -> Result<(), InflateError> {
        if self.plan.breaks(Fault::FailsBfinal) {
            return Err(InflateError::Invalid);
        }
        self.remember(plain);
        self.machine.reset(false);
        self.at_end = true;
        if self.history.is_empty() {
            return Ok(());
        }
        let set = self.machine.set_dictionary(&self.history);
        set.map(|_| ()).map_err(|_| InflateError::Invalid)
    }

    /// Ends a message: what the sender left off is put back.
    fn end_message(&mut self, plain: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
        if !self.at_end {
            self.inflate(&TAIL, plain, limit)?;
        }
        if plain.is_empty() && self.plan.breaks(Fault::FailsEmptyCompressed) {
            return Err(InflateError::Invalid);
        }
        self.at_end = false;
        if self.starts_anew {
            self.forget();
        } else {
            self.remember(plain);
        }
        Ok(())
    }

    /// Forgets what the peer has sent.
    fn forget(&mut self) {
        self.machine.reset(false);
        self.history.clear();
    }

    fn remember(&mut self, plain: &[u8]) {
        let new = &plain[plain.len().saturating_sub(WINDOW)..];
        self.history.extend_from_slice(new);
        let surplus = self.history.len().saturating_sub(WINDOW);
        self.history.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn pair(plan: Plan, params: Params) -> (Deflate, Deflate) {
        (
            Deflate::new(plan, true, params),
            Deflate::new(Plan(None), false, params),
        )
    }

    fn inflated(deflate: &mut Deflate, payload: &[u8]) -> Result<Vec<u8>, InflateError> {
        let mut plain = Vec::new();
        for piece in payload.chunks(3) {
            deflate.inflate(piece, &mut plain, LIMIT)?;
        }
        deflate.end_message(&mut plain, LIMIT)?;
        Ok(plain)
    }

    fn sample(seed: usize, len: usize) -> Vec<u8> {
        let mut state = seed as u32 + 1;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 % 17
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn what_is_compressed_is_inflated_with_every_parameter() {
        for bits in 8..=15 {
            for no_context_takeover in [false, true] {
                let params = Params {
                    server_no_context_takeover: no_context_takeover,
                    server_max_window_bits: bits,
                    ..Params::default()
                };
                let (mut server, mut client) = pair(Plan(None), params);
                for len in [0, 1, 0, 300, 300, 70_000, 0, 5] {
                    let message = sample(len / 2, len);
                    let payload = server.compress(&message);
                    assert!(!payload.ends_with(&TAIL));
                    assert_eq!(inflated(&mut client, &payload), Ok(message));
                }
            }
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_inflated() {
        let (_, mut client) = pair(Plan(None), Params::default());
        // Sections 7.2.3.1 to 7.2.3.5, in a context that goes on.
        for payload in [
            &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
            b"\xf2\x00\x11\x00\x00",
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00",
            b"\xf2\x00\x11\x00\x00",
        ] {
            assert_eq!(inflated(&mut client, payload), Ok(b"Hello".to_vec()));
        }
        assert_eq!(inflated(&mut client, b"\x00"), Ok(Vec::new()));
        assert_eq!(
            inflated(&mut client, b"\xff\xff"),
            Err(InflateError::Invalid)
        );
    }

    #[test]
    fn a_bomb_is_not_inflated_beyond_the_limit() {
        let (mut server, mut client) = pair(Plan(None), Params::default());
        let bomb = server.compress(&vec![0; LIMIT + 1]);
        let mut plain = Vec::new();
        let result = client.inflate(&bomb, &mut plain, LIMIT);
        assert_eq!(result, Err(InflateError::TooBig));
        assert!(plain.capacity() < 3 * LIMIT, "{}", plain.capacity());
    }

    #[test]
    fn each_fault_shows_in_the_next_message() {
        let repeated = sample(1, 2000);
        let agreed = Params {
            server_no_context_takeover: true,
            ..Params::default()
        };
        let (mut server, mut client) = pair(Plan(Some(Fault::KeepsContext)), agreed);
        let payload = server.compress(&repeated);
        assert_eq!(inflated(&mut client, &payload).unwrap(), repeated);
        let payload = server.compress(&repeated);
        assert_ne!(inflated(&mut client, &payload).as_ref(), Ok(&repeated));

        let diverges = Plan(Some(Fault::OwnContextDiverges));
        let (mut server, mut client) = pair(diverges, Params::default());
        let payload = server.compress(&repeated);
        assert_eq!(inflated(&mut client, &payload).unwrap(), repeated);
        let other = sample(7, 2000);
        let payload = server.compress(&other);
        assert_ne!(inflated(&mut client, &payload).as_ref(), Ok(&other));

        let (mut server, _) = pair(Plan(Some(Fault::LeavesTail)), Params::default());
        assert!(server.compress(b"").ends_with(&TAIL));
    }
}
