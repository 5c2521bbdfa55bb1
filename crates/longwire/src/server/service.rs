//! From a request to a response: which route, whether the handshake is in
//! order, and what the hook decides.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use longwire_proto::handshake::server::{Offer, check_head, is_upgrade};

use super::body::Body;
use super::route::{Accept, Handler, Route, UpgradeRequest, plain};
use super::{Site, WebSocketRoute};
use crate::options::Drive;
use crate::socket::Info;

/// A response of 101 that is on its way: what follows once it is out.
pub(super) struct Upgrading {
    pub(super) on_upgrade: OnUpgrade,
    pub(super) handler: Handler,
    pub(super) drive: Drive,
    pub(super) info: Info,
}

/// The requests of one connection.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) site: Arc<Site>,
    pub(super) peer_addr: Option<SocketAddr>,
    pub(super) upgrading: Arc<Mutex<Option<Upgrading>>>,
}

/// The headers of a 101 that are the handshake's own.
const OURS: [HeaderName; 7] = [
    UPGRADE,
    CONNECTION,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
];

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
        let asks = is_upgrade(&request) || is_extended(&request);
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
        let read = if request.version() < Version::HTTP_2 {
            Offer::read(&request)
        } else {
            Offer::read_extended(&request, protocol(&request))
        };
        let offer = match read {
            Ok(offer) => offer,
            Err(error) => return error.response().map(Into::into),
        };
        if let Err(error) = entry.origin.judge(request.headers()) {
            tracing::warn!(%error, "refused a cross-site handshake");
            return plain(StatusCode::FORBIDDEN, format!("{error}\n"));
        }
        let on_upgrade = hyper::upgrade::on(&mut request);
        let uri = request.uri().clone();
        let http_version = request.version();
        let route = &entry.route;
        let accept = match &route.hook {
            None => Accept::new(),
            Some(hook) => {
                let asked = UpgradeRequest {
                    parts: request.into_parts().0,
                    subprotocols: offer.subprotocols().to_vec(),
                    peer_addr: self.peer_addr,
                };
                match hook(asked).await {
                    Ok(accept) => accept,
                    Err(refuse) => return refuse.0,
                }
            }
        };
        self.accept(&offer, accept, route, on_upgrade, (uri, http_version))
    }

    fn accept(
        &self,
        offer: &Offer,
        accept: Accept,
        route: &Route,
        on_upgrade: OnUpgrade,
        (uri, http_version): (Uri, Version),
    ) -> Response<Body> {
        let headers = match accept.headers.get() {
            Ok(headers) => headers,
            Err(error) => {
                tracing::error!(%error, "the upgrade hook set something that is no header");
                return internal_error();
            }
        };
        if let Some(name) = OURS.iter().find(|name| headers.contains_key(*name)) {
            tracing::error!(%name, "the upgrade hook set a header of the handshake's own");
            return internal_error();
        }
        let subprotocol = accept.subprotocol.or_else(|| {
            offer
                .select_subprotocol(&route.subprotocols)
                .map(str::to_owned)
        });
        let compression = &self.site.config.compression;
        let (mut response, compression) = match offer.accept(subprotocol.as_deref(), compression) {
            Ok((response, agreement)) => (response.map(|()| Body::empty()), agreement),
            Err(error) => {
                tracing::error!(%error, "the upgrade hook chose a subprotocol that was not offered");
                return internal_error();
            }
        };
        response.headers_mut().extend(headers.clone());
        let upgrading = Upgrading {
            on_upgrade,
            handler: route.handler.clone(),
            drive: route.drive,
            info: Info {
                peer_addr: self.peer_addr,
                uri,
                subprotocol,
                compression,
                http_version,
                extensions: accept.extensions,
                ..Info::default()
            },
        };
        *self
            .upgrading
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(upgrading);
        response
    }
}

/// The pseudo-header `:protocol` of an extended CONNECT (RFC 8441 section 4).
fn protocol(request: &Request<Incoming>) -> Option<&str> {
    let protocol = request.extensions().get::<hyper::ext::Protocol>()?;
    Some(protocol.as_str())
}

/// Whether the request asks for a WebSocket as HTTP/2 has it.
fn is_extended(request: &Request<Incoming>) -> bool {
    request.version() >= Version::HTTP_2 && protocol(request).is_some()
}

fn internal_error() -> Response<Body> {
    plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "500 Internal Server Error\n",
    )
}
