//! A process for each connection: its stdin and stdout are the messages.
//!
//! Read `environment` for what it is told of the request (RFC 3875), `process` for its
//! life, and this file for what passes between it and the socket.

mod environment;

mod process;

use std::sync::Arc;
use std::time::Duration;

use longwire::{Message, Receiver, Result, Sender, Socket};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

pub(super) use environment::{Asked, Environment};
use process::{Ended, Process};
pub(super) use process::{Place, Processes};

/// Longest line of a process that is sent as one message.
const MOST_LINE: usize = 16 << 20;

/// What is read of a process at once, where it is not read by lines.
const CHUNK: usize = 64 << 10;

/// Longest line of stderr that is logged whole.
const MOST_LOGGED: usize = 8 << 10;

/// Normal closure, and an unexpected condition.
const NORMAL: u16 = 1000;
const FAILED: u16 = 1011;

/// What is run, and how.
#[derive(Clone)]
pub(super) struct Exec {
    pub(super) command: Arc<str>,
    /// Whether what is read and written is no lines.
    pub(super) is_binary: bool,
    pub(super) grace: Duration,
    /// How often clients are pinged.
    pub(super) heartbeat: Option<Duration>,
    pub(super) processes: Processes,
}

impl Exec {
    /// Runs a process for a socket, to the end of both.
    pub(super) async fn serve(self, socket: Socket) -> Result<()> {
        let environment = socket.extensions().get::<Environment>().cloned();
        let place = socket.extensions().get::<Place>().cloned();
        let (sender, receiver) = socket.split();
        let started = Process::start(&self.command, environment.unwrap_or_default().variables());
        let (mut process, pipes) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(command = %self.command, %error, "could not run the command");
                sender.close(FAILED, "the command could not be run")?;
                return Ok(());
            }
        };
        let _running = self.processes.enter(&process);
        let mut logging = Task::spawn(log(pipes.stderr, process.id()));
        let mut output = Task::spawn(send_output(pipes.stdout, sender.clone(), self.is_binary));
        let input = Task::spawn(write_input(
            receiver,
            pipes.stdin,
            self.is_binary,
            Pinging(self.heartbeat.map(|interval| (sender.clone(), interval))),
        ));
        // The socket ends, or the process's output does.
        let sent = tokio::select! {
            _ = sender.ended() => None,
            sent = &mut output.0 => Some(sent),
        };
        let is_silent = matches!(sent, Some(Ok(Ok(()))));
        // Where it writes nothing more, it has its time to end.
        let by_itself = if is_silent {
            tokio::select! {
                ended = process.wait() => Some(ended),
                _ = sender.ended() => None,
            }
        } else {
            None
        };
        let was_asked = by_itself.is_none();
        let ended = if let Some(ended) = by_itself {
            ended
        } else {
            // The end of its input asks it to end.
            input.cancel().await;
            process.end(self.grace).await
        };
        drop(output);
        let closed = match (ended, &sent) {
            (_, Some(Ok(Err(Failed::Line)))) => {
                sender.close(FAILED, "the command wrote a line that is too long")
            }
            (Ended::Well, _) => sender.close(NORMAL, ""),
            (Ended::Failed(how), Some(Ok(Ok(())))) if !was_asked => {
                tracing::warn!(command = %self.command, pid = process.id(), how, "the command failed");
                sender.close(FAILED, "the command failed")
            }
            // It was told to end.
            (Ended::Failed(_), _) => Ok(()),
        };
        process.kill();
        // Children of it that hold its stderr were killed with it, unless they have left
        // its group.
        let _ = tokio::time::timeout(self.grace, &mut logging.0).await;
        drop(place);
        closed
    }
}

/// A task that ends with whoever has it: what it holds of the socket and of the process
/// is not to outlive them.
struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    fn spawn(task: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    /// Ends it, and waits until it has let go of what it holds.
    async fn cancel(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why no more of the output is sent.
enum Failed {
    /// A line has no end.
    Line,
    /// The socket takes nothing more, or the pipe is broken.
    Other,
}

/// Sends what the process writes. The process waits where the socket does.
async fn send_output(stdout: ChildStdout, sender: Sender, is_binary: bool) -> Result<(), Failed> {
    if is_binary {
        let mut stdout = stdout;
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = stdout.read(&mut chunk).await.map_err(|_| Failed::Other)?;
            let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
                return Ok(());
            };
            let message = Message::binary(read.to_vec());
            sender.send(message).await.map_err(|_| Failed::Other)?;
        }
    }
    let mut lines = Lines::new(stdout, MOST_LINE);
    while let Some(line) = lines.next().await.map_err(|_| Failed::Other)? {
        if line.is_cut {
            return Err(Failed::Line);
        }
        // What is no text is sent as what it is.
        let message = match String::from_utf8(line.bytes) {
            Ok(text) => Message::text(text),
            Err(error) => Message::binary(error.into_bytes()),
        };
        sender.send(message).await.map_err(|_| Failed::Other)?;
    }
    Ok(())
}

/// Pings a client whose answers cannot be read, as what it sent before them waits: where
/// it is gone, that it is not there is the answer.
struct Pinging(Option<(Sender, Duration)>);

impl Pinging {
    async fn forever(&self) {
        if let Some((sender, interval)) = &self.0 {
            loop {
                tokio::time::sleep(*interval).await;
                if sender.ping("").await.is_err() {
                    break;
                }
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Writes what arrives to the process. The socket is not read while it does not read.
async fn write_input(
    mut receiver: Receiver,
    mut stdin: ChildStdin,
    is_binary: bool,
    pinging: Pinging,
) {
    while let Some(Ok(message)) = receiver.next().await {
        let writing = async {
            stdin.write_all(message.as_bytes()).await?;
            if !is_binary {
                stdin.write_all(b"\n").await?;
            }
            Ok::<_, std::io::Error>(())
        };
        let written = tokio::select! {
            written = writing => written,
            () = pinging.forever() => return,
        };
        if written.is_err() {
            // It reads no more, and may still write.
            while let Some(Ok(_)) = receiver.next().await {}
        }
    }
}

/// Logs what the process complains of, line by line.
async fn log(stderr: tokio::process::ChildStderr, pid: u32) {
    let mut lines = Lines::new(stderr, MOST_LOGGED);
    while let Ok(Some(line)) = lines.next().await {
        let text = crate::output::harmless(&String::from_utf8_lossy(&line.bytes));
        tracing::info!(pid, "{text}");
    }
}

/// The lines of what a process writes.
struct Lines<R> {
    reader: BufReader<R>,
    most: usize,
}

struct Line {
    bytes: Vec<u8>,
    /// Whether it has more bytes than are taken.
    is_cut: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R, most: usize) -> Self {
        Self {
            reader: BufReader::new(reader),
            most,
        }
    }

    async fn next(&mut self) -> std::io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let most = self.most as u64 + 1;
        let count = (&mut self.reader)
            .take(most)
            .read_until(b'\n', &mut bytes)
            .await?;
        if count == 0 {
            return Ok(None);
        }
        let is_cut = bytes.len() > self.most && bytes.last() != Some(&b'\n');
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Ok(Some(Line { bytes, is_cut }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_as_they_do_anywhere_and_have_a_longest() {
        let mut lines = Lines::new(&b"one\r\n\ntwelve\nabcdefg"[..], 6);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push((String::from_utf8(line.bytes).unwrap(), line.is_cut));
        }
        let expected = [
            ("one", false),
            ("", false),
            ("twelve", false),
            ("abcdefg", true),
        ];
        assert_eq!(
            all,
            expected.map(|(text, is_cut)| (text.to_owned(), is_cut))
        );
    }
}
