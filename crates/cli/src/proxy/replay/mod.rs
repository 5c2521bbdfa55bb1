//! `longwire replay`: play what the clients of a recording said to a server,
//! and compare what it answers.
//!
//! Read `source` (events from a recording or a HAR file), `script` (what is to
//! be said, and answered), `play` (to a server), `path` (fields that are not
//! compared), `json`, `compare` (two lists of answers), `diff` (of two
//! texts), `report`.

mod source;

mod script;

mod play;

mod path;

mod json;

mod compare;

mod diff;

mod report;

use std::path::Path;
use std::process::ExitCode;

use super::event::Header;
use super::{har, show};
use crate::args::proxy::ReplayArgs;
use crate::{exit, output};
use path::FieldPath;
use play::{PlayError, Settings};
use script::Script;

pub(super) async fn run(args: ReplayArgs) -> ExitCode {
    let Some(url) = &args.url else {
        return read(&args);
    };
    let (script, ignored) = match prepare(&args) {
        Ok(prepared) => prepared,
        Err(error) => return wrong(&error),
    };
    let client = match args.way.client() {
        Ok(client) => client,
        Err(error) => return exit::with(&error),
    };
    let settings = Settings {
        url: url.clone(),
        client,
        offers_own: !args.way.subprotocol.is_empty(),
        speed: args.speed,
        within: args.within,
    };
    let played = tokio::select! {
        played = play::play(&script, &settings) => played,
        _ = tokio::signal::ctrl_c() => return failed("stopped before the end"),
    };
    let played = match played {
        Ok(played) => played,
        Err(PlayError::Connect(conn, error)) => {
            output::error(&format!("connection {conn}: {}", exit::explain(&error)));
            return ExitCode::from(exit::code(&error));
        }
        Err(PlayError::TooMuch) => return failed(&PlayError::TooMuch.to_string()),
    };
    let report = report::Report::new(&script, &played, &ignored);
    let told = if args.json {
        show::json(&report)
    } else {
        report.print()
    };
    if told.is_err() || !report.same {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn prepare(args: &ReplayArgs) -> Result<(Script, Vec<FieldPath>), String> {
    let ignored = args.ignore.iter().map(|path| FieldPath::parse(path));
    let ignored = ignored.collect::<Result<_, _>>()?;
    Ok((Script::read(&args.file, &args.connection)?, ignored))
}

/// Shows the recording, or makes a HAR file of it.
fn read(args: &ReplayArgs) -> ExitCode {
    if let Some(out) = &args.har {
        if source::is_har(&args.file) {
            let file = args.file.display();
            return wrong(&format!(
                "{file} is a HAR file: expected a recording of `longwire record`"
            ));
        }
        return match har::export(&args.file, out) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => wrong(&error),
        };
    }
    let shown = shown(&args.file, &args.connection, args.json);
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => wrong(&error),
    }
}

fn shown(file: &Path, connections: &[u64], json: bool) -> Result<(), String> {
    // Whoever reads what is printed has seen enough once it is closed.
    let mut is_open = true;
    let begin = |header: &Header| {
        if json {
            let _ = show::json(header);
        } else {
            let Header { url, started, .. } = header;
            output::note(&format!("recorded in front of {url} from {started} on"));
        }
    };
    source::each(file, begin, |event| {
        let is_wanted = connections.is_empty() || connections.contains(&event.conn);
        if is_open && is_wanted {
            let printed = if json {
                show::json(&event)
            } else {
                show::event(&event)
            };
            is_open = printed.is_ok();
        }
        Ok(())
    })
}

fn wrong(error: &str) -> ExitCode {
    output::error(error);
    ExitCode::from(exit::USAGE)
}

fn failed(error: &str) -> ExitCode {
    output::error(error);
    ExitCode::from(exit::FAILED)
}
