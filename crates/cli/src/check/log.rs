//! What went over the wire in a case, for its report.

use std::time::Instant;

use serde::Serialize;

use crate::wire::Frame;

/// Entries of a case's log; what comes after them is counted.
const MOST_ENTRIES: usize = 200;

/// Bytes of an entry that are shown.
const SHOWN: usize = 64;

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    Tester,
    Peer,
}

/// A line of the log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    /// Milliseconds since the case began.
    pub(crate) ms: f64,
    pub(crate) by: By,
    /// What it is: a frame with its fields, a head, the end of the stream.
    pub(crate) what: String,
    /// How it begins, in hexadecimal; empty where there are no bytes to show.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) hex: String,
}

/// The log of a case.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    began: Instant,
    pub(crate) entries: Vec<Entry>,
    /// Entries that were left out.
    pub(crate) dropped: usize,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            entries: Vec::new(),
            dropped: 0,
        }
    }

    /// A frame.
    pub(crate) fn frame(&mut self, by: By, frame: &Frame) {
        let what = describe(frame);
        let shown = &frame.payload[..frame.payload.len().min(SHOWN)];
        self.push(by, what, shown);
    }

    /// Bytes that are no frame.
    pub(crate) fn bytes(&mut self, by: By, what: &str, bytes: &[u8]) {
        let shown = &bytes[..bytes.len().min(SHOWN)];
        self.push(by, format!("{what}, {} bytes", bytes.len()), shown);
    }

    /// An HTTP head, without what proves who one is: reports end up with others.
    pub(crate) fn head(&mut self, by: By, text: &str) {
        let hidden = |line: &str| {
            let secret = [
                "authorization:",
                "proxy-authorization:",
                "cookie:",
                "set-cookie:",
            ];
            let lower = line.to_ascii_lowercase();
            match line.split_once(':') {
                Some((name, _)) if secret.iter().any(|start| lower.starts_with(start)) => {
                    format!("{name}: ***")
                }
                _ => line.to_owned(),
            }
        };
        let lines: Vec<String> = text.lines().map(hidden).collect();
        self.text(by, lines.join("\n"));
    }

    /// Something said in text: the end of the stream, a fault.
    pub(crate) fn text(&mut self, by: By, what: impl Into<String>) {
        self.push(by, what.into(), &[]);
    }

    /// The entries of another log behind its own, for cases with more than one
    /// connection.
    pub(crate) fn append(&mut self, other: Log) {
        let later = other.began.duration_since(self.began).as_secs_f64() * 1e3;
        for mut entry in other.entries {
            entry.ms += later;
            self.keep(entry);
        }
        self.dropped += other.dropped;
    }

    fn push(&mut self, by: By, what: String, shown: &[u8]) {
        let entry = Entry {
            ms: self.began.elapsed().as_secs_f64() * 1e3,
            by,
            what,
            hex: hex(shown),
        };
        self.keep(entry);
    }

    fn keep(&mut self, entry: Entry) {
        if self.entries.len() < MOST_ENTRIES {
            self.entries.push(entry);
        } else {
            self.dropped += 1;
        }
    }
}

/// A frame in a line: `text fin masked 5 bytes "Hello"`.
pub(crate) fn describe(frame: &Frame) -> String {
    let fin = if frame.fin { " fin" } else { "" };
    let rsv = match frame.rsv {
        0 => String::new(),
        bits => format!(" rsv {bits:03b}"),
    };
    let masked = if frame.masking_key.is_some() {
        " masked"
    } else {
        ""
    };
    let code = frame
        .close_code()
        .map_or_else(String::new, |(code, reason)| format!(" {code} {reason:?}"));
    let opcode = frame.opcode;
    format!(
        "{opcode}{fin}{rsv}{masked} {} bytes{code}",
        frame.payload_len
    )
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}
