//! The `WebSocket` interface (section 3).

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longwire_proto::{CloseCode, CloseFrame, Role};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use url::Url;

use super::buffered::Buffered;
use super::checks::{check_protocols, close_frame, url_record};
use super::data::{BinaryType, Data, Protocols};
use super::event::{CloseEvent, Event, MessageEvent, ReadyState};
use super::exception::DomException;
use super::settings::Settings;
use super::task::{Kind, Task, drive};
use crate::socket::Sender;

/// Events that wait for the program, beside what the socket itself reads ahead.
const TASKS: usize = 16;

/// The browser's `WebSocket`, as the WHATWG standard has it. Cheap to clone: clones
/// are the same object.
///
/// What a browser's event loop does, [`WebSocket::next_event`] does: each call takes
/// the next task, changes the state as the standard has it, calls the handler that is
/// set for the event, and gives the event. [`WebSocket::run`] does so to the end. In
/// between, nothing changes but the [buffered amount](WebSocket::buffered_amount).
///
/// ```no_run
/// use longwire::web::{Event, WebSocket};
///
/// # async fn example() -> Result<(), longwire::web::DomException> {
/// let socket = WebSocket::new("wss://example.com/chat")?;
/// while let Some(event) = socket.next_event().await {
///     match event {
///         Event::Open => socket.send("Hello, Server!")?,
///         Event::Message(message) => println!("{:?}", message.data),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// The same with handlers:
///
/// ```no_run
/// # use longwire::web::WebSocket;
/// # async fn example() -> Result<(), longwire::web::DomException> {
/// let socket = WebSocket::new("wss://example.com/chat")?;
/// socket.set_onopen(|socket| drop(socket.send("Hello, Server!")));
/// socket.set_onmessage(|_, message| println!("{:?}", message.data));
/// socket.run().await;
/// # Ok(())
/// # }
/// ```
///
/// Dropping all clones of one that is open starts the closing handshake without a code
/// (section 7, "Garbage collection").
#[derive(Clone)]
pub struct WebSocket {
    shared: Arc<Shared>,
}

struct Shared {
    url: Url,
    max_buffered_amount: u64,
    inner: Mutex<Inner>,
    tasks: AsyncMutex<Tasks>,
    /// Gives up a connection that is being opened.
    abort: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    ready_state: ReadyState,
    extensions: String,
    protocol: String,
    binary_type: BinaryType,
    /// What sends, once the connection is established.
    sender: Option<Sender>,
    buffered: Buffered,
    handlers: Handlers,
}

type Handler = Box<dyn FnMut(&WebSocket) + Send>;
type EventHandler<E> = Box<dyn FnMut(&WebSocket, &E) + Send>;

#[derive(Default)]
struct Handlers {
    open: Option<Handler>,
    message: Option<EventHandler<MessageEvent>>,
    error: Option<Handler>,
    close: Option<EventHandler<CloseEvent>>,
}

/// The tasks that are queued.
struct Tasks {
    queue: mpsc::Receiver<Task>,
    /// The second event of the last task.
    second: Option<Event>,
}

impl WebSocket {
    /// Starts connecting, and offers no subprotocol.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` for a URL that is none of a WebSocket.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the connection is kept by a task.
    pub fn new(url: &str) -> Result<Self, DomException> {
        Self::with_settings(url, Protocols::default(), &Settings::default())
    }

    /// Starts connecting, and offers these subprotocols: the connection fails where
    /// the server chooses none of them.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` for a URL that is none of a WebSocket, a subprotocol that is no
    /// token, or one that is there twice.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn with_protocols(
        url: &str,
        protocols: impl Into<Protocols>,
    ) -> Result<Self, DomException> {
        Self::with_settings(url, protocols, &Settings::default())
    }

    //= whatwg#interface-definition-6
    /// As [`WebSocket::with_protocols`], with what a page would bring along.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::with_protocols`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn with_settings(
        url: &str,
        protocols: impl Into<Protocols>,
        settings: &Settings,
    ) -> Result<Self, DomException> {
        let url = url_record(url, settings.base_url.as_ref())?;
        let protocols = protocols.into().0;
        check_protocols(&protocols)?;
        let (queue, tasks) = mpsc::channel(TASKS);
        let (abort, aborted) = watch::channel(false);
        let driving = drive(url.clone(), protocols, settings.clone(), queue, aborted);
        tokio::spawn(driving);
        Ok(Self {
            shared: Arc::new(Shared {
                url,
                max_buffered_amount: settings.max_buffered_amount,
                inner: Mutex::default(),
                tasks: AsyncMutex::new(Tasks {
                    queue: tasks,
                    second: None,
                }),
                abort,
            }),
        })
    }

    //= whatwg#interface-definition-7
    /// The URL that was used (`url`).
    pub fn url(&self) -> &str {
        self.shared.url.as_str()
    }

    /// The state of the connection (`readyState`).
    pub fn ready_state(&self) -> ReadyState {
        self.lock().ready_state
    }

    /// The extensions that the server chose (`extensions`); empty before it has, and
    /// where it chose none.
    pub fn extensions(&self) -> String {
        self.lock().extensions.clone()
    }

    /// The subprotocol that the server chose (`protocol`); empty before it has, and
    /// where it chose none.
    pub fn protocol(&self) -> String {
        self.lock().protocol.clone()
    }

    //= whatwg#interface-definition-14
    /// Bytes given to [`WebSocket::send`] that the network has not taken, without
    /// framing (`bufferedAmount`). Closing does not set it to zero.
    pub fn buffered_amount(&self) -> u64 {
        let mut inner = self.lock();
        let transmitted = inner.transmitted();
        inner.buffered.amount(transmitted)
    }

    //= whatwg#interface-definition-15
    /// How binary messages are handed out (`binaryType`): as a blob at first.
    pub fn binary_type(&self) -> BinaryType {
        self.lock().binary_type
    }

    /// Sets how binary messages are handed out from now on.
    pub fn set_binary_type(&self, binary_type: BinaryType) {
        self.lock().binary_type = binary_type;
    }

    //= whatwg#interface-definition-16, whatwg#interface-definition-17
    //= whatwg#interface-definition-18, whatwg#interface-definition-19
    /// Sends a message. Never waits: [`WebSocket::buffered_amount`] tells what does.
    /// Once the connection is closing, the message is thrown away.
    ///
    /// # Errors
    ///
    /// An `InvalidStateError` while connecting.
    pub fn send(&self, data: impl Into<Data>) -> Result<(), DomException> {
        self.send_later(data)?;
        self.flush();
        Ok(())
    }

    /// As [`WebSocket::send`], but leaves the message to the next [`WebSocket::flush`]:
    /// for a program that sends many in a turn of its event loop.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub fn send_later(&self, data: impl Into<Data>) -> Result<(), DomException> {
        let data = data.into();
        let len = data.len() as u64;
        self.take(len, |sender| sender.queue(data.into_message()))
    }

    /// As [`WebSocket::send_later`], bytes that are lent: they are copied once, into the
    /// frame.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub fn send_bytes_later(&self, bytes: &[u8]) -> Result<(), DomException> {
        self.take(bytes.len() as u64, |sender| sender.queue_binary(bytes))
    }

    fn take(
        &self,
        len: u64,
        take: impl FnOnce(&Sender) -> crate::error::Result<Range<u64>>,
    ) -> Result<(), DomException> {
        let mut inner = self.lock();
        if inner.ready_state == ReadyState::Connecting {
            return Err(DomException::invalid_state(
                "expected a connection that is open, got one that is still connecting",
            ));
        }
        let transmitted = inner.transmitted();
        let waiting = inner.buffered.waiting(transmitted);
        let sent = match inner.sender.as_ref() {
            Some(sender) if inner.ready_state == ReadyState::Open => {
                if waiting + len > self.shared.max_buffered_amount {
                    let max = self.shared.max_buffered_amount;
                    tracing::warn!(max, "a WebSocket is full: it is closed");
                    sender.terminate();
                    None
                } else {
                    take(sender).ok()
                }
            }
            _ => None,
        };
        inner.buffered.add(len, sent);
        Ok(())
    }

    /// Writes what [`WebSocket::send_later`] has left.
    pub fn flush(&self) {
        if let Some(sender) = &self.lock().sender {
            sender.write_queued();
        }
    }

    //= whatwg#interface-definition-10, whatwg#interface-definition-11
    //= whatwg#interface-definition-12, whatwg#interface-definition-13
    /// Closes the connection, behind all that was sent; gives up one that is still
    /// being opened. Does nothing where it is closing already.
    ///
    /// # Errors
    ///
    /// An `InvalidAccessError` for a code other than 1000 and 3000 to 4999, a
    /// `SyntaxError` for a reason of more than 123 bytes in UTF-8.
    pub fn close(&self, code: Option<u16>, reason: Option<&str>) -> Result<(), DomException> {
        let frame = close_frame(code, reason.unwrap_or_default())?;
        let mut inner = self.lock();
        match inner.ready_state {
            ReadyState::Closing | ReadyState::Closed => return Ok(()),
            ReadyState::Connecting => {
                self.shared.abort.send_replace(true);
            }
            ReadyState::Open => {
                if let Some(sender) = &inner.sender {
                    sender.close_with(frame.as_ref());
                }
            }
        }
        inner.ready_state = ReadyState::Closing;
        Ok(())
    }

    //= whatwg#garbage-collection-2
    /// Ends the connection because the program that it is for goes away, with 1001
    /// (section 7, "make disappear").
    pub fn make_disappear(&self) {
        let mut inner = self.lock();
        match (inner.ready_state, &inner.sender) {
            (ReadyState::Open, Some(sender)) => {
                let frame = CloseFrame::new(Role::Client, CloseCode::GOING_AWAY, "");
                sender.close_with(frame.ok().as_ref());
            }
            (ReadyState::Connecting, _) => {
                self.shared.abort.send_replace(true);
            }
            _ => return,
        }
        inner.ready_state = ReadyState::Closing;
    }

    /// Takes all handlers away.
    pub fn clear_handlers(&self) {
        let handlers = std::mem::take(&mut self.lock().handlers);
        drop(handlers);
    }

    /// Fails the connection, as a browser does for a blob that it cannot read (RFC 6455
    /// section 7.1.7): it ends with 1006.
    pub fn fail(&self) {
        let mut inner = self.lock();
        match (inner.ready_state, &inner.sender) {
            (ReadyState::Closed, _) => return,
            (_, Some(sender)) => sender.terminate(),
            _ => {
                self.shared.abort.send_replace(true);
            }
        }
        inner.ready_state = ReadyState::Closing;
    }

    /// Sets the handler of `open` (`onopen`).
    pub fn set_onopen(&self, handler: impl FnMut(&WebSocket) + Send + 'static) {
        self.lock().handlers.open = Some(Box::new(handler));
    }

    /// Sets the handler of `message` (`onmessage`).
    pub fn set_onmessage(&self, handler: impl FnMut(&WebSocket, &MessageEvent) + Send + 'static) {
        self.lock().handlers.message = Some(Box::new(handler));
    }

    /// Sets the handler of `error` (`onerror`).
    pub fn set_onerror(&self, handler: impl FnMut(&WebSocket) + Send + 'static) {
        self.lock().handlers.error = Some(Box::new(handler));
    }

    /// Sets the handler of `close` (`onclose`).
    pub fn set_onclose(&self, handler: impl FnMut(&WebSocket, &CloseEvent) + Send + 'static) {
        self.lock().handlers.close = Some(Box::new(handler));
    }

    /// Waits for what happens next, changes the state accordingly, calls its handler,
    /// and gives it; `None` behind [`Event::Close`].
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn next_event(&self) -> Option<Event> {
        let mut tasks = self.shared.tasks.lock().await;
        let event = loop {
            if let Some(event) = tasks.second.take() {
                break event;
            }
            let task = tasks.queue.recv().await?;
            let [first, second] = self.perform(task);
            tasks.second = second;
            if let Some(event) = first {
                break event;
            }
        };
        drop(tasks);
        self.call_handler(&event);
        if let Event::Close(_) = event {
            // Nothing follows: what the handlers hold is let go of.
            let handlers = std::mem::take(&mut self.lock().handlers);
            drop(handlers);
        }
        Some(event)
    }

    /// Waits for what happens next, without doing anything about it: for a program
    /// that has an event loop of its own, where [`WebSocket::perform`] is called.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn next_task(&self) -> Option<Task> {
        self.shared.tasks.lock().await.queue.recv().await
    }

    /// Takes all events to the end: for a program that has set handlers.
    pub async fn run(&self) {
        while self.next_event().await.is_some() {}
    }

    //= whatwg#feedback-from-the-protocol-1, whatwg#feedback-from-the-protocol-2
    //= whatwg#feedback-from-the-protocol-3, whatwg#feedback-from-the-protocol-4
    //= whatwg#feedback-from-the-protocol-5, whatwg#feedback-from-the-protocol-6
    //= whatwg#feedback-from-the-protocol-7
    /// Changes the state as a task has it, and gives the events to fire: none, one, or
    /// [`Event::Error`] and [`Event::Close`]. No handler is called.
    pub fn perform(&self, task: Task) -> [Option<Event>; 2] {
        let mut inner = self.lock();
        let event = match task.0 {
            Kind::Established {
                sender,
                extensions,
                protocol,
            } => {
                if inner.ready_state != ReadyState::Connecting {
                    // Given up since: its end is on its way.
                    return [None, None];
                }
                inner.ready_state = ReadyState::Open;
                inner.extensions = extensions;
                inner.protocol = protocol;
                inner.sender = Some(sender);
                Event::Open
            }
            Kind::Message(message) => {
                if inner.ready_state != ReadyState::Open {
                    return [None, None];
                }
                Event::Message(MessageEvent {
                    data: Data::from_message(message, inner.binary_type),
                    origin: self.shared.url.origin().ascii_serialization(),
                })
            }
            Kind::ClosingHandshakeStarted => {
                inner.ready_state = inner.ready_state.max(ReadyState::Closing);
                return [None, None];
            }
            Kind::Closed(closed) => {
                inner.ready_state = ReadyState::Closed;
                let close = CloseEvent {
                    was_clean: closed.clean,
                    code: closed.code.get(),
                    reason: closed.reason,
                };
                if !close.was_clean {
                    return [Some(Event::Error), Some(Event::Close(close))];
                }
                Event::Close(close)
            }
        };
        [Some(event), None]
    }

    /// Calls the handler of an event, without holding anything: it may do what it
    /// likes, also set another one.
    fn call_handler(&self, event: &Event) {
        macro_rules! call {
            ($slot:ident $(, $event:expr)?) => {{
                let handler = self.lock().handlers.$slot.take();
                if let Some(mut handler) = handler {
                    handler(self $(, $event)?);
                    self.lock().handlers.$slot.get_or_insert(handler);
                }
            }};
        }
        match event {
            Event::Open => call!(open),
            Event::Message(message) => call!(message, message),
            Event::Error => call!(error),
            Event::Close(close) => call!(close, close),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("ready_state", &self.ready_state())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// How much of all frames of messages the network has taken.
    fn transmitted(&self) -> u64 {
        self.sender.as_ref().map_or(0, Sender::transmitted)
    }
}

//= whatwg#garbage-collection-1
impl Drop for Shared {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        match (&inner.sender, inner.ready_state) {
            (_, ReadyState::Connecting) => {
                self.abort.send_replace(true);
            }
            (Some(sender), ReadyState::Open) => sender.close_with(None),
            _ => {}
        }
    }
}
