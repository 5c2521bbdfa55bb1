//! What can go wrong with a foreign program.

use std::io;
use std::process::ExitStatus;

use super::PATIENCE;
use super::peer::Peer;

/// A peer that did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It could not be started, or its output not be read.
    #[error("{peer}: {source}")]
    Io {
        /// Which.
        peer: Peer,
        /// What the system says.
        source: io::Error,
    },
    /// Its server did not say where it listens.
    #[error("{peer}: expected a line with the server's port, got {line:?}\n{stderr}")]
    Port {
        /// Which.
        peer: Peer,
        /// What it said.
        line: String,
        /// What it said of errors.
        stderr: String,
    },
    /// Its server did not end in time when asked to.
    #[error("{peer}: the server did not end within {} s", PATIENCE.as_secs())]
    Running {
        /// Which.
        peer: Peer,
    },
    /// A scenario did not end in time.
    #[error(
        "{peer}: {scenario} took longer than {} s; it said:\n{stdout}{stderr}",
        PATIENCE.as_secs()
    )]
    Timeout {
        /// Which.
        peer: Peer,
        /// The scenario and its parameters.
        scenario: String,
        /// The steps it told.
        stdout: String,
        /// What it said of errors.
        stderr: String,
    },
    /// A scenario found something that is not as it should be.
    #[error("{peer}: {scenario} failed with {status}:\n{stderr}")]
    Failed {
        /// Which.
        peer: Peer,
        /// The scenario and its parameters.
        scenario: String,
        /// How the program ended.
        status: ExitStatus,
        /// What it said is wrong.
        stderr: String,
    },
    /// A scenario told a step that is no JSON.
    #[error("{peer}: {scenario}: expected a line of JSON, got {line:?}: {source}")]
    Step {
        /// Which.
        peer: Peer,
        /// The scenario and its parameters.
        scenario: String,
        /// The line.
        line: String,
        /// Why it is none.
        source: serde_json::Error,
    },
}
