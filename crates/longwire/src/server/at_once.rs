//! Handshakes that are answered with what the first read of their connection brought.
//!
//! The same is checked and decided as for any request, see `service`. Where that does not
//! end in a 101 at once, the request is hyper's, with what was decided on it so far.

use std::panic::{AssertUnwindSafe, resume_unwind};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::ready;
use http::{Method, Response};
use longwire_proto::handshake::server::{Offer, check_head};

use super::asked::{Asked, asks};
use super::head::read_head;
use super::service::{Requests, log};
use super::upgraded::Agreed;

/// A handshake that is accepted.
pub(super) struct Accepted {
    /// Without what HTTP adds to a response.
    pub(super) response: Response<()>,
    pub(super) agreed: Agreed,
    /// How much of what was read is the request.
    pub(super) head_len: usize,
}

impl Requests {
    /// Accepts the handshake that these bytes begin with. `None` where they are something
    /// else, where it is not to be accepted, or where the hook takes its time: it is
    /// answered as any other request, and the hook is asked once.
    pub(super) fn accept_at_once(&self, first: &Bytes) -> Option<Accepted> {
        let limits = &self.site.options.config.limits;
        let (request, head_len) = read_head(first, limits.header_bytes)?;
        check_head(&request, limits).ok()?;
        let path = request.uri().path();
        let sockets = &self.site.sockets;
        let at = sockets.iter().position(|route| route.path == path)?;
        if !asks(&request) {
            return None;
        }
        let asked = Asked {
            offer: Offer::read(&request).ok()?,
            parts: request.into_parts().0,
            peer_addr: self.peer_addr,
        };
        let site = self.site.clone();
        let deciding = async move {
            let entry = &site.sockets[at];
            let config = &site.options.config;
            asked.decide(&entry.route, &entry.origin, config).await
        };
        let mut deciding = Box::pin(AssertUnwindSafe(deciding).catch_unwind());
        match deciding.as_mut().now_or_never() {
            Some(Ok(Ok((response, mut agreed)))) => {
                agreed.memory.clone_from(&self.memory);
                log(&Method::GET, agreed.info.uri.path(), response.status());
                return Some(Accepted {
                    response,
                    agreed,
                    head_len,
                });
            }
            Some(Ok(refused)) => self.begin(Box::pin(ready(refused))),
            Some(Err(panic)) => self.begin(Box::pin(async { resume_unwind(panic) })),
            None => self.begin(Box::pin(async {
                deciding.await.unwrap_or_else(|panic| resume_unwind(panic))
            })),
        }
        None
    }
}

impl Accepted {
    /// The response as it is written.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
        for (name, value) in self.response.headers() {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}
