//! Where events go: to the terminal, and to the recording.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::event::{Event, What, date};
use super::recording::Recorder;
use super::show;
use crate::output;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    Nothing,
    /// For people.
    Lines,
    Json,
}

/// Takes the events of all connections.
#[derive(Debug)]
pub(super) struct Sink {
    printed: Printed,
    recorder: Option<Recorder>,
    /// Whether nobody reads what is printed any more.
    is_unread: AtomicBool,
    /// Why no more can be taken.
    failure: Mutex<Option<Failure>>,
    /// Set when the proxy has to stop.
    stop: watch::Sender<bool>,
}

/// Why a proxy has to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody reads what it prints.
    Stdout,
    /// The recording cannot be written.
    Recording(String),
}

impl Sink {
    pub(super) fn new(printed: Printed, recorder: Option<Recorder>) -> Self {
        Self {
            printed,
            recorder,
            is_unread: AtomicBool::new(false),
            failure: Mutex::default(),
            stop: watch::Sender::new(false),
        }
    }

    /// Tells every connection to end.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Done once the proxy has to stop.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender is alive as long as this is.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Why the proxy had to stop by itself.
    pub(super) fn failure(&self) -> Option<Failure> {
        let failure = self.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, failure: Failure) {
        let mut known = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = Some(failure);
        }
        drop(known);
        self.stop();
    }

    fn take(&self, event: &Event) {
        if let Some(recorder) = &self.recorder
            && let Err(error) = recorder.write(event)
        {
            self.fail(Failure::Recording(error.to_string()));
        }
        let printed = match self.printed {
            _ if self.is_unread.load(Ordering::Relaxed) => Ok(()),
            Printed::Nothing => Ok(()),
            Printed::Lines => show::event(event),
            Printed::Json => show::json(event),
        };
        match printed {
            Ok(()) => {}
            Err(_) if self.recorder.is_none() => self.fail(Failure::Stdout),
            // What passes is wanted still.
            Err(_) => {
                if !self.is_unread.swap(true, Ordering::Relaxed) {
                    output::note("nobody reads what is printed: it is recorded only");
                }
            }
        }
    }

    /// Tells the person something about a connection that is no event.
    pub(super) fn note(&self, conn: u64, text: &str) {
        if self.printed != Printed::Nothing {
            output::note(&format!("#{conn} {}", output::harmless(text)));
        }
    }
}

/// The clock of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
    began_at: SystemTime,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            began: Instant::now(),
            began_at: SystemTime::now(),
        }
    }

    /// Takes what happened now on this connection.
    pub(super) fn tell(&self, sink: &Sink, conn: u64, what: What) {
        // Microseconds: as exact as a wire is.
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let since = Duration::from_micros(micros);
        sink.take(&Event {
            t: since.as_secs_f64(),
            at: date(self.began_at + since),
            conn,
            what,
        });
    }
}
