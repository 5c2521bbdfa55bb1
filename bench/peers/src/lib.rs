//! What the servers of this package share: their flags, the line that says where they
//! listen, and the runtime they run on.

use std::future::Future;
use std::io::{self, Write as _};
use std::process;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// The status of a server that is asked for what its crate does not have.
const NOT_SUPPORTED: i32 = 3;

/// The most replies that wait for one flush, where the crate does not bound them itself.
pub const BATCH: usize = 32;

/// How the messages of a connection are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Off,
    /// Each message by itself: no context takeover, in either direction.
    Shared,
    /// With contexts that last as long as the connection, of windows of 32 KiB.
    Dedicated,
}

/// What a server was asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Flags {
    /// `--compression off|shared|dedicated`
    pub compression: Compression,
    /// `--fanout`: each message goes to all connections.
    pub fanout: bool,
    /// `--plain`: the crate as it comes, and not as fast as it can be.
    pub plain: bool,
}

impl Flags {
    /// Reads the arguments of the process, and ends it when they are none of the above.
    pub fn read() -> Self {
        let mut flags = Self {
            compression: Compression::Off,
            fanout: false,
            plain: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--fanout" => flags.fanout = true,
                "--plain" => flags.plain = true,
                "--compression" => {
                    flags.compression = match arguments.next().as_deref() {
                        Some("off") => Compression::Off,
                        Some("shared") => Compression::Shared,
                        Some("dedicated") => Compression::Dedicated,
                        _ => end(2, "expected off, shared or dedicated"),
                    }
                }
                _ => end(2, "expected [--compression MODE] [--fanout] [--plain]"),
            }
        }
        flags
    }

    /// For a crate that has no permessage-deflate.
    #[must_use]
    pub fn without_compression(self) -> Self {
        if self.compression != Compression::Off {
            end(NOT_SUPPORTED, "no compression");
        }
        self
    }

    /// For a server that only echoes.
    #[must_use]
    pub fn without_fanout(self) -> Self {
        if self.fanout {
            end(NOT_SUPPORTED, "no fan-out");
        }
        self
    }

    /// For a server that comes in one configuration.
    #[must_use]
    pub fn without_plain(self) -> Self {
        if self.plain {
            end(NOT_SUPPORTED, "no plain configuration");
        }
        self
    }
}

fn end(status: i32, why: &str) -> ! {
    eprintln!("{why}");
    process::exit(status)
}

/// Listens on a port of its own and prints where.
async fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = io::stdout();
    writeln!(out, "listening {}", listener.local_addr()?)?;
    out.flush()?;
    Ok(listener)
}

/// Serves connections, each by a task that `connection` makes, all on this thread. A task
/// that ends, however it ends, ends its connection and nothing else.
pub fn serve<C, F>(connection: C) -> io::Result<()>
where
    C: Fn(TcpStream) -> F,
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = listen().await?;
        loop {
            let (stream, _) = listener.accept().await?;
            if stream.set_nodelay(true).is_ok() {
                tokio::spawn(connection(stream));
            }
        }
    })
}

/// Reads the request of a connection with hyper, for the crates whose handshake is an
/// upgrade of hyper's, and answers with what `upgrade` makes of it.
pub async fn upgrade<U, B, E>(stream: TcpStream, upgrade: U) -> hyper::Result<()>
where
    U: Fn(Request<Incoming>) -> Result<Response<B>, E>,
    B: hyper::body::Body<Error: std::error::Error + Send + Sync> + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let service = service_fn(|request| std::future::ready(upgrade(request)));
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
}
