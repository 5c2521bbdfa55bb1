//! Looks on at the connection: counts what passes, and with `--verbose` shows
//! the handshake and each frame.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use longwire::client::Observer;
use longwire::error::Step;
use longwire::http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use longwire::{CloseCode, Closed, ClosedBy};
use tokio::sync::mpsc;

use super::clock::short;
use super::link::Opened;
use super::look::{Direction, Palette};
use super::screen::Aside;
use super::traffic::{Passed, Traffic};
use crate::output::harmless;
use crate::wire::{DeflateParams, Frame, Opcode};

/// Bytes of a payload shown of a frame.
const START: usize = 48;

/// Pings and pongs that wait to be told.
const MOST_WAITING: usize = 256;

/// A ping or a pong that passed.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) time: SystemTime,
    pub(super) direction: Direction,
    pub(super) opcode: Opcode,
    pub(super) payload: Vec<u8>,
    pub(super) latency: Option<Duration>,
}

/// What the last connection began and ended with.
#[derive(Debug, Default)]
struct Last {
    http: String,
    subprotocol: Option<String>,
    compression: Option<String>,
    /// The server's Close frame.
    close: Option<(CloseCode, String)>,
}

/// The observer of a session.
pub(super) struct Watch {
    traffic: Mutex<Traffic>,
    last: Mutex<Last>,
    verbose: Option<(Aside, Palette)>,
    control: mpsc::Sender<Control>,
}

impl Watch {
    /// Tells of frames here, where that is wanted; pings and pongs come out of
    /// the receiver.
    pub(super) fn new(verbose: Option<(Aside, Palette)>) -> (Self, mpsc::Receiver<Control>) {
        let (control, controls) = mpsc::channel(MOST_WAITING);
        let watch = Self {
            traffic: Mutex::new(Traffic::new()),
            last: Mutex::default(),
            verbose,
            control,
        };
        (watch, controls)
    }

    pub(super) fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a connection that comes back does not say of itself.
    pub(super) fn opened(&self, url: &str) -> Opened {
        let last = self.last();
        Opened {
            url: url.to_owned(),
            http: last.http.clone(),
            subprotocol: last.subprotocol.clone(),
            compression: last.compression.clone(),
        }
    }

    /// How one that comes back ended that this end has closed.
    pub(super) fn closed_here(&self) -> Closed {
        let mut closed = Closed::abnormal(ClosedBy::Local);
        if let Some((code, reason)) = self.last().close.take() {
            closed.code = code;
            closed.reason = reason;
            closed.clean = true;
        }
        closed
    }

    fn passed(&self, direction: Direction, mut bytes: &[u8]) {
        loop {
            let Some(passed) = self.traffic().take(direction, &mut bytes) else {
                return;
            };
            if let Some((aside, palette)) = &self.verbose {
                let arrow = direction.arrow(*palette);
                aside.say(format!("{arrow} {}\n", palette.dim(&describe(&passed))));
            }
            let frame = passed.frame;
            if frame.opcode == Opcode::CLOSE && direction == Direction::Received {
                let close = frame.close_code();
                let close = close.map(|(code, reason)| (CloseCode::from(code), reason));
                self.last().close = Some(close.unwrap_or((CloseCode::NO_STATUS, String::new())));
            }
            if matches!(frame.opcode, Opcode::PING | Opcode::PONG) {
                // Where more come than can be told, they are counted alone.
                let _ = self.control.try_send(Control {
                    time: SystemTime::now(),
                    direction,
                    opcode: frame.opcode,
                    payload: frame.payload,
                    latency: passed.latency,
                });
            }
        }
    }

    fn tell(&self, text: impl FnOnce(Palette) -> String) {
        if let Some((aside, palette)) = &self.verbose {
            aside.say(text(*palette));
        }
    }
}

impl Observer for Watch {
    fn step(&self, step: Step, took: Duration) {
        self.tell(|palette| palette.dim(&format!("* {step}: {}", short(took))) + "\n");
    }

    fn tls(&self, version: &str, cipher_suite: &str, alpn: Option<&[u8]>) {
        self.tell(|palette| {
            let alpn = alpn.map_or_else(String::new, |alpn| {
                format!(", ALPN {}", harmless(&String::from_utf8_lossy(alpn)))
            });
            palette.dim(&format!("* {version} with {cipher_suite}{alpn}")) + "\n"
        });
    }

    fn request(&self, request: &Request<()>) {
        self.tell(|palette| {
            let target = request.uri();
            let first = format!("{} {target} {:?}", request.method(), request.version());
            head(&first, request.headers(), Direction::Sent, palette)
        });
    }

    fn response(&self, version: Version, status: StatusCode, headers: &HeaderMap) {
        let extension = headers.get("sec-websocket-extensions");
        let extension = extension.and_then(|value| value.to_str().ok());
        let subprotocol = headers.get("sec-websocket-protocol");
        let subprotocol = subprotocol.and_then(|value| value.to_str().ok());
        // Agreed on in a refusal, it says nothing.
        if status.as_u16() == 101 || status.is_success() {
            self.traffic()
                .open(extension.and_then(DeflateParams::parse));
            *self.last() = Last {
                http: format!("{version:?}"),
                subprotocol: subprotocol.map(str::to_owned),
                compression: extension.map(str::to_owned),
                close: None,
            };
        }
        self.tell(|palette| {
            let mut text = head(
                &format!("{version:?} {status}"),
                headers,
                Direction::Received,
                palette,
            );
            for (what, agreed) in [("extension", extension), ("subprotocol", subprotocol)] {
                let agreed = harmless(agreed.unwrap_or("none"));
                text.push_str(&palette.dim(&format!("* {what} agreed on: {agreed}")));
                text.push('\n');
            }
            text
        });
    }

    fn sent(&self, bytes: &[u8]) {
        self.passed(Direction::Sent, bytes);
    }

    fn received(&self, bytes: &[u8]) {
        self.passed(Direction::Received, bytes);
    }
}

/// A request or response, each line with its direction.
fn head(first: &str, fields: &HeaderMap, direction: Direction, palette: Palette) -> String {
    let arrow = direction.arrow(palette);
    let mut text = format!("{arrow} {}\n", harmless(first));
    for (name, value) in fields {
        let value = if value.is_sensitive() {
            hidden(value)
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        let _ = writeln!(text, "{arrow} {name}: {}", harmless(&value));
    }
    let _ = writeln!(text, "{arrow}");
    text
}

/// A secret without what is secret of it.
fn hidden(value: &HeaderValue) -> String {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
    format!("{scheme} [hidden]").trim_start().to_owned()
}

/// A frame in a line.
fn describe(passed: &Passed) -> String {
    let frame = &passed.frame;
    let mut text = frame.opcode.to_string();
    if frame.fin {
        text.push_str(" fin");
    }
    for (bit, name) in [(0b100, " rsv1"), (0b010, " rsv2"), (0b001, " rsv3")] {
        if frame.rsv & bit != 0 {
            text.push_str(name);
        }
    }
    if frame.masking_key.is_some() {
        text.push_str(" masked");
    }
    let _ = write!(text, " {} bytes", frame.payload_len);
    if let Some(item) = &passed.inflated {
        let is_text = item.opcode == Opcode::TEXT;
        let _ = write!(
            text,
            ", inflated {}: {}",
            item.data.len(),
            start(&item.data, is_text)
        );
    } else if frame.payload_len > 0 {
        let _ = write!(text, ": {}", payload(frame));
    }
    if let Some(latency) = passed.latency {
        let _ = write!(text, " after {}", short(latency));
    }
    text
}

fn payload(frame: &Frame) -> String {
    if let Some((code, reason)) = frame.close_code() {
        return format!("{code} {reason:?}");
    }
    let is_text = matches!(frame.opcode, Opcode::TEXT | Opcode::PING | Opcode::PONG);
    start(&frame.payload, is_text && !frame.is_compressed())
}

/// The start of a payload, as text where it is that.
fn start(payload: &[u8], is_text: bool) -> String {
    let shown = payload.get(..START).unwrap_or(payload);
    let more = if shown.len() < payload.len() {
        "…"
    } else {
        ""
    };
    if is_text && let Ok(text) | Err(text) = text_of(shown) {
        return format!("{text:?}{more}");
    }
    let hex: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.join(" ") + more
}

/// The text; where it is none to its end, what is before.
fn text_of(bytes: &[u8]) -> Result<&str, &str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Err(std::str::from_utf8(valid).unwrap_or_default())
        }
    }
}
