//! What a process is told of the request: the variables of CGI (RFC 3875).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{
    AUTHORIZATION, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION, SEC_WEBSOCKET_KEY,
};
use http::{HeaderMap, Uri};
use longwire::http;
use url::form_urlencoded;

use crate::serve::auth::{Auth, User};

/// Variables of the server's own environment that a process gets.
const INHERITED: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Headers that become no variable: what lets the client in is nobody else's, and
/// `HTTP_PROXY` would be taken for a setting.
const PRIVATE: [HeaderName; 4] = [
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    SEC_WEBSOCKET_KEY,
    HeaderName::from_static("proxy"),
];

/// The variables of one request. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(in crate::serve) struct Environment {
    variables: Arc<Vec<(String, String)>>,
}

/// Who it is that asks: never whom the server's own environment names.
const OF_REQUESTS: [&str; 2] = ["REMOTE_USER", "AUTH_TYPE"];

/// A request as the server sees it.
pub(in crate::serve) struct Asked<'a> {
    pub(in crate::serve) uri: &'a Uri,
    pub(in crate::serve) headers: &'a HeaderMap,
    pub(in crate::serve) peer: Option<SocketAddr>,
    pub(in crate::serve) user: Option<&'a User>,
    /// The path of the route.
    pub(in crate::serve) route: &'a str,
    pub(in crate::serve) is_secure: bool,
    /// Whose secrets are taken out.
    pub(in crate::serve) auth: Option<&'a Auth>,
    /// Further variables of the server's own.
    pub(in crate::serve) inherit: &'a [String],
}

impl Environment {
    pub(in crate::serve) fn new(asked: &Asked<'_>) -> Self {
        let mut variables = Vec::new();
        let mut set = |name: &str, value: &str| variables.push((name.to_owned(), value.to_owned()));
        let own = asked.inherit.iter().map(String::as_str);
        let own = own.filter(|name| !OF_REQUESTS.contains(name));
        for name in INHERITED.into_iter().chain(own) {
            if let Ok(value) = std::env::var(name) {
                set(name, &value);
            }
        }
        let (cookie, parameter) = asked.auth.map_or((None, None), Auth::private);
        let path = asked.uri.path();
        let query = without_parameter(asked.uri.query().unwrap_or_default(), parameter);
        let script = asked.route.trim_end_matches('/');
        let below = path.strip_prefix(script).unwrap_or_default();
        set("GATEWAY_INTERFACE", "CGI/1.1");
        set(
            "SERVER_SOFTWARE",
            concat!("longwire/", env!("CARGO_PKG_VERSION")),
        );
        set("SERVER_PROTOCOL", "HTTP/1.1");
        let (name, port) = server(asked);
        set("SERVER_NAME", &name);
        set("SERVER_PORT", &port);
        if asked.is_secure {
            set("HTTPS", "on");
        }
        // Over HTTP/2 it is another, which is no matter of the process.
        set("REQUEST_METHOD", "GET");
        let mark = if query.is_empty() { "" } else { "?" };
        set("REQUEST_URI", &format!("{path}{mark}{query}"));
        set("SCRIPT_NAME", script);
        set("PATH_INFO", &percent_decoded(below));
        set("QUERY_STRING", &query);
        if let Some(peer) = asked.peer {
            let address = peer.ip().to_canonical().to_string();
            set("REMOTE_ADDR", &address);
            set("REMOTE_HOST", &address);
            set("REMOTE_PORT", &peer.port().to_string());
        }
        if let Some(user) = asked.user {
            set("AUTH_TYPE", user.scheme);
            set("REMOTE_USER", &user.name);
        }
        for (name, value) in headers(asked.headers, cookie) {
            set(&name, &value);
        }
        Self {
            variables: Arc::new(variables),
        }
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.variables.iter();
        // No variable can hold a NUL.
        variables
            .filter(|(_, value)| !value.contains('\0'))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The server's name and port as the client has them.
fn server(asked: &Asked<'_>) -> (String, String) {
    let authority = asked.uri.authority().cloned().or_else(|| {
        let host = asked.headers.get(HOST)?;
        host.to_str().ok()?.parse().ok()
    });
    let port = if asked.is_secure { 443 } else { 80 };
    match authority {
        Some(authority) => (
            authority.host().to_owned(),
            authority.port_u16().unwrap_or(port).to_string(),
        ),
        None => (String::new(), port.to_string()),
    }
}

/// Each header as a variable, those of one name in one. One with an underscore could be
/// taken for another.
fn headers(headers: &HeaderMap, cookie: Option<&str>) -> Vec<(String, String)> {
    let names = headers.keys().filter(|name| !PRIVATE.contains(name));
    let names = names.filter(|name| !name.as_str().contains('_'));
    names
        .map(|name| {
            let separator = if name == COOKIE { "; " } else { ", " };
            let values = headers.get_all(name).into_iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            let mut value = values.collect::<Vec<_>>().join(separator);
            if name == COOKIE
                && let Some(private) = cookie
            {
                value = without_cookie(&value, private);
            }
            let name = name.as_str().to_ascii_uppercase().replace('-', "_");
            (format!("HTTP_{name}"), value)
        })
        .collect()
}

fn without_cookie(cookies: &str, private: &str) -> String {
    let pairs = cookies.split(';').map(str::trim);
    let others = pairs.filter(|pair| pair.split_once('=').is_none_or(|(name, _)| name != private));
    others.collect::<Vec<_>>().join("; ")
}

fn without_parameter(query: &str, private: Option<&str>) -> String {
    let Some(private) = private else {
        return query.to_owned();
    };
    let is_private = |pair: &&str| {
        let mut parsed = form_urlencoded::parse(pair.as_bytes());
        parsed.next().is_some_and(|(name, _)| name == private)
    };
    let others = query.split('&').filter(|pair| !is_private(pair));
    others.collect::<Vec<_>>().join("&")
}

/// As `PATH_INFO` has it. What is no text stays as it was.
fn percent_decoded(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    decoded.map_or_else(|_| path.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(uri: &'static str, fields: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let environment = Environment::new(&Asked {
            uri: &Uri::from_static(uri),
            headers: &headers,
            peer: "[::ffff:10.0.0.1]:5000".parse().ok(),
            user: None,
            route: "/run",
            is_secure: true,
            auth: None,
            inherit: &[],
        });
        let all = environment.variables();
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn a_path_that_is_no_text_stays_as_it_was() {
        for (path, expected) in [("/a%20b+c", "/a b+c"), ("/%ff", "/%ff"), ("/%c3%a4", "/ä")] {
            assert_eq!(percent_decoded(path), expected);
        }
    }

    #[test]
    fn a_process_is_told_what_cgi_tells() {
        let variables = variables(
            "/run/a%20b+c&d?x=1&y=2",
            &[
                ("host", "example.com:8443"),
                ("x-one", "1"),
                ("x-one", "2"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
            ],
        );
        for (name, value) in [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_NAME", "example.com"),
            ("SERVER_PORT", "8443"),
            ("SCRIPT_NAME", "/run"),
            ("PATH_INFO", "/a b+c&d"),
            ("QUERY_STRING", "x=1&y=2"),
            ("REQUEST_URI", "/run/a%20b+c&d?x=1&y=2"),
            ("REQUEST_METHOD", "GET"),
            ("REMOTE_ADDR", "10.0.0.1"),
            ("REMOTE_PORT", "5000"),
            ("HTTPS", "on"),
            ("HTTP_X_ONE", "1, 2"),
            ("HTTP_COOKIE", "a=1; b=2"),
        ] {
            assert!(
                variables.contains(&(name.to_owned(), value.to_owned())),
                "{name} in {variables:?}"
            );
        }
    }

    #[test]
    fn a_process_is_not_told_secrets_nor_what_it_would_take_for_a_setting() {
        let variables = variables(
            "/run",
            &[
                ("authorization", "Bearer x"),
                ("proxy", "http://evil"),
                ("proxy-authorization", "x"),
                ("x_one", "1"),
            ],
        );
        for (name, _) in &variables {
            assert!(!name.starts_with("HTTP_"), "{name}");
        }
        assert_eq!(without_cookie("a=1; token=x; b=2", "token"), "a=1; b=2");
        assert_eq!(
            without_parameter("a=1&tok%65n=x&b=2", Some("token")),
            "a=1&b=2"
        );
    }
}
