//! How things are printed: messages on stdout, everything about them on
//! stderr, colour only on a terminal that wants it.

use std::io::{IsTerminal as _, Write as _};

use longwire::Message;
use owo_colors::OwoColorize as _;

/// Bytes of a binary message shown on a terminal.
const SHOWN: usize = 1024;

/// An error, in one line on stderr.
pub(crate) fn error(text: &str) {
    let name = "longwire:";
    anstream::eprintln!("{} {text}", name.red().bold());
}

/// Something worth knowing, in one line on stderr.
pub(crate) fn note(text: &str) {
    anstream::eprintln!("{}", text.dimmed());
}

/// Prints a message in a line of its own. Fails where stdout is closed.
pub(crate) fn message(message: &Message) -> std::io::Result<()> {
    let is_terminal = std::io::stdout().is_terminal();
    if !is_terminal {
        // To whom it may concern: as it came.
        let mut stdout = std::io::stdout().lock();
        match message {
            Message::Text(text) => writeln!(stdout, "{text}")?,
            Message::Binary(bytes) => writeln!(stdout, "{}", hex(bytes))?,
        }
        return stdout.flush();
    }
    let mut stdout = anstream::stdout().lock();
    match message {
        Message::Text(text) => {
            writeln!(stdout, "{} {}", "<".cyan(), harmless(text))?;
        }
        Message::Binary(bytes) => {
            let shown = &bytes[..bytes.len().min(SHOWN)];
            let more = if shown.len() < bytes.len() {
                " …"
            } else {
                ""
            };
            let size = format!("[{} bytes]", bytes.len());
            writeln!(
                stdout,
                "{} {} {}{more}",
                "<".cyan(),
                size.dimmed(),
                hex(shown)
            )?;
        }
    }
    stdout.flush()
}

/// Text of a peer without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let escaped = char.is_control() && char != '\n' && char != '\t';
            let (one, many) = if escaped {
                (None, Some(char.escape_unicode()))
            } else {
                (Some(char), None)
            };
            one.into_iter().chain(many.into_iter().flatten())
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_not_obeyed() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\tc\n\u{9b}d"),
            "a\\u{1b}[2Jb\tc\n\\u{9b}d"
        );
    }

    #[test]
    fn binary_is_hex_in_pairs() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "00 1f ff");
        assert_eq!(hex(&[]), "");
    }
}
