//! `longwire connect`: a WebSocket as a pipe between stdin and stdout. `way` has
//! the options of how to get to the server.

mod way;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use longwire::error::UsageError;
use longwire::{Closed, Error, Receiver, Sender, Socket};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::output;

const EXIT_CODES: &str = "\
Exit codes:
  0  the connection was closed by a closing handshake
  1  the connection was lost, or failed
  2  the command line or the URL is wrong
  3  the server could not be reached
  4  the server refused the handshake, or answered it wrongly";

/// Options of `longwire connect`.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Where to connect to, such as <ws://127.0.0.1:8000/echo>
    url: String,
    /// Offer a subprotocol; may be repeated, the favourite first
    #[arg(short, long, value_name = "NAME")]
    subprotocol: Vec<String>,
    /// Add a header to the request; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = parse_header)]
    header: Vec<(String, String)>,
    /// Send this Origin, as a browser on that site would
    #[arg(short, long, value_name = "ORIGIN")]
    origin: Option<String>,
    #[command(flatten)]
    way: way::WayArgs,
    /// Go on printing messages for so long after stdin has ended
    #[arg(short, long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds)]
    wait: Duration,
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    text.split_once(':')
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| format!("expected \"Name: value\", got {text:?}"))
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("expected a number of seconds, got {text:?}"))
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let client = match args.way.client() {
        Ok(client) => client,
        Err(error) => {
            output::error(&error.to_string());
            return exit_code(&error);
        }
    };
    let mut client = client;
    for name in &args.subprotocol {
        client = client.subprotocol(name);
    }
    for (name, value) in &args.header {
        client = client.header(name, value);
    }
    if let Some(origin) = &args.origin {
        client = client.origin(origin);
    }
    let connected = tokio::select! {
        result = client.connect(&args.url) => result,
        _ = tokio::signal::ctrl_c() => return ExitCode::FAILURE,
    };
    match connected {
        Ok(socket) => talk(socket, args.wait).await,
        Err(error) => {
            output::error(&format!("{error}{}", advice(&error)));
            exit_code(&error)
        }
    }
}

/// What the person at the prompt can do.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::Resolve { .. } => " (is the host's name right?)",
        Error::Connect { .. } => " (is a server listening there?)",
        Error::Tls { .. } => " (--insecure takes any certificate, --ca-file a CA's)",
        Error::Http(_) => " (does the port speak HTTP?)",
        Error::Usage(UsageError::Scheme { scheme }) if scheme == "http" => " (write ws:// instead)",
        Error::Usage(UsageError::Scheme { scheme }) if scheme == "https" => {
            " (write wss:// instead)"
        }
        Error::Usage(UsageError::Scheme { .. } | UsageError::Url { .. }) => {
            " (write ws:// or wss:// in front)"
        }
        Error::Refused(refusal) => match refusal.status.as_u16() {
            401 => " (send credentials with --user or --bearer)",
            403 => " (the server may expect another --origin)",
            404 => " (is the path right?)",
            300..=399 => " (--location follows redirects)",
            _ => "",
        },
        Error::Timeout { .. } => " (try again, or check the network in between)",
        _ => "",
    }
}

fn exit_code(error: &Error) -> ExitCode {
    ExitCode::from(match error {
        Error::Usage(_) => 2,
        Error::Resolve { .. }
        | Error::Connect { .. }
        | Error::Proxy(_)
        | Error::Tls { .. }
        | Error::Timeout { .. } => 3,
        Error::Refused(_)
        | Error::Redirect(_)
        | Error::Handshake(_)
        | Error::Http(_)
        | Error::Http2 { .. } => 4,
        _ => 1,
    })
}

async fn talk(socket: Socket, wait: Duration) -> ExitCode {
    let interactive = std::io::stdin().is_terminal();
    if interactive {
        let subprotocol = socket
            .subprotocol()
            .map_or_else(String::new, |name| format!(" with {name}"));
        output::note(&format!(
            "connected to {}{subprotocol}; Ctrl-D closes",
            socket.uri()
        ));
    }
    let (sender, receiver) = socket.split();
    let stopping = tokio::spawn(stop_on_ctrl_c(sender.clone()));
    let sending = tokio::spawn(send_lines(sender, read_lines(), wait));
    let printed = print_messages(receiver).await;
    sending.abort();
    stopping.abort();
    match printed {
        Ok(Some(closed)) => end(&closed, interactive),
        Ok(None) => ExitCode::FAILURE,
        // Whoever read our output has enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&format!("could not write to stdout: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn end(closed: &Closed, interactive: bool) -> ExitCode {
    if closed.clean {
        let harmless = output::harmless(&closed.to_string());
        if interactive || closed.code != 1000 {
            output::note(&format!("closed: {harmless}"));
        }
        return ExitCode::SUCCESS;
    }
    output::error(&format!("the connection broke: {closed}"));
    ExitCode::FAILURE
}

/// Prints what comes until the connection ends, and tells how.
async fn print_messages(mut receiver: Receiver) -> std::io::Result<Option<Closed>> {
    while let Some(message) = receiver.next().await {
        match message {
            Ok(message) => output::message(&message)?,
            Err(_) => break,
        }
    }
    Ok(receiver.closed())
}

/// Closes at the first Ctrl-C, ends at the second.
async fn stop_on_ctrl_c(sender: Sender) {
    if tokio::signal::ctrl_c().await.is_ok() {
        close(&sender);
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(1);
        }
    }
}

/// Sends each line, then closes.
async fn send_lines(sender: Sender, mut lines: mpsc::Receiver<String>, wait: Duration) {
    loop {
        let Some(line) = lines.recv().await else {
            break;
        };
        // The end of the connection is told by the receiving half.
        if sender.send(line).await.is_err() {
            return;
        }
    }
    sleep(wait).await;
    close(&sender);
}

fn close(sender: &Sender) {
    // 1000 without a reason can always be sent.
    let _ = sender.close(1000, "");
}

/// The lines of stdin, read by a thread: a terminal cannot be asked otherwise.
fn read_lines() -> mpsc::Receiver<String> {
    let (lines, received) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut line = Vec::new();
        while let Ok(1..) = stdin.read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if lines.blocking_send(text.to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    received
}
