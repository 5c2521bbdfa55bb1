//! The `longwire` command: talk, serve, load, check, record, proxy.
//!
//! Bottom-up: `args` (the command line), `output` (how things are printed), `exit`
//! (codes and advice), `wire` (frames as bytes, for tools that look at them or
//! break them), `way` (to a server), then a folder for each command.

mod args;

mod output;

mod exit;

mod wire;

mod way;

mod generate;

mod connect;

mod serve;

mod bench;

mod ping;

mod check;

mod proxy;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("could not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = match cli.command {
        Command::Connect(args) => runtime.block_on(connect::run(*args)),
        Command::Serve(args) => runtime.block_on(serve::run(*args)),
        Command::Bench(args) => runtime.block_on(bench::run(*args)),
        Command::Ping(args) => runtime.block_on(ping::run(*args)),
        Command::Check(args) => runtime.block_on(check::run(*args)),
        Command::Proxy(args) => runtime.block_on(proxy::run(*args)),
        Command::Record(args) => runtime.block_on(proxy::record(*args)),
        Command::Replay(args) => runtime.block_on(proxy::replay(*args)),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    };
    // A thread may still wait for a line from the terminal.
    runtime.shutdown_background();
    code
}
