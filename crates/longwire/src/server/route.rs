//! What a server does at a path: [`Route`] for WebSockets, and the hook that
//! decides on each handshake.

use std::any::Any;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::origin::OriginPolicy;
use crate::error::Result;
use crate::handler::{Handler, SocketInfo};
use crate::headers::GivenHeaders;
use crate::options::Drive;
use crate::socket::Socket;

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type NewSocket = dyn Fn(Socket) -> BoxFuture<Result<()>> + Send + Sync;
pub(super) type NewHandler = dyn Fn(&SocketInfo<'_>) -> Box<dyn Handler> + Send + Sync;

/// Who gets the sockets of a route.
#[derive(Clone)]
pub(super) enum Serve {
    /// A future each.
    Socket(Arc<NewSocket>),
    /// A handler each.
    Handler(Arc<NewHandler>),
}

pub(super) type Hook = Arc<dyn Fn(UpgradeRequest) -> BoxFuture<Decision> + Send + Sync>;

/// What an upgrade hook decides: accept, or answer with another response.
pub type Decision = std::result::Result<Accept, Refuse>;

/// A WebSocket route: a handler, and who may come.
///
/// ```
/// use longwire::{Server, Socket};
/// use longwire::server::{Accept, OriginPolicy, Refuse, Route};
///
/// let chat = Route::new(|mut socket: Socket| async move {
///     while let Some(message) = socket.next().await {
///         socket.send(message?).await?;
///     }
///     Ok(())
/// })
/// .subprotocols(["chat.v2", "chat.v1"])
/// .origin(OriginPolicy::AllowList(vec!["https://example.com".into()]))
/// .on_upgrade(|request| async move {
///     match request.headers().get("authorization") {
///         Some(_) => Ok(Accept::new().header("set-cookie", "seen=1")),
///         None => Err(Refuse::status(401)),
///     }
/// });
/// let server = Server::new().route("/chat", chat);
/// ```
#[derive(Clone)]
pub struct Route {
    pub(super) serve: Serve,
    pub(super) hook: Option<Hook>,
    pub(super) origin: OriginPolicy,
    pub(super) missing_origin_allowed: bool,
    pub(super) subprotocols: Vec<String>,
    pub(super) drive: Drive,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route")
            .field("origin", &self.origin)
            .field("subprotocols", &self.subprotocols)
            .field("drive", &self.drive)
            .finish_non_exhaustive()
    }
}

impl Route {
    /// A route whose sockets this handler gets. When it returns, its socket is
    /// closed: with 1000, or 1011 after an error or a panic.
    pub fn new<F, Fut>(handler: F) -> Self
    where
        F: Fn(Socket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Self::serving(Serve::Socket(Arc::new(move |socket| {
            Box::pin(handler(socket))
        })))
    }

    /// A route whose sockets each have a [`Handler`], which is called where messages are
    /// read: for what has to be as fast as can be. `make` makes one for each socket.
    pub fn handled<H: Handler>(
        make: impl Fn(&SocketInfo<'_>) -> H + Send + Sync + 'static,
    ) -> Self {
        Self::serving(Serve::Handler(Arc::new(move |info| Box::new(make(info)))))
    }

    /// Whether its sockets have handlers.
    pub(super) fn is_handled(&self) -> bool {
        matches!(self.serve, Serve::Handler(_))
    }

    fn serving(serve: Serve) -> Self {
        Self {
            serve,
            hook: None,
            origin: OriginPolicy::default(),
            missing_origin_allowed: true,
            subprotocols: Vec::new(),
            drive: Drive::Caller,
        }
    }

    /// Whose pages may open a socket here: those of the server itself by
    /// default.
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.origin = policy;
        self
    }

    /// Whether a request without `Origin` is accepted. It is by default: it
    /// does not come from a browser, and whoever sends it could send any
    /// `Origin`.
    #[must_use]
    pub fn allow_missing_origin(mut self, allow: bool) -> Self {
        self.missing_origin_allowed = allow;
        self
    }

    /// The subprotocols spoken here, the favourite first. The first that the
    /// client offers is agreed on, unless the hook chooses.
    #[must_use]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Decides on each handshake that is in order and comes from an allowed
    /// origin.
    #[must_use]
    pub fn on_upgrade<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(UpgradeRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Decision> + Send + 'static,
    {
        self.hook = Some(Arc::new(move |request| Box::pin(hook(request))));
        self
    }

    /// Who drives a socket while its handler waits for something else:
    /// [`Drive::Caller`] by default.
    #[must_use]
    pub fn drive(mut self, drive: Drive) -> Self {
        self.drive = drive;
        self
    }
}

/// What [`super::Server::route`] takes: a [`Route`], or just a handler.
pub trait IntoRoute {
    /// The route.
    fn into_route(self) -> Route;
}

impl IntoRoute for Route {
    fn into_route(self) -> Route {
        self
    }
}

impl<F, Fut> IntoRoute for F
where
    F: Fn(Socket) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    fn into_route(self) -> Route {
        Route::new(self)
    }
}

/// A handshake that waits for the hook's decision.
#[derive(Debug)]
pub struct UpgradeRequest {
    pub(super) parts: Parts,
    pub(super) subprotocols: Vec<String>,
    pub(super) peer_addr: Option<SocketAddr>,
}

impl UpgradeRequest {
    /// The request without its body: URI, headers, version.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The path and query.
    pub fn uri(&self) -> &http::Uri {
        &self.parts.uri
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The subprotocols offered, the client's favourite first.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Where the request comes from, where the transport is TCP.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }
}

/// A handshake accepted.
#[derive(Debug, Default)]
pub struct Accept {
    pub(super) subprotocol: Option<String>,
    pub(super) headers: GivenHeaders,
    pub(super) extensions: Extensions,
}

impl Accept {
    /// Accepts as the route says.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses a subprotocol among those offered.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds a header to the response, such as `Set-Cookie`. One that is no
    /// header, or is the handshake's own, makes the server answer 500 and log
    /// why.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.append(name, value.as_ref());
        self
    }

    /// Attaches data that the handler finds in [`Socket::extensions`], by its
    /// type.
    #[must_use]
    pub fn attach<T: Any + Clone + Send + Sync>(mut self, data: T) -> Self {
        self.extensions.insert(data);
        self
    }
}

/// A handshake answered with another response than 101.
#[derive(Debug)]
pub struct Refuse(pub(super) Response<Body>);

impl Refuse {
    //= rfc6455#4.2.2-2, rfc6455#10.5-1
    /// Answers with this status, and its name as the body. What is no status
    /// becomes 500.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|status| !status.is_informational())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(plain(status, format!("{status}\n")))
    }

    //= rfc6455#4.2.2-3
    /// Sends the client elsewhere, with 307.
    pub fn redirect(location: &str) -> Self {
        let Ok(location) = HeaderValue::from_str(location) else {
            return Self::status(500);
        };
        let mut refuse = Self::status(307);
        refuse.0.headers_mut().insert(LOCATION, location);
        refuse
    }

    /// Answers with a response of one's own. One with status 101 becomes 500.
    pub fn response<B: Into<Body>>(response: Response<B>) -> Self {
        if response.status().is_informational() {
            return Self::status(500);
        }
        Self(response.map(Into::into))
    }
}

/// A response of plain text.
pub(super) fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
