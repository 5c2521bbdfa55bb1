//! The one error of this library. Its variants tell what a caller can do.

use std::io;

use http::{HeaderMap, StatusCode};
use longwire_proto::deflate::CompressionError;
use longwire_proto::handshake::client::{OfferError, ResponseError};
use longwire_proto::{CloseFrameError, Closed, ClosedBy, SendError};

use crate::tls::{TlsError, is_certificates_fault};

/// A result with this library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. [`Error::fault`] says on whose side, and
/// [`Error::is_worth_retrying`] whether the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL or another argument cannot work, now or later.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The host's address cannot be found.
    #[error("could not find the address of {host}: {source}")]
    Resolve {
        /// The host.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server cannot be reached.
    #[error("could not connect to {host}: {source}")]
    Connect {
        /// The host and port.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The way through a proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The TLS handshake failed.
    #[error("the TLS handshake with {host} failed: {source}{}", tls_hint(.source))]
    Tls {
        /// The host and port.
        host: String,
        /// What rustls, or the system, says.
        source: io::Error,
    },
    /// A redirect that is not followed.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// The HTTP/2 connection, or the stream on it, failed before the handshake
    /// was done.
    #[error("the HTTP/2 connection to {host} failed: {source}")]
    Http2 {
        /// The host and port.
        host: String,
        /// What went wrong.
        source: h2::Error,
    },
    /// The server answered the handshake with another status than 101.
    #[error(
        "the server refused the WebSocket handshake with {}{}",
        .0.status,
        .0.body_line()
    )]
    Refused(Box<Refusal>),
    /// The server's answer breaks the protocol.
    #[error("the server's handshake is invalid: {0}")]
    Handshake(#[from] ResponseError),
    /// The server's answer is no HTTP, or the connection broke before it was
    /// complete.
    #[error("expected an HTTP response from the server: {0}")]
    Http(HttpError),
    /// What was waited for did not happen in time.
    #[error("{step} took longer than {} ms", .after.as_millis())]
    Timeout {
        /// What was waited for.
        step: Step,
        /// How long.
        after: std::time::Duration,
    },
    /// The connection ended other than by a closing handshake. One that ends
    /// by it is no error.
    #[error("the connection is closed: {0}")]
    Closed(Box<Closed>),
    /// A message was to be sent after the closing handshake began.
    #[error("the connection is closing: nothing can be sent any more")]
    Closing,
    /// A message was to be sent while a [`crate::ReconnectingSocket`] has no
    /// connection.
    #[error("expected a connection, got none: it is being opened again")]
    Away,
    /// A message, ping or pong was not taken; the connection is as it was.
    #[error(transparent)]
    Send(SendError),
    /// The transport failed, or a listener could not be opened.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A program's own error, from a server's handler.
    #[error("the handler failed: {0}")]
    Handler(Box<dyn std::error::Error + Send + Sync>),
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The program that called.
    Caller,
    /// The other end.
    Peer,
    /// What lies between.
    Network,
}

impl Error {
    /// A handler's own error, to end its connection with 1011.
    pub fn handler(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Handler(error.into())
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Usage(_) | Self::Closing | Self::Send(_) | Self::Handler(_) => Fault::Caller,
            Self::Refused(_) | Self::Handshake(_) | Self::Redirect(_) => Fault::Peer,
            Self::Tls { source, .. } if is_certificates_fault(source) => Fault::Peer,
            Self::Proxy(error) => error.fault(),
            Self::Http(error) if error.0.is_parse() => Fault::Peer,
            Self::Away
            | Self::Http(_)
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Http2 { .. }
            | Self::Timeout { .. }
            | Self::Io(_) => Fault::Network,
            Self::Closed(closed) => match closed.by {
                ClosedBy::Failure(_) | ClosedBy::Peer => Fault::Peer,
                ClosedBy::Local => Fault::Caller,
                _ => Fault::Network,
            },
        }
    }

    /// Whether another try is worth it: the network failed, or the server is
    /// overloaded or restarts. Where a socket is lost, that is one with a new
    /// socket.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                refusal.status.is_server_error()
                    || refusal.status == StatusCode::TOO_MANY_REQUESTS
                    || refusal.status == StatusCode::REQUEST_TIMEOUT
            }
            Self::Send(SendError::OutputFull { .. } | SendError::LimitExceeded { .. }) => true,
            error => error.fault() == Fault::Network,
        }
    }

    pub(crate) fn closed(closed: Closed) -> Self {
        Self::Closed(Box::new(closed))
    }
}

impl From<CloseFrameError> for Error {
    fn from(error: CloseFrameError) -> Self {
        Self::Usage(error.into())
    }
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        Self::Usage(error.into())
    }
}

impl From<OfferError> for Error {
    fn from(error: OfferError) -> Self {
        Self::Usage(error.into())
    }
}

/// An argument that cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The URL does not parse.
    #[error("expected a URL such as ws://example.com/chat, got {url:?}: {source}")]
    Url {
        /// As given, without credentials.
        url: String,
        /// Why.
        source: url::ParseError,
    },
    /// The URL has another scheme.
    #[error("expected a URL with the scheme ws or wss, got {scheme:?}")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The URL has a fragment, which no WebSocket URL may have (RFC 6455
    /// section 3).
    #[error("expected a URL without a fragment, got {fragment:?}")]
    Fragment {
        /// The fragment.
        fragment: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A proxy's URL.
    #[error("expected a proxy such as http://host:3128 or socks5://host:1080, got {url:?}{}", of_variable(.variable.as_deref()))]
    Proxy {
        /// As given, without credentials.
        url: String,
        /// The environment's variable that has it.
        variable: Option<String>,
    },
    /// A user name, password or token that no header can carry.
    #[error("expected credentials that a header can carry, got others")]
    Credentials,
    /// A cookie that is none.
    #[error("expected a cookie such as \"name=value; Path=/\", got {cookie:?}")]
    Cookie {
        /// As given.
        cookie: String,
    },
    /// A subprotocol or header of the request.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// A header's name or value.
    #[error("expected a header, got {name:?}: {value:?}")]
    Header {
        /// The name as given.
        name: String,
        /// The value as given; "..." where it is a secret.
        value: String,
    },
    /// A setting of compression.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A close code or reason.
    #[error(transparent)]
    Close(#[from] CloseFrameError),
    /// An allowed origin that is none.
    #[error("expected an origin such as https://example.com, got {origin:?}")]
    Origin {
        /// As given.
        origin: String,
    },
    /// A route's path.
    #[error("expected a path that starts with /, got {path:?}")]
    Path {
        /// As given.
        path: String,
    },
    /// Two routes for one path.
    #[error("expected each path once, got {path:?} again")]
    RepeatedPath {
        /// The path.
        path: String,
    },
}

fn of_variable(variable: Option<&str>) -> String {
    variable.map_or_else(String::new, |name| format!(" in {name}"))
}

fn tls_hint(source: &io::Error) -> &'static str {
    let is_no_tls = source
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|error| matches!(error, rustls::Error::InvalidMessage(_)));
    if is_no_tls {
        " (does the server speak TLS on this port?)"
    } else {
        ""
    }
}

/// A proxy that does not let us through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It answered CONNECT with another status than 2xx.
    #[error("the proxy {proxy} refused to connect to {host} with {status}{}", asks_for_credentials(*.status))]
    Refused {
        /// The proxy.
        proxy: String,
        /// The host and port.
        host: String,
        /// Its status.
        status: StatusCode,
    },
    /// Its answer is no HTTP.
    #[error("expected an HTTP response from the proxy {proxy}: {source}")]
    Http {
        /// The proxy.
        proxy: String,
        /// What is wrong.
        source: HttpError,
    },
    /// It failed, or refused, as SOCKS has it.
    #[error("the proxy {proxy} did not connect to {host}: {source}")]
    Socks {
        /// The proxy.
        proxy: String,
        /// The host and port.
        host: String,
        /// What it said.
        source: tokio_socks::Error,
    },
    /// It sent bytes of its own behind its answer.
    #[error("expected nothing behind the answer of the proxy {proxy}, got {count} bytes")]
    Unexpected {
        /// The proxy.
        proxy: String,
        /// How many.
        count: usize,
    },
}

impl ProxyError {
    /// Whether another address of the same server may do.
    pub(crate) fn is_of_address(&self) -> bool {
        use tokio_socks::Error as Socks;
        let Self::Socks { source, .. } = self else {
            return false;
        };
        matches!(
            source,
            Socks::HostUnreachable
                | Socks::NetworkUnreachable
                | Socks::ConnectionRefused
                | Socks::TtlExpired
                | Socks::AddressTypeNotSupported
        )
    }

    fn fault(&self) -> Fault {
        use tokio_socks::Error as Socks;
        match self {
            Self::Refused { status, .. } if status.is_server_error() => Fault::Network,
            Self::Refused { .. } | Self::Unexpected { .. } => Fault::Peer,
            Self::Http { source, .. } if source.0.is_parse() => Fault::Peer,
            Self::Socks { source, .. } => match source {
                Socks::Io(_)
                | Socks::HostUnreachable
                | Socks::NetworkUnreachable
                | Socks::GeneralSocksServerFailure
                | Socks::ConnectionRefused
                | Socks::TtlExpired => Fault::Network,
                _ => Fault::Peer,
            },
            Self::Http { .. } => Fault::Network,
        }
    }
}

fn asks_for_credentials(status: StatusCode) -> &'static str {
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        " (it asks for a user name and a password in its URL)"
    } else {
        ""
    }
}

/// A redirect that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// More than allowed.
    #[error("expected at most {max} redirects, got one more, to {location:?}")]
    TooMany {
        /// How many are allowed.
        max: usize,
        /// Where to.
        location: String,
    },
    /// Its `Location` is missing or no URL of a WebSocket.
    #[error("expected a redirect to a WebSocket URL, got {location:?}")]
    Location {
        /// Where to.
        location: String,
    },
    /// From wss to ws.
    #[error("expected a redirect that stays with wss, got one to {location:?}")]
    Downgrade {
        /// Where to.
        location: String,
    },
}

/// What HTTP has to say of a failed handshake.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct HttpError(pub(crate) hyper::Error);

/// A step of opening a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Looking up the host's addresses.
    Resolve,
    /// Connecting to one of them.
    Connect,
    /// Having a proxy connect to the server.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The opening handshake.
    Handshake,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up the server's address",
            Self::Connect => "connecting to the server",
            Self::Proxy => "connecting through the proxy",
            Self::Tls => "the TLS handshake",
            Self::Handshake => "the WebSocket handshake",
        })
    }
}

/// A server's answer that is not 101.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to [`longwire_proto::Limits::refusal_body`] bytes of it.
    pub body: Vec<u8>,
}

impl Refusal {
    /// The first line of a body that is text, after a colon.
    fn body_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line = text.lines().next().unwrap_or_default().trim();
        let is_text = self
            .headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
        if is_text && !line.is_empty() {
            format!(": {}", line.chars().take(200).collect::<String>())
        } else {
            String::new()
        }
    }
}
