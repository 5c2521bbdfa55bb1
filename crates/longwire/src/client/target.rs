//! Where a URL leads (RFC 6455 section 3).

use http::{HeaderValue, Uri};
use url::Url;

use crate::error::UsageError;

/// What a handshake needs of a URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The host to connect to, an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` header: the port is left out where it is the scheme's own.
    pub(crate) authority: HeaderValue,
    /// Path and query.
    pub(crate) resource: Uri,
    /// The whole URL.
    pub(crate) uri: Uri,
}

impl Target {
    //= rfc6455#4.1-1
    pub(crate) fn parse(text: &str) -> Result<Self, UsageError> {
        let bad = |source| UsageError::Url {
            url: text.to_owned(),
            source,
        };
        let url = Url::parse(text).map_err(bad)?;
        match url.scheme() {
            "ws" => {}
            "wss" => return Err(UsageError::NoTls),
            scheme => {
                let scheme = scheme.to_owned();
                return Err(UsageError::Scheme { scheme });
            }
        }
        if let Some(fragment) = url.fragment() {
            let fragment = fragment.to_owned();
            return Err(UsageError::Fragment { fragment });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UsageError::Credentials);
        }
        let no_host = || bad(url::ParseError::EmptyHost);
        let host = match url.host().ok_or_else(no_host)? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => address.to_string(),
            url::Host::Ipv6(address) => address.to_string(),
        };
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let resource = &url[url::Position::BeforePath..url::Position::AfterQuery];
        // What the URL standard lets through, the `http` crate knows too.
        let invalid = |_| bad(url::ParseError::InvalidDomainCharacter);
        Ok(Self {
            host,
            port: url.port_or_known_default().unwrap_or(80),
            authority: HeaderValue::from_str(authority)
                .map_err(|_| bad(url::ParseError::InvalidDomainCharacter))?,
            resource: resource.parse().map_err(invalid)?,
            uri: url.as_str().parse().map_err(invalid)?,
        })
    }
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
        assert!(refused("ws://me:pw@example.com").contains("Authorization"));
        assert!(refused("wss://example.com").contains("no TLS"));
        assert!(refused("ws://").contains("ws://"));
    }
}
