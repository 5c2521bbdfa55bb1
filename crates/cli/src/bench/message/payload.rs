//! What the messages are, and whether an answer is one of them.

use std::path::Path;

use longwire::Message;
use longwire::bytes::Bytes;

use super::chance::Chance;
use super::stamp::{Stamp, TOKEN_BYTES};
use super::template::{Template, TemplateError};
use crate::args::bench::PayloadArgs;

/// Bytes of the number at the start of a message.
const NUMBER_BYTES: usize = 16;

/// Most bytes of a message: the most a frame of one buffer may have here.
const MOST_BYTES: usize = 1 << 30;

/// What is wrong with the options.
#[derive(Debug, thiserror::Error)]
pub(in crate::bench) enum PayloadError {
    #[error("could not read {path}: {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("expected UTF-8 in {0}, got other bytes (add --binary)")]
    NotText(String),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("expected {{{{token}}}} in the template: with --fan-out a message is found by it")]
    NoToken,
    #[error("expected --template with {{{{token}}}} or --size with --fan-out, got --file")]
    FileHasNoToken,
    #[error("expected messages of at least {TOKEN_BYTES} bytes with --fan-out, got {0}")]
    TooSmallForToken(usize),
    #[error("expected messages of at most {MOST_BYTES} bytes, got {0}")]
    TooLarge(usize),
}

/// The messages of a run.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Payload {
    source: Source,
    binary: bool,
    /// Bytes of the first message; those of another may differ a little.
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Source {
    /// These bytes, with the number over the first ones.
    Numbered(Vec<u8>),
    /// These bytes, with the token over the first ones.
    Tokened(Vec<u8>),
    Fixed(Message),
    Template(Template),
}

impl Payload {
    pub(in crate::bench) fn new(args: &PayloadArgs, fan_out: bool) -> Result<Self, PayloadError> {
        let binary = args.binary;
        let source = if let Some(path) = &args.file {
            if fan_out {
                return Err(PayloadError::FileHasNoToken);
            }
            Source::Fixed(message(read(path)?, binary).ok_or_else(|| not_text(path))?)
        } else if let Some(text) = &args.template {
            let template = template(text, binary)?;
            if fan_out && !template.has_token() {
                return Err(PayloadError::NoToken);
            }
            Source::Template(template)
        } else {
            if args.size > MOST_BYTES {
                return Err(PayloadError::TooLarge(args.size));
            }
            match fan_out {
                true if args.size < TOKEN_BYTES => {
                    return Err(PayloadError::TooSmallForToken(args.size));
                }
                true => Source::Tokened(filler(args.size, binary)),
                false => Source::Numbered(filler(args.size, binary)),
            }
        };
        let mut payload = Self {
            source,
            binary,
            bytes: 0,
        };
        let mut first = Vec::new();
        payload.render(&Stamp::new(0, 0, 0, 0, 0), &mut first);
        payload.bytes = first.len();
        Ok(payload)
    }

    /// The message with this stamp.
    pub(in crate::bench) fn message(&self, stamp: &Stamp) -> Message {
        if let Source::Fixed(message) = &self.source {
            return message.clone();
        }
        let mut bytes = Vec::with_capacity(self.bytes);
        self.render(stamp, &mut bytes);
        if self.binary {
            return Message::binary(bytes);
        }
        // Made of texts, so it is one.
        match String::from_utf8(bytes) {
            Ok(text) => Message::text(text),
            Err(error) => Message::binary(error.into_bytes()),
        }
    }

    /// Whether this is the message with that stamp. `scratch` is for making it again.
    pub(in crate::bench) fn is(
        &self,
        stamp: &Stamp,
        answer: &Message,
        scratch: &mut Vec<u8>,
    ) -> bool {
        if answer.is_binary() != self.binary {
            return false;
        }
        let bytes = answer.as_bytes();
        match &self.source {
            Source::Fixed(message) => message.as_bytes() == bytes,
            Source::Numbered(base) => {
                let split = base.len().min(NUMBER_BYTES);
                scratch.clear();
                number(stamp, split, scratch);
                bytes.len() == base.len()
                    && bytes[..split] == **scratch
                    && bytes[split..] == base[split..]
            }
            Source::Tokened(_) | Source::Template(_) => {
                scratch.clear();
                self.render(stamp, scratch);
                bytes == *scratch
            }
        }
    }

    /// Whether two messages differ, so that an answer tells which of them it is for.
    pub(in crate::bench) fn varies(&self) -> bool {
        match &self.source {
            Source::Numbered(base) => !base.is_empty(),
            Source::Tokened(_) => true,
            Source::Fixed(_) => false,
            Source::Template(template) => template.varies(),
        }
    }

    pub(in crate::bench) fn is_binary(&self) -> bool {
        self.binary
    }

    /// Bytes of the first message; those of another may differ a little.
    pub(in crate::bench) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the report calls it.
    pub(in crate::bench) fn kind(&self) -> &'static str {
        match &self.source {
            Source::Numbered(_) | Source::Tokened(_) => "size",
            Source::Fixed(_) => "file",
            Source::Template(_) => "template",
        }
    }

    fn render(&self, stamp: &Stamp, to: &mut Vec<u8>) {
        match &self.source {
            Source::Fixed(message) => to.extend_from_slice(message.as_bytes()),
            Source::Template(template) => template.render(stamp, to),
            Source::Numbered(base) => {
                let split = base.len().min(NUMBER_BYTES);
                number(stamp, split, to);
                to.extend_from_slice(&base[split..]);
            }
            Source::Tokened(base) => {
                // A vector takes all that is written.
                let _ = stamp.write_token(to);
                to.extend_from_slice(base.get(TOKEN_BYTES..).unwrap_or_default());
            }
        }
    }
}

/// Appends the number, or the last digits of it where there is not room for all.
fn number(stamp: &Stamp, digits: usize, to: &mut Vec<u8>) {
    let mut number = [0; NUMBER_BYTES];
    // It fits.
    let _ = stamp.write_number(&mut &mut number[..]);
    to.extend_from_slice(&number[NUMBER_BYTES - digits.min(NUMBER_BYTES)..]);
}

/// Words, which compress as text does, or random bytes, which do not.
fn filler(size: usize, binary: bool) -> Vec<u8> {
    let mut chance = Chance::new(size as u64);
    let mut bytes = Vec::with_capacity(size + NUMBER_BYTES);
    if binary {
        chance.bytes(size, &mut bytes);
    }
    while bytes.len() < size {
        bytes.extend_from_slice(chance.word().as_bytes());
        bytes.push(b' ');
    }
    bytes.truncate(size);
    bytes
}

fn template(text: &str, binary: bool) -> Result<Template, PayloadError> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(Template::parse(text, binary)?);
    };
    let path = Path::new(path);
    let bytes = read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| not_text(path))?;
    Ok(Template::parse(&text, binary)?)
}

fn message(bytes: Vec<u8>, binary: bool) -> Option<Message> {
    if binary {
        return Some(Message::binary(Bytes::from(bytes)));
    }
    String::from_utf8(bytes).ok().map(Message::text)
}

fn read(path: &Path) -> Result<Vec<u8>, PayloadError> {
    let bytes = std::fs::read(path).map_err(|source| PayloadError::Read {
        path: path.display().to_string(),
        source,
    })?;
    if bytes.len() > MOST_BYTES {
        return Err(PayloadError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

fn not_text(path: &Path) -> PayloadError {
    PayloadError::NotText(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(size: usize, template: Option<&str>, binary: bool) -> PayloadArgs {
        PayloadArgs {
            size,
            file: None,
            template: template.map(str::to_owned),
            binary,
            no_verify: false,
        }
    }

    fn stamp(sequence: u64) -> Stamp {
        Stamp::new(1, 2, sequence, sequence * 1_000, 0)
    }

    #[test]
    fn a_message_is_itself_and_no_other() {
        let template = "{{seq}} {{bytes:20}} {{time}}";
        for args in [
            args(64, None, false),
            args(64, None, true),
            args(1, None, true),
            args(0, Some(template), true),
            args(0, Some(template), false),
        ] {
            let payload = Payload::new(&args, false).unwrap();
            let mut scratch = Vec::new();
            let message = payload.message(&stamp(5));
            assert_eq!(message.is_binary(), args.binary);
            assert!(payload.is(&stamp(5), &message, &mut scratch));
            assert!(!payload.is(&stamp(6), &message, &mut scratch));
            let longer = [message.as_bytes(), b"x"].concat();
            for other in [Message::text("x"), Message::binary(longer)] {
                assert!(!payload.is(&stamp(5), &other, &mut scratch));
            }
        }
    }

    #[test]
    fn a_message_has_the_size_that_was_asked_for() {
        for size in [0, 1, 15, 16, 17, 33, 34, 1000] {
            for binary in [false, true] {
                let payload = Payload::new(&args(size, None, binary), false).unwrap();
                assert_eq!(payload.message(&stamp(1)).len(), size);
                if size >= TOKEN_BYTES {
                    let payload = Payload::new(&args(size, None, binary), true).unwrap();
                    assert_eq!(payload.message(&stamp(1)).len(), size);
                }
            }
        }
        assert!(Payload::new(&args(33, None, false), true).is_err());
        assert!(Payload::new(&args(64, Some("{{seq}}"), false), true).is_err());
    }
}
