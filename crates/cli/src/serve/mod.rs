//! `longwire serve`: a server to try things on.
//!
//! Read `chat` and `demo` for what its sockets do, `page` for what browsers
//! get.

mod chat;

mod demo;

mod page;

mod tls;

use std::num::NonZero;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use longwire::server::{BoundServer, OriginPolicy, Route, ServerHandle, ShutdownReport};
use longwire::{Drive, Server};
use owo_colors::OwoColorize as _;
use tracing_subscriber::EnvFilter;

use crate::args::serve::Args;
use crate::{exit, output};

/// How long open sockets have to close on Ctrl-C.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);

/// What is served where, for people.
const ROUTES: [(&str, &str); 4] = [
    ("/", "a page to try it all in a browser"),
    ("/echo", "returns each message as it came"),
    (
        "/chat",
        "a chat room of JSON messages {type, text, id, date}",
    ),
    (
        demo::HELLO,
        "answers \"My name is John\" and closes after 5 s",
    ),
];

pub(crate) async fn run(args: Args) -> ExitCode {
    let filter = match EnvFilter::try_new(&args.log) {
        Ok(filter) => filter,
        Err(error) => {
            let log = &args.log;
            output::error(&format!("expected a log filter, got {log:?}: {error}"));
            return ExitCode::from(exit::USAGE);
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(anstream::stderr)
        .with_target(false)
        .compact()
        .init();
    let processors = || available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let mut server = server(&args.allow_origin)
        .compression(args.compression.into())
        .threads(args.threads.unwrap_or_else(processors));
    let secure = match args.tls.tls(&args.listen) {
        Ok(None) => false,
        Ok(Some(tls)) => {
            server = server.tls(tls);
            true
        }
        Err(error) => {
            output::error(&error);
            return ExitCode::FAILURE;
        }
    };
    let bound = match server.bind(&args.listen).await {
        Ok(bound) => bound,
        Err(error) => {
            output::error(&format!(
                "could not listen on {}: {error} (choose another address with --listen)",
                args.listen
            ));
            return ExitCode::FAILURE;
        }
    };
    announce(&bound, secure);
    if args.tls.is_self_signed() {
        output::note(
            "the certificate is self-signed: browsers warn of it, `connect` takes it with --insecure",
        );
    }
    let handle = bound.handle();
    let running = tokio::spawn(bound.run());
    stop_signal().await;
    output::note("closing all sockets; once more stops at once");
    tokio::select! {
        report = shut_down(&handle) => tell(&report),
        () = stop_signal() => {}
    }
    running.abort();
    ExitCode::SUCCESS
}

fn server(origins: &[String]) -> Server {
    let room = chat::Room::default();
    let chat = Route::new(move |socket| room.clone().join(socket));
    let hello = Route::new(demo::hello).drive(Drive::Task);
    let from = |route: Route| route.origin(policy(origins));
    let mut server = Server::new()
        .route("/", from(demo::echo_route()))
        .route("/socket", from(demo::echo_route()))
        .route("/echo", from(demo::echo_route()))
        .route("/chat", from(chat))
        .route(demo::HELLO, from(hello));
    for (path, asset) in page::ASSETS {
        server = server.page(path, move |request| {
            std::future::ready(page::serve(&request, asset))
        });
    }
    server
}

/// Whose pages may open sockets.
fn policy(origins: &[String]) -> OriginPolicy {
    if origins.is_empty() {
        OriginPolicy::SameOrigin
    } else if origins.iter().any(|origin| origin == "*") {
        OriginPolicy::Any
    } else {
        OriginPolicy::SameOriginOr(origins.to_vec())
    }
}

/// Says what is where. The first line has the address, for scripts.
fn announce(bound: &BoundServer, secure: bool) {
    let address = bound.local_addr();
    let s = if secure { "s" } else { "" };
    let http = format!("http{s}://{address}/");
    anstream::println!("Longwire listens on {}", http.bold().underline());
    anstream::println!();
    for (path, what) in ROUTES {
        let scheme = if path == "/" { "http" } else { "ws" };
        let url = format!("{scheme}{s}://{address}{path}");
        anstream::println!("  {:<60} {}", url.cyan().to_string(), what.dimmed());
    }
    anstream::println!();
    anstream::println!("{}", "Ctrl-C stops it.".dimmed());
}

async fn shut_down(handle: &ServerHandle) -> ShutdownReport {
    handle.shutdown(SHUTDOWN_WITHIN).await
}

fn tell(report: &ShutdownReport) {
    let answered = report.open - report.unanswered.len().min(report.open);
    output::note(&format!(
        "stopped: {answered} of {} sockets closed",
        report.open
    ));
    for peer in report.unanswered.iter().flatten() {
        output::note(&format!("{peer} did not answer the Close frame"));
    }
}

/// Ctrl-C, or what a service manager sends.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
