//! Names and passwords (RFC 7617).
//!
//! A password is in the file as it is, or as bcrypt's digest of it, which takes long to
//! compute: so few are computed at a time, and those that were right are kept, under a
//! key of this run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::hmac;
use tokio::sync::Semaphore;

use super::tokens::new_key;
use super::{User, secrets};

/// Digests that are computed at the same time.
const AT_ONCE: usize = 2;

/// Requests that wait for theirs; those above are refused.
const WAITING: usize = 64;

pub(super) struct Passwords {
    key: hmac::Key,
    known: HashMap<Arc<str>, Secret>,
    /// What is compared where the name is unknown, so that it takes as long.
    nobody: Secret,
    computing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

enum Secret {
    Plain(hmac::Tag),
    Digest {
        bcrypt: String,
        /// The password that was right.
        right: Mutex<Option<hmac::Tag>>,
    },
}

impl Passwords {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let key = new_key()?;
        let mut known = HashMap::new();
        let mut costliest = None;
        for (line, text) in secrets::lines(text) {
            let named = text
                .split_once(':')
                .filter(|(name, secret)| !name.is_empty() && !secret.is_empty());
            let Some((name, secret)) = named else {
                return Err(format!(
                    "line {line}: expected NAME:PASSWORD, got something else"
                ));
            };
            let secret = if secret.starts_with("$2") {
                // It is computed once here, to know that it can be.
                let parts: Result<bcrypt::HashParts, _> = secret.parse();
                let parts = parts.map_err(|error| format!("line {line}: {error}"))?;
                costliest = costliest.max(Some((parts.get_cost(), secret.to_owned())));
                digest(secret)
            } else {
                Secret::Plain(hmac::sign(&key, secret.as_bytes()))
            };
            if known.insert(name.into(), secret).is_some() {
                return Err(format!(
                    "line {line}: expected each name once, got it again"
                ));
            }
        }
        if known.is_empty() {
            return Err("expected NAME:PASSWORD in a line, got none".to_owned());
        }
        let nobody = match costliest {
            Some((_, bcrypt)) => digest(&bcrypt),
            None => Secret::Plain(hmac::sign(&new_key()?, b"")),
        };
        Ok(Self {
            key,
            known,
            nobody,
            computing: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
        })
    }

    pub(super) async fn user(&self, name: &str, password: &str) -> Option<User> {
        let known = self.known.get_key_value(name);
        let secret = known.map_or(&self.nobody, |(_, secret)| secret);
        let is_right = self.is_right(secret, password).await;
        if !is_right && matches!(secret, Secret::Plain(_)) {
            // As long as for a name that is not known.
            self.is_right(&self.nobody, password).await;
        }
        let (name, _) = known.filter(|_| is_right)?;
        Some(User {
            name: name.clone(),
            scheme: "Basic",
            until: None,
        })
    }

    async fn is_right(&self, secret: &Secret, password: &str) -> bool {
        let verify =
            |tag: &hmac::Tag| hmac::verify(&self.key, password.as_bytes(), tag.as_ref()).is_ok();
        let (bcrypt, right) = match secret {
            Secret::Plain(tag) => return verify(tag),
            Secret::Digest { bcrypt, right } => (bcrypt, right),
        };
        let known = right
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(verify);
        if known {
            return true;
        }
        let Ok(_waiting) = self.waiting.clone().try_acquire_owned() else {
            tracing::warn!("refused a password: too many wait to be looked at");
            return false;
        };
        let Ok(computing) = self.computing.clone().acquire_owned().await else {
            return false;
        };
        let (bcrypt, given) = (bcrypt.clone(), password.to_owned());
        let verified = tokio::task::spawn_blocking(move || {
            // Also where the client does not wait for it.
            let _computing = computing;
            bcrypt::verify(given, &bcrypt)
        });
        let is_right = matches!(verified.await, Ok(Ok(true)));
        // What is right for nobody lets nobody in.
        if is_right && !std::ptr::eq(secret, &raw const self.nobody) {
            let tag = hmac::sign(&self.key, password.as_bytes());
            *right.lock().unwrap_or_else(PoisonError::into_inner) = Some(tag);
        }
        is_right
    }
}

fn digest(bcrypt: &str) -> Secret {
    Secret::Digest {
        bcrypt: bcrypt.to_owned(),
        right: Mutex::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `correct horse`, as cheap as can be.
    fn hashed() -> String {
        bcrypt::hash_with_salt("correct horse", 4, [7; 16])
            .unwrap()
            .to_string()
    }

    #[tokio::test]
    async fn a_password_is_right_as_it_is_or_by_its_digest() {
        let passwords = Passwords::parse(&format!("ann:plain: one\nbob:{}", hashed())).unwrap();
        for (name, password, right) in [
            ("ann", "plain: one", true),
            ("ann", "plain", false),
            ("bob", "correct horse", true),
            ("bob", "correct horse", true),
            ("bob", "correct", false),
            ("eve", "correct horse", false),
            ("", "", false),
        ] {
            let user = passwords.user(name, password).await;
            assert_eq!(user.is_some(), right, "{name}");
        }
    }

    #[test]
    fn a_line_that_is_wrong_is_told_by_its_number() {
        for (text, line) in [
            ("ann:a\nbob", "line 2"),
            ("ann:a\nann:b", "line 2"),
            ("ann:$2y$99$x", "line 1"),
        ] {
            let problem = Passwords::parse(text).err().unwrap();
            assert!(problem.contains(line), "{problem}");
        }
    }
}
