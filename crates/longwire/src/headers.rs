//! Headers that a program gives one by one, to be judged at the end.

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::UsageError;

/// Headers, and the first that was none.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenHeaders {
    map: HeaderMap,
    bad: Option<(String, String)>,
}

impl GivenHeaders {
    pub(crate) fn append(&mut self, name: &str, value: &str) {
        match (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(is_secret(name.as_str()));
                self.map.append(name, value);
            }
            _ => {
                self.bad.get_or_insert_with(|| {
                    let shown = if is_secret(name) { "..." } else { value };
                    (name.to_owned(), shown.to_owned())
                });
            }
        }
    }

    pub(crate) fn replace(&mut self, name: &HeaderName, value: &str) {
        self.map.remove(name);
        self.append(name.as_str(), value);
    }

    /// Sets a header whose value is one already.
    pub(crate) fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.map.insert(name, value);
    }

    /// The headers, if all are.
    pub(crate) fn get(&self) -> Result<&HeaderMap, UsageError> {
        match self.bad.clone() {
            None => Ok(&self.map),
            Some((name, value)) => Err(UsageError::Header { name, value }),
        }
    }
}

/// Whether what a header has is kept out of logs and errors.
fn is_secret(name: &str) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE]
        .iter()
        .any(|secret| name.trim().eq_ignore_ascii_case(secret.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_in_no_log_and_no_error() {
        let mut headers = GivenHeaders::default();
        headers.append("authorization", "Bearer s3cr3t");
        headers.append("Cookie", "sid=s3cr3t");
        assert!(!format!("{headers:?}").contains("s3cr3t"));
        headers.append("Authorization", "Bearer s3cr3t\n");
        let told = headers.get().unwrap_err().to_string();
        assert!(told.contains("Authorization") && !told.contains("s3cr3t"));
    }
}
