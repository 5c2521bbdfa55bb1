//! The command line: every option of every command, and nothing else. The help,
//! the man pages and the completions are made of it (the last two by `build.rs`,
//! which is why this needs nothing but clap).
//!
//! `values` has what a value may look like, `way` the options of all commands
//! that go to a server, `threshold` what a measurement must not pass.

pub(crate) mod values;

pub(crate) mod way;

pub(crate) mod threshold;

pub(crate) mod bench;

pub(crate) mod check;

pub(crate) mod connect;

pub(crate) mod generate;

pub(crate) mod ping;

pub(crate) mod proxy;

pub(crate) mod serve;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  longwire serve                                  a server to try things on
  longwire connect ws://127.0.0.1:8000/echo       talk to it
  longwire bench ws://127.0.0.1:8000/echo         see how fast it answers
  longwire check server ws://127.0.0.1:8000/echo  see whether it keeps the RFCs
  longwire proxy ws://127.0.0.1:8000              see what others say to it

`longwire COMMAND --help` has the options and examples of each.";

/// WebSockets from a terminal: talk, serve, load, check, record, proxy.
#[derive(Parser)]
#[command(
    name = "longwire",
    version,
    long_version = LONG_VERSION,
    propagate_version = true,
    max_term_width = 100,
    after_help = EXAMPLES,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The version, and what this build can do.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nprotocols:  RFC 6455 (WebSocket), RFC 7692 (permessage-deflate), RFC 8441 (HTTP/2)",
    "\ntransports: TCP, Unix sockets, TLS 1.2 and 1.3, HTTP CONNECT and SOCKS5 proxies",
);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Talk to a server: lines typed are sent, messages are printed
    Connect(Box<connect::Args>),
    /// Run a server: a demo, an echo, a chat, a command for each connection, files
    Serve(Box<serve::Args>),
    /// Measure a server under load
    Bench(Box<bench::Args>),
    /// Measure the steps to a server, and the round trip of a ping
    Ping(Box<ping::Args>),
    /// Test whether a server or a client keeps the RFCs
    Check(Box<check::Args>),
    /// Stand between client and server, and show, record or disturb what passes
    Proxy(Box<proxy::Args>),
    /// Record what passes between client and server in a file
    Record(Box<proxy::RecordArgs>),
    /// Play a recording to a server, and compare its answers
    Replay(Box<proxy::ReplayArgs>),
    /// Print the completions of a shell
    Completions(generate::CompletionsArgs),
    /// Print a man page, or write all of them to a folder
    Man(generate::ManArgs),
}
