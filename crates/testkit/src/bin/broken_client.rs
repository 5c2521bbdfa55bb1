//! An echo client that keeps RFC 6455 and RFC 7692, or breaks one rule of them.

use std::process::ExitCode;

use longwire_testkit::broken::client::{Options, run_case};
use longwire_testkit::broken::{FAULTS, Plan, Role};

const HELP: &str = "\
An echo client that keeps RFC 6455 and RFC 7692, or breaks one rule of them.

Usage: broken-client --url URL [--break FAULT] [--extensions OFFER] [--compression BOOL]
                     [--subprotocols LIST]
       broken-client --list

  --url URL            where to connect to, such as ws://127.0.0.1:9001/
  --break FAULT        the rule to break; --list has them all
  --extensions OFFER   what to offer [default: permessage-deflate; client_max_window_bits]
  --compression BOOL   false offers no extension [default: true]
  --subprotocols LIST  the subprotocols to offer, with commas
  --list               print the faults a client can have, a line of JSON each

What a tester fills in:

  longwire check client \
    --run 'broken-client --url {url} --compression {compression} --subprotocols {subprotocols}'

It says how the connection ended. Exit codes: 0 closed, lost or failed once it was open,
1 not opened, 2 the command line is wrong.";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("broken-client: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut url = None;
    let mut compressed = true;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--url" => url = Some(value()?),
            "--break" => options.plan = Plan(Some(value()?.parse()?)),
            "--extensions" => options.extensions = Some(value()?),
            "--compression" => compressed = value()?.parse()?,
            "--subprotocols" => {
                // Empty where a tester has none to fill in.
                let list = arguments.next().unwrap_or_default();
                let names = list
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                options.subprotocols = names.map(str::to_owned).collect();
            }
            "--list" => {
                for entry in FAULTS.iter().filter(|entry| entry.role != Role::Server) {
                    println!("{}", serde_json::to_string(entry)?);
                }
                return Ok(ExitCode::SUCCESS);
            }
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            _ => return Err(format!("unknown argument {argument:?}; try --help").into()),
        }
    }
    if !compressed {
        options.extensions = None;
    }
    let url = url.ok_or("--url is needed; try --help")?;
    match run_case(&url, &options) {
        Ok(ended) => {
            println!("{ended:?}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("broken-client: {error}");
            Ok(ExitCode::FAILURE)
        }
    }
}
