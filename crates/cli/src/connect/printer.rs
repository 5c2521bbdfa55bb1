//! Where messages and what is to be said about them go: a terminal, a pipe,
//! files, JSON.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use longwire::Message;

use super::events::Event;
use super::files::Files;
use super::filter::Filter;
use super::look::{Direction, Look};
use super::screen::Screen;
use crate::output;

/// Where messages go.
#[derive(Debug)]
pub(super) enum Place {
    /// Above the line being typed.
    Screen(Screen),
    /// A terminal without a prompt.
    Terminal,
    /// A pipe or a file: as they came.
    Pipe,
}

/// Prints what is heard.
#[derive(Debug)]
pub(super) struct Printer {
    pub(super) place: Place,
    /// Where the prompt is, for notes; messages may go elsewhere.
    pub(super) prompt: Option<Screen>,
    pub(super) look: Look,
    pub(super) json: bool,
    /// Whether messages go to a pipe with nothing between them.
    pub(super) raw: bool,
    pub(super) filter: Option<Filter>,
    pub(super) files: Option<Mutex<Files>>,
}

impl Printer {
    /// Prints a message that came: whether a filter let it pass.
    pub(super) async fn message(&self, message: &Message) -> io::Result<bool> {
        let values = match (&self.filter, message) {
            (None, _) => None,
            (Some(_), Message::Binary(_)) => return Ok(false),
            (Some(filter), Message::Text(text)) => {
                let values = filter.apply(text);
                if values.is_empty() {
                    return Ok(false);
                }
                (!filter.compares()).then_some(values)
            }
        };
        let written_to = match message {
            Message::Binary(bytes) => self.write(bytes)?,
            Message::Text(_) => None,
        };
        if self.json {
            let values = values.unwrap_or_default();
            let event = Event::message(Direction::Received, message, &values);
            self.event(event).await?;
            return Ok(true);
        }
        let is_pipe = matches!(self.place, Place::Pipe);
        match (message, values) {
            (_, Some(values)) => {
                for value in values {
                    let shown = if is_pipe {
                        format!("{}\n", one_line(value))
                    } else {
                        self.look.text(value)
                    };
                    self.data(shown).await?;
                }
            }
            (Message::Binary(bytes), _) if written_to.is_some() && !is_pipe => {
                self.data(self.look.binary(bytes, written_to.as_deref()))
                    .await?;
            }
            _ if written_to.is_some() => {}
            _ if !is_pipe => self.data(self.look.message(message)).await?,
            _ if self.raw => self.bytes(message.as_bytes())?,
            (Message::Text(text), _) => self.data(format!("{text}\n")).await?,
            (Message::Binary(bytes), _) => self.data(output::hex(bytes) + "\n").await?,
        }
        Ok(true)
    }

    /// Tells of a message that was sent, where events are asked for.
    pub(super) async fn sent(&self, message: &Message) -> io::Result<()> {
        if self.json {
            self.event(Event::message(Direction::Sent, message, &[]))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn event(&self, event: Event<'_>) -> io::Result<()> {
        self.event_at(event, SystemTime::now()).await
    }

    /// Prints an event, where they are asked for.
    pub(super) async fn event_at(&self, event: Event<'_>, time: SystemTime) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let line = event.line(time);
        let is_pipe = matches!(self.place, Place::Pipe);
        // JSON escapes C0 controls alone.
        self.data(if is_pipe {
            line
        } else {
            output::harmless(&line)
        })
        .await
    }

    /// Something worth knowing to whoever sits at the prompt.
    pub(super) async fn note(&self, text: &str) {
        if let Some(screen) = &self.prompt {
            let lines: String = text.lines().map(|line| self.look.note(line)).collect();
            screen.print(lines).await;
        }
    }

    /// Something that went wrong and ends nothing.
    pub(super) async fn complain(&self, text: &str) {
        match &self.prompt {
            Some(screen) => screen.print(self.look.complaint(text)).await,
            None => output::error(text),
        }
    }

    async fn data(&self, lines: String) -> io::Result<()> {
        match &self.place {
            Place::Screen(screen) => screen.print(lines).await,
            Place::Terminal | Place::Pipe => self.bytes(lines.as_bytes())?,
        }
        Ok(())
    }

    #[allow(clippy::unused_self)]
    fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Writes a binary message to where `--output` says, and tells where.
    fn write(&self, bytes: &[u8]) -> io::Result<Option<String>> {
        let Some(files) = &self.files else {
            return Ok(None);
        };
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        let path = files
            .write(bytes)
            .map_err(|error| io::Error::new(error.kind(), format!("--output: {error}")))?;
        Ok(Some(path.display().to_string()))
    }
}

/// A JSON value in one line: line breaks stand between tokens alone.
fn one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}
