//! A recording as a HAR file (HTTP Archive 1.2), with the messages where
//! Chrome's tools write and read them: in `_webSocketMessages`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use super::event::{Event, Exchange, HeadSeen, Message, Side, What, date_of, seconds};
use super::recording::Reader;

/// Writes the recording as a HAR file. It is read once to know where events are,
/// then a connection at a time.
pub(super) fn export(recording: &Path, out: &Path) -> Result<(), String> {
    let read = |error: super::recording::ReadError| error.to_string();
    let written = |error: io::Error| format!("could not write {}: {error}", out.display());
    let mut reader = Reader::open(recording).map_err(read)?;
    let mut places: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    while let Some((offset, event)) = reader.next().map_err(read)? {
        let is_wanted = match &event.what {
            What::Open(_) | What::End(_) => true,
            What::Message(message) => message_entry(0.0, message).is_some(),
            What::Http(_) | What::Frame(_) => false,
        };
        if is_wanted {
            places.entry(event.conn).or_default().push(offset);
        }
    }
    let mut file = BufWriter::new(File::create(out).map_err(written)?);
    let creator = json!({ "name": "longwire", "version": env!("CARGO_PKG_VERSION") });
    write!(
        file,
        "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"pages\":[],\"entries\":["
    )
    .map_err(written)?;
    let mut is_first = true;
    for offsets in places.values() {
        let mut events = Vec::new();
        let Some(entry) = ({
            for &offset in offsets {
                reader.seek(offset).map_err(read)?;
                if let Some((_, event)) = reader.next().map_err(read)? {
                    events.push(event);
                }
            }
            entry(&events)
        }) else {
            continue;
        };
        let comma = if is_first { "\n" } else { ",\n" };
        is_first = false;
        write!(file, "{comma}{entry}").map_err(written)?;
    }
    file.write_all(b"\n]}}\n").map_err(written)?;
    file.flush().map_err(written)
}

/// The entry of a connection; `None` for one whose handshake was not answered.
fn entry(events: &[Event]) -> Option<Value> {
    let opened = |event: &Event| match &event.what {
        What::Open(exchange) => Some((event.t, event.at.clone(), exchange.clone())),
        _ => None,
    };
    let (t, at, exchange) = events.iter().find_map(opened)?;
    let began = seconds(&at)? - t;
    let last = events.last().map_or(t, |event| event.t);
    let messages = events.iter().filter_map(|event| match &event.what {
        What::Message(message) => message_entry(began + event.t, message),
        _ => None,
    });
    let messages: Vec<Value> = messages.collect();
    let Exchange {
        url,
        request,
        response,
        ..
    } = exchange;
    let head = response.head();
    let status_text = response.line.splitn(3, ' ').nth(2).unwrap_or_default();
    Some(json!({
        "_resourceType": "websocket",
        "_webSocketMessages": messages,
        "startedDateTime": date_of(began),
        "time": last * 1000.0,
        "request": {
            "method": "GET",
            "url": url,
            "httpVersion": "HTTP/1.1",
            "headers": headers(&request),
            "queryString": query(&url),
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": head.status().unwrap_or_default(),
            "statusText": status_text,
            "httpVersion": "HTTP/1.1",
            "headers": headers(&response),
            "cookies": [],
            "content": { "size": 0, "mimeType": "x-unknown" },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": { "send": 0, "wait": t * 1000.0, "receive": (last - t).max(0.0) * 1000.0 },
    }))
}

/// Text and binary messages. What is not there whole is marked, with a field that
/// browsers' tools leave out: `replay` does not take it for what was said.
fn message_entry(time: f64, message: &Message) -> Option<Value> {
    let (opcode, data) = match message.opcode.as_str() {
        "text" if message.fault.is_none() => (1, message.payload.data.clone()?),
        "binary" if message.fault.is_none() => (2, message.payload.base64.clone()?),
        // What was on the wire would be taken for what it says.
        "text" => (1, String::new()),
        "binary" => (2, String::new()),
        _ => return None,
    };
    let kind = match message.from? {
        Side::Client => "send",
        Side::Server => "receive",
    };
    let mut entry = json!({ "type": kind, "time": time, "opcode": opcode, "data": data });
    if message.payload.truncated {
        entry["_truncated"] = Value::from(true);
    }
    if let Some(fault) = &message.fault {
        entry["_fault"] = Value::from(fault.as_str());
    }
    Some(entry)
}

fn headers(head: &HeadSeen) -> Vec<Value> {
    let field = |(name, value): &(String, String)| json!({ "name": name, "value": value });
    head.fields.iter().map(field).collect()
}

fn query(url: &str) -> Vec<Value> {
    let Ok(url) = url::Url::parse(url) else {
        return Vec::new();
    };
    url.query_pairs()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}
