//! `longwire check`: does a server, or a client, keep the RFCs?
//!
//! Bottom-up: `log` (what went over the wire), `outcome` (what came of a case),
//! `session` (an open connection), `server` (the server under test); for clients
//! `accept` (a correct handshake), `command` (a client that is started), `desk`
//! (where cases and clients meet), `client` (the client under test); `case` (what
//! a case is), `expect` (what may be expected), `answer` (how a client's handshake
//! is answered), `cases` (all of them), `choice` (those that were asked for),
//! `report`, `control` (how a client gets to know of cases), `run`.

mod log;

mod outcome;

mod session;

mod server;

mod accept;

mod command;

mod desk;

mod client;

mod case;

mod expect;

mod answer;

mod cases;

mod choice;

mod report;

mod control;

mod run;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use case::{Body, Case};
use client::{Absent, Invitation, Place};
use control::Channel;
use desk::Desk;
use report::Report;
use server::{Server, Unopened};

use crate::args::check::{Args, ClientArgs, ListArgs, ReportArgs, ServerArgs, What};
use crate::args::way::CompressionArg;
use crate::{exit, output};

/// How long a client may take to ask once more and learn that all is done.
const FAREWELL: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: Args) -> ExitCode {
    match args.what {
        What::Server(args) => check_server(*args).await,
        What::Client(args) => check_client(*args).await,
        What::List(args) => list(&args),
    }
}

async fn check_server(args: ServerArgs) -> ExitCode {
    let server = match Server::new(&args.url, &args.way, args.report.patience) {
        Ok(server) => server,
        Err(error) => return exit::with(&error),
    };
    if args.way.location {
        output::error("a server under test is not followed elsewhere (give the URL it leads to)");
        return ExitCode::from(exit::USAGE);
    }
    let plain = args.way.no_compression || args.way.compression == Some(CompressionArg::Off);
    let cases = chosen(|case| {
        let is_for_servers = !matches!(case.body, Body::Client { .. });
        is_for_servers && args.choice.takes(case) && !(plain && case.is_about_compression())
    });
    if cases.is_empty() {
        output::error("no case matches (`longwire check list` has their ids)");
        return ExitCode::from(exit::USAGE);
    }
    // Whether there is anything to test, before all of it fails.
    let opened = server.open(None).await;
    let wrong = match opened {
        Ok(_) => None,
        // A server that accepts wrongly is one whose faults are to be told.
        Err(Unopened::Wrong(why)) => Some(why),
        Err(Unopened::Way(error)) => return exit::with(&error),
        Err(unopened) => {
            output::error(&format!(
                "{unopened} (is this the URL of a WebSocket echo?)"
            ));
            return ExitCode::from(exit::REFUSED);
        }
    };
    let verbose = args.report.verbose;
    let count = cases.len();
    let stop = exit::stop_signal();
    let report = run::on_server(server, cases, args.jobs.into(), verbose, stop).await;
    let code = tell(&report, &args.report);
    let tried = report.cases.len();
    if tried < count {
        output::error(&format!("{tried} of {count} cases were tried: interrupted"));
        return ExitCode::FAILURE;
    }
    if let Some(why) = wrong {
        output::error(&format!("the server accepts wrongly: {why}"));
        return ExitCode::from(exit::REFUSED);
    }
    code
}

/// Writes and prints what came of a run.
fn tell(report: &Report, args: &ReportArgs) -> ExitCode {
    let to_stdout = |path: &std::path::PathBuf| path.as_os_str() == "-";
    let is_json = args.json.as_ref().is_some_and(to_stdout);
    let written = report.write(args).and_then(|()| {
        if is_json {
            return Ok(());
        }
        report::terminal::tell(report, args.verbose)
    });
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        output::error(&error.to_string());
        return ExitCode::from(exit::FAILED);
    }
    if report.is_good(args.strict) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn check_client(args: ClientArgs) -> ExitCode {
    let cases = chosen(|case| args.choice.takes(case) && !matches!(case.body, Body::Server(_)));
    if cases.is_empty() {
        output::error("no case matches (`longwire check list` has their ids)");
        return ExitCode::from(exit::USAGE);
    }
    let bound = match tokio::net::TcpListener::bind(&args.listen).await {
        Ok(listener) => listener.local_addr().map(|address| (listener, address)),
        Err(error) => Err(error),
    };
    let (listener, address) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            let at = &args.listen;
            output::error(&format!(
                "could not listen on {at}: {error} (--listen takes another address)"
            ));
            return ExitCode::from(exit::USAGE);
        }
    };
    let invitation = args.run.map_or(Invitation::Asked, Invitation::Run);
    anstream::eprintln!("Listening on http://{address}/");
    if matches!(invitation, Invitation::Asked) {
        output::note(&format!(
            "The client asks http://{address}/next?client=NAME for its cases, or ws://{address}/next"
        ));
    }
    let jobs = match invitation {
        Invitation::Asked => 1,
        Invitation::Run(_) => args.jobs.into(),
    };
    let tested = match &invitation {
        Invitation::Asked => "a client".to_owned(),
        Invitation::Run(line) => line.clone(),
    };
    let desk = Arc::new(Desk::default());
    let report = Arc::new(Mutex::new(Report::new(tested, "client")));
    let channel = Arc::new(Channel {
        desk: Arc::clone(&desk),
        report: Arc::clone(&report),
        patience: args.report.patience,
    });
    let serving = tokio::spawn(channel.serve(listener));
    let place = Place {
        desk: Arc::clone(&desk),
        address: address.to_string(),
        invitation,
        patience: args.report.patience,
        idle: args.idle,
    };
    let count = cases.len();
    let stop = exit::stop_signal();
    let running = run::on_client(&place, cases, jobs, args.report.verbose, &report);
    let gone = tokio::select! {
        ran = running => ran.err(),
        () = stop => Some(Absent::Interrupted),
    };
    desk.close();
    if gone.is_none() && jobs_are_asked_for(&place) {
        let _ = tokio::time::timeout(FAREWELL, desk.has_bid_farewell()).await;
    }
    serving.abort();
    let mut report = report
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(name) = desk.known_name() {
        report.tested = name;
    }
    let code = tell(&report, &args.report);
    let tried = report.cases.len();
    match gone {
        Some(Absent::Gone(time)) => {
            output::error(&format!(
                "{tried} of {count} cases were tried: the client asked for no more within {time:?}"
            ));
            ExitCode::FAILURE
        }
        Some(_) => {
            output::error(&format!("{tried} of {count} cases were tried: interrupted"));
            ExitCode::FAILURE
        }
        None => code,
    }
}

fn jobs_are_asked_for(place: &Place) -> bool {
    matches!(place.invitation, Invitation::Asked)
}

fn chosen(takes: impl Fn(&Case) -> bool) -> Vec<Case> {
    cases::all().into_iter().filter(takes).collect()
}

fn list(args: &ListArgs) -> ExitCode {
    match print_list(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::with_output(&error),
    }
}

fn print_list(args: &ListArgs) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    for case in chosen(|case| args.choice.takes(case)) {
        if args.json {
            let role = match case.body {
                Body::Talk { .. } => "both",
                Body::Server(_) => "server",
                Body::Client { .. } => "client",
            };
            let line = serde_json::json!({
                "id": case.id,
                "section": case.section,
                "level": case.level,
                "role": role,
                "sent": case.sent,
                "expected": case.expected,
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{:<40} {}", case.id, case.section)?;
            writeln!(out, "    sent:     {}", case.sent)?;
            writeln!(out, "    expected: {}", case.expected)?;
        }
    }
    out.flush()
}
