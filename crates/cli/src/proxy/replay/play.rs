//! Plays a script to a server, and takes what it answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longwire::{ClientBuilder, ClosedBy, Error, Event, Message, Receiver, Sender};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use url::{Position, Url};

use super::script::{Action, Answer, Recorded, Script};
use crate::args::proxy::Speed;

/// Bytes of answers that are held at most.
const MOST_ANSWERS: usize = 512 << 20;

/// What no recording lasts.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// The ping that a connection begins with at full speed.
const ARRIVAL: &[u8] = b"replay";

/// Where and how a script is played.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: String,
    pub(super) client: ClientBuilder,
    /// Whether the client has subprotocols to offer instead of the recorded.
    pub(super) offers_own: bool,
    pub(super) speed: Speed,
    /// How long to wait for an answer.
    pub(super) within: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Played {
    /// The answers of each connection.
    pub(super) answers: BTreeMap<u64, Vec<Answer>>,
    pub(super) took: Duration,
}

/// Why a script could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    /// This connection could not be opened, though it was when recorded.
    #[error("connection {0}: {1}")]
    Connect(u64, Error),
    #[error(
        "the server answered with more than {} MiB: play a part with --connection",
        MOST_ANSWERS >> 20
    )]
    TooMuch,
}

/// Plays the script from its first step to its last.
pub(super) async fn play(script: &Script, settings: &Settings) -> Result<Played, PlayError> {
    let began = Instant::now();
    let held = Arc::new(AtomicUsize::new(0));
    let mut open: BTreeMap<u64, Playing> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for step in &script.steps {
        if let Speed::Times(times) = settings.speed {
            // The times are the file's: whatever they are, no clock overflows.
            let since = Duration::try_from_secs_f64(step.at / times).unwrap_or(LONGEST);
            sleep_until(began + since.min(LONGEST)).await;
        }
        if let Action::Open = step.action {
            let Some(recorded) = script.connections.get(&step.conn) else {
                continue;
            };
            match connect(settings, recorded).await {
                Ok((sender, receiver)) => {
                    let closes = matches!(recorded.answers.last(), Some(Answer::Close(_)));
                    let playing = Playing::new(sender, receiver, closes, Arc::clone(&held));
                    if settings.speed == Speed::Max {
                        playing.arrive(settings.within).await;
                    }
                    open.insert(step.conn, playing);
                }
                Err(Error::Refused(refusal)) if is_refused(recorded) => {
                    let status = refusal.status.as_u16();
                    answers.insert(step.conn, vec![Answer::Refused(status)]);
                }
                Err(error) => return Err(PlayError::Connect(step.conn, error)),
            }
        }
        if held.load(Ordering::Relaxed) > MOST_ANSWERS {
            return Err(PlayError::TooMuch);
        }
        if let Action::End = step.action {
            if let Some(playing) = open.remove(&step.conn) {
                answers.insert(step.conn, playing.end(settings.within).await);
            }
        } else if let Some(playing) = open.get_mut(&step.conn) {
            playing.step(&step.action, settings).await;
        }
    }
    // A recording that was broken off has connections without an end.
    for (conn, playing) in open {
        answers.insert(conn, playing.end(settings.within).await);
    }
    if held.load(Ordering::Relaxed) > MOST_ANSWERS {
        return Err(PlayError::TooMuch);
    }
    Ok(Played {
        answers,
        took: began.elapsed(),
    })
}

fn is_refused(recorded: &Recorded) -> bool {
    matches!(recorded.answers.first(), Some(Answer::Refused(_)))
}

async fn connect(settings: &Settings, recorded: &Recorded) -> longwire::Result<(Sender, Receiver)> {
    let mut client = settings.client.clone();
    if !settings.offers_own {
        for name in &recorded.subprotocols {
            client = client.subprotocol(name);
        }
    }
    let url = full_url(&settings.url, &recorded.target);
    Ok(client.connect(url).await?.split())
}

/// The URL, with the recorded path and query where it has none.
fn full_url(url: &str, target: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) if parsed.path() == "/" && parsed.query().is_none() => {
            format!("{}{target}", &parsed[..Position::AfterPort])
        }
        _ => url.to_owned(),
    }
}

/// A connection that is being played.
struct Playing {
    sender: Sender,
    answers: Arc<Mutex<Vec<Answer>>>,
    /// How many have come.
    count: watch::Receiver<usize>,
    /// Whether the server has answered a ping.
    ponged: watch::Receiver<bool>,
    reading: JoinHandle<()>,
    /// How many of the recorded answers are to be waited for.
    due: usize,
    /// How many of them are not waited for any more.
    missed: usize,
    /// Whether the server takes nothing more.
    is_stuck: bool,
}

impl Playing {
    fn new(sender: Sender, receiver: Receiver, closes: bool, held: Arc<AtomicUsize>) -> Self {
        let answers = Arc::default();
        let (counting, count) = watch::channel(0);
        let (ponging, ponged) = watch::channel(false);
        let reading = Reading {
            answers: Arc::clone(&answers),
            counting,
            ponging,
            held,
            closes,
        };
        Self {
            sender,
            answers,
            count,
            ponged,
            reading: tokio::spawn(reading.run(receiver)),
            due: 0,
            missed: 0,
            is_stuck: false,
        }
    }

    /// Waits until the server is there for this connection: it may answer the
    /// handshake before that, and what others say meanwhile would not be heard.
    async fn arrive(&self, within: Duration) {
        let mut ponged = self.ponged.clone();
        if self.sender.ping(ARRIVAL).await.is_ok() {
            let _ = timeout(within, ponged.wait_for(|ponged| *ponged)).await;
        }
    }

    async fn step(&mut self, action: &Action, settings: &Settings) {
        // A connection that has ended takes nothing more: the answers that are
        // missing tell it.
        match action {
            Action::Send(_) | Action::Ping(_) if self.is_stuck => {}
            Action::Send(message) => {
                let sending = self.sender.send(message.clone());
                self.is_stuck = timeout(settings.within, sending).await.is_err();
            }
            Action::Ping(payload) => {
                let sending = self.sender.ping(payload.clone());
                self.is_stuck = timeout(settings.within, sending).await.is_err();
            }
            Action::Answered(count) => {
                self.due = *count;
                if settings.speed == Speed::Max {
                    self.wait(settings.within).await;
                }
            }
            Action::Close(close) => {
                self.wait(settings.within).await;
                self.close(close.as_ref());
            }
            Action::Open | Action::End => {}
        }
    }

    /// Waits for the answers that were recorded up to here. What has not come in
    /// time is not waited for again.
    async fn wait(&mut self, within: Duration) {
        let due = self.due.saturating_sub(self.missed);
        let waiting = self.count.wait_for(|count| *count >= due);
        let is_all = matches!(timeout(within, waiting).await, Ok(Ok(_)));
        if !is_all {
            self.missed = self.due.saturating_sub(*self.count.borrow());
        }
    }

    fn close(&self, close: Option<&(u16, String)>) {
        let Some((code, reason)) = close else {
            self.sender.close_with(None);
            return;
        };
        let closed = self.sender.close(*code, reason.as_str());
        if closed.is_err() {
            // A code that no Close frame can carry.
            let _ = self.sender.close(1000, "");
        }
    }

    /// Waits for what is missing, closes the connection and gives the answers.
    async fn end(mut self, within: Duration) -> Vec<Answer> {
        self.wait(within).await;
        let _ = self.sender.close(1000, "");
        let ended = async {
            self.sender.ended().await;
            let _ = (&mut self.reading).await;
        };
        let is_over = timeout(within, ended).await.is_ok();
        self.reading.abort();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = std::mem::take(&mut *answers);
        if !is_over {
            answers.push(Answer::Lost);
        }
        answers
    }
}

/// Takes the answers of one connection.
struct Reading {
    answers: Arc<Mutex<Vec<Answer>>>,
    counting: watch::Sender<usize>,
    ponging: watch::Sender<bool>,
    held: Arc<AtomicUsize>,
    /// Whether the server's Close frame is one of the recorded answers.
    closes: bool,
}

impl Reading {
    async fn run(self, mut receiver: Receiver) {
        while let Some(Ok(event)) = receiver.next_event().await {
            let message = match event {
                Event::Message(message) => message,
                Event::Pong(payload) if payload == ARRIVAL => {
                    self.ponging.send_replace(true);
                    continue;
                }
                _ => continue,
            };
            let before = self.held.fetch_add(message.len(), Ordering::Relaxed);
            if before + message.len() > MOST_ANSWERS {
                break;
            }
            self.push(match message {
                Message::Text(text) => Answer::Text(text.to_string()),
                Message::Binary(bytes) => Answer::Binary(bytes.to_vec()),
            });
        }
        let Some(closed) = receiver.closed() else {
            return;
        };
        // The server's answer to a Close frame of ours, where none was recorded,
        // is no difference.
        let is_ours = closed.by == ClosedBy::Local;
        if closed.clean && (self.closes || !is_ours) {
            let code = u16::from(closed.code);
            self.push(Answer::Close((code != 1005).then_some(code)));
        } else if !closed.clean {
            self.push(Answer::Lost);
        }
    }

    fn push(&self, answer: Answer) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push(answer);
        self.counting.send_replace(answers.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_gets_the_recorded_one() {
        for (url, expected) in [
            ("ws://h:1", "ws://h:1/chat?room=1"),
            ("ws://h:1/", "ws://h:1/chat?room=1"),
            ("ws://h:1/other", "ws://h:1/other"),
            ("ws://h:1/?x", "ws://h:1/?x"),
        ] {
            assert_eq!(full_url(url, "/chat?room=1"), expected);
        }
    }
}
