//! WebSocket programs that we did not write: the npm package `ws` and the PyPI
//! package `websockets`, as servers and as clients.
//!
//! The programs are in `crates/testkit/peers`; what a server does is in the
//! path of the request, what a client does is a scenario by name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a peer may take to start, and a scenario to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// A foreign implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// `ws` of npm, on Node.
    Ws,
    /// `websockets` of PyPI, on Python.
    Websockets,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ws => "the npm package ws",
            Self::Websockets => "the PyPI package websockets",
        })
    }
}

/// A peer that did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It could not be started, or its output not be read.
    #[error("{peer}: {source}")]
    Io {
        /// Which.
        peer: Peer,
        /// Why.
        source: std::io::Error,
    },
    /// It did not say where it listens.
    #[error("{peer}: expected a line with its port, got {line:?}")]
    Port {
        /// Which.
        peer: Peer,
        /// What it said.
        line: String,
    },
    /// It did not end in time.
    #[error("{peer}: the scenario {scenario} took longer than {} s", PATIENCE.as_secs())]
    Timeout {
        /// Which.
        peer: Peer,
        /// What it did.
        scenario: String,
    },
    /// Something was not as it should be.
    #[error("{peer}: the scenario {scenario} failed:\n{output}")]
    Failed {
        /// Which.
        peer: Peer,
        /// What it did.
        scenario: String,
        /// What it says.
        output: String,
    },
}

/// The folder of the programs.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

impl Peer {
    fn interpreter(self) -> PathBuf {
        match self {
            Self::Ws => "node".into(),
            Self::Websockets => folder().join("python/.venv/bin/python"),
        }
    }

    fn program(self, name: &str) -> PathBuf {
        match self {
            Self::Ws => folder().join(format!("node/{name}.mjs")),
            Self::Websockets => folder().join(format!("python/{name}.py")),
        }
    }

    /// Whether the peer is installed.
    pub fn is_installed(self) -> bool {
        let runs = StdCommand::new(self.interpreter())
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        runs && (self == Self::Websockets || folder().join("node/node_modules/ws").exists())
    }

    /// Whether tests with the peer can run. Where not, says what is missing.
    ///
    /// # Panics
    ///
    /// Where it is missing and `CI=true`.
    pub fn is_here(self) -> bool {
        let here = self.is_installed();
        if !here {
            let missing = format!("{self} is not installed: ./test installs it");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
            eprintln!("skipped: {missing}");
        }
        here
    }

    fn command(self, program: &str) -> Command {
        let mut command = Command::new(self.interpreter());
        command.arg(self.program(program)).kill_on_drop(true);
        command
    }

    /// Runs a client's scenario against a server at `url`.
    pub async fn run_client(
        self,
        url: &str,
        scenario: &str,
        parameters: &serde_json::Value,
    ) -> Result<(), PeerError> {
        let mut command = self.command("client");
        command
            .args([url, scenario, &parameters.to_string()])
            .stdin(Stdio::null());
        let scenario = format!("{scenario} {parameters}");
        let Ok(output) = timeout(PATIENCE, command.output()).await else {
            let peer = self;
            return Err(PeerError::Timeout { peer, scenario });
        };
        let output = output.map_err(|source| PeerError::Io { peer: self, source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(PeerError::Failed {
            peer: self,
            scenario,
            output: String::from_utf8_lossy(&said).into_owned(),
        })
    }
}

/// A peer's server, which ends when dropped.
#[derive(Debug)]
pub struct PeerServer {
    /// Holds the server's life: it ends with its stdin.
    _child: Child,
    port: u16,
}

impl PeerServer {
    /// Starts the server on a free port.
    pub async fn start(peer: Peer) -> Result<Self, PeerError> {
        let io = |source| PeerError::Io { peer, source };
        let mut child = peer
            .command("server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(io)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
            read.map_or(Ok(0), |read| read).map_err(io)?;
        }
        let said: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        let port = said
            .and_then(|said| said["port"].as_u64())
            .and_then(|port| u16::try_from(port).ok())
            .ok_or(PeerError::Port { peer, line })?;
        Ok(Self {
            _child: child,
            port,
        })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }
}
