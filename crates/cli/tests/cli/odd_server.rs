//! A small server that a test has do what no good server does.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longwire_testkit::accept_for_key;

/// Listens until it is dropped; each connection has a thread.
pub(crate) struct OddServer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl OddServer {
    /// Does this with each connection, which is told by its number.
    pub(crate) fn start(
        serve: impl Fn(Connection, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (serve, over) = (Arc::new(serve), Arc::clone(&stopped));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (serve, stream) = (Arc::clone(&serve), stream.unwrap());
                let connection = Connection(BufReader::new(stream));
                // A client that goes away ends it.
                std::thread::spawn(move || drop(serve(connection, number)));
            }
        });
        Self { address, stopped }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

impl Drop for OddServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A connection as its bytes.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Reads the request; gives the key.
    fn request(&mut self) -> io::Result<String> {
        let mut key = None;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                return key.ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
            if let Some(value) = line.strip_prefix("sec-websocket-key: ") {
                key = Some(value.to_owned());
            }
        }
    }

    /// Takes the handshake, without extensions.
    pub(crate) fn accept(&mut self) -> io::Result<()> {
        let accept = accept_for_key(&self.request()?);
        write!(
            self.0.get_mut(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
    }

    /// Refuses the handshake.
    pub(crate) fn refuse(&mut self, status: &str) -> io::Result<()> {
        self.request()?;
        let stream = self.0.get_mut();
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
    }

    /// The opcode and payload of the next frame, which is no large one.
    pub(crate) fn read(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length)?;
                usize::from(u16::from_be_bytes(length))
            }
            length => usize::from(length),
        };
        let mut key = [0; 4];
        self.0.read_exact(&mut key)?;
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload)?;
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        Ok((head[0] & 0xf, payload))
    }

    /// The next message; a Close frame is answered and ends the connection.
    pub(crate) fn message(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.read()? {
                (TEXT, payload) => return Ok(payload),
                (CLOSE, payload) => {
                    self.write(CLOSE, &payload)?;
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                (PING, payload) => self.write(PONG, &payload)?,
                _ => {}
            }
        }
    }

    pub(crate) fn write(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        frame(self.0.get_mut(), opcode, payload)
    }

    /// A way to write from elsewhere.
    pub(crate) fn writer(&self) -> TcpStream {
        self.0.get_ref().try_clone().unwrap()
    }
}

/// Writes a frame that is no large one.
pub(crate) fn frame(stream: &mut TcpStream, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ ..126 => frame.push(length as u8),
        length => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    stream.write_all(&frame)
}
