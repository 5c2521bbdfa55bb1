//! The connections of a load generator: one thread, one epoll, frames encoded in advance.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::Failure;
use crate::wire::Replies;

/// Without waiting.
const NOW: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// What one read may bring.
const READ: usize = 256 << 10;

/// How long a server may say nothing before the load gives up.
const SILENCE: Duration = Duration::from_secs(20);

/// A request for a WebSocket.
fn request(path: &str, extensions: &str) -> String {
    let extensions = match extensions {
        "" => String::new(),
        offer => format!("Sec-WebSocket-Extensions: {offer}\r\n"),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extensions}\r\n"
    )
}

/// Opens one connection, to the end of its opening handshake.
pub fn open(address: SocketAddr, path: &str, extensions: &str) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(request(path, extensions).as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte)? {
            0 => return Err("the server closed a connection in its handshake".into()),
            count => head.extend_from_slice(&byte[..count]),
        }
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(String::from_utf8_lossy(&head).into_owned().into());
    }
    let agreed = String::from_utf8_lossy(&head)
        .to_ascii_lowercase()
        .contains("permessage-deflate");
    if agreed == extensions.is_empty() {
        return Err("the server does not compress as it was asked to".into());
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// One connection of a load.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    replies: Replies,
    /// The next frame to owe.
    next: usize,
    /// Bytes to send, of frames that repeat without end.
    owed: usize,
    /// Where in the repetition the next byte is.
    at: usize,
    waits_to_write: bool,
}

/// Connections, and what has become ready on them.
pub struct Clients {
    epoll: rustix::fd::OwnedFd,
    /// All of them.
    pub all: Vec<Client>,
    /// Frames, one after the other, and the length of each.
    frames: Vec<u8>,
    lengths: Vec<usize>,
    buffer: Vec<u8>,
    ready: Vec<epoll::Event>,
}

impl Clients {
    /// Opens so many connections, which will send these frames in turn, again and again.
    pub fn open(
        address: SocketAddr,
        path: &str,
        extensions: &str,
        count: usize,
        frames: &[Vec<u8>],
    ) -> Result<Self, Failure> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut all = Vec::with_capacity(count);
        for i in 0..count {
            let stream = open(address, path, extensions)?;
            let data = epoll::EventData::new_u64(i as u64);
            epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
            all.push(Client {
                stream,
                replies: Replies::default(),
                next: 0,
                owed: 0,
                at: 0,
                waits_to_write: false,
            });
        }
        let once = frames.concat();
        let repeated = (4096 / once.len()).max(1);
        let lengths: Vec<usize> = frames.iter().map(Vec::len).collect();
        Ok(Self {
            epoll,
            all,
            frames: once.repeat(repeated),
            lengths: lengths.repeat(repeated),
            buffer: vec![0; READ],
            ready: Vec::with_capacity(1024),
        })
    }

    /// Has a connection send so many messages more; what the kernel does not take follows
    /// when it does.
    pub fn send(&mut self, i: usize, messages: usize) -> Result<(), Failure> {
        let client = &mut self.all[i];
        for _ in 0..messages {
            client.owed += self.lengths[client.next];
            client.next = (client.next + 1) % self.lengths.len();
        }
        self.write(i)
    }

    fn write(&mut self, i: usize) -> Result<(), Failure> {
        let client = &mut self.all[i];
        let mut blocked = false;
        while client.owed > 0 {
            let rest = &self.frames[client.at..];
            match client.stream.write(&rest[..rest.len().min(client.owed)]) {
                Ok(count) => {
                    client.owed -= count;
                    client.at = (client.at + count) % self.frames.len();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    blocked = true;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if client.owed == 0 {
            let pongs = client.replies.take_pongs();
            if !pongs.is_empty() && client.stream.write(&pongs)? != pongs.len() {
                return Err("the server does not read".into());
            }
        }
        if blocked != client.waits_to_write {
            client.waits_to_write = blocked;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, blocked);
            let data = epoll::EventData::new_u64(i as u64);
            epoll::modify(&self.epoll, &client.stream, data, flags)?;
        }
        Ok(())
    }

    /// Waits for replies, or only looks `once`; tells for each connection how many have
    /// come.
    pub fn receive(
        &mut self,
        once: bool,
        mut on_replies: impl FnMut(&mut Self, usize, usize) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        // Asleep, the load would have to be woken, which is dear, and dearest for the
        // servers that are slower than it.
        let since = Instant::now();
        while ready.is_empty() {
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&NOW)) {
                // A profiler has come or gone.
                Err(rustix::io::Errno::INTR) => {}
                result => {
                    result?;
                }
            }
            if once {
                break;
            }
            if ready.is_empty() && since.elapsed() > SILENCE {
                return Err("the server is silent".into());
            }
        }
        for event in &ready {
            let i = event.data.u64() as usize;
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::OUT) {
                self.write(i)?;
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP) {
                let client = &mut self.all[i];
                let count = match client.stream.read(&mut self.buffer) {
                    Ok(0) => return Err("the server ended a connection".into()),
                    Ok(count) => count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error.into()),
                };
                let replies = client.replies.count(&self.buffer[..count])?;
                if replies > 0 {
                    on_replies(self, i, replies)?;
                }
                self.write(i)?;
            }
        }
        self.ready = ready;
        Ok(())
    }
}
