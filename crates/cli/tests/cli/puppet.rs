//! A server that says what its test wants, when it wants.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use longwire_testkit::accept_for_key;

/// A port on which nobody is served yet.
pub(crate) struct Puppet(TcpListener);

impl Puppet {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.0.local_addr().unwrap())
    }

    /// Takes the next connection and its handshake, and agrees to nothing.
    pub(crate) fn accept(&self) -> Peer {
        let (mut stream, _) = self.0.accept().unwrap();
        let deadline = Some(Duration::from_mins(1));
        stream.set_read_timeout(deadline).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let accept = accept_for_key(key.unwrap());
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .unwrap();
        Peer(stream)
    }
}

/// A connection of a puppet's.
pub(crate) struct Peer(TcpStream);

impl Peer {
    pub(crate) fn text(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes());
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.frame(0x82, bytes);
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.frame(0x88, &payload);
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(len as u8),
            len @ 126..65536 => {
                frame.push(126);
                frame.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                frame.push(127);
                frame.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).unwrap();
    }

    /// The next frame: its opcode and its payload.
    pub(crate) fn read(&mut self) -> (u8, Vec<u8>) {
        let mut start = [0; 2];
        self.0.read_exact(&mut start).unwrap();
        let len = match start[1] & 0x7f {
            126 => {
                let mut len = [0; 2];
                self.0.read_exact(&mut len).unwrap();
                usize::from(u16::from_be_bytes(len))
            }
            127 => {
                let mut len = [0; 8];
                self.0.read_exact(&mut len).unwrap();
                u64::from_be_bytes(len) as usize
            }
            short => usize::from(short),
        };
        let mut key = [0; 4];
        self.0.read_exact(&mut key).unwrap();
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload).unwrap();
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= key[index % 4];
        }
        (start[0] & 0xF, payload)
    }

    /// The next frame, which is to be a text.
    #[track_caller]
    pub(crate) fn read_text(&mut self) -> String {
        let (opcode, payload) = self.read();
        assert_eq!(opcode, 1);
        String::from_utf8(payload).unwrap()
    }

    /// The next frame, which is to be a Close frame; it is answered.
    #[track_caller]
    pub(crate) fn read_close(&mut self) -> (u16, String) {
        let (opcode, payload) = self.read();
        assert_eq!(opcode, 8);
        let (code, reason) = payload.split_first_chunk::<2>().unwrap();
        let code = u16::from_be_bytes(*code);
        self.close(code, "");
        (code, String::from_utf8(reason.to_vec()).unwrap())
    }
}
