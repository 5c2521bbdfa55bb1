//! A session: what is said is sent, what is heard is printed, until the
//! connection ends or has brought what was waited for.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, io};

use longwire::bytes::Bytes;
use longwire::{ClientBuilder, Closed, Error, Message, MessageKind};
use tokio::sync::mpsc;

use super::clock::short;
use super::command::{self, Command};
use super::events::Event;
use super::filter::Pattern;
use super::input::{Input, Inputs};
use super::link::{self, End, Heard, Listener, Loss, Opened, Speaker};
use super::look::Direction;
use super::printer::Printer;
use super::watch::{Control, Watch};
use crate::output::harmless;
use crate::wire::Opcode;

/// Bytes of a file that is sent as a text: it has to be checked as a whole.
const MOST_FILE: u64 = 1 << 30;

/// What a session is to do.
pub(super) struct Session {
    pub(super) client: ClientBuilder,
    pub(super) url: String,
    pub(super) printer: Printer,
    pub(super) watch: Arc<Watch>,
    pub(super) reconnect: bool,
    pub(super) count: Option<u64>,
    pub(super) exit_on: Option<Pattern>,
    /// Whether lines are sent as binary messages.
    pub(super) binary: bool,
    /// Whether all of stdin is one message.
    pub(super) whole: bool,
    pub(super) interactive: bool,
    /// How long to stay after the end of stdin; `None` is without an end.
    pub(super) wait: Option<Duration>,
}

/// How a session ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// By a closing handshake, or one that was asked for.
    Closed(Closed),
    /// `--count` or `--exit-on` is met.
    Met,
    /// The connection broke.
    Broken(Closed),
    /// It could not be opened, or failed.
    Failed(Error),
    /// Ctrl-C a second time.
    Interrupted,
    /// stdout is closed, or a file cannot be written.
    Output(io::Error),
}

/// What goes on beside the connection itself.
#[derive(Debug, Default)]
struct Flags {
    closing: AtomicBool,
    reopening: AtomicBool,
    met: AtomicBool,
}

impl Session {
    /// Runs until it ends.
    pub(super) async fn run(
        &self,
        mut inputs: Inputs,
        mut controls: mpsc::Receiver<Control>,
    ) -> Outcome {
        let mut heard = 0;
        let mut whole = self.whole;
        loop {
            let opening = self.open();
            let opened = tokio::select! {
                opened = opening => opened,
                Some(()) = inputs.interrupts.recv() => return Outcome::Interrupted,
            };
            let (speaker, mut listener) = match opened {
                Ok(Ok(opened)) => opened,
                Ok(Err(error)) => return Outcome::Failed(error),
                Err(error) => return Outcome::Output(error),
            };
            let flags = Flags::default();
            let Inputs { lines, interrupts } = &mut inputs;
            let outcome = tokio::select! {
                outcome = self.listen(&mut listener, &speaker, &mut controls, &flags, &mut heard) => outcome,
                outcome = self.speak(&speaker, lines, &flags, &mut whole) => outcome,
                () = self.stop(&speaker, interrupts, &flags) => Outcome::Interrupted,
            };
            if flags.reopening.load(Ordering::Relaxed)
                && matches!(outcome, Outcome::Closed(_) | Outcome::Broken(_))
            {
                continue;
            }
            return outcome;
        }
    }

    async fn open(&self) -> io::Result<Result<(Speaker, Listener), Error>> {
        if self.reconnect {
            return Ok(Ok(link::keep(&self.client, &self.url)));
        }
        match link::open(&self.client, &self.url).await {
            Ok((speaker, listener, opened)) => {
                self.tell_open(&opened).await?;
                Ok(Ok((speaker, listener)))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn tell_open(&self, opened: &Opened) -> io::Result<()> {
        let event = Event::Open {
            url: opened.url.clone(),
            http: opened.http.clone(),
            subprotocol: opened.subprotocol.as_deref(),
            compression: opened.compression.clone(),
        };
        self.printer.event(event).await?;
        // What the extension's parameters are is told by --verbose.
        let extension = opened.compression.as_deref();
        let extension = extension.map(|value| value.split(';').next().unwrap_or(value));
        let agreed: Vec<&str> = opened
            .subprotocol
            .as_deref()
            .into_iter()
            .chain(extension)
            .collect();
        let agreed = match agreed.join(" and ") {
            agreed if agreed.is_empty() => agreed,
            agreed => format!(" with {agreed}"),
        };
        let text = format!(
            "connected to {} over {}{agreed}; /help has commands, Ctrl-D closes",
            opened.url, opened.http
        );
        self.printer.note(&text).await;
        Ok(())
    }

    /// Prints what is heard, to the end of the connection.
    async fn listen(
        &self,
        listener: &mut Listener,
        speaker: &Speaker,
        controls: &mut mpsc::Receiver<Control>,
        flags: &Flags,
        heard: &mut u64,
    ) -> Outcome {
        loop {
            let result = tokio::select! {
                Some(control) = controls.recv() => self.control(control).await,
                next = listener.next() => match next {
                    Heard::Message(message) if flags.met.load(Ordering::Relaxed) => {
                        drop(message);
                        Ok(())
                    }
                    Heard::Message(message) => self.hear(&message, speaker, flags, heard).await,
                    Heard::Lost(loss, wait) => self.lost(loss, wait).await,
                    Heard::Open => self.back().await,
                    Heard::Ended(end) => {
                        // What passed before it.
                        while let Ok(control) = controls.try_recv() {
                            if let Err(error) = self.control(control).await {
                                return Outcome::Output(error);
                            }
                        }
                        return self.ended(end, flags).await;
                    }
                },
            };
            if let Err(error) = result {
                return Outcome::Output(error);
            }
        }
    }

    async fn hear(
        &self,
        message: &Message,
        speaker: &Speaker,
        flags: &Flags,
        heard: &mut u64,
    ) -> io::Result<()> {
        self.watch
            .traffic()
            .message(Direction::Received, message.len());
        let passed = self.printer.message(message).await?;
        *heard += u64::from(passed);
        let is_last = self.count.is_some_and(|count| *heard >= count);
        let is_it = message.as_text().is_some_and(|text| {
            self.exit_on
                .as_ref()
                .is_some_and(|pattern| pattern.is_in(text))
        });
        if is_last || is_it {
            flags.met.store(true, Ordering::Relaxed);
            close(speaker);
        }
        Ok(())
    }

    async fn control(&self, control: Control) -> io::Result<()> {
        let Control {
            time,
            direction,
            opcode,
            payload,
            latency,
        } = control;
        if let Some(latency) = latency
            && direction == Direction::Received
        {
            let text = if payload.is_empty() {
                String::new()
            } else {
                format!(" {:?}", String::from_utf8_lossy(&payload))
            };
            self.printer
                .note(&format!("pong{text} after {}", short(latency)))
                .await;
        }
        let event = if opcode == Opcode::PING {
            Event::ping(direction, &payload)
        } else {
            Event::pong(direction, &payload, latency)
        };
        self.printer.event_at(event, time).await
    }

    async fn lost(&self, loss: Option<Loss>, wait: Duration) -> io::Result<()> {
        let why = match &loss {
            Some(Loss::Closed(closed)) => {
                self.printer.event(Event::close(closed)).await?;
                format!("the connection ended: {closed}")
            }
            Some(Loss::Failed(error)) => error.clone(),
            None => "the connection was lost".to_owned(),
        };
        let again = format!("{}; trying again in {}", harmless(&why), short(wait));
        self.printer.complain(&again).await;
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.printer.event(Event::Retry { wait_ms }).await
    }

    async fn back(&self) -> io::Result<()> {
        let opened = self.watch.opened(&self.url);
        self.tell_open(&opened).await
    }

    async fn ended(&self, end: End, flags: &Flags) -> Outcome {
        let closed = match end {
            End::Closed(closed) => closed,
            End::Failed(error) => return Outcome::Failed(error),
            End::Closing => self.watch.closed_here(),
        };
        if let Err(error) = self.printer.event(Event::close(&closed)).await {
            return Outcome::Output(error);
        }
        if flags.met.load(Ordering::Relaxed) {
            Outcome::Met
        } else if closed.clean {
            Outcome::Closed(closed)
        } else {
            Outcome::Broken(closed)
        }
    }

    /// Sends what is said. Once nothing is said any more, it closes, and is
    /// never done: the end is heard.
    async fn speak(
        &self,
        speaker: &Speaker,
        lines: &mut mpsc::Receiver<Input>,
        flags: &Flags,
        whole: &mut bool,
    ) -> Outcome {
        if std::mem::take(whole) {
            match speaker
                .send_reader(MessageKind::Binary, tokio::io::stdin())
                .await
            {
                Ok(_) | Err(Error::Closed(_) | Error::Closing) => {}
                Err(error) => return Outcome::Failed(error),
            }
            self.stay_then_close(speaker, flags).await;
        }
        loop {
            let said = match lines.recv().await {
                Some(Input::Line(line)) if self.interactive => {
                    self.obey(line, speaker, flags).await
                }
                Some(Input::Line(line)) => {
                    let message = self.message_of(line);
                    self.send(message, speaker).await
                }
                Some(Input::End) if self.interactive => {
                    self.close(speaker, flags, 1000, "").await;
                    Ok(())
                }
                Some(Input::End) => {
                    self.stay_then_close(speaker, flags).await;
                    Ok(())
                }
                None => std::future::pending().await,
            };
            if let Err(error) = said {
                return Outcome::Output(error);
            }
        }
    }

    fn message_of(&self, line: Vec<u8>) -> Message {
        if self.binary {
            Message::binary(line)
        } else {
            Message::text(String::from_utf8_lossy(&line).into_owned())
        }
    }

    async fn send(&self, message: Message, speaker: &Speaker) -> io::Result<()> {
        match speaker.send(message.clone()).await {
            Ok(()) => {
                self.watch.traffic().message(Direction::Sent, message.len());
                self.printer.sent(&message).await
            }
            // The end of the connection is told by who hears it.
            Err(Error::Closed(_) | Error::Closing) => Ok(()),
            Err(error) => {
                self.printer.complain(&error.to_string()).await;
                Ok(())
            }
        }
    }

    /// Does what a line of the prompt says.
    async fn obey(&self, line: Vec<u8>, speaker: &Speaker, flags: &Flags) -> io::Result<()> {
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
            Command::Close(code, reason) => self.close(speaker, flags, code, &reason).await,
            Command::Binary(path) => self.send_file(&path, MessageKind::Binary, speaker).await?,
            Command::Send(path) => self.send_file(&path, MessageKind::Text, speaker).await?,
            Command::Reconnect => {
                flags.reopening.store(true, Ordering::Relaxed);
                self.close(speaker, flags, 1000, "").await;
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
        match read_file(path, kind) {
            Ok(message) => {
                let len = message.len();
                self.send(message, speaker).await?;
                self.printer
                    .note(&format!("sent {} of {len} bytes", path.display()))
                    .await;
            }
            Err(error) => {
                let text = format!("could not send {}: {error}", path.display());
                self.printer.complain(&text).await;
            }
        }
        Ok(())
    }

    /// Starts to close; a code that cannot be sent is told.
    async fn close(&self, speaker: &Speaker, flags: &Flags, code: u16, reason: &str) {
        match speaker.close(code, reason) {
            Ok(()) => flags.closing.store(true, Ordering::Relaxed),
            Err(error) => {
                flags.reopening.store(false, Ordering::Relaxed);
                self.printer.complain(&error.to_string()).await;
            }
        }
    }

    async fn stay_then_close(&self, speaker: &Speaker, flags: &Flags) {
        match self.wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
        self.close(speaker, flags, 1000, "").await;
    }

    /// Closes at the first Ctrl-C, and is done at the second.
    async fn stop(&self, speaker: &Speaker, interrupts: &mut mpsc::Receiver<()>, flags: &Flags) {
        while interrupts.recv().await.is_some() {
            if flags.closing.load(Ordering::Relaxed) {
                return;
            }
            self.close(speaker, flags, 1000, "").await;
            self.printer
                .note("closing; Ctrl-C again does not wait for the server")
                .await;
        }
        std::future::pending().await
    }
}

/// 1000 without a reason can always be sent.
fn close(speaker: &Speaker) {
    let _ = speaker.close(1000, "");
}

fn read_file(path: &Path, kind: MessageKind) -> io::Result<Message> {
    let len = fs::metadata(path)?.len();
    if len > MOST_FILE {
        let text = format!("expected a file of at most {MOST_FILE} bytes, got {len}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let bytes = fs::read(path)?;
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
