//! The steps from a URL to a socket, each with its time and its error.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, LOCATION, ORIGIN, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use longwire_proto::Role;
use longwire_proto::handshake::client::Handshake;
use rand::RngExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::handshake::{Shaken, shake_hands};
use super::http2::{self, Failure, Opened, Origin, Session, Turn};
use super::proxy::{Kind, Proxy};
use super::target::Target;
use super::tunnel::tunnel;
use super::{ClientBuilder, dial};
use crate::error::{Error, RedirectError, Refusal, Result, Step, UsageError};
use crate::socket::{Info, Socket};
use crate::tls::H2;
use crate::transport::Io;

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) resolve: Duration,
    pub(super) connect: Duration,
    pub(super) proxy: Duration,
    pub(super) tls: Duration,
    pub(super) handshake: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        const EACH: Duration = Duration::from_secs(10);
        Self {
            resolve: EACH,
            connect: EACH,
            proxy: EACH,
            tls: EACH,
            handshake: EACH,
        }
    }
}

impl Timeouts {
    fn of(&self, step: Step) -> Duration {
        match step {
            Step::Resolve => self.resolve,
            Step::Connect => self.connect,
            Step::Proxy => self.proxy,
            Step::Tls => self.tls,
            Step::Handshake => self.handshake,
        }
    }
}

/// What came of a handshake on an HTTP/2 connection.
enum OnSession {
    Socket(Box<Socket>),
    /// The connection broke before it was answered: another may do.
    Broken(h2::Error),
    /// The server wants HTTP/1.1 for it.
    Http1,
}

/// A connection on which the handshake can begin.
struct Connected {
    io: Io,
    peer_addr: Option<SocketAddr>,
    http2: bool,
}

impl ClientBuilder {
    /// Does a step in its time, and tells how long it took.
    async fn within<T>(&self, step: Step, work: impl Future<Output = T>) -> Result<T> {
        let after = self.timeouts.of(step);
        let began = Instant::now();
        let done = timeout(after, work).await;
        if let (Ok(_), Some(observer)) = (&done, self.observed.get()) {
            observer.step(step, began.elapsed());
        }
        done.map_err(|_| Error::Timeout { step, after })
    }

    /// Opens a socket, after redirects where they are followed.
    pub(super) async fn follow(&self, mut target: Target) -> Result<Socket> {
        let mut same_origin = true;
        let mut followed = 0;
        loop {
            // Boxed, as it is large and whoever calls us would carry it.
            let attempt = Box::pin(self.attempt(&target, same_origin));
            let refusal = match attempt.await {
                Err(Error::Refused(refusal)) => refusal,
                result => return result,
            };
            let is_redirect = matches!(
                refusal.status,
                StatusCode::MOVED_PERMANENTLY
                    | StatusCode::FOUND
                    | StatusCode::SEE_OTHER
                    | StatusCode::TEMPORARY_REDIRECT
                    | StatusCode::PERMANENT_REDIRECT
            );
            if self.redirects == 0 || !is_redirect {
                return Err(Error::Refused(refusal));
            }
            let mut next = redirected(&target, &refusal)?;
            followed += 1;
            if followed > self.redirects {
                return Err(Error::Redirect(RedirectError::TooMany {
                    max: self.redirects,
                    location: next.uri.to_string(),
                }));
            }
            tracing::debug!(to = %next.uri, "redirected");
            // Once the credentials have been left behind, they stay there.
            if target.is_same_origin(&next) {
                next.authorization = next.authorization.or(target.authorization);
            } else {
                same_origin = false;
                next.authorization = None;
            }
            target = next;
        }
    }

    /// Opens a socket at this target: over an HTTP/2 connection that is open, or
    /// over one of its own.
    async fn attempt(&self, target: &Target, same_origin: bool) -> Result<Socket> {
        let origin = Origin::of(target);
        let mut offer = self.http2 && target.secure && self.pool.may_offer(&origin);
        // Others that connect to the same origin wait for what comes of this.
        let mut opening = None;
        while offer {
            match self.pool.turn(&origin).await {
                Turn::Use(session) => {
                    let weak = Arc::downgrade(&session);
                    match self.open_on(session, target, same_origin, None).await {
                        Ok(OnSession::Socket(socket)) => return Ok(*socket),
                        Ok(OnSession::Http1) => {
                            self.pool.remember_without(origin.clone());
                            offer = false;
                        }
                        Ok(OnSession::Broken(error)) => {
                            tracing::debug!(%error, "an HTTP/2 connection is no longer good");
                            self.pool.remove(&origin, &weak);
                        }
                        Err(Error::Timeout { .. }) => {
                            tracing::debug!("an HTTP/2 connection answers no more");
                            self.pool.remove(&origin, &weak);
                        }
                        Err(error) => return Err(error),
                    }
                }
                Turn::Open(first) => {
                    opening = Some(first);
                    break;
                }
                Turn::Alone => break,
            }
        }
        // Whoever was waited for may have learned it.
        offer &= self.pool.may_offer(&origin);
        let connected = self.connect_to(target, offer).await?;
        let Connected {
            io,
            peer_addr,
            http2,
        } = connected;
        if !http2 {
            if let Some(opening) = opening {
                opening.into_http1();
            }
            return self.open(io, target, same_origin, peer_addr).await;
        }
        let limits = &self.options.config.limits;
        let starting = self.within(Step::Handshake, Session::open(io, limits));
        let failed = |source| Error::Http2 {
            host: target.to_string(),
            source,
        };
        match starting.await?.map_err(failed)? {
            Opened::Session(session) => {
                self.pool.insert(origin.clone(), &session);
                if let Some(opening) = opening {
                    opening.into_session();
                }
                let opened = self.open_on(session, target, same_origin, peer_addr);
                match opened.await? {
                    OnSession::Socket(socket) => return Ok(*socket),
                    OnSession::Broken(error) => return Err(failed(error)),
                    OnSession::Http1 => {}
                }
            }
            Opened::NoExtendedConnect => {
                self.pool.remember_without(origin.clone());
                drop(opening);
            }
        }
        tracing::debug!(host = %target, "no WebSockets over HTTP/2 here");
        self.pool.remember_without(origin);
        let Connected { io, peer_addr, .. } = self.connect_to(target, false).await?;
        self.open(io, target, same_origin, peer_addr).await
    }

    //= rfc6455#4.1-7, rfc6455#4.1-8, rfc6455#4.1-37, rfc6455#4.1-38, rfc6455#10.6-1
    //= rfc6455#10.6-2
    /// A connection to the target, through a proxy where there is one, with TLS
    /// where it asks for that.
    async fn connect_to(&self, target: &Target, http2: bool) -> Result<Connected> {
        let (io, peer_addr) = self.reach(target).await?;
        if !target.secure {
            return Ok(Connected {
                io,
                peer_addr,
                http2: false,
            });
        }
        let config = self.tls.build(http2)?;
        let name = self.tls.name_for(&target.host)?;
        let failed = |source| Error::Tls {
            host: target.to_string(),
            source,
        };
        let connecting = TlsConnector::from(config).connect(name, io);
        let stream = self.within(Step::Tls, connecting).await?;
        let stream = stream.map_err(failed)?;
        let session = stream.get_ref().1;
        let chosen = session.alpn_protocol();
        if let Some(observer) = self.observed.get() {
            let version = session.protocol_version();
            let version = version.and_then(|version| version.as_str());
            let version = version.unwrap_or("unknown").replace('_', ".");
            let suite = session.negotiated_cipher_suite();
            let suite = suite.and_then(|suite| suite.suite().as_str());
            observer.tls(&version, suite.unwrap_or("unknown"), chosen);
        }
        Ok(Connected {
            http2: chosen == Some(H2),
            io: Io::boxed(stream),
            peer_addr,
        })
    }

    /// A byte stream to the target.
    async fn reach(&self, target: &Target) -> Result<(Io, Option<SocketAddr>)> {
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            let connecting = tokio::net::UnixStream::connect(path);
            let stream = self.within(Step::Connect, connecting).await?;
            let stream = stream.map_err(|source| Error::Connect {
                host: path.display().to_string(),
                source,
            })?;
            return Ok((Io::boxed(stream), None));
        }
        match self.proxy.proxy_for(target)? {
            None => {
                let stream = self.dial_host(&target.host, target.port).await?;
                let peer_addr = stream.peer_addr().ok();
                Ok((Io::Tcp(stream), peer_addr))
            }
            Some(proxy) => Ok((self.reach_through(&proxy, target).await?, None)),
        }
    }

    async fn reach_through(&self, proxy: &Proxy, target: &Target) -> Result<Io> {
        if proxy.kind != (Kind::Socks5 { remote_dns: false }) {
            return self.tunnel(proxy, target, None).await;
        }
        // As without a proxy, one address after the other.
        let addresses = self.look_up(&target.host, target.port).await?;
        let mut last = None;
        for address in addresses {
            match self.tunnel(proxy, target, Some(address)).await {
                Err(Error::Proxy(error)) if error.is_of_address() => {
                    last = Some(Error::Proxy(error));
                }
                result => return result,
            }
        }
        Err(last.unwrap_or_else(|| Error::Resolve {
            host: target.host.clone(),
            source: std::io::ErrorKind::NotFound.into(),
        }))
    }

    /// A byte stream through a proxy, which connects to the address where one is
    /// given.
    async fn tunnel(
        &self,
        proxy: &Proxy,
        target: &Target,
        address: Option<SocketAddr>,
    ) -> Result<Io> {
        let mut io = Io::Tcp(self.dial_host(&proxy.host, proxy.port).await?);
        if proxy.kind == (Kind::Http { tls: true }) {
            let config = self.proxy_tls.build(false)?;
            let name = crate::tls::parse_name(proxy.host.clone())?;
            let connecting = TlsConnector::from(config).connect(name, io);
            let stream = self.within(Step::Tls, connecting).await?;
            io = Io::boxed(stream.map_err(|source| Error::Tls {
                host: proxy.to_string(),
                source,
            })?);
        }
        let limits = &self.options.config.limits;
        let tunnel = tunnel(io, proxy, target, address, limits);
        self.within(Step::Proxy, tunnel).await?
    }

    //= rfc6455#4.1-5, rfc6455#4.1-6
    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        let looking_up = self.resolver.lookup(host, port);
        let addresses = self.within(Step::Resolve, looking_up).await?;
        addresses.map_err(|source| Error::Resolve {
            host: host.to_owned(),
            source,
        })
    }

    //= rfc6455#4.1-5, rfc6455#4.1-6
    async fn dial_host(&self, host: &str, port: u16) -> Result<TcpStream> {
        let addresses = self.look_up(host, port).await?;
        let connecting = dial::connect(&addresses);
        let stream = self.within(Step::Connect, connecting).await?;
        let stream = stream.map_err(|source| Error::Connect {
            host: if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            },
            source,
        })?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A byte stream to the target, for HTTP/1.1.
    pub(super) async fn dial_target(&self, target: &Target) -> Result<Io> {
        Ok(self.connect_to(target, false).await?.io)
    }

    /// The handshake over HTTP/1.1.
    pub(super) async fn open(
        &self,
        io: Io,
        target: &Target,
        same_origin: bool,
        peer_addr: Option<SocketAddr>,
    ) -> Result<Socket> {
        let handshake = self.handshake()?;
        let headers = self.headers_for(target, same_origin)?;
        let (resource, host) = (target.resource.clone(), target.authority.clone());
        let request = handshake.request(resource, host, &headers)?;
        let limits = &self.options.config.limits;
        let exchange = shake_hands(io, &handshake, request, limits, &self.observed);
        let shaken = self.within(Step::Handshake, exchange).await?;
        self.finish(shaken, target, peer_addr, Version::HTTP_11)
    }

    /// The handshake over HTTP/2.
    async fn open_on(
        &self,
        session: Arc<Session>,
        target: &Target,
        same_origin: bool,
        peer_addr: Option<SocketAddr>,
    ) -> Result<OnSession> {
        let handshake = self.handshake()?;
        let headers = self.headers_for(target, same_origin)?;
        let uri = target.http_url().as_str().parse();
        let uri = uri.map_err(|_| UsageError::Url {
            url: target.url.to_string(),
            source: url::ParseError::InvalidDomainCharacter,
        })?;
        let request = handshake.extended_request(uri, &headers)?;
        let limits = &self.options.config.limits;
        let exchange = http2::shake_hands(session, &handshake, request, limits, &self.observed);
        let shaken = match self.within(Step::Handshake, exchange).await? {
            Ok(shaken) => Ok(shaken),
            Err(Failure::Connection(error)) => return Ok(OnSession::Broken(error)),
            Err(Failure::Http1Required) => return Ok(OnSession::Http1),
            Err(Failure::Reset(source)) => Err(Error::Http2 {
                host: target.to_string(),
                source,
            }),
            Err(Failure::Answer(error)) => Err(error),
        };
        let socket = self.finish(shaken, target, peer_addr, Version::HTTP_2)?;
        Ok(OnSession::Socket(Box::new(socket)))
    }

    fn handshake(&self) -> Result<Handshake> {
        let compression = &self.options.config.compression;
        compression.check().map_err(UsageError::from)?;
        //= rfc6455#4.1-16
        let nonce = rand::rng().random();
        let subprotocols = self.subprotocols.clone();
        Ok(Handshake::new(nonce, subprotocols, compression.clone())?)
    }

    /// The headers to send: without secrets where a redirect led elsewhere.
    fn headers_for(&self, target: &Target, same_origin: bool) -> Result<HeaderMap> {
        let mut headers = self.headers.get()?.clone();
        if !same_origin {
            for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                headers.remove(name);
            }
            // A server that did not ask for it must not take the redirect for a
            // page's own wish (Fetch section 4.4).
            if headers.contains_key(ORIGIN) {
                headers.insert(ORIGIN, HeaderValue::from_static("null"));
            }
        }
        if let Some(authorization) = &target.authorization
            && !headers.contains_key(AUTHORIZATION)
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(jar) = &self.cookies {
            jar.add_to(&mut headers, target);
        }
        Ok(headers)
    }

    fn finish(
        &self,
        shaken: Result<Shaken>,
        target: &Target,
        peer_addr: Option<SocketAddr>,
        http_version: Version,
    ) -> Result<Socket> {
        if let Some(jar) = &self.cookies {
            match &shaken {
                Ok(shaken) => jar.keep(&shaken.headers, target),
                Err(Error::Refused(refusal)) => jar.keep(&refusal.headers, target),
                Err(_) => {}
            }
        }
        let Shaken {
            io,
            unhandled,
            agreed,
            headers,
        } = shaken?;
        let info = Info {
            peer_addr,
            uri: target.uri.clone(),
            subprotocol: agreed.subprotocol.map(String::into_boxed_str),
            compression: agreed.compression,
            response_headers: Some(Box::new(headers)),
            http_version,
            ..Info::default()
        };
        let options = &self.options;
        let io = self.observed.watch(io, &unhandled);
        Ok(Socket::open(io, unhandled, Role::Client, options, info))
    }
}

/// Where a redirect leads.
fn redirected(from: &Target, refusal: &Refusal) -> Result<Target, RedirectError> {
    let location = refusal.headers.get(LOCATION);
    let shown = location.map_or_else(String::new, |value| {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    });
    let bad = || RedirectError::Location {
        location: shown.chars().take(200).collect(),
    };
    let mut url = from.http_url().join(&shown).map_err(|_| bad())?;
    if location.is_none() {
        return Err(bad());
    }
    url.set_fragment(None);
    let scheme = match url.scheme() {
        "http" => "ws",
        "https" => "wss",
        _ => url.scheme(),
    };
    let scheme = scheme.to_owned();
    url.set_scheme(&scheme).map_err(|()| bad())?;
    let target = Target::from_url(url).map_err(|_| bad())?;
    if from.secure && !target.secure {
        let location = target.uri.to_string();
        return Err(RedirectError::Downgrade { location });
    }
    Ok(target)
}
