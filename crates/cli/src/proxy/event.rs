//! What is recorded: a header, then an event for each thing that happens, each
//! a line of JSON. `docs/recording.md` describes it for others.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::args::proxy::SideArg;
use crate::wire::{Frame, Head, Item, Opcode, shown};

/// The version of the format that is written.
pub(super) const VERSION: u32 = 1;

/// The last second of the year 9999, behind which RFC 3339 has no date.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl From<SideArg> for Side {
    fn from(argument: SideArg) -> Self {
        match argument {
            SideArg::Client => Self::Client,
            SideArg::Server => Self::Server,
        }
    }
}

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`VERSION`].
    pub(super) longwire_recording: u32,
    /// The server behind the proxy.
    pub(super) url: String,
    /// Where the proxy listened.
    pub(super) listen: String,
    pub(super) started: String,
}

/// A line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    /// Seconds since the connection began.
    pub(super) t: f64,
    /// The same as a date (RFC 3339).
    pub(super) at: String,
    /// The connection, counted from 1.
    pub(super) conn: u64,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum What {
    /// A handshake was answered, with 101 or otherwise.
    Open(Exchange),
    /// A plain HTTP request was answered.
    Http(Exchange),
    /// A message or a control frame has passed.
    Message(Message),
    /// A frame has passed.
    Frame(FrameSeen),
    /// The connection is over.
    End(End),
}

/// A request and its response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Exchange {
    /// The client's address.
    pub(super) peer: String,
    /// What the server was asked for.
    pub(super) url: String,
    pub(super) request: HeadSeen,
    pub(super) response: HeadSeen,
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct HeadSeen {
    pub(super) line: String,
    pub(super) fields: Vec<(String, String)>,
}

impl From<Head> for HeadSeen {
    fn from(head: Head) -> Self {
        Self {
            line: shown(&head.first_line),
            fields: head
                .fields
                .iter()
                .map(|(name, value)| (name.clone(), shown(value)))
                .collect(),
        }
    }
}

impl HeadSeen {
    /// The head as one.
    pub(super) fn head(&self) -> Head {
        Head {
            first_line: self.line.clone(),
            fields: self.fields.clone(),
        }
    }
}

/// Bytes: as text where they are, and in base64 otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
    /// Whether it is only the beginning of what passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) truncated: bool,
}

impl Payload {
    fn new(bytes: &[u8], is_text: bool, truncated: bool) -> Self {
        // A text that was cut within a character is text still.
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if is_text => Some(text),
            Err(error) if is_text && truncated && error.error_len().is_none() => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
            }
            _ => None,
        };
        Self {
            data: text.map(str::to_owned),
            base64: text.is_none().then(|| STANDARD.encode(bytes)),
            truncated,
        }
    }

    /// The bytes; `None` where the base64 is none.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.data, &self.base64) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(base64)) => STANDARD.decode(base64).ok(),
            (None, None) => Some(Vec::new()),
        }
    }
}

/// A message, put together and inflated, or a control frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) from: Option<Side>,
    pub(super) opcode: String,
    /// Bytes of what it says: of what was on the wire where that is not known.
    pub(super) len: u64,
    /// Bytes of payload on the wire.
    #[serde(default)]
    pub(super) wire_len: u64,
    #[serde(default)]
    pub(super) fragments: usize,
    #[serde(default)]
    pub(super) masked: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) compressed: bool,
    #[serde(flatten)]
    pub(super) payload: Payload,
    /// The code of a Close frame that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Why the data is what was on the wire, and not what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
}

impl Message {
    pub(super) fn new(from: Side, item: &Item, masked: bool, fault: Option<String>) -> Self {
        let frame = Frame::new(item.opcode, item.data.clone());
        let close = frame.close_code();
        let is_readable = fault.is_none() && item.opcode != Opcode::BINARY && close.is_none();
        let payload = if close.is_some() {
            Payload::default()
        } else {
            Payload::new(&item.data, is_readable, item.truncated)
        };
        Self {
            from: Some(from),
            opcode: item.opcode.to_string(),
            len: if item.truncated || fault.is_some() {
                item.wire_len
            } else {
                item.data.len() as u64
            },
            wire_len: item.wire_len,
            fragments: item.fragments,
            masked,
            compressed: item.compressed,
            payload,
            code: close.as_ref().map(|close| close.0),
            reason: close.map(|close| close.1),
            fault,
        }
    }
}

/// A frame as it passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FrameSeen {
    pub(super) from: Side,
    pub(super) opcode: String,
    pub(super) fin: bool,
    /// RSV1 is 4, RSV2 2, RSV3 1.
    pub(super) rsv: u8,
    pub(super) masked: bool,
    pub(super) len: u64,
    #[serde(flatten)]
    pub(super) payload: Payload,
}

impl FrameSeen {
    pub(super) fn new(from: Side, frame: &Frame) -> Self {
        let truncated = (frame.payload.len() as u64) < frame.payload_len;
        let is_text = frame.opcode == Opcode::TEXT && frame.rsv == 0;
        Self {
            from,
            opcode: frame.opcode.to_string(),
            fin: frame.fin,
            rsv: frame.rsv,
            masked: frame.masking_key.is_some(),
            len: frame.payload_len,
            payload: Payload::new(&frame.payload, is_text, truncated),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    /// Who ended it: `client`, `server` or `proxy`.
    pub(super) by: String,
    pub(super) why: String,
}

/// A time as a date.
pub(super) fn date(time: SystemTime) -> String {
    OffsetDateTime::from(time)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// A time in seconds since 1970 as a date; whatever a file says becomes one.
pub(super) fn date_of(seconds: f64) -> String {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    date(SystemTime::UNIX_EPOCH + since.min(LATEST))
}

/// The seconds since 1970 of a date.
pub(super) fn seconds(date: &str) -> Option<f64> {
    let date = OffsetDateTime::parse(date, &Rfc3339).ok()?;
    // Microseconds of this century fit a double.
    #[allow(clippy::cast_precision_loss)]
    let micros = (date.unix_timestamp_nanos() / 1000) as f64;
    Some(micros / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_passed_and_is_read_again() {
        let item = Item {
            opcode: Opcode::TEXT,
            data: "héllo".into(),
            wire_len: 4,
            fragments: 2,
            compressed: true,
            truncated: false,
            fault: None,
        };
        let event = Event {
            t: 0.25,
            at: date(SystemTime::UNIX_EPOCH),
            conn: 3,
            what: What::Message(Message::new(Side::Client, &item, true, None)),
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"t":0.25,"at":"1970-01-01T00:00:00Z","conn":3,"event":"message","from":"client","opcode":"text","len":6,"wire_len":4,"fragments":2,"masked":true,"compressed":true,"data":"héllo"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        assert_eq!(seconds("1970-01-01T00:00:01.5Z"), Some(1.5));
        assert_eq!(date_of(1.5), "1970-01-01T00:00:01.5Z");
        for no_time in [1e300, 1e18, -1.0, f64::NAN] {
            assert!(seconds(&date_of(no_time)).is_some(), "{no_time}");
        }
    }

    #[test]
    fn a_text_cut_within_a_character_stays_text_and_binary_is_base64() {
        let cut = Payload::new(&"aé".as_bytes()[..2], true, true);
        assert_eq!((cut.data.as_deref(), cut.truncated), (Some("a"), true));
        let binary = Payload::new(b"abc", false, false);
        assert_eq!(binary.base64.as_deref(), Some("YWJj"));
        assert_eq!(binary.bytes().as_deref(), Some(&b"abc"[..]));
        let wrong = Payload::new(b"a\xff", true, false);
        assert_eq!((wrong.data, wrong.base64), (None, Some("Yf8=".to_owned())));
    }
}
