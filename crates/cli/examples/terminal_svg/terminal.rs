//! A shell in a pseudo-terminal, and what its screen showed when.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use vt100::{Parser, Screen};

/// Lines and columns of the screen.
pub(crate) const SIZE: (u16, u16) = (26, 92);

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(90);

/// Changes within this time are one picture.
const PICTURE: Duration = Duration::from_millis(60);

/// The screen at an instant.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) at: Duration,
    pub(crate) screen: Screen,
}

/// What the reading thread keeps.
struct Seen {
    parser: Parser,
    frames: Vec<Frame>,
    began: Instant,
}

impl Seen {
    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        let at = self.began.elapsed();
        let screen = self.parser.screen().clone();
        match self.frames.last_mut() {
            Some(last) if at < last.at + PICTURE => last.screen = screen,
            _ => self.frames.push(Frame { at, screen }),
        }
    }
}

fn nonzero(size: u16) -> NonZero<u16> {
    NonZero::new(size).unwrap_or(NonZero::<u16>::MIN)
}

/// A shell that is typed into.
pub(crate) struct Terminal {
    keyboard: Box<dyn Write + Send>,
    seen: Arc<Mutex<Seen>>,
    shell: Box<dyn Child + Send + Sync>,
}

impl Terminal {
    /// A shell that finds the program in this folder.
    pub(crate) fn open(folder: &Path) -> Self {
        let (rows, cols) = SIZE;
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system()
            .openpty(size)
            .expect("a pseudo-terminal");
        let mut command = CommandBuilder::new("bash");
        command.args(["--norc", "--noprofile"]);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", folder.display()));
        command.env("PS1", "\\[\\e[32m\\]$\\[\\e[0m\\] ");
        command.env("TERM", "xterm-256color");
        command.env("HISTFILE", "/dev/null");
        // The program's own history stays out of it too.
        command.env("XDG_STATE_HOME", std::env::temp_dir().join("terminal_svg"));
        let shell = pair.slave.spawn_command(command).expect("bash");
        let seen = Arc::new(Mutex::new(Seen {
            parser: Parser::new(nonzero(rows), nonzero(cols), 0),
            frames: Vec::new(),
            began: Instant::now(),
        }));
        let mut output = pair
            .master
            .try_clone_reader()
            .expect("the terminal's output");
        let keyboard = pair.master.take_writer().expect("the terminal's input");
        let taking = Arc::clone(&seen);
        thread::spawn(move || {
            // The master lives as long as it is read.
            let _master = pair.master;
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = output.read(&mut buffer) {
                let mut seen = taking.lock().unwrap_or_else(PoisonError::into_inner);
                seen.take(&buffer[..len]);
            }
        });
        Self {
            keyboard,
            seen,
            shell,
        }
    }

    /// Types a line as fast as a person does, and Enter.
    pub(crate) fn enter(&mut self, line: &str) {
        for char in line.chars() {
            self.type_text(char.encode_utf8(&mut [0; 4]));
            self.pause(35);
        }
        self.pause(250);
        self.type_text("\r");
    }

    fn type_text(&mut self, text: &str) {
        self.keyboard
            .write_all(text.as_bytes())
            .expect("a terminal that takes keys");
        self.keyboard.flush().expect("a terminal that takes keys");
    }

    /// Waits until the screen shows this.
    pub(crate) fn wait_for(&self, text: &str) {
        let began = Instant::now();
        while !self.contents().contains(text) {
            let waited = began.elapsed();
            assert!(
                waited < PATIENCE,
                "expected {text:?} in\n{}",
                self.contents()
            );
            self.pause(20);
        }
    }

    fn contents(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.parser.screen().contents()
    }

    /// Lets time pass.
    #[allow(clippy::unused_self)]
    pub(crate) fn pause(&self, millis: u64) {
        sleep(Duration::from_millis(millis));
    }

    /// What the screen showed, in order.
    pub(crate) fn take_frames(mut self) -> Vec<Frame> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = std::mem::take(&mut seen.frames);
        drop(seen);
        // What it says of its end is not shown.
        let _ = self.shell.kill();
        frames
    }
}
