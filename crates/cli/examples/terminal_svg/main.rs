//! Records a session of the real program in a terminal as an animated SVG:
//!
//! ```sh
//! cargo run --release --example terminal_svg -- docs/session.svg
//! ```
//!
//! `terminal` runs a shell in a pseudo-terminal, `drawing` makes the SVG; this
//! file has what is typed.

// Pixels are small numbers.
#![allow(clippy::cast_precision_loss)]

mod terminal;

mod drawing;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use terminal::Terminal;

/// Where the session's server listens.
const URL: &str = "ws://127.0.0.1:8000/echo";

/// A server for the session, stopped at its end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let file = std::env::args_os()
        .nth(1)
        .map_or_else(|| "session.svg".into(), PathBuf::from);
    let folder = std::env::current_exe().expect("a path of this program");
    // target/release/examples/terminal_svg is beside target/release/longwire.
    let folder = folder
        .ancestors()
        .nth(2)
        .expect("a folder above")
        .to_owned();
    let server = Command::new(folder.join("longwire"))
        .args(["serve", "--log", "error"])
        .stdout(Stdio::null())
        .spawn()
        .expect("longwire (cargo build --release -p longwire-cli)");
    let _server = Server(server);
    let mut terminal = Terminal::open(&folder);
    terminal.wait_for("$ ");
    play(&mut terminal);
    let svg = drawing::draw(&terminal.take_frames());
    std::fs::write(&file, svg).expect("a file that can be written");
    println!("wrote {}", file.display());
}

/// What a person does.
fn play(terminal: &mut Terminal) {
    terminal.enter(&format!("longwire connect {URL}"));
    terminal.wait_for("connected");
    terminal.pause(800);
    terminal.enter("hello");
    terminal.wait_for("< hello");
    terminal.enter(r#"{"symbol": "LWR", "price": 42.5, "live": true}"#);
    terminal.wait_for("                  \"price\": 42.5");
    terminal.pause(800);
    terminal.enter("/ping");
    terminal.wait_for("pong");
    terminal.pause(800);
    terminal.enter("/close 1000 bye");
    terminal.wait_for("closed");
    terminal.pause(1200);
    terminal.enter("clear");
    terminal.enter(&format!("longwire bench --duration 3s --window 16 {URL}"));
    terminal.wait_for("p99.99");
    terminal.pause(2500);
    terminal.enter("clear");
    terminal.enter(&format!(
        "longwire check server --case 'utf8.*' --case 'close.*' {URL}"
    ));
    terminal.wait_for(" cases in ");
    terminal.pause(3000);
}
