//! The opening handshake in a server that has read the request by itself, such as one
//! in another language: [`Handshake`].

use std::net::SocketAddr;

use http::header::HOST;
use http::{HeaderMap, Request, Response, Uri, Version};
use longwire_proto::handshake::server::{NotOffered, Offer, RequestError, check_head};
use longwire_proto::{Agreement, Role};

use super::origin::{OriginCheck, OriginError, OriginPolicy};
use crate::error::UsageError;
use crate::options::Options;
use crate::socket::{Info, Socket};
use crate::transport::{Io, Transport};

/// A client's opening handshake over HTTP/1.1, where the program has the request and
/// writes the response itself. In a server of hyper or axum, [`super::Upgrade`] does
/// both.
///
/// ```
/// use http::Request;
/// use longwire::server::{Handshake, OriginPolicy};
/// use longwire::{Drive, Options};
///
/// # fn example(request: &Request<()>, stream: tokio::net::TcpStream)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let handshake = Handshake::read(request, Options::new(Drive::Task))?;
/// handshake.judge_origin(OriginPolicy::SameOrigin, false)?;
/// let (response, accepted) = handshake.accept(None)?;
/// // Once the response is written:
/// let socket = accepted.over(stream, Vec::new());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Handshake {
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    offer: Offer,
    options: Options,
}

/// A handshake that was accepted: what the socket is to be.
#[derive(Debug)]
pub struct Accepted {
    uri: Uri,
    version: Version,
    subprotocol: Option<String>,
    compression: Option<Agreement>,
    options: Options,
}

impl Handshake {
    /// Reads a request's handshake. The limits of the options are those of its head too.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says what is wrong with it, and has the response.
    pub fn read<B>(request: &Request<B>, options: Options) -> Result<Self, RequestError> {
        check_head(request, &options.config.limits)?;
        Ok(Self {
            offer: Offer::read(request)?,
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
            options,
        })
    }

    /// The subprotocols offered, the client's favourite first.
    pub fn offered_subprotocols(&self) -> &[String] {
        self.offer.subprotocols()
    }

    /// Whether the page that the request comes from may open a socket, or a request
    /// without `Origin`. `secure` says that the server speaks TLS itself.
    ///
    /// # Errors
    ///
    /// [`OriginError::NotAllowed`] and [`OriginError::Count`], which are answered with
    /// 403; [`OriginError::Usage`] for a policy that cannot work.
    pub fn judge_origin(&self, policy: OriginPolicy, secure: bool) -> Result<(), OriginError> {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        let check = OriginCheck::new(policy, true).map_err(|error: UsageError| {
            tracing::error!(%error, "the origin policy cannot work");
            OriginError::Usage(error)
        })?;
        check.secure(secure).judge(&self.headers, host)
    }

    /// The response of 101, with this subprotocol, and what follows once it is written.
    ///
    /// # Errors
    ///
    /// [`NotOffered`] for a subprotocol that the client does not offer.
    pub fn accept(self, subprotocol: Option<&str>) -> Result<(Response<()>, Accepted), NotOffered> {
        let compression = &self.options.config.compression;
        let (response, compression) = self.offer.accept(subprotocol, compression)?;
        let accepted = Accepted {
            uri: self.uri,
            version: self.version,
            subprotocol: subprotocol.map(str::to_owned),
            compression,
            options: self.options,
        };
        Ok((response, accepted))
    }
}

impl Accepted {
    /// The socket over a transport on which the response has been written. `unhandled`
    /// is what was read behind the request.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the socket's keeper is a task.
    pub fn over(self, transport: impl Transport, unhandled: Vec<u8>) -> Socket {
        self.over_from(transport, unhandled, None)
    }

    /// As [`Accepted::over`], with the client's address.
    ///
    /// # Panics
    ///
    /// As [`Accepted::over`].
    pub fn over_from(
        self,
        transport: impl Transport,
        unhandled: Vec<u8>,
        peer_addr: impl Into<Option<SocketAddr>>,
    ) -> Socket {
        let info = Info {
            peer_addr: peer_addr.into(),
            uri: self.uri,
            http_version: self.version,
            subprotocol: self.subprotocol.map(String::into_boxed_str),
            compression: self.compression,
            ..Info::default()
        };
        let io = Io::from_transport(transport);
        Socket::open(io, unhandled, Role::Server, &self.options, info)
    }
}
