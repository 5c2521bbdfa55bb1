//! The view of connections on the page: who may see it, and what it is sent.
//!
//! It shows addresses and users, so that it is for those on this machine, or for whom
//! `--auth` lets in where that is asked for. "On this machine" is said by the address,
//! by a `Host` that is this machine's own (a name of somebody else's may be made to lead
//! here), and by no sign of a proxy, behind which all have an address of this machine.

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, Uri, Version};
use longwire::http;
use longwire::{Message, Result, Socket};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use super::auth::User;
use super::hosts::{host, is_this_machine};
use super::live::{Connection, EXPIRED, Live, NO_LONGER_GOOD, expired};
use crate::args::serve::services::Viewers;

/// How often the view is sent, where anything has changed.
const EVERY: Duration = Duration::from_millis(500);

/// Connections that are shown at most: the newest.
const MOST_SHOWN: usize = 200;

/// Headers that a proxy adds.
const OF_PROXIES: [&str; 6] = [
    "forwarded",
    "x-real-ip",
    "via",
    "cf-connecting-ip",
    "x-client-ip",
    "true-client-ip",
];

/// What the names of others begin with.
const FORWARDED: &str = "x-forwarded-";

fn is_of_a_proxy(name: &http::HeaderName) -> bool {
    OF_PROXIES.contains(&name.as_str()) || name.as_str().starts_with(FORWARDED)
}

/// Whether a request may see the view; `has_user` says that it has shown who it is.
pub(super) fn may_see(
    viewers: Viewers,
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
    uri: &Uri,
    has_user: bool,
) -> bool {
    let is_local = || {
        peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
            && host(headers, uri).is_some_and(is_this_machine)
            && !headers.keys().any(is_of_a_proxy)
    };
    match viewers {
        Viewers::Off => false,
        Viewers::Local => is_local(),
        Viewers::Users => has_user || is_local(),
    }
}

/// What the page is sent.
#[derive(PartialEq, Serialize)]
struct View {
    /// How many are open, whether shown or not.
    open: usize,
    may_close: bool,
    connections: Vec<Row>,
}

#[derive(PartialEq, Serialize)]
struct Row {
    id: u64,
    address: Option<String>,
    path: String,
    user: Option<String>,
    /// Milliseconds since 1970.
    since: u64,
    http: &'static str,
    compressed: bool,
    subprotocol: Option<String>,
    received: Passed,
    sent: Passed,
    /// Milliseconds.
    latency: Option<f64>,
}

#[derive(PartialEq, Serialize)]
struct Passed {
    messages: u64,
    bytes: u64,
}

/// What the page says.
#[derive(Deserialize)]
struct Asked {
    close: u64,
}

/// Sends the view until the socket closes. A page that does not read is sent nothing
/// more until it does, and then the newest.
pub(super) async fn serve(mut socket: Socket, live: Live, may_close: bool) -> Result<()> {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    let user = socket.extensions().get::<User>();
    let mut expired = std::pin::pin!(expired(user.and_then(|user| user.until)));
    loop {
        tokio::select! {
            () = &mut expired => {
                socket.close(NO_LONGER_GOOD, EXPIRED).await?;
                return Ok(());
            }
            _ = ticks.tick() => {
                let view = Some(view(&live, may_close));
                if view != last && socket.buffered_amount() == 0 {
                    // Strings and numbers always have a JSON form.
                    let json = serde_json::to_string(&view).unwrap_or_default();
                    socket.send(json).await?;
                    last = view;
                }
            }
            message = socket.next() => match message {
                None => return Ok(()),
                Some(message) => close(&live, &message?, may_close),
            },
        }
    }
}

fn close(live: &Live, message: &Message, may_close: bool) {
    let asked = message.as_text().map(serde_json::from_str::<Asked>);
    if let Some(Ok(asked)) = asked
        && may_close
    {
        let found = live.close(asked.close, 1000, "closed by the operator");
        tracing::info!(
            connection = asked.close,
            found,
            "the view closes a connection"
        );
    }
}

fn view(live: &Live, may_close: bool) -> View {
    let (connections, open) = live.open(MOST_SHOWN);
    View {
        open,
        may_close,
        connections: connections
            .iter()
            .map(|(id, open)| row(*id, open))
            .collect(),
    }
}

fn row(id: u64, connection: &Connection) -> Row {
    let statistics = connection.sender.statistics();
    let since = connection
        .since
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Row {
        id,
        address: connection.peer.map(|peer| peer.to_string()),
        path: connection.path.clone(),
        user: connection.user.as_deref().map(str::to_owned),
        since: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        http: if connection.version >= Version::HTTP_2 {
            "2"
        } else {
            "1.1"
        },
        compressed: connection.is_compressed,
        subprotocol: connection.subprotocol.clone(),
        received: Passed {
            messages: statistics.messages_received,
            bytes: statistics.bytes_received,
        },
        sent: Passed {
            messages: statistics.messages_sent,
            bytes: statistics.bytes_sent,
        },
        latency: connection
            .sender
            .latency()
            .map(|latency| latency.as_secs_f64() * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sees(viewers: Viewers, peer: &str, fields: &[(&'static str, &str)], has_user: bool) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().unwrap());
        }
        let peer = peer.parse().ok();
        may_see(viewers, peer, &headers, &Uri::from_static("/"), has_user)
    }

    #[test]
    fn the_view_is_for_those_on_this_machine() {
        let here = "127.0.0.1:5";
        for (peer, fields, expected) in [
            (here, &[("host", "localhost:8000")][..], true),
            (here, &[("host", "127.0.0.1")], true),
            ("[::1]:5", &[("host", "[::1]:8000")], true),
            ("[::ffff:127.0.0.1]:5", &[("host", "[::1]")], true),
            (here, &[("host", "evil.example:8000")], false),
            (here, &[("host", "localhost.evil.example")], false),
            (here, &[], false),
            (
                here,
                &[("host", "localhost"), ("x-forwarded-for", "1.2.3.4")],
                false,
            ),
            (
                here,
                &[("host", "localhost"), ("x-forwarded-host", "a")],
                false,
            ),
            (
                here,
                &[("host", "localhost"), ("cf-connecting-ip", "1.2.3.4")],
                false,
            ),
            (here, &[("host", "localhost"), ("via", "1.1 proxy")], false),
            ("192.168.0.2:5", &[("host", "localhost")], false),
        ] {
            assert_eq!(
                sees(Viewers::Local, peer, fields, true),
                expected,
                "{peer} {fields:?}"
            );
            assert!(!sees(Viewers::Off, peer, fields, true));
            assert!(sees(Viewers::Users, peer, fields, true));
            assert_eq!(sees(Viewers::Users, peer, fields, false), expected);
        }
    }
}
