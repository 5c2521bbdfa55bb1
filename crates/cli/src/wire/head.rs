//! The HTTP/1.1 around a WebSocket (RFC 6455 section 4), as text.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A request or a response up to its empty line, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// `GET /chat HTTP/1.1`, or `HTTP/1.1 101 Switching Protocols`.
    pub(crate) first_line: String,
    /// The fields in their order; names as they were written.
    pub(crate) fields: Vec<(String, String)>,
}

/// Bytes of a head that are read at most.
pub(crate) const MOST_HEAD: usize = 64 << 10;

/// Fields of a head that are read at most.
const MOST_FIELDS: usize = 512;

/// Why no head was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    /// The stream ended before the empty line.
    #[error("the connection ended after {0} bytes of the HTTP head")]
    Ended(usize),
    /// No empty line within [`MOST_HEAD`].
    #[error("the HTTP head is longer than {MOST_HEAD} bytes")]
    TooLong,
    /// It is no HTTP/1 head.
    #[error("expected an HTTP/1.1 head, got {0:?}")]
    Invalid(String),
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Head {
    /// The head in `bytes` that end with an empty line.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, HeadError> {
        let invalid = || {
            let start = &bytes[..bytes.len().min(80)];
            HeadError::Invalid(String::from_utf8_lossy(start).into_owned())
        };
        let line_end = bytes
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(invalid)?;
        let first_line = text(&bytes[..line_end]).trim_end().to_owned();
        let mut fields = vec![httparse::EMPTY_HEADER; MOST_FIELDS];
        let parsed = httparse::parse_headers(&bytes[line_end + 1..], &mut fields);
        let Ok(httparse::Status::Complete((_, fields))) = parsed else {
            return Err(invalid());
        };
        let fields = fields
            .iter()
            .map(|field| (field.name.to_owned(), text(field.value)));
        Ok(Self {
            first_line,
            fields: fields.collect(),
        })
    }

    /// The values of a field, in their order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = move |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .filter(of_name)
            .map(|field| field.1.as_str())
    }

    /// The first value of a field.
    pub(crate) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        let mut words = self.first_line.split(' ');
        let is_response = words.next()?.starts_with("HTTP/");
        words.next().filter(|_| is_response)?.parse().ok()
    }

    /// The method and the target of a request.
    pub(crate) fn request(&self) -> Option<(&str, &str)> {
        let mut words = self.first_line.split(' ');
        Some((words.next()?, words.next()?))
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first_line);
        for (name, value) in &self.fields {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        bytes(&text)
    }
}

/// Stands for the byte 0 in a head; the others follow. These are characters
/// nobody uses (the end of the last private plane).
const BYTES: u32 = 0x10_FF00;

/// The text of bytes; those that are no UTF-8 have characters of their own, so
/// that they can be told from others and are the same again when sent on.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match byte(char) {
                // It would become a byte.
                Some(_) => char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                    text.extend(char::from_u32(BYTES + u32::from(byte)));
                }),
                None => text.push(char),
            }
        }
        let invalid = chunk.invalid().iter();
        text.extend(invalid.filter_map(|&byte| char::from_u32(BYTES + u32::from(byte))));
    }
    text
}

fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for char in text.chars() {
        match byte(char) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn byte(char: char) -> Option<u8> {
    u8::try_from(u32::from(char).checked_sub(BYTES)?).ok()
}

/// A text of a head for people: bytes that are no UTF-8 are replaced.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .map(|char| byte(char).map_or(char, |_| char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Reads a head, and gives what came right behind it too.
pub(crate) async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(Head, Vec<u8>), HeadError> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = end_of_head(&bytes) {
            let rest = bytes.split_off(end);
            return Ok((Head::parse(&bytes)?, rest));
        }
        if bytes.len() >= MOST_HEAD {
            return Err(HeadError::TooLong);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(HeadError::Ended(bytes.len()));
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// `Sec-WebSocket-Accept` for a key (RFC 6455 section 4.2.2, step 5.4).
pub(crate) fn accept_for_key(key: &str) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(sha1.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_is_answered_as_printed() {
        let accept = accept_for_key("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn a_head_is_read_with_what_comes_behind_it() {
        let wire =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: a\r\nx: b\r\n\r\n\x81\0";
        let (head, rest) = read_head(&mut &wire[..]).await.unwrap();
        assert_eq!((head.status(), rest), (Some(101), b"\x81\0".to_vec()));
        assert_eq!(head.all("x").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(head.encode(), wire[..wire.len() - 2]);
        let error = read_head(&mut &wire[..20]).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "the connection ended after 20 bytes of the HTTP head"
        );
        let error = read_head(&mut &b"hello\r\n\xFF\r\n\r\n"[..]).await;
        assert!(matches!(error, Err(HeadError::Invalid(_))));
        let endless = vec![b'a'; MOST_HEAD + 1];
        assert!(matches!(
            read_head(&mut &endless[..]).await,
            Err(HeadError::TooLong)
        ));
    }
}
