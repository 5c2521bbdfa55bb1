//! Certificates and keys, from PEM and from files.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("could not read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing, or something broken, where certificates should be.
    #[error("expected certificates in PEM{}, got {got}", of(.path.as_deref()))]
    Certificates {
        /// The file, where it is one.
        path: Option<PathBuf>,
        /// What was there.
        got: String,
    },
    /// There is nothing, or something broken, where a private key should be.
    #[error("expected a private key in PEM{}, got {got}", of(.path.as_deref()))]
    Key {
        /// The file, where it is one.
        path: Option<PathBuf>,
        /// What was there.
        got: String,
    },
    /// rustls does not take the certificates, or the key is not theirs.
    #[error("the certificate cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
    /// The system's root certificates cannot be used.
    #[error("the system's root certificates cannot be used: {0}")]
    Roots(rustls::Error),
    /// The certificates of a CA cannot be used.
    #[error("the certificates of the CA cannot be used: {0}")]
    Ca(String),
    /// A server name that is none.
    #[error("expected a host name or an IP address as the server's name, got {0:?}")]
    ServerName(String),
}

fn of(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" in {}", path.display()))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

/// All certificates of a PEM text, at least one.
pub(super) fn certificates(
    pem: &[u8],
    path: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |got: String| TlsError::Certificates {
        path: path.map(Path::to_owned),
        got,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| bad(error.to_string()))?;
    if found.is_empty() {
        return Err(bad("none".to_owned()));
    }
    Ok(found)
}

/// The first private key of a PEM text.
pub(super) fn private_key(
    pem: &[u8],
    path: Option<&Path>,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| TlsError::Key {
        path: path.map(Path::to_owned),
        got: match error {
            rustls::pki_types::pem::Error::NoItemsFound => "none".to_owned(),
            error => error.to_string(),
        },
    })
}
