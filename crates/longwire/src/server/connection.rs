//! One accepted connection: HTTP until it ends or is upgraded, then a socket
//! until that is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;

use super::Site;
use super::caps::Place;
use super::guard::Guard;
use super::lane::Lane;
use super::observer::TurnedAway;
use super::service::Requests;
use super::upgraded::{Opened, open_upgraded};
use crate::transport::{Io, Transport};

/// hyper's own least buffer.
const LEAST_BUFFER: usize = 8 << 10;

/// hyper makes room for all fields at once.
const MOST_FIELDS: usize = 1 << 16;

/// Fields that hyper reads beyond our limit, so that it is our answer that
/// tells the client, by name.
const FIELDS_BEYOND: usize = 28;

/// Answers a connection's requests; gives the socket that it becomes. `into_io` takes the
/// transport apart into what is under the socket and what is read of it already.
pub(super) async fn serve<T: Transport>(
    transport: T,
    into_io: fn(T) -> (Io, Bytes),
    requests: Requests,
    place: Place,
    lane: Lane,
) -> Option<Opened> {
    let Lane {
        site,
        registry,
        stopping,
    } = lane;
    serve_http(transport, &site, requests.clone(), stopping).await;
    let mut upgrading = requests.take_upgrading()?;
    upgrading.agreed.place = Some(place);
    let taken = |upgraded| {
        let (transport, mut unhandled) = take_back(upgraded)?;
        let (io, rest) = into_io(transport);
        unhandled.extend_from_slice(&rest);
        Some((io, unhandled))
    };
    open_upgraded(upgrading, taken, &site.options, Some(&registry)).await
}

async fn serve_http<T: Transport>(
    transport: T,
    site: &Site,
    requests: Requests,
    mut shutdown: watch::Receiver<bool>,
) {
    let limits = &site.options.config.limits;
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        requests.clone().answer(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(site.handshake_timeout)
        .max_headers(
            limits
                .header_fields
                .saturating_add(FIELDS_BEYOND)
                .min(MOST_FIELDS),
        )
        .max_buf_size(limits.header_bytes.saturating_mul(2).max(LEAST_BUFFER))
        .serve_connection(
            TokioIo::new(Guard::new(transport, site.write_timeout, Arc::default())),
            service,
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut stopping = std::pin::pin!(shutdown.wait_for(|stopping| *stopping).fuse());
    let result = std::future::poll_fn(|cx| {
        if stopping.poll_unpin(cx).is_ready() {
            connection.as_mut().graceful_shutdown();
        }
        connection.poll_unpin(cx)
    })
    .await;
    if let Err(error) = result {
        tracing::debug!(%error, "the HTTP connection failed");
        // What is quiet after its requests has had its answers.
        if error.is_timeout() && !asked.load(Ordering::Relaxed) {
            site.observe(|observer| observer.turned_away(TurnedAway::Timeout));
        }
    }
}

/// The transport as it was before HTTP, and a copy of what was read beyond the
/// request: the buffer itself is as large as HTTP needed it.
fn take_back<T: Transport>(upgraded: Upgraded) -> Option<(T, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<Guard<T>>>().ok()?;
    let unhandled = parts.read_buf.to_vec();
    Some((parts.io.into_inner().into_inner(), unhandled))
}
