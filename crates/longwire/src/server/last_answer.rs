//! An answer that ends its connection, written without HTTP's help.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

/// Answers in plain text and ends the connection; `fields` are further header fields,
/// each with its line's end. The request is read and thrown away: a socket dropped with
/// unread input takes the answer with it.
pub(super) async fn answer_last(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    status: &str,
    fields: &str,
    body: &str,
) -> io::Result<()> {
    let response = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{fields}\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}
