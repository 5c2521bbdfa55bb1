//! A server in a process of its own, and what the kernel has counted of it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Failure;

/// The processor that servers run on.
pub const SERVER_CPU: usize = 0;

/// The processor that the load runs on.
pub const LOAD_CPU: usize = 1;

/// A server process, ended when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Some servers end with it.
    _stdin: Option<ChildStdin>,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Processor time of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// Nanoseconds of all its threads, as the scheduler counts them.
    pub total: u64,
    /// Ticks in user code, sampled.
    pub user_ticks: u64,
    /// Ticks in the kernel, sampled.
    pub system_ticks: u64,
}

impl std::ops::Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            total: self.total - before.total,
            user_ticks: self.user_ticks - before.user_ticks,
            system_ticks: self.system_ticks - before.system_ticks,
        }
    }
}

impl std::ops::AddAssign for Cpu {
    fn add_assign(&mut self, more: Self) {
        self.total += more.total;
        self.user_ticks += more.user_ticks;
        self.system_ticks += more.system_ticks;
    }
}

/// Why there is no server.
pub enum NoServer {
    /// It has no such thing.
    Unsupported,
    /// It cannot be run here.
    Failed(Failure),
}

impl Server {
    /// Starts a program that prints `listening ADDRESS`. One that ends with status 3
    /// lacks what it was asked for.
    pub fn start(program: &[String], cpus: &str) -> Result<Self, NoServer> {
        Self::spawn(program, cpus).map_err(|error| match error.downcast_ref() {
            Some(Lacking) => NoServer::Unsupported,
            None => NoServer::Failed(error),
        })
    }

    fn spawn(program: &[String], cpus: &str) -> Result<Self, Failure> {
        let mut child = Command::new("taskset")
            .args(["-c", cpus])
            .args(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim().strip_prefix("listening ").map(str::parse) {
            Some(Ok(address)) => Ok(Self {
                child,
                _stdin: stdin,
                address,
            }),
            _ => {
                let _ = child.kill();
                if child.wait()?.code() == Some(3) {
                    return Err(Lacking.into());
                }
                Err(format!("{program:?} does not listen: {line:?}").into())
            }
        }
    }

    /// Processor time so far.
    pub fn cpu(&self) -> Result<Cpu, Failure> {
        let mut cpu = Cpu::default();
        let id = self.child.id();
        for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
            let path: PathBuf = task?.path();
            let scheduled = std::fs::read_to_string(path.join("schedstat"))?;
            let total = scheduled.split(' ').next().ok_or("no schedstat")?;
            cpu.total += total.parse::<u64>()?;
            let stat = std::fs::read_to_string(path.join("stat"))?;
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
            cpu.user_ticks += fields.get(12).ok_or("no stat")?.parse::<u64>()?;
            cpu.system_ticks += fields.get(13).ok_or("no stat")?.parse::<u64>()?;
        }
        Ok(cpu)
    }

    /// Ends it as a service manager does, and waits until it has.
    pub fn terminate(mut self) -> Result<(), Failure> {
        let id = Pid::from_child(&self.child);
        rustix::process::kill_process(id, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// Resident bytes.
    pub fn resident(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that lacks what it was asked for.
#[derive(Debug)]
struct Lacking;

impl std::fmt::Display for Lacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server does not have that")
    }
}

impl std::error::Error for Lacking {}

/// Keeps the load on its processor.
pub fn pin_load() -> Result<(), Failure> {
    let mut cpus = CpuSet::new();
    cpus.set(LOAD_CPU);
    Ok(sched_setaffinity(None, &cpus)?)
}

/// A program that was built beside this one.
pub fn beside(name: &str) -> Result<String, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    Ok(path.to_str().ok_or("a path that is no text")?.to_owned())
}
