//! The `WebSocket` of JavaScript.

use std::sync::{Arc, Mutex, PoisonError};

use longwire::web::{BinaryType, Data, Event, ReadyState, Task, WebSocket};
use napi::bindgen_prelude::{ArrayBuffer, FnArgs, Function, JsValuesTupleIntoVec, ToNapiValue};
use napi::threadsafe_function::{
    ThreadsafeCallContext, ThreadsafeFunction, ThreadsafeFunctionCallMode,
};
use napi::{Env, Status, sys};
use napi_derive::napi;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::exception::exception;
use crate::life::{Gone, keep_alive};
use crate::runtime;
use crate::settings::{NativeCookieJar, NativeOptions};

/// What waits for JavaScript of one socket, in units of [`UNIT`] bytes and a task each:
/// about 4 MiB. Above it, the socket is not read.
const WAITING: u32 = 1024;

/// Bytes that count as much as a task.
const UNIT: usize = 4096;

/// The kinds of events, as the TypeScript knows them.
mod kind {
    pub(super) const NOTHING: u32 = 0;
    pub(super) const OPEN: u32 = 1;
    pub(super) const MESSAGE: u32 = 2;
    pub(super) const CLOSE: u32 = 3;
    /// `error`; `close` follows.
    pub(super) const ERROR: u32 = 4;
}

/// What is on its way to JavaScript.
enum Waiting {
    /// A task, and the room that it takes.
    Task(Task, OwnedSemaphorePermit),
    /// The second event of a task, which is another call: what the listeners of the
    /// first have left for later comes before it.
    Second(Event),
}

type Dispatch = ThreadsafeFunction<Waiting, (), Arguments, Status, false>;

/// What a function of JavaScript takes, as far as it is known when it is given.
type Untyped = FnArgs<(u32,)>;

/// A `WebSocket` whose events are told to a function.
#[napi]
pub struct NativeWebSocket {
    socket: WebSocket,
    /// Keeps the process alive, until the connection is closed.
    dispatch: Arc<Mutex<Option<Arc<Dispatch>>>>,
}

#[napi]
impl NativeWebSocket {
    /// Starts connecting; `dispatch` is called for each task.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        url: String,
        protocols: Vec<String>,
        options: NativeOptions,
        jar: Option<&NativeCookieJar>,
        dispatch: Function<'_, Untyped, ()>,
    ) -> napi::Result<Self> {
        let runtime = runtime()?;
        let gone = Gone::of(env)?;
        let settings = options.settings(jar)?;
        let socket = {
            let _entered = runtime.enter();
            WebSocket::with_settings(&url, protocols, &settings).map_err(exception)?
        };
        // Whoever holds the data holds its bytes: they are never shared.
        socket.set_binary_type(BinaryType::ArrayBuffer);
        let performing = socket.clone();
        let held: Arc<Mutex<Option<Arc<Dispatch>>>> = Arc::default();
        let again = held.clone();
        let dispatch = dispatch
            .build_threadsafe_function::<Waiting>()
            .build_callback(move |context: ThreadsafeCallContext<Waiting>| {
                let event = match context.value {
                    Waiting::Second(event) => Some(event),
                    Waiting::Task(task, room) => {
                        let [first, second] = performing.perform(task);
                        drop(room);
                        let mut held = again.lock().unwrap_or_else(PoisonError::into_inner);
                        if let (Some(second), Some(dispatch)) = (second, &*held) {
                            let second = Waiting::Second(second);
                            dispatch.call(second, ThreadsafeFunctionCallMode::NonBlocking);
                        }
                        if performing.ready_state() == ReadyState::Closed {
                            // Nothing follows.
                            held.take();
                        }
                        first
                    }
                };
                Ok(Arguments(event))
            })?;
        let dispatch = Arc::new(dispatch);
        *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(dispatch.clone());
        runtime.spawn(drive(socket.clone(), dispatch, gone));
        Ok(Self {
            socket,
            dispatch: held,
        })
    }

    /// `url`
    #[napi(getter)]
    pub fn url(&self) -> String {
        self.socket.url().to_owned()
    }

    /// `readyState`
    #[napi(getter)]
    pub fn ready_state(&self) -> u32 {
        self.socket.ready_state() as u32
    }

    /// `bufferedAmount`; exact up to 2 to the power of 53.
    #[napi(getter)]
    #[allow(clippy::cast_precision_loss)]
    pub fn buffered_amount(&self) -> f64 {
        self.socket.buffered_amount() as f64
    }

    /// `extensions`
    #[napi(getter)]
    pub fn extensions(&self) -> String {
        self.socket.extensions()
    }

    /// `protocol`
    #[napi(getter)]
    pub fn protocol(&self) -> String {
        self.socket.protocol()
    }

    /// Sends a text, with the next flush.
    #[napi]
    pub fn send_text(&self, text: String) -> napi::Result<()> {
        self.socket.send_later(text).map_err(exception)
    }

    /// Sends a copy of these bytes, with the next flush.
    #[napi]
    pub fn send_binary(&self, bytes: &[u8]) -> napi::Result<()> {
        self.socket.send_bytes_later(bytes).map_err(exception)
    }

    /// Writes what was sent.
    #[napi]
    pub fn flush(&self) {
        self.socket.flush();
    }

    /// `close()`
    #[napi]
    pub fn close(&self, code: Option<u16>, reason: Option<String>) -> napi::Result<()> {
        self.socket
            .close(code, reason.as_deref())
            .map_err(exception)
    }

    /// Fails the connection.
    #[napi]
    pub fn fail(&self) {
        self.socket.fail();
    }

    /// Lets the process end although the connection is open, or no longer.
    #[napi]
    pub fn keep_alive(&self, env: Env, keep: bool) -> napi::Result<()> {
        let dispatch = self.dispatch.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(dispatch) = &*dispatch else {
            return Ok(());
        };
        // SAFETY: the function is alive, as `dispatch` holds it, and this is the thread of
        // the environment that it was made in.
        unsafe { keep_alive(env, dispatch.raw(), keep) }
    }
}

/// Hands the tasks of a socket on, up to its end.
async fn drive(socket: WebSocket, dispatch: Arc<Dispatch>, mut gone: Gone) {
    let room = Arc::new(Semaphore::new(WAITING as usize));
    loop {
        let Some(next) = gone.or(socket.next_task()).await else {
            return socket.make_disappear();
        };
        let Some(task) = next else {
            return;
        };
        let weight = 1 + task.payload_len() / UNIT;
        let weight = u32::try_from(weight).unwrap_or(WAITING).min(WAITING);
        let Some(Ok(room)) = gone.or(room.clone().acquire_many_owned(weight)).await else {
            return socket.make_disappear();
        };
        let waiting = Waiting::Task(task, room);
        let status = dispatch.call(waiting, ThreadsafeFunctionCallMode::NonBlocking);
        if status != Status::Ok {
            // The JavaScript is gone.
            return socket.make_disappear();
        }
    }
}

/// What JavaScript is called with: a kind of event, and what there is of a message's
/// data, or of a close's code, reason and cleanness.
struct Arguments(Option<Event>);

impl JsValuesTupleIntoVec for Arguments {
    fn into_vec(self, env: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        let mut values = Vec::with_capacity(4);
        // SAFETY: the environment is that of the call, on whose thread this is.
        let mut add = |value: &dyn Fn() -> napi::Result<sys::napi_value>| {
            value().map(|value| values.push(value))
        };
        let (kind, close) = match self.0 {
            Some(Event::Message(message)) => {
                add(&|| number(env, kind::MESSAGE))?;
                let data = match message.data {
                    Data::Text(text) => unsafe { <&str>::to_napi_value(env, &text) }?,
                    Data::Blob(blob) => bytes_value(env, blob.bytes())?,
                    Data::ArrayBuffer(bytes) => bytes_value(env, bytes)?,
                };
                values.push(data);
                return Ok(values);
            }
            Some(Event::Open) => (kind::OPEN, None),
            Some(Event::Error) => (kind::ERROR, None),
            Some(Event::Close(event)) => (kind::CLOSE, Some(event)),
            _ => (kind::NOTHING, None),
        };
        add(&|| number(env, kind))?;
        if let Some(event) = close {
            add(&|| number(env, u32::from(event.code)))?;
            // SAFETY: as above.
            add(&|| unsafe { <&str>::to_napi_value(env, &event.reason) })?;
            add(&|| unsafe { bool::to_napi_value(env, event.was_clean) })?;
        }
        Ok(values)
    }
}

fn number(env: sys::napi_env, value: u32) -> napi::Result<sys::napi_value> {
    // SAFETY: the environment is that of the call, on whose thread this is.
    unsafe { u32::to_napi_value(env, value) }
}

/// An `ArrayBuffer` of its own, as one that lends its bytes cannot be transferred.
fn bytes_value(env: sys::napi_env, bytes: impl AsRef<[u8]>) -> napi::Result<sys::napi_value> {
    let buffer = ArrayBuffer::copy_from(&Env::from_raw(env), bytes)?;
    // SAFETY: the environment is that of the call, on whose thread this is.
    unsafe { ArrayBuffer::to_napi_value(env, buffer) }
}
