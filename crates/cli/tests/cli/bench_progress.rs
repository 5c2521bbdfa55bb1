//! What `longwire bench` shows on a terminal while it goes on.
#![cfg(unix)]

use std::fs::File;
use std::io::Read as _;
use std::num::NonZero;
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::program::{Serve, longwire};

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// Starts it with a terminal as its stderr; gives the other end of that.
fn on_a_terminal(arguments: &[&str]) -> (Child, File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize {
        ws_row: ROWS,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let name = name.to_str().unwrap();
    let stderr = File::options().read(true).write(true).open(name).unwrap();
    let child = longwire(arguments)
        .env("TERM", "xterm-256color")
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    (child, File::from(terminal))
}

#[test]
fn a_bar_shows_the_last_second_and_is_gone_in_the_end() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let (child, mut terminal) = on_a_terminal(&["bench", "-c", "2", "-d", "600s", &url]);
    let size = |cells| NonZero::new(cells).unwrap();
    let mut screen = vt100::Parser::new(size(ROWS), size(COLUMNS), 0);
    let mut bytes = [0; 4096];
    let mut stopped = false;
    // The terminal fails where nobody writes to it any more.
    while let Ok(length @ 1..) = terminal.read(&mut bytes) {
        screen.process(&bytes[..length]);
        let shown = screen.screen().contents();
        let live = ["/s  p50 ", "  p99 ", "  max "]
            .iter()
            .all(|part| shown.contains(part));
        if live && !stopped {
            stopped = true;
            let pid = child.id().to_string();
            let killed = std::process::Command::new("kill")
                .args(["-INT", &pid])
                .status();
            assert!(killed.unwrap().success());
        }
    }
    assert!(stopped, "the rate and percentiles were shown");
    assert_eq!(screen.screen().contents(), "", "nothing is left of the bar");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let table = String::from_utf8(output.stdout).unwrap();
    for part in ["interrupted", "p99.99", "received", "no errors"] {
        assert!(table.contains(part), "{table}");
    }
    assert!(!table.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn quiet_is_quiet() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let (mut child, mut terminal) = on_a_terminal(&["bench", "-q", "-n", "10", &url]);
    let mut shown = Vec::new();
    // It ends with an error, as above.
    let _ = terminal.read_to_end(&mut shown);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(String::from_utf8(shown).unwrap(), "");
}
