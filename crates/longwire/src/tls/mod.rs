//! TLS by rustls: [`ClientTls`] and [`ServerTls`], what each end is told.
//!
//! Read `pem` (certificates and keys from files), `danger` (no checks at all),
//! then `client` and `server`.

mod pem;

mod danger;

mod client;

mod server;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use client::ClientTls;
pub(crate) use client::{is_certificates_fault, parse_name};
pub use pem::TlsError;
pub use server::ServerTls;

/// HTTP/2 in ALPN (RFC 7301).
pub(crate) const H2: &[u8] = b"h2";

/// HTTP/1.1 in ALPN.
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
