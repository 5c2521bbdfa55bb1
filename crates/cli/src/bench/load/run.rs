//! What all threads and connections of a run share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use longwire::ClientBuilder;
use longwire::client::Observer;
use tokio::sync::{Notify, Semaphore, watch};

use super::fan::Fan;
use super::pace::Schedule;
use super::pacer::Pacer;
use super::plan::{OPENING_AT_ONCE, Plan};
use crate::bench::count::faults::Faults;
use crate::bench::count::latency::Latencies;
use crate::bench::count::tally::Tally;
use crate::bench::message::stamp::Stamp;

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) enum Phase {
    /// Connections are being opened.
    Opening,
    Running(Schedule),
    /// All is to end now: no connection is left, or none has anything to do.
    Over,
    /// All is to end now: somebody said so.
    Interrupted,
}

impl Phase {
    fn is_over(&self) -> bool {
        matches!(self, Self::Over | Self::Interrupted)
    }
}

#[derive(Debug)]
pub(in crate::bench) struct Run {
    pub(in crate::bench) plan: Plan,
    pub(in crate::bench) phase: watch::Receiver<Phase>,
    pub(in crate::bench) faults: Faults,
    pub(in crate::bench) gauges: Gauges,
    pub(in crate::bench) handshakes: Mutex<Latencies>,
    pub(in crate::bench) wire: Arc<Wire>,
    pub(in crate::bench) fan: Fan,
    pub(in crate::bench) pacer: Pacer,
    /// Permits to open a connection.
    pub(in crate::bench) opening: Semaphore,
    /// Told where a connection's state changed.
    pub(in crate::bench) changed: Notify,
    /// The first error of opening a connection.
    pub(in crate::bench) first_error: Mutex<Option<longwire::Error>>,
    /// Tells this run's messages from another's.
    id: u32,
    pub(in crate::bench) epoch: Instant,
    /// The same in milliseconds since 1970.
    pub(in crate::bench) started: u64,
}

impl Run {
    pub(in crate::bench) fn new(
        plan: Plan,
        phase: watch::Receiver<Phase>,
    ) -> std::io::Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default().as_millis();
        let id = rand::random();
        Ok(Self {
            plan,
            phase,
            faults: Faults::default(),
            gauges: Gauges::default(),
            handshakes: Mutex::default(),
            wire: Arc::default(),
            fan: Fan::new(id),
            pacer: Pacer::start()?,
            opening: Semaphore::new(OPENING_AT_ONCE),
            changed: Notify::new(),
            first_error: Mutex::new(None),
            id,
            epoch: Instant::now(),
            started: u64::try_from(since).unwrap_or(u64::MAX),
        })
    }

    pub(in crate::bench) fn stamp(&self, connection: u32, sequence: u64, due: Instant) -> Stamp {
        let nanos = due.saturating_duration_since(self.epoch).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Stamp::new(self.id, connection, sequence, nanos, self.started)
    }

    /// Waits for the load to begin: its schedule, unless all is over before.
    pub(in crate::bench) async fn begun(&self) -> Option<Schedule> {
        let mut phase = self.phase.clone();
        let begun = phase.wait_for(|phase| !matches!(phase, Phase::Opening));
        match begun.await.map(|phase| *phase) {
            Ok(Phase::Running(schedule)) => Some(schedule),
            _ => None,
        }
    }

    /// Waits until all is to end.
    pub(in crate::bench) async fn over(self: Arc<Self>) {
        let mut phase = self.phase.clone();
        // Where the sender is gone, all is over too.
        let _ = phase.wait_for(Phase::is_over).await;
    }

    pub(in crate::bench) fn is_interrupted(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Interrupted)
    }

    /// Whether no connection has anything to do any more.
    pub(in crate::bench) fn is_done(&self) -> bool {
        let done = self.gauges.survived.get() + self.gauges.gone.get();
        done >= u64::from(self.plan.connections)
    }
}

/// What a thread needs.
#[derive(Debug)]
pub(in crate::bench) struct Lane {
    pub(in crate::bench) run: Arc<Run>,
    pub(in crate::bench) client: ClientBuilder,
    tally: Mutex<Tally>,
}

impl Lane {
    pub(in crate::bench) fn new(run: Arc<Run>, client: ClientBuilder) -> Self {
        Self {
            run,
            client,
            tally: Mutex::default(),
        }
    }

    /// Its counts, which nobody else asks for more than once a second.
    pub(in crate::bench) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

pub(in crate::bench) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many connections are what.
#[derive(Debug, Default)]
pub(in crate::bench) struct Gauges {
    /// Tried for the first time.
    pub(in crate::bench) tried: Gauge,
    /// Opened, at the first try or a later one.
    pub(in crate::bench) opened: Gauge,
    /// Not opened, at the first try.
    pub(in crate::bench) failed: Gauge,
    /// Opened, and ended before the run did.
    pub(in crate::bench) lost: Gauge,
    /// Opened after they were lost or could not be opened.
    pub(in crate::bench) reopened: Gauge,
    /// Open now.
    pub(in crate::bench) open: Gauge,
    /// Open at the end of the run.
    pub(in crate::bench) survived: Gauge,
    /// Not open, and not to be opened again.
    pub(in crate::bench) gone: Gauge,
    /// Opened over HTTP/2.
    pub(in crate::bench) http2: Gauge,
    /// Opened with compression agreed.
    pub(in crate::bench) compressed: Gauge,
}

/// A number that all may count up and down.
#[derive(Debug, Default)]
pub(in crate::bench) struct Gauge(AtomicU64);

impl Gauge {
    pub(in crate::bench) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::bench) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(in crate::bench) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes of frames.
#[derive(Debug, Default)]
pub(in crate::bench) struct Wire {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Wire {
    /// Bytes sent and received so far.
    pub(in crate::bench) fn so_far(&self) -> (u64, u64) {
        let sent = self.sent.load(Ordering::Relaxed);
        (sent, self.received.load(Ordering::Relaxed))
    }
}

impl Observer for Wire {
    fn sent(&self, bytes: &[u8]) {
        self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    fn received(&self, bytes: &[u8]) {
        self.received
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}
