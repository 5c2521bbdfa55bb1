//! Tokens that are known in advance (RFC 6750).

use std::sync::Arc;

use ring::hmac;
use ring::rand::SystemRandom;

use super::{User, secrets};

/// Shortest token that is taken: less is guessed.
const LEAST: usize = 16;

/// Who is meant where a token has no name.
const NAMELESS: &str = "token";

/// Known tokens, as digests under a key of this run: what is compared tells nothing
/// of them, and takes the same time for all.
pub(super) struct Tokens {
    key: hmac::Key,
    known: Vec<(Arc<str>, hmac::Tag)>,
}

impl Tokens {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let key = new_key()?;
        let mut known = Vec::new();
        for (line, text) in secrets::lines(text) {
            let (name, token) = text.split_once(':').unwrap_or((NAMELESS, text));
            let token = token.trim();
            if token.len() < LEAST {
                let len = token.len();
                return Err(format!(
                    "line {line}: expected a token of {LEAST} characters at least, got {len}"
                ));
            }
            known.push((name.into(), hmac::sign(&key, token.as_bytes())));
        }
        if known.is_empty() {
            return Err("expected a token in a line, got none".to_owned());
        }
        Ok(Self { key, known })
    }

    pub(super) fn user(&self, token: &str) -> Option<User> {
        let mut found = None;
        // To the end, so that the time does not tell which it is.
        for (name, tag) in &self.known {
            if hmac::verify(&self.key, token.as_bytes(), tag.as_ref()).is_ok() {
                found = Some(name.clone());
            }
        }
        found.map(|name| User {
            name,
            scheme: "Bearer",
            until: None,
        })
    }
}

/// A key that nobody knows.
pub(super) fn new_key() -> Result<hmac::Key, String> {
    hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
        .map_err(|_| "the system has no random numbers".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_owners_and_all_of_it_counts() {
        let tokens = Tokens::parse("# ours\nann: 0123456789abcdef\n\nfedcba9876543210").unwrap();
        let name = |token| tokens.user(token).map(|user| user.name.to_string());
        assert_eq!(name("0123456789abcdef").as_deref(), Some("ann"));
        assert_eq!(name("fedcba9876543210").as_deref(), Some("token"));
        for wrong in ["", "0123456789abcde", "0123456789abcdef0", "ann"] {
            assert_eq!(name(wrong), None);
        }
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused_with_its_line() {
        let problem = Tokens::parse("# none\nann:secret").err().unwrap();
        assert!(problem.contains("line 2"), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
        assert!(Tokens::parse("# none\n").is_err());
    }
}
