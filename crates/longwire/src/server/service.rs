//! From a request to a response: which route, and what is decided there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use longwire_proto::MemoryBudget;
use longwire_proto::handshake::server::check_head;

use super::asked::{Asked, asks, internal_error, protocol, read_offer};
use super::body::Body;
use super::caps::{Full, Place};
use super::route::plain;
use super::upgraded::Upgrading;
use super::{Site, WebSocketRoute};

/// The requests of one connection.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) site: Arc<Site>,
    pub(super) peer_addr: Option<SocketAddr>,
    pub(super) upgrading: Arc<Mutex<Option<Upgrading>>>,
    /// What sockets are counted against.
    pub(super) memory: Option<MemoryBudget>,
}

impl Requests {
    /// Answers a request. A panic in a program's hook or handler is a 500.
    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let method = request.method().clone();
        let uri = request.uri().clone();
        let answered = AssertUnwindSafe(self.dispatch(request)).catch_unwind();
        let response = answered.await.unwrap_or_else(|_| {
            tracing::error!(%method, %uri, "the handler of a request panicked");
            internal_error()
        });
        tracing::info!(%method, path = %uri.path(), status = response.status().as_u16(), "request");
        Ok(response)
    }

    //= rfc6455#4.2.2-6
    async fn dispatch(&self, request: Request<Incoming>) -> Response<Body> {
        if let Err(error) = check_head(&request, &self.site.options.config.limits) {
            return error.response().map(Into::into);
        }
        let asks = asks(&request);
        let path = request.uri().path();
        let socket = self.site.sockets.iter().find(|route| route.path == path);
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
        let asked = Asked {
            offer,
            on_upgrade,
            parts: request.into_parts().0,
            peer_addr: self.peer_addr,
        };
        let config = &self.site.options.config;
        // An HTTP/1.1 connection has its place already.
        let place = match asked.peer_addr {
            Some(peer) if asked.parts.version >= Version::HTTP_2 => {
                match self.site.caps.take(peer) {
                    Ok(place) => Some(place),
                    Err(full) => return too_many(full),
                }
            }
            _ => None,
        };
        match asked.decide(&entry.route, &entry.origin, config).await {
            Err(response) => *response,
            Ok((response, mut upgrading)) => {
                let own = place.as_ref().and_then(Place::memory);
                upgrading.memory = own.or(self.memory.as_ref()).cloned();
                upgrading.place = place;
                *self
                    .upgrading
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(upgrading);
                response
            }
        }
    }
}

fn too_many(full: Full) -> Response<Body> {
    tracing::warn!(%full, "refused a socket");
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n"));
    let soon = HeaderValue::from_static("1");
    response.headers_mut().insert(RETRY_AFTER, soon);
    response
}
