//! The client under test, as one case sees it: it is invited, and comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::accept::{accepting, agree, asks_for_a_websocket};
use super::command::Running;
use super::desk::{Arrival, Desk, Offer};
use super::log::{By, Log};
use super::outcome::Outcome;
use super::session::{Playing, Session};
use crate::wire::{DeflateParams, Head};

/// How a client gets to know of a case.
#[derive(Clone, Debug)]
pub(crate) enum Invitation {
    /// It asks.
    Asked,
    /// It is this command, started for each connection.
    Run(String),
}

/// What does not change from case to case.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) desk: Arc<Desk>,
    /// Where the tester listens, as `127.0.0.1:9001`.
    pub(crate) address: String,
    pub(crate) invitation: Invitation,
    /// How long the client has for what is expected of it.
    pub(crate) patience: Duration,
    /// After how long of nothing it is given up.
    pub(crate) idle: Duration,
}

/// What the client is told of a case.
#[derive(Clone, Copy)]
pub(crate) struct Brief<'c> {
    pub(crate) case: &'c str,
    /// What it should offer.
    pub(crate) subprotocols: &'c [&'c str],
    /// Whether it should offer permessage-deflate.
    pub(crate) compression: bool,
    pub(crate) sent: &'c str,
    pub(crate) expected: &'c str,
}

/// Why no connection came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It asked for another case instead.
    PassedOver(Option<String>),
    /// The command ended, and what it said last.
    Ended(String),
    /// The command could not be started.
    NotStarted(String),
    /// The client knows the case and does not come.
    Late(Duration),
    /// It does not ask for cases any more.
    Gone(Duration),
    /// The person at the terminal has seen enough.
    Interrupted,
}

impl From<Absent> for Outcome {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::PassedOver(None) => {
                Self::Skip("the client asked for another case without connecting".to_owned())
            }
            Absent::PassedOver(Some(fault)) => {
                Self::Fail(format!("expected a request for a WebSocket, got {fault}"))
            }
            Absent::Ended(how) => Self::Fail(format!("the command did not connect: {how}")),
            Absent::NotStarted(why) => Self::Fail(format!("the command did not start: {why}")),
            Absent::Late(time) => Self::Fail(format!("no connection came within {time:?}")),
            Absent::Gone(_) | Absent::Interrupted => {
                Self::Skip("the client asked for no more cases".to_owned())
            }
        }
    }
}

/// The client under test in one case.
pub(crate) struct Client {
    place: Place,
    id: String,
    /// What it is told, in JSON.
    told: String,
    /// The command that is run, with all filled in.
    command: Option<String>,
    arrivals: tokio::sync::Mutex<mpsc::Receiver<Arrival>>,
    /// The command that runs; the one before is killed when another is started.
    running: tokio::sync::Mutex<Option<Running>>,
    log: Mutex<Log>,
    absent: Mutex<Option<Absent>>,
}

impl Client {
    pub(crate) fn new(place: &Place, brief: Brief<'_>) -> Self {
        let url = format!("ws://{}/case/{}", place.address, brief.case);
        let told = serde_json::json!({
            "case": brief.case,
            "url": url,
            "subprotocols": brief.subprotocols,
            "compression": brief.compression,
            "sent": brief.sent,
            "expected": brief.expected,
        });
        let command = match &place.invitation {
            Invitation::Asked => None,
            Invitation::Run(line) => Some(
                line.replace("{url}", &url)
                    .replace("{case}", brief.case)
                    .replace("{subprotocols}", &brief.subprotocols.join(","))
                    .replace("{compression}", &brief.compression.to_string()),
            ),
        };
        Self {
            arrivals: tokio::sync::Mutex::new(place.desk.expect(brief.case)),
            place: place.clone(),
            id: brief.case.to_owned(),
            told: told.to_string(),
            command,
            running: tokio::sync::Mutex::new(None),
            log: Mutex::new(Log::new()),
            absent: Mutex::new(None),
        }
    }

    /// Where the tester listens, as the client's `Host` should have it.
    pub(crate) fn address(&self) -> &str {
        &self.place.address
    }

    pub(crate) fn patience(&self) -> Duration {
        self.place.patience
    }

    /// What went over the wire so far.
    pub(crate) fn take_log(&self) -> Log {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut log, Log::new())
    }

    /// Adds the log of a connection that is done.
    pub(crate) fn keep_log(&self, log: Log) {
        let mut whole = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        whole.append(log);
    }

    /// Why it did not come, where it did not.
    pub(crate) fn absent(&self) -> Option<Absent> {
        let absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        absent.clone()
    }

    /// Invites the client and waits for its connection.
    pub(crate) async fn comes(&self) -> Result<Arrival, Absent> {
        let came = match &self.command {
            None => self.is_asked().await,
            Some(line) => self.is_run(line).await,
        };
        if let Err(why) = &came {
            let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
            *absent = Some(why.clone());
        }
        came
    }

    async fn is_asked(&self) -> Result<Arrival, Absent> {
        let (desk, idle) = (&self.place.desk, self.place.idle);
        let mut arrivals = self.arrivals.lock().await;
        let (taken, was_taken) = oneshot::channel();
        let told = self.told.clone();
        desk.take_note();
        desk.offer(Offer { told, taken });
        tokio::select! {
            _ = was_taken => {}
            () = async { desk.is_heard().await; sleep(idle).await } => {
                return Err(Absent::Gone(idle));
            }
        }
        tokio::select! {
            biased;
            Some(arrival) = arrivals.recv() => Ok(arrival),
            // A connection may still be on its way.
            () = async { desk.is_asked().await; sleep(self.place.patience).await } => {
                Err(Absent::PassedOver(desk.take_note()))
            }
            () = sleep(idle) => Err(Absent::Late(idle)),
        }
    }

    async fn is_run(&self, line: &str) -> Result<Arrival, Absent> {
        let mut arrivals = self.arrivals.lock().await;
        let mut running = self.running.lock().await;
        *running = None;
        let command = match Running::start(line) {
            Ok(command) => running.insert(command),
            Err(error) => return Err(Absent::NotStarted(error.to_string())),
        };
        tokio::select! {
            biased;
            Some(arrival) = arrivals.recv() => Ok(arrival),
            ended = command.end() => {
                // What it had connected may still be on its way.
                if let Ok(Some(arrival)) = timeout(self.place.patience, arrivals.recv()).await {
                    return Ok(arrival);
                }
                let how = ended.map_or_else(|error| error.to_string(), |how| how.to_string());
                let said = command.last_line();
                let said = said.map_or_else(String::new, |said| format!(", it said {said:?}"));
                Err(Absent::Ended(format!("{how}{said}")))
            }
            () = sleep(self.place.idle) => Err(Absent::Late(self.place.idle)),
        }
    }

    /// A connection whose handshake was accepted in order; with compression as
    /// `offer` has it, where the client offers what that takes.
    pub(crate) async fn open(&self, offer: Option<&str>) -> Result<Session, Outcome> {
        let arrival = self.comes().await?;
        if let Err(why) = asks_for_a_websocket(&arrival.head) {
            self.refuse(arrival).await;
            return Err(Outcome::Fail(why));
        }
        let mut answer = accepting(&arrival.head);
        if let Some(agreed) = offer.and_then(|offer| agree(&arrival.head, offer)) {
            let field = ("Sec-WebSocket-Extensions".to_owned(), agreed);
            answer.fields.push(field);
        }
        Ok(self.accept(arrival, &answer).await)
    }

    /// Gives this answer to a request and takes it as accepted.
    pub(crate) async fn accept(&self, arrival: Arrival, answer: &Head) -> Session {
        self.answer(arrival, &answer.encode(), None, Some(answer))
            .await
    }

    /// Gives these bytes as the answer, in writes of `chop` bytes. `agreed` is the
    /// answer as far as compression is concerned.
    pub(crate) async fn answer(
        &self,
        arrival: Arrival,
        bytes: &[u8],
        chop: Option<usize>,
        agreed: Option<&Head>,
    ) -> Session {
        let Arrival {
            mut stream,
            head,
            unread,
            mut log,
        } = arrival;
        log.text(By::Tester, shown(bytes));
        for piece in bytes.chunks(chop.unwrap_or(bytes.len()).max(1)) {
            // A client that has seen enough may hang up before all is written.
            let _ = timeout(self.place.patience, stream.write_all(piece)).await;
            let _ = timeout(self.place.patience, stream.flush()).await;
            if chop.is_some() {
                // Gives the piece a chance to travel alone.
                sleep(Duration::from_micros(200)).await;
            }
        }
        let extensions = agreed.and_then(|head| head.get("Sec-WebSocket-Extensions"));
        Session::new(
            stream,
            Playing::Server,
            head,
            unread,
            extensions.and_then(DeflateParams::parse),
            self.place.patience,
            log,
        )
    }

    /// Answers with 400.
    async fn refuse(&self, arrival: Arrival) {
        let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let session = self.answer(arrival, answer, None, None).await;
        self.keep_log(session.log);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.place.desk.forget(&self.id);
    }
}

/// Bytes of an answer that are logged.
const SHOWN: usize = 2000;

/// The text of an answer, as far as it is text.
fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(SHOWN)];
    String::from_utf8_lossy(start).into_owned()
}
