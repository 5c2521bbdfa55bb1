//! What a request has to say differently to the server behind the proxy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::{Position, Url};

use crate::args::way::{CompressionArg, WayArgs};
use crate::wire::Head;

/// The offer in which each message is compressed on its own (RFC 7692 section
/// 7.1.1).
const SHARED_OFFER: &str =
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

/// The changes to each request.
#[derive(Clone, Debug)]
pub(super) struct Rewriting {
    /// `host:port`, without the port that the scheme has anyway.
    host: String,
    /// What to ask for where the URL says so.
    target: Option<String>,
    origin: Option<String>,
    subprotocols: Option<String>,
    compression: CompressionArg,
    /// Further fields.
    fields: Vec<(String, String)>,
}

impl Rewriting {
    pub(super) fn new(url: &Url, way: &WayArgs, rewrite_origin: bool) -> Result<Self, String> {
        let host = url[Position::BeforeHost..Position::AfterPort].to_owned();
        let has_target = url.path() != "/" || url.query().is_some();
        let scheme = if url.scheme() == "wss" {
            "https"
        } else {
            "http"
        };
        let own = rewrite_origin.then(|| format!("{scheme}://{host}"));
        let mut fields = way.header.clone();
        if !way.cookie.is_empty() {
            fields.push(("Cookie".to_owned(), way.cookie.join("; ")));
        }
        fields.extend(authorization(url, way));
        for (name, value) in &fields {
            if !is_field(name, value) {
                return Err(format!("expected a header, got {name:?}: {value:?}"));
            }
        }
        Ok(Self {
            target: has_target.then(|| url[Position::BeforePath..Position::AfterQuery].to_owned()),
            origin: way.origin.clone().or(own),
            subprotocols: (!way.subprotocol.is_empty()).then(|| way.subprotocol.join(", ")),
            compression: way.compression(),
            fields,
            host,
        })
    }

    /// A handshake as the server is to get it.
    pub(super) fn handshake(&self, mut head: Head) -> Head {
        if let Some(target) = &self.target {
            head.first_line = format!("GET {target} HTTP/1.1");
        }
        if let Some(subprotocols) = &self.subprotocols {
            set(&mut head, "Sec-WebSocket-Protocol", subprotocols);
        }
        let offers_deflate = head
            .all("Sec-WebSocket-Extensions")
            .any(|offer| offer.contains("permessage-deflate"));
        match self.compression {
            CompressionArg::Off => remove(&mut head, "Sec-WebSocket-Extensions"),
            CompressionArg::Shared if offers_deflate => {
                set(&mut head, "Sec-WebSocket-Extensions", SHARED_OFFER);
            }
            CompressionArg::Shared | CompressionArg::Dedicated => {}
        }
        self.both(&mut head);
        head
    }

    /// A plain request as the server is to get it: one on each connection.
    pub(super) fn plain(&self, mut head: Head) -> Head {
        set(&mut head, "Connection", "close");
        for name in ["Keep-Alive", "Expect"] {
            remove(&mut head, name);
        }
        self.both(&mut head);
        head
    }

    fn both(&self, head: &mut Head) {
        set(head, "Host", &self.host);
        if let Some(origin) = &self.origin {
            set(head, "Origin", origin);
        }
        for (name, _) in &self.fields {
            remove(head, name);
        }
        head.fields.extend(self.fields.iter().cloned());
    }
}

/// A response to a plain request as the client is to get it.
pub(super) fn plain_response(mut head: Head) -> Head {
    set(&mut head, "Connection", "close");
    remove(&mut head, "Keep-Alive");
    head
}

/// Sets a field where the first one of that name is.
fn set(head: &mut Head, name: &str, value: &str) {
    let mut is_set = false;
    head.fields.retain_mut(|field| {
        if !field.0.eq_ignore_ascii_case(name) {
            return true;
        }
        value.clone_into(&mut field.1);
        !std::mem::replace(&mut is_set, true)
    });
    if !is_set {
        head.fields.push((name.to_owned(), value.to_owned()));
    }
}

fn remove(head: &mut Head, name: &str) {
    head.fields
        .retain(|field| !field.0.eq_ignore_ascii_case(name));
}

fn authorization(url: &Url, way: &WayArgs) -> Option<(String, String)> {
    let of_url = || {
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (url.username(), url.password());
        let is_given = !user.is_empty() || password.is_some();
        is_given.then(|| format!("{}:{}", decode(user), decode(password.unwrap_or(""))))
    };
    let value = match (&way.bearer, way.user.clone().or_else(of_url)) {
        (Some(token), _) => format!("Bearer {token}"),
        (None, Some(user)) => {
            let both = if user.contains(':') {
                user
            } else {
                format!("{user}:")
            };
            format!("Basic {}", STANDARD.encode(both))
        }
        (None, None) => return None,
    };
    Some(("Authorization".to_owned(), value))
}

/// Whether it can be written in a head (RFC 9110 section 5).
fn is_field(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(is_token)
        && !value.contains(|char: char| char.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head::parse(
            b"GET /a?b HTTP/1.1\r\nhost: localhost:9000\r\nUpgrade: websocket\r\n\
              Origin: http://localhost:9000\r\nCookie: old=1\r\n\
              Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        )
        .unwrap()
    }

    fn handshake(url: &str, way: &WayArgs, rewrite_origin: bool) -> Head {
        let url = Url::parse(url).unwrap();
        Rewriting::new(&url, way, rewrite_origin)
            .unwrap()
            .handshake(head())
    }

    #[test]
    fn only_what_must_be_is_rewritten() {
        let way = WayArgs {
            compression: None,
            ..WayArgs::default()
        };
        let sent = handshake("wss://example.com:443/", &way, false);
        let mut expected = head();
        "example.com".clone_into(&mut expected.fields[0].1);
        assert_eq!(sent, expected);
        let sent = handshake("wss://ann:p%40w@example.com/chat?x", &way, true);
        assert_eq!(sent.first_line, "GET /chat?x HTTP/1.1");
        assert_eq!(sent.get("Origin"), Some("https://example.com"));
        assert_eq!(sent.get("Authorization"), Some("Basic YW5uOnBAdw=="));
    }

    #[test]
    fn the_options_of_the_way_replace_what_the_client_says() {
        let way = WayArgs {
            cookie: vec!["new=2".to_owned()],
            bearer: Some("t".to_owned()),
            subprotocol: vec!["a".to_owned(), "b".to_owned()],
            no_compression: true,
            ..WayArgs::default()
        };
        let sent = handshake("ws://[::1]:8000", &way, false);
        assert_eq!(sent.get("Host"), Some("[::1]:8000"));
        assert_eq!(sent.all("Cookie").collect::<Vec<_>>(), ["new=2"]);
        assert_eq!(sent.get("Authorization"), Some("Bearer t"));
        assert_eq!(sent.get("Sec-WebSocket-Protocol"), Some("a, b"));
        assert_eq!(sent.get("Sec-WebSocket-Extensions"), None);
        let way = WayArgs {
            header: vec![("X".to_owned(), "a\r\nEvil: b".to_owned())],
            ..WayArgs::default()
        };
        let url = Url::parse("ws://x").unwrap();
        assert!(Rewriting::new(&url, &way, false).is_err());
    }
}
