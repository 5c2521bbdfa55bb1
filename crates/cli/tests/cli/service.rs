//! `longwire serve` as a service: signalled while it runs, and its log read.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::program::longwire;

/// Longer than anything takes, so that what hangs fails by name.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder for one test, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("longwire-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file; gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Lines as they come.
#[derive(Clone, Default)]
struct Lines(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Lines {
    fn follow(reader: impl std::io::Read + Send + 'static) -> Self {
        let lines = Self::default();
        let filled = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                filled.0.0.lock().unwrap().push(line);
                filled.0.1.notify_all();
            }
        });
        lines
    }

    /// The first line with these words, once it is there.
    fn wait_for(&self, words: &str) -> String {
        self.wait_for_nth(words, 0)
    }

    /// The line with these words that has so many of them before.
    fn wait_for_nth(&self, words: &str, before: usize) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.0.0.lock().unwrap();
        loop {
            let mut with_words = lines.iter().filter(|line| line.contains(words));
            if let Some(line) = with_words.nth(before) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{words:?} is not in {lines:#?}");
            lines = self.0.1.wait_timeout(lines, left).unwrap().0;
        }
    }
}

/// A server that runs, ended with its test.
pub(crate) struct Service {
    child: Child,
    said: Lines,
    log: Lines,
    /// Where it listens, as `127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Service {
    /// With these options, on a free port unless they say where.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::run(longwire(&["serve", "--listen", "127.0.0.1:0"]).args(options))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        Self::run_with_stdin(command, Stdio::null())
    }

    pub(crate) fn run_with_stdin(command: &mut Command, stdin: Stdio) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Lines::follow(child.stdout.take().unwrap());
        let log = Lines::follow(child.stderr.take().unwrap());
        let mut service = Self {
            child,
            said,
            log,
            address: String::new(),
        };
        let line = service.said.wait_for("Longwire listens on");
        let (_, rest) = line.split_once("://").unwrap();
        rest.trim_end_matches('/').clone_into(&mut service.address);
        service.said.wait_for("Ctrl-C stops it");
        service
    }

    /// The first line of the log with these words, once it is there.
    pub(crate) fn logged(&self, words: &str) -> String {
        self.log.wait_for(words)
    }

    /// Waits until so many lines of the log have these words.
    pub(crate) fn logged_times(&self, words: &str, count: usize) {
        self.log.wait_for_nth(words, count - 1);
    }

    /// The address of what the first lines say with these words.
    pub(crate) fn said(&self, words: &str) -> String {
        self.said.wait_for(words)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(killed.success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A plain request, with these header fields: the whole answer.
pub(crate) fn request(address: &str, path: &str, fields: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A request as it is: the head of the answer.
pub(crate) fn head(address: &str, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Waits until something is so, which nothing tells of.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The next message of a socket, which has to come soon.
pub(crate) async fn next(socket: &mut longwire::Socket) -> longwire::Message {
    let next = tokio::time::timeout(PATIENCE, socket.next()).await;
    next.expect("a message in time").unwrap().unwrap()
}

/// The end of a socket, which has to come soon: its code and reason.
pub(crate) async fn end(socket: &mut longwire::Socket) -> (u16, String) {
    let ending = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(PATIENCE, ending)
        .await
        .expect("an end in time");
    let closed = socket.closed().unwrap();
    (closed.code.get(), closed.reason)
}
