//! A socket whose letters go to a mailbox: what the sockets of a server are in
//! JavaScript.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longwire::{
    CloseCode, CloseFrame, CloseFrameError, Closed, ClosedBy, Error, Event, Limit, Message,
    MessageKind, ProtocolError, Receiver, Role, SendError, Sender, Socket,
};
use napi_derive::napi;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::life::Gone;
use crate::mailbox::{Kind, Letter, Mailbox, NativeMailbox};
use crate::runtime;

/// What waits for JavaScript of one socket, in units of [`UNIT`] bytes and a letter each:
/// about 4 MiB. Above it, the socket is not read.
const WAITING: u32 = 1024;

/// Bytes that count as much as a letter.
const UNIT: usize = 4096;

/// How long a client that is dropped has to take what was sent before.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// What sending gives where nothing can be sent any more.
const NOT_OPEN: f64 = -1.0;
/// Where too much waits to be sent.
const FULL: f64 = -2.0;
/// Where the fragments of another message have not ended.
const IN_MESSAGE: f64 = -3.0;
/// For a text that is not UTF-8.
const NOT_UTF8: f64 = -4.0;

/// A socket that is open, or was.
#[napi]
pub struct NativeSocket {
    sender: Sender,
    mailbox: Arc<Mailbox>,
    socket: u32,
    reading: watch::Sender<bool>,
}

impl NativeSocket {
    pub(crate) fn open(
        opened: Socket,
        mailbox: &NativeMailbox,
        socket: u32,
        gone: Gone,
    ) -> napi::Result<Self> {
        let mailbox = mailbox.mailbox.clone();
        let (reading, may_read) = watch::channel(true);
        let (sender, receiver) = opened.split();
        let post = Post {
            mailbox: mailbox.clone(),
            socket,
        };
        runtime()?.spawn(drive(receiver, sender.clone(), post, may_read, gone));
        Ok(Self {
            sender,
            mailbox,
            socket,
            reading,
        })
    }
}

/// Where in the stream of frames a message ends, or why it was not taken.
#[allow(clippy::cast_precision_loss)]
fn end(queued: longwire::Result<std::ops::Range<u64>>) -> f64 {
    match queued {
        Ok(range) => range.end as f64,
        Err(Error::Send(SendError::OutputFull { .. } | SendError::LimitExceeded { .. })) => FULL,
        Err(Error::Send(SendError::MessageInterrupted)) => IN_MESSAGE,
        Err(_) => NOT_OPEN,
    }
}

#[napi]
impl NativeSocket {
    /// Sends a text with the next flush. Gives where it ends in the stream of frames.
    #[napi]
    pub fn send_text(&self, text: String) -> f64 {
        end(self.sender.queue_text(&text))
    }

    /// As [`NativeSocket::send_text`], a text as bytes of UTF-8.
    #[napi]
    pub fn send_utf8(&self, bytes: &[u8]) -> f64 {
        match std::str::from_utf8(bytes) {
            Ok(text) => end(self.sender.queue_text(text)),
            Err(_) => NOT_UTF8,
        }
    }

    /// Sends bytes with the next flush. Gives where they end in the stream of frames.
    #[napi]
    pub fn send_binary(&self, bytes: &[u8]) -> f64 {
        end(self.sender.queue_binary(bytes))
    }

    /// Sends a fragment of a message with the next flush, otherwise as the others. A
    /// text must be UTF-8.
    #[napi]
    pub fn send_fragment(&self, bytes: &[u8], text: bool, fin: bool) -> f64 {
        let kind = if text {
            MessageKind::Text
        } else {
            MessageKind::Binary
        };
        end(self.sender.queue_fragment(kind, bytes, fin))
    }

    /// Sends a ping with the next flush, or now where too many wait; says why it was not
    /// taken.
    #[napi]
    pub fn ping(&self, payload: &[u8]) -> Option<NotTaken> {
        self.control(|| self.sender.queue_ping(payload))
    }

    /// Sends a pong as [`NativeSocket::ping`] a ping.
    #[napi]
    pub fn pong(&self, payload: &[u8]) -> Option<NotTaken> {
        self.control(|| self.sender.queue_pong(payload))
    }

    fn control(&self, queue: impl Fn() -> longwire::Result<()>) -> Option<NotTaken> {
        let taken = queue().or_else(|_| {
            self.sender.write_queued();
            queue()
        });
        let error = taken.err()?;
        Some(NotTaken {
            too_long: matches!(error, Error::Send(SendError::ControlTooLong { .. })),
            message: error.to_string(),
        })
    }

    /// Writes what was sent. Gives how much of the stream of frames has been taken.
    #[napi]
    #[allow(clippy::cast_precision_loss)]
    pub fn flush(&self) -> f64 {
        self.sender.write_queued();
        self.sender.transmitted() as f64
    }

    /// Has what was sent written by another thread, with that of other sockets: once
    /// [`NativeMailbox::write_all`] says so.
    #[napi]
    pub fn flush_later(&self) {
        self.mailbox.write_later(self.sender.clone());
    }

    /// How much of the stream of frames has been taken.
    #[napi(getter)]
    #[allow(clippy::cast_precision_loss)]
    pub fn transmitted(&self) -> f64 {
        self.sender.transmitted() as f64
    }

    /// Bytes that wait to be taken, framing included.
    #[napi(getter)]
    #[allow(clippy::cast_precision_loss)]
    pub fn buffered_amount(&self) -> f64 {
        self.sender.buffered_amount() as f64
    }

    /// Writes a letter when the stream of frames has been taken up to here.
    #[napi]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn notify_transmitted(&self, offset: f64) -> napi::Result<()> {
        let sender = self.sender.clone();
        let post = Post {
            mailbox: self.mailbox.clone(),
            socket: self.socket,
        };
        runtime()?.spawn(async move {
            // Where it never is, the end of the connection tells.
            if sender.transmitted_to(offset as u64).await.is_ok() {
                post.put(Kind::Transmitted, 0, Bytes::new());
            }
        });
        Ok(())
    }

    /// Whether messages are read.
    #[napi]
    pub fn set_reading(&self, reading: bool) {
        self.reading.send_replace(reading);
    }

    /// Starts the closing handshake behind all that was sent, with a code and a reason that
    /// [`judge_close`] has let pass.
    #[napi]
    pub fn close(&self, code: Option<u16>, reason: String) {
        let frame = code.and_then(|code| close_frame(code, reason).ok());
        self.sender.close_with(frame.as_ref());
    }

    /// Drops the connection: where the stream of frames has not been taken up to here, in
    /// a moment, as one that is new is not known to take anything yet.
    #[napi]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn terminate(&self, end: f64) -> napi::Result<()> {
        let end = end as u64;
        if self.sender.transmitted() >= end {
            self.sender.terminate();
            return Ok(());
        }
        let sender = self.sender.clone();
        runtime()?.spawn(async move {
            let _ = timeout(LAST_WORDS, sender.transmitted_to(end)).await;
            sender.terminate();
        });
        Ok(())
    }
}

/// Why something was not taken.
#[napi(object, object_from_js = false)]
pub struct NotTaken {
    /// Whether it is longer than its frame may be.
    pub too_long: bool,
    /// What was expected, and what came.
    pub message: String,
}

fn close_frame(code: u16, reason: String) -> Result<CloseFrame, CloseFrameError> {
    CloseFrame::new(Role::Server, CloseCode::new(code), reason)
}

/// Why a server cannot close with this code and reason; without a code, the reason is left
/// out, and yet may be no longer.
#[napi]
pub fn judge_close(code: Option<u16>, reason: String) -> Option<NotTaken> {
    let code = code.unwrap_or(CloseCode::NORMAL.get());
    let error = close_frame(code, reason).err()?;
    Some(NotTaken {
        too_long: matches!(error, CloseFrameError::ReasonTooLong { .. }),
        message: error.to_string(),
    })
}

/// The letters of one socket.
struct Post {
    mailbox: Arc<Mailbox>,
    socket: u32,
}

impl Post {
    fn put(&self, kind: Kind, value: u32, payload: Bytes) {
        self.mailbox.put(Letter {
            socket: self.socket,
            kind,
            value,
            payload,
            room: None,
        });
    }
}

/// Writes letters of what arrives, up to the end.
async fn drive(
    mut receiver: Receiver,
    sender: Sender,
    post: Post,
    mut may_read: watch::Receiver<bool>,
    mut gone: Gone,
) {
    let room = Arc::new(Semaphore::new(WAITING as usize));
    loop {
        if !*may_read.borrow() {
            let paused = async {
                tokio::select! {
                    _ = may_read.wait_for(|may_read| *may_read) => {}
                    _ = sender.ended() => {}
                }
            };
            if gone.or(paused).await.is_none() {
                return sender.terminate();
            }
        }
        let Some(next) = gone.or(receiver.next_event()).await else {
            return sender.terminate();
        };
        let (kind, payload) = match next {
            Some(Ok(Event::Message(Message::Text(text)))) => (Kind::Text, text.into_bytes()),
            Some(Ok(Event::Message(Message::Binary(bytes)))) => (Kind::Binary, bytes),
            Some(Ok(Event::Ping(payload))) => (Kind::Ping, payload),
            Some(Ok(Event::Pong(payload))) => (Kind::Pong, payload),
            Some(Ok(Event::Closing(_))) => (Kind::Closing, Bytes::new()),
            Some(Ok(_)) => continue,
            Some(Err(_)) | None => break,
        };
        let weight = 1 + payload.len() / UNIT;
        let weight = u32::try_from(weight).unwrap_or(WAITING).min(WAITING);
        let Some(Ok(room)) = gone.or(room.clone().acquire_many_owned(weight)).await else {
            return sender.terminate();
        };
        post.mailbox.put(Letter {
            socket: post.socket,
            kind,
            value: 0,
            payload,
            room: Some(room),
        });
    }
    let closed = receiver
        .closed()
        .unwrap_or_else(|| Closed::abnormal(ClosedBy::Lost));
    let code = u32::from(closed.code.get());
    match &closed.by {
        ClosedBy::Failure(error) => {
            let status = error.close_code().get();
            let text = format!("{}\n{status}\n{error}", rule(error));
            post.put(Kind::Failed, code, text.into());
        }
        by => {
            tracing::debug!(%by, "a socket ended");
            post.put(Kind::Closed, code, closed.reason.into());
        }
    }
}

/// The rule that was broken, by the name that JavaScript programs know.
fn rule(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::ReservedBits { bits } if bits & 0b100 != 0 => "WS_ERR_UNEXPECTED_RSV_1",
        ProtocolError::ReservedBits { .. } => "WS_ERR_UNEXPECTED_RSV_2_3",
        ProtocolError::ReservedOpcode { .. }
        | ProtocolError::UnexpectedContinuation
        | ProtocolError::MessageInterrupted { .. } => "WS_ERR_INVALID_OPCODE",
        ProtocolError::Unmasked => "WS_ERR_EXPECTED_MASK",
        ProtocolError::Masked => "WS_ERR_UNEXPECTED_MASK",
        ProtocolError::FragmentedControl { .. } => "WS_ERR_EXPECTED_FIN",
        ProtocolError::ControlTooLong { .. } | ProtocolError::CloseTooShort => {
            "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"
        }
        ProtocolError::InvalidUtf8 { .. } | ProtocolError::CloseReason { .. } => {
            "WS_ERR_INVALID_UTF8"
        }
        ProtocolError::CloseCode { .. } => "WS_ERR_INVALID_CLOSE_CODE",
        ProtocolError::LengthTooLarge { .. } => "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
        ProtocolError::LimitExceeded {
            limit: Limit::MessageSize | Limit::FrameSize,
            ..
        } => "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
        ProtocolError::LimitExceeded { .. } => "WS_ERR_LIMIT",
        _ => "WS_ERR_PROTOCOL",
    }
}
