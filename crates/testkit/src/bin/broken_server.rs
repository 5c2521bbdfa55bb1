//! An echo server that keeps RFC 6455 and RFC 7692, or breaks one rule of them.

use std::process::ExitCode;

use longwire_testkit::broken::server::{Options, Server};
use longwire_testkit::broken::{FAULTS, Plan, Role};

const HELP: &str = "\
An echo server that keeps RFC 6455 and RFC 7692, or breaks one rule of them.

Usage: broken-server [--listen ADDRESS] [--break FAULT] [--no-deflate]
       broken-server --list

  --listen ADDRESS  where to listen [default: 127.0.0.1:0, a free port]
  --break FAULT     the rule to break; --list has them all
  --no-deflate      decline permessage-deflate
  --list            print the faults a server can have, a line of JSON each

Its first line says where it listens.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broken-server: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut listen = "127.0.0.1:0".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--listen" => listen = value()?,
            "--break" => options.plan = Plan(Some(value()?.parse()?)),
            "--no-deflate" => options.deflate = false,
            "--list" => {
                for entry in FAULTS.iter().filter(|entry| entry.role != Role::Client) {
                    println!("{}", serde_json::to_string(entry)?);
                }
                return Ok(());
            }
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(());
            }
            _ => return Err(format!("unknown argument {argument:?}; try --help").into()),
        }
    }
    let server = Server::start(&listen, options).map_err(|error| format!("{listen}: {error}"))?;
    println!("listening on {}", server.url());
    server.wait();
    Ok(())
}
