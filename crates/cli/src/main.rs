//! The `longwire` command: serve and talk WebSocket from a terminal.
//!
//! Bottom-up: `output` (how things are printed), `connect`, `serve`; this file
//! has the options, from which help is made.

mod output;

mod connect;

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// WebSockets from a terminal: serve them, talk to them.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server with a demo page, an echo and a chat.
    Serve(Box<serve::Args>),
    /// Talk to a WebSocket server: lines typed are sent, messages are printed.
    Connect(Box<connect::Args>),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("could not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = match args.command {
        Command::Serve(args) => runtime.block_on(serve::run(*args)),
        Command::Connect(args) => runtime.block_on(connect::run(*args)),
    };
    // A thread may still wait for a line from the terminal.
    runtime.shutdown_background();
    code
}
