//! Which proxy leads to a server: the program's, or the environment's.

use std::fmt;
use std::net::IpAddr;

use http::HeaderValue;
use url::Url;

use super::target::{Target, basic, percent_decoded, without_credentials};
use crate::error::UsageError;

/// A proxy between a client and its servers.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) kind: Kind,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<(String, String)>,
}

/// How to speak to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// CONNECT (RFC 9110 section 9.3.6), over TLS where that is asked for.
    Http { tls: bool },
    /// SOCKS5 (RFC 1928); whether the proxy looks up names.
    Socks5 { remote_dns: bool },
}

impl Proxy {
    /// A proxy from its URL: `http://host:3128`, `https://…`, `socks5://host:1080`
    /// (names are looked up here) or `socks5h://…` (by the proxy), with user name
    /// and password where it asks for them.
    pub fn parse(url: &str) -> Result<Self, UsageError> {
        Self::from_text(url, None)
    }

    fn from_text(text: &str, variable: Option<&str>) -> Result<Self, UsageError> {
        let bad = || UsageError::Proxy {
            url: without_credentials(text),
            variable: variable.map(str::to_owned),
        };
        // As elsewhere, a proxy without a scheme is one of HTTP.
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = Url::parse(&with_scheme).map_err(|_| bad())?;
        let (kind, port) = match url.scheme() {
            "http" => (Kind::Http { tls: false }, 80),
            "https" => (Kind::Http { tls: true }, 443),
            "socks5" => (Kind::Socks5 { remote_dns: false }, 1080),
            "socks5h" | "socks" => (Kind::Socks5 { remote_dns: true }, 1080),
            _ => return Err(bad()),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(bad)?;
        let credentials = (!url.username().is_empty() || url.password().is_some()).then(|| {
            (
                percent_decoded(url.username()),
                percent_decoded(url.password().unwrap_or_default()),
            )
        });
        Ok(Self {
            kind,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            credentials,
        })
    }

    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials.as_ref()?;
        basic(user, password)
    }
}

/// The proxy's URL without its credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http { tls: false } => "http",
            Kind::Http { tls: true } => "https",
            Kind::Socks5 { remote_dns: false } => "socks5",
            Kind::Socks5 { remote_dns: true } => "socks5h",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Where a client takes its proxy from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ProxyChoice {
    /// The environment's: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    #[default]
    Environment,
    None,
    Given(Proxy),
}

impl ProxyChoice {
    //= rfc6455#4.1-4
    pub(super) fn proxy_for(&self, target: &Target) -> Result<Option<Proxy>, UsageError> {
        match self {
            Self::Environment => from_environment(target, |name| std::env::var(name).ok()),
            Self::None => Ok(None),
            Self::Given(proxy) => Ok(Some(proxy.clone())),
        }
    }
}

/// The proxy that the environment has for a server: none for this machine
/// itself, nor for what `NO_PROXY` lists. `HTTP_PROXY` counts in lower case
/// alone, as a CGI program may have the other from a request's header.
fn from_environment(
    target: &Target,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, UsageError> {
    let names: &[&str] = if target.secure {
        &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        &["http_proxy", "all_proxy", "ALL_PROXY"]
    };
    let value = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let Some((name, proxy)) = names
        .iter()
        .find_map(|name| value(name).map(|proxy| (*name, proxy)))
    else {
        return Ok(None);
    };
    let excluded = ["no_proxy", "NO_PROXY"].iter().find_map(|name| value(name));
    if is_local(&target.host) || excluded.is_some_and(|list| lists(&list, target)) {
        return Ok(None);
    }
    Proxy::from_text(proxy.trim(), Some(name)).map(Some)
}

fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a list such as `example.com, .internal, 10.0.0.0/8, [::1]:8000, *` has
/// this host: a name stands for itself and what is below it.
fn lists(list: &str, target: &Target) -> bool {
    let host = target.host.to_ascii_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        let (name, port) = split_port(&entry);
        if port.is_some_and(|port| port != target.port) {
            return false;
        }
        let name = name.trim_start_matches("*.").trim_start_matches('.');
        match (name, host.parse::<IpAddr>()) {
            ("", _) => false,
            ("*", _) => true,
            (network, Ok(ip)) => contains(network, ip),
            (name, Err(_)) => host
                .strip_suffix(name)
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
        }
    })
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|e| e.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|p| p.parse().ok()));
    }
    match entry.split_once(':') {
        // More than one colon is an IPv6 address.
        Some((name, port)) if !port.contains(':') => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

/// Whether a network such as `10.0.0.0/8`, or a single address, has this one.
fn contains(network: &str, ip: IpAddr) -> bool {
    let (address, bits) = match network.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(address), Some(bits)) = (address.parse::<IpAddr>(), bits) else {
        return false;
    };
    let (a, b, width) = match (address, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let ignored = width - bits.min(width);
    let differ: u128 = a ^ b;
    differ.checked_shr(ignored).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_url_and_shown_without_its_password() {
        let proxy = Proxy::parse("socks5h://me:p%40w@[::1]").unwrap();
        assert_eq!(proxy.kind, Kind::Socks5 { remote_dns: true });
        assert_eq!((proxy.host.as_str(), proxy.port), ("::1", 1080));
        assert_eq!(proxy.credentials, Some(("me".to_owned(), "p@w".to_owned())));
        assert_eq!(proxy.to_string(), "socks5h://[::1]:1080");
        assert_eq!(
            Proxy::parse("proxy:3128").unwrap().to_string(),
            "http://proxy:3128"
        );
        for bad in ["", "ftp://h", "socks4://h", "http://", "http://me:secret@"] {
            let error = Proxy::parse(bad).unwrap_err().to_string();
            assert!(error.contains("expected a proxy"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    fn chosen(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let target = Target::parse(url).unwrap();
        let found = from_environment(&target, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        found.unwrap().map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_environment_has_a_proxy_for_each_scheme_and_exceptions() {
        let all = [
            ("HTTPS_PROXY", "http://secure:1"),
            ("http_proxy", "plain:2"),
            ("ALL_PROXY", "socks5://any:3"),
            ("NO_PROXY", "example.org, .internal,10.0.0.0/8, other:81"),
        ];
        let secure = Some("http://secure:1".to_owned());
        let plain = Some("http://plain:2".to_owned());
        for (url, expected) in [
            ("wss://example.com", &secure),
            ("ws://example.com", &plain),
            ("wss://example.org", &None),
            ("wss://sub.example.org", &None),
            ("wss://notexample.org", &secure),
            ("wss://a.internal", &None),
            ("wss://10.1.2.3", &None),
            ("wss://11.1.2.3", &secure),
            ("ws://other:81", &None),
            ("ws://other:82", &plain),
            ("ws://localhost:81", &None),
            ("ws://127.0.0.9", &None),
            ("ws://[::1]", &None),
        ] {
            assert_eq!(chosen(url, &all), *expected, "{url}");
        }
        let any = [("ALL_PROXY", "socks5://any:3")];
        assert_eq!(chosen("ws://h", &any).unwrap(), "socks5://any:3");
        assert_eq!(chosen("ws://h", &[("HTTP_PROXY", "p")]), None);
        assert_eq!(chosen("ws://h", &[any[0], ("no_proxy", "*")]), None);
        assert_eq!(chosen("ws://h", &[("all_proxy", " ")]), None);
    }

    #[test]
    fn a_broken_variable_is_told_by_its_name() {
        let target = Target::parse("wss://h").unwrap();
        let error = from_environment(&target, |_| Some("ftp://u:p@x".to_owned())).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("in https_proxy") && !text.contains("u:p"),
            "{text}"
        );
    }
}
