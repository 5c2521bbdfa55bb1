//! Who a server is: its certificate, renewed while it runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::pem::{TlsError, certificates, private_key, read};
use super::{H2, HTTP_1_1, provider};

/// A server's TLS settings. Cheap to clone: clones have the same certificate.
#[derive(Clone, Debug)]
pub struct ServerTls {
    identity: Arc<Identity>,
    client_ca: Vec<CertificateDer<'static>>,
    reload_interval: Option<Duration>,
    http2: bool,
}

/// The certificate in use, and the files it comes from.
#[derive(Debug)]
struct Identity {
    current: RwLock<Arc<CertifiedKey>>,
    files: Option<Files>,
}

struct Files {
    chain: PathBuf,
    key: PathBuf,
    /// What was last read: chain and key.
    read: Mutex<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("chain", &self.chain)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// The certificate chain and its private key, both in PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self::new(Identity {
            current: RwLock::new(certified(chain, key, None)?),
            files: None,
        }))
    }

    /// The certificate chain and its private key from PEM files. They are read
    /// again every 10 s ([`ServerTls::reload_interval`]) while the server runs:
    /// new connections get the new certificate, open ones go on.
    pub fn from_pem_files(
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let (chain, key) = (chain.into(), key.into());
        let read = (read(&chain)?, read(&key)?);
        Ok(Self::new(Identity {
            current: RwLock::new(certified(&read.0, &read.1, Some((&chain, &key)))?),
            files: Some(Files {
                chain,
                key,
                read: Mutex::new(read),
            }),
        }))
    }

    fn new(identity: Identity) -> Self {
        Self {
            identity: Arc::new(identity),
            client_ca: Vec::new(),
            reload_interval: Some(Duration::from_secs(10)),
            http2: true,
        }
    }

    /// Takes only clients with a certificate of this CA, in PEM.
    pub fn client_ca_pem(mut self, pem: &[u8]) -> Result<Self, TlsError> {
        self.client_ca.extend(certificates(pem, None)?);
        Ok(self)
    }

    /// How often the files are looked at: every 10 s. `None` leaves it to
    /// [`ServerTls::reload`].
    #[must_use]
    pub fn reload_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.reload_interval = interval.into();
        self
    }

    /// Whether HTTP/2 is offered by ALPN: it is.
    #[must_use]
    pub fn http2(mut self, http2: bool) -> Self {
        self.http2 = http2;
        self
    }

    /// Reads the files again; whether they have changed. Where they cannot be
    /// used, the certificate stays as it was.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Some(files) = &self.identity.files else {
            return Ok(false);
        };
        let fresh = (read(&files.chain)?, read(&files.key)?);
        let mut known = files.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == fresh {
            return Ok(false);
        }
        let certified = certified(&fresh.0, &fresh.1, Some((&files.chain, &files.key)))?;
        let mut current = self
            .identity
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = certified;
        *known = fresh;
        Ok(true)
    }

    /// Does the server's part of a TLS handshake and gives the byte stream behind
    /// it, for tools that speak what comes then themselves; a [`crate::Server`] needs
    /// no such call. How long a client may take is the caller's to say.
    ///
    /// # Errors
    ///
    /// The stream failed, or the client and this server do not agree.
    pub async fn accept<T>(
        &self,
        stream: T,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<T>>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let config = self.build().map_err(io::Error::other)?;
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Reloads for as long as it is polled.
    pub(crate) async fn keep_fresh(self) {
        let Some(interval) = self.reload_interval else {
            return;
        };
        if self.identity.files.is_none() {
            return;
        }
        loop {
            tokio::time::sleep(interval).await;
            let this = self.clone();
            match tokio::task::spawn_blocking(move || this.reload()).await {
                Ok(Ok(true)) => tracing::info!("the certificate is renewed"),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the certificate stays as it was"),
            }
        }
    }

    pub(crate) fn build(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let builder = if self.client_ca.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for certificate in &self.client_ca {
                roots
                    .add(certificate.clone())
                    .map_err(|error| TlsError::Ca(error.to_string()))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| TlsError::Ca(error.to_string()))?,
            )
        };
        let mut config = builder.with_cert_resolver(self.identity.clone());
        config.alpn_protocols = if self.http2 {
            vec![H2.to_vec(), HTTP_1_1.to_vec()]
        } else {
            vec![HTTP_1_1.to_vec()]
        };
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read();
        Some(current.unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The chain with its key, which must belong together.
fn certified(
    chain: &[u8],
    key: &[u8],
    paths: Option<(&Path, &Path)>,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(chain, paths.map(|(chain, _)| chain))?;
    let key = private_key(key, paths.map(|(_, key)| key))?;
    let certified = CertifiedKey::from_der(chain, key, &provider())?;
    Ok(Arc::new(certified))
}
