//! The server: routes for WebSockets and plain HTTP on one port.
//!
//! Bottom-up: `body`, `origin`, `route` and `files` (what a program configures), `caps`,
//! `observer`, `guard`, `rewound` (transports), `mailbox`, `reactor` (the connections of handlers), `registry`,
//! `lane`, `stream`, `handled` and `upgraded` (a socket), `asked` and `head` (a
//! handshake), `upgrade` and `handshake` (in other servers), `service` and `at_once` (a
//! request), `answers`, `connection` and `http2` (a connection), `last_answer`, `arrival`
//! (which of them), `accepting`, `listening` (on how many threads) and `serving` (all of
//! them).

mod body;

mod origin;

mod route;

mod files;

mod caps;

mod observer;

mod guard;

mod rewound;

mod mailbox;

mod reactor;

mod registry;

mod lane;

mod stream;

mod handled;

mod upgraded;

mod asked;

mod head;

mod upgrade;

mod handshake;

mod service;

mod at_once;

mod answers;

mod connection;

mod http2;

mod last_answer;

mod arrival;

mod accepting;

mod listening;

mod serving;

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use longwire_proto::MemoryBudget;

pub use body::Body;
pub use files::Files;
pub use handshake::{Accepted, Handshake};
pub use hyper::body::Incoming as RequestBody;
pub use longwire_proto::handshake::server::{NotOffered, RequestError};
pub use observer::{Observer, TurnedAway};
pub use origin::{OriginError, OriginPolicy};
pub use registry::{ShutdownReport, Sockets};
pub use route::{Accept, Decision, IntoRoute, Refuse, Route, UpgradeRequest};
pub use serving::{BoundServer, ServerHandle};
pub use upgrade::{Rejection, Upgrade, UpgradeService};

use crate::error::{Result, UsageError};
use crate::options::{Drive, Options, forward_options};
use crate::tls::ServerTls;
use caps::Caps;
use http2::Http2;
use origin::OriginCheck;
use route::BoxFuture;

/// Answers plain HTTP requests.
type Page = Arc<dyn Fn(Request<RequestBody>) -> BoxFuture<Response<Body>> + Send + Sync>;

/// A server's settings and routes.
///
/// ```no_run
/// # async fn example() -> longwire::Result<()> {
/// longwire::Server::new()
///     .route("/chat", |mut socket: longwire::Socket| async move {
///         while let Some(Ok(message)) = socket.next().await {
///             socket.send(message).await?;
///         }
///         Ok(())
///     })
///     .serve("127.0.0.1:8000")
///     .await
/// # }
/// ```
///
/// A server built with no options refuses browsers of other sites, bounds every
/// buffer and times out every wait of its own. The body of a plain HTTP request is
/// its page's to bound, in size and in time.
#[derive(Clone)]
pub struct Server {
    options: Options,
    sockets: Vec<(String, Route)>,
    pages: Vec<(String, Page)>,
    folders: Vec<(String, Page)>,
    fallback: Option<Page>,
    handshake_timeout: Duration,
    write_timeout: Duration,
    max_connections: usize,
    max_connections_per_address: usize,
    memory_per_address: Option<usize>,
    threads: Option<NonZero<usize>>,
    tls: Option<ServerTls>,
    http2: Http2,
    observer: Option<Arc<dyn Observer>>,
    requests_logged: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            options: Options::new(Drive::Caller).memory_budget(MemoryBudget::new(1 << 30)),
            sockets: Vec::new(),
            pages: Vec::new(),
            folders: Vec::new(),
            fallback: None,
            handshake_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            max_connections: 65_536,
            max_connections_per_address: 4096,
            memory_per_address: None,
            threads: None,
            tls: None,
            http2: Http2::default(),
            observer: None,
            requests_logged: true,
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("options", &self.options)
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes WebSockets at this path: a handler, or a [`Route`] with settings. One that
    /// ends in `/*` is for all below, where no other fits better.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, route: impl IntoRoute) -> Self {
        self.sockets.push((path.into(), route.into_route()));
        self
    }

    /// Answers plain HTTP requests at this path, which may have a WebSocket
    /// route too.
    #[must_use]
    pub fn page<F, Fut, B>(mut self, path: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Request<RequestBody>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Into<Body>,
    {
        self.pages.push((path.into(), page(handler)));
        self
    }

    /// Serves the files of a folder below this path, as [`Files`] does; where several
    /// fit, the longest does.
    #[must_use]
    pub fn files(mut self, path: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        let files = Arc::new(Files::new(&path.into(), folder));
        let below = format!("{}/", files.prefix());
        let handler = move |request: Request<RequestBody>| {
            let files = files.clone();
            async move { files.answer(request).await }
        };
        self.folders.push((below, page(handler)));
        self
    }

    /// Answers all other plain HTTP requests, instead of with 404.
    #[must_use]
    pub fn fallback<F, Fut, B>(mut self, handler: F) -> Self
    where
        F: Fn(Request<RequestBody>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Into<Body>,
    {
        self.fallback = Some(page(handler));
        self
    }

    /// Speaks TLS: pages are at `https`, sockets at `wss`, and HTTP/2 is there for
    /// clients that have it. Plain HTTP is answered by what is expected.
    #[must_use]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether HTTP/2 is spoken, over TLS and to clients that begin with it: it
    /// is.
    #[must_use]
    pub fn http2(mut self, http2: bool) -> Self {
        self.http2.spoken = http2;
        self
    }

    /// Most requests and sockets at once on one HTTP/2 connection: 256.
    #[must_use]
    pub fn http2_max_streams(mut self, count: u32) -> Self {
        self.http2.streams = count;
        self
    }

    /// Bytes that an HTTP/2 client may send beyond what was read: 128 KiB on one
    /// stream, 4 MiB on all of a connection. They are held in memory, as TCP's are
    /// by the kernel.
    #[must_use]
    pub fn http2_windows(mut self, stream: u32, connection: u32) -> Self {
        self.http2.stream_window = stream;
        self.http2.connection_window = connection;
        self
    }

    /// How long a client may take for the TLS handshake, and to send a request's
    /// head: 10 s each.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long a client may take nothing of a plain HTTP response that waits
    /// for it: 30 s. Sockets have their heartbeat: over HTTP/2, a connection with
    /// one is theirs to judge.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Memory for messages in assembly and output that waits, over all sockets:
    /// 1 GiB. A socket that needs more for what arrives is closed with 1013;
    /// sending more fails with an error.
    #[must_use]
    pub fn memory_budget(mut self, budget: impl Into<Option<MemoryBudget>>) -> Self {
        self.options = self.options.memory_budget(budget);
        self
    }

    /// What the sockets of one IPv4 address or IPv6 /64 may take of the memory
    /// budget together: a quarter. Behind a proxy, all have its address.
    #[must_use]
    pub fn memory_per_address(mut self, bytes: usize) -> Self {
        self.memory_per_address = Some(bytes);
        self
    }

    /// Serves on so many threads of its own, as many as there are processors at best.
    /// Each has a listener, among which the kernel divides the clients (`SO_REUSEPORT`),
    /// and a runtime of one thread: a socket never leaves it. Without this, the server
    /// runs where [`BoundServer::run`] is awaited.
    ///
    /// The sockets of handlers ([`Route::handled`]) have threads of their own in any
    /// case: so many, or one for each processor.
    #[must_use]
    pub fn threads(mut self, count: NonZero<usize>) -> Self {
        self.threads = Some(count);
        self
    }

    /// Most connections at once: 65,536. Those above get 503. Over HTTP/2, each
    /// socket counts as one, beside the connection that it is on.
    #[must_use]
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// Most connections at once from one IPv4 address or IPv6 /64: 4,096. Those
    /// above get 503.
    #[must_use]
    pub fn max_connections_per_address(mut self, count: usize) -> Self {
        self.max_connections_per_address = count;
        self
    }

    /// Tells this observer what comes to the server.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Whether each request and its answer are logged, at the level `INFO`: they are.
    /// What is asked all the time, as metrics are, would fill a log.
    #[must_use]
    pub fn log_requests(mut self, logged: bool) -> Self {
        self.requests_logged = logged;
        self
    }

    /// As [`Server::bind`], with a listener that is open already, as a service manager
    /// may hand it over. Where the server has threads, they accept from this one.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] where it cannot be used, [`crate::Error::Usage`] for routes
    /// that cannot work.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn with_listener(self, listener: std::net::TcpListener) -> Result<BoundServer> {
        BoundServer::with_listener(listener, self.build()?)
    }

    /// Opens the listener; port 0 takes one that is free.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] where the address cannot be listened on,
    /// [`crate::Error::Usage`] for routes that cannot work.
    pub async fn bind(self, address: impl tokio::net::ToSocketAddrs) -> Result<BoundServer> {
        BoundServer::bind(address, self.build()?).await
    }

    /// Listens and serves, until the future is dropped.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`].
    pub async fn serve(self, address: impl tokio::net::ToSocketAddrs) -> Result<()> {
        self.bind(address).await?.run().await;
        Ok(())
    }

    /// Whether a server can be made of this, as [`Server::bind`] would find out.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Usage`] for routes or options that cannot work.
    pub fn check(&self) -> Result<()> {
        self.clone().build()?;
        Ok(())
    }

    fn build(self) -> Result<Site, UsageError> {
        self.options.config.compression.check()?;
        let http2 = self.http2.spoken;
        let tls = self
            .tls
            .map(|tls| if http2 { tls } else { tls.http2(false) });
        let mut sockets: Vec<WebSocketRoute> = Vec::new();
        for (path, route) in self.sockets {
            check_path(&path, sockets.iter().any(|known| known.path == path))?;
            let origin = OriginCheck::new(route.origin.clone(), route.missing_origin_allowed)?;
            let origin = origin.secure(tls.is_some());
            sockets.push(WebSocketRoute {
                path,
                origin,
                route,
            });
        }
        for (i, (path, _)) in self.pages.iter().enumerate() {
            check_path(path, self.pages[..i].iter().any(|(known, _)| known == path))?;
        }
        for (i, (path, _)) in self.folders.iter().enumerate() {
            check_path(
                path,
                self.folders[..i].iter().any(|(known, _)| known == path),
            )?;
        }
        let memory = self.options.config.memory_budget.clone();
        Ok(Site {
            options: self.options,
            sockets,
            pages: self.pages,
            folders: self.folders,
            fallback: self.fallback,
            handshake_timeout: self.handshake_timeout,
            write_timeout: self.write_timeout,
            threads: self.threads,
            caps: Caps::new(
                self.max_connections,
                self.max_connections_per_address,
                memory,
                self.memory_per_address,
            ),
            tls_config: tls.as_ref().map(ServerTls::build).transpose()?,
            tls,
            http2: self.http2,
            observer: self.observer,
            requests_logged: self.requests_logged,
        })
    }
}

forward_options!(Server);

/// A server's settings and routes, checked.
struct Site {
    options: Options,
    sockets: Vec<WebSocketRoute>,
    pages: Vec<(String, Page)>,
    folders: Vec<(String, Page)>,
    fallback: Option<Page>,
    handshake_timeout: Duration,
    write_timeout: Duration,
    threads: Option<NonZero<usize>>,
    tls: Option<ServerTls>,
    http2: Http2,
    caps: Arc<Caps>,
    tls_config: Option<Arc<rustls::ServerConfig>>,
    observer: Option<Arc<dyn Observer>>,
    requests_logged: bool,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").finish_non_exhaustive()
    }
}

struct WebSocketRoute {
    path: String,
    origin: OriginCheck,
    route: Route,
}

impl WebSocketRoute {
    /// Whether it is for all below a folder, and the path is one of those.
    fn is_above(&self, path: &str) -> bool {
        let folder = self.path.strip_suffix('*');
        folder.is_some_and(|folder| folder.ends_with('/') && path.starts_with(folder))
    }
}

impl Site {
    /// Which route is for sockets at this path.
    fn socket(&self, path: &str) -> Option<usize> {
        let exact = self.sockets.iter().position(|route| route.path == path);
        exact.or_else(|| {
            let all = self.sockets.iter().enumerate();
            let below = all.filter(|(_, route)| route.is_above(path));
            below
                .max_by_key(|(_, route)| route.path.len())
                .map(|(at, _)| at)
        })
    }

    /// Logs a request that has its response.
    fn log(&self, method: &Method, path: &str, status: StatusCode) {
        if self.requests_logged {
            tracing::info!(%method, %path, status = status.as_u16(), "request");
        }
    }

    /// Tells the observer, where there is one.
    fn observe(&self, tell: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.observer {
            // Its panic is not to end what serves others.
            let told = catch_unwind(AssertUnwindSafe(|| tell(observer.as_ref())));
            if told.is_err() {
                tracing::error!("the observer of the server panicked");
            }
        }
    }

    /// What answers plain HTTP at this path.
    fn page(&self, path: &str) -> Option<&Page> {
        let exact = self.pages.iter().find(|(known, _)| known == path);
        let below = || {
            self.folders
                .iter()
                .filter(|(known, _)| path.starts_with(known.as_str()))
                .max_by_key(|(known, _)| known.len())
        };
        exact
            .or_else(below)
            .map(|(_, page)| page)
            .or(self.fallback.as_ref())
    }
}

fn check_path(path: &str, known: bool) -> Result<(), UsageError> {
    let path = path.to_owned();
    if !path.starts_with('/') {
        return Err(UsageError::Path { path });
    }
    if known {
        return Err(UsageError::RepeatedPath { path });
    }
    Ok(())
}

fn page<F, Fut, B>(handler: F) -> Page
where
    F: Fn(Request<RequestBody>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<B>> + Send + 'static,
    B: Into<Body>,
{
    Arc::new(move |request| {
        let response = handler(request);
        Box::pin(async move { response.await.map(Into::into) })
    })
}
