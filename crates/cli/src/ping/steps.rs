//! The steps of the way to a server, and how long each took.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longwire::client::Observer;
use longwire::error::Step;

/// Steps kept at most: redirects repeat them.
const MOST_STEPS: usize = 100;

/// Notes the steps as they are done.
#[derive(Debug, Default)]
pub(super) struct Steps(Mutex<Vec<(Step, Duration)>>);

impl Steps {
    /// The steps by name. That of HTTP/2 itself comes before the handshake on it.
    pub(super) fn so_far(&self) -> Vec<(&'static str, Duration)> {
        let steps = self.lock();
        let names = steps.iter().enumerate().map(|(index, (step, took))| {
            let next = steps.get(index + 1).map(|(step, _)| *step);
            match (*step, next) {
                (Step::Handshake, Some(Step::Handshake)) => ("http2", *took),
                _ => (name(*step), *took),
            }
        });
        names.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Step, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Steps {
    fn step(&self, step: Step, took: Duration) {
        let mut steps = self.lock();
        if steps.len() < MOST_STEPS {
            steps.push((step, took));
        }
    }
}

/// What the step is called in a line.
fn name(step: Step) -> &'static str {
    match step {
        Step::Resolve => "resolve",
        Step::Connect => "connect",
        Step::Proxy => "proxy",
        Step::Tls => "tls",
        Step::Handshake => "upgrade",
        _ => "other",
    }
}
