//! An end that speaks no WebSocket: its bytes become messages, and back. Each
//! adapter is a WebSocket server or client on a pipe within the program, so that
//! all else treats it as any other.

use std::io;

use longwire::{ClientBuilder, CloseCode, Drive, Message, Options, Role, Sender, Socket};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    DuplexStream, duplex,
};

use super::endpoint::Stream;
use crate::exit;
use crate::wire::{Head, accept_for_key, read_head};

/// Bytes in the pipe.
const PIPE: usize = 64 << 10;

/// Bytes that become one binary message at most.
const PIECE: usize = 16 << 10;

/// Bytes of a line: a longer one becomes several messages.
const MOST_LINE: u64 = 1 << 20;

/// How bytes become messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Binary messages, as the bytes come.
    Bytes,
    /// A text message for each line.
    Lines,
}

/// A WebSocket server that passes all on to this service.
pub(super) fn server(service: Stream, shape: Shape) -> DuplexStream {
    let (near, far) = duplex(PIPE);
    tokio::spawn(serve(far, service, shape));
    near
}

/// A WebSocket client that passes all on from this stream.
pub(super) fn client(
    stream: Stream,
    shape: Shape,
    client: ClientBuilder,
    url: String,
) -> DuplexStream {
    let (near, far) = duplex(PIPE);
    tokio::spawn(async move {
        match client.connect_over(url, far).await {
            Ok(socket) => bridge(socket, stream, shape).await,
            // The stream ends: it has no other way to be told.
            Err(error) => crate::output::error(&exit::explain(&error)),
        }
    });
    near
}

async fn serve(mut pipe: DuplexStream, service: Stream, shape: Shape) -> Option<()> {
    // The proxy has read a whole head before it sends one.
    let (request, _) = read_head(&mut pipe).await.ok()?;
    let mut response = Head {
        first_line: "HTTP/1.1 101 Switching Protocols".to_owned(),
        fields: Vec::new(),
    };
    let Some(key) = request.get("Sec-WebSocket-Key") else {
        "HTTP/1.1 400 Bad Request".clone_into(&mut response.first_line);
        response
            .fields
            .push(("Connection".to_owned(), "close".to_owned()));
        return pipe.write_all(&response.encode()).await.ok();
    };
    let mut field = |name: &str, value: String| response.fields.push((name.to_owned(), value));
    field("Upgrade", "websocket".to_owned());
    field("Connection", "Upgrade".to_owned());
    field("Sec-WebSocket-Accept", accept_for_key(key));
    // Browsers insist on one of those they offer.
    if let Some(offered) = request.get("Sec-WebSocket-Protocol") {
        let first = offered.split(',').next().unwrap_or(offered);
        field("Sec-WebSocket-Protocol", first.trim().to_owned());
    }
    pipe.write_all(&response.encode()).await.ok()?;
    let socket = Socket::over(pipe, Role::Server, &Options::new(Drive::Task));
    bridge(socket, service, shape).await;
    Some(())
}

/// Until the connection is closed: what the stream says goes on, and its end
/// closes the connection; what comes back goes to the stream.
async fn bridge(socket: Socket, stream: Stream, shape: Shape) {
    let (reader, mut writer) = tokio::io::split(stream);
    let (sender, mut receiver) = socket.split();
    let receiving = async {
        while let Some(Ok(message)) = receiver.next().await {
            if write(&mut writer, &message, shape).await.is_err() {
                break;
            }
        }
        let _ = writer.shutdown().await;
    };
    let sending = async {
        let result = match shape {
            Shape::Bytes => send_bytes(&sender, reader).await,
            Shape::Lines => send_lines(&sender, reader).await,
        };
        let code = match result {
            Ok(()) => CloseCode::NORMAL,
            Err(_) => CloseCode::GOING_AWAY,
        };
        // A code without a reason can always be sent. What the other end has
        // still to say comes before its own Close frame.
        let _ = sender.close(code, "");
    };
    tokio::pin!(receiving, sending);
    tokio::select! {
        () = &mut receiving => {}
        () = &mut sending => receiving.await,
    }
}

async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    message: &Message,
    shape: Shape,
) -> io::Result<()> {
    writer.write_all(message.as_bytes()).await?;
    if shape == Shape::Lines {
        writer.write_all(b"\n").await?;
    }
    writer.flush().await
}

async fn send_bytes(sender: &Sender, mut reader: impl AsyncRead + Unpin) -> longwire::Result<()> {
    loop {
        let mut bytes = Vec::with_capacity(PIECE);
        if reader.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        sender.send(bytes).await?;
    }
}

async fn send_lines(sender: &Sender, reader: impl AsyncRead + Unpin) -> longwire::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(MOST_LINE);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => sender.send(text).await?,
            // As text it would have to be another one.
            Err(_) => sender.send(bytes.to_vec()).await?,
        }
    }
}
