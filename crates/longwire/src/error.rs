//! The one error of this library. Its variants tell what a caller can do.

use std::io;

use http::{HeaderMap, StatusCode};
use longwire_proto::deflate::CompressionError;
use longwire_proto::handshake::client::{OfferError, ResponseError};
use longwire_proto::{CloseFrameError, Closed, ClosedBy, SendError};

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
    /// The server cannot be reached.
    #[error("could not connect to {host}: {source}")]
    Connect {
        /// The host and port.
        host: String,
        /// What the system says.
        source: io::Error,
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
            Self::Refused(_) | Self::Handshake(_) => Fault::Peer,
            Self::Http(error) if error.0.is_parse() => Fault::Peer,
            Self::Http(_) | Self::Connect { .. } | Self::Timeout { .. } | Self::Io(_) => {
                Fault::Network
            }
            Self::Closed(closed) => match closed.by {
                ClosedBy::Failure(_) | ClosedBy::Peer => Fault::Peer,
                ClosedBy::Local => Fault::Caller,
                _ => Fault::Network,
            },
        }
    }

    /// Whether the same call may succeed later: the network failed, or the
    /// server is overloaded or restarts.
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
        /// As given.
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
    /// The URL needs TLS, which this build does not have.
    #[error("expected a ws URL: this build has no TLS, which wss needs")]
    NoTls,
    /// The URL carries a user name or a password.
    #[error("expected a URL without user name and password: send an Authorization header instead")]
    Credentials,
    /// A subprotocol or header of the request.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// A header's name or value.
    #[error("expected a header, got {name:?}: {value:?}")]
    Header {
        /// The name as given.
        name: String,
        /// The value as given.
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

/// What HTTP has to say of a failed handshake.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct HttpError(pub(crate) hyper::Error);

/// A step of opening a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Looking up the host and connecting to it.
    Connect,
    /// The opening handshake.
    Handshake,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting to the server",
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
