//! How messages look at a terminal: JSON in lines and colours, bytes as a hex
//! dump, nothing that the terminal would obey.

use std::fmt::Write as _;

use longwire::Message;
use owo_colors::Style;

use super::clock::Clock;
use super::tokens::{Kind, is_container, tokens};
use crate::output::harmless;

/// Bytes of a text shown at a terminal.
const MOST_TEXT: usize = 64 << 10;

/// Bytes of JSON in lines and colours: a few of a peer's can ask for a hundred times as
/// many, by depth.
const MOST_PRETTY: usize = 512 << 10;

/// Bytes of a binary message shown at a terminal.
const MOST_BYTES: usize = 256;

/// Bytes in a line of a hex dump.
const DUMP_WIDTH: usize = 16;

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette(pub(super) bool);

impl Palette {
    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if self.0 {
            style.style(text).to_string()
        } else {
            text.to_owned()
        }
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// A token of JSON in its colour.
    pub(super) fn token(self, kind: Kind, text: &str) -> String {
        let style = match kind {
            Kind::Key => Style::new().blue().bold(),
            Kind::String | Kind::Unfinished => Style::new().green(),
            Kind::Number => Style::new().cyan(),
            Kind::Word => Style::new().yellow(),
            _ => return text.to_owned(),
        };
        self.paint(style, text)
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Sent,
    Received,
}

impl Direction {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }

    pub(super) fn arrow(self, palette: Palette) -> String {
        match self {
            Self::Sent => palette.paint(Style::new().magenta(), ">"),
            Self::Received => palette.paint(Style::new().cyan(), "<"),
        }
    }
}

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) palette: Palette,
    pub(super) clock: Clock,
    /// Whether JSON stays as it came.
    pub(super) compact: bool,
}

impl Look {
    /// A message that came, with a line break at its end.
    pub(super) fn message(&self, message: &Message) -> String {
        match message {
            Message::Text(text) => self.text(text),
            Message::Binary(bytes) => self.binary(bytes, None),
        }
    }

    /// A text that came, or a part of one.
    pub(super) fn text(&self, text: &str) -> String {
        let pretty = (!self.compact && text.len() <= MOST_TEXT && is_container(text))
            .then(|| pretty(text, self.palette))
            // What would flood the screen is shown as it came.
            .filter(|pretty| pretty.len() <= MOST_PRETTY);
        let shown = pretty.unwrap_or_else(|| cut(&harmless(start_of(text)), text.len()));
        self.block(Direction::Received, &shown)
    }

    /// A binary message that came, and what became of it where it is not shown.
    pub(super) fn binary(&self, bytes: &[u8], written_to: Option<&str>) -> String {
        let size = format!("[{} bytes]", bytes.len());
        let mut shown = self.palette.dim(&size);
        if let Some(file) = written_to {
            let _ = write!(shown, " written to {}", harmless(file));
        } else {
            dump(bytes, self.palette, &mut shown);
        }
        self.block(Direction::Received, &shown)
    }

    /// What is no message, in a line of its own.
    pub(super) fn note(&self, text: &str) -> String {
        let line = format!("{}{}\n", self.clock.now(), harmless(text));
        self.palette.dim(line.trim_end()) + "\n"
    }

    /// What went wrong, in a line of its own.
    pub(super) fn complaint(&self, text: &str) -> String {
        let mark = self.palette.paint(Style::new().red().bold(), "!");
        let time = self.palette.dim(&self.clock.now());
        format!("{time}{mark} {}\n", harmless(text))
    }

    /// Time and direction in front of the first line, as much room in front of
    /// the others: no message can look like two.
    fn block(&self, direction: Direction, text: &str) -> String {
        let time = self.clock.now();
        let arrow = direction.arrow(self.palette);
        let room = format!("\n{}  ", " ".repeat(time.len()));
        let text = text.replace('\n', &room);
        format!("{}{arrow} {text}\n", self.palette.dim(&time))
    }
}

/// The start of a text that is shown.
fn start_of(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_TEXT)]
}

/// What is shown of a text, and how much there is more.
fn cut(shown: &str, len: usize) -> String {
    if len <= MOST_TEXT {
        return shown.to_owned();
    }
    format!("{shown}… [{len} bytes in all]")
}

/// JSON with a line for each member, in colour.
pub(super) fn pretty(json: &str, palette: Palette) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut tokens = tokens(json)
        .filter(|token| token.kind != Kind::Space)
        .peekable();
    while let Some(token) = tokens.next() {
        match token.kind {
            Kind::Open => {
                text.push_str(token.text);
                if let Some(close) = tokens.next_if(|next| next.kind == Kind::Close) {
                    text.push_str(close.text);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            Kind::Close => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push_str(token.text);
            }
            Kind::Comma => {
                text.push(',');
                new_line(&mut text, depth);
            }
            Kind::Colon => text.push_str(": "),
            kind => text.push_str(&palette.token(kind, &harmless(token.text))),
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth {
        text.push_str("  ");
    }
}

/// A typed line in the colours of JSON, where it is that.
pub(super) fn coloured(line: &str, palette: Palette) -> String {
    tokens(line)
        .map(|token| palette.token(token.kind, token.text))
        .collect()
}

/// Offset, bytes in hex, and as ASCII, in lines.
fn dump(bytes: &[u8], palette: Palette, text: &mut String) {
    let shown = bytes.get(..MOST_BYTES).unwrap_or(bytes);
    for (row, line) in shown.chunks(DUMP_WIDTH).enumerate() {
        let mut hex = String::new();
        for (column, byte) in line.iter().enumerate() {
            let gap = if column == DUMP_WIDTH / 2 { " " } else { "" };
            let _ = write!(hex, "{gap}{byte:02x} ");
        }
        let ascii: String = line.iter().map(|&byte| printable(byte)).collect();
        let offset = palette.dim(&format!("{:06x}", row * DUMP_WIDTH));
        let width = DUMP_WIDTH * 3 + 1;
        let _ = write!(text, "\n{offset}  {hex:<width$} {}", palette.dim(&ascii));
    }
    if shown.len() < bytes.len() {
        let _ = write!(text, "\n… {} bytes more", bytes.len() - shown.len());
    }
}

fn printable(byte: u8) -> char {
    if byte == b' ' || byte.is_ascii_graphic() {
        char::from(byte)
    } else {
        '.'
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::connect::TimeArg;

    fn plain() -> Look {
        Look {
            palette: Palette(false),
            clock: Clock::new(TimeArg::Off),
            compact: false,
        }
    }

    #[test]
    fn json_has_a_line_for_each_member_and_keeps_its_order_and_digits() {
        let json = r#"{"b":1.50,"a":[12345678901234567890,{}],"c":"x\"\u001b[2J"}"#;
        assert_eq!(
            plain().text(json),
            "< {\n    \"b\": 1.50,\n    \"a\": [\n      12345678901234567890,\n      {}\n    ],\n    \
             \"c\": \"x\\\"\\u001b[2J\"\n  }\n"
        );
        let coloured = pretty("[1]", Palette(true));
        assert!(coloured.contains("\u{1b}[36m1"), "{coloured:?}");
    }

    #[test]
    fn a_text_of_lines_stays_one_message_and_obeys_nothing() {
        assert_eq!(plain().text("a\n< b\u{1b}[2J"), "< a\n  < b\\u{1b}[2J\n");
        let deep = "[".repeat(100_000);
        assert!(plain().text(&deep).len() < 2 * MOST_TEXT);
    }

    #[test]
    fn bytes_are_dumped_up_to_a_limit() {
        let shown = plain().binary(b"\0\x1fhello\xff world, and more", None);
        assert_eq!(
            shown,
            "< [24 bytes]\n  \
             000000  00 1f 68 65 6c 6c 6f ff  20 77 6f 72 6c 64 2c 20  ..hello. world, \n  \
             000010  61 6e 64 20 6d 6f 72 65                           and more\n"
        );
        let shown = plain().binary(&[0; 5000], None);
        assert!(shown.ends_with("… 4744 bytes more\n"), "{shown}");
        assert_eq!(
            plain().binary(b"x", Some("a.bin")),
            "< [1 bytes] written to a.bin\n"
        );
    }

    #[test]
    fn json_that_would_flood_the_screen_is_shown_as_it_came() {
        let deep = |items: usize| {
            let (open, close) = ("[".repeat(100), "]".repeat(100));
            format!("{open}{}1{close}", "1,".repeat(items))
        };
        assert!(plain().text(&deep(10)).lines().count() > 200);
        let flood = deep(30_000);
        assert!(plain().text(&flood).len() < 2 * flood.len());
    }
}
