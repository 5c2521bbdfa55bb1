//! The certificate of `longwire serve`: from files, or made on the spot.

use longwire::ServerTls;
use longwire::tls::TlsError;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::args::serve::TlsArgs;

impl TlsArgs {
    /// TLS with the certificate in files, or the one that `make` makes; or none.
    pub(super) fn server(
        &self,
        make: impl FnOnce() -> Result<ServerTls, String>,
    ) -> Result<Option<ServerTls>, String> {
        let told = |error: TlsError| error.to_string();
        let tls = match (&self.tls_cert, &self.tls_key) {
            _ if self.tls_self_signed => make()?,
            (Some(cert), Some(key)) => ServerTls::from_pem_files(cert, key).map_err(told)?,
            (None, None) if self.tls_client_ca.is_none() => return Ok(None),
            (None, None) => {
                return Err(
                    "expected --tls-cert and --tls-key, or --tls-self-signed, where there is --tls-client-ca, got neither"
                        .to_owned(),
                );
            }
            _ => return Err("expected both --tls-cert and --tls-key, got one of them".to_owned()),
        };
        let Some(ca) = &self.tls_client_ca else {
            return Ok(Some(tls));
        };
        let pem = std::fs::read(ca)
            .map_err(|error| format!("could not read {}: {error}", ca.display()))?;
        tls.client_ca_pem(&pem).map(Some).map_err(told)
    }

    /// Whether the server speaks TLS.
    pub(super) fn is_asked_for(&self) -> bool {
        self.tls_self_signed || self.tls_cert.is_some()
    }
}

/// TLS with a certificate of our own making.
pub(super) fn self_signed(listen: &str) -> Result<ServerTls, String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let own = host.trim_matches(['[', ']']).to_owned();
    if !own.is_empty() && !names.contains(&own) {
        names.push(own);
    }
    let made = generate_simple_self_signed(names);
    let CertifiedKey { cert, signing_key } = made.map_err(|error| error.to_string())?;
    let (chain, key) = (cert.pem(), signing_key.serialize_pem());
    ServerTls::from_pem(chain.as_bytes(), key.as_bytes()).map_err(|error| error.to_string())
}
