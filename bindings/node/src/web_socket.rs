//! The `WebSocket` of JavaScript.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use longwire::web::{BinaryType, Data, Event, Task, WebSocket};
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

/// Bytes below which a copy costs less than to lend them.
const COPY_BELOW: usize = 16 << 10;

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
    /// `error`, and then `close`.
    pub(super) const ERROR_AND_CLOSE: u32 = 4;
}

/// A task on its way to JavaScript, and the room that it takes.
struct Waiting {
    task: Task,
    room: OwnedSemaphorePermit,
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
        let dispatch = dispatch
            .build_threadsafe_function::<Waiting>()
            .build_callback(move |context: ThreadsafeCallContext<Waiting>| {
                let Waiting { task, room } = context.value;
                let events = performing.perform(task);
                drop(room);
                Ok(Arguments(events))
            })?;
        let dispatch = Arc::new(dispatch);
        let held = Arc::new(Mutex::new(Some(dispatch.clone())));
        runtime.spawn(drive(socket.clone(), dispatch, held.clone(), gone));
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
async fn drive(
    socket: WebSocket,
    dispatch: Arc<Dispatch>,
    held: Arc<Mutex<Option<Arc<Dispatch>>>>,
    mut gone: Gone,
) {
    let room = Arc::new(Semaphore::new(WAITING as usize));
    while let Some(Some(task)) = gone.or(socket.next_task()).await {
        let weight = 1 + task.payload_len() / UNIT;
        let weight = u32::try_from(weight).unwrap_or(WAITING).min(WAITING);
        let Some(Ok(room)) = gone.or(room.clone().acquire_many_owned(weight)).await else {
            break;
        };
        let waiting = Waiting { task, room };
        let status = dispatch.call(waiting, ThreadsafeFunctionCallMode::NonBlocking);
        if status != Status::Ok {
            // The JavaScript is gone.
            break;
        }
    }
    held.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// What JavaScript is called with: a kind of event, and what there is of a message's
/// data, or of a close's code, reason and cleanness.
struct Arguments([Option<Event>; 2]);

impl JsValuesTupleIntoVec for Arguments {
    fn into_vec(self, env: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        let mut values = Vec::with_capacity(4);
        // SAFETY: the environment is that of the call, on whose thread this is.
        let mut add = |value: &dyn Fn() -> napi::Result<sys::napi_value>| {
            value().map(|value| values.push(value))
        };
        let (kind, close) = match self.0 {
            [Some(Event::Message(message)), _] => {
                add(&|| number(env, kind::MESSAGE))?;
                let data = match message.data {
                    Data::Text(text) => unsafe { <&str>::to_napi_value(env, &text) }?,
                    Data::Blob(blob) => bytes_value(env, blob.bytes().clone())?,
                    Data::ArrayBuffer(bytes) => bytes_value(env, bytes)?,
                };
                values.push(data);
                return Ok(values);
            }
            [Some(Event::Open), _] => (kind::OPEN, None),
            [Some(Event::Close(event)), _] => (kind::CLOSE, Some(event)),
            [Some(Event::Error), Some(Event::Close(event))] => (kind::ERROR_AND_CLOSE, Some(event)),
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

/// An `ArrayBuffer`: large bytes without a copy, where nobody else has them.
fn bytes_value(env: sys::napi_env, bytes: Bytes) -> napi::Result<sys::napi_value> {
    let of = Env::from_raw(env);
    let buffer = if bytes.len() < COPY_BELOW {
        ArrayBuffer::copy_from(&of, bytes)?
    } else {
        ArrayBuffer::from_data(&of, Vec::from(bytes))?
    };
    // SAFETY: the environment is that of the call, on whose thread this is.
    unsafe { ArrayBuffer::to_napi_value(env, buffer) }
}
