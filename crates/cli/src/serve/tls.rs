//! The certificate of `longwire serve`: from files, or made on the spot.

use longwire::ServerTls;
use longwire::tls::TlsError;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::args::serve::TlsArgs;

impl TlsArgs {
    /// TLS as asked for, or none.
    pub(super) fn tls(&self, listen: &str) -> Result<Option<ServerTls>, String> {
        if self.tls_self_signed {
            return self_signed(listen).map(Some);
        }
        let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let tls = ServerTls::from_pem_files(cert, key);
        tls.map(Some).map_err(|error: TlsError| error.to_string())
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.tls_self_signed
    }
}

fn self_signed(listen: &str) -> Result<ServerTls, String> {
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
