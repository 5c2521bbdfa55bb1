//! What is said: lines of a pipe, or of the prompt.

use std::io::BufRead as _;

use tokio::sync::mpsc;

/// Lines of a pipe that wait to be sent.
const MOST_WAITING: usize = 64;

/// What stdin or the prompt gives.
#[derive(Debug)]
pub(super) enum Input {
    /// A line without its end.
    Line(Vec<u8>),
    /// Ctrl-D, or the end of stdin.
    End,
}

/// Where lines come from, and Ctrl-C.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) lines: mpsc::Receiver<Input>,
    pub(super) interrupts: mpsc::Receiver<()>,
}

impl Inputs {
    pub(super) fn new(lines: mpsc::Receiver<Input>, interrupts: mpsc::Receiver<()>) -> Self {
        Self { lines, interrupts }
    }

    /// The lines of stdin, read by a thread: a terminal cannot be asked
    /// otherwise.
    pub(super) fn from_stdin() -> Self {
        let (lines, received) = mpsc::channel(MOST_WAITING);
        std::thread::spawn(move || {
            let mut stdin = std::io::stdin().lock();
            let mut line = Vec::new();
            while let Ok(1..) = stdin.read_until(b'\n', &mut line) {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                if lines.blocking_send(Input::Line(text.to_vec())).is_err() {
                    return;
                }
                line.clear();
            }
            let _ = lines.blocking_send(Input::End);
        });
        Self::new(received, ctrl_c())
    }

    /// Ctrl-C alone.
    pub(super) fn none() -> Self {
        let (_, lines) = mpsc::channel(1);
        Self::new(lines, ctrl_c())
    }
}

fn ctrl_c() -> mpsc::Receiver<()> {
    let (interrupts, interrupted) = mpsc::channel(2);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            let _ = interrupts.try_send(());
        }
    });
    interrupted
}

/// Ends the lines where the process is told to end: the prompt closes then, and
/// leaves the terminal as it was.
pub(super) fn end_on_terminate(lines: mpsc::Sender<Input>) {
    #[cfg(unix)]
    tokio::spawn(async move {
        let terminate = tokio::signal::unix::SignalKind::terminate();
        if let Ok(mut terminate) = tokio::signal::unix::signal(terminate) {
            terminate.recv().await;
            let _ = lines.send(Input::End).await;
        }
    });
    #[cfg(not(unix))]
    drop(lines);
}

/// Has the runtime listen to Ctrl-C and do nothing, from now on: at the prompt
/// it is a key.
pub(super) fn ignore_ctrl_c() {
    #[cfg(unix)]
    {
        // Once it listens, it does so to the end of the process.
        let interrupt = tokio::signal::unix::SignalKind::interrupt();
        drop(tokio::signal::unix::signal(interrupt));
    }
}
