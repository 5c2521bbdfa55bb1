//! permessage-deflate for whoever looks on or breaks it (RFC 7692).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The parameters a server agreed to (section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeflateParams {
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_max_window_bits: u8,
    pub(crate) client_max_window_bits: u8,
}

impl DeflateParams {
    /// What a response's `Sec-WebSocket-Extensions` agrees to; `None` where that
    /// is no permessage-deflate.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        // A list (RFC 6455 section 9.1); there are commas in quoted values too.
        let mut is_quoted = false;
        let extensions = header.split(|char| {
            is_quoted ^= char == '"';
            char == ',' && !is_quoted
        });
        extensions.map(str::trim).find_map(Self::parse_one)
    }

    fn parse_one(extension: &str) -> Option<Self> {
        let mut parts = extension.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
            return None;
        }
        let mut params = Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let bits = value.trim().trim_matches('"').parse().unwrap_or(15);
            match name.trim() {
                "server_no_context_takeover" => params.server_no_context_takeover = true,
                "client_no_context_takeover" => params.client_no_context_takeover = true,
                "server_max_window_bits" => params.server_max_window_bits = bits,
                "client_max_window_bits" => params.client_max_window_bits = bits,
                _ => {}
            }
        }
        Some(params)
    }
}

/// What ends each message and is left off on the wire (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// Compresses the messages of one direction.
#[derive(Debug)]
pub(crate) struct Deflater {
    machine: Compress,
    no_context_takeover: bool,
}

impl Deflater {
    /// With a window of `bits`, which zlib has from 9 on.
    pub(crate) fn new(bits: u8, no_context_takeover: bool) -> Self {
        let bits = bits.clamp(9, 15);
        Self {
            machine: Compress::new_with_window_bits(Compression::default(), false, bits),
            no_context_takeover,
        }
    }

    /// The payload of a compressed message.
    pub(crate) fn deflate(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut compressed = Vec::with_capacity(plain.len() / 2 + 64);
        let start = self.machine.total_in();
        loop {
            let done = (self.machine.total_in() - start) as usize;
            let before = compressed.len();
            let result =
                self.machine
                    .compress_vec(&plain[done..], &mut compressed, FlushCompress::Sync);
            // All is taken and all is out where room is left over.
            let is_all_out = compressed.len() < compressed.capacity();
            let is_stuck = !matches!(result, Ok(Status::Ok | Status::StreamEnd));
            if is_all_out || (is_stuck && compressed.len() == before) {
                break;
            }
            compressed.reserve(4096);
        }
        if compressed.ends_with(&TAIL) {
            compressed.truncate(compressed.len() - TAIL.len());
        }
        if self.no_context_takeover {
            self.machine.reset();
        }
        if compressed.is_empty() {
            compressed.push(0);
        }
        compressed
    }
}

/// Why a message could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InflateError {
    /// It is no DEFLATE data.
    #[error("the compressed data is invalid")]
    Invalid,
    /// More came out than was to be kept.
    #[error("the message is larger than {0} bytes")]
    TooLarge(usize),
}

/// Inflates the messages of one direction.
#[derive(Debug)]
pub(crate) struct Inflater {
    machine: Decompress,
    no_context_takeover: bool,
}

impl Inflater {
    pub(crate) fn new(no_context_takeover: bool) -> Self {
        Self {
            // The largest window reads what any window wrote.
            machine: Decompress::new(false),
            no_context_takeover,
        }
    }

    /// The plain message, of `most` bytes at most.
    pub(crate) fn inflate(
        &mut self,
        compressed: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, InflateError> {
        let mut plain = Vec::new();
        for mut input in [compressed, &TAIL[..]] {
            loop {
                plain.reserve((input.len() * 2).clamp(64, 64 << 10));
                let (before_in, before_out) = (self.machine.total_in(), plain.len());
                let status = self
                    .machine
                    .decompress_vec(input, &mut plain, FlushDecompress::Sync)
                    .map_err(|_| InflateError::Invalid)?;
                input = &input[(self.machine.total_in() - before_in) as usize..];
                if plain.len() > most {
                    return Err(InflateError::TooLarge(most));
                }
                if status == Status::StreamEnd {
                    // A final block: what follows it begins anew (section 7.2.3.4).
                    self.machine.reset(false);
                }
                let is_all_out = plain.len() < plain.capacity();
                if input.is_empty() && is_all_out {
                    break;
                }
                if before_out == plain.len() && status == Status::BufError {
                    break;
                }
            }
        }
        if self.no_context_takeover {
            self.machine.reset(false);
        }
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_any_size_come_back_with_and_without_context() {
        for no_context_takeover in [false, true] {
            for bits in [9, 12, 15] {
                let mut deflater = Deflater::new(bits, no_context_takeover);
                let mut inflater = Inflater::new(no_context_takeover);
                for size in [0, 1, 5, 1000, 70_000, 1 << 20] {
                    let plain: Vec<u8> = (0..size).map(|i: u64| (i * i % 251) as u8).collect();
                    let compressed = deflater.deflate(&plain);
                    assert_eq!(
                        inflater.inflate(&compressed, 1 << 21),
                        Ok(plain),
                        "{bits} {size}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_inflated() {
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
        let mut inflater = Inflater::new(false);
        assert_eq!(inflater.inflate(&hello, 99).unwrap(), b"Hello");
        assert_eq!(inflater.inflate(&again, 99).unwrap(), b"Hello");
        // Section 7.2.3.4: a block with BFINAL set.
        let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(Inflater::new(false).inflate(&last, 99).unwrap(), b"Hello");
    }

    #[test]
    fn a_bomb_ends_at_the_limit_and_nonsense_is_told() {
        let bomb = Deflater::new(15, true).deflate(&vec![0; 10 << 20]);
        let error = Inflater::new(true).inflate(&bomb, 1 << 20);
        assert_eq!(error, Err(InflateError::TooLarge(1 << 20)));
        let error = Inflater::new(true).inflate(&[0xFF; 8], 99);
        assert_eq!(error, Err(InflateError::Invalid));
    }

    #[test]
    fn the_parameters_are_read_from_the_response() {
        let header = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10";
        let params = DeflateParams::parse(header).unwrap();
        assert!(params.server_no_context_takeover && !params.client_no_context_takeover);
        assert_eq!(
            (params.server_max_window_bits, params.client_max_window_bits),
            (15, 10)
        );
        assert_eq!(DeflateParams::parse("x-other"), None);
        for list in [
            "x-other; a=\"b, permessage-deflate\", permessage-deflate; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover, x-other; server_no_context_takeover",
        ] {
            let params = DeflateParams::parse(list).unwrap();
            assert!(params.client_no_context_takeover && !params.server_no_context_takeover);
        }
        assert_eq!(
            DeflateParams::parse("x-other; a=\"b, permessage-deflate\""),
            None
        );
    }
}
