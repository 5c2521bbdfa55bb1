//! The `WebSocketStream` interface.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longwire_proto::Closed;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, watch};
use url::Url;

use super::abort::AbortSignal;
use super::checks::{check_protocols, close_frame, url_record};
use super::data::{BinaryType, Data, Protocols};
use super::event::ReadyState;
use super::exception::DomException;
use super::settings::Settings;
use super::task::extensions_in_use;
use super::web_socket_error::WebSocketError;
use crate::socket::{Receiver, Sender};

/// What the constructor is given beside a URL (`WebSocketStreamOptions`).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WebSocketStreamOptions {
    /// The subprotocols to offer.
    pub protocols: Protocols,
    /// Gives up the connection before it is established.
    pub signal: Option<AbortSignal>,
    /// What a page would bring along.
    pub settings: Settings,
}

impl WebSocketStreamOptions {
    /// No subprotocols, no signal, the default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers these subprotocols.
    #[must_use]
    pub fn protocols(mut self, protocols: impl Into<Protocols>) -> Self {
        self.protocols = protocols.into();
        self
    }

    /// Gives up where this is aborted before the connection is established.
    #[must_use]
    pub fn signal(mut self, signal: AbortSignal) -> Self {
        self.signal = Some(signal);
        self
    }

    /// What a page would bring along.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }
}

/// How a stream is closed, or was (`WebSocketCloseInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseInfo {
    /// The close code; none where the Close frame is to have no body.
    pub close_code: Option<u16>,
    /// The reason; may be empty.
    pub reason: String,
}

/// Why a stream gives nothing, or takes nothing, any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The connection could not be established, or ended without a closing handshake.
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
    /// The connection was closed in order, or the program has given it up.
    #[error(transparent)]
    Dom(#[from] DomException),
}

/// A WebSocket whose messages are read and written one after the other, with
/// backpressure: what the program does not read is not read from the network, and a
/// write is done when the network takes it. Cheap to clone: clones are the same
/// object.
///
/// ```no_run
/// use longwire::web::{CloseInfo, WebSocketStream};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = WebSocketStream::new("wss://example.com/feed")?;
/// let connection = stream.opened().await?;
/// connection.writable.write("subscribe").await?;
/// while let Some(message) = connection.readable.read().await? {
///     println!("{message:?}");
/// }
/// let CloseInfo { close_code, reason } = stream.closed().await?;
/// println!("{close_code:?} {reason}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WebSocketStream {
    shared: Arc<Shared>,
}

/// An established connection (`WebSocketOpenInfo`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebSocketConnection {
    /// The messages that arrive.
    pub readable: Readable,
    /// Takes the messages to send.
    pub writable: Writable,
    /// The extensions that the server chose.
    pub extensions: String,
    /// The subprotocol that the server chose.
    pub protocol: String,
}

/// The messages that arrive, in order: texts, and binary ones as bytes.
#[derive(Clone)]
pub struct Readable {
    shared: Arc<Shared>,
    receiver: Messages,
}

/// Takes messages to send, in order.
#[derive(Clone)]
pub struct Writable {
    shared: Arc<Shared>,
    sender: Sender,
}

/// The receiving half, until nobody wants what arrives.
type Messages = Arc<AsyncMutex<Option<Receiver>>>;

type Opened = Result<Established, StreamError>;
type Ended = Result<CloseInfo, StreamError>;

/// What there is of an established connection.
#[derive(Clone)]
struct Established {
    sender: Sender,
    receiver: Messages,
    extensions: String,
    protocol: String,
}

struct Shared {
    url: Url,
    inner: Mutex<Inner>,
    /// What the promises `opened` and `closed` are.
    outcome: watch::Receiver<Outcome>,
    /// Fails a connection that is being opened.
    fail: watch::Sender<bool>,
}

#[derive(Clone, Default)]
struct Outcome {
    opened: Option<Opened>,
    closed: Option<Ended>,
}

#[derive(Default)]
struct Inner {
    ready_state: ReadyState,
    sender: Option<Sender>,
    /// Whether the program has cancelled reading.
    cancelled: bool,
}

impl WebSocketStream {
    /// Starts connecting.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` for a URL that is none of a WebSocket.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the connection is kept by a task.
    pub fn new(url: &str) -> Result<Self, DomException> {
        Self::with_options(url, WebSocketStreamOptions::default())
    }

    //= whatwg#websocketstream-1, whatwg#websocketstream-2, whatwg#websocketstream-3
    /// Starts connecting with these options.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` for a URL that is none of a WebSocket, and for subprotocols that
    /// cannot be offered.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn with_options(url: &str, options: WebSocketStreamOptions) -> Result<Self, DomException> {
        let WebSocketStreamOptions {
            protocols: Protocols(protocols),
            signal,
            settings,
        } = options;
        let url = url_record(url, settings.base_url.as_ref())?;
        check_protocols(&protocols)?;
        let (told, outcome) = watch::channel(Outcome::default());
        let (fail, failed) = watch::channel(false);
        let shared = Arc::new(Shared {
            url: url.clone(),
            inner: Mutex::default(),
            outcome,
            fail,
        });
        if let Some(reason) = signal.as_ref().and_then(AbortSignal::reason) {
            shared.lock().ready_state = ReadyState::Closed;
            never_opened(&told, Some(reason));
            return Ok(Self { shared });
        }
        let weak = Arc::downgrade(&shared);
        let driving = async move {
            let established = tokio::select! {
                biased;
                reason = aborted(signal) => Err(Some(reason)),
                () = given_up(failed) => Err(None),
                established = settings.establish(&url, &protocols, false) => {
                    established.map_err(|_| None)
                }
            };
            let socket = match established {
                Ok(socket) => socket,
                Err(reason) => {
                    if let Some(shared) = weak.upgrade() {
                        shared.lock().ready_state = ReadyState::Closed;
                    }
                    return never_opened(&told, reason);
                }
            };
            let extensions = extensions_in_use(&socket);
            let protocol = socket.subprotocol().unwrap_or_default().to_owned();
            let (sender, receiver) = socket.split();
            let taken = weak.upgrade().is_some_and(|shared| shared.open(&sender));
            if !taken {
                sender.terminate();
                return never_opened(&told, None);
            }
            told.send_modify(|outcome| {
                outcome.opened = Some(Ok(Established {
                    sender: sender.clone(),
                    receiver: Arc::new(AsyncMutex::new(Some(receiver))),
                    extensions,
                    protocol,
                }));
            });
            let closed = sender.ended().await;
            drop(sender);
            if let Some(shared) = weak.upgrade() {
                shared.lock().ready_state = ReadyState::Closed;
            }
            told.send_modify(|outcome| outcome.closed = Some(ended(closed)));
        };
        tokio::spawn(driving);
        Ok(Self { shared })
    }

    /// The URL that was used (`url`).
    pub fn url(&self) -> &str {
        self.shared.url.as_str()
    }

    //= whatwg#websocketstream-4
    /// The connection, once it is established (`opened`). May be asked for again: it is
    /// the same.
    ///
    /// # Errors
    ///
    /// [`StreamError::WebSocket`] where it could not be established, and does not say
    /// why; the reason of the signal where that has been aborted.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn opened(&self) -> Result<WebSocketConnection, StreamError> {
        let established = self
            .shared
            .outcome(|outcome| outcome.opened.clone())
            .await?;
        Ok(WebSocketConnection {
            readable: Readable {
                shared: self.shared.clone(),
                receiver: established.receiver,
            },
            writable: Writable {
                shared: self.shared.clone(),
                sender: established.sender,
            },
            extensions: established.extensions,
            protocol: established.protocol,
        })
    }

    //= whatwg#websocketstream-5
    /// How the connection was closed, once it was (`closed`): by which code and reason
    /// of the server's.
    ///
    /// # Errors
    ///
    /// [`StreamError::WebSocket`] where it ended without a closing handshake, with code
    /// 1006, or could not be established; the reason of the signal where that has been
    /// aborted.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn closed(&self) -> Result<CloseInfo, StreamError> {
        self.shared.outcome(|outcome| outcome.closed.clone()).await
    }

    //= whatwg#websocketstream-6
    /// Closes the connection behind all that was written; gives up one that is being
    /// opened. Does nothing where it is closing already.
    ///
    /// # Errors
    ///
    /// As [`super::WebSocket::close`].
    pub fn close(&self, info: &CloseInfo) -> Result<(), DomException> {
        self.shared.close(info.close_code, &info.reason)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection is established: whether it is still wanted.
    fn open(&self, sender: &Sender) -> bool {
        let mut inner = self.lock();
        if inner.ready_state != ReadyState::Connecting {
            return false;
        }
        inner.ready_state = ReadyState::Open;
        inner.sender = Some(sender.clone());
        true
    }

    async fn outcome<T>(
        &self,
        which: impl Fn(&Outcome) -> Option<Result<T, StreamError>>,
    ) -> Result<T, StreamError> {
        let mut outcome = self.outcome.clone();
        let known = outcome.wait_for(|outcome| which(outcome).is_some()).await;
        let known = known.ok().and_then(|outcome| which(&outcome));
        // Without one, the runtime that kept the connection is gone.
        known.unwrap_or_else(|| Err(never_established(None)))
    }

    fn close(&self, code: Option<u16>, reason: &str) -> Result<(), DomException> {
        let frame = close_frame(code, reason)?;
        let mut inner = self.lock();
        match (inner.ready_state, &inner.sender) {
            (ReadyState::Closing | ReadyState::Closed, _) => return Ok(()),
            (ReadyState::Open, Some(sender)) => sender.close_with(frame.as_ref()),
            _ => {
                self.fail.send_replace(true);
            }
        }
        inner.ready_state = ReadyState::Closing;
        drop(inner);
        self.discard();
        Ok(())
    }

    //= whatwg#websocketstream-8
    /// What still arrives is thrown away, so that the Close behind it is found.
    fn discard(&self) {
        let receiver = match &self.outcome.borrow().opened {
            Some(Ok(established)) => established.receiver.clone(),
            _ => return,
        };
        if let Ok(mut receiver) = receiver.try_lock() {
            receiver.take();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { receiver.lock().await.take() });
        }
    }

    //= whatwg#websocketstream-7
    /// Closes with the code and reason of an error of that kind, and without one for
    /// any other.
    fn close_using_reason(&self, reason: Option<&WebSocketError>) {
        let (code, text) = reason.map_or((None, ""), |r| (r.close_code(), r.reason()));
        if self.close(code, text).is_err() {
            // What the protocol tells may be a code that no program can send.
            let _ = self.close(None, "");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.fail.send_replace(true);
        if let (Some(sender), ReadyState::Open) = (&inner.sender, inner.ready_state) {
            sender.close_with(None);
        }
        self.discard();
    }
}

impl Readable {
    //= whatwg#websocketstream-8, whatwg#websocketstream-9
    /// The next message; `None` once the connection was closed in order, or reading was
    /// cancelled.
    ///
    /// # Errors
    ///
    /// [`StreamError::WebSocket`] where the connection ended without a closing
    /// handshake.
    ///
    /// # Cancel safety
    ///
    /// Safe: no message is lost.
    pub async fn read(&self) -> Result<Option<Data>, StreamError> {
        let mut receiver = self.receiver.lock().await;
        if self.shared.lock().cancelled {
            return Ok(None);
        }
        let next = match receiver.as_mut() {
            Some(receiver) => receiver.next().await,
            None => None,
        };
        let (cancelled, ready_state) = {
            let inner = self.shared.lock();
            (inner.cancelled, inner.ready_state)
        };
        if cancelled {
            receiver.take();
            return Ok(None);
        }
        // The program's own close is the end of what it is told.
        if ready_state == ReadyState::Closing {
            receiver.take();
        } else if let Some(Ok(message)) = next {
            return Ok(Some(Data::from_message(message, BinaryType::ArrayBuffer)));
        }
        drop(receiver);
        let ended = self.shared.outcome(|outcome| outcome.closed.clone());
        ended.await.map(|_| None)
    }

    /// Reads no more, and closes the connection with the code and reason of the error,
    /// or with none. Where a read is going on, outside a tokio runtime, that has to
    /// complete or be dropped first.
    pub fn cancel(&self, reason: Option<&WebSocketError>) {
        self.shared.lock().cancelled = true;
        self.shared.close_using_reason(reason);
        self.shared.discard();
    }
}

impl Writable {
    //= whatwg#websocketstream-10, whatwg#websocketstream-11
    /// Sends a message: done when the network has taken it, or nearly so.
    ///
    /// # Errors
    ///
    /// [`StreamError::Dom`] with an `InvalidStateError` once the connection is closing
    /// or was closed in order, [`StreamError::WebSocket`] where it ended otherwise.
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is sent whole or not at all.
    pub async fn write(&self, data: impl Into<Data>) -> Result<(), StreamError> {
        let message = data.into().into_message();
        let ready_state = self.shared.lock().ready_state;
        if ready_state == ReadyState::Closing {
            return Err(no_longer_open());
        }
        if ready_state == ReadyState::Open && self.sender.send(message).await.is_ok() {
            return Ok(());
        }
        // What it was that ended the connection is known once it has.
        let ended = self.shared.outcome(|outcome| outcome.closed.clone());
        Err(ended.await.err().unwrap_or_else(no_longer_open))
    }

    //= whatwg#websocketstream-12
    /// Closes the connection behind all that was written, without a code, and waits for
    /// its end.
    ///
    /// # Errors
    ///
    /// As [`WebSocketStream::closed`].
    pub async fn close(&self) -> Result<(), StreamError> {
        self.shared.close_using_reason(None);
        let ended = self.shared.outcome(|outcome| outcome.closed.clone());
        ended.await.map(drop)
    }

    /// Closes the connection with the code and reason of the error, or with none.
    pub fn abort(&self, reason: Option<&WebSocketError>) {
        self.shared.close_using_reason(reason);
    }
}

fn no_longer_open() -> StreamError {
    DomException::invalid_state(
        "expected a connection that is open, got one that is closing or closed",
    )
    .into()
}

async fn aborted(signal: Option<AbortSignal>) -> DomException {
    match signal {
        Some(signal) => signal.aborted().await,
        None => std::future::pending().await,
    }
}

async fn given_up(mut failed: watch::Receiver<bool>) {
    // An error says that nobody is left.
    let _ = failed.wait_for(|failed| *failed).await;
}

/// Rejects both promises: with `reason` where the program has given one.
fn never_opened(told: &watch::Sender<Outcome>, reason: Option<DomException>) {
    told.send_modify(|outcome| {
        let (opened, closed) = match reason {
            Some(reason) => (reason.clone().into(), reason.into()),
            None => (never_established(None), never_established(Some(1006))),
        };
        outcome.opened = Some(Err(opened));
        outcome.closed = Some(Err(closed));
    });
}

fn never_established(code: Option<u16>) -> StreamError {
    let message = "the connection could not be established";
    WebSocketError::told(message, code, String::new()).into()
}

fn unclean(closed: Closed) -> WebSocketError {
    let message = "the connection ended without a closing handshake";
    WebSocketError::told(message, Some(closed.code.get()), closed.reason)
}

fn ended(closed: Closed) -> Ended {
    if closed.clean {
        Ok(CloseInfo {
            close_code: Some(closed.code.get()),
            reason: closed.reason,
        })
    } else {
        tracing::warn!(by = %closed.by, "a WebSocketStream failed");
        Err(unclean(closed).into())
    }
}

macro_rules! opaque {
    ($($name:ident),*) => {
        $(
            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($name)).finish_non_exhaustive()
                }
            }
        )*
    };
}

opaque!(WebSocketStream, Readable, Writable);
