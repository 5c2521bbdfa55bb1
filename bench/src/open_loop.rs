//! Load at a fixed rate, whatever the server does: latency is counted from when a
//! message was due, so that a server that stalls is not forgiven what it held up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Failure;
use crate::client::Clients;

/// Latencies in nanoseconds of messages sent at this rate a second, in turn over all
/// connections.
pub fn run(clients: &mut Clients, rate: f64, time: Duration) -> Result<Histogram<u64>, Failure> {
    let mut latencies = Histogram::new(3)?;
    let mut due: Vec<VecDeque<Instant>> = vec![VecDeque::new(); clients.all.len()];
    let start = Instant::now();
    let mut sent = 0_u64;
    let mut in_flight = 0_u64;
    loop {
        let now = Instant::now();
        let sending = now - start < time;
        if !sending && in_flight == 0 {
            return Ok(latencies);
        }
        loop {
            let at = start + Duration::from_secs_f64(sent as f64 / rate);
            if !sending || at > now {
                break;
            }
            let i = sent as usize % due.len();
            due[i].push_back(at);
            clients.send(i, 1)?;
            sent += 1;
            in_flight += 1;
        }
        clients.receive(sending, |_, i, replies| {
            let now = Instant::now();
            for at in due[i].drain(..replies) {
                latencies.record((now - at).as_nanos() as u64)?;
            }
            in_flight -= replies as u64;
            Ok(())
        })?;
    }
}
