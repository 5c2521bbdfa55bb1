//! WebSockets in other people's servers: [`Upgrade`] for a request at hand,
//! [`UpgradeService`] where a `tower` service is wanted.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use longwire_proto::handshake::server::{RequestError, check_head};
use tokio::net::TcpStream;
use tracing::Instrument as _;

use super::asked::{Asked, read_offer};
use super::body::Body;
use super::origin::{OriginCheck, OriginPolicy};
use super::registry::Sockets;
use super::route::{Accept, BoxFuture, IntoRoute, Route};
use super::stream::Stream;
use super::upgraded::{Agreed, Upgrading, serve_socket};
use crate::error::{Result, UsageError};
use crate::options::{Drive, Options, forward_options};
use crate::socket::Socket;
use crate::transport::Io;

/// A request for a WebSocket that a server of hyper, axum or another of their
/// kind has received: it is answered with what [`Upgrade::on_socket`] gives.
///
/// The server must allow upgrades (`with_upgrades` in hyper), and extended
/// CONNECT where it speaks HTTP/2. Pages of other sites are refused unless
/// [`Upgrade::origin`] says otherwise.
///
/// ```
/// use http::{Request, Response};
/// use longwire::Socket;
/// use longwire::server::{Body, Upgrade};
///
/// async fn answer(mut request: Request<hyper::body::Incoming>) -> Response<Body> {
///     match Upgrade::from_request(&mut request) {
///         Ok(upgrade) => upgrade.on_socket(|mut socket: Socket| async move {
///             socket.send("hello").await
///         }),
///         Err(rejection) => rejection.into_response(),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Upgrade {
    asked: Asked,
    transport: OnUpgrade,
    accept: Accept,
    origin: OriginPolicy,
    missing_origin_allowed: bool,
    subprotocols: Vec<String>,
    drive: Drive,
    options: Options,
    sockets: Option<Sockets>,
}

/// Why a request does not become a socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It is no opening handshake in due form.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The server has not allowed upgrades on the connection, as with hyper's
    /// `with_upgrades`, or something before us has taken the upgrade.
    #[error("expected a connection that the server can upgrade, got one that it cannot")]
    NotUpgradable,
}

impl Rejection {
    /// The response that tells the client.
    pub fn into_response(self) -> Response<Body> {
        match self {
            Self::Request(error) => error.response().map(Into::into),
            Self::NotUpgradable => {
                tracing::error!("{self}");
                super::asked::internal_error()
            }
        }
    }
}

impl Upgrade {
    /// Reads a request's handshake.
    ///
    /// # Errors
    ///
    /// [`Rejection`] says what is wrong with it, and answers it.
    pub fn from_request<B>(request: &mut Request<B>) -> Result<Self, Rejection> {
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        *head.version_mut() = request.version();
        *head.headers_mut() = request.headers().clone();
        for_upgrade(request.extensions_mut(), head.extensions_mut());
        Self::from_head(head)
    }

    /// As [`Upgrade::from_request`], from a request without its body.
    ///
    /// # Errors
    ///
    /// As [`Upgrade::from_request`].
    pub fn from_parts(parts: &mut Parts) -> Result<Self, Rejection> {
        let mut head = Request::new(());
        *head.method_mut() = parts.method.clone();
        *head.uri_mut() = parts.uri.clone();
        *head.version_mut() = parts.version;
        *head.headers_mut() = parts.headers.clone();
        for_upgrade(&mut parts.extensions, head.extensions_mut());
        Self::from_head(head)
    }

    fn from_head(mut head: Request<()>) -> Result<Self, Rejection> {
        let options = Options::new(Drive::Caller);
        let offer = read_offer(&head)?;
        if head.extensions().get::<OnUpgrade>().is_none() {
            return Err(Rejection::NotUpgradable);
        }
        Ok(Self {
            transport: hyper::upgrade::on(&mut head),
            asked: Asked::new(offer, head.into_parts().0, None),
            accept: Accept::new(),
            origin: OriginPolicy::default(),
            missing_origin_allowed: true,
            subprotocols: Vec::new(),
            drive: Drive::Caller,
            options,
            sockets: None,
        })
    }

    /// The subprotocols offered, the client's favourite first.
    pub fn offered_subprotocols(&self) -> &[String] {
        self.asked.offer.subprotocols()
    }

    /// The subprotocols spoken, the favourite first: the first that the client
    /// offers is agreed on.
    #[must_use]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whose pages may open a socket: those of the server itself by default.
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.origin = policy;
        self
    }

    /// Whether a request without `Origin` is accepted: it is.
    #[must_use]
    pub fn allow_missing_origin(mut self, allow: bool) -> Self {
        self.missing_origin_allowed = allow;
        self
    }

    /// Adds a header to the response, such as `Set-Cookie`.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.accept = self.accept.header(name, value);
        self
    }

    /// Attaches data that [`Socket::extensions`] has, by its type.
    #[must_use]
    pub fn attach<T: Clone + Send + Sync + 'static>(mut self, data: T) -> Self {
        self.accept = self.accept.attach(data);
        self
    }

    /// The client's address, which the server knows.
    #[must_use]
    pub fn peer_addr(mut self, address: SocketAddr) -> Self {
        self.asked.peer_addr = Some(address);
        self
    }

    /// Who drives the socket while its handler waits for something else.
    #[must_use]
    pub fn drive(mut self, drive: Drive) -> Self {
        self.drive = drive;
        self
    }

    /// Counts the socket among these, which can be closed together when the
    /// server shuts down.
    #[must_use]
    pub fn tracked(mut self, sockets: &Sockets) -> Self {
        self.sockets = Some(sockets.clone());
        self
    }

    /// The settings of the socket. Its limits are those of the request's head
    /// too.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.drive = options.drive;
        self.options = options;
        self
    }

    /// The response to give, which accepts, or refuses a page of another site.
    /// Once it is out, a task runs the handler; when that returns, its socket is
    /// closed: with 1000, or 1011 after an error or a panic.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn on_socket<F, Fut>(mut self, handler: F) -> Response<Body>
    where
        F: FnOnce(Socket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let head = Request::from_parts(self.asked.parts, ());
        if let Err(error) = check_head(&head, &self.options.config.limits) {
            return error.response().map(Into::into);
        }
        self.asked.parts = head.into_parts().0;
        let origin = match OriginCheck::new(self.origin, self.missing_origin_allowed) {
            Ok(origin) => origin,
            Err(error) => {
                tracing::error!(%error, "the origin policy cannot work");
                return super::asked::internal_error();
            }
        };
        let handler = Mutex::new(Some(handler));
        let route = Route::new(move |socket| {
            let once = handler
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            async move {
                match once {
                    Some(handler) => handler(socket).await,
                    None => Ok(()),
                }
            }
        });
        let route = route.subprotocols(self.subprotocols).drive(self.drive);
        let decided = self
            .asked
            .judge_origin(&origin)
            .and_then(|()| self.asked.accept(self.accept, &route, &self.options.config));
        answer(decided, self.transport, self.options, self.sockets)
    }
}

forward_options!(Upgrade);

/// Moves over what an upgrade needs.
fn for_upgrade(from: &mut http::Extensions, to: &mut http::Extensions) {
    if let Some(on_upgrade) = from.remove::<OnUpgrade>() {
        to.insert(on_upgrade);
    }
    if let Some(protocol) = from.get::<hyper::ext::Protocol>() {
        to.insert(protocol.clone());
    }
}

/// Starts what follows the response.
fn answer(
    decided: Result<(Response<()>, Agreed), Box<Response<Body>>>,
    transport: OnUpgrade,
    options: Options,
    sockets: Option<Sockets>,
) -> Response<Body> {
    match decided {
        Err(response) => *response,
        Ok((response, agreed)) => {
            let upgrading = Upgrading {
                on_upgrade: transport,
                agreed,
            };
            let serving = async move {
                let taken = |upgraded| Some(take_back(upgraded));
                let registry = sockets.as_ref().map(Sockets::registry);
                serve_socket(upgrading, taken, &options, registry).await;
            };
            tokio::spawn(serving.in_current_span());
            response.map(|()| Body::empty())
        }
    }
}

/// The transport under an upgraded connection: where that is plain TCP, nothing
/// of hyper stays between.
fn take_back(upgraded: Upgraded) -> (Io, Vec<u8>) {
    let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return (Io::Tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => (Io::Tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(upgraded) => (Io::boxed(Stream::new(upgraded)), Vec::new()),
    }
}

/// A [`Route`] as a `tower` service: it answers each request for a WebSocket, and
/// tells what is missing where a request is none.
#[derive(Clone, Debug)]
pub struct UpgradeService {
    route: Arc<Route>,
    origin: OriginCheck,
    options: Options,
    sockets: Option<Sockets>,
}

impl UpgradeService {
    /// A service with this route.
    ///
    /// # Errors
    ///
    /// [`UsageError::Origin`] where an allowed origin is none.
    pub fn new(route: impl IntoRoute) -> Result<Self, UsageError> {
        let route = route.into_route();
        Ok(Self {
            origin: OriginCheck::new(route.origin.clone(), route.missing_origin_allowed)?,
            route: Arc::new(route),
            options: Options::new(Drive::Caller),
            sockets: None,
        })
    }

    /// Counts its sockets among these, which can be closed together when the
    /// server shuts down.
    #[must_use]
    pub fn tracked(mut self, sockets: &Sockets) -> Self {
        self.sockets = Some(sockets.clone());
        self
    }

    /// The settings of its sockets. Who drives them is for the route to say.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }
}

forward_options!(UpgradeService);

impl<B: Send + 'static> tower_service::Service<Request<B>> for UpgradeService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let this = self.clone();
        let upgrade = check_head(&request, &this.options.config.limits)
            .map_err(Rejection::from)
            .and_then(|()| Upgrade::from_request(&mut request));
        Box::pin(async move {
            let (asked, transport) = match upgrade {
                Ok(upgrade) => (upgrade.asked, upgrade.transport),
                Err(rejection) => return Ok(rejection.into_response()),
            };
            let config = this.options.config.clone();
            let decided = asked.decide(&this.route, &this.origin, &config).await;
            Ok(answer(decided, transport, this.options, this.sockets))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Empty;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    /// What is taken back from a server of hyper's after an upgrade, and what the
    /// client sent right behind its request.
    async fn taken_back(auto_builder: bool) -> (Io, Vec<u8>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request =
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nmore";
            stream.write_all(request.as_bytes()).await.unwrap();
            // Until the server is done with it.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let (stream, _) = listener.accept().await.unwrap();
        let (give, given) = oneshot::channel();
        let give = Arc::new(Mutex::new(Some(give)));
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let give = give.lock().unwrap().take().unwrap();
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(request).await.unwrap();
                let _ = give.send(take_back(upgraded));
            });
            let response = Response::builder()
                .status(101)
                .header("connection", "upgrade")
                .header("upgrade", "x")
                .body(Empty::<bytes::Bytes>::new());
            std::future::ready(response)
        });
        let io = TokioIo::new(stream);
        if auto_builder {
            let server = auto::Builder::new(TokioExecutor::new());
            let serving = server.serve_connection_with_upgrades(io, service);
            serving.await.unwrap();
        } else {
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .with_upgrades();
            serving.await.unwrap();
        }
        let taken = given.await.unwrap();
        client.abort();
        taken
    }

    #[tokio::test]
    async fn plain_tcp_is_got_back_from_under_hyper_with_what_it_had_read() {
        for auto_builder in [false, true] {
            let (io, unhandled) = taken_back(auto_builder).await;
            assert!(matches!(io, Io::Tcp(_)), "{auto_builder}");
            assert_eq!(unhandled, b"more");
        }
    }
}
