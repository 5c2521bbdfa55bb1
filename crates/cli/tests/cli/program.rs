//! The `longwire` command as a test runs it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::JoinHandle;

/// The command with these arguments.
pub(crate) fn longwire(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwire"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// The command as it runs, with nothing on its stdin.
pub(crate) fn started(arguments: &[&str], options: &[&str]) -> Child {
    longwire(arguments)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the command to its end with this on its stdin.
pub(crate) fn run(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = longwire(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // Read all the while: one that waits for that may not read either.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A command that does not read is told by its result.
            let _ = input.write_all(stdin);
        });
        child.wait_with_output().unwrap()
    })
}

/// `longwire serve` on a free port, stopped with the test.
pub(crate) struct Serve {
    child: Child,
    /// The address as `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// What it says on stdout after the first line.
    pub(crate) stdout: BufReader<ChildStdout>,
    log: Option<JoinHandle<Vec<u8>>>,
}

impl Serve {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with further options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut child = started(&["serve", "--listen", "127.0.0.1:0"], options);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut pipe = child.stderr.take().unwrap();
        // Read all the time: a full pipe would hold the server up.
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            let _ = pipe.read_to_end(&mut log);
            log
        });
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map_or_else(
                || panic!("expected an address in the first line, got {line:?}"),
                |(address, _)| address.to_owned(),
            );
        Self {
            child,
            address,
            stdout,
            log: Some(log),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Sends the signal and gives what it said to the end.
    pub(crate) fn stop(mut self, signal: &str) -> Output {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(killed.success());
        Output {
            status: self.child.wait().unwrap(),
            stdout: Vec::new(),
            stderr: self.log.take().unwrap().join().unwrap(),
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
