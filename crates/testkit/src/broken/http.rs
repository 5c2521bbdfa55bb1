//! The heads of HTTP requests and responses (RFC 9112 sections 2 to 5), read as
//! strictly as who stands behind a proxy must.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::faults::{Fault, Plan};
use super::negotiation::is_token;

/// Bytes of a head that are read at most.
const MOST_HEAD: usize = 16 << 10;

/// Fields of a head that are read at most.
const MOST_FIELDS: usize = 100;

/// The same for a peer without a limit.
const FAR_MOST_HEAD: usize = 1 << 20;
const FAR_MOST_FIELDS: usize = 20_000;

/// A request or a response up to its empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) first_line: String,
    fields: Vec<(String, String)>,
}

/// What is wrong with a head, as the status that tells it to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    Invalid,
    TooLarge,
}

impl Head {
    /// The head in `bytes` and its length, once it is there in full.
    pub(super) fn read(plan: Plan, bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        let unbounded = plan.breaks(Fault::HeadWithoutLimit);
        let most = if unbounded { FAR_MOST_HEAD } else { MOST_HEAD };
        let mut lines: Vec<&[u8]> = Vec::new();
        let mut end = 0;
        loop {
            let rest = bytes.get(end..).unwrap_or_default();
            let Some(len) = rest.iter().position(|&byte| byte == b'\n') else {
                let is_long = bytes.len() > most;
                return if is_long {
                    Err(HeadError::TooLarge)
                } else {
                    Ok(None)
                };
            };
            let line = rest.get(..len).unwrap_or_default();
            end += len + 1;
            if end > most {
                return Err(HeadError::TooLarge);
            }
            let line = match line.strip_suffix(b"\r") {
                Some(line) => line,
                None if plan.breaks(Fault::TakesBareLf) => line,
                None => return Err(HeadError::Invalid),
            };
            // RFC 9112 section 2.2 lets a server pass over empty lines before a request.
            match (line.is_empty(), lines.is_empty()) {
                (true, true) => {}
                (true, false) => break,
                (false, _) => lines.push(line),
            }
        }
        let most = if unbounded {
            FAR_MOST_FIELDS
        } else {
            MOST_FIELDS
        };
        if lines.len() > most + 1 {
            return Err(HeadError::TooLarge);
        }
        Ok(Some((Self::parse(plan, &lines)?, end)))
    }

    fn parse(plan: Plan, lines: &[&[u8]]) -> Result<Self, HeadError> {
        let (first, rest) = lines.split_first().ok_or(HeadError::Invalid)?;
        let first_line = text(plan, first)?;
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in rest {
            let line = text(plan, line)?;
            if line.starts_with([' ', '\t']) {
                let last = fields
                    .last_mut()
                    .filter(|_| plan.breaks(Fault::TakesFolding));
                let (_, value) = last.ok_or(HeadError::Invalid)?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(HeadError::Invalid)?;
            let name = if plan.breaks(Fault::TakesSpaceBeforeColon) {
                name.trim_end()
            } else {
                name
            };
            let is_space = name.ends_with([' ', '\t']);
            if !is_token(name) && (is_space || !plan.breaks(Fault::TakesInvalidName)) {
                return Err(HeadError::Invalid);
            }
            fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        Ok(Self { first_line, fields })
    }

    /// The values of a field, in their order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |field| field.0.eq_ignore_ascii_case(name))
            .map(|field| field.1.as_str())
    }

    /// The value of a field that is there once.
    pub(super) fn one<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.all(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// The value of a list, of all its fields together.
    pub(super) fn list(&self, name: &str) -> String {
        self.all(name).collect::<Vec<_>>().join(", ")
    }

    /// Whether a list has this element, in whatever case.
    pub(super) fn has(&self, name: &str, element: &str) -> bool {
        let list = self.list(name);
        list.split(',')
            .any(|part| part.trim().eq_ignore_ascii_case(element))
    }

    /// Whether a field is there in this spelling.
    pub(super) fn is_spelled(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.0 == name)
    }
}

/// A line without what could end it for somebody else.
fn text(plan: Plan, line: &[u8]) -> Result<String, HeadError> {
    let is_allowed = |&byte: &u8| byte >= b' ' && byte != 0x7F || byte == b'\t';
    if !plan.breaks(Fault::TakesNul) && !line.iter().all(is_allowed) {
        return Err(HeadError::Invalid);
    }
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// `Sec-WebSocket-Accept` for a key (RFC 6455 section 4.2.2).
pub(super) fn accept_for(key: &str) -> String {
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
        assert_eq!(
            accept_for("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn a_head_is_read_when_all_of_it_is_there() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nA: x,\tY \r\na: z\r\n\r\nrest";
        let end = bytes.len() - 4;
        for len in 0..end {
            assert_eq!(Head::read(Plan(None), &bytes[..len]), Ok(None));
        }
        let (head, len) = Head::read(Plan(None), bytes).unwrap().unwrap();
        assert_eq!((head.first_line.as_str(), len), ("GET / HTTP/1.1", end));
        assert_eq!((head.one("HOST"), head.one("a")), (Some("a"), None));
        assert!(head.has("a", "y") && head.has("a", "Z") && !head.has("a", "x,"));
    }

    #[test]
    fn each_fault_takes_its_own_shape_and_no_other() {
        let cases = [
            (Fault::TakesSpaceBeforeColon, "Host : a\r\n"),
            (Fault::TakesFolding, "Host: a\r\n b\r\n"),
            (Fault::TakesBareLf, "Host: a\n"),
            (Fault::TakesNul, "Host: a\0b\r\n"),
            (Fault::TakesInvalidName, "Ho st: a\r\n"),
        ];
        for (fault, _) in cases {
            for (class, field) in cases {
                let request = format!("GET / HTTP/1.1\r\n{field}\r\n");
                let read = |plan| Head::read(plan, request.as_bytes());
                assert_eq!(read(Plan(None)), Err(HeadError::Invalid), "{field:?}");
                let is_taken = read(Plan(Some(fault))).is_ok();
                assert_eq!(is_taken, fault == class, "{fault}: {field:?}");
            }
        }
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let long = vec![b'a'; MOST_HEAD + 1];
        assert_eq!(Head::read(Plan(None), &long), Err(HeadError::TooLarge));
        let fields = "A: b\r\n".repeat(MOST_FIELDS + 1);
        let many = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(
            Head::read(Plan(None), many.as_bytes()),
            Err(HeadError::TooLarge)
        );
        let unbounded = Plan(Some(Fault::HeadWithoutLimit));
        assert!(Head::read(unbounded, many.as_bytes()).unwrap().is_some());
    }
}
