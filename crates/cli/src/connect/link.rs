//! The connection as a session uses it: one socket, or one that comes back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longwire::reconnect::{Backoff, Lost, ReconnectingSender};
use longwire::{
    ClientBuilder, Closed, ConnectionState, Error, Message, MessageKind, Receiver,
    ReconnectingSocket, Result, Sender,
};
use tokio::io::AsyncRead;
use tokio::sync::watch;

/// The waits of `--reconnect`: somebody looks on.
const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(30);

/// The side that sends.
#[derive(Clone, Debug)]
pub(super) enum Speaker {
    Once(Sender),
    Lasting(ReconnectingSender, watch::Receiver<ConnectionState>),
}

/// The side that receives.
#[derive(Debug)]
pub(super) enum Listener {
    Once(Receiver),
    Lasting(Box<Lasting>),
}

#[derive(Debug)]
pub(super) struct Lasting {
    socket: ReconnectingSocket,
    state: watch::Receiver<ConnectionState>,
    lost: Arc<Mutex<Option<Loss>>>,
}

/// The last connection that ended, or was not opened.
#[derive(Clone, Debug)]
pub(super) enum Loss {
    Closed(Closed),
    Failed(String),
}

/// What a socket says of itself once it is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) url: String,
    pub(super) http: String,
    pub(super) subprotocol: Option<String>,
    pub(super) compression: Option<String>,
}

/// What is heard.
#[derive(Debug)]
pub(super) enum Heard {
    Message(Message),
    /// The connection was lost so, and is tried again after this.
    Lost(Option<Loss>, Duration),
    /// It is back.
    Open,
    Ended(End),
}

/// How it ended.
#[derive(Debug)]
pub(super) enum End {
    Closed(Closed),
    /// This end closed one that comes back: how the server answered is not told.
    Closing,
    Failed(Error),
}

/// Opens a connection.
pub(super) async fn open(client: &ClientBuilder, url: &str) -> Result<(Speaker, Listener, Opened)> {
    let socket = client.connect(url).await?;
    let headers = socket.response_headers();
    let extension = headers.get("sec-websocket-extensions");
    let opened = Opened {
        url: socket.uri().to_string(),
        http: format!("{:?}", socket.http_version()),
        subprotocol: socket.subprotocol().map(str::to_owned),
        compression: extension
            .filter(|_| socket.compression().is_some())
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
    };
    let (sender, receiver) = socket.split();
    Ok((Speaker::Once(sender), Listener::Once(receiver), opened))
}

/// Starts a connection that comes back.
pub(super) fn keep(client: &ClientBuilder, url: &str) -> (Speaker, Listener) {
    let lost = Arc::new(Mutex::new(None));
    let told = Arc::clone(&lost);
    let socket = ReconnectingSocket::builder(url)
        .client(client.clone())
        .backoff(Backoff::new(BASE, CAP))
        .retry_if(move |reason| {
            let how = match reason {
                Lost::Closed(closed) => Loss::Closed(closed.clone()),
                Lost::Failed(error) => Loss::Failed(error.to_string()),
                _ => return reason.is_worth_retrying(),
            };
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
            reason.is_worth_retrying()
        })
        .start();
    let state = socket.watch();
    let speaker = Speaker::Lasting(socket.sender(), state.clone());
    (
        speaker,
        Listener::Lasting(Box::new(Lasting {
            socket,
            state,
            lost,
        })),
    )
}

impl Speaker {
    pub(super) async fn send(&self, message: Message) -> Result<()> {
        match self {
            Self::Once(sender) => sender.send(message).await,
            Self::Lasting(sender, _) => sender.send(message).await,
        }
    }

    /// Sends all of a source as one message; gives back `false` where this can
    /// only be done in one piece.
    pub(super) async fn send_reader(
        &self,
        kind: MessageKind,
        source: impl AsyncRead,
    ) -> Result<bool> {
        match self {
            Self::Once(sender) => sender.send_reader(kind, source).await.map(|()| true),
            Self::Lasting(..) => Ok(false),
        }
    }

    /// Whether what is sent goes to the server, and does not wait for a connection.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Once(_) => true,
            Self::Lasting(_, state) => matches!(*state.borrow(), ConnectionState::Open),
        }
    }

    /// Waits for the connection to be open, or to be none any more.
    pub(super) async fn opened(&self) {
        if let Self::Lasting(_, state) = self {
            let is_settled = |state: &ConnectionState| {
                !matches!(
                    state,
                    ConnectionState::Connecting(_) | ConnectionState::Waiting(_)
                )
            };
            // Where who knows the state is gone, so is the connection.
            let _ = state.clone().wait_for(is_settled).await;
        }
    }

    pub(super) async fn ping(&self, payload: String) -> Result<()> {
        match self {
            Self::Once(sender) => sender.ping(payload).await,
            Self::Lasting(sender, _) => sender.ping(payload).await,
        }
    }

    pub(super) fn close(&self, code: u16, reason: &str) -> Result<()> {
        match self {
            Self::Once(sender) => sender.close(code, reason),
            Self::Lasting(sender, _) => sender.close(code, reason),
        }
    }
}

impl Listener {
    /// What is heard next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Heard {
        match self {
            Self::Once(receiver) => match receiver.next().await {
                Some(Ok(message)) => Heard::Message(message),
                Some(Err(Error::Closed(closed))) => Heard::Ended(End::Closed(*closed)),
                Some(Err(error)) => Heard::Ended(End::Failed(error)),
                None => Heard::Ended(receiver.closed().map_or(End::Closing, End::Closed)),
            },
            Self::Lasting(lasting) => lasting.next().await,
        }
    }
}

impl Lasting {
    async fn next(&mut self) -> Heard {
        loop {
            let message = tokio::select! {
                biased;
                message = self.socket.next() => message,
                Ok(()) = self.state.changed() => {
                    let state = self.state.borrow_and_update().clone();
                    match state {
                        ConnectionState::Waiting(wait) => {
                            return Heard::Lost(self.lost(), wait);
                        }
                        ConnectionState::Open => return Heard::Open,
                        _ => continue,
                    }
                }
            };
            return match message {
                Some(Ok(message)) => Heard::Message(message),
                Some(Err(Error::Closed(closed))) => Heard::Ended(End::Closed(*closed)),
                Some(Err(error)) => Heard::Ended(End::Failed(error)),
                None => Heard::Ended(match self.lost() {
                    Some(Loss::Closed(closed)) => End::Closed(closed),
                    _ => End::Closing,
                }),
            };
        }
    }

    fn lost(&self) -> Option<Loss> {
        self.lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
