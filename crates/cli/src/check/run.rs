//! Runs cases against a server, or a client.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures_util::stream::{self, StreamExt as _};

use super::case::{Body, Case};
use super::client::{Absent, Brief, Client, Place};
use super::log::Log;
use super::outcome::{Outcome, Verdict};
use super::report::terminal::Progress;
use super::report::{Report, Tried};
use super::server::{Server, Unopened};

/// Cases that press the server: they run alone, so that they disturb no other.
const ALONE: [&str; 2] = ["hostile", "limits"];

impl Report {
    /// A report of nothing yet.
    pub(crate) fn new(tested: String, role: &'static str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            tester: concat!("longwire ", env!("CARGO_PKG_VERSION")).to_owned(),
            tested,
            role,
            began: now.map_or(0, |since| since.as_secs()),
            seconds: 0.0,
            cases: Vec::new(),
        }
    }
}

/// Tries each case that can be tried on a server, until it is told to stop.
pub(crate) async fn on_server(
    server: Server,
    cases: Vec<Case>,
    jobs: usize,
    verbose: bool,
    stop: impl Future<Output = ()>,
) -> Report {
    let began = Instant::now();
    let mut report = Report::new(server.shown.clone(), "server");
    let mut stop = std::pin::pin!(stop);
    let progress = Progress::new(cases.len());
    let server = Arc::new(server);
    let (alone, together): (Vec<Case>, Vec<Case>) = cases
        .into_iter()
        .partition(|case| ALONE.contains(&case.group()));
    'all: for (cases, jobs) in [(together, jobs), (alone, 1)] {
        let mut running = stream::iter(cases)
            .map(|case| {
                let server = Arc::clone(&server);
                async move { try_on_server(&server, &case).await }
            })
            .buffered(jobs);
        loop {
            let tried = tokio::select! {
                tried = running.next() => tried,
                () = &mut stop => break 'all,
            };
            let Some(tried) = tried else { break };
            progress.tell(&tried, verbose);
            report.cases.push(tried);
        }
    }
    drop(progress);
    report.seconds = began.elapsed().as_secs_f64();
    report
}

async fn try_on_server(server: &Server, case: &Case) -> Tried {
    let began = Instant::now();
    let server = server.for_case();
    let (outcome, log) = match &case.body {
        Body::Talk { offer, run } => match server.open(*offer).await {
            Ok(mut session) if offer.is_some() && session.deflate.is_none() => {
                let skip = Outcome::Skip("the server did not agree to compression".to_owned());
                (skip, std::mem::replace(&mut session.log, Log::new()))
            }
            Ok(mut session) => {
                let outcome = run(&mut session).await;
                (outcome, session.log)
            }
            Err(Unopened::Silence) => {
                let why = "no answer to a correct handshake".to_owned();
                (Outcome::Fail(why), server.take_log())
            }
            // Cases of their own tell what is wrong with it.
            Err(Unopened::Wrong(why)) => {
                let why = format!("no connection: {why}");
                (Outcome::Skip(why), server.take_log())
            }
            Err(unopened) => (unopened.into(), server.take_log()),
        },
        Body::Server(attempt) => {
            let outcome = attempt(&server).await;
            (outcome, server.take_log())
        }
        Body::Client { .. } => (Outcome::Skip("for clients".to_owned()), Log::new()),
    };
    let ms = began.elapsed().as_secs_f64() * 1e3;
    Tried::new(case, &outcome.at(case.level), ms, log)
}

/// Tries each case that can be tried on a client. What came of them so far is in
/// `report`. Gives up where the client is gone, and says after how long.
pub(crate) async fn on_client(
    place: &Place,
    cases: Vec<Case>,
    jobs: usize,
    verbose: bool,
    report: &Mutex<Report>,
) -> Result<(), Absent> {
    let began = Instant::now();
    let progress = Progress::new(cases.len());
    let mut gone = Ok(());
    let (alone, together): (Vec<Case>, Vec<Case>) = cases
        .into_iter()
        .partition(|case| ALONE.contains(&case.group()));
    'all: for (cases, jobs) in [(together, jobs), (alone, 1)] {
        let mut running = stream::iter(cases)
            .map(|case| async move { try_on_client(place, &case).await })
            .buffered(jobs);
        while let Some((tried, absent)) = running.next().await {
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            report.seconds = began.elapsed().as_secs_f64();
            if let Some(absent @ Absent::Gone(_)) = absent {
                blame_the_last(&mut report);
                gone = Err(absent);
                break 'all;
            }
            progress.tell(&tried, verbose);
            report.cases.push(tried);
        }
    }
    drop(progress);
    gone
}

/// A client that asks for no more after a case may have died of it.
fn blame_the_last(report: &mut Report) {
    if let Some(last) = report.cases.last_mut() {
        let before = last.observed.take().map(|observed| format!("{observed}; "));
        let before = before.unwrap_or_default();
        last.observed = Some(format!(
            "{before}after this case the client asked for no more: did it die?"
        ));
        last.verdict = Verdict::Failed;
    }
}

async fn try_on_client(place: &Place, case: &Case) -> (Tried, Option<Absent>) {
    let (subprotocols, compression) = match &case.body {
        Body::Talk { offer, .. } => (&[][..], offer.is_some()),
        Body::Client {
            subprotocols,
            compression,
            ..
        } => (*subprotocols, *compression),
        Body::Server(_) => (&[][..], false),
    };
    let brief = Brief {
        case: &case.id,
        subprotocols,
        compression,
        sent: &case.sent,
        expected: &case.expected,
    };
    let client = Client::new(place, brief);
    let began = Instant::now();
    let outcome = match &case.body {
        Body::Talk { offer, run } => match client.open(*offer).await {
            Ok(mut session) => {
                let outcome = if offer.is_some() && session.deflate.is_none() {
                    // The client's program goes on when its connection ends.
                    session.close().await;
                    Outcome::Skip("the client did not offer the compression needed".to_owned())
                } else {
                    run(&mut session).await
                };
                client.keep_log(session.log);
                outcome
            }
            Err(outcome) => outcome,
        },
        Body::Client { run, .. } => run(&client).await,
        Body::Server(_) => Outcome::Skip("for servers".to_owned()),
    };
    let ms = began.elapsed().as_secs_f64() * 1e3;
    let tried = Tried::new(case, &outcome.at(case.level), ms, client.take_log());
    (tried, client.absent())
}
