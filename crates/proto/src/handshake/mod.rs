//! The opening handshake (RFC 6455 section 4), as functions from request to
//! response and from response to verdict: [`server`] and [`client`]. Reading
//! and writing HTTP is left to whoever has the transport.

pub mod client;
pub mod server;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest as _, Sha1};

/// The one version of the protocol (section 4.1, item 9).
pub const VERSION: &str = "13";

/// What is appended to the key before hashing (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Base64 as the handshake has it. The last character of a 16-byte value has
/// four bits that carry nothing; what a client puts there is its own matter.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

//= rfc6455#4.2.2-12
/// The `Sec-WebSocket-Accept` value that answers a `Sec-WebSocket-Key` (section
/// 4.2.2, item 5.4).
///
/// ```
/// use longwire_proto::handshake::accept_for_key;
/// assert_eq!(accept_for_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_for_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID);
    BASE64.encode(hash.finalize())
}

/// Whether the value is the base64 form of exactly 16 bytes.
fn is_key(value: &str) -> bool {
    let mut bytes = [0; 18];
    value.len() == 24 && BASE64.decode_slice(value, &mut bytes) == Ok(16)
}

/// The base64 form of a client's 16 random bytes.
fn encode_key(nonce: [u8; 16]) -> String {
    BASE64.encode(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_key_of_the_rfc_has_its_accept_value() {
        assert_eq!(
            accept_for_key("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn a_key_is_16_bytes_in_base64_and_nothing_else() {
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(is_key(&encode_key([0xff; 16])));
        for bad in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZWVl",
            "dGhlIHNhbXBsZSBub25jZ*==",
            "AAAA",
        ] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
