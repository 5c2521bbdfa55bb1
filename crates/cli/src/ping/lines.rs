//! What `longwire ping` prints: lines for people, or an object in each.

use std::io::{self, Write as _};
use std::time::Duration;

use longwire::{Closed, ClosedBy, Socket};
use owo_colors::OwoColorize as _;
use serde_json::json;

use super::summary::{Summary, millis};
use crate::output::harmless;

/// Prints events in one of the two forms. Each fails where stdout is closed.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    pub(super) json: bool,
}

impl Lines {
    pub(super) fn open(
        self,
        socket: &Socket,
        steps: &[(&str, Duration)],
        whole: Duration,
    ) -> io::Result<()> {
        let url = socket.uri().to_string();
        let address = socket.peer_addr().map(|address| address.to_string());
        let http = format!("{:?}", socket.http_version());
        if self.json {
            let steps: Vec<_> = steps
                .iter()
                .map(|(step, took)| json!({"step": step, "ms": millis(*took)}))
                .collect();
            return object(&json!({
                "event": "open",
                "url": url,
                "http": http,
                "address": address,
                "compression": compression(socket),
                "subprotocol": socket.subprotocol(),
                "steps": steps,
                "ms": millis(whole),
            }));
        }
        let mut stdout = anstream::stdout().lock();
        let at = address.map_or_else(String::new, |address| format!(" at {address}"));
        let deflate = socket.compression().map_or("", |_| ", permessage-deflate");
        let url = harmless(&url);
        writeln!(stdout, "{}{at}, {http}{deflate}", url.bold())?;
        let steps: Vec<String> = steps
            .iter()
            .map(|(step, took)| format!("{} {}", step.dimmed(), time(millis(*took))))
            .collect();
        let (steps, whole) = (steps.join("  "), time(millis(whole)));
        writeln!(stdout, "{steps}  {} {whole}", "=".dimmed())?;
        stdout.flush()
    }

    pub(super) fn pong(self, seq: u64, took: Duration, late: bool) -> io::Result<()> {
        let took = millis(took);
        if self.json {
            let mut event = json!({"event": "pong", "seq": seq, "latency_ms": took});
            if late {
                event["late"] = true.into();
            }
            return object(&event);
        }
        let late = if late { " (late)" } else { "" };
        line(&format!("pong: seq={seq} time={}{late}", time(took)))
    }

    pub(super) fn timeout(self, seq: u64, after: Duration) -> io::Result<()> {
        if self.json {
            return object(&json!({"event": "timeout", "seq": seq}));
        }
        let after = time(millis(after));
        line(
            &format!("no pong: seq={seq} after {after}")
                .yellow()
                .to_string(),
        )
    }

    pub(super) fn closed(self, closed: Option<&Closed>) -> io::Result<()> {
        if self.json {
            return object(&json!({
                "event": "close",
                "code": closed.map_or(1006, |closed| closed.code.get()),
                "reason": closed.map_or("", |closed| &closed.reason),
                "clean": closed.is_some_and(|closed| closed.clean),
                "by": closed.map_or("lost", |closed| match closed.by {
                    ClosedBy::Local => "local",
                    ClosedBy::Peer => "peer",
                    ClosedBy::Failure(_) => "failure",
                    ClosedBy::Timeout(_) => "timeout",
                    _ => "lost",
                }),
            }));
        }
        let how = closed.map_or_else(String::new, |closed| harmless(&closed.to_string()));
        line(&format!("closed: {how}").yellow().to_string())
    }

    pub(super) fn summary(self, url: &str, summary: &Summary) -> io::Result<()> {
        if self.json {
            let mut event = json!({"event": "summary"});
            if let (Some(event), Ok(serde_json::Value::Object(fields))) =
                (event.as_object_mut(), serde_json::to_value(summary))
            {
                event.extend(fields);
            }
            return object(&event);
        }
        let (sent, received, loss) = (summary.sent, summary.received, summary.loss);
        line("")?;
        line(&format!("{}", harmless(url).bold()))?;
        line(&format!("{sent} sent, {received} answered, {loss}% lost"))?;
        let (Some(min), Some(avg), Some(max), Some(stddev)) =
            (summary.min, summary.avg, summary.max, summary.stddev)
        else {
            return Ok(());
        };
        line(&format!(
            "round trip min/avg/max/stddev = {min:.3}/{avg:.3}/{max:.3}/{stddev:.3} ms"
        ))
    }
}

/// What was agreed on, as the server said it.
fn compression(socket: &Socket) -> Option<String> {
    socket.compression()?;
    let value = socket.response_headers().get("sec-websocket-extensions")?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn time(millis: f64) -> String {
    let digits = if millis < 10.0 { 3 } else { 1 };
    format!("{millis:.digits$} ms")
}

fn line(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

fn object(event: &serde_json::Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{event}")?;
    stdout.flush()
}
