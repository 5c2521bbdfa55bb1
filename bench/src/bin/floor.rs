//! The floor: what a WebSocket server cannot do without, and nothing else. One thread,
//! one epoll, and for each frame that arrives its header is rewritten and the rest sent
//! back as it came, masked still. It checks nothing.
//!
//! With `--fanout`, each frame goes to all connections, with a bare `send` each.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use longwire_bench::Failure;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use sha1::{Digest as _, Sha1};

/// Bytes read at once.
const SCRATCH: usize = 256 << 10;

/// The listener among the connections.
const LISTENER: u64 = u64::MAX;

/// Bytes of a masking key.
const KEY: usize = 4;

struct Connection {
    stream: TcpStream,
    open: bool,
    /// The start of a request or of a frame that did not come at once.
    partial: Vec<u8>,
    have: usize,
    /// What the kernel did not take.
    unsent: Vec<u8>,
    sent: usize,
}

/// The lengths of a frame's header and of the whole frame.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, payload) = match bytes.get(1)? & 0x7f {
        126 => (
            4,
            u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(),
        ),
        127 => (
            10,
            u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize,
        ),
        short => (2, short.into()),
    };
    Some((header, header + KEY + payload))
}

/// Makes the header that of a reply, which starts where this says.
fn rewrite(frame: &mut [u8], header: usize) -> usize {
    frame.copy_within(0..header, KEY);
    frame[KEY + 1] &= 0x7f;
    KEY
}

fn accept(request: &[u8]) -> Option<String> {
    let request = std::str::from_utf8(request).ok()?;
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let accept = base64::engine::general_purpose::STANDARD.encode(digest);
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            open: false,
            partial: Vec::new(),
            have: 0,
            unsent: Vec::new(),
            sent: 0,
        }
    }

    /// Sends, and keeps what is not taken.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        match self.stream.write(bytes) {
            Ok(count) if count == bytes.len() => {}
            Ok(count) => self.unsent.extend_from_slice(&bytes[count..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.unsent.extend_from_slice(bytes);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn send_rest(&mut self) -> Result<(), Failure> {
        self.sent += self.stream.write(&self.unsent[self.sent..])?;
        if self.sent == self.unsent.len() {
            self.unsent.clear();
            self.sent = 0;
        }
        Ok(())
    }

    /// The request's answer, once all of it is there.
    fn handshake(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.partial.extend_from_slice(bytes);
        if self.partial.ends_with(b"\r\n\r\n") {
            let response = accept(&self.partial).ok_or("no handshake")?;
            self.send(response.as_bytes())?;
            self.partial = Vec::new();
            self.open = true;
        }
        Ok(())
    }
}

/// The rest of a frame of which the start is kept. `None` where it is not whole.
fn read_rest(connection: &mut Connection) -> Result<Option<usize>, Failure> {
    let need = match frame(&connection.partial[..connection.have]) {
        Some((_, len)) => len,
        None => connection.have + 1,
    };
    if connection.partial.len() < need {
        connection.partial.resize(need, 0);
    }
    let count = connection
        .stream
        .read(&mut connection.partial[connection.have..need])?;
    if count == 0 {
        return Err("ended".into());
    }
    connection.have += count;
    match frame(&connection.partial[..connection.have]) {
        Some((header, len)) if len == connection.have => Ok(Some(header)),
        _ => Ok(None),
    }
}

/// Replies to all frames of `bytes`, in place: how many bytes of replies there are, and
/// where the frame starts that is not whole.
fn rewrite_all(bytes: &mut [u8]) -> (std::ops::Range<usize>, usize) {
    let Some((header, len)) = frame(bytes).filter(|&(_, len)| len <= bytes.len()) else {
        return (0..0, 0);
    };
    let start = rewrite(bytes, header);
    let (mut out, mut at) = (len, len);
    while let Some((header, len)) = frame(&bytes[at..]).filter(|&(_, len)| at + len <= bytes.len())
    {
        let reply = at + rewrite(&mut bytes[at..], header);
        bytes.copy_within(reply..at + len, out);
        out += at + len - reply;
        at += len;
    }
    (start..out, at)
}

struct Floor {
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Option<Connection>>,
    fan_out: bool,
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> Result<(), Failure> {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let data = epoll::EventData::new_u64(self.connections.len() as u64);
        epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
        self.connections.push(Some(Connection::new(stream)));
        Ok(())
    }

    fn serve(
        &mut self,
        i: usize,
        flags: epoll::EventFlags,
        scratch: &mut [u8],
    ) -> Result<(), Failure> {
        let Some(connection) = &mut self.connections[i] else {
            return Ok(());
        };
        let blocked = !connection.unsent.is_empty();
        if flags.contains(epoll::EventFlags::OUT) {
            connection.send_rest()?;
        }
        if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP) {
            self.read(i, scratch)?;
        }
        if let Some(connection) = &self.connections[i]
            && blocked == connection.unsent.is_empty()
        {
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, !blocked);
            let data = epoll::EventData::new_u64(i as u64);
            epoll::modify(&self.epoll, &connection.stream, data, flags)?;
        }
        Ok(())
    }

    fn read(&mut self, i: usize, scratch: &mut [u8]) -> Result<(), Failure> {
        let Some(connection) = &mut self.connections[i] else {
            return Ok(());
        };
        if connection.have > 0 {
            if let Some(header) = read_rest(connection)? {
                let mut whole = std::mem::take(&mut connection.partial);
                let have = std::mem::take(&mut connection.have);
                let start = rewrite(&mut whole[..have], header);
                connection.send(&whole[start..have])?;
                connection.partial = whole;
            }
            return Ok(());
        }
        let count = connection.stream.read(scratch)?;
        if count == 0 {
            return Err("ended".into());
        }
        if !connection.open {
            return connection.handshake(&scratch[..count]);
        }
        let (replies, rest) = rewrite_all(&mut scratch[..count]);
        let left = count - rest;
        if left > 0 {
            if connection.partial.len() < left {
                connection.partial.resize(left, 0);
            }
            connection.partial[..left].copy_from_slice(&scratch[rest..count]);
            connection.have = left;
        }
        if replies.is_empty() {
            return Ok(());
        }
        if self.fan_out {
            for connection in self.connections.iter_mut().flatten() {
                connection.send(&scratch[replies.clone()])?;
            }
            return Ok(());
        }
        connection.send(&scratch[replies])
    }
}

fn main() -> Result<(), Failure> {
    let flags: Vec<String> = std::env::args().collect();
    if flags.iter().any(|flag| flag == "--compression") {
        std::process::exit(3);
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening {}", listener.local_addr()?);
    let mut floor = Floor {
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        connections: Vec::new(),
        fan_out: flags.iter().any(|flag| flag == "--fanout"),
    };
    let data = epoll::EventData::new_u64(LISTENER);
    epoll::add(&floor.epoll, &listener, data, epoll::EventFlags::IN)?;
    let mut scratch = vec![0; SCRATCH];
    let mut ready: Vec<epoll::Event> = Vec::with_capacity(1024);
    loop {
        ready.clear();
        epoll::wait(&floor.epoll, spare_capacity(&mut ready), None)?;
        for event in &ready {
            let (data, flags) = (event.data.u64(), event.flags);
            if data == LISTENER {
                floor.accept(&listener)?;
            } else if floor.serve(data as usize, flags, &mut scratch).is_err() {
                floor.connections[data as usize] = None;
            }
        }
    }
}
