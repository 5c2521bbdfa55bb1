//! What went wrong, counted by kind.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longwire::error::Step;
use longwire::{Closed, Error};
use serde::Serialize;

/// Kinds that are told apart at most; a server chooses its statuses and codes.
const MOST_KINDS: usize = 64;

/// Characters of an example at most.
const MOST_SHOWN: usize = 300;

/// Errors of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::bench) struct Fault {
    pub(in crate::bench) kind: String,
    pub(in crate::bench) count: u64,
    /// The first of them.
    pub(in crate::bench) example: String,
}

/// The errors of a run, by kind.
#[derive(Debug, Default)]
pub(in crate::bench) struct Faults(Mutex<BTreeMap<String, Fault>>);

impl Faults {
    pub(in crate::bench) fn count(&self, kind: &str, example: impl FnOnce() -> String) {
        let mut kinds = self.lock();
        let known = kinds.contains_key(kind) || kinds.len() < MOST_KINDS;
        let kind = if known { kind } else { "other" };
        kinds
            .entry(kind.to_owned())
            .or_insert_with(|| Fault {
                kind: kind.to_owned(),
                count: 0,
                example: example().chars().take(MOST_SHOWN).collect(),
            })
            .count += 1;
    }

    pub(in crate::bench) fn total(&self) -> u64 {
        self.lock().values().map(|fault| fault.count).sum()
    }

    /// All of them, the most frequent first.
    pub(in crate::bench) fn by_kind(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> = self.lock().values().cloned().collect();
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.count));
        faults
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind of an error of connecting.
pub(in crate::bench) fn kind_of_error(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => format!("refused-{}", refusal.status.as_u16()),
        Error::Timeout { step, .. } => format!("{}-timeout", kind_of_step(*step)),
        Error::Resolve { .. } => "resolve".to_owned(),
        Error::Connect { .. } => "connect".to_owned(),
        Error::Proxy(_) => "proxy".to_owned(),
        Error::Tls { .. } => "tls".to_owned(),
        Error::Redirect(_) => "redirect".to_owned(),
        Error::Http(_) | Error::Http2 { .. } => "http".to_owned(),
        Error::Handshake(_) => "handshake".to_owned(),
        _ => "error".to_owned(),
    }
}

fn kind_of_step(step: Step) -> &'static str {
    match step {
        Step::Resolve => "resolve",
        Step::Connect => "connect",
        Step::Proxy => "proxy",
        Step::Tls => "tls",
        _ => "handshake",
    }
}

/// The kind of a connection's end that nobody asked for.
pub(in crate::bench) fn kind_of_end(closed: Option<&Closed>) -> String {
    let code = closed.map_or(1006, |closed| closed.code.get());
    format!("closed-{code}")
}
