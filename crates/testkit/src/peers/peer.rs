//! The foreign implementations, and what they need to run.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// A foreign implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// `ws` of npm, on Node.
    Node,
    /// `websockets` of PyPI, on Python.
    Python,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "the npm package ws",
            Self::Python => "the PyPI package websockets",
        })
    }
}

/// Why a peer cannot be run, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// Its interpreter cannot be started.
    #[error("{peer} needs {}: {source} ({})", .program.display(), .peer.remedy())]
    Interpreter {
        /// Which peer.
        peer: Peer,
        /// The interpreter.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its interpreter runs and does not find the package.
    #[error("{peer} is not installed in {} ({})", .folder.display(), .peer.remedy())]
    Package {
        /// Which peer.
        peer: Peer,
        /// Where it was looked for.
        folder: PathBuf,
    },
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Node, Self::Python];

    /// Whether the peer can be run, and what is missing if not.
    pub fn available(self) -> Result<(), Missing> {
        let import = match self {
            Self::Node => ["-e", "require('ws')"],
            Self::Python => ["-c", "import websockets"],
        };
        let program = self.interpreter();
        let status = std::process::Command::new(&program)
            .args(import)
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(Missing::Package {
                peer: self,
                folder: self.folder(),
            }),
            Err(source) => Err(Missing::Interpreter {
                peer: self,
                program,
                source,
            }),
        }
    }

    /// One of the peer's two programs, with all its streams piped. The process
    /// is killed when its handle is dropped.
    pub(super) fn command(self, program: &str) -> Command {
        let extension = match self {
            Self::Node => "mjs",
            Self::Python => "py",
        };
        let mut command = Command::new(self.interpreter());
        command
            .arg(self.folder().join(program).with_extension(extension))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// A program of this source, which finds the peer's package.
    pub fn source(self, source: &str) -> std::process::Command {
        let mut command = std::process::Command::new(self.interpreter());
        command.current_dir(self.folder());
        match self {
            Self::Node => command.args(["--input-type=module", "-e", source]),
            Self::Python => command.args(["-c", source]),
        };
        command
    }

    fn folder(self) -> PathBuf {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        peers.join(match self {
            Self::Node => "node",
            Self::Python => "python",
        })
    }

    fn interpreter(self) -> PathBuf {
        match self {
            Self::Node => "node".into(),
            Self::Python => self.folder().join(".venv/bin/python"),
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Node => "install Node 20 or later, then run ./test, which installs the package",
            Self::Python => {
                "install Python 3 with venv, then run ./test, which installs the package"
            }
        }
    }
}

/// The peer, if tests with it can run. Prints what is missing otherwise, and
/// the test should return.
///
/// # Panics
///
/// Where something is missing and `CI=true`.
pub fn require(peer: Peer) -> Option<Peer> {
    let in_ci = std::env::var("CI").as_deref() == Ok("true");
    is_there(peer.available(), in_ci).then_some(peer)
}

fn is_there(available: Result<(), Missing>, in_ci: bool) -> bool {
    let Err(missing) = available else {
        return true;
    };
    assert!(!in_ci, "{missing}");
    eprintln!("skipped: {missing}");
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Result<(), Missing> {
        Err(Missing::Package {
            peer: Peer::Python,
            folder: "somewhere".into(),
        })
    }

    #[test]
    fn what_is_missing_skips_a_test_outside_of_ci() {
        assert!(is_there(Ok(()), true));
        assert!(!is_there(missing(), false));
    }

    #[test]
    #[should_panic(expected = "websockets is not installed in somewhere (install Python 3")]
    fn what_is_missing_fails_a_test_in_ci() {
        is_there(missing(), true);
    }
}
