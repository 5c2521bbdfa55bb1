//! The task that keeps a connection.

use std::sync::Arc;

use longwire_proto::{CloseCode, CloseFrame, ClosedBy};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::budget::Left;
use super::builder::{Attempt, Lost, ReconnectingBuilder};
use super::outbox::Outbox;
use super::{Command, ConnectionState};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::socket::{Receiver, Sender, Socket};

pub(super) struct Task {
    settings: ReconnectingBuilder,
    outbox: Arc<Outbox>,
    state: watch::Sender<ConnectionState>,
    command: watch::Receiver<Command>,
    inbox: mpsc::Sender<Result<Message>>,
    rng: StdRng,
    left: Left,
    /// Tries since the last connection that lasted.
    tries: u32,
}

/// The program wants no more.
struct Stop;

impl Task {
    pub(super) fn new(
        settings: ReconnectingBuilder,
        outbox: Arc<Outbox>,
        state: watch::Sender<ConnectionState>,
        command: watch::Receiver<Command>,
        inbox: mpsc::Sender<Result<Message>>,
    ) -> Self {
        let rng = match settings.seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        Self {
            left: Left::new(settings.budget, Instant::now()),
            settings,
            outbox,
            state,
            command,
            inbox,
            rng,
            tries: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let mut asked = self.command.clone();
        let last = self.keep(&mut asked).await;
        self.outbox.end();
        self.state.send_replace(ConnectionState::Closed);
        if let Err(lost) = last {
            tracing::debug!(?lost, "given up");
            // An orderly end is no error.
            if matches!(&lost, Lost::Closed(closed) if closed.clean) {
                return;
            }
            // Where nobody reads, nobody is told.
            let _ = self.inbox.send(Err(lost.into_error())).await;
        }
    }

    /// Connects again and again; ends where the program has closed, or with what
    /// made another try not worth it.
    async fn keep(&mut self, asked: &mut watch::Receiver<Command>) -> Result<(), Lost> {
        loop {
            self.tries = self.tries.saturating_add(1);
            self.state
                .send_replace(ConnectionState::Connecting(self.tries));
            let lost = tokio::select! {
                biased;
                Stop = told_to_stop(asked) => return Ok(()),
                connected = self.connect() => match connected {
                    Err(error) => Lost::Failed(error),
                    Ok(socket) => match self.serve(socket).await {
                        Some(lost) => lost,
                        None => return Ok(()),
                    },
                },
            };
            let again = (self.settings.decide)(&lost) && self.left.take(Instant::now());
            if !again {
                return Err(lost);
            }
            let jitter = self
                .settings
                .backoff
                .delay(self.tries.saturating_sub(1), &mut self.rng);
            let wait = lost.retry_after().unwrap_or_default() + jitter;
            tracing::debug!(?lost, ?wait, "trying again");
            self.state.send_replace(ConnectionState::Waiting(wait));
            tokio::select! {
                biased;
                Stop = told_to_stop(asked) => return Ok(()),
                () = sleep(wait) => {}
            }
        }
    }

    async fn connect(&self) -> Result<Socket> {
        let mut attempt = Attempt {
            number: self.tries,
            url: self.settings.url.clone(),
            client: self.settings.client.clone(),
        };
        if let Some(refresh) = &self.settings.refresh {
            attempt = refresh(attempt).await?;
        }
        attempt.client.connect(&attempt.url).await
    }

    /// Sends and receives until the connection ends; `None` where the program has
    /// ended it.
    async fn serve(&mut self, socket: Socket) -> Option<Lost> {
        let opened = Instant::now();
        self.state.send_replace(ConnectionState::Open);
        self.outbox.set_open(true);
        let (sender, receiver) = socket.split();
        let mut command = self.command.clone();
        let sending = send(&self.outbox, sender, &mut command);
        let receiving = receive(&self.inbox, receiver);
        // Both to their ends: what is being sent when the connection breaks is
        // put back.
        let (stopped, lost) = futures_util::future::join(sending, receiving).await;
        self.outbox.set_open(false);
        if opened.elapsed() >= self.settings.lasting {
            self.tries = 0;
        }
        match (stopped, lost) {
            (None, Some(lost)) => Some(lost),
            (Some(Stop), _) | (None, None) => None,
        }
    }
}

/// Ready where the program has closed the socket, or let go of it.
async fn told_to_stop(command: &mut watch::Receiver<Command>) -> Stop {
    // An error says that the last handle is gone.
    let _ = command
        .wait_for(|command| matches!(command, Command::Close(_)))
        .await;
    Stop
}

/// How to close, where that has been asked for.
fn closing(command: &watch::Receiver<Command>) -> Option<CloseFrame> {
    if let Command::Close(frame) = &*command.borrow() {
        return Some(frame.clone());
    }
    let gone = command.has_changed().is_err();
    gone.then(|| CloseFrame::new(longwire_proto::Role::Client, CloseCode::NORMAL, "").ok())
        .flatten()
}

/// Sends what comes into the outbox, until the connection or the program ends.
async fn send(
    outbox: &Outbox,
    sender: Sender,
    command: &mut watch::Receiver<Command>,
) -> Option<Stop> {
    loop {
        let finishing = closing(command);
        let next = std::future::poll_fn(|cx| outbox.poll_next(cx, finishing.is_some()));
        let message = tokio::select! {
            biased;
            message = next => message,
            _ = command.changed(), if finishing.is_none() => continue,
            _ = sender.ended() => return None,
        };
        match (message, finishing) {
            (Some(message), _) => {
                if sender.send(message.clone()).await.is_err() {
                    outbox.put_back(message);
                    return None;
                }
            }
            (None, Some(frame)) => {
                // The frame is one that can be sent.
                let _ = sender.close(frame.code(), frame.reason());
                sender.ended().await;
                return Some(Stop);
            }
            (None, None) => {}
        }
    }
}

/// Hands on what arrives; tells how the connection ended, or nothing where the
/// program wants no more.
async fn receive(inbox: &mpsc::Sender<Result<Message>>, mut receiver: Receiver) -> Option<Lost> {
    while let Some(message) = receiver.next().await {
        match message {
            Ok(message) => {
                // Where nobody reads, the sending half may go on.
                let _ = inbox.send(Ok(message)).await;
            }
            Err(Error::Closed(closed)) => return Some(Lost::Closed(*closed)),
            Err(error) => return Some(Lost::Failed(error)),
        }
    }
    let closed = receiver.closed()?;
    (closed.by != ClosedBy::Local).then_some(Lost::Closed(closed))
}
