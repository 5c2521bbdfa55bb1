//! A client under test that is started for each case (`--run`).

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Bytes kept of what a command says last.
const KEPT: usize = 2048;

/// What it says, the latest of it.
type Said = Arc<Mutex<VecDeque<u8>>>;

/// A command that runs; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    /// Its process group, which outlives what was started first.
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
    said: Said,
    complained: Said,
}

impl Running {
    /// Starts a line for the shell, in a process group of its own.
    pub(crate) fn start(line: &str) -> io::Result<Self> {
        let mut command = shell(line);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        #[cfg(unix)]
        let group = child
            .id()
            .and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
        let (said, complained) = (Said::default(), Said::default());
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(keep(stdout, Arc::clone(&said)));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep(stderr, Arc::clone(&complained)));
        }
        Ok(Self {
            child,
            #[cfg(unix)]
            group,
            said,
            complained,
        })
    }

    /// How it ended by itself.
    pub(crate) async fn end(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Its last line that is not empty, of what went wrong where it said so.
    pub(crate) fn last_line(&self) -> Option<String> {
        last_line(&self.complained).or_else(|| last_line(&self.said))
    }
}

fn last_line(said: &Said) -> Option<String> {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes: Vec<u8> = said.iter().copied().collect();
    let text = String::from_utf8_lossy(&bytes);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last.map(|line| line.trim().to_owned())
}

impl Drop for Running {
    fn drop(&mut self) {
        // What a shell started would outlive it.
        #[cfg(unix)]
        if let Some(group) = self.group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command
}

#[cfg(not(unix))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", line]);
    command
}

async fn keep(mut stream: impl AsyncRead + Unpin, said: Said) {
    let mut chunk = [0; 1024];
    while let Ok(len @ 1..) = stream.read(&mut chunk).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(&chunk[..len]);
        let surplus = said.len().saturating_sub(KEPT);
        said.drain(..surplus);
    }
}
