//! Runs a foreign client against a server.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::PATIENCE;
use super::error::PeerError;
use super::peer::Peer;

/// Runs a scenario of a client against the server at `url`, which has no path:
/// that is among the parameters. Gives what the client tells of each step.
///
/// # Errors
///
/// [`PeerError::Failed`] with the client's explanation where something was not
/// as it should be, [`PeerError::Timeout`] where it waits for ever.
///
/// # Cancel safety
///
/// Dropping the future kills the client.
pub async fn run_client(
    peer: Peer,
    url: &str,
    scenario: &str,
    parameters: &Value,
) -> Result<Vec<Value>, PeerError> {
    let parameters = parameters.to_string();
    let told = format!("{scenario} {parameters}");
    run_program(peer, "client", &[url, scenario, &parameters], told).await
}

/// Runs another program of the peer's to its end, as [`run_client`] does;
/// `scenario` is what errors call it.
///
/// # Errors
///
/// As [`run_client`].
pub async fn run_program(
    peer: Peer,
    program: &str,
    arguments: &[&str],
    scenario: String,
) -> Result<Vec<Value>, PeerError> {
    let io = |source| PeerError::Io { peer, source };
    let mut command = peer.command(program);
    let mut child = command.args(arguments).spawn().map_err(io)?;
    // Read while it runs: a full pipe would hold it up.
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let ended = timeout(PATIENCE, child.wait()).await;
    if ended.is_err() {
        child.kill().await.map_err(io)?;
    }
    let stdout = stdout.await.unwrap_or_default();
    let stderr = stderr.await.unwrap_or_default();
    match ended {
        Err(_) => Err(PeerError::Timeout {
            peer,
            scenario,
            stdout,
            stderr,
        }),
        Ok(Err(source)) => Err(io(source)),
        Ok(Ok(status)) if !status.success() => Err(PeerError::Failed {
            peer,
            scenario,
            status,
            stderr,
        }),
        Ok(Ok(_)) => steps(peer, &scenario, &stdout),
    }
}

fn steps(peer: Peer, scenario: &str, stdout: &str) -> Result<Vec<Value>, PeerError> {
    let step = |line: &str| {
        serde_json::from_str(line).map_err(|source| PeerError::Step {
            peer,
            scenario: scenario.to_owned(),
            line: line.to_owned(),
            source,
        })
    };
    stdout.lines().map(step).collect()
}

/// Reads a stream to its end in the background.
fn collect(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is told.
            let _ = stream.read_to_end(&mut bytes).await;
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
