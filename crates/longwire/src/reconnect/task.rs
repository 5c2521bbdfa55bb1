//! The task that keeps a connection.

use std::sync::Arc;
use std::time::Duration;

use longwire_proto::{CloseCode, CloseFrame, Closed, ClosedBy, SendError};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::budget::Left;
use super::builder::{Attempt, Lost, ReconnectingBuilder};
use super::inbox::InboxSender;
use super::outbox::Outbox;
use super::{Command, ConnectionState, Current};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::socket::{Receiver, Sender, Socket};

pub(super) struct Task {
    settings: ReconnectingBuilder,
    outbox: Arc<Outbox>,
    current: Current,
    state: watch::Sender<ConnectionState>,
    command: watch::Receiver<Command>,
    inbox: InboxSender,
    rng: StdRng,
    left: Left,
    /// Tries since the last connection that lasted.
    tries: u32,
}

/// How long to wait where a message cannot be sent for want of memory.
const SEND_AGAIN: Duration = Duration::from_millis(100);

/// The program wants no more.
struct Stop;

/// However the task ends, also where a function of the program's panics in it,
/// those that wait for it are told.
impl Drop for Task {
    fn drop(&mut self) {
        self.end();
    }
}

impl Task {
    pub(super) fn new(
        settings: ReconnectingBuilder,
        outbox: Arc<Outbox>,
        current: Current,
        state: watch::Sender<ConnectionState>,
        command: watch::Receiver<Command>,
        inbox: InboxSender,
    ) -> Self {
        let rng = match settings.seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        Self {
            left: Left::new(settings.budget, Instant::now()),
            settings,
            outbox,
            current,
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
        self.end();
        if let Err(lost) = last {
            tracing::debug!(?lost, "given up");
            // An orderly end is no error.
            if matches!(&lost, Lost::Closed(closed) if closed.clean) {
                return;
            }
            self.inbox.push(Err(lost.into_error()));
        }
    }

    fn end(&self) {
        self.current.set(None);
        self.outbox.end();
        self.state.send_if_modified(|state| {
            let before = std::mem::replace(state, ConnectionState::Closed);
            before != ConnectionState::Closed
        });
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
            let asked_for = lost.retry_after().unwrap_or_default();
            let wait = asked_for.min(self.settings.most_retry_after);
            let wait = wait.saturating_add(jitter);
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
        let (sender, receiver) = socket.split();
        self.current.set(Some(sender.clone()));
        self.state.send_replace(ConnectionState::Open);
        self.outbox.set_open(true);
        let mut command = self.command.clone();
        let closing_by = async {
            told_to_stop(&mut self.command.clone()).await;
            sleep(self.settings.close_timeout).await;
            sender.terminate();
            std::future::pending().await
        };
        let sending = async {
            tokio::select! {
                biased;
                sent = send(&self.outbox, &sender, &mut command) => sent,
                stopped = closing_by => stopped,
            }
        };
        let receiving = receive(&self.inbox, receiver, sender.ended());
        // Both to their ends: what is being sent when the connection breaks is
        // put back.
        let (stopped, lost) = futures_util::future::join(sending, receiving).await;
        self.current.set(None);
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
    sender: &Sender,
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
                let Err((error, left)) = sender.hand_over(message).await else {
                    outbox.handed_over();
                    continue;
                };
                match left {
                    Some(message) if !is_too_large(&message, &error) => outbox.put_back(message),
                    Some(_) => {
                        tracing::error!(%error, "a message was dropped: it can never be sent");
                        outbox.handed_over();
                        continue;
                    }
                    None => outbox.handed_over(),
                }
                if matches!(error, Error::Closing | Error::Closed(_)) {
                    return None;
                }
                tracing::warn!(%error, "a message waits: it cannot be sent now");
                tokio::select! {
                    () = sleep(SEND_AGAIN) => {}
                    _ = sender.ended() => return None,
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

/// Whether a message is larger than all the memory there is for it.
fn is_too_large(message: &Message, error: &Error) -> bool {
    matches!(
        error,
        Error::Send(SendError::LimitExceeded { max, .. }) if message.len() >= *max
    )
}

/// Hands on what arrives; tells how the connection ended, or nothing where the
/// program wants no more. While the program does not read, neither is the socket
/// read, but its end is noticed.
async fn receive(
    inbox: &InboxSender,
    mut receiver: Receiver,
    ended: impl Future<Output = Closed>,
) -> Option<Lost> {
    let mut ended = std::pin::pin!(ended);
    let mut is_over = false;
    let mut thrown_away = 0;
    loop {
        if !is_over {
            tokio::select! {
                biased;
                () = inbox.room() => {}
                _ = &mut ended => is_over = true,
            }
        }
        match receiver.next().await {
            Some(Ok(message)) if is_over => {
                thrown_away += u64::from(!inbox.push_left_over(message));
            }
            Some(Ok(message)) => inbox.push(Ok(message)),
            Some(Err(error)) => {
                warn_of(thrown_away);
                return Some(match error {
                    Error::Closed(closed) => Lost::Closed(*closed),
                    error => Lost::Failed(error),
                });
            }
            None => break,
        }
    }
    warn_of(thrown_away);
    let closed = receiver.closed()?;
    (closed.by != ClosedBy::Local).then_some(Lost::Closed(closed))
}

fn warn_of(thrown_away: u64) {
    if thrown_away > 0 {
        tracing::warn!(
            messages = thrown_away,
            "a connection ended before the program has read it"
        );
    }
}
