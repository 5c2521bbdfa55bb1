//! Moves the bytes of one direction: looks at them, disturbs them, writes them.

use std::io;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::faults::Lane;
use super::tap::Tap;

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

/// Bytes that are held back at most: a sender that is faster waits.
const MOST_HELD: usize = 8 << 20;

/// What a piece counts at least: what it takes to hold it.
const LEAST_HELD: usize = 256;

/// How much is written at once where bandwidth is limited: so many times in a
/// second.
const WRITES_A_SECOND: usize = 20;

/// Why no more comes from one side.
#[derive(Debug)]
pub(super) enum Over {
    /// It has ended its stream.
    Ended,
    /// The connection is to be lost here.
    Lost,
    /// It, or the other side, failed.
    Failed(io::Error),
}

/// Bytes on their way.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
    /// Nothing follows.
    is_last: bool,
    _room: Option<OwnedSemaphorePermit>,
}

/// Moves all that comes, `first` before it.
pub(super) async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    first: Vec<u8>,
    tap: &mut Tap,
    mut lane: Lane,
) -> Over {
    let mut outlet = Outlet::new(to, &lane);
    if !lane.is_late() {
        return straight(from, &mut outlet, first, tap, &mut lane).await;
    }
    let (queue, held) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(MOST_HELD));
    let reading = async move {
        // Dropped at the end: what was read before it still has its time.
        let queue = queue;
        let mut bytes = first;
        loop {
            if bytes.is_empty() {
                match read(from).await {
                    Ok(read) => bytes = read,
                    Err(error) => return Some(error),
                }
            }
            let is_end = bytes.is_empty();
            let (bytes, is_last) = look(std::mem::take(&mut bytes), tap, &mut lane);
            let weight = bytes.len().clamp(LEAST_HELD, MOST_HELD) as u32;
            let permit = Arc::clone(&room).acquire_many_owned(weight).await.ok();
            let piece = Piece {
                due: lane.due(Instant::now()),
                bytes,
                is_last,
                _room: permit,
            };
            if is_end || queue.send(piece).is_err() || is_last {
                return None;
            }
        }
    };
    let (mut reading, mut writing) = (pin!(reading), pin!(late(held, &mut outlet)));
    tokio::select! {
        biased;
        failure = &mut reading => match (failure, writing.await) {
            (Some(error), Over::Ended) => Over::Failed(error),
            (_, over) => over,
        },
        over = &mut writing => over,
    }
}

/// Without anything held back.
async fn straight<W: AsyncWrite + Unpin>(
    from: &mut (impl AsyncRead + Unpin),
    outlet: &mut Outlet<'_, W>,
    first: Vec<u8>,
    tap: &mut Tap,
    lane: &mut Lane,
) -> Over {
    let mut bytes = first;
    loop {
        if bytes.is_empty() {
            match read(from).await {
                Ok(read) if read.is_empty() => return outlet.end().await,
                Ok(read) => bytes = read,
                Err(error) => return Over::Failed(error),
            }
        }
        let (shaped, is_last) = look(std::mem::take(&mut bytes), tap, lane);
        if let Err(error) = outlet.write(&shaped).await {
            return Over::Failed(error);
        }
        if is_last {
            return Over::Lost;
        }
    }
}

/// Writes each piece when it is due.
async fn late<W: AsyncWrite + Unpin>(
    mut held: UnboundedReceiver<Piece>,
    outlet: &mut Outlet<'_, W>,
) -> Over {
    while let Some(piece) = held.recv().await {
        sleep_until(piece.due).await;
        if let Err(error) = outlet.write(&piece.bytes).await {
            return Over::Failed(error);
        }
        if piece.is_last {
            return Over::Lost;
        }
    }
    outlet.end().await
}

async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(PIECE);
    from.read_buf(&mut bytes).await?;
    Ok(bytes)
}

/// Shows bytes to the tap, and gives what is written for them, and whether the
/// connection is lost behind that.
fn look(mut bytes: Vec<u8>, tap: &mut Tap, lane: &mut Lane) -> (Vec<u8>, bool) {
    let room = lane.lost_within(bytes.len());
    bytes.truncate(room.unwrap_or(bytes.len()));
    let end = tap.pass(&bytes, || lane.is_lost_at_message());
    bytes.truncate(end.unwrap_or(bytes.len()));
    (lane.reshape(bytes), room.is_some() || end.is_some())
}

/// Writes as fast and in as large pieces as it may.
struct Outlet<'a, W> {
    to: &'a mut W,
    chop: Option<NonZero<usize>>,
    bandwidth: Option<NonZero<usize>>,
    /// When the next bytes may be written.
    free: Instant,
}

impl<'a, W: AsyncWrite + Unpin> Outlet<'a, W> {
    fn new(to: &'a mut W, lane: &Lane) -> Self {
        Self {
            to,
            chop: lane.chop(),
            bandwidth: lane.bandwidth(),
            free: Instant::now(),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let paced = self
            .bandwidth
            .map(|each| (each.get() / WRITES_A_SECOND).max(1));
        let chopped = self.chop.map(NonZero::get);
        let most = [paced, chopped].into_iter().flatten().min();
        for piece in bytes.chunks(most.unwrap_or(bytes.len())) {
            if let Some(bandwidth) = self.bandwidth {
                sleep_until(self.free).await;
                let took = time_of(piece.len(), bandwidth);
                self.free = self.free.max(Instant::now()) + took;
            }
            self.to.write_all(piece).await?;
            self.to.flush().await?;
            if chopped.is_some() {
                // The reader may see the piece before the next one is there.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Passes the end of the stream on.
    async fn end(&mut self) -> Over {
        match self.to.shutdown().await {
            Ok(()) => Over::Ended,
            Err(error) => Over::Failed(error),
        }
    }
}

/// How long so many bytes take at so many in a second.
fn time_of(bytes: usize, a_second: NonZero<usize>) -> Duration {
    let nanos = bytes as u128 * 1_000_000_000 / a_second.get() as u128;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::super::event::Side;
    use super::super::faults::Faults;
    use super::super::sink::{Clock, Printed, Sink};
    use super::super::tap::TapOptions;
    use super::*;
    use crate::args::proxy::FaultArgs;

    /// A writer that keeps each write, and the end, and when they came.
    #[derive(Default)]
    struct Writes(Vec<(Time, Vec<u8>)>);

    /// When a write came; the end has none.
    type Time = Option<Instant>;

    impl AsyncWrite for Writes {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.get_mut()
                .0
                .push((Some(Instant::now()), bytes.to_vec()));
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.get_mut().0.push((None, Vec::new()));
            Poll::Ready(Ok(()))
        }
    }

    async fn written(args: FaultArgs, mut input: &[u8]) -> Vec<(Time, Vec<u8>)> {
        let sink = Arc::new(Sink::new(Printed::Nothing, None));
        let options = TapOptions {
            keep: 100,
            frames: false,
        };
        let mut tap = Tap::new(Side::Server, 1, Clock::start(), sink, options, None);
        let lane = Faults::new(args).lanes(1).1;
        let mut writes = Writes::default();
        let over = pump(&mut input, &mut writes, Vec::new(), &mut tap, lane).await;
        assert!(matches!(over, Over::Ended), "{over:?}");
        writes.0
    }

    const HELLO: &[u8] = b"\x81\x05Hello\x81\x00";

    #[tokio::test(start_paused = true)]
    async fn bytes_are_written_in_pieces_of_the_size_and_the_end_behind_them() {
        let args = FaultArgs {
            chop: NonZero::new(4),
            ..FaultArgs::default()
        };
        let writes = written(args, HELLO).await;
        let pieces: Vec<&[u8]> = writes.iter().map(|(_, bytes)| &bytes[..]).collect();
        assert_eq!(pieces, [&HELLO[..4], &HELLO[4..8], &HELLO[8..], b""]);
        assert_eq!(writes.last().unwrap().0, None, "the end is passed on");
    }

    #[tokio::test(start_paused = true)]
    async fn latency_and_bandwidth_are_kept_to() {
        let args = FaultArgs {
            latency: Some(Duration::from_millis(250)),
            bandwidth: NonZero::new(2),
            ..FaultArgs::default()
        };
        let began = Instant::now();
        let writes = written(args, HELLO).await;
        let times: Vec<u128> = writes
            .iter()
            .filter_map(|(at, _)| Some((at.as_ref()?.duration_since(began)).as_millis()))
            .collect();
        // Two bytes a second, one at a time; the clock is one of milliseconds.
        for (index, time) in (0..).zip(&times) {
            let expected = 250 + 500 * index;
            assert!((expected..expected + 20).contains(time), "{times:?}");
        }
        assert_eq!(times.len(), HELLO.len());
    }
}
