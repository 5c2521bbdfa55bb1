//! TLS towards the clients of a proxy.

use std::time::Duration;

use longwire::ServerTls;
use longwire::tls::TlsError;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::endpoint::Stream;
use crate::args::serve::TlsArgs;

/// How long a client may take for the TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// TLS as asked for, or none.
pub(super) fn of(args: &TlsArgs, listen: &str) -> Result<Option<ServerTls>, String> {
    let told = |error: TlsError| error.to_string();
    let tls = match (&args.tls_cert, &args.tls_key) {
        _ if args.tls_self_signed => self_signed(listen)?,
        (Some(cert), Some(key)) => ServerTls::from_pem_files(cert, key).map_err(told)?,
        (None, None) if args.tls_client_ca.is_none() => return Ok(None),
        (None, None) => {
            return Err("--tls-client-ca needs a certificate: --tls-cert and --tls-key, or --tls-self-signed".to_owned());
        }
        _ => return Err("expected both --tls-cert and --tls-key, got one of them".to_owned()),
    };
    let tls = match &args.tls_client_ca {
        Some(ca) => {
            let pem = std::fs::read(ca)
                .map_err(|error| format!("could not read {}: {error}", ca.display()))?;
            tls.client_ca_pem(&pem).map_err(told)?
        }
        None => tls,
    };
    // What is read behind it is HTTP/1.1.
    Ok(Some(tls.http2(false)))
}

/// The stream behind a client's handshake, or why there is none.
pub(super) async fn accept(tls: &ServerTls, client: Stream) -> Result<Stream, String> {
    // Where the files cannot be used now, the certificate stays as it was.
    let _ = tls.reload();
    match tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(client)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(format!("no TLS handshake: {error}")),
        Err(_) => Err("no TLS handshake in time".to_owned()),
    }
}

/// A certificate for this run.
fn self_signed(listen: &str) -> Result<ServerTls, String> {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    let mut names = vec!["localhost", "127.0.0.1", "::1"];
    if !host.is_empty() && !names.contains(&host) {
        names.push(host);
    }
    let names = names.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let made = generate_simple_self_signed(names).map_err(|error| error.to_string())?;
    let CertifiedKey { cert, signing_key } = made;
    let (chain, key) = (cert.pem(), signing_key.serialize_pem());
    ServerTls::from_pem(chain.as_bytes(), key.as_bytes()).map_err(|error| error.to_string())
}
