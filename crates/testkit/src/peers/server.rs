//! Runs a foreign server.

use std::process::ExitStatus;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::PATIENCE;
use super::error::PeerError;
use super::peer::Peer;

/// A foreign server on a free port of 127.0.0.1, which ends when dropped. What
/// it says of errors goes to our stderr.
#[derive(Debug)]
pub struct PeerServer {
    peer: Peer,
    /// Holds the server's stdin, with which it ends.
    child: Child,
    /// Open, so that the server may write to it.
    _stdout: BufReader<ChildStdout>,
    port: u16,
}

impl PeerServer {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// [`PeerError::Port`] with its stderr where it does not come up.
    pub async fn start(peer: Peer) -> Result<Self, PeerError> {
        Self::start_program(peer, "server", &[]).await
    }

    /// Starts another program of the peer's that is a server, with arguments.
    ///
    /// # Errors
    ///
    /// As [`PeerServer::start`].
    pub async fn start_program(
        peer: Peer,
        program: &str,
        arguments: &[&str],
    ) -> Result<Self, PeerError> {
        let io = |source| PeerError::Io { peer, source };
        let mut command = peer.command(program);
        let mut child = command.args(arguments).spawn().map_err(io)?;
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io(std::io::Error::other("its output is not piped")));
        };
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let read = timeout(PATIENCE, stdout.read_line(&mut line)).await;
        read.map_or(Ok(0), |read| read).map_err(io)?;
        let Some(port) = port(&line) else {
            child.kill().await.map_err(io)?;
            let mut said = Vec::new();
            stderr.read_to_end(&mut said).await.map_err(io)?;
            let stderr = String::from_utf8_lossy(&said).into_owned();
            return Err(PeerError::Port { peer, line, stderr });
        };
        tokio::spawn(async move { tokio::io::copy(&mut stderr, &mut tokio::io::stderr()).await });
        Ok(Self {
            peer,
            child,
            _stdout: stdout,
            port,
        })
    }

    /// The URL of a path; of "" it is what [`super::run_client`] takes.
    pub fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Which implementation it is.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Closes the server's stdin and waits for its end.
    ///
    /// # Errors
    ///
    /// [`PeerError::Running`] where it goes on; it is killed then.
    pub async fn stop(mut self) -> Result<ExitStatus, PeerError> {
        let peer = self.peer;
        drop(self.child.stdin.take());
        timeout(PATIENCE, self.child.wait())
            .await
            .map_err(|_| PeerError::Running { peer })?
            .map_err(|source| PeerError::Io { peer, source })
    }
}

/// The port in a line such as `{"port": 8000}`.
fn port(line: &str) -> Option<u16> {
    let said: Value = serde_json::from_str(line).ok()?;
    said["port"].as_u64()?.try_into().ok()
}
