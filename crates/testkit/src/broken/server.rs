//! The echo server: a thread for each connection.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::accept::{self, Answer};
use super::faults::Plan;
use super::session::{Phase, Session};
use super::stream::{self, NoHead};

/// Connections at once; those beyond are ended at once.
const MOST_CONNECTIONS: usize = 1000;

/// How a server behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The rule it breaks.
    pub plan: Plan,
    /// Whether it agrees to permessage-deflate.
    pub deflate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plan: Plan(None),
            deflate: true,
        }
    }
}

/// An echo server, stopped when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    /// What the connections hold, to end them with the server.
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Server {
    /// Listens, and serves whoever connects.
    ///
    /// # Errors
    ///
    /// Those of binding the address.
    pub fn start(address: impl ToSocketAddrs, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept_all(&listener, options, &shared))
        };
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its echo.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Nothing but a connection wakes one that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let open = self
            .shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for stream in open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept_all(listener: &TcpListener, options: Options, shared: &Arc<Shared>) {
    for (id, stream) in (0..).zip(listener.incoming()) {
        if shared.stopped.load(Ordering::Acquire) {
            return;
        }
        // Files may have run out; others end soon.
        let Ok(mut stream) = stream else { continue };
        let Ok(copy) = stream.try_clone() else {
            continue;
        };
        {
            let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.len() >= MOST_CONNECTIONS {
                continue;
            }
            open.insert(id, copy);
        }
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A connection that breaks is the peer's affair.
            let _ = serve(options, &mut stream);
            let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.remove(&id);
        });
    }
}

fn serve(options: Options, stream: &mut TcpStream) -> io::Result<()> {
    let plan = options.plan;
    stream.set_nodelay(true)?;
    let (answer, early) = match stream::read_head(plan, stream, Vec::new()) {
        Ok((request, early)) => (accept::answer(plan, options.deflate, &request), early),
        Err(NoHead::Ended) => return Ok(()),
        Err(NoHead::Late) => (accept::refuse_late(), Vec::new()),
        Err(NoHead::Invalid(error)) => (accept::refuse_head(error), Vec::new()),
    };
    match answer {
        Answer::Refused { response } => {
            stream.write_all(&response)?;
            stream::end(plan, true, Phase::Open, stream);
        }
        Answer::Accepted { response, deflate } => {
            stream.write_all(&response)?;
            let mut session = Session::new(plan, true, deflate);
            stream::run(plan, stream, &mut session, &early)?;
            stream::end(plan, true, session.phase(), stream);
        }
    }
    Ok(())
}
