//! The native half of the npm package: what `longwire::web` does, for JavaScript.
//!
//! The TypeScript in `../ts` has the Web IDL of it: conversions of arguments, classes,
//! events. Everything else is here or below. Tasks are taken on a thread of our own,
//! and performed, one after the other, on that of the JavaScript they are for.

// Only JavaScript calls what is here.
#![cfg_attr(test, allow(dead_code))]

mod exception;

mod life;

mod settings;

mod mailbox;

mod bridge;

mod socket;

mod server;

mod web_socket;

mod web_socket_stream;

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Most threads that drive the connections of a process: one for each two cores, as
/// JavaScript has work too.
const THREADS: usize = 4;

/// What drives all connections. It is never shut down: a process ends without waiting
/// for what has no reason to keep it.
static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads((cores / 2).clamp(1, THREADS))
        .thread_name("longwire")
        .enable_all()
        .build()
        .ok()
});

fn runtime() -> napi::Result<&'static Runtime> {
    RUNTIME
        .as_ref()
        .ok_or_else(|| napi::Error::from_reason("the threads of longwire could not be started"))
}
