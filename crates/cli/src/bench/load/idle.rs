//! A connection that is held, and on which nothing is sent.

use std::sync::Arc;
use std::time::Instant;

use longwire::Socket;
use tokio::time::sleep_until;

use super::pace::Schedule;
use super::run::Lane;
use super::sending::End;

/// Holds the connection until the run is over or the connection is.
pub(in crate::bench) async fn hold(
    lane: &Arc<Lane>,
    socket: &mut Socket,
    schedule: Schedule,
) -> End {
    let over = Arc::clone(&lane.run).over();
    tokio::pin!(over);
    let until = async {
        match schedule.until {
            Some(until) => sleep_until(until.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(until);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) => {
                    let mut tally = lane.tally();
                    tally.counts.received += 1;
                    tally.counts.received_bytes += message.len() as u64;
                    tally.in_time(message.len());
                    tally.counts.last = Some(Instant::now());
                }
                Some(Err(_)) | None => return End::Closed,
            },
            () = &mut over => return End::Done,
            () = &mut until => return End::Done,
        }
    }
}
