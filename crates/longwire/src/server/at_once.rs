//! Handshakes that are answered with what the first read of their connection brought.
//!
//! The same is checked and decided as for any request, see `service`. Where that does not
//! end in a 101 at once, the request is hyper's, with what was decided on it so far.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::ready;
use http::{Method, Response};
use longwire_proto::handshake::server::{Offer, check_head};

use super::Site;
use super::asked::{Asked, Decided};
use super::head::read_head;
use super::service::Begun;
use super::upgraded::Agreed;

/// What a 101 takes, but for long extensions and what a hook adds.
const RESPONSE: usize = 256;

/// A handshake that is accepted.
pub(super) struct Accepted {
    pub(super) agreed: Agreed,
    /// How much of what was read is the request.
    pub(super) head_len: usize,
    response: Response<()>,
}

/// Accepts the handshake that these bytes begin with. Where they are something else, or it
/// is not to be accepted, or its hook takes its time, they are a request as any other, with
/// what was decided on it: the hook is asked once.
pub(super) fn accept_at_once(
    first: &Bytes,
    site: &Arc<Site>,
    peer_addr: Option<SocketAddr>,
) -> Result<Accepted, Option<Begun>> {
    let (asked, at, head_len) = read_asked(first, site, peer_addr).ok_or(None)?;
    let entry = &site.sockets[at];
    let decided = match entry.route.hook {
        None => asked.decide_unasked(&entry.route, &entry.origin, &site.options.config),
        Some(_) => ask(asked, at, site.clone())?,
    };
    match decided {
        Ok((response, agreed)) => {
            site.log(&Method::GET, agreed.info.uri.path(), response.status());
            Ok(Accepted {
                agreed,
                head_len,
                response,
            })
        }
        refused @ Err(_) => Err(Some(Box::pin(ready(refused)))),
    }
}

/// The handshake that these bytes begin with, which of the routes it is for, and how long
/// it is.
fn read_asked(
    first: &Bytes,
    site: &Site,
    peer_addr: Option<SocketAddr>,
) -> Option<(Asked, usize, usize)> {
    let limits = &site.options.config.limits;
    let (request, head_len) = read_head(first, limits.header_bytes)?;
    check_head(&request, limits).ok()?;
    let path = request.uri().path();
    let at = site.socket(path)?;
    let asked = Asked {
        offer: Offer::read(&request).ok()?,
        parts: request.into_parts().0,
        peer_addr,
    };
    Some((asked, at, head_len))
}

/// What the hook says, where it says so at once. A panic is as any request's.
fn ask(asked: Asked, at: usize, site: Arc<Site>) -> Result<Decided, Option<Begun>> {
    let deciding = async move {
        let entry = &site.sockets[at];
        let config = &site.options.config;
        asked.decide(&entry.route, &entry.origin, config).await
    };
    let mut deciding = Box::pin(AssertUnwindSafe(deciding).catch_unwind());
    match deciding.as_mut().now_or_never() {
        Some(Ok(decided)) => Ok(decided),
        Some(Err(panic)) => Err(Some(Box::pin(async { resume_unwind(panic) }))),
        None => Err(Some(Box::pin(async {
            deciding.await.unwrap_or_else(|panic| resume_unwind(panic))
        }))),
    }
}

impl Accepted {
    /// The response as it is written.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(RESPONSE);
        head.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        for (name, value) in self.response.headers() {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}
