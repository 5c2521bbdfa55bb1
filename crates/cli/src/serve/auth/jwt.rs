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
    /// Seconds, maybe with a fraction (RFC 7519 section 2).
    exp: f64,
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
        let name = claims.sub.unwrap_or_default();
        if name.contains(char::is_control) {
            tracing::info!(
                "refused a JSON Web Token: expected a name in sub, got control characters"
            );
            return None;
        }
        // What is beyond all clocks does not come.
        let until = Duration::try_from_secs_f64(claims.exp).ok();
        let until = until.map(|until| until.saturating_add(Duration::from_secs(LEEWAY)));
        Some(User {
            name: name.into(),
            scheme: "Bearer",
            until: until.and_then(|until| SystemTime::UNIX_EPOCH.checked_add(until)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
    use serde_json::{Value, json};

    /// Of RSA, which takes too long to make; its other half is gone.
    const RSA: &[u8] = include_bytes!("testdata/rsa.pem");
    /// Of `ann`, signed by it, good to the end of this century.
    const RS256: &str = include_str!("testdata/rs256.jwt");

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn now() -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap().as_secs()
    }

    fn hs256(claims: &Value) -> String {
        let key = EncodingKey::from_secret(SECRET);
        encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
    }

    fn name(jwt: &Jwt, token: &str) -> Option<String> {
        jwt.user(token).map(|user| user.name.to_string())
    }

    #[test]
    fn a_time_may_have_a_fraction_and_a_name_no_control_characters() {
        let jwt = Jwt::new(SECRET, None, None).unwrap();
        for (claims, expected) in [
            (
                json!({"sub": "ann", "exp": format!("{}.5", now() + 60).parse::<f64>().unwrap()}),
                Some("ann"),
            ),
            (json!({"sub": "a\u{0}b", "exp": now() + 60}), None),
            (json!({"sub": "a\nb", "exp": now() + 60}), None),
        ] {
            let name = name(&jwt, &hs256(&claims));
            assert_eq!(name.as_deref(), expected, "{claims}");
        }
    }

    #[test]
    fn the_key_says_which_algorithm_is_right() {
        let claims = json!({"sub": "ann", "exp": now() + 60});
        let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let sign =
            |algorithm, key: &EncodingKey| encode(&Header::new(algorithm), &claims, key).unwrap();
        let pem = |pair: &KeyPair| pair.serialize_pem().into_bytes();
        let es256 = sign(
            Algorithm::ES256,
            &EncodingKey::from_ec_pem(&pem(&ec)).unwrap(),
        );
        let eddsa = sign(
            Algorithm::EdDSA,
            &EncodingKey::from_ed_pem(&pem(&ed)).unwrap(),
        );
        let tokens = [hs256(&claims), RS256.trim().to_owned(), es256, eddsa];
        let keys = [
            SECRET.to_vec(),
            RSA.to_vec(),
            ec.public_key_pem().into_bytes(),
            ed.public_key_pem().into_bytes(),
        ];
        for (i, key) in keys.iter().enumerate() {
            let jwt = Jwt::new(key, None, None).unwrap();
            for (j, token) in tokens.iter().enumerate() {
                let expected = (i == j).then(|| "ann".to_owned());
                assert_eq!(name(&jwt, token), expected, "key {i}, token {j}");
            }
        }
    }

    #[test]
    fn a_token_that_is_not_signed_or_by_a_public_key_is_refused() {
        let claims = json!({"sub": "eve", "exp": now() + 60});
        // The public key, which all know, as if it were a secret.
        let confused = EncodingKey::from_secret(RSA);
        let confused = encode(&Header::new(Algorithm::HS256), &claims, &confused).unwrap();
        let jwt = Jwt::new(RSA, None, None).unwrap();
        assert_eq!(name(&jwt, &confused), None);
        let signed = hs256(&claims);
        let mut parts = signed.split('.');
        let (_, claims) = (parts.next().unwrap(), parts.next().unwrap());
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        for key in [SECRET, RSA] {
            assert_eq!(name(&Jwt::new(key, None, None).unwrap(), &unsigned), None);
        }
    }

    #[test]
    fn time_issuer_and_audience_are_checked() {
        let plain = Jwt::new(SECRET, None, None).unwrap();
        let strict = Jwt::new(SECRET, Some("us"), Some("chat")).unwrap();
        let (past, soon) = (now() - 120, now() + 120);
        for (claims, is_plain, is_strict) in [
            (
                json!({"exp": soon, "iss": "us", "aud": "chat"}),
                false,
                true,
            ),
            (
                json!({"exp": soon, "iss": "us", "aud": ["x", "chat"]}),
                false,
                true,
            ),
            (
                json!({"exp": soon, "iss": "them", "aud": "chat"}),
                false,
                false,
            ),
            (
                json!({"exp": soon, "iss": "us", "aud": "mail"}),
                false,
                false,
            ),
            (json!({"exp": soon, "iss": "us"}), true, false),
            (json!({"exp": soon, "aud": "chat"}), false, false),
            (json!({"exp": soon}), true, false),
            (json!({"exp": soon, "nbf": past}), true, false),
            (json!({"exp": soon, "nbf": soon}), false, false),
            (json!({"exp": past}), false, false),
            (json!({"sub": "ann"}), false, false),
        ] {
            let token = hs256(&claims);
            assert_eq!(name(&plain, &token).is_some(), is_plain, "{claims}");
            assert_eq!(name(&strict, &token).is_some(), is_strict, "{claims}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_right_is_told() {
        let private = KeyPair::generate().unwrap().serialize_pem();
        for (key, told) in [
            (private.as_bytes(), "expected a public key"),
            (b"short".as_slice(), "32 bytes"),
            (b"-----BEGIN PUBLIC KEY-----\n", "in PEM"),
        ] {
            let problem = Jwt::new(key, None, None).err().unwrap();
            assert!(problem.contains(told), "{problem}");
        }
    }
}
