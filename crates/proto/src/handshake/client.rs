//! The client's half of the opening handshake (RFC 6455 section 4.1).

use std::collections::HashSet;

use ::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use ::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

use super::{VERSION, accept_for_key, encode_key};
use crate::deflate::{self, Agreement, CompressionConfig, EXTENSION, NegotiationError};
use crate::http::HeaderError;
use crate::http::extension::parse_extensions;
use crate::http::{is_token, list_has, shown};

/// The client's side of one handshake: makes the request, judges the response.
#[derive(Clone, Debug)]
pub struct Handshake {
    key: String,
    subprotocols: Vec<String>,
    compression: CompressionConfig,
}

/// What a response has agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// The subprotocol, one of those offered.
    pub subprotocol: Option<String>,
    /// How messages are compressed, if they are.
    pub compression: Option<Agreement>,
}

/// The headers that the handshake itself sets; a program may not.
const OURS: [HeaderName; 9] = [
    HOST,
    UPGRADE,
    CONNECTION,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
];

/// The program asked for a handshake that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// A subprotocol that is no token (section 4.1, item 10).
    #[error("expected a subprotocol of visible ASCII without separators, got {0:?}")]
    Subprotocol(String),
    /// A subprotocol offered twice.
    #[error("expected each subprotocol once, got {0:?} again")]
    RepeatedSubprotocol(String),
    /// A header that the handshake itself sets.
    #[error("expected no {0} header: the handshake sets it")]
    ReservedHeader(HeaderName),
}

//= rfc6455#4.1-20, rfc6455#4.1-21
/// Whether these subprotocols can be offered (section 4.1, item 10): tokens, each
/// once.
pub fn check_subprotocols(names: &[String]) -> Result<(), OfferError> {
    let mut known = HashSet::new();
    for name in names {
        if !is_token(name) {
            return Err(OfferError::Subprotocol(name.clone()));
        }
        if !known.insert(name) {
            return Err(OfferError::RepeatedSubprotocol(name.clone()));
        }
    }
    Ok(())
}

impl Handshake {
    //= rfc6455#4.1-15
    /// A handshake that offers these subprotocols, and compression as it is
    /// configured. `nonce` is 16 bytes from a cryptographically secure
    /// generator, new for each handshake.
    pub fn new(
        nonce: [u8; 16],
        subprotocols: Vec<String>,
        compression: CompressionConfig,
    ) -> Result<Self, OfferError> {
        check_subprotocols(&subprotocols)?;
        Ok(Self {
            key: encode_key(nonce),
            subprotocols,
            compression,
        })
    }

    //= rfc6455#4.1-10, rfc6455#4.1-11, rfc6455#4.1-12, rfc6455#4.1-13, rfc6455#4.1-14
    //= rfc6455#4.1-17, rfc6455#4.1-18, rfc6455#4.1-19, rfc6455#4.1-23, rfc6455#4.4-1
    /// The request (section 4.1, items 1 to 12): `target` in origin form,
    /// `host` as in the URL with any port that is not the scheme's own, and
    /// further headers such as `Origin` or `Cookie`.
    pub fn request(
        &self,
        target: Uri,
        host: HeaderValue,
        further: &HeaderMap,
    ) -> Result<Request<()>, OfferError> {
        if let Some(name) = OURS.iter().find(|name| further.contains_key(*name)) {
            return Err(OfferError::ReservedHeader(name.clone()));
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        // Base64 is always a header's value.
        if let Ok(key) = HeaderValue::from_str(&self.key) {
            headers.insert(SEC_WEBSOCKET_KEY, key);
        }
        self.offer(headers, further);
        Ok(request)
    }

    //= rfc8441#5-1, rfc8441#5-2, rfc8441#5-3, rfc8441#5-4, rfc8441#5-5
    /// The request by extended CONNECT (RFC 8441 section 5): `target` is the
    /// whole URL with the scheme `http` or `https`. The pseudo-header
    /// `:protocol` with the value `websocket` is the caller's to add.
    pub fn extended_request(
        &self,
        target: Uri,
        further: &HeaderMap,
    ) -> Result<Request<()>, OfferError> {
        if let Some(name) = OURS.iter().find(|name| further.contains_key(*name)) {
            return Err(OfferError::ReservedHeader(name.clone()));
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = target;
        *request.version_mut() = Version::HTTP_2;
        self.offer(request.headers_mut(), further);
        Ok(request)
    }

    //= rfc7692#5-1
    /// The headers that are the same over each version of HTTP.
    fn offer(&self, headers: &mut HeaderMap, further: &HeaderMap) {
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        // Tokens are always a header's value.
        if !self.subprotocols.is_empty()
            && let Ok(names) = HeaderValue::from_str(&self.subprotocols.join(", "))
        {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, names);
        }
        if let Some(offer) = self.extensions()
            && let Ok(value) = HeaderValue::from_str(&offer)
        {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        for (name, value) in further {
            headers.append(name, value.clone());
        }
    }

    //= rfc6455#4.1-25, rfc6455#4.1-27, rfc6455#4.1-28, rfc6455#4.1-29, rfc6455#4.1-30
    //= rfc6455#4.1-32
    //= rfc6455#7.2.1-3
    /// Judges the response (section 4.1, items 1 to 6 of its validation); gives
    /// what was agreed on.
    pub fn verify<B>(&self, response: &Response<B>) -> Result<Agreed, ResponseError> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(ResponseError::Status(response.status()));
        }
        let headers = response.headers();
        for (name, token) in [(UPGRADE, "websocket"), (CONNECTION, "upgrade")] {
            // `Upgrade` is a single value here, unlike in the request.
            let found = if name == UPGRADE {
                single(headers, &name)?.eq_ignore_ascii_case(token)
            } else {
                list_has(headers, &name, token)
            };
            if !found {
                let got = headers.get(&name).map_or_else(String::new, |value| {
                    shown(&String::from_utf8_lossy(value.as_bytes()))
                });
                return Err(ResponseError::Token { name, token, got });
            }
        }
        let accept = single(headers, &SEC_WEBSOCKET_ACCEPT)?;
        let expected = accept_for_key(&self.key);
        if accept != expected {
            return Err(ResponseError::Accept {
                expected,
                got: shown(accept),
            });
        }
        self.agreed(headers)
    }

    //= rfc8441#5-6
    /// Judges the response to an extended CONNECT (RFC 8441 section 5).
    pub fn verify_extended<B>(&self, response: &Response<B>) -> Result<Agreed, ResponseError> {
        if !response.status().is_success() {
            return Err(ResponseError::Status(response.status()));
        }
        self.agreed(response.headers())
    }

    fn agreed(&self, headers: &HeaderMap) -> Result<Agreed, ResponseError> {
        Ok(Agreed {
            compression: self.agreed_compression(headers)?,
            subprotocol: self.agreed_subprotocol(headers)?,
        })
    }

    /// The extensions offered, as their header has them.
    fn extensions(&self) -> Option<String> {
        let offers = deflate::offer(&self.compression);
        let offers: Vec<String> = offers.iter().map(ToString::to_string).collect();
        (!offers.is_empty()).then(|| offers.join(", "))
    }

    //= rfc7692#5-5, rfc7692#5-6, rfc7692#7.1-2
    fn agreed_compression(&self, headers: &HeaderMap) -> Result<Option<Agreement>, ResponseError> {
        let extensions = parse_extensions(headers)?;
        let offered = self.extensions();
        match extensions.as_slice() {
            [] if !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) => Ok(None),
            [one] if one.name == EXTENSION && offered.is_some() => {
                Ok(Some(deflate::conclude(&self.compression, one)?))
            }
            several => {
                let got: Vec<String> = several.iter().map(ToString::to_string).collect();
                Err(ResponseError::Extension {
                    got: shown(&got.join(", ")),
                    offered: offered.unwrap_or_else(|| "none".to_owned()),
                })
            }
        }
    }

    //= rfc6455#4.1-31
    fn agreed_subprotocol(&self, headers: &HeaderMap) -> Result<Option<String>, ResponseError> {
        if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            return Ok(None);
        }
        let name = single(headers, &SEC_WEBSOCKET_PROTOCOL)?;
        if self.subprotocols.iter().any(|offered| offered == name) {
            Ok(Some(name.to_owned()))
        } else {
            Err(ResponseError::Subprotocol {
                got: shown(name),
                offered: self.subprotocols.clone(),
            })
        }
    }
}

/// Why a response does not open a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Another status than 101.
    #[error("expected status 101 Switching Protocols from the server, got {0}")]
    Status(StatusCode),
    /// A header that must be there once is missing or repeated.
    #[error("expected one {name} header in the server's response, got {count}")]
    Count {
        /// The header.
        name: HeaderName,
        /// How many there are.
        count: usize,
    },
    /// `Upgrade` is not `websocket`, or `Connection` lacks `upgrade`.
    #[error("expected {token:?} in the {name} header of the server's response, got {got:?}")]
    Token {
        /// The header.
        name: HeaderName,
        /// What it should have.
        token: &'static str,
        /// Its value.
        got: String,
    },
    /// The accept value does not answer our key.
    #[error("expected Sec-WebSocket-Accept {expected:?} from the server, got {got:?}")]
    Accept {
        /// The value that answers our key.
        expected: String,
        /// The server's.
        got: String,
    },
    /// Extensions that do not answer the offer.
    #[error("expected at most the extension offered ({offered}) from the server, got {got:?}")]
    Extension {
        /// The server's extensions.
        got: String,
        /// What was offered.
        offered: String,
    },
    /// Parameters of permessage-deflate that do not answer those offered (RFC
    /// 7692 section 7).
    #[error(transparent)]
    Compression(#[from] NegotiationError),
    /// A header that breaks its grammar.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A subprotocol that was not offered.
    #[error("expected a subprotocol among those offered {offered:?} from the server, got {got:?}")]
    Subprotocol {
        /// The server's choice.
        got: String,
        /// Ours.
        offered: Vec<String>,
    },
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, ResponseError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    let count = usize::from(first.is_some()) + values.count();
    match first {
        // A value that is not ASCII equals nothing that is expected.
        Some(value) if count == 1 => Ok(value.to_str().unwrap_or_default()),
        _ => Err(ResponseError::Count {
            name: name.clone(),
            count,
        }),
    }
}

#[cfg(test)]
mod tests;
