//! What all threads and connections of a run share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use longwire::ClientBuilder;
use longwire::client::Observer;
use tokio::sync::{Notify, Semaphore, watch};

use super::fan::Fan;
use super::faults::Faults;
use super::latency::Latencies;
use super::pace::Schedule;
use super::pacer::Pacer;
use super::plan::{OPENING_AT_ONCE, Plan};
use super::stamp::Stamp;
use super::tally::Tally;

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
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
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) faults: Faults,
    pub(super) gauges: Gauges,
    pub(super) handshakes: Mutex<Latencies>,
    pub(super) wire: Arc<Wire>,
    pub(super) fan: Fan,
    pub(super) pacer: Pacer,
    /// Permits to open a connection.
    pub(super) opening: Semaphore,
    /// Told where a connection's state changed.
    pub(super) changed: Notify,
    /// The first error of opening a connection.
    pub(super) first_error: Mutex<Option<longwire::Error>>,
    /// Tells this run's messages from another's.
    id: u32,
    pub(super) epoch: Instant,
    /// The same in milliseconds since 1970.
    pub(super) started: u64,
}

impl Run {
    pub(super) fn new(plan: Plan, phase: watch::Receiver<Phase>) -> std::io::Result<Self> {
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

    pub(super) fn stamp(&self, connection: u32, sequence: u64, due: Instant) -> Stamp {
        let nanos = due.saturating_duration_since(self.epoch).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Stamp::new(self.id, connection, sequence, nanos, self.started)
    }

    /// Waits for the load to begin: its schedule, unless all is over before.
    pub(super) async fn begun(&self) -> Option<Schedule> {
        let mut phase = self.phase.clone();
        let begun = phase.wait_for(|phase| !matches!(phase, Phase::Opening));
        match begun.await.map(|phase| *phase) {
            Ok(Phase::Running(schedule)) => Some(schedule),
            _ => None,
        }
    }

    /// Waits until all is to end.
    pub(super) async fn over(self: Arc<Self>) {
        let mut phase = self.phase.clone();
        // Where the sender is gone, all is over too.
        let _ = phase.wait_for(Phase::is_over).await;
    }

    pub(super) fn is_interrupted(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Interrupted)
    }

    /// Whether no connection has anything to do any more.
    pub(super) fn is_done(&self) -> bool {
        let done = self.gauges.survived.get() + self.gauges.gone.get();
        done >= u64::from(self.plan.connections)
    }
}

/// What a thread needs.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) run: Arc<Run>,
    pub(super) client: ClientBuilder,
    tally: Mutex<Tally>,
}

impl Lane {
    pub(super) fn new(run: Arc<Run>, client: ClientBuilder) -> Self {
        Self {
            run,
            client,
            tally: Mutex::default(),
        }
    }

    /// Its counts, which nobody else asks for more than once a second.
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many connections are what.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    /// Tried for the first time.
    pub(super) tried: Gauge,
    /// Opened, at the first try or a later one.
    pub(super) opened: Gauge,
    /// Not opened, at the first try.
    pub(super) failed: Gauge,
    /// Opened, and ended before the run did.
    pub(super) lost: Gauge,
    /// Opened after they were lost or could not be opened.
    pub(super) reopened: Gauge,
    /// Open now.
    pub(super) open: Gauge,
    /// Open at the end of the run.
    pub(super) survived: Gauge,
    /// Not open, and not to be opened again.
    pub(super) gone: Gauge,
    /// Opened over HTTP/2.
    pub(super) http2: Gauge,
    /// Opened with compression agreed.
    pub(super) compressed: Gauge,
}

/// A number that all may count up and down.
#[derive(Debug, Default)]
pub(super) struct Gauge(AtomicU64);

impl Gauge {
    pub(super) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes of frames.
#[derive(Debug, Default)]
pub(super) struct Wire {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Wire {
    /// Bytes sent and received so far.
    pub(super) fn so_far(&self) -> (u64, u64) {
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
