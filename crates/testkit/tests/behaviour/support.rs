//! A server for a test, and peers that speak raw bytes.

use std::net::SocketAddr;
use std::time::Duration;

use longwire::server::{IntoRoute, ServerHandle};
use longwire::{Result, Server, Socket};
use longwire_proto::Opcode;
use longwire_proto::mask::apply_mask;
use longwire_testkit::wire::frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The key of the RFC's sample handshake, and its accept value.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Longer than anything takes, so that what hangs fails by name.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must happen soon.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it happens in time")
}

/// A server that ends with its test.
pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: ServerHandle,
    running: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start(server: Server) -> Self {
        let bound = server.bind("127.0.0.1:0").await.unwrap();
        let addr = bound.local_addr();
        let handle = bound.handle();
        let running = tokio::spawn(async move {
            bound.run().await;
        });
        Self {
            addr,
            handle,
            running,
        }
    }

    /// A server with one route, at `/`.
    pub(crate) async fn with(route: impl IntoRoute) -> Self {
        Self::start(Server::new().route("/", route)).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.addr)
    }

    pub(crate) async fn connect(&self) -> Socket {
        longwire::connect(self.url("/")).await.unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

pub(crate) async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Takes what comes and says nothing.
pub(crate) async fn sink(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}

/// A peer that writes and reads frames by hand.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    masked: bool,
}

impl Raw {
    /// A client that has its handshake still to do.
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self {
            stream,
            masked: true,
        }
    }

    /// A client, its handshake done.
    pub(crate) async fn connect(addr: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = request(path, &[]);
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(ACCEPT), "{head}");
        Self {
            stream,
            masked: true,
        }
    }

    /// The server's end of the next connection, its handshake done.
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let response = accept_response(&head, "");
        stream.write_all(response.as_bytes()).await.unwrap();
        Self {
            stream,
            masked: false,
        }
    }

    pub(crate) fn frame(&self, fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let masking_key = self.masked.then_some([0x12, 0x34, 0x56, 0x78]);
        frame(fin, opcode, payload, masking_key)
    }

    pub(crate) async fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let frame = self.frame(true, opcode, payload);
        self.write(&frame).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next frame: its first byte and its payload. `None` at the end.
    pub(crate) async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut start = [0; 2];
        soon(self.stream.read_exact(&mut start)).await.ok()?;
        let len = match start[1] & 0x7f {
            126 => usize::from(self.stream.read_u16().await.ok()?),
            127 => usize::try_from(self.stream.read_u64().await.ok()?).ok()?,
            short => usize::from(short),
        };
        let mut key = [0; 4];
        if start[1] & 0x80 != 0 {
            self.stream.read_exact(&mut key).await.ok()?;
        }
        let mut payload = vec![0; len];
        soon(self.stream.read_exact(&mut payload)).await.ok()?;
        apply_mask(&mut payload, key, 0);
        Some((start[0], payload))
    }

    /// The code of the Close frame that is next.
    pub(crate) async fn read_close(&mut self) -> u16 {
        let (first, payload) = self.read().await.expect("a Close frame");
        assert_eq!(first, 0x88, "expected a Close frame, got {payload:?}");
        u16::from_be_bytes([payload[0], payload[1]])
    }

    /// Whether the peer has ended the stream.
    pub(crate) async fn is_at_end(&mut self) -> bool {
        let mut byte = [0];
        matches!(soon(self.stream.read(&mut byte)).await, Ok(0) | Err(_))
    }
}

/// An opening handshake, with further header lines.
pub(crate) fn request(path: &str, further: &[&str]) -> String {
    let further: Vec<String> = further.iter().map(|line| format!("{line}\r\n")).collect();
    let further = further.concat();
    format!(
        "GET {path} HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Version: 13\r\n{further}\r\n"
    )
}

/// A response of 101 to this request, with further header lines.
pub(crate) fn accept_response(request: &str, further: &str) -> String {
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
        .expect("a key");
    let accept = longwire_proto::handshake::accept_for_key(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{further}\r\n"
    )
}

/// Sends a request as it is and gives the whole response.
pub(crate) async fn exchange(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = read_head(&mut stream).await;
    let length = response
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    soon(stream.read_exact(&mut body)).await.unwrap();
    response.push_str(&String::from_utf8(body).unwrap());
    response
}

/// Reads up to the empty line, and not a byte further.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = soon(stream.read_u8()).await;
        head.push(
            byte.unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&head))
            }),
        );
    }
    String::from_utf8(head).unwrap()
}
