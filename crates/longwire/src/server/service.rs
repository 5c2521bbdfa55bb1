//! From a request to a response: which route, and what is decided there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::FutureExt as _;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use longwire_proto::MemoryBudget;
use longwire_proto::handshake::server::check_head;

use super::asked::{Asked, Decided, asks, internal_error, protocol, read_offer};
use super::body::Body;
use super::caps::{Full, Place};
use super::observer::TurnedAway;
use super::route::{BoxFuture, plain};
use super::upgraded::Upgrading;
use super::{Site, WebSocketRoute};

/// The requests of one connection.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) site: Arc<Site>,
    pub(super) peer_addr: Option<SocketAddr>,
    /// What sockets are counted against.
    pub(super) memory: Option<MemoryBudget>,
    outcome: Arc<Mutex<Outcome>>,
}

/// What is being decided on a handshake that hyper has still to read.
pub(super) type Begun = BoxFuture<Decided>;

/// What becomes of a connection's requests.
struct Outcome {
    /// For the first of them.
    begun: Option<Begun>,
    upgrading: Option<Upgrading>,
}

impl Requests {
    pub(super) fn new(
        site: Arc<Site>,
        peer_addr: Option<SocketAddr>,
        memory: Option<MemoryBudget>,
        begun: Option<Begun>,
    ) -> Self {
        let outcome = Outcome {
            begun,
            upgrading: None,
        };
        Self {
            site,
            peer_addr,
            memory,
            outcome: Arc::new(Mutex::new(outcome)),
        }
    }

    /// The socket that the last request asked for, once it is accepted.
    pub(super) fn take_upgrading(&self) -> Option<Upgrading> {
        self.outcome().upgrading.take()
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request. A panic in a program's hook or handler is a 500.
    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let method = request.method().clone();
        let uri = request.uri().clone();
        let site = &self.site;
        let started = (site.observer.is_some() && asks(&request)).then(Instant::now);
        let answered = AssertUnwindSafe(self.dispatch(request)).catch_unwind();
        let response = answered.await.unwrap_or_else(|_| {
            tracing::error!(%method, %uri, "the handler of a request panicked");
            internal_error()
        });
        site.log(&method, uri.path(), response.status());
        let is_told = response.extensions().get::<TurnedAway>().is_some();
        if let Some(started) = started
            && !is_told
        {
            site.observe(|observer| observer.handshake(response.status(), started.elapsed()));
        }
        Ok(response)
    }

    //= rfc6455#4.2.2-6
    async fn dispatch(&self, mut request: Request<Incoming>) -> Response<Body> {
        let begun = self.outcome().begun.take();
        if let Some(deciding) = begun {
            let on_upgrade = hyper::upgrade::on(&mut request);
            return self.conclude(deciding.await, on_upgrade, None);
        }
        if let Err(error) = check_head(&request, &self.site.options.config.limits) {
            return error.response().map(Into::into);
        }
        let asks = asks(&request);
        let path = request.uri().path();
        let socket = self.site.socket(path).map(|at| &self.site.sockets[at]);
        let page = self.site.page(path);
        match (socket, page) {
            (Some(route), _) if asks => self.upgrade(request, route).await,
            // Nothing else is to be connected to.
            _ if request.method() == Method::CONNECT && protocol(&request) != Some("websocket") => {
                plain(StatusCode::NOT_IMPLEMENTED, "501 Not Implemented\n")
            }
            (None, _) if asks => plain(StatusCode::NOT_FOUND, "404 Not Found\n"),
            (_, Some(page)) => page(request).await,
            // What is wrong is told by the handshake.
            (Some(route), None) => self.upgrade(request, route).await,
            (None, None) => plain(StatusCode::NOT_FOUND, "404 Not Found\n"),
        }
    }

    //= rfc6455#4.2.2-4, rfc6455#7.2.2-1, rfc6455#10.2-2, rfc6455#10.1-1
    async fn upgrade(
        &self,
        mut request: Request<Incoming>,
        entry: &WebSocketRoute,
    ) -> Response<Body> {
        let offer = match read_offer(&request) {
            Ok(offer) => offer,
            Err(error) => return error.response().map(Into::into),
        };
        let on_upgrade = hyper::upgrade::on(&mut request);
        let asked = Asked::new(offer, request.into_parts().0, self.peer_addr);
        let config = &self.site.options.config;
        // An HTTP/1.1 connection has its place already.
        let place = match asked.peer_addr {
            Some(peer) if asked.parts.version >= Version::HTTP_2 => {
                match self.site.caps.take(peer) {
                    Ok(place) => Some(place),
                    Err(full) => return too_many(full, &self.site),
                }
            }
            _ => None,
        };
        let decided = asked.decide(&entry.route, &entry.origin, config).await;
        self.conclude(decided, on_upgrade, place)
    }

    /// The response to a handshake on which this is decided. `place` is the socket's own.
    fn conclude(
        &self,
        decided: Decided,
        on_upgrade: OnUpgrade,
        place: Option<Place>,
    ) -> Response<Body> {
        match decided {
            Err(response) => *response,
            Ok((response, mut agreed)) => {
                let own = place.as_ref().and_then(Place::memory);
                agreed.memory = own.or(self.memory.as_ref()).cloned();
                agreed.place = place;
                let upgrading = Upgrading { on_upgrade, agreed };
                self.outcome().upgrading = Some(upgrading);
                response.map(|()| Body::empty())
            }
        }
    }
}

fn too_many(full: Full, site: &Site) -> Response<Body> {
    tracing::warn!(%full, "refused a socket");
    let why = TurnedAway::from(full);
    site.observe(|observer| observer.turned_away(why));
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n"));
    let soon = HeaderValue::from_static("1");
    response.headers_mut().insert(RETRY_AFTER, soon);
    // For whoever would tell the observer of the answer too.
    response.extensions_mut().insert(why);
    response
}
