//! A handshake that is in order, and what is decided on it.

use std::net::SocketAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, Request, Response, StatusCode, Uri, Version};
use longwire_proto::Config;
use longwire_proto::handshake::server::{Offer, RequestError, is_upgrade};

use super::body::Body;
use super::origin::OriginCheck;
use super::route::{Accept, Route, UpgradeRequest, plain};
use super::upgraded::Agreed;
use crate::socket::Info;

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

/// Whether the request asks for a WebSocket at all.
pub(super) fn asks<B>(request: &Request<B>) -> bool {
    is_upgrade(request) || (request.version() >= Version::HTTP_2 && protocol(request).is_some())
}

/// The pseudo-header `:protocol` of an extended CONNECT (RFC 8441 section 4).
pub(super) fn protocol<B>(request: &Request<B>) -> Option<&str> {
    let protocol = request.extensions().get::<hyper::ext::Protocol>()?;
    Some(protocol.as_str())
}

/// Reads the handshake as its version of HTTP has it.
pub(super) fn read_offer<B>(request: &Request<B>) -> Result<Offer, RequestError> {
    if request.version() < Version::HTTP_2 {
        Offer::read(request)
    } else {
        Offer::read_extended(request, protocol(request))
    }
}

/// A client's handshake.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) offer: Offer,
    pub(super) parts: Parts,
    pub(super) peer_addr: Option<SocketAddr>,
}

/// The response that accepts and what follows it, or the one that refuses.
pub(super) type Decided = Result<(Response<()>, Agreed), Box<Response<Body>>>;

impl Asked {
    /// A handshake that hyper has read: the socket keeps its URI, which refers to the
    /// buffer that the request was read into.
    pub(super) fn new(offer: Offer, mut parts: Parts, peer_addr: Option<SocketAddr>) -> Self {
        parts.uri = apart(&parts.uri);
        Self {
            offer,
            parts,
            peer_addr,
        }
    }

    /// Asks the origin policy and the route's hook.
    pub(super) async fn decide(
        mut self,
        route: &Route,
        origin: &OriginCheck,
        config: &Config,
    ) -> Decided {
        let Some(hook) = &route.hook else {
            return self.decide_unasked(route, origin, config);
        };
        self.judge_origin(origin)?;
        let (uri, version) = (self.parts.uri.clone(), self.parts.version);
        let mut left = Request::new(()).into_parts().0;
        (left.uri, left.version) = (uri, version);
        let asked = UpgradeRequest {
            parts: std::mem::replace(&mut self.parts, left),
            subprotocols: self.offer.subprotocols().to_vec(),
            peer_addr: self.peer_addr,
        };
        let accept = hook(asked).await.map_err(|refuse| Box::new(refuse.0))?;
        self.accept(accept, route, config)
    }

    /// As [`Asked::decide`] where the route has no hook.
    pub(super) fn decide_unasked(
        self,
        route: &Route,
        origin: &OriginCheck,
        config: &Config,
    ) -> Decided {
        self.judge_origin(origin)?;
        self.accept(Accept::new(), route, config)
    }

    //= rfc8441#5-3
    pub(super) fn judge_origin(&self, origin: &OriginCheck) -> Result<(), Box<Response<Body>>> {
        let authority = self.parts.uri.authority();
        let authority = authority.filter(|_| self.parts.version >= Version::HTTP_2);
        let own = authority.map(Authority::as_str).or_else(|| {
            let host = self.parts.headers.get(HOST)?;
            host.to_str().ok()
        });
        origin.judge(&self.parts.headers, own).map_err(|error| {
            tracing::warn!(%error, "refused a cross-site handshake");
            Box::new(plain(StatusCode::FORBIDDEN, format!("{error}\n")))
        })
    }

    /// The response that accepts, and what follows it.
    pub(super) fn accept(self, accept: Accept, route: &Route, config: &Config) -> Decided {
        let headers = accept.headers.get().map_err(|error| {
            tracing::error!(%error, "the upgrade hook set something that is no header");
            Box::new(internal_error())
        })?;
        if let Some(name) = OURS.iter().find(|name| headers.contains_key(*name)) {
            tracing::error!(%name, "the upgrade hook set a header of the handshake's own");
            return Err(Box::new(internal_error()));
        }
        let subprotocol = accept.subprotocol.or_else(|| {
            self.offer
                .select_subprotocol(&route.subprotocols)
                .map(str::to_owned)
        });
        let accepted = self
            .offer
            .accept(subprotocol.as_deref(), &config.compression);
        let (mut response, compression) = accepted.map_err(|error| {
            tracing::error!(%error, "the upgrade hook chose a subprotocol that was not offered");
            Box::new(internal_error())
        })?;
        response.headers_mut().extend(headers.clone());
        let agreed = Agreed {
            serve: route.serve.clone(),
            drive: route.drive,
            place: None,
            memory: None,
            info: Info {
                peer_addr: self.peer_addr,
                uri: self.parts.uri,
                subprotocol: subprotocol.map(String::into_boxed_str),
                compression,
                http_version: self.parts.version,
                extensions: accept.extensions,
                ..Info::default()
            },
        };
        Ok((response, agreed))
    }
}

fn apart(uri: &Uri) -> Uri {
    let copy = Uri::try_from(uri.to_string());
    copy.unwrap_or_default()
}

pub(super) fn internal_error() -> Response<Body> {
    plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "500 Internal Server Error\n",
    )
}
