//! How far the body of a request goes (RFC 9112 section 6): what follows it on
//! the connection is another request.

use crate::wire::Head;

/// Digits of a chunk's size, and bytes of a line around chunks, at most.
const MOST_DIGITS: u32 = 15;
const MOST_LINE: usize = 16 << 10;

/// What is still to come of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Sized(u64),
    Chunked(Chunk),
}

/// What comes next in a chunked body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The digits of a size, of which there were so many.
    Size {
        size: u64,
        digits: u32,
    },
    /// The rest of the line with the size, in this many bytes so far.
    Extension {
        size: u64,
        len: usize,
    },
    /// So many bytes of data, with the line end behind them.
    Data(u64),
    /// A line of the trailer, in this many bytes so far.
    Trailer {
        len: usize,
    },
    Done,
}

impl Body {
    /// As the head says; or why that cannot be told.
    pub(super) fn of(request: &Head) -> Result<Self, String> {
        let lengths: Vec<&str> = request.all("Content-Length").collect();
        let codings: Vec<&str> = request.all("Transfer-Encoding").collect();
        match (&lengths[..], &codings[..]) {
            ([], []) => Ok(Self::Sized(0)),
            ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => length
                .parse()
                .map(Self::Sized)
                .map_err(|_| format!("expected a Content-Length, got {length:?}")),
            ([], [coding]) if coding.trim().eq_ignore_ascii_case("chunked") => {
                Ok(Self::Chunked(Chunk::Size { size: 0, digits: 0 }))
            }
            _ => Err("expected one Content-Length, or Transfer-Encoding: chunked".to_owned()),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Sized(0) | Self::Chunked(Chunk::Done))
    }

    /// How many of these bytes are part of it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let chunk = match self {
            Self::Sized(left) => {
                let taken = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                return Ok(taken);
            }
            Self::Chunked(chunk) => chunk,
        };
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken) {
            if let Chunk::Data(left) = chunk {
                let rest = bytes.len() - taken;
                let passed = rest.min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= passed as u64;
                taken += passed;
                if *left == 0 {
                    *chunk = Chunk::Size { size: 0, digits: 0 };
                }
                continue;
            }
            *chunk = match chunk.clone() {
                Chunk::Done => break,
                chunk => chunk.after(byte)?,
            };
            taken += 1;
        }
        Ok(taken)
    }
}

impl Chunk {
    /// What comes behind a byte that is no data.
    fn after(self, byte: u8) -> Result<Self, String> {
        let wrong = || "expected a chunked body as in RFC 9112 section 7.1".to_owned();
        let next = match self {
            Self::Size { size, digits } => match char::from(byte).to_digit(16) {
                Some(digit) if digits < MOST_DIGITS => Self::Size {
                    size: size * 16 + u64::from(digit),
                    digits: digits + 1,
                },
                None if digits > 0 && matches!(byte, b'\r' | b';' | b' ' | b'\t') => {
                    Self::Extension { size, len: 0 }
                }
                _ => return Err(wrong()),
            },
            Self::Extension { size: 0, .. } if byte == b'\n' => Self::Trailer { len: 0 },
            Self::Extension { size, .. } if byte == b'\n' => Self::Data(size + 2),
            Self::Trailer { len: 0 } if byte == b'\n' => Self::Done,
            Self::Trailer { .. } if byte == b'\n' => Self::Trailer { len: 0 },
            Self::Trailer { len: 0 } if byte == b'\r' => Self::Trailer { len: 0 },
            Self::Extension { size, len } if len < MOST_LINE => {
                Self::Extension { size, len: len + 1 }
            }
            Self::Trailer { len } if len < MOST_LINE => Self::Trailer { len: len + 1 },
            _ => return Err(wrong()),
        };
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&str, &str)]) -> Head {
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Head {
            first_line: "POST / HTTP/1.1".to_owned(),
            fields: fields.iter().map(field).collect(),
        }
    }

    #[test]
    fn what_follows_a_body_is_not_of_it() {
        let next = "GET /second HTTP/1.1\r\n\r\n";
        let chunked = "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX: y\r\n\r\n";
        for (field, body) in [
            (("Content-Length", "5"), "hello"),
            (("Content-Length", "0"), ""),
            (("Transfer-Encoding", "Chunked"), chunked),
            (("Transfer-Encoding", "chunked"), "0\r\n\r\n"),
            (("X", "y"), ""),
        ] {
            let all = format!("{body}{next}");
            for step in [1, 3, all.len()] {
                let mut rest = Body::of(&head(&[field])).unwrap();
                let taken = all.as_bytes().chunks(step).map(|piece| rest.take(piece));
                let taken: usize = taken.map(Result::unwrap).sum();
                assert_eq!(
                    (taken, rest.is_over()),
                    (body.len(), true),
                    "{body:?} {step}"
                );
            }
        }
    }

    #[test]
    fn what_two_readers_would_understand_differently_is_refused() {
        for fields in [
            &[("Content-Length", "5"), ("Content-Length", "6")][..],
            &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
            &[("Content-Length", "+5")],
            &[("Content-Length", "")],
            &[("Transfer-Encoding", "gzip, chunked")],
        ] {
            assert!(Body::of(&head(fields)).is_err(), "{fields:?}");
        }
        for bytes in ["x\r\n", "\r\n", "1111111111111111\r\n"] {
            let mut body = Body::of(&head(&[("Transfer-Encoding", "chunked")])).unwrap();
            assert!(body.take(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
