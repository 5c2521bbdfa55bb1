//! Headers that a program gives one by one, to be judged at the end.

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
            (Ok(name), Ok(value)) => {
                self.map.append(name, value);
            }
            _ => {
                self.bad
                    .get_or_insert_with(|| (name.to_owned(), value.to_owned()));
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
