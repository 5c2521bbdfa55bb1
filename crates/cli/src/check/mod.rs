//! `longwire check`: does a server, or a client, keep the RFCs?
//!
//! Bottom-up: `log` (what went over the wire), `outcome` (what came of a case),
//! `session` (an open connection),
//! `answer` (how a client's handshake is answered), `server` (the server under
//! test), `case` (what a case is), `expect` (what may be expected), `cases` (all
//! of them), `choice` (those that were asked for), `report`, `run`.

mod log;

mod outcome;

mod session;

mod answer;

mod server;

mod case;

mod expect;

mod cases;

mod choice;

mod report;

mod run;

use std::process::ExitCode;

use case::{Body, Case};
use server::Server;

use crate::args::check::{Args, ListArgs, ServerArgs, What};
use crate::{exit, output};

pub(crate) async fn run(args: Args) -> ExitCode {
    match args.what {
        What::Server(args) => check_server(*args).await,
        What::List(args) => list(&args),
    }
}

async fn check_server(args: ServerArgs) -> ExitCode {
    let server = match Server::new(&args.url, &args.way, args.report.patience) {
        Ok(server) => server,
        Err(error) => return exit::with(&error),
    };
    let cases = chosen(|case| args.choice.takes(case) && !matches!(case.body, Body::Client(_)));
    if cases.is_empty() {
        output::error("no case matches (`longwire check list` has their ids)");
        return ExitCode::from(exit::USAGE);
    }
    // Whether there is anything to test, before all of it fails.
    if let Err(unopened) = server.open(None).await {
        return match unopened {
            server::Unopened::Way(error) => exit::with(&error),
            unopened => {
                output::error(&format!(
                    "{unopened} (is this the URL of a WebSocket echo?)"
                ));
                ExitCode::from(exit::REFUSED)
            }
        };
    }
    let verbose = args.report.verbose;
    let report = run::on_server(server, cases, args.jobs.into(), verbose).await;
    if let Err(error) = report.write(&args.report) {
        output::error(&error);
        return ExitCode::from(exit::USAGE);
    }
    let to_stdout = |path: &std::path::PathBuf| path.as_os_str() == "-";
    if !args.report.json.as_ref().is_some_and(to_stdout) {
        report::terminal::tell(&report, verbose);
    }
    if report.is_good(args.report.strict) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn chosen(takes: impl Fn(&Case) -> bool) -> Vec<Case> {
    cases::all().into_iter().filter(takes).collect()
}

fn list(args: &ListArgs) -> ExitCode {
    for case in chosen(|case| args.choice.takes(case)) {
        if args.json {
            let role = match case.body {
                Body::Talk { .. } => "both",
                Body::Server(_) => "server",
                Body::Client(_) => "client",
            };
            let line = serde_json::json!({
                "id": case.id,
                "section": case.section,
                "level": case.level,
                "role": role,
                "sent": case.sent,
                "expected": case.expected,
            });
            anstream::println!("{line}");
        } else {
            anstream::println!("{:<40} {}", case.id, case.section);
            anstream::println!("    sent:     {}", case.sent);
            anstream::println!("    expected: {}", case.expected);
        }
    }
    ExitCode::SUCCESS
}
