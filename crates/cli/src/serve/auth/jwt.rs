//! JSON Web Tokens (RFC 7519).
//!
//! The key says which algorithm is right, never the token: one that is not signed, or
//! is "signed" by a public key as if that were a secret, is refused.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use super::User;

/// Shortest secret of HS256 (RFC 7518 section 3.2).
const LEAST: usize = 32;

/// By how much clocks may differ.
const LEEWAY: u64 = 30;

pub(super) struct Jwt {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Option<String>,
    exp: u64,
}

impl Jwt {
    /// Takes the tokens that this key is for.
    pub(super) fn new(
        key: &[u8],
        issuer: Option<&str>,
        audience: Option<&str>,
    ) -> Result<Self, String> {
        let (key, algorithm) = decoding_key(key)?;
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        if let Some(issuer) = issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Ok(Self { key, validation })
    }

    pub(super) fn user(&self, token: &str) -> Option<User> {
        let decoded = decode::<Claims>(token, &self.key, &self.validation);
        let claims = match decoded {
            Ok(decoded) => decoded.claims,
            Err(error) => {
                tracing::info!(%error, "refused a JSON Web Token");
                return None;
            }
        };
        let until = Duration::from_secs(claims.exp.saturating_add(LEEWAY));
        Some(User {
            name: claims.sub.unwrap_or_default().into(),
            scheme: "Bearer",
            until: SystemTime::UNIX_EPOCH.checked_add(until),
        })
    }
}

/// The key and the one algorithm that it is for.
fn decoding_key(key: &[u8]) -> Result<(DecodingKey, Algorithm), String> {
    let text = String::from_utf8_lossy(key);
    if text.contains("-----BEGIN") {
        if text.contains("PRIVATE KEY") {
            return Err("expected a public key, got a private one, which has no place here".into());
        }
        return DecodingKey::from_rsa_pem(key)
            .map(|key| (key, Algorithm::RS256))
            .or_else(|_| DecodingKey::from_ec_pem(key).map(|key| (key, Algorithm::ES256)))
            .or_else(|_| DecodingKey::from_ed_pem(key).map(|key| (key, Algorithm::EdDSA)))
            .map_err(|_| {
                "expected a public key of RSA, P-256 or Ed25519 in PEM, got another".into()
            });
    }
    // Editors end files with a line's end.
    let secret = text.trim_end_matches(['\r', '\n']).as_bytes();
    if secret.len() < LEAST {
        let len = secret.len();
        return Err(format!(
            "expected a secret of {LEAST} bytes at least, got {len}"
        ));
    }
    Ok((DecodingKey::from_secret(secret), Algorithm::HS256))
}
