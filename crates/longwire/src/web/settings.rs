//! What a document would bring along, and a program has to say.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use longwire_proto::Limits;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore, SemaphorePermit};
use url::Url;

use super::checks::is_bad_port;
use super::exception::DomException;
use crate::client::ClientBuilder;
use crate::error::Error;
use crate::socket::Socket;

/// What a browser takes from the page that a script runs in: the base URL and the
/// origin, and the browser's own settings: cookies, certificates, proxies. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) base_url: Option<Url>,
    pub(super) origin: Option<String>,
    pub(super) client: ClientBuilder,
    pub(super) max_buffered_amount: u64,
}

/// Largest message received: 256 MiB, where the standard has no bound.
pub const MAX_MESSAGE_SIZE: usize = 256 << 20;

/// How long a server may take to answer the handshake, as in browsers.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_mins(4);

/// Bytes and fields of a server's answer: of the size that browsers take.
const HEADER_BYTES: usize = 256 << 10;
const HEADER_FIELDS: usize = 1024;

/// Limits near those of browsers: messages of 256 MiB, heads of 256 KiB and 1,024
/// fields.
pub fn browser_limits() -> Limits {
    Limits::default()
        .message_size(MAX_MESSAGE_SIZE)
        .frame_size(MAX_MESSAGE_SIZE)
        .header_bytes(HEADER_BYTES)
        .header_fields(HEADER_FIELDS)
}

/// A client with [`browser_limits`], which waits four minutes for the answer to its
/// handshake.
pub fn browser_client() -> ClientBuilder {
    ClientBuilder::new()
        .limits(browser_limits())
        .handshake_timeout(HANDSHAKE_TIMEOUT)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: None,
            origin: None,
            client: browser_client(),
            max_buffered_amount: 1 << 30,
        }
    }
}

impl Settings {
    /// No base URL, no origin, and the [`browser_client`] with the bounds of browsers.
    pub fn new() -> Self {
        Self::default()
    }

    /// What relative URLs are relative to (HTML, "API base URL").
    ///
    /// # Errors
    ///
    /// A `SyntaxError` for what is no absolute URL.
    pub fn base_url(mut self, url: &str) -> Result<Self, DomException> {
        let parsed = Url::parse(url);
        self.base_url = Some(parsed.map_err(|error| {
            DomException::syntax(format!("expected an absolute URL, got {url:?}: {error}"))
        })?);
        Ok(self)
    }

    /// The origin that servers are told, such as `https://example.com`. Without
    /// one, they are told none.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// What connections are made with: headers, cookies, TLS, proxies, limits. Its
    /// subprotocols and redirects do not count.
    #[must_use]
    pub fn client(mut self, client: ClientBuilder) -> Self {
        self.client = client;
        self
    }

    /// Bytes that may wait to be sent on a [`super::WebSocket`], 1 GiB: one that is
    /// given more is closed, as the standard has it for a full buffer.
    #[must_use]
    pub fn max_buffered_amount(mut self, bytes: u64) -> Self {
        self.max_buffered_amount = bytes;
        self
    }

    //= whatwg#websocket-connections-1, whatwg#websocket-opening-handshake-1
    //= whatwg#websocket-opening-handshake-2, whatwg#websocket-opening-handshake-3
    //= whatwg#websocket-opening-handshake-4, whatwg#websocket-opening-handshake-5
    //= whatwg#websocket-opening-handshake-6, whatwg#websocket-opening-handshake-7
    /// Establishes a WebSocket connection (section 2.2). What fails is for the log
    /// alone. `unbounded` takes all that is sent at once.
    pub(super) async fn establish(
        &self,
        url: &Url,
        protocols: &[String],
        unbounded: bool,
    ) -> Result<Socket, Failed> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if is_bad_port(port) {
            tracing::warn!(%host, port, "WebSockets to this port are blocked");
            return Err(Failed);
        }
        let turn = turn(host, port).await;
        let mut client = self.client.clone().redirects(0);
        // The request's cache mode is "no-store" (Fetch, "HTTP-network-or-cache fetch").
        for name in ["pragma", "cache-control"] {
            client = client.header(name, "no-cache");
        }
        if unbounded {
            client = client.unbounded_output();
        }
        client = client.only_subprotocols(protocols);
        if let Some(origin) = &self.origin {
            client = client.origin(origin);
        }
        let connected = client.connect(url.as_str()).await;
        drop(turn);
        let socket = connected.map_err(|error| failed(url, &error))?;
        if !protocols.is_empty() && socket.subprotocol().is_none() {
            tracing::warn!(%host, "the server chose none of the subprotocols offered");
            socket.terminate();
            return Err(Failed);
        }
        Ok(socket)
    }
}

/// A connection that could not be established: programs are not told why.
#[derive(Debug)]
pub(super) struct Failed;

fn failed(url: &Url, error: &Error) -> Failed {
    let host = url.host_str().unwrap_or_default();
    tracing::warn!(%host, %error, "a WebSocket could not be opened");
    Failed
}

type Turns = HashMap<(String, u16), Weak<AsyncMutex<()>>>;

/// Connections that are being opened at once, to whatever hosts.
const OPENING_AT_ONCE: usize = 256;

//= rfc6455#4.1-2, rfc6455#4.1-3, rfc6455#4.1-34, rfc6455#4.1-35
//= whatwg#websocket-connections-2
/// Waits until no other connection to this host and port is being opened, and few
/// others are (RFC 6455 section 4.1).
async fn turn(host: &str, port: u16) -> (OwnedMutexGuard<()>, SemaphorePermit<'static>) {
    static OPENING: Semaphore = Semaphore::const_new(OPENING_AT_ONCE);
    static TURNS: LazyLock<Mutex<Turns>> = LazyLock::new(Mutex::default);
    let turn = {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.to_owned(), port);
        let known = turns.get(&key).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            turns.retain(|_, turn| turn.strong_count() > 0);
            let turn = Arc::new(AsyncMutex::new(()));
            turns.insert(key, Arc::downgrade(&turn));
            turn
        })
    };
    let turn = turn.lock_owned().await;
    match OPENING.acquire().await {
        Ok(permit) => (turn, permit),
        // It is never closed.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    //= rfc6455#4.1-3, rfc6455#4.1-34, rfc6455#4.1-35 test
    #[tokio::test]
    async fn a_host_name_and_port_have_one_turn_and_all_have_few() {
        let mut turns = vec![turn("a.example", 80).await];
        assert!(turn("a.example", 80).now_or_never().is_none());
        turns.push(turn("a.example", 81).await);
        turns.push(turn("b.example", 80).await);
        for i in 3..OPENING_AT_ONCE {
            turns.push(turn(&format!("{i}.example"), 80).await);
        }
        assert!(turn("one-more.example", 80).now_or_never().is_none());
        drop(turns.swap_remove(0));
        // Both are free again.
        drop(turn("a.example", 80).await);
    }
}
