//! The events of a recording, or of a HAR file of a browser's tools.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use super::super::event::{
    Event, Exchange, HeadSeen, Header, Message, Payload, Side, What, date_of, seconds,
};
use super::super::recording::{ReadError, Reader};

/// Bytes of a HAR file that are read at most: it is held in memory.
const MOST_HAR: u64 = 256 << 20;

/// Hands each event over, in their order, and the header of a recording before.
pub(super) fn each(
    path: &Path,
    begin: impl FnOnce(&Header),
    mut take: impl FnMut(Event) -> Result<(), String>,
) -> Result<(), String> {
    let mut reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error @ ReadError::Header { .. }) => {
            let events = har(path).ok_or_else(|| error.to_string())?;
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

/// The events of a HAR file; `None` where it is none.
fn har(path: &Path) -> Option<Vec<Event>> {
    let file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > MOST_HAR {
        return None;
    }
    let har: Har = serde_json::from_reader(BufReader::new(file)).ok()?;
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
        let began = seconds(&started)?;
        events.push((began, opened(conn, &started, request, response)));
        events.extend(messages.into_iter().map(|message| {
            let time = message.time;
            (time, said(conn, began, message))
        }));
    }
    events.sort_by(|left, right| left.0.total_cmp(&right.0));
    Some(events.into_iter().map(|(_, event)| event).collect())
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
