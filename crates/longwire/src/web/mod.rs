//! The browser's API, as the [WebSockets Standard] of the WHATWG has it, for Rust
//! programs: [`WebSocket`] and [`WebSocketStream`].
//!
//! Names are those of the standard in Rust's manner (`readyState` is
//! [`WebSocket::ready_state`]), its exceptions are errors by the same names. What a
//! page brings along, such as a base URL, an origin and cookies, a program says by
//! [`Settings`]. As in a browser, a program is not told why a connection could not be
//! opened or broke: that is in the log (`tracing`, level WARN). [`crate::connect`] and
//! [`crate::Socket`] tell it.
//!
//! [WebSockets Standard]: https://websockets.spec.whatwg.org/
//!
//! Read `exception`, `checks`, `web_socket_error`, `data` and `event`, then `settings` (how a connection is
//! established), `abort`, `task` and `buffered`, `web_socket` and
//! `web_socket_stream`.

mod exception;

mod checks;

mod web_socket_error;

mod data;

mod event;

mod settings;

mod abort;

mod task;

mod buffered;

mod web_socket;

mod web_socket_stream;

pub use abort::{AbortController, AbortSignal};
pub use data::{BinaryType, Blob, Data, Protocols};
pub use event::{CloseEvent, Event, MessageEvent, ReadyState};
pub use exception::{DomException, ExceptionName};
pub use settings::{MAX_MESSAGE_SIZE, Settings, browser_client, browser_limits};
pub use task::Task;
pub use web_socket::WebSocket;
pub use web_socket_error::WebSocketError;
pub use web_socket_stream::{
    CloseInfo, Readable, StreamError, WebSocketConnection, WebSocketStream, WebSocketStreamOptions,
    Writable,
};
