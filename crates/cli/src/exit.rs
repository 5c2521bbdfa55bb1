//! How a command that goes to a server ends: the exit codes, and what a person
//! can do about an error.

use std::process::ExitCode;

use longwire::Error;
use longwire::error::{Fault, UsageError};

use crate::output;

/// The connection was lost, or the work failed.
pub(crate) const FAILED: u8 = 1;

/// The command line, a file or the URL is wrong.
pub(crate) const USAGE: u8 = 2;

/// The server could not be reached.
pub(crate) const UNREACHABLE: u8 = 3;

/// The server refused the handshake, or answered it wrongly.
pub(crate) const REFUSED: u8 = 4;

/// Done at Ctrl-C, or at what a service manager sends: from this call on, and not
/// only once it is waited for.
pub(crate) fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt());
        let terminate = signal(SignalKind::terminate());
        async move {
            let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
                let _ = tokio::signal::ctrl_c().await;
                return;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
    }
    #[cfg(not(unix))]
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// What could not be printed: nothing is wrong where a reader has enough.
pub(crate) fn with_output(error: &std::io::Error) -> ExitCode {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    output::error(&format!("could not write to stdout: {error}"));
    ExitCode::from(FAILED)
}

/// Tells an error with what can be done about it, and gives the exit code.
pub(crate) fn with(error: &Error) -> ExitCode {
    output::error(&explain(error));
    ExitCode::from(code(error))
}

/// An error and what to try next, in a line.
pub(crate) fn explain(error: &Error) -> String {
    format!("{error}{}", advice(error))
}

/// What the person at the prompt can do.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::Resolve { .. } => " (is the host's name right?)",
        Error::Connect { .. } => " (is a server listening there?)",
        Error::Tls { .. } if error.fault() == Fault::Peer => {
            " (--insecure takes any certificate, --ca-file a CA's)"
        }
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

/// The exit code of an error.
pub(crate) fn code(error: &Error) -> u8 {
    match error {
        Error::Usage(_) => USAGE,
        Error::Resolve { .. }
        | Error::Connect { .. }
        | Error::Proxy(_)
        | Error::Tls { .. }
        | Error::Timeout { .. } => UNREACHABLE,
        Error::Refused(_)
        | Error::Redirect(_)
        | Error::Handshake(_)
        | Error::Http(_)
        | Error::Http2 { .. } => REFUSED,
        _ => FAILED,
    }
}
