//! From a host's name to a TCP connection (RFC 8305, "Happy Eyeballs").

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;

/// How long an attempt has before the next address is tried beside it (RFC 8305
/// section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Addresses that a program knows better than the system.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolver {
    known: Arc<HashMap<String, Vec<IpAddr>>>,
}

impl Resolver {
    pub(super) fn insert(&mut self, host: &str, addresses: Vec<IpAddr>) {
        Arc::make_mut(&mut self.known).insert(host.to_ascii_lowercase(), addresses);
    }

    /// The host's addresses, those to try first first.
    pub(super) async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let known = self.known.get(&host.to_ascii_lowercase());
        let found: Vec<SocketAddr> = match known {
            Some(known) => known.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
            None => lookup_host((host, port)).await?.collect(),
        };
        if found.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no addresses",
            ));
        }
        Ok(interleave(found))
    }
}

/// The families in turns, beginning with the one that the system puts first
/// (RFC 8305 section 4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (favoured, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = Vec::with_capacity(favoured.len() + other.len());
    let (mut favoured, mut other) = (favoured.into_iter(), other.into_iter());
    loop {
        let before = mixed.len();
        mixed.extend(favoured.next());
        mixed.extend(other.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

/// Connects to the first of the addresses that answers.
pub(super) async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    race(addresses, TcpStream::connect).await
}

/// The next address is tried where one fails, or has not answered after a while.
/// The first that answers wins, the others are dropped.
async fn race<T, F>(addresses: &[SocketAddr], dial: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        let more = waiting.next();
        let is_last = waiting.len() == 0;
        if let Some(&address) = more {
            let attempt = dial(address);
            attempts.push(async move { (address, attempt.await) });
        }
        let delay = sleep(ATTEMPT_DELAY);
        tokio::pin!(delay);
        loop {
            tokio::select! {
                biased;
                attempt = attempts.next() => match attempt {
                    Some((_, Ok(stream))) => return Ok(stream),
                    Some((address, Err(error))) => {
                        failures.push((address, error));
                        if !is_last {
                            break;
                        }
                    }
                    None => return Err(all_failed(failures)),
                },
                () = &mut delay, if !is_last => break,
            }
        }
    }
}

/// One error that tells all of them.
fn all_failed(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
    if failures.len() == 1
        && let Some((_, error)) = failures.pop()
    {
        return error;
    }
    let kind = failures
        .first()
        .map_or(io::ErrorKind::NotFound, |(_, error)| error.kind());
    let told: Vec<String> = failures
        .iter()
        .map(|(address, error)| format!("{address}: {error}"))
        .collect();
    io::Error::new(kind, told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_systems_favourite_begins() {
        let parse = |text: &str| -> Vec<SocketAddr> {
            text.split(' ').map(|a| a.parse().unwrap()).collect()
        };
        let mixed = interleave(parse("[::1]:1 [::2]:1 [::3]:1 1.1.1.1:1 2.2.2.2:1"));
        assert_eq!(mixed, parse("[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 [::3]:1"));
        let mixed = interleave(parse("1.1.1.1:1 [::1]:1"));
        assert_eq!(mixed, parse("1.1.1.1:1 [::1]:1"));
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over_and_all_failures_are_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
        let bad = closed.local_addr().unwrap();
        drop(closed);
        let stream = connect(&[bad, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let error = connect(&[bad]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = connect(&[bad, bad]).await.unwrap_err().to_string();
        assert_eq!(error.matches(&bad.to_string()).count(), 2, "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_silent_does_not_hold_up_the_next() {
        let addresses: Vec<SocketAddr> = ["1.1.1.1:1", "2.2.2.2:2", "3.3.3.3:3"]
            .map(|address| address.parse().unwrap())
            .into();
        let start = tokio::time::Instant::now();
        // The first never answers, the second late, the third at once.
        let dial = |address: SocketAddr| async move {
            match address.port() {
                1 => std::future::pending().await,
                2 => sleep(Duration::from_millis(800)).await,
                _ => {}
            }
            Ok(address.port())
        };
        assert_eq!(race(&addresses, dial).await.unwrap(), 3);
        assert_eq!(start.elapsed(), ATTEMPT_DELAY * 2);
        // One that has been passed over may still win.
        let start = tokio::time::Instant::now();
        assert_eq!(race(&addresses[..2], dial).await.unwrap(), 2);
        assert_eq!(start.elapsed(), ATTEMPT_DELAY + Duration::from_millis(800));
    }
}
