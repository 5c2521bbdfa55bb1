//! The `WebSocketStream` of JavaScript.

use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::FutureExt as _;
use longwire::web::{
    AbortController, CloseInfo, Data, StreamError, WebSocketConnection, WebSocketError,
    WebSocketStream, WebSocketStreamOptions,
};
use napi::Env;
use napi::bindgen_prelude::{ArrayBuffer, Either, Object, ToNapiValue, Uint8ArraySlice};
use napi_derive::napi;

use crate::exception::exception;
use crate::life::Gone;
use crate::runtime;
use crate::settings::{NativeCookieJar, NativeOptions};

/// Messages, and bytes of them, that one read gives at most, where they are there.
const MESSAGES: usize = 64;
const BYTES: usize = 64 << 10;

/// What became of an operation: an exception where it has a `name`.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct Outcome {
    /// The exception's name.
    pub name: Option<String>,
    /// What it says.
    pub message: Option<String>,
    /// The close code of a `WebSocketError`, or of a connection that is closed.
    pub close_code: Option<u16>,
    /// The reason beside it.
    pub reason: Option<String>,
}

/// What there is to read.
#[napi(object, object_from_js = false)]
pub struct Batch {
    /// Messages in order.
    pub messages: Vec<Either<String, Copied>>,
    /// How it ended, behind them.
    pub end: Option<Outcome>,
}

/// A `WebSocketStream`; its promises are never rejected, but say what was thrown.
#[napi]
pub struct NativeWebSocketStream {
    stream: WebSocketStream,
    abort: AbortController,
    connection: std::sync::Arc<OnceLock<WebSocketConnection>>,
}

#[napi]
impl NativeWebSocketStream {
    /// Starts connecting, unless that is `aborted` already.
    #[napi(constructor)]
    pub fn new(
        url: String,
        protocols: Vec<String>,
        options: NativeOptions,
        jar: Option<&NativeCookieJar>,
        aborted: bool,
    ) -> napi::Result<Self> {
        let abort = AbortController::new();
        if aborted {
            abort.abort();
        }
        let options = WebSocketStreamOptions::new()
            .protocols(protocols)
            .signal(abort.signal())
            .settings(options.settings(jar)?);
        let _entered = runtime()?.enter();
        Ok(Self {
            stream: WebSocketStream::with_options(&url, options).map_err(exception)?,
            abort,
            connection: std::sync::Arc::default(),
        })
    }

    /// `url`
    #[napi(getter)]
    pub fn url(&self) -> String {
        self.stream.url().to_owned()
    }

    /// Extensions and protocol, once there is a connection.
    #[napi(getter)]
    pub fn chosen(&self) -> Option<Vec<String>> {
        let connection = self.connection.get()?;
        Some(vec![
            connection.extensions.clone(),
            connection.protocol.clone(),
        ])
    }

    /// Waits for the connection.
    #[napi]
    pub fn opened<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (stream, known) = (self.stream.clone(), self.connection.clone());
        promise(env, async move {
            match stream.opened().await {
                Ok(connection) => {
                    known.get_or_init(|| connection);
                    Outcome::default()
                }
                Err(error) => thrown(error),
            }
        })
    }

    /// Waits for the end.
    #[napi]
    pub fn closed<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let stream = self.stream.clone();
        promise(env, async move { end(stream.closed().await) })
    }

    /// Waits for messages.
    #[napi]
    pub fn read<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let connection = self.connection.get().cloned();
        let stream = self.stream.clone();
        promise(env, async move {
            let mut batch = Batch {
                messages: Vec::new(),
                end: None,
            };
            let Some(connection) = connection else {
                batch.end = Some(Outcome::default());
                return batch;
            };
            let mut next = connection.readable.read().await;
            let mut bytes = 0;
            loop {
                match next {
                    Ok(Some(data)) => {
                        bytes += data.len();
                        batch.messages.push(payload(data));
                    }
                    Ok(None) => {
                        batch.end = Some(end(stream.closed().await));
                        return batch;
                    }
                    Err(error) => {
                        batch.end = Some(thrown(error));
                        return batch;
                    }
                }
                if bytes >= BYTES || batch.messages.len() >= MESSAGES {
                    return batch;
                }
                match connection.readable.read().now_or_never() {
                    Some(more) => next = more,
                    None => return batch,
                }
            }
        })
    }

    /// Writes a text, or a copy of bytes.
    #[napi]
    pub fn write<'env>(
        &self,
        env: &'env Env,
        data: Either<String, &[u8]>,
    ) -> napi::Result<Object<'env>> {
        let data = match data {
            Either::A(text) => Data::from(text),
            Either::B(bytes) => Data::from(bytes),
        };
        let connection = self.connection.get().cloned();
        promise(env, async move {
            let Some(connection) = connection else {
                return Outcome::default();
            };
            let written = connection.writable.write(data).await;
            written.map_or_else(thrown, |()| Outcome::default())
        })
    }

    /// `close()`
    #[napi]
    pub fn close(&self, close_code: Option<u16>, reason: String) -> napi::Result<()> {
        let info = CloseInfo { close_code, reason };
        self.stream.close(&info).map_err(exception)
    }

    /// Throws away what still arrives: reading was cancelled.
    #[napi]
    pub fn cancel(&self) -> napi::Result<()> {
        let _entered = runtime()?.enter();
        if let Some(connection) = self.connection.get() {
            connection.readable.cancel(None);
        }
        Ok(())
    }

    /// Gives up a connection that is being opened.
    #[napi]
    pub fn abort(&self) {
        self.abort.abort();
    }
}

/// Whether a program may give this code and reason: the code that it comes to.
#[napi]
pub fn check_close(code: Option<u16>, reason: String) -> napi::Result<Option<u16>> {
    let error = WebSocketError::new("", code, reason).map_err(exception)?;
    Ok(error.close_code())
}

fn promise<T: ToNapiValue + Send + 'static>(
    env: &Env,
    work: impl Future<Output = T> + Send + 'static,
) -> napi::Result<Object<'_>> {
    let mut gone = Gone::of(*env)?;
    let (deferred, promise) = env.create_deferred()?;
    runtime()?.spawn(async move {
        if let Some(value) = gone.or(work).await {
            deferred.resolve(move |_| Ok(value));
        }
    });
    Ok(promise)
}

fn payload(data: Data) -> Either<String, Copied> {
    match data {
        Data::Text(text) => Either::A(text.to_string()),
        Data::Blob(blob) => Either::B(Copied(blob.bytes().clone())),
        Data::ArrayBuffer(bytes) => Either::B(Copied(bytes)),
    }
}

/// A `Uint8Array` with a buffer of its own, as one that lends its bytes cannot be
/// transferred.
pub struct Copied(Bytes);

impl ToNapiValue for Copied {
    unsafe fn to_napi_value(
        env: napi::sys::napi_env,
        copied: Self,
    ) -> napi::Result<napi::sys::napi_value> {
        let of = Env::from_raw(env);
        let buffer = ArrayBuffer::copy_from(&of, &copied.0)?;
        let array = Uint8ArraySlice::from_arraybuffer(&buffer, 0, copied.0.len())?;
        // SAFETY: the environment is the caller's.
        unsafe { Uint8ArraySlice::to_napi_value(env, array) }
    }
}

fn end(closed: Result<CloseInfo, StreamError>) -> Outcome {
    match closed {
        Ok(info) => Outcome {
            close_code: info.close_code,
            reason: Some(info.reason),
            ..Outcome::default()
        },
        Err(error) => thrown(error),
    }
}

fn thrown(error: StreamError) -> Outcome {
    match error {
        StreamError::WebSocket(error) => Outcome {
            name: Some("WebSocketError".to_owned()),
            message: Some(error.message().to_owned()),
            close_code: error.close_code(),
            reason: Some(error.reason().to_owned()),
        },
        StreamError::Dom(error) => Outcome {
            name: Some(error.name().to_string()),
            message: Some(error.message().to_owned()),
            ..Outcome::default()
        },
        error => Outcome {
            name: Some("InvalidStateError".to_owned()),
            message: Some(error.to_string()),
            ..Outcome::default()
        },
    }
}
