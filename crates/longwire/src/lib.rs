//! WebSockets for tokio: client and server, correct, bounded, fast.
//!
//! A client:
//!
//! ```no_run
//! # async fn example() -> longwire::Result<()> {
//! let mut socket = longwire::connect("wss://example.com/echo").await?;
//! socket.send("Hello, Server!").await?;
//! while let Some(message) = socket.next().await {
//!     println!("{}", message?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A server:
//!
//! ```no_run
//! # async fn example() -> longwire::Result<()> {
//! longwire::Server::new()
//!     .route("/chat", |mut socket: longwire::Socket| async move {
//!         while let Some(Ok(message)) = socket.next().await {
//!             socket.send(message).await?;
//!         }
//!         Ok(())
//!     })
//!     .serve("127.0.0.1:8000")
//!     .await
//! # }
//! ```
//!
//! What else there is:
//!
//! - [`ClientBuilder`]: TLS, HTTP/2, proxies, redirects, cookies, timeouts for each
//!   step; [`ReconnectingSocket`] comes back by itself;
//! - [`web::WebSocket`]: the browser's API, to the letter of its standard;
//! - [`Server`]: routes, an upgrade hook, an Origin policy, limits, TLS, HTTP/2,
//!   graceful shutdown; [`server::Upgrade`] and [`server::UpgradeService`] for the
//!   servers of others, and with the feature `axum` an extractor;
//! - [`Compression`]: permessage-deflate, and what it may hold;
//! - [`Socket::next_reader`] and [`Socket::send_reader`]: messages larger than memory.
//!
//! The protocol itself is `longwire-proto`; this crate owns sockets, timers and
//! HTTP, and makes no protocol decision. What is in it, bottom-up:

pub mod message;

pub mod tls;

pub mod error;

mod headers;

mod transport;

mod waiting;

mod timer;

mod options;

mod inbox;

mod driver;

pub mod socket;

mod topic;

pub mod handler;

pub mod client;

pub mod reconnect;

pub mod web;

pub mod server;

#[cfg(feature = "axum")]
pub mod axum;

pub use client::{ClientBuilder, CookieJar, Proxy, connect};
pub use error::{Error, Result};
pub use longwire_proto::{
    Agreement, CloseCode, CloseFrame, CloseFrameError, Closed, ClosedBy, Compression,
    EncodedMessage, Heartbeat, Limit, Limits, MemoryBudget, MessageKind, ProtocolError, Role,
    SendError, Statistics, TimeoutKind,
};
pub use message::{Event, Message};
pub use options::{Drive, Options};
pub use reconnect::{ConnectionState, ReconnectingSocket};
pub use server::Server;
pub use socket::{MessageReader, MessageWriter, Receiver, Sender, Socket};
pub use tls::{ClientTls, ServerTls};
pub use topic::{SlowSubscriber, Subscribe, Subscription, Topic};
pub use transport::Transport;

pub use bytes;
pub use bytestring;
pub use http;
