//! The client: from a URL to an open [`Socket`].
//!
//! Read `target` (what a URL says), `handshake` (the exchange), then this file.

mod handshake;
mod target;

use std::time::Duration;

use http::header::ORIGIN;
use longwire_proto::handshake::client::Handshake;
use longwire_proto::{Compression, Role};
use rand::RngExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{Error, Result, Step, UsageError};
use crate::headers::GivenHeaders;
use crate::options::{Drive, Options, forward_options};
use crate::socket::{Info, Socket};
use crate::transport::{Io, Transport};
use handshake::{Shaken, shake_hands};
use target::Target;

/// Opens a WebSocket with the defaults: [`ClientBuilder`] has settings.
///
/// ```no_run
/// # async fn example() -> longwire::Result<()> {
/// let mut socket = longwire::connect("ws://127.0.0.1:8000/echo").await?;
/// socket.send("Hello, Server!").await?;
/// while let Some(message) = socket.next().await {
///     println!("{}", message?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// See [`ClientBuilder::connect`].
pub async fn connect(url: impl AsRef<str>) -> Result<Socket> {
    ClientBuilder::new().connect(url).await
}

/// A client's settings. Cheap to clone, used as often as one likes.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    options: Options,
    subprotocols: Vec<String>,
    headers: GivenHeaders,
    connect_timeout: Duration,
    handshake_timeout: Duration,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            options: Options::new(Drive::Task).compression(Compression::DEDICATED),
            subprotocols: Vec::new(),
            headers: GivenHeaders::default(),
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

impl ClientBuilder {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a subprotocol, behind those offered before.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Adds a header to the request, such as `Authorization` or `Cookie`. One
    /// that is no header is told when connecting.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.headers.append(name.as_ref(), value.as_ref());
        self
    }

    /// Sets the `Origin` header. Browsers send it always, other clients only
    /// where a server asks for it.
    #[must_use]
    pub fn origin(mut self, origin: impl AsRef<str>) -> Self {
        self.headers.replace(&ORIGIN, origin.as_ref());
        self
    }

    /// How long looking up the host and connecting may take: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the opening handshake may take: 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Who drives the socket between two calls: a task by default.
    #[must_use]
    pub fn drive(mut self, drive: Drive) -> Self {
        self.options = self.options.drive(drive);
        self
    }

    //= rfc6455#4.1-33
    /// Opens a WebSocket (RFC 6455 section 4.1).
    ///
    /// # Errors
    ///
    /// - [`Error::Usage`]: the URL, a header or a subprotocol cannot work.
    /// - [`Error::Connect`], [`Error::Timeout`], [`Error::Http`]: the network.
    /// - [`Error::Refused`]: the server answered with another status, told with
    ///   its headers and body.
    /// - [`Error::Handshake`]: the server's answer breaks the protocol.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub async fn connect(&self, url: impl AsRef<str>) -> Result<Socket> {
        let target = Target::parse(url.as_ref())?;
        let address = (target.host.as_str(), target.port);
        //= rfc6455#4.1-5, rfc6455#4.1-6
        let connecting = timeout(self.connect_timeout, TcpStream::connect(address));
        let host = || format!("{}:{}", target.host, target.port);
        let stream = connecting
            .await
            .map_err(|_| Error::Timeout {
                step: Step::Connect,
                after: self.connect_timeout,
            })?
            .map_err(|source| Error::Connect {
                host: host(),
                source,
            })?;
        stream.set_nodelay(true)?;
        let peer_addr = stream.peer_addr().ok();
        let mut info = Info {
            peer_addr,
            ..Info::default()
        };
        info.uri.clone_from(&target.uri);
        self.open(stream, Io::Tcp, target, info).await
    }

    /// Opens a WebSocket over a transport of the caller's; the URL says what to
    /// ask the server for.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect`].
    pub async fn connect_over(
        &self,
        url: impl AsRef<str>,
        transport: impl Transport,
    ) -> Result<Socket> {
        let target = Target::parse(url.as_ref())?;
        let mut info = Info::default();
        info.uri.clone_from(&target.uri);
        self.open(transport, |io| Io::Boxed(Box::new(io)), target, info)
            .await
    }

    async fn open<T: Transport>(
        &self,
        transport: T,
        into_io: fn(T) -> Io,
        target: Target,
        mut info: Info,
    ) -> Result<Socket> {
        let headers = self.headers.get()?;
        let compression = &self.options.config.compression;
        compression.check().map_err(UsageError::from)?;
        //= rfc6455#4.1-16
        let nonce = rand::rng().random();
        let handshake = Handshake::new(nonce, self.subprotocols.clone(), compression.clone())?;
        let request = handshake.request(target.resource, target.authority, headers)?;
        let limits = &self.options.config.limits;
        let exchange = shake_hands(transport, into_io, &handshake, request, limits);
        let Shaken {
            io,
            unhandled,
            agreed,
            headers,
        } = timeout(self.handshake_timeout, exchange)
            .await
            .map_err(|_| Error::Timeout {
                step: Step::Handshake,
                after: self.handshake_timeout,
            })??;
        info.subprotocol = agreed.subprotocol;
        info.compression = agreed.compression;
        info.response_headers = headers;
        Ok(Socket::open(
            io,
            unhandled,
            Role::Client,
            &self.options,
            info,
        ))
    }
}

forward_options!(ClientBuilder);
