//! The client: from a URL to an open [`Socket`].
//!
//! Read `target` (what a URL says), `dial` (a TCP connection), `proxy` and
//! `tunnel` (the way through a proxy), `cookies`, `observer` (who watches),
//! `handshake` and `http2` (the exchange), `connecting` (all of it in order),
//! then this file.

mod target;

mod dial;

mod proxy;

mod cookies;

mod observer;

mod handshake;

mod tunnel;

mod http2;

mod connecting;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::header::{AUTHORIZATION, ORIGIN};
use longwire_proto::Compression;

use crate::error::{Result, UsageError};
use crate::headers::GivenHeaders;
use crate::options::{Drive, Options, forward_options};
use crate::socket::Socket;
use crate::tls::ClientTls;
use crate::transport::{Io, Transport};
use connecting::Timeouts;
pub use cookies::CookieJar;
use dial::Resolver;
use observer::Observed;
pub use observer::Observer;
pub use proxy::Proxy;
use proxy::ProxyChoice;
use target::{Target, basic, sensitive};

/// Opens a WebSocket with the defaults: [`ClientBuilder`] has settings.
///
/// ```no_run
/// # async fn example() -> longwire::Result<()> {
/// let mut socket = longwire::connect("wss://example.com/chat").await?;
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
    static DEFAULT: LazyLock<ClientBuilder> = LazyLock::new(ClientBuilder::new);
    DEFAULT.connect(url).await
}

/// A client's settings. Cheap to clone, used as often as one likes: sockets of
/// one builder and its clones share HTTP/2 connections where a server speaks it.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    options: Options,
    subprotocols: Vec<String>,
    headers: GivenHeaders,
    tls: ClientTls,
    proxy_tls: ClientTls,
    http2: bool,
    proxy: ProxyChoice,
    resolver: Resolver,
    unix_socket: Option<PathBuf>,
    redirects: usize,
    cookies: Option<CookieJar>,
    timeouts: Timeouts,
    observed: Observed,
    pool: Arc<http2::Pool>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        /// To read the system's roots once is enough.
        static TLS: LazyLock<ClientTls> = LazyLock::new(ClientTls::new);
        Self {
            options: Options::new(Drive::Task).compression(Compression::DEDICATED),
            subprotocols: Vec::new(),
            headers: GivenHeaders::default(),
            tls: TLS.clone(),
            proxy_tls: TLS.clone(),
            http2: true,
            proxy: ProxyChoice::default(),
            resolver: Resolver::default(),
            unix_socket: None,
            redirects: 0,
            cookies: None,
            timeouts: Timeouts::default(),
            observed: Observed::default(),
            pool: Arc::default(),
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

    /// Adds a header to the request, such as `Cookie`. One that is no header is
    /// told when connecting.
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

    /// Sends a user name and a password (RFC 7617), as a URL with both does.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Result<Self, UsageError> {
        let value = basic(user, password).ok_or(UsageError::Credentials)?;
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// Sends a bearer token (RFC 6750).
    pub fn bearer_token(mut self, token: &str) -> Result<Self, UsageError> {
        let value = sensitive(&format!("Bearer {token}")).ok_or(UsageError::Credentials)?;
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// What a `wss` connection trusts, and who this client is.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = tls;
        self.pool = Arc::default();
        self
    }

    /// Whether HTTP/2 is offered to `wss` servers (RFC 8441): it is. Servers that
    /// do not take WebSockets over it get HTTP/1.1.
    #[must_use]
    pub fn http2(mut self, http2: bool) -> Self {
        self.http2 = http2;
        self
    }

    /// Goes through this proxy, whatever the environment says.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = ProxyChoice::Given(proxy);
        self.pool = Arc::default();
        self
    }

    /// What the connection to an `https` proxy trusts, and who this client is to
    /// it: by default the system's roots, and nobody. [`ClientBuilder::tls`] is for
    /// servers alone.
    #[must_use]
    pub fn proxy_tls(mut self, tls: ClientTls) -> Self {
        self.proxy_tls = tls;
        self.pool = Arc::default();
        self
    }

    /// Goes through no proxy. By default the environment's is taken, from
    /// `HTTPS_PROXY` (for wss), `http_proxy` (for ws) and `ALL_PROXY`, but not
    /// for hosts in `NO_PROXY` and this machine itself.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self.pool = Arc::default();
        self
    }

    /// Connects to these addresses where a URL has this host, instead of asking
    /// the system for it.
    #[must_use]
    pub fn resolve(
        mut self,
        host: impl AsRef<str>,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let addresses = addresses.into_iter().collect();
        self.resolver.insert(host.as_ref(), addresses);
        self.pool = Arc::default();
        self
    }

    /// Connects to this Unix socket; the URL says what to ask the server for.
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_socket = Some(path.into());
        self.pool = Arc::default();
        self
    }

    /// Follows up to so many redirects: none by default, as the standard has it.
    /// `Authorization`, `Cookie` and `Proxy-Authorization` headers, and what the
    /// URL has of credentials, are not sent to another origin, whose `Origin` is
    /// `null`; other headers and the subprotocols are. None leads from `wss` to
    /// `ws`.
    #[must_use]
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self
    }

    /// Keeps the cookies that servers set, and sends them back.
    #[must_use]
    pub fn cookie_jar(mut self, jar: CookieJar) -> Self {
        self.cookies = Some(jar);
        self
    }

    /// How long looking up the host's addresses may take: 10 s.
    #[must_use]
    pub fn resolve_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.resolve = timeout;
        self
    }

    /// How long connecting to the server, or to the proxy, may take: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.connect = timeout;
        self
    }

    /// How long the proxy may take to connect to the server: 10 s.
    #[must_use]
    pub fn proxy_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.proxy = timeout;
        self
    }

    /// How long the TLS handshake may take: 10 s.
    #[must_use]
    pub fn tls_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.tls = timeout;
        self
    }

    /// How long the opening handshake may take: 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.handshake = timeout;
        self
    }

    /// Tells this observer what happens on the connections: none by default.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observed = Observed::new(observer);
        self
    }

    /// These subprotocols and no others.
    pub(crate) fn only_subprotocols(mut self, names: &[String]) -> Self {
        self.subprotocols = names.to_vec();
        self
    }

    /// Takes all that is sent at once, however much waits already.
    pub(crate) fn unbounded_output(mut self) -> Self {
        let limits = self.options.config.limits.clone();
        self.options = self.options.limits(limits.output_high_water(usize::MAX));
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
    /// - [`crate::Error::Usage`]: the URL, a header or another setting cannot
    ///   work.
    /// - [`crate::Error::Resolve`], [`crate::Error::Connect`],
    ///   [`crate::Error::Proxy`], [`crate::Error::Tls`],
    ///   [`crate::Error::Timeout`], [`crate::Error::Http`],
    ///   [`crate::Error::Http2`]: the way to the server.
    /// - [`crate::Error::Refused`]: the server answered with another status, told
    ///   with its headers and body; [`crate::Error::Redirect`] where that is one
    ///   that cannot be followed.
    /// - [`crate::Error::Handshake`]: the server's answer breaks the protocol.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub async fn connect(&self, url: impl AsRef<str>) -> Result<Socket> {
        self.follow(Target::parse(url.as_ref())?).await
    }

    /// Opens a WebSocket over a transport of the caller's, which is used as it
    /// is: with a `wss` URL too, TLS is the caller's. The URL says what to ask
    /// the server for.
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
        Box::pin(self.open(Io::boxed(transport), &target, true, None)).await
    }

    /// Opens the byte stream on which a handshake could begin, and asks nothing:
    /// through a proxy where there is one, with TLS for a `wss` URL, for HTTP/1.1.
    /// It is for tools that write their own bytes; [`ClientBuilder::connect_over`]
    /// makes a socket of it.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect`], up to the handshake.
    pub async fn dial(&self, url: impl AsRef<str>) -> Result<Box<dyn Transport>> {
        let target = Target::parse(url.as_ref())?;
        let io = Box::pin(self.dial_target(&target)).await?;
        Ok(match io {
            Io::Tcp(stream) => Box::new(stream),
            Io::Boxed(stream) => stream,
        })
    }
}

forward_options!(ClientBuilder);
