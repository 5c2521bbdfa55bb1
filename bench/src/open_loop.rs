//! Load at a fixed rate, whatever the server does: latency is counted from when a
//! message was due, so that a server that stalls is not forgiven what it held up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Failure;
use crate::client::Clients;

/// The part of the time at whose start latencies do not count: a server that has waited
/// for its turn has nothing in the caches.
const WARM_UP: f64 = 0.2;

/// Latencies in nanoseconds of messages sent at this rate a second, in turn over all
/// connections.
pub fn run(clients: &mut Clients, rate: f64, time: Duration) -> Result<Histogram<u64>, Failure> {
    let mut latencies = Histogram::new(3)?;
    let mut due: Vec<VecDeque<Instant>> = vec![VecDeque::new(); clients.all.len()];
    let start = Instant::now();
    let (warm, end) = (start + time.mul_f64(WARM_UP), start + time);
    let mut sent = 0_u64;
    let mut in_flight = 0_u64;
    loop {
        let now = Instant::now();
        // What is due is sent, however late.
        let next = loop {
            let at = start + Duration::from_secs_f64(sent as f64 / rate);
            if at > now || at >= end {
                break at;
            }
            let i = sent as usize % due.len();
            due[i].push_back(at);
            clients.send(i, 1)?;
            sent += 1;
            in_flight += 1;
        };
        let sending = next < end;
        if !sending && in_flight == 0 {
            return Ok(latencies);
        }
        clients.receive(sending, |_, i, replies| {
            let now = Instant::now();
            for at in due[i].drain(..replies) {
                if at >= warm {
                    latencies.record((now - at).as_nanos() as u64)?;
                }
            }
            in_flight -= replies as u64;
            Ok(())
        })?;
    }
}
