//! A session: what is said is sent, what is heard is printed, until the
//! connection ends or has brought what was waited for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use longwire::{ClientBuilder, Closed, Error, Message};
use tokio::sync::mpsc;

use super::clock::short;
use super::events::Event;
use super::filter::Pattern;
use super::input::Inputs;
use super::link::{self, End, Heard, Listener, Loss, Opened, Speaker};
use super::look::Direction;
use super::printer::Printer;
use super::talker::{Flags, Source, Talker, Unsaid};
use super::watch::{Control, Watch};
use crate::output::harmless;
use crate::wire::Opcode;

/// What a session is to do.
pub(super) struct Session {
    pub(super) client: ClientBuilder,
    pub(super) url: String,
    pub(super) printer: Printer,
    pub(super) watch: Arc<Watch>,
    pub(super) reconnect: bool,
    pub(super) count: Option<u64>,
    pub(super) exit_on: Option<Pattern>,
    pub(super) source: Source,
    /// Whether lines are sent as binary messages.
    pub(super) binary: bool,
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

impl Session {
    /// Runs until it ends.
    pub(super) async fn run(
        &self,
        mut inputs: Inputs,
        mut controls: mpsc::Receiver<Control>,
    ) -> Outcome {
        let mut heard = 0;
        let mut whole = self.source == Source::Whole;
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
            let talker = Talker {
                printer: &self.printer,
                watch: &self.watch,
                flags: &flags,
                source: self.source,
                binary: self.binary,
                wait: self.wait,
            };
            let Inputs { lines, interrupts } = &mut inputs;
            let outcome = tokio::select! {
                outcome = self.listen(&mut listener, &speaker, &mut controls, &flags, &mut heard) => outcome,
                unsaid = talker.speak(&speaker, lines, &mut whole) => match unsaid {
                    Unsaid::Failed(error) => Outcome::Failed(error),
                    Unsaid::Output(error) => Outcome::Output(error),
                },
                () = talker.stop(&speaker, interrupts) => Outcome::Interrupted,
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
                    Heard::Open => {
                        flags.held.store(0, Ordering::Relaxed);
                        self.back().await
                    }
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
}

/// 1000 without a reason can always be sent.
fn close(speaker: &Speaker) {
    let _ = speaker.close(1000, "");
}
