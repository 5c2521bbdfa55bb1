//! What a client trusts, and who it is.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::danger::AcceptAll;
use super::pem::{TlsError, certificates, private_key, read};
use super::{H2, HTTP_1_1, provider};

/// A client's TLS settings. Cheap to clone.
///
/// The default trusts what the system trusts (on Linux also what `SSL_CERT_FILE`
/// and `SSL_CERT_DIR` name), sends the URL's host as SNI, and has no certificate
/// of its own.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    settings: Settings,
    /// Made once, as it takes a while to read the system's roots.
    built: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    ca: Vec<CertificateDer<'static>>,
    only_given_ca: bool,
    identity: Option<Identity>,
    server_name: Option<ServerName<'static>>,
    accept_invalid: bool,
    config: Option<Arc<ClientConfig>>,
}

#[derive(Clone)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl ClientTls {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in a PEM text too.
    pub fn ca_pem(self, pem: &[u8]) -> Result<Self, TlsError> {
        let found = certificates(pem, None)?;
        Ok(self.with(|settings| settings.ca.extend(found)))
    }

    /// Trusts the certificates in a PEM file too.
    pub fn ca_file(self, path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let path = path.as_ref();
        let found = certificates(&read(path)?, Some(path))?;
        Ok(self.with(|settings| settings.ca.extend(found)))
    }

    /// Trusts the certificates given and not those of the system.
    #[must_use]
    pub fn only_given_ca(self) -> Self {
        self.with(|settings| settings.only_given_ca = true)
    }

    /// Shows the server a certificate where it asks for one: the chain and its
    /// private key, both in PEM.
    pub fn client_certificate_pem(self, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let identity = Identity {
            chain: certificates(chain, None)?,
            key: Arc::new(private_key(key, None)?),
        };
        Ok(self.with(|settings| settings.identity = Some(identity)))
    }

    /// As [`ClientTls::client_certificate_pem`], from files.
    pub fn client_certificate_files(
        self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let (chain, key) = (chain.as_ref(), key.as_ref());
        let identity = Identity {
            chain: certificates(&read(chain)?, Some(chain))?,
            key: Arc::new(private_key(&read(key)?, Some(key))?),
        };
        Ok(self.with(|settings| settings.identity = Some(identity)))
    }

    /// Asks for this name (by SNI) and expects a certificate of it, instead of
    /// the URL's host.
    pub fn server_name(self, name: impl Into<String>) -> Result<Self, TlsError> {
        let name = parse_name(name.into())?;
        Ok(self.with(|settings| settings.server_name = Some(name)))
    }

    /// Takes any certificate, also of a stranger who listens in: for tests alone.
    #[must_use]
    pub fn danger_accept_invalid_certs(self, accept: bool) -> Self {
        self.with(|settings| settings.accept_invalid = accept)
    }

    /// Uses a configuration of rustls instead of all other settings but the
    /// server's name. ALPN is this library's to set.
    #[must_use]
    pub fn config(self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.with(|settings| settings.config = Some(config.into()))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.built = Arc::default();
        self
    }

    /// The configuration, which offers HTTP/2 where that is wanted.
    pub(crate) fn build(&self, http2: bool) -> Result<Arc<ClientConfig>, TlsError> {
        let base = if let Some(built) = self.built.get() {
            built.clone()
        } else {
            let built = self.settings.build()?;
            self.built.get_or_init(|| built).clone()
        };
        let mut config = ClientConfig::clone(&base);
        config.alpn_protocols = if http2 {
            vec![H2.to_vec(), HTTP_1_1.to_vec()]
        } else {
            vec![HTTP_1_1.to_vec()]
        };
        Ok(Arc::new(config))
    }

    /// The name to ask for at this host.
    pub(crate) fn name_for(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.settings.server_name {
            Some(name) => Ok(name.clone()),
            None => parse_name(host.to_owned()),
        }
    }
}

pub(crate) fn parse_name(name: String) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name))
}

impl Settings {
    fn build(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = &self.config {
            return Ok(config.clone());
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier()?);
        Ok(Arc::new(match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key())?
            }
        }))
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        if self.accept_invalid {
            return Ok(Arc::new(AcceptAll::new()));
        }
        let given = self.ca.iter().cloned();
        if !self.only_given_ca {
            let verifier = Verifier::new_with_extra_roots(given, provider());
            return Ok(Arc::new(verifier.map_err(TlsError::Roots)?));
        }
        let mut roots = RootCertStore::empty();
        for certificate in given {
            roots
                .add(certificate)
                .map_err(|error| TlsError::Ca(error.to_string()))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = verifier
            .build()
            .map_err(|error| TlsError::Ca(error.to_string()))?;
        Ok(verifier)
    }
}

/// Whether a TLS handshake failed because of what the server is or says, and
/// not of the network.
pub(crate) fn is_certificates_fault(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner
        .and_then(|e| e.downcast_ref::<rustls::Error>())
        .is_some_and(is_about_certificates)
}

/// What another try will not change. Anything else may come from something on the
/// way, or from a server that is starting.
fn is_about_certificates(error: &rustls::Error) -> bool {
    use rustls::{AlertDescription as Alert, Error};
    match error {
        Error::InvalidCertificate(_)
        | Error::NoCertificatesPresented
        | Error::InvalidCertRevocationList(_) => true,
        Error::AlertReceived(alert) => matches!(
            alert,
            Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::CertificateRequired
                | Alert::AccessDenied
        ),
        _ => false,
    }
}
