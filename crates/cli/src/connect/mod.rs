//! `longwire connect`: a WebSocket as a pipe between stdin and stdout.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use longwire::{Closed, Receiver, Sender, Socket};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::args::connect::Args;
use crate::{exit, output};

pub(crate) async fn run(args: Args) -> ExitCode {
    let client = match args.way.client() {
        Ok(client) => client,
        Err(error) => return exit::with(&error),
    };
    let connected = tokio::select! {
        result = client.connect(&args.url) => result,
        _ = tokio::signal::ctrl_c() => return ExitCode::FAILURE,
    };
    match connected {
        Ok(socket) => talk(socket, args.wait).await,
        Err(error) => exit::with(&error),
    }
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
