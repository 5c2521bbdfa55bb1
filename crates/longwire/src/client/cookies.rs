//! Cookies kept from one connection to the next (RFC 6265).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cookie_store::{Cookie, CookieDomain, CookieStore};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::target::Target;
use crate::error::UsageError;

/// Bytes of one cookie, attributes included: what RFC 6265 section 6.1 asks for at
/// least. Larger ones are not kept.
const COOKIE_BYTES: usize = 4096;

/// Cookies of one domain. Of more, the oldest go.
const COOKIES_A_DOMAIN: usize = 50;

/// Cookies in all. Of more, the oldest go.
const COOKIES: usize = 3000;

/// Cookies that servers have set and get back. Cheap to clone: clones are the
/// same jar, which may serve many [`crate::ClientBuilder`]s.
///
/// It holds 3,000 cookies, 50 of one domain, of 4 KiB each; the oldest make room.
/// No server sets cookies for a public suffix such as `com` or `github.io`, nor
/// from `ws` what stands in for a `Secure` one.
#[derive(Clone, Default)]
pub struct CookieJar {
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    cookies: CookieStore,
    /// All, the oldest first.
    order: Vec<Id>,
}

/// Domain, path and name.
type Id = (String, String, String);

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in a cookie as if the server at `url` had sent it as `Set-Cookie`,
    /// such as `session=abc; Path=/; Secure`. The URL may also be one of HTTP, from
    /// where such cookies come.
    pub fn set(&self, url: &str, cookie: &str) -> Result<(), UsageError> {
        let url = http_url(url)?;
        if self.lock().put(cookie, &url) {
            Ok(())
        } else {
            Err(UsageError::Cookie {
                cookie: cookie.to_owned(),
            })
        }
    }

    /// The `Cookie` header that the server at `url` would get, if any.
    pub fn header(&self, url: &str) -> Result<Option<String>, UsageError> {
        let url = http_url(url)?;
        Ok(self.cookies(&url))
    }

    fn cookies(&self, url: &Url) -> Option<String> {
        let store = self.lock();
        let pairs: Vec<String> = store
            .cookies
            .get_request_values(url)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Adds the jar's cookies to those that the program sends itself.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, target: &Target) {
        let Some(own) = self.cookies(&target.http_url()) else {
            return;
        };
        let given = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let all: Vec<&[u8]> = given.chain([own.as_bytes()]).collect();
        if let Ok(mut value) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }

    /// Keeps the cookies of a response. One that is malformed, or of another
    /// domain, is left out.
    pub(super) fn keep(&self, headers: &HeaderMap, target: &Target) {
        let url = target.http_url();
        let mut store = self.lock();
        for cookie in headers.get_all(SET_COOKIE) {
            if let Ok(cookie) = std::str::from_utf8(cookie.as_bytes()) {
                store.put(cookie, &url);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar").finish_non_exhaustive()
    }
}

impl Store {
    /// Takes a cookie that the server at `url` has set, if it may.
    fn put(&mut self, text: &str, url: &Url) -> bool {
        let Ok(cookie) = Cookie::parse(text.to_owned(), url) else {
            return false;
        };
        if text.len() > COOKIE_BYTES || self.stands_in_for_secure(&cookie, url) {
            return false;
        }
        let mut cookie = cookie.into_owned();
        if let CookieDomain::Suffix(domain) = &cookie.domain
            && psl::suffix_str(domain) == Some(domain)
        {
            if url.host_str() != Some(domain) {
                return false;
            }
            // A server that is a public suffix itself, such as localhost.
            let Ok(own) = CookieDomain::host_only(url) else {
                return false;
            };
            cookie.domain = own;
        }
        let id = (
            String::from(&cookie.domain),
            String::from(&cookie.path),
            cookie.name().to_owned(),
        );
        let taken = self.cookies.insert(cookie, url).is_ok();
        if taken {
            self.order.retain(|known| *known != id);
            self.order.push(id);
            self.make_room();
        }
        taken
    }

    /// Whether a server without TLS would replace a cookie of one with it.
    fn stands_in_for_secure(&self, cookie: &Cookie<'_>, url: &Url) -> bool {
        url.scheme() != "https"
            && self.cookies.iter_unexpired().any(|known| {
                let (one, other) = (String::from(&known.domain), String::from(&cookie.domain));
                known.secure() == Some(true)
                    && known.name() == cookie.name()
                    && (covers(&one, &other) || covers(&other, &one))
            })
    }

    /// Drops the oldest cookie where the newest is one too many.
    fn make_room(&mut self) {
        let Some((newest, ..)) = self.order.last() else {
            return;
        };
        let of_domain = self.order.iter().filter(|(domain, ..)| domain == newest);
        let oldest = if of_domain.count() > COOKIES_A_DOMAIN {
            self.order.iter().position(|(domain, ..)| domain == newest)
        } else if self.order.len() > COOKIES {
            Some(0)
        } else {
            None
        };
        if let Some(oldest) = oldest {
            let (domain, path, name) = self.order.remove(oldest);
            self.cookies.remove(&domain, &path, &name);
        }
    }
}

/// Whether the other is this domain or below it.
fn covers(domain: &str, other: &str) -> bool {
    other
        .strip_suffix(domain)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The URL that cookies are kept by, of one of a WebSocket or of HTTP.
fn http_url(url: &str) -> Result<Url, UsageError> {
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Ok(Target::parse(url)?.http_url()),
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
        assert!(jar.set("ftp://example.com", "a=1").is_err());
        jar.set("https://example.net/", "c=3; Secure").unwrap();
        assert_eq!(header("wss://example.net/x"), Some("c=3".to_owned()));
    }

    #[test]
    fn no_server_sets_cookies_for_a_public_suffix() {
        let jar = CookieJar::new();
        for (url, cookie) in [
            ("wss://evil.com", "a=1; Domain=com"),
            ("wss://evil.co.uk", "a=1; Domain=co.uk"),
            ("wss://evil.github.io", "a=1; Domain=github.io"),
        ] {
            assert!(jar.set(url, cookie).is_err(), "{cookie}");
        }
        jar.set("ws://localhost", "a=1; Domain=localhost").unwrap();
        assert_eq!(jar.header("ws://localhost").unwrap().unwrap(), "a=1");
        assert_eq!(jar.header("ws://evil.localhost").unwrap(), None);
    }

    #[test]
    fn a_server_without_tls_replaces_no_secure_cookie() {
        let jar = CookieJar::new();
        jar.set("wss://h.example/", "sid=good; Secure").unwrap();
        assert!(jar.set("ws://h.example/", "sid=evil").is_err());
        assert!(
            jar.set("ws://a.h.example/", "sid=evil; Domain=h.example")
                .is_err()
        );
        jar.set("ws://h.example/", "other=1").unwrap();
        let header = jar.header("wss://h.example/").unwrap().unwrap();
        assert!(header.contains("sid=good") && !header.contains("evil"));
        jar.set("wss://h.example/", "sid=new; Secure").unwrap();
        let header = jar.header("wss://h.example/").unwrap().unwrap();
        assert!(header.contains("sid=new"));
    }

    #[test]
    fn a_jar_is_bounded_and_the_oldest_go_first() {
        let jar = CookieJar::new();
        for i in 0..60 {
            jar.set("wss://h.example/", &format!("k{i}=1")).unwrap();
        }
        let header = jar.header("wss://h.example/").unwrap().unwrap();
        assert_eq!(header.split("; ").count(), COOKIES_A_DOMAIN);
        assert!(header.contains("k59=1") && header.contains("k10=1"));
        assert!(!header.contains("k9=1"));
        for i in 0..COOKIES {
            jar.set(&format!("wss://h{i}.example/"), "k=1").unwrap();
        }
        assert_eq!(jar.header("wss://h.example/").unwrap(), None);
        assert_eq!(jar.lock().order.len(), COOKIES);
        let large = format!("k={}", "v".repeat(COOKIE_BYTES));
        assert!(jar.set("wss://h.example/", &large).is_err());
    }

    #[test]
    fn a_cookie_beyond_ascii_goes_with_the_others() {
        let jar = CookieJar::new();
        jar.set("ws://h.example/", "a=1").unwrap();
        let target = Target::parse("ws://h.example/").unwrap();
        let mut answer = HeaderMap::new();
        let accented = HeaderValue::from_bytes("b=\u{e9}".as_bytes()).unwrap();
        answer.append(SET_COOKIE, accented);
        jar.keep(&answer, &target);
        let mut headers = HeaderMap::new();
        for own in ["x=1", "y=2"] {
            headers.append(COOKIE, HeaderValue::from_static(own));
        }
        jar.add_to(&mut headers, &target);
        let sent = String::from_utf8(headers[COOKIE].as_bytes().to_vec()).unwrap();
        assert!(sent.starts_with("x=1; y=2; "), "{sent}");
        assert!(sent.contains("a=1") && sent.contains("b=\u{e9}"), "{sent}");
        assert!(!format!("{jar:?}").contains("a=1"));
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
