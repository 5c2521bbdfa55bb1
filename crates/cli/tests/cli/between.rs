//! `longwire proxy` and `longwire record` as a test runs them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::program::started;

/// How long to wait for what has to come.
const DEADLINE: Duration = Duration::from_mins(1);

/// A proxy on a free port, stopped with the test.
pub(crate) struct Between {
    child: Child,
    /// Where clients connect to: `127.0.0.1:PORT`, or the path of a socket.
    pub(crate) address: String,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// How a proxy ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Between {
    /// `longwire proxy` with these options.
    pub(crate) fn proxy(options: &[&str]) -> Self {
        Self::start(&["proxy", "--listen", "127.0.0.1:0"], options)
    }

    /// The same in JSON.
    pub(crate) fn json(options: &[&str]) -> Self {
        Self::start(&["proxy", "--json", "--listen", "127.0.0.1:0"], options)
    }

    /// `longwire record` to this file.
    pub(crate) fn record(file: &Path, options: &[&str]) -> Self {
        let file = file.to_str().unwrap();
        Self::start(&["record", "-o", file, "--listen", "127.0.0.1:0"], options)
    }

    /// The command as it is given.
    pub(crate) fn start(command: &[&str], options: &[&str]) -> Self {
        let mut child = started(command, options);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut pipe = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            text
        });
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let own = match serde_json::from_str::<Value>(&first) {
            Ok(header) => header["listen"].as_str().unwrap().to_owned(),
            Err(_) => match first.split(' ').nth(3) {
                Some(own) => own.to_owned(),
                None => panic!("expected an address in the first line, got {first:?}"),
            },
        };
        let (_, address) = own.split_once(':').unwrap();
        let address = address.trim_start_matches("//").to_owned();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            address,
            lines,
            stderr: Some(stderr),
        }
    }

    /// Its URL.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// The next line that has this in it, and those before.
    pub(crate) fn lines_to(&self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => {
                    let is_last = line.contains(part);
                    lines.push(line);
                    if is_last {
                        return lines;
                    }
                }
                Err(error) => panic!("expected a line with {part:?}, got {lines:?}: {error}"),
            }
        }
    }

    /// The events up to the end of a connection, of a proxy with `--json`.
    pub(crate) fn events_to_end(&self) -> Vec<Value> {
        let lines = self.lines_to(r#""event":"end""#);
        lines.iter().map(|line| event(line)).collect()
    }

    /// Sends the signal and waits for the end.
    pub(crate) fn stop(mut self, signal: &str) -> Ended {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        Ended {
            status,
            stderr: self.stderr.take().unwrap().join().unwrap(),
        }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn event(line: &str) -> Value {
    match serde_json::from_str(line) {
        Ok(event) => event,
        Err(error) => panic!("expected an event, got {line:?}: {error}"),
    }
}

/// Those of the events that are messages of this side: opcode and data.
pub(crate) fn messages<'e>(events: &'e [Value], from: &str) -> Vec<(&'e str, &'e str)> {
    let of_side = events
        .iter()
        .filter(|event| event["event"] == "message" && event["from"] == *from);
    of_side
        .map(|event| {
            let data = event["data"].as_str().or(event["base64"].as_str());
            (event["opcode"].as_str().unwrap(), data.unwrap_or(""))
        })
        .collect()
}

/// A folder of its own for a test, removed with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("longwire-cli-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The lines of a recording: its header and its events.
pub(crate) fn recording(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.ends_with('\n'), "each line is whole");
    text.lines().map(event).collect()
}
