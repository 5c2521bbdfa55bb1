//! WebSocket programs that we did not write: the npm package `ws` and the PyPI
//! package `websockets`, each as a server and as a client.
//!
//! The programs are in `crates/testkit/peers`. What a server does is in the
//! path of the request, as the head of each `server` file lists; what a client
//! does is a scenario by name, with parameters in JSON.
//!
//! ```no_run
//! # async fn example() -> Result<(), longwire_testkit::peers::PeerError> {
//! use longwire_testkit::peers::{Peer, PeerServer, require, run_client};
//!
//! let Some(peer) = require(Peer::Node) else {
//!     return Ok(());
//! };
//! let server = PeerServer::start(peer).await?;
//! let socket = longwire::connect(server.url("/echo")).await;
//!
//! let sizes = serde_json::json!({"path": "/echo", "sizes": [0, 125]});
//! let steps = run_client(peer, &server.url(""), "echo", &sizes).await?;
//! assert_eq!(steps[3]["size"], 125);
//! # Ok(())
//! # }
//! ```
//!
//! Bottom-up: `peer` knows what to run and whether it is installed, `error` is
//! what can go wrong, `client` and `server` run the programs.

mod peer;

mod error;

mod client;

mod server;

pub use client::{run_client, run_program};
pub use error::PeerError;
pub use peer::{Missing, Peer, require};
pub use server::PeerServer;

/// How long a peer may take to start, to end, or to go through a scenario.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(4);
