//! Where a URL leads (RFC 6455 section 3).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::{Position, Url};

use crate::error::UsageError;

/// What a handshake needs of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The URL, without credentials.
    pub(crate) url: Url,
    /// Whether it is a wss one.
    pub(crate) secure: bool,
    /// The host to connect to, an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` header: the port is left out where it is the scheme's own.
    pub(crate) authority: HeaderValue,
    /// Path and query.
    pub(crate) resource: Uri,
    /// The whole URL, without credentials.
    pub(crate) uri: Uri,
    /// The URL's user name and password as an `Authorization` header.
    pub(crate) authorization: Option<HeaderValue>,
}

impl Target {
    //= rfc6455#4.1-1
    pub(crate) fn parse(text: &str) -> Result<Self, UsageError> {
        let bad = |source| UsageError::Url {
            url: without_credentials(text),
            source,
        };
        let url = Url::parse(text).map_err(bad)?;
        if let Some(fragment) = url.fragment() {
            let fragment = fragment.to_owned();
            return Err(UsageError::Fragment { fragment });
        }
        Self::from_url(url)
    }

    /// As [`Target::parse`]; `http` and `https` mean `ws` and `wss` where a
    /// server redirects.
    pub(crate) fn from_url(mut url: Url) -> Result<Self, UsageError> {
        let text = without_credentials(url.as_str());
        let bad = |source| UsageError::Url {
            url: text.clone(),
            source,
        };
        let secure = match url.scheme() {
            "ws" => false,
            "wss" => true,
            scheme => {
                let scheme = scheme.to_owned();
                return Err(UsageError::Scheme { scheme });
            }
        };
        let authorization = authorization(&url);
        // A host is there, so that neither can fail.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let no_host = || bad(url::ParseError::EmptyHost);
        let host = match url.host().ok_or_else(no_host)? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        // What the URL standard lets through, the `http` crate knows too.
        let invalid = |_| bad(url::ParseError::InvalidDomainCharacter);
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let resource = &url[Position::BeforePath..Position::AfterQuery];
        Ok(Self {
            secure,
            host,
            port: url
                .port_or_known_default()
                .unwrap_or(if secure { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority)
                .map_err(|_| bad(url::ParseError::InvalidDomainCharacter))?,
            resource: resource.parse().map_err(invalid)?,
            uri: url.as_str().parse().map_err(invalid)?,
            authorization,
            url,
        })
    }

    /// The URL with the scheme of HTTP, for extended CONNECT and for cookies.
    pub(crate) fn http_url(&self) -> Url {
        let mut url = self.url.clone();
        // From one special scheme to another: this cannot fail.
        let _ = url.set_scheme(if self.secure { "https" } else { "http" });
        url
    }

    /// Whether the other is at the same scheme, host and port.
    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }
}

/// Host and port.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The header of basic authentication (RFC 7617), never to be logged.
pub(crate) fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    sensitive(&format!("Basic {credentials}"))
}

/// A header's value that is kept out of logs.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    basic(
        &percent_decoded(url.username()),
        &percent_decoded(url.password().unwrap_or_default()),
    )
}

/// A URL, or what was meant to be one, as errors may show it.
pub(crate) fn without_credentials(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://...@{host}")
        }
        None => text.to_owned(),
    }
}

/// What a part of a URL stands for.
pub(crate) fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc6455#4.1-11, rfc6455#4.1-12 test
    #[test]
    fn host_port_and_resource_come_from_the_url() {
        let cases = [
            ("ws://example.com", "example.com", 80, "example.com", "/"),
            (
                "ws://example.com:80/a",
                "example.com",
                80,
                "example.com",
                "/a",
            ),
            (
                "ws://EXAMPLE.com:8000/chat?a=b%20c",
                "example.com",
                8000,
                "example.com:8000",
                "/chat?a=b%20c",
            ),
            ("ws://[::1]:81", "::1", 81, "[::1]:81", "/"),
            ("ws://127.0.0.1?x", "127.0.0.1", 80, "127.0.0.1", "/?x"),
            ("ws://h/a|b", "h", 80, "h", "/a|b"),
            ("wss://h", "h", 443, "h", "/"),
            ("wss://h:443/", "h", 443, "h", "/"),
            ("wss://h:80/", "h", 80, "h:80", "/"),
        ];
        for (url, host, port, authority, resource) in cases {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{url}");
            assert_eq!(target.authority, authority);
            assert_eq!(target.resource.to_string(), resource);
        }
    }

    //= rfc6455#4.1-1 test
    #[test]
    fn a_url_that_is_none_of_a_websocket_is_refused_with_its_reason() {
        let refused = |url: &str| Target::parse(url).unwrap_err().to_string();
        assert!(refused("example.com/chat").contains("expected a URL such as ws://"));
        assert!(refused("ftp://example.com").contains("got \"ftp\""));
        assert!(refused("ws://example.com/#top").contains("got \"top\""));
        assert!(refused("ws://").contains("ws://"));
        let told = refused("wss://user:s3c/r3t@host/");
        assert!(told.contains("host") && !told.contains("s3c"), "{told}");
    }

    #[test]
    fn credentials_become_a_header_and_leave_the_url() {
        let target = Target::parse("wss://me%40home:p%3Aw@example.com/chat").unwrap();
        let header = target.authorization.unwrap();
        let expected = format!("Basic {}", STANDARD.encode("me@home:p:w"));
        assert_eq!(header, expected);
        assert!(header.is_sensitive());
        assert_eq!(target.uri.to_string(), "wss://example.com/chat");
        let target = Target::parse("ws://example.com").unwrap();
        assert_eq!(target.authorization, None);
    }
}
