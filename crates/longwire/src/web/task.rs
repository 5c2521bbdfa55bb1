//! What happens on the connection of a [`super::WebSocket`], queued for its event
//! loop (section 4, "Feedback from the protocol").

use std::fmt;

use longwire_proto::{Closed, ClosedBy};
use tokio::sync::{mpsc, watch};
use url::Url;

use super::settings::Settings;
use crate::message::{Event as SocketEvent, Message};
use crate::socket::{Receiver, Sender, Socket};

/// Something that has happened and changes nothing before it is
/// [performed](super::WebSocket::perform) (section 4).
pub struct Task(pub(super) Kind);

impl Task {
    /// Bytes of the message that it brings, if it does.
    pub fn payload_len(&self) -> usize {
        match &self.0 {
            Kind::Message(message) => message.len(),
            _ => 0,
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

/// What is queued when something happens (section 4).
pub(super) enum Kind {
    Established {
        sender: Sender,
        extensions: String,
        protocol: String,
    },
    Message(Message),
    ClosingHandshakeStarted,
    Closed(Closed),
}

/// The connection was never established, or nobody knows how it ended.
fn failed() -> Kind {
    Kind::Closed(Closed::abnormal(ClosedBy::Lost))
}

/// Opens the connection and queues what happens on it.
pub(super) async fn drive(
    url: Url,
    protocols: Vec<String>,
    settings: Settings,
    queue: mpsc::Sender<Task>,
    mut aborted: watch::Receiver<bool>,
) {
    let established = tokio::select! {
        biased;
        () = given_up(&mut aborted) => None,
        established = settings.establish(&url, &protocols, true) => established.ok(),
    };
    let Some(socket) = established else {
        // Where nobody is left, nobody is told.
        let _ = queue.send(Task(failed())).await;
        return;
    };
    let extensions = extensions_in_use(&socket);
    let protocol = socket.subprotocol().unwrap_or_default().to_owned();
    let (sender, receiver) = socket.split();
    let established = Task(Kind::Established {
        sender: sender.clone(),
        extensions,
        protocol,
    });
    let receiving = async {
        if queue.send(established).await.is_ok() {
            receive(receiver, &queue).await;
        }
    };
    tokio::select! {
        // The program has not been told yet.
        () = given_up(&mut aborted) => {
            sender.terminate();
            let _ = queue.send(Task(failed())).await;
        }
        () = receiving => {}
    }
}

/// Ready where the program gives up a connection that it has not seen open.
async fn given_up(aborted: &mut watch::Receiver<bool>) {
    if aborted.wait_for(|aborted| *aborted).await.is_err() {
        // The program has let go of one that was open.
        std::future::pending::<()>().await;
    }
}

/// The extensions that the server has chosen, as it has written them.
pub(super) fn extensions_in_use(socket: &Socket) -> String {
    let chosen = socket
        .response_headers()
        .get_all(http::header::SEC_WEBSOCKET_EXTENSIONS);
    let chosen: Vec<&str> = chosen.iter().filter_map(|v| v.to_str().ok()).collect();
    chosen.join(", ")
}

/// Queues what arrives, up to the end.
async fn receive(mut receiver: Receiver, queue: &mpsc::Sender<Task>) {
    loop {
        let task = match receiver.next_event().await {
            Some(Ok(SocketEvent::Message(message))) => Kind::Message(message),
            Some(Ok(SocketEvent::Closing(_))) => Kind::ClosingHandshakeStarted,
            Some(Ok(_)) => continue,
            Some(Err(_)) | None => break,
        };
        if queue.send(Task(task)).await.is_err() {
            return;
        }
    }
    let task = match receiver.closed() {
        Some(closed) => {
            if !closed.clean {
                tracing::warn!(by = %closed.by, "a WebSocket failed");
            }
            Kind::Closed(closed)
        }
        None => failed(),
    };
    let _ = queue.send(Task(task)).await;
}
