//! Events as a person reads them: a line each, a colour for each connection.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use owo_colors::{AnsiColors, OwoColorize as _};

use super::event::{End, Event, Exchange, FrameSeen, Message, Payload, Side, What};
use crate::output;

/// Bytes of a message that are shown.
const SHOWN: usize = 1024;

/// The colours that connections take turns in.
const COLOURS: [AnsiColors; 6] = [
    AnsiColors::Cyan,
    AnsiColors::Yellow,
    AnsiColors::Magenta,
    AnsiColors::Green,
    AnsiColors::Blue,
    AnsiColors::BrightRed,
];

/// Prints an event on stdout. Fails where that is closed.
pub(super) fn event(event: &Event) -> io::Result<()> {
    let index = usize::try_from(event.conn.saturating_sub(1)).unwrap_or(0) % COLOURS.len();
    let colour = COLOURS.get(index).copied().unwrap_or(AnsiColors::Default);
    let conn = format!("#{}", event.conn);
    let time = format!("{:9.3}", event.t);
    let text = match &event.what {
        What::Open(exchange) => open(exchange),
        What::Http(exchange) => http(exchange),
        What::Message(seen) => message(seen),
        What::Frame(seen) => frame(seen),
        What::End(end) => ended(end),
    };
    let mut stdout = anstream::stdout().lock();
    writeln!(
        stdout,
        "{} {} {text}",
        conn.color(colour).bold(),
        time.dimmed()
    )?;
    stdout.flush()
}

/// Prints a line of JSON on stdout. Fails where that is closed.
pub(super) fn json(line: &impl serde::Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&bytes)?;
    stdout.flush()
}

/// A number of things, as one says it.
pub(super) fn count(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

fn open(exchange: &Exchange) -> String {
    let peer = one_line(&exchange.peer);
    let url = one_line(&exchange.url);
    let response = exchange.response.head();
    let status = one_line(response.first_line.trim_start_matches("HTTP/1.1 "));
    let mut text = format!("{} {peer} to {url}: ", "open".bold());
    if response.status() == Some(101) {
        text.push_str(&status.green().to_string());
        for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
            if let Some(value) = response.get(name) {
                let _ = write!(text, ", {}", one_line(value).dimmed());
            }
        }
    } else {
        text.push_str(&status.red().to_string());
    }
    text
}

fn http(exchange: &Exchange) -> String {
    let request = exchange.request.line.trim_end_matches(" HTTP/1.1");
    let status = exchange.response.line.trim_start_matches("HTTP/1.1 ");
    format!(
        "{} {}: {}",
        "http".bold(),
        one_line(request),
        one_line(status)
    )
}

fn message(message: &Message) -> String {
    let arrow = arrow(message.from.unwrap_or(Side::Client));
    let mut about = format!("{} bytes", message.len);
    if message.compressed {
        let _ = write!(about, ", {} compressed", message.wire_len);
    }
    if message.fragments > 1 {
        let _ = write!(about, ", {} fragments", message.fragments);
    }
    let mut text = format!("{arrow} {} {}", message.opcode.bold(), about.dimmed());
    if let Some(code) = message.code {
        let _ = write!(text, " {}", code.yellow());
    }
    if let Some(reason) = message
        .reason
        .as_deref()
        .filter(|reason| !reason.is_empty())
    {
        let _ = write!(text, " {}", one_line(reason));
    }
    if let Some(fault) = &message.fault {
        let _ = write!(text, " {}", fault.red());
    }
    payload(&mut text, &message.payload);
    text
}

fn frame(frame: &FrameSeen) -> String {
    let mut about = format!("{} bytes", frame.len);
    if frame.fin {
        about.push_str(", fin");
    }
    for (bit, name) in [(4, "rsv1"), (2, "rsv2"), (1, "rsv3")] {
        if frame.rsv & bit != 0 {
            let _ = write!(about, ", {name}");
        }
    }
    if frame.masked {
        about.push_str(", masked");
    }
    let what = format!("frame: {}, {about}", frame.opcode);
    format!("{} {}", arrow(frame.from), what.dimmed())
}

fn ended(end: &End) -> String {
    let text = format!("{} by the {}: {}", "end".bold(), end.by, one_line(&end.why));
    text.dimmed().to_string()
}

/// Who speaks: the client to the right, the server to the left.
fn arrow(from: Side) -> String {
    match from {
        Side::Client => ">".green().bold().to_string(),
        Side::Server => "<".cyan().bold().to_string(),
    }
}

fn payload(text: &mut String, payload: &Payload) {
    if let Some(data) = &payload.data {
        let end = data.floor_char_boundary(SHOWN);
        let shown = data.get(..end).unwrap_or_default();
        let _ = write!(text, " {}", one_line(shown));
        if end < data.len() || payload.truncated {
            text.push_str(" …");
        }
    } else if let Some(bytes) = payload.bytes() {
        let shown = bytes.get(..SHOWN / 4).unwrap_or(&bytes);
        for byte in shown {
            let _ = write!(text, " {byte:02x}");
        }
        if shown.len() < bytes.len() || payload.truncated {
            text.push_str(" …");
        }
    }
}

/// Text of a peer on one line, and nothing in it that a terminal would obey.
fn one_line(text: &str) -> String {
    output::harmless(text)
        .replace('\n', "\\n")
        .replace('\t', "\\t")
}
