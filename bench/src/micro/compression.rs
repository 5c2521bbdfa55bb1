//! 1 KiB of JSON, compressed and decompressed.

use std::time::Instant;

use longwire_proto::handshake::client::Handshake;
use longwire_proto::handshake::server::Offer;
use longwire_proto::{Compression, CompressionConfig, Config, Connection};

use super::Case;
use super::frames::{Decoding, transmit};
use crate::Failure;
use crate::stopwatch::Work;
use crate::wire::{KEY, json};

/// Bytes of a message.
const BYTES: usize = 1 << 10;

/// Different messages.
const TEXTS: u32 = 64;

/// A server and a client that have agreed on compression: each message alone, or with
/// contexts of 32 KiB.
fn pair(dedicated: bool) -> Result<(Connection, Connection), Failure> {
    let mode = if dedicated {
        Compression::DEDICATED
    } else {
        Compression::Shared
    };
    let settings = CompressionConfig::default().mode(mode);
    let handshake = Handshake::new([0; 16], Vec::new(), settings.clone())?;
    let request = handshake.request("/".parse()?, "localhost".parse()?, &Default::default())?;
    let (response, agreed) = Offer::read(&request)?.accept(None, &settings)?;
    let answered = handshake.verify(&response)?.compression;
    if agreed.is_none() || agreed != answered {
        return Err("no compression was agreed on".into());
    }
    let mut config = Config::default();
    config.compression = settings;
    let now = Instant::now();
    let server = Connection::server(config.clone(), now).with_compression(agreed);
    let client = Connection::client(config, Box::new(|| KEY), now).with_compression(agreed);
    Ok((server, client))
}

fn texts() -> Vec<String> {
    (0..TEXTS).map(|seed| json(BYTES, seed)).collect()
}

fn case(name: &'static str, work: impl Work + 'static) -> Case {
    Case {
        name,
        bytes: BYTES,
        touched: true,
        count: TEXTS as usize,
        work: Box::new(work),
    }
}

struct Deflating {
    server: Connection,
    now: Instant,
    texts: Vec<String>,
}

impl Work for Deflating {
    fn pass(&mut self) -> usize {
        let mut sent = 0;
        for text in &self.texts {
            let taken = self.server.send_text(text).is_ok();
            let mut len = 0;
            transmit(&mut self.server, self.now, |bytes| len += bytes.len());
            // What is not smaller has not been compressed.
            if taken && len < text.len() {
                sent += text.len();
            }
        }
        sent
    }
}

/// Texts that a server compresses and sends.
pub fn deflate(dedicated: bool) -> Result<Case, Failure> {
    let (server, _) = pair(dedicated)?;
    let work = Deflating {
        server,
        now: Instant::now(),
        texts: texts(),
    };
    Ok(case(
        if dedicated {
            "deflate, dedicated"
        } else {
            "deflate, shared"
        },
        work,
    ))
}

/// Texts that a server reads. Those of a pass refer to nothing before it, so that it
/// can be repeated.
pub fn inflate(dedicated: bool) -> Result<Case, Failure> {
    let (server, mut client) = pair(dedicated)?;
    let now = Instant::now();
    let mut arrived = Vec::new();
    for text in texts() {
        client.send_text(&text)?;
        transmit(&mut client, now, |bytes| arrived.extend_from_slice(bytes));
    }
    Ok(case(
        if dedicated {
            "inflate, dedicated"
        } else {
            "inflate, shared"
        },
        Decoding::<false>::new(server, arrived),
    ))
}
