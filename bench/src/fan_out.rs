//! One connection sends, all receive.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::Clients;
use crate::closed_loop::Round;
use crate::process::Server;

/// Publishes so many messages at once, again and again; counts deliveries.
pub fn round(
    clients: &mut Clients,
    server: &Server,
    at_once: usize,
    time: Duration,
) -> Result<Round, Failure> {
    let before = server.cpu()?;
    let start = Instant::now();
    let mut messages = 0;
    while start.elapsed() < time {
        let mut left = at_once * clients.all.len();
        messages += left as u64;
        clients.send(0, at_once)?;
        while left > 0 {
            clients.receive(false, |_, _, replies| {
                left = left.saturating_sub(replies);
                Ok(())
            })?;
        }
    }
    Ok(Round {
        messages,
        elapsed: start.elapsed(),
        cpu: server.cpu()? - before,
    })
}
