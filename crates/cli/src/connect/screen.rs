//! The terminal of the prompt, which two threads share: one reads and edits the
//! line being typed, the other prints what comes in the meantime above it.
//!
//! The line editor prints for others only while it waits for a key. What is
//! printed in the moment in which it takes a line, or begins with the next,
//! would stand within that line. So the [`Gate`] is open from the first painting
//! of a line to the key that ends it, and one text at a time goes through.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustyline::ExternalPrinter;
use tokio::sync::mpsc;

use super::keys::Keys;

/// Texts that wait to be printed; whoever has more waits.
const MOST_WAITING: usize = 256;

/// Bytes printed at once, while more is waiting.
const BATCH: usize = 64 << 10;

/// How long the end waits for what is still to be printed.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long the line editor has to leave.
const LEAVING: Duration = Duration::from_millis(500);

/// What the printing thread is told.
#[derive(Debug)]
enum Job {
    Print(String),
    End,
}

/// Prints above the line being typed.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    jobs: mpsc::Sender<Job>,
    gate: Arc<Gate>,
    keys: Arc<Keys>,
    /// How many texts there was no room for.
    left_out: Arc<AtomicU64>,
}

impl Screen {
    /// Starts the printing thread.
    pub(super) fn start(
        printer: impl ExternalPrinter + Send + 'static,
        gate: Arc<Gate>,
        keys: Keys,
    ) -> Self {
        let (jobs, received) = mpsc::channel(MOST_WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let (its_gate, its_left_out) = (gate.clone(), left_out.clone());
        std::thread::spawn(move || print(printer, received, &its_gate, &its_left_out));
        Self {
            jobs,
            gate,
            keys: Arc::new(keys),
            left_out,
        }
    }

    /// Prints lines, each with its end; waits where many wait already.
    pub(super) async fn print(&self, lines: String) {
        // Without the thread, the session is over.
        let _ = self.jobs.send(Job::Print(lines)).await;
    }

    /// The same without waiting: with too many waiting, this is left out, and
    /// that is told.
    fn print_now(&self, lines: String) {
        if self.jobs.try_send(Job::Print(lines)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Prints what waits, and takes no more; the line editor may leave then.
    pub(super) async fn finish(&self) {
        let _ = self.jobs.send(Job::End).await;
        let gate = self.gate.clone();
        let _ = tokio::task::spawn_blocking(move || gate.wait_for_the_end(LAST_WORDS)).await;
        // Also where the line editor has not left: it does not within a search.
        self.keys.restore();
    }
}

/// Where lines about the connection go.
#[derive(Clone, Debug)]
pub(super) enum Aside {
    Stderr,
    Screen(Screen),
}

impl Aside {
    /// Lines with their ends, from where nothing may wait.
    pub(super) fn say(&self, lines: String) {
        match self {
            Self::Stderr => {
                let _ = anstream::stderr().write_all(lines.as_bytes());
            }
            Self::Screen(screen) => screen.print_now(lines),
        }
    }
}

fn print(
    mut printer: impl ExternalPrinter,
    mut jobs: mpsc::Receiver<Job>,
    gate: &Gate,
    left_out: &AtomicU64,
) {
    let mut is_over = false;
    while !is_over && let Some(job) = jobs.blocking_recv() {
        let mut batch = String::new();
        let mut next = Some(job);
        while let Some(job) = next {
            match job {
                Job::Print(lines) => batch.push_str(&lines),
                Job::End => is_over = true,
            }
            next = if is_over || batch.len() > BATCH {
                None
            } else {
                jobs.try_recv().ok()
            };
        }
        let left_out = left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let _ = writeln!(batch, "… {left_out} lines came too fast to be shown");
        }
        if !batch.is_empty() {
            gate.pass(|| printer.print(batch));
        }
    }
    gate.printed_all();
    // Without a printer, the line editor would wait for keys alone, and could not
    // be told to leave.
    gate.wait_until_gone();
}

/// Whether the line editor waits for a key, and what is under way to it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
// Each is true or not whatever the others are.
#[allow(clippy::struct_excessive_bools)]
struct State {
    /// A line is painted and its last key has not come.
    is_open: bool,
    /// The line has its last key: painting it again does not open the gate.
    is_leaving: bool,
    /// A text was given to the line editor, and is not seen to be printed.
    in_flight: bool,
    /// The line editor has asked for hints, as it does before it paints for a
    /// key and not before it paints for a text printed above.
    is_keys_paint: bool,
    is_line_empty: bool,
    printed_all: bool,
    /// There is no line editor any more.
    is_gone: bool,
    /// The line editor is to leave.
    is_over: bool,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until the gate is open and nothing under way, and gives a text to
    /// the line editor.
    fn pass<E>(&self, print: impl FnOnce() -> Result<(), E>) {
        let state = self.lock();
        let waiting = |state: &mut State| !state.is_gone && (!state.is_open || state.in_flight);
        let waited = self.changed.wait_while(state, waiting);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.in_flight = print().is_ok() && !state.is_gone;
    }

    /// A new line is begun: whether it is to be.
    pub(super) fn begin(&self) -> bool {
        let mut state = self.lock();
        state.is_leaving = false;
        state.is_open = false;
        !state.is_over
    }

    /// The line editor is about to paint for a key.
    pub(super) fn key(&self, is_line_empty: bool) {
        let mut state = self.lock();
        state.is_keys_paint = true;
        state.is_line_empty = is_line_empty;
    }

    pub(super) fn is_line_empty(&self) -> bool {
        self.lock().is_line_empty
    }

    /// The line editor paints the line.
    pub(super) fn painted(&self) {
        self.change(|state| {
            if !state.is_keys_paint {
                state.in_flight = false;
            }
            state.is_keys_paint = false;
            state.is_open = !state.is_leaving;
        });
    }

    /// The line's last key came.
    pub(super) fn leave(&self) {
        self.change(|state| {
            state.is_leaving = true;
            state.is_open = false;
        });
    }

    /// The line editor has left for good.
    pub(super) fn gone(&self) {
        self.change(|state| state.is_gone = true);
    }

    fn printed_all(&self) {
        self.change(|state| state.printed_all = true);
    }

    fn wait_until_gone(&self) {
        let is_there = |state: &mut State| !state.is_gone;
        drop(self.changed.wait_while(self.lock(), is_there));
    }

    fn wait_for_the_end(&self, most: Duration) {
        let waiting = |state: &mut State| !(state.is_gone || state.printed_all && !state.in_flight);
        let _ = self.changed.wait_timeout_while(self.lock(), most, waiting);
        self.change(|state| state.is_over = true);
        // In the middle of a line, it leaves as at Ctrl-C.
        let deadline = Instant::now() + LEAVING;
        while !self.lock().is_gone && Instant::now() < deadline {
            interrupt();
            let moment = Duration::from_millis(50);
            let gone = |state: &mut State| !state.is_gone;
            let _ = self.changed.wait_timeout_while(self.lock(), moment, gone);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }
}

/// Sends this process what the line editor ends a line for; between two lines it
/// is the runtime's, which was asked to listen to it and does nothing.
fn interrupt() {
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT);
}
