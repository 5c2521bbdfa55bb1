//! The server's half of the opening handshake (RFC 6455 section 4.2).

use std::collections::HashSet;

use ::http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use ::http::{HeaderMap, Method, Request, Response, StatusCode, Version};

use super::{VERSION, accept_for_key, is_key};
use crate::deflate::{self, Agreement, CompressionConfig};
use crate::http::extension::{Extension, parse_extensions};
use crate::http::{HeaderError, list, list_has, shown};
use crate::limits::{Limit, Limits};

/// A request that asks for a WebSocket in due form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// None where the request came over HTTP/2 or later.
    key: Option<String>,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

/// Whether the request asks for the WebSocket protocol at all: what decides
/// between a handshake and plain HTTP where both share a path.
pub fn is_upgrade<B>(request: &Request<B>) -> bool {
    list_has(request.headers(), &UPGRADE, "websocket")
}

impl Offer {
    //= rfc6455#4.2.1-1, rfc6455#4.2.1-2, rfc6455#4.2.1-3, rfc6455#4.2.1-4, rfc6455#4.2.1-5
    //= rfc6455#4.2.1-6, rfc6455#4.2.1-7, rfc6455#4.2.1-8, rfc6455#4.2.1-12
    /// Reads a client's opening handshake (section 4.2.1). Give it only what
    /// [`check_head`] has let pass.
    pub fn read<B>(request: &Request<B>) -> Result<Self, RequestError> {
        if request.method() != Method::GET {
            return Err(RequestError::Method(request.method().clone()));
        }
        if request.version() < Version::HTTP_11 {
            return Err(RequestError::HttpVersion(request.version()));
        }
        check_no_body(request.headers())?;
        let headers = request.headers();
        single(headers, HOST)?;
        for (name, token) in [(UPGRADE, "websocket"), (CONNECTION, "upgrade")] {
            if !list_has(headers, &name, token) {
                let got = headers.get(&name).map(shown_value);
                return Err(RequestError::Token { name, token, got });
            }
        }
        let version = single(headers, SEC_WEBSOCKET_VERSION)?;
        if version != VERSION {
            return Err(RequestError::WebSocketVersion(shown(version)));
        }
        let key = single(headers, SEC_WEBSOCKET_KEY)?;
        if !is_key(key) {
            return Err(RequestError::Key(shown(key)));
        }
        Ok(Self {
            key: Some(key.to_owned()),
            subprotocols: offered_subprotocols(headers)?,
            extensions: parse_extensions(headers)?,
        })
    }

    //= rfc8441#4-1, rfc8441#4-2, rfc8441#4-3, rfc8441#5-1, rfc8441#5-4, rfc8441#5-5
    /// Reads a client's opening handshake by extended CONNECT (RFC 8441 section
    /// 5); `protocol` is the pseudo-header of that name, where there is one.
    /// Give it only what [`check_head`] has let pass.
    pub fn read_extended<B>(
        request: &Request<B>,
        protocol: Option<&str>,
    ) -> Result<Self, RequestError> {
        if request.method() != Method::CONNECT {
            return Err(RequestError::ExtendedMethod(request.method().clone()));
        }
        if protocol != Some("websocket") {
            return Err(RequestError::Protocol(protocol.map(shown)));
        }
        let headers = request.headers();
        let version = single(headers, SEC_WEBSOCKET_VERSION)?;
        if version != VERSION {
            return Err(RequestError::ExtendedVersion(shown(version)));
        }
        Ok(Self {
            key: None,
            subprotocols: offered_subprotocols(headers)?,
            extensions: parse_extensions(headers)?,
        })
    }

    /// The subprotocols offered, the client's favourite first.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    //= rfc6455#4.2.1-11
    /// The extensions offered, the client's favourite first.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The first of the server's subprotocols, in the server's order, that the
    /// client offers too. Names are compared exactly (section 11.5).
    pub fn select_subprotocol<'s, S: AsRef<str>>(&self, supported: &'s [S]) -> Option<&'s str> {
        supported
            .iter()
            .map(AsRef::as_ref)
            .find(|name| self.subprotocols.iter().any(|offered| offered == name))
    }

    //= rfc6455#4.2.2-7, rfc6455#4.2.2-8, rfc6455#4.2.2-9, rfc6455#4.2.2-10, rfc6455#4.2.2-11
    //= rfc6455#4.2.2-12, rfc6455#4.2.2-13, rfc6455#5.8-1, rfc6455#9.1-5
    //= rfc6455#4.2.2-16, rfc6455#4.2.2-17, rfc6455#9.1-7
    //= rfc8441#5-6
    /// The response that accepts (section 4.2.2, item 5), with the subprotocol
    /// chosen, and what is agreed on compression.
    pub fn accept(
        &self,
        subprotocol: Option<&str>,
        compression: &CompressionConfig,
    ) -> Result<(Response<()>, Option<Agreement>), NotOffered> {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        if let Some(key) = &self.key {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            // Base64 and an offered token are always a header's value.
            if let Ok(accept) = HeaderValue::from_str(&accept_for_key(key)) {
                headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            }
        }
        let mut agreement = None;
        if let Some((extension, agreed)) = deflate::accept(compression, &self.extensions)
            && let Ok(value) = HeaderValue::from_str(&extension.to_string())
        {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
            agreement = Some(agreed);
        }
        if let Some(name) = subprotocol {
            let not_offered = || NotOffered {
                chosen: name.to_owned(),
                offered: self.subprotocols.clone(),
            };
            if !self.subprotocols.iter().any(|offered| offered == name) {
                return Err(not_offered());
            }
            let value = HeaderValue::from_str(name).map_err(|_| not_offered())?;
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        // Over HTTP/2 the status says that a tunnel is there, as for any CONNECT.
        if self.key.is_some() {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        Ok((response, agreement))
    }
}

/// The server chose a subprotocol that the client did not offer, which would
/// make the client fail the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of the subprotocols that the client offers {offered:?}, got {chosen:?}")]
pub struct NotOffered {
    /// What was chosen.
    pub chosen: String,
    /// What the client offers.
    pub offered: Vec<String>,
}

/// Why a request is no opening handshake. [`RequestError::response`] is the
/// answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Another method than GET: 405.
    #[error("expected the method GET in a WebSocket handshake, got {0}")]
    Method(Method),
    /// Another method than CONNECT over HTTP/2: 405.
    #[error("expected the method CONNECT in a WebSocket handshake over HTTP/2, got {0}")]
    ExtendedMethod(Method),
    /// A CONNECT for something else than a WebSocket: 501.
    #[error("expected the :protocol \"websocket\" in a CONNECT request, got {}", or_none(.0.as_deref()))]
    Protocol(Option<String>),
    /// HTTP before 1.1: 400.
    #[error("expected HTTP/1.1 in a WebSocket handshake, got {0:?}")]
    HttpVersion(Version),
    /// A header that must be there once is not there: 400.
    #[error("expected one {0} header in a WebSocket handshake, got none")]
    Missing(HeaderName),
    /// A header that must be there once is there more often: 400.
    #[error("expected one {0} header in a WebSocket handshake, got {1}")]
    Repeated(HeaderName, usize),
    /// `Upgrade` lacks `websocket`, or `Connection` lacks `upgrade`: 400.
    #[error("expected {token:?} in the {name} header of a WebSocket handshake, got {}", or_none(.got.as_deref()))]
    Token {
        /// The header.
        name: HeaderName,
        /// The token it should have.
        token: &'static str,
        /// Its value, where it is there.
        got: Option<String>,
    },
    /// A version other than 13: 426, which names 13.
    #[error("expected Sec-WebSocket-Version 13, got {0:?}")]
    WebSocketVersion(String),
    /// A version other than 13 over HTTP/2, which has no upgrades: 400, which
    /// names 13.
    #[error("expected sec-websocket-version 13, got {0:?}")]
    ExtendedVersion(String),
    /// A key that is not 16 bytes in base64: 400.
    #[error("expected 16 bytes in base64 in Sec-WebSocket-Key, got {0:?}")]
    Key(String),
    /// The same subprotocol offered twice: 400.
    #[error("expected each subprotocol once in Sec-WebSocket-Protocol, got {0:?} again")]
    RepeatedSubprotocol(String),
    /// A body, whose end would be where the frames begin: 400.
    #[error("expected no body in a WebSocket handshake, got {name}: {got:?}")]
    Body {
        /// The header that announces it.
        name: HeaderName,
        /// Its value.
        got: String,
    },
    /// A header that breaks its grammar: 400.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A request head above our limits: 431.
    #[error("expected at most {max} for the limit {limit}, got {value}")]
    LimitExceeded {
        /// Which limit.
        limit: Limit,
        /// The value that passed it.
        value: usize,
        /// The limit's value.
        max: usize,
    },
}

fn or_none(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}

impl RequestError {
    /// The status that answers this error.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) | Self::ExtendedMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Protocol(_) => StatusCode::NOT_IMPLEMENTED,
            Self::WebSocketVersion(_) => StatusCode::UPGRADE_REQUIRED,
            Self::LimitExceeded { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    //= rfc6455#4.2.2-5, rfc6455#4.4-2, rfc6455#10.7-4
    /// The response that tells the client, its body this error in a line.
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        match self {
            Self::Method(_) => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            Self::ExtendedMethod(_) => {
                headers.insert(ALLOW, HeaderValue::from_static("CONNECT"));
            }
            Self::ExtendedVersion(_) => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            Self::WebSocketVersion(_) => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            }
            _ => {}
        }
        response
    }
}

/// Judges the size of a request head, as soon as there is one: bytes of the
/// request line and all fields, and the number of fields.
pub fn check_head<B>(request: &Request<B>, limits: &Limits) -> Result<(), RequestError> {
    let over = |limit, value: usize, max: usize| {
        if value > max {
            Err(RequestError::LimitExceeded { limit, value, max })
        } else {
            Ok(())
        }
    };
    let headers = request.headers();
    over(Limit::HeaderFields, headers.len(), limits.header_fields)?;
    // "GET / HTTP/1.1\r\n" beside method and target, ": \r\n" in each field,
    // and the empty line at the end.
    let line = request.method().as_str().len() + target_len(request) + 12;
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum::<usize>()
        + line
        + 2;
    over(Limit::HeaderBytes, bytes, limits.header_bytes)
}

fn target_len<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    uri.path_and_query().map_or(1, |p| p.as_str().len())
        + uri.authority().map_or(0, |a| a.as_str().len())
}

//= rfc6455#4.2.1-13
/// The value of a header that must be there exactly once.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<&str, RequestError> {
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else {
        return Err(RequestError::Missing(name));
    };
    let more = values.count();
    if more > 0 {
        return Err(RequestError::Repeated(name, more + 1));
    }
    value
        .to_str()
        .map_err(|_| HeaderError::NotAscii { name }.into())
}

fn shown_value(value: &HeaderValue) -> String {
    shown(&String::from_utf8_lossy(value.as_bytes()))
}

/// What a proxy takes for a body, a server must not take for frames.
fn check_no_body(headers: &HeaderMap) -> Result<(), RequestError> {
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        let mut values = headers.get_all(&name).iter();
        let is_body = |value: &&HeaderValue| name == TRANSFER_ENCODING || *value != "0";
        if let Some(value) = values.find(is_body) {
            let got = shown(&String::from_utf8_lossy(value.as_bytes()));
            return Err(RequestError::Body { name, got });
        }
    }
    Ok(())
}

//= rfc6455#4.2.1-10
fn offered_subprotocols(headers: &HeaderMap) -> Result<Vec<String>, RequestError> {
    let names = list(headers, &SEC_WEBSOCKET_PROTOCOL)?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = HashSet::new();
    if let Some(name) = names.iter().find(|&&name| !known.insert(name)) {
        return Err(RequestError::RepeatedSubprotocol(shown(name)));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
