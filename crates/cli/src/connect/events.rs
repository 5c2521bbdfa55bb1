//! The objects of `--json`. Their shape is a promise: it is told by `--help`.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longwire::{Closed, ClosedBy, Message};
use serde::Serialize;
use serde_json::value::RawValue;

use super::clock::rfc3339;
use super::look::Direction;

/// An event and its time.
#[derive(Serialize)]
pub(super) struct Timed<'a> {
    event: &'static str,
    time: String,
    #[serde(flatten)]
    body: Event<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Event<'a> {
    Open {
        url: String,
        http: String,
        subprotocol: Option<&'a str>,
        compression: Option<String>,
    },
    Text {
        direction: &'static str,
        #[serde(rename = "type")]
        kind: &'static str,
        data: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        values: Vec<&'a RawValue>,
    },
    Binary {
        direction: &'static str,
        #[serde(rename = "type")]
        kind: &'static str,
        base64: String,
    },
    /// What was sent as it was read: it is not kept.
    Stream {
        bytes: u64,
    },
    Ping {
        direction: &'static str,
        base64: String,
    },
    Pong {
        direction: &'static str,
        base64: String,
        latency_ms: Option<f64>,
    },
    Retry {
        wait_ms: u64,
    },
    Close {
        code: u16,
        reason: &'a str,
        clean: bool,
        by: &'static str,
    },
    Error {
        message: &'a str,
        exit: u8,
    },
}

impl<'a> Event<'a> {
    /// A message, with what a filter has found in it.
    pub(super) fn message(direction: Direction, message: &'a Message, values: &[&'a str]) -> Self {
        let direction = direction.name();
        match message {
            Message::Text(text) => Self::Text {
                direction,
                kind: "text",
                data: text,
                values: values
                    .iter()
                    .filter_map(|value| serde_json::from_str(value).ok())
                    .collect(),
            },
            Message::Binary(bytes) => Self::Binary {
                direction,
                kind: "binary",
                base64: STANDARD.encode(bytes),
            },
        }
    }

    pub(super) fn ping(direction: Direction, payload: &[u8]) -> Self {
        Self::Ping {
            direction: direction.name(),
            base64: STANDARD.encode(payload),
        }
    }

    pub(super) fn pong(direction: Direction, payload: &[u8], latency: Option<Duration>) -> Self {
        Self::Pong {
            direction: direction.name(),
            base64: STANDARD.encode(payload),
            latency_ms: latency.map(|latency| (latency.as_secs_f64() * 1e6).round() / 1e3),
        }
    }

    pub(super) fn close(closed: &'a Closed) -> Self {
        Self::Close {
            code: closed.code.get(),
            reason: &closed.reason,
            clean: closed.clean,
            by: match closed.by {
                ClosedBy::Local => "local",
                ClosedBy::Peer => "peer",
                ClosedBy::Failure(_) => "failure",
                ClosedBy::Timeout(_) => "timeout",
                _ => "lost",
            },
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Text { .. } | Self::Binary { .. } => "message",
            Self::Stream { .. } => "sent",
            Self::Ping { .. } => "ping",
            Self::Pong { .. } => "pong",
            Self::Retry { .. } => "retry",
            Self::Close { .. } => "close",
            Self::Error { .. } => "error",
        }
    }

    /// The object and a line break.
    pub(super) fn line(self, time: SystemTime) -> String {
        let timed = Timed {
            event: self.name(),
            time: rfc3339(time),
            body: self,
        };
        // Strings and numbers alone: it cannot fail.
        serde_json::to_string(&timed).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_shape_that_the_help_tells() {
        let line = |event: Event<'_>| event.line(SystemTime::UNIX_EPOCH);
        let time = r#""time":"1970-01-01T00:00:00.000Z""#;
        let text = Message::text(r#"{"a": 12345678901234567890}"#);
        assert_eq!(
            line(Event::message(
                Direction::Received,
                &text,
                &["12345678901234567890"]
            )),
            format!(
                "{{\"event\":\"message\",{time},\"direction\":\"received\",\"type\":\"text\",\
                 \"data\":\"{{\\\"a\\\": 12345678901234567890}}\",\"values\":[12345678901234567890]}}\n"
            )
        );
        let binary = Message::from(b"\0\xff");
        assert_eq!(
            line(Event::message(Direction::Sent, &binary, &[])),
            format!(
                "{{\"event\":\"message\",{time},\"direction\":\"sent\",\"type\":\"binary\",\"base64\":\"AP8=\"}}\n"
            )
        );
        let pong = Event::pong(Direction::Received, b"", Some(Duration::from_micros(1234)));
        assert_eq!(
            line(pong),
            format!(
                "{{\"event\":\"pong\",{time},\"direction\":\"received\",\"base64\":\"\",\"latency_ms\":1.234}}\n"
            )
        );
        let closed = Closed::abnormal(ClosedBy::Lost);
        assert_eq!(
            line(Event::close(&closed)),
            format!(
                "{{\"event\":\"close\",{time},\"code\":1006,\"reason\":\"\",\"clean\":false,\"by\":\"lost\"}}\n"
            )
        );
    }
}
