//! Which pages may open a socket (RFC 6455 sections 4.2.2 and 10.2).
//!
//! Browsers let any page open a WebSocket to any server, with the user's
//! cookies, and tell the server which page it was: refusing the strangers is
//! the server's part.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue};
use url::{Host, Url};

use crate::error::UsageError;

/// Whose pages may open a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Those of the server itself: the origin's host and port are those of the
    /// `Host` header. The scheme is https where the server speaks TLS; where it
    /// does not, a proxy in front may, and it is http or https.
    #[default]
    SameOrigin,
    /// Those of the server's site, whatever their scheme and port: the origin's host
    /// and that of the `Host` header are the same, or below the same registrable domain.
    /// Browsers draw the same line for cookies that are `SameSite`.
    SameSite,
    /// Those of the server itself, and of the origins listed.
    SameOriginOr(Vec<String>),
    /// Those of the origins listed, each serialized as `https://example.com`.
    AllowList(Vec<String>),
    /// All.
    Any,
}

/// A handshake from a page that may not open a socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// Several headers, or none where one is required.
    #[error("expected one Origin header, got {0}")]
    Count(usize),
    /// It is another's page.
    #[error("expected an Origin that may open this WebSocket, got {0:?}")]
    NotAllowed(String),
    /// The policy cannot work.
    #[error(transparent)]
    Usage(#[from] UsageError),
}

/// A policy, checked.
#[derive(Clone, Debug)]
pub(crate) struct OriginCheck {
    policy: OriginPolicy,
    missing_allowed: bool,
    /// Whether the server speaks TLS itself, so that no page of its own came
    /// without.
    secure: bool,
}

impl OriginCheck {
    pub(crate) fn new(policy: OriginPolicy, missing_allowed: bool) -> Result<Self, UsageError> {
        let policy = match policy {
            OriginPolicy::AllowList(origins) => OriginPolicy::AllowList(serialized(origins)?),
            OriginPolicy::SameOriginOr(origins) => OriginPolicy::SameOriginOr(serialized(origins)?),
            policy => policy,
        };
        Ok(Self {
            policy,
            missing_allowed,
            secure: false,
        })
    }

    pub(crate) fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    //= rfc6455#4.2.1-9, rfc6455#10.2-1
    /// `host` is what the client takes the server's host and port to be.
    pub(crate) fn judge(&self, headers: &HeaderMap, host: Option<&str>) -> Result<(), OriginError> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let first = origins.next();
        let more = origins.count();
        let Some(origin) = first.filter(|_| more == 0) else {
            let count = usize::from(first.is_some()) + more;
            return if count == 0 && self.missing_allowed {
                Ok(())
            } else {
                Err(OriginError::Count(count))
            };
        };
        if self.allows(origin, host) {
            Ok(())
        } else {
            let shown = String::from_utf8_lossy(origin.as_bytes());
            Err(OriginError::NotAllowed(shown.chars().take(200).collect()))
        }
    }

    fn allows(&self, origin: &HeaderValue, host: Option<&str>) -> bool {
        if self.policy == OriginPolicy::Any {
            return true;
        }
        let Some(serialized) = origin.to_str().ok().and_then(serialize) else {
            return false;
        };
        match &self.policy {
            OriginPolicy::Any => true,
            OriginPolicy::AllowList(origins) => origins.contains(&serialized),
            OriginPolicy::SameOriginOr(origins) => {
                origins.contains(&serialized) || self.is_own(&serialized, host)
            }
            OriginPolicy::SameOrigin => self.is_own(&serialized, host),
            OriginPolicy::SameSite => is_same_site(&serialized, host),
        }
    }

    /// Whether the origin is that of the server itself.
    fn is_own(&self, origin: &str, host: Option<&str>) -> bool {
        let scheme = origin.split(':').next().unwrap_or_default();
        let own = host.and_then(|host| serialize(&format!("{scheme}://{host}")));
        own.as_deref() == Some(origin) && (scheme == "https" || !self.secure)
    }
}

/// Whether the origin's host is of the same site as this one.
fn is_same_site(origin: &str, host: Option<&str>) -> bool {
    let host_of = |text: &str| Url::parse(text).ok()?.host().map(|host| host.to_owned());
    let own = host.and_then(|host| host_of(&format!("http://{host}")));
    let (Some(own), Some(theirs)) = (own, host_of(origin)) else {
        return false;
    };
    if own == theirs {
        return true;
    }
    let (Host::Domain(own), Host::Domain(theirs)) = (own, theirs) else {
        return false;
    };
    let domain = psl::domain_str(&own);
    domain.is_some() && domain == psl::domain_str(&theirs)
}

fn serialized(origins: Vec<String>) -> Result<Vec<String>, UsageError> {
    origins
        .into_iter()
        .map(|origin| serialize(&origin).ok_or(UsageError::Origin { origin }))
        .collect()
}

/// The origin as browsers write it: lower case, no default port, no path.
fn serialize(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let is_http = matches!(url.scheme(), "http" | "https");
    (bare && is_http).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: OriginPolicy, origin: Option<&str>, host: &str) -> bool {
        judge_by(&OriginCheck::new(policy, true).unwrap(), origin, host)
    }

    fn judge_by(check: &OriginCheck, origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        check.judge(&headers, Some(host)).is_ok()
    }

    #[test]
    fn where_the_server_speaks_tls_its_own_pages_came_with_it() {
        let check = OriginCheck::new(OriginPolicy::SameOrigin, true).unwrap();
        let check = check.secure(true);
        assert!(judge_by(&check, Some("https://example.com"), "example.com"));
        assert!(!judge_by(&check, Some("http://example.com"), "example.com"));
    }

    #[test]
    fn the_same_origin_is_host_and_port_under_either_scheme() {
        let cases = [
            ("http://example.com", "example.com", true),
            ("https://example.com", "example.com", true),
            ("https://example.com", "example.com:443", true),
            ("http://example.com:8000", "example.com:8000", true),
            ("http://EXAMPLE.com", "example.COM", true),
            ("http://[::1]:81", "[::1]:81", true),
            ("http://example.com", "example.com:8000", false),
            ("http://example.com:8000", "example.com", false),
            ("http://evil.com", "example.com", false),
            ("http://example.com.evil.com", "example.com", false),
            ("http://evil.com#example.com", "example.com", false),
            ("http://example.com@evil.com", "evil.com", false),
            ("null", "example.com", false),
            ("file://", "example.com", false),
            ("", "example.com", false),
            ("chrome-extension://example.com", "example.com", false),
        ];
        for (origin, host, allowed) in cases {
            let got = judge(OriginPolicy::SameOrigin, Some(origin), host);
            assert_eq!(got, allowed, "{origin} at {host}");
        }
    }

    #[test]
    fn the_same_site_is_a_host_or_a_registrable_domain() {
        let cases = [
            ("http://localhost:3000", "localhost:8000", true),
            ("http://127.0.0.1:3000", "127.0.0.1:8000", true),
            ("https://app.example.com", "api.example.com", true),
            ("https://example.co.uk", "ws.example.co.uk:8000", true),
            ("https://a.co.uk", "b.co.uk", false),
            ("https://evil.com", "example.com", false),
            ("https://example.com.evil.com", "example.com", false),
            ("http://127.0.0.1", "127.0.0.2", false),
            ("http://localhost", "127.0.0.1", false),
            ("https://a.github.io", "b.github.io", false),
            ("null", "localhost", false),
        ];
        for (origin, host, allowed) in cases {
            let got = judge(OriginPolicy::SameSite, Some(origin), host);
            assert_eq!(got, allowed, "{origin} at {host}");
        }
    }

    #[test]
    fn an_allow_list_compares_serialized_origins() {
        let list = || OriginPolicy::AllowList(vec!["https://App.example.com:443".to_owned()]);
        assert!(judge(list(), Some("https://app.example.com"), "api"));
        assert!(!judge(list(), Some("http://app.example.com"), "api"));
        assert!(!judge(list(), Some("https://app.example.com:444"), "api"));
        assert!(!judge(list(), Some("http://api"), "api"));
    }

    #[test]
    fn a_list_may_be_beside_the_servers_own_origin() {
        let list = || OriginPolicy::SameOriginOr(vec!["https://example.com".to_owned()]);
        assert!(judge(list(), Some("https://example.com"), "ws.example.com"));
        assert!(judge(
            list(),
            Some("https://ws.example.com"),
            "ws.example.com"
        ));
        assert!(!judge(list(), Some("https://evil.com"), "ws.example.com"));
    }

    #[test]
    fn any_origin_passes_where_the_policy_says_so() {
        assert!(judge(OriginPolicy::Any, Some("null"), "h"));
    }

    #[test]
    fn a_request_without_origin_passes_unless_one_is_required() {
        assert!(judge(OriginPolicy::SameOrigin, None, "h"));
        let strict = OriginCheck::new(OriginPolicy::Any, false).unwrap();
        let judged = strict.judge(&HeaderMap::new(), None);
        assert!(matches!(judged, Err(OriginError::Count(0))));
    }

    #[test]
    fn two_origins_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, HeaderValue::from_static("http://h"));
        headers.append(ORIGIN, HeaderValue::from_static("http://h"));
        let check = OriginCheck::new(OriginPolicy::Any, true).unwrap();
        let judged = check.judge(&headers, None);
        assert!(matches!(judged, Err(OriginError::Count(2))));
    }

    #[test]
    fn a_listed_origin_that_is_none_is_told_when_the_server_is_built() {
        for bad in ["example.com", "https://example.com/path", "ws://h", "*"] {
            let list = OriginPolicy::AllowList(vec![bad.to_owned()]);
            assert!(OriginCheck::new(list, true).is_err(), "{bad}");
        }
    }
}
