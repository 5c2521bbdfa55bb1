//! The life of a process, and of all that it starts: they are one group.

use std::collections::HashSet;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The processes that run. Clones are the same.
#[derive(Clone)]
pub(in crate::serve) struct Processes {
    places: Arc<Semaphore>,
    running: Arc<Mutex<HashSet<u32>>>,
}

/// Room for one process. Clones are the same room.
#[derive(Clone)]
pub(in crate::serve) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Processes {
    /// Room for so many.
    pub(in crate::serve) fn new(most: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            running: Arc::default(),
        }
    }

    /// Room for another, if there is any.
    pub(in crate::serve) fn place(&self) -> Option<Place> {
        let permit = self.places.clone().try_acquire_owned().ok()?;
        Some(Place {
            _permit: Arc::new(permit),
        })
    }

    /// Kills all that run: the server ends at once.
    pub(in crate::serve) fn kill(&self) {
        for pid in self.lock().iter() {
            signal(*pid, Signal::Kill);
        }
    }

    /// Asks all that run to end.
    pub(in crate::serve) fn terminate(&self) {
        for pid in self.lock().iter() {
            signal(*pid, Signal::Terminate);
        }
    }

    pub(super) fn enter(&self, process: &Process) -> Running {
        self.lock().insert(process.id);
        Running {
            processes: self.clone(),
            id: process.id,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that runs.
pub(super) struct Running {
    processes: Processes,
    id: u32,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.processes.lock().remove(&self.id);
    }
}

/// What is read of a process and written to it.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// How a process has ended.
pub(super) enum Ended {
    Well,
    Failed(String),
}

/// A process. Its group is killed when it is dropped.
pub(super) struct Process {
    child: Child,
    id: u32,
    is_reaped: bool,
}

impl Process {
    /// Has the shell run this with this environment alone.
    pub(super) fn start<'a>(
        command: &str,
        environment: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> io::Result<(Self, Pipes)> {
        let mut shell = shell(command);
        shell
            .env_clear()
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        shell.process_group(0);
        let mut child = shell.spawn()?;
        let pipes = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => Pipes {
                stdin,
                stdout,
                stderr,
            },
            _ => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        let id = child.id().ok_or(io::ErrorKind::NotFound)?;
        let process = Self {
            child,
            id,
            is_reaped: false,
        };
        Ok((process, pipes))
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> Ended {
        match self.child.wait().await {
            Ok(status) if status.success() => Ended::Well,
            Ok(status) => Ended::Failed(told(status)),
            Err(error) => Ended::Failed(error.to_string()),
        }
    }

    /// Waits for its end so long, then asks for it, and so long again, then makes it.
    pub(super) async fn end(&mut self, grace: Duration) -> Ended {
        if let Ok(ended) = timeout(grace, self.wait()).await {
            return ended;
        }
        signal(self.id, Signal::Terminate);
        if let Ok(ended) = timeout(grace, self.wait()).await {
            return ended;
        }
        signal(self.id, Signal::Kill);
        self.wait().await
    }

    /// Kills what is left of its group.
    pub(super) fn kill(&mut self) {
        if !self.is_reaped {
            self.is_reaped = true;
            signal(self.id, Signal::Kill);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn told(status: ExitStatus) -> String {
    status.to_string()
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

/// Signals the group that a process leads. One that is gone is none to fail for.
#[cfg(unix)]
fn signal(leader: u32, which: Signal) {
    use rustix::process::{Pid, Signal as Number, kill_process_group};
    let group = i32::try_from(leader).ok().and_then(Pid::from_raw);
    let number = match which {
        Signal::Terminate => Number::TERM,
        Signal::Kill => Number::KILL,
    };
    if let Some(group) = group {
        let _ = kill_process_group(group, number);
    }
}

/// There are no groups: the process itself is killed when it is dropped.
#[cfg(not(unix))]
fn signal(_: u32, _: Signal) {}
