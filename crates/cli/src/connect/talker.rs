//! What is said: lines of a pipe, all of stdin, or what is typed at the prompt.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use longwire::bytes::Bytes;
use longwire::{Error, Message, MessageKind};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use super::command::{self, Command};
use super::events::Event;
use super::input::Input;
use super::link::Speaker;
use super::look::Direction;
use super::printer::Printer;
use super::watch::Watch;

/// Bytes of a file that is sent: it is read as a whole.
const MOST_FILE: u64 = 1 << 30;

/// Where what is said comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Lines with commands among them.
    Prompt,
    /// Each line is a message.
    Lines,
    /// All of stdin is one message.
    Whole,
}

/// What goes on beside the connection itself.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pub(super) closing: AtomicBool,
    pub(super) reopening: AtomicBool,
    pub(super) met: AtomicBool,
    /// Messages said since there was a connection last.
    pub(super) held: AtomicU64,
}

/// Says it on a connection.
pub(super) struct Talker<'a> {
    pub(super) printer: &'a Printer,
    pub(super) watch: &'a Watch,
    pub(super) flags: &'a Flags,
    pub(super) source: Source,
    /// Whether lines are sent as binary messages.
    pub(super) binary: bool,
    /// How long to stay after the end of stdin; `None` is without an end.
    pub(super) wait: Option<Duration>,
}

/// Why nothing more can be said.
#[derive(Debug)]
pub(super) enum Unsaid {
    Failed(Error),
    Output(io::Error),
}

impl Talker<'_> {
    /// Sends what is said. Once nothing is said any more, it closes, and is
    /// never done: the end is heard.
    pub(super) async fn speak(
        &self,
        speaker: &Speaker,
        lines: &mut mpsc::Receiver<Input>,
        whole: &mut bool,
    ) -> Unsaid {
        if std::mem::take(whole) {
            let mut bytes = 0;
            let stdin = Counted(tokio::io::stdin(), &mut bytes);
            match speaker.send_reader(MessageKind::Binary, stdin).await {
                Ok(_) => {
                    let len = usize::try_from(bytes).unwrap_or(usize::MAX);
                    self.watch.traffic().message(Direction::Sent, len);
                    if let Err(error) = self.printer.event(Event::Stream { bytes }).await {
                        return Unsaid::Output(error);
                    }
                }
                Err(Error::Closed(_) | Error::Closing) => {}
                Err(error) => return Unsaid::Failed(error),
            }
            self.stay_then_close(speaker).await;
        }
        let mut number = 0;
        loop {
            let said = match lines.recv().await {
                Some(Input::Line(line)) if self.source == Source::Prompt => {
                    self.obey(line, speaker).await
                }
                Some(Input::Line(line)) => {
                    number += 1;
                    self.say(line, number, speaker).await
                }
                Some(Input::End) if self.source == Source::Prompt => {
                    self.close(speaker, 1000, "").await;
                    Ok(())
                }
                Some(Input::End) => {
                    self.stay_then_close(speaker).await;
                    Ok(())
                }
                None => std::future::pending().await,
            };
            if let Err(error) = said {
                return Unsaid::Output(error);
            }
        }
    }

    /// Sends a line of a pipe.
    async fn say(&self, line: Vec<u8>, number: u64, speaker: &Speaker) -> io::Result<()> {
        if !self.binary
            && let Err(error) = std::str::from_utf8(&line)
        {
            let at = error.valid_up_to();
            let text = format!(
                "line {number} is not sent: expected UTF-8, got something else at byte {at} \
                 (--binary sends all of stdin as it is)"
            );
            self.printer.complain(&text).await;
            return Ok(());
        }
        self.send(self.message_of(line), speaker).await.map(drop)
    }

    fn message_of(&self, line: Vec<u8>) -> Message {
        if self.binary {
            Message::binary(line)
        } else {
            Message::text(String::from_utf8_lossy(&line).into_owned())
        }
    }

    /// Sends a message: whether it was.
    async fn send(&self, message: Message, speaker: &Speaker) -> io::Result<bool> {
        let is_held = !speaker.is_open();
        match speaker.send(message.clone()).await {
            Ok(()) => {
                let len = message.len();
                self.flags.held.fetch_add(is_held.into(), Ordering::Relaxed);
                self.watch.traffic().message(Direction::Sent, len);
                self.printer.sent(&message).await?;
                return Ok(true);
            }
            // The end of the connection is told by who hears it.
            Err(Error::Closed(_) | Error::Closing) => {}
            Err(error) => self.printer.complain(&error.to_string()).await,
        }
        Ok(false)
    }

    /// Does what a line of the prompt says.
    async fn obey(&self, line: Vec<u8>, speaker: &Speaker) -> io::Result<()> {
        let command = match command::parse(&String::from_utf8_lossy(&line)) {
            Ok(command) => command,
            Err(error) => {
                self.printer.complain(&error.to_string()).await;
                return Ok(());
            }
        };
        match command {
            Command::Say(text) => {
                let message = self.message_of(text.into_bytes());
                self.send(message, speaker).await?;
            }
            Command::Ping(payload) => {
                if let Err(error) = speaker.ping(payload).await {
                    self.printer.complain(&error.to_string()).await;
                }
            }
            Command::Close(code, reason) => self.close(speaker, code, &reason).await,
            Command::Binary(path) => self.send_file(&path, MessageKind::Binary, speaker).await?,
            Command::Send(path) => self.send_file(&path, MessageKind::Text, speaker).await?,
            Command::Reconnect => {
                self.flags.reopening.store(true, Ordering::Relaxed);
                self.close(speaker, 1000, "").await;
            }
            Command::Stats => {
                let report = self.watch.traffic().report();
                self.printer.note(&report).await;
            }
            Command::Help => self.printer.note(&command::help()).await,
            Command::Nothing => {}
        }
        Ok(())
    }

    async fn send_file(&self, path: &Path, kind: MessageKind, speaker: &Speaker) -> io::Result<()> {
        match read_file(path.to_owned(), kind).await {
            Ok(message) => {
                let len = message.len();
                if self.send(message, speaker).await? {
                    let text = format!("sent {} of {len} bytes", path.display());
                    self.printer.note(&text).await;
                }
            }
            Err(error) => {
                let text = format!("could not send {}: {error}", path.display());
                self.printer.complain(&text).await;
            }
        }
        Ok(())
    }

    /// Starts to close; a code that cannot be sent is told.
    async fn close(&self, speaker: &Speaker, code: u16, reason: &str) {
        let is_held = !speaker.is_open();
        match speaker.close(code, reason) {
            Ok(()) => {
                self.flags.closing.store(true, Ordering::Relaxed);
                let held = self.flags.held.swap(0, Ordering::Relaxed);
                if is_held && held > 0 {
                    let text = format!("not sent, as there is no connection: {held} messages");
                    self.printer.complain(&text).await;
                }
            }
            Err(error) => {
                self.flags.reopening.store(false, Ordering::Relaxed);
                self.printer.complain(&error.to_string()).await;
            }
        }
    }

    async fn stay_then_close(&self, speaker: &Speaker) {
        // What was said is sent behind the opening, and waited for from then on.
        speaker.opened().await;
        match self.wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
        self.close(speaker, 1000, "").await;
    }

    /// Closes at the first Ctrl-C, and is done at the second.
    pub(super) async fn stop(&self, speaker: &Speaker, interrupts: &mut mpsc::Receiver<()>) {
        while interrupts.recv().await.is_some() {
            if self.flags.closing.load(Ordering::Relaxed) {
                return;
            }
            self.close(speaker, 1000, "").await;
            self.printer
                .note("closing; Ctrl-C again does not wait for the server")
                .await;
        }
        std::future::pending::<()>().await;
    }
}

/// Reads a file by another thread: one that is slow holds nothing up.
async fn read_file(path: PathBuf, kind: MessageKind) -> io::Result<Message> {
    let bytes = tokio::task::spawn_blocking(move || bytes_of(&path));
    let bytes = bytes.await.map_err(io::Error::other)??;
    match kind {
        MessageKind::Binary => Ok(Message::binary(Bytes::from(bytes))),
        MessageKind::Text => String::from_utf8(bytes)
            .map(Message::from)
            .map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                let text = format!("expected UTF-8, got something else at byte {at} (try /binary)");
                io::Error::new(io::ErrorKind::InvalidData, text)
            }),
    }
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    // Others have no end, or none that is near.
    if !fs::metadata(path)?.is_file() {
        let text = "expected a regular file, got a folder, a pipe or a device";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut bytes = Vec::new();
    // A file may have more than it says, as those of /proc do.
    let file = File::open(path)?;
    file.take(MOST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_FILE {
        let text = format!("expected a file of at most {MOST_FILE} bytes, got more");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// A source whose bytes are counted.
struct Counted<'a, R>(R, &'a mut u64);

impl<R: AsyncRead + Unpin> AsyncRead for Counted<'_, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.0).poll_read(cx, buffer);
        *self.1 += (buffer.filled().len() - before) as u64;
        read
    }
}
