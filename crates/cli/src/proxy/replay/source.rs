//! The events of a recording, or of a HAR file of a browser's tools.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use serde::Deserialize;

use super::super::event::{
    Event, Exchange, HeadSeen, Header, Message, Payload, Side, What, date_of, seconds,
};
use super::super::recording::{ReadError, Reader};

/// Bytes of a HAR file that are read at most: it is held in memory.
const MOST_HAR: u64 = 256 << 20;

/// Bytes that tell a HAR file.
const HAR_START: u64 = 1000;

/// Hands each event over, in their order, and the header of a recording before.
pub(super) fn each(
    path: &Path,
    begin: impl FnOnce(&Header),
    mut take: impl FnMut(Event) -> Result<(), String>,
) -> Result<(), String> {
    let mut reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error @ ReadError::Header { .. }) => {
            if !is_har(path) {
                return Err(error.to_string());
            }
            let events = har(path).map_err(|error| format!("{}: {error}", path.display()))?;
            return events.into_iter().try_for_each(take);
        }
        Err(error) => return Err(error.to_string()),
    };
    begin(&reader.header);
    while let Some((_, event)) = reader.next().map_err(|error| error.to_string())? {
        take(event)?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: String,
    request: Request,
    response: Response,
    #[serde(rename = "_webSocketMessages", default)]
    messages: Option<Vec<HarMessage>>,
}

#[derive(Deserialize)]
struct Request {
    url: String,
    #[serde(default)]
    headers: Vec<HarField>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status: u16,
    #[serde(default)]
    status_text: String,
    #[serde(default)]
    headers: Vec<HarField>,
}

#[derive(Deserialize)]
struct HarField {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct HarMessage {
    #[serde(rename = "type")]
    kind: String,
    /// Seconds since 1970.
    time: f64,
    opcode: i8,
    data: String,
    /// Whether our own export has only the beginning.
    #[serde(rename = "_truncated", default)]
    truncated: bool,
    /// Why our own export does not know what it says.
    #[serde(rename = "_fault", default)]
    fault: Option<String>,
}

/// Whether it begins as a HAR file does.
pub(super) fn is_har(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HAR_START).read_to_end(&mut start));
    let start: String = String::from_utf8_lossy(&start).split_whitespace().collect();
    read.is_ok() && start.starts_with("{\"log\":")
}

/// The events of a HAR file.
fn har(path: &Path) -> Result<Vec<Event>, String> {
    let read = |error: std::io::Error| error.to_string();
    let file = File::open(path).map_err(read)?;
    if file.metadata().map_err(read)?.len() > MOST_HAR {
        return Err(format!(
            "expected a HAR file of at most {} MiB",
            MOST_HAR >> 20
        ));
    }
    let har: Har = serde_json::from_reader(BufReader::new(file))
        .map_err(|error| format!("expected a HAR file: {error}"))?;
    let mut events = Vec::new();
    let sockets = har.log.entries.into_iter().filter_map(|entry| {
        Some((
            entry.messages?,
            entry.started_date_time,
            entry.request,
            entry.response,
        ))
    });
    for (conn, (messages, started, request, response)) in (1..).zip(sockets) {
        let began = seconds(&started)
            .ok_or_else(|| format!("expected a date as startedDateTime, got {started:?}"))?;
        events.push((began, opened(conn, &started, request, response)));
        // Chrome has errors among them.
        let said_or_heard = messages
            .into_iter()
            .filter(|message| matches!(message.kind.as_str(), "send" | "receive"));
        events.extend(said_or_heard.map(|message| {
            let time = message.time;
            (time, said(conn, began, message))
        }));
    }
    events.sort_by(|left, right| left.0.total_cmp(&right.0));
    Ok(events.into_iter().map(|(_, event)| event).collect())
}

fn opened(conn: u64, started: &str, request: Request, response: Response) -> Event {
    let fields = |headers: Vec<HarField>| {
        let pairs = headers
            .into_iter()
            .map(|header| (header.name, header.value));
        pairs.collect()
    };
    let target = url::Url::parse(&request.url)
        .map(|url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned());
    Event {
        t: 0.0,
        at: started.to_owned(),
        conn,
        what: What::Open(Exchange {
            peer: "a browser".to_owned(),
            url: request.url,
            request: HeadSeen {
                line: format!("GET {} HTTP/1.1", target.unwrap_or_default()),
                fields: fields(request.headers),
            },
            response: HeadSeen {
                line: format!("HTTP/1.1 {} {}", response.status, response.status_text),
                fields: fields(response.headers),
            },
        }),
    }
}

fn said(conn: u64, began: f64, message: HarMessage) -> Event {
    let is_text = message.opcode == 1;
    let mut payload = Payload {
        truncated: message.truncated,
        ..Payload::default()
    };
    if is_text {
        payload.data = Some(message.data);
    } else {
        payload.base64 = Some(message.data);
    }
    let len = payload.bytes().map_or(0, |bytes| bytes.len() as u64);
    Event {
        t: message.time - began,
        at: date_of(message.time),
        conn,
        what: What::Message(Message {
            from: Some(if message.kind == "send" {
                Side::Client
            } else {
                Side::Server
            }),
            opcode: if is_text { "text" } else { "binary" }.to_owned(),
            len,
            wire_len: len,
            fragments: 1,
            masked: message.kind == "send",
            payload,
            fault: message.fault,
            ..Message::default()
        }),
    }
}
