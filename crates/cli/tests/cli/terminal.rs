//! The `longwire` command in a pseudo-terminal, and what its user sees.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take that a test waits for.
const DEADLINE: Duration = Duration::from_mins(1);

/// Lines that the terminal remembers above its screen.
const SCROLLBACK: usize = 2000;

/// A folder of a test's own, removed with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("longwire-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What has come out of the terminal.
struct Shown {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    ended: bool,
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// A program in a terminal of 80 columns and 24 rows.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
}

impl Terminal {
    /// `longwire` with these arguments, and its state in this folder.
    pub(crate) fn longwire(arguments: &[&str], state: &Folder) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_longwire"));
        command.args(arguments);
        Self::run(command, state)
    }

    /// A line of the shell, in which `$LONGWIRE` is the command.
    pub(crate) fn shell(line: &str, state: &Folder) -> Self {
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", line]);
        command.env("LONGWIRE", env!("CARGO_BIN_EXE_longwire"));
        Self::run(command, state)
    }

    pub(crate) fn run(mut command: CommandBuilder, state: &Folder) -> Self {
        command.env("TERM", "xterm-256color");
        command.env("XDG_STATE_HOME", &state.0);
        command.env_remove("RUST_LOG");
        let size = PtySize {
            rows: 24,
            cols: 80,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Shown {
            parser: vt100::Parser::new(cells(24), cells(80), SCROLLBACK),
            bytes: Vec::new(),
            ended: false,
        };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let its_shown = shown.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // At the end of the program, Linux fails the read.
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                let mut shown = its_shown.0.lock().unwrap();
                shown.bytes.extend_from_slice(&buffer[..read]);
                shown.parser.process(&buffer[..read]);
                its_shown.1.notify_all();
            }
            its_shown.0.lock().unwrap().ended = true;
            its_shown.1.notify_all();
        });
        Self {
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            child,
            shown,
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until what is on the screen is as it should be, and gives it.
    #[track_caller]
    pub(crate) fn wait_for(&self, is_there: impl Fn(&str) -> bool) -> String {
        self.wait(|shown| Some(shown.parser.screen().contents()).filter(|text| is_there(text)))
    }

    /// Waits for a text on the screen.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) -> String {
        self.wait_for(|screen| screen.contains(text))
    }

    /// Waits for a text that stands where lines may wrap.
    #[track_caller]
    pub(crate) fn see_wrapped(&self, text: &str) {
        self.wait_for(|screen| screen.replace('\n', "").contains(text));
    }

    #[track_caller]
    fn wait(&self, done: impl Fn(&mut Shown) -> Option<String>) -> String {
        let (shown, changed) = &*self.shown;
        let mut shown = shown.lock().unwrap();
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            if let Some(text) = done(&mut shown) {
                return text;
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if shown.ended || left.is_zero() {
                let why = if shown.ended {
                    "the program ended"
                } else {
                    "it took too long"
                };
                panic!(
                    "{why}; on the screen:\n{}",
                    shown.parser.screen().contents()
                );
            }
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        let killed = std::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(killed.unwrap().success());
    }

    /// Makes the terminal as wide.
    pub(crate) fn resize(&self, cols: u16) {
        let (shown, _) = &*self.shown;
        shown
            .lock()
            .unwrap()
            .parser
            .screen_mut()
            .set_size(cells(24), cells(cols));
        let size = PtySize {
            rows: 24,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        self.master.resize(size).unwrap();
    }

    /// All that has come out so far, as it came.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shown.0.lock().unwrap().bytes.clone()
    }

    /// The row and column of the cursor, from 0.
    pub(crate) fn cursor(&self) -> (u16, u16) {
        self.shown
            .0
            .lock()
            .unwrap()
            .parser
            .screen()
            .cursor_position()
    }

    /// Waits for the end, and gives the exit code and what was on the screen.
    pub(crate) fn end(mut self) -> (u32, String) {
        let (shown, changed) = &*self.shown;
        let waiting = |shown: &mut Shown| !shown.ended;
        let locked = shown.lock().unwrap();
        let (locked, waited) = changed
            .wait_timeout_while(locked, DEADLINE, waiting)
            .unwrap();
        let screen = locked.parser.screen().contents();
        drop(locked);
        assert!(!waited.timed_out(), "the program does not end:\n{screen}");
        (self.child.wait().unwrap().exit_code(), screen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
