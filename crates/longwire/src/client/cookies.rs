//! Cookies kept from one connection to the next (RFC 6265).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cookie_store::CookieStore;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::target::Target;
use crate::error::UsageError;

/// Cookies that servers have set and get back. Cheap to clone: clones are the
/// same jar, which may serve many [`crate::ClientBuilder`]s.
#[derive(Clone, Debug, Default)]
pub struct CookieJar {
    store: Arc<Mutex<CookieStore>>,
}

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in a cookie as if the server at `url` had sent it as `Set-Cookie`,
    /// such as `session=abc; Path=/; Secure`.
    pub fn set(&self, url: &str, cookie: &str) -> Result<(), UsageError> {
        let url = Target::parse(url)?.http_url();
        self.lock()
            .parse(cookie, &url)
            .map(drop)
            .map_err(|_| UsageError::Cookie {
                cookie: cookie.to_owned(),
            })
    }

    /// The `Cookie` header that the server at `url` would get, if any.
    pub fn header(&self, url: &str) -> Result<Option<String>, UsageError> {
        let url = Target::parse(url)?.http_url();
        Ok(self.cookies(&url))
    }

    fn cookies(&self, url: &Url) -> Option<String> {
        let store = self.lock();
        let pairs: Vec<String> = store
            .get_request_values(url)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Adds the jar's cookies to those that the program sends itself.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, target: &Target) {
        let Some(mut all) = self.cookies(&target.http_url()) else {
            return;
        };
        for given in headers.get_all(COOKIE) {
            if let Ok(given) = given.to_str() {
                all = format!("{given}; {all}");
            }
        }
        if let Ok(mut value) = HeaderValue::from_str(&all) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }

    /// Keeps the cookies of a response.
    pub(super) fn keep(&self, headers: &HeaderMap, target: &Target) {
        let url = target.http_url();
        let mut store = self.lock();
        for cookie in headers.get_all(SET_COOKIE) {
            if let Ok(cookie) = cookie.to_str() {
                // One that is malformed, or of another domain, is left out.
                let _ = store.parse(cookie, &url);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, CookieStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_back_to_the_host_path_and_scheme_they_are_for() {
        let jar = CookieJar::new();
        jar.set("wss://example.com/chat", "a=1; Path=/chat; Secure")
            .unwrap();
        jar.set("wss://example.com/", "b=2; Domain=example.com")
            .unwrap();
        let header = |url: &str| jar.header(url).unwrap();
        let both = header("wss://example.com/chat/room").unwrap();
        assert!(both.contains("a=1") && both.contains("b=2"));
        assert_eq!(header("ws://example.com/chat"), Some("b=2".to_owned()));
        assert_eq!(header("wss://sub.example.com/"), Some("b=2".to_owned()));
        assert_eq!(header("wss://example.org/chat"), None);
        assert!(jar.set("wss://example.com", "").is_err());
    }

    #[test]
    fn a_programs_own_cookies_are_kept_beside_those_of_the_jar() {
        let jar = CookieJar::new();
        jar.set("ws://h/", "a=1").unwrap();
        let target = Target::parse("ws://h/").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("own=0"));
        jar.add_to(&mut headers, &target);
        assert_eq!(headers[COOKIE], "own=0; a=1");
        let mut answer = HeaderMap::new();
        answer.append(SET_COOKIE, HeaderValue::from_static("c=3; Max-Age=100"));
        answer.append(SET_COOKIE, HeaderValue::from_static("evil=1; Domain=other"));
        jar.keep(&answer, &target);
        let kept = jar.header("ws://h/").unwrap().unwrap();
        assert!(kept.contains("c=3") && !kept.contains("evil"));
    }
}
