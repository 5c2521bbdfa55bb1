//! How things are printed: messages on stdout, everything about them on
//! stderr, colour only on a terminal that wants it.

use owo_colors::OwoColorize as _;

/// An error, in one line on stderr.
pub(crate) fn error(text: &str) {
    let name = "longwire:";
    anstream::eprintln!("{} {text}", name.red().bold());
}

/// Something worth knowing, in one line on stderr.
pub(crate) fn note(text: &str) {
    anstream::eprintln!("{}", text.dimmed());
}

/// Text of a peer without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let escaped = is_obeyed(char);
            let (one, many) = if escaped {
                (None, Some(char.escape_unicode()))
            } else {
                (Some(char), None)
            };
            one.into_iter().chain(many.into_iter().flatten())
        })
        .collect()
}

/// Whether a terminal obeys it instead of showing it: controls, and those of Unicode
/// that turn the direction of writing round.
fn is_obeyed(char: char) -> bool {
    let turns = matches!(
        char,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    );
    turns || (char.is_control() && char != '\n' && char != '\t')
}

/// Bytes as pairs of digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_not_obeyed() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\tc\n\u{9b}d\u{202e}e\u{2066}"),
            "a\\u{1b}[2Jb\tc\n\\u{9b}d\\u{202e}e\\u{2066}"
        );
        assert_eq!(harmless("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn binary_is_hex_in_pairs() {
        assert_eq!(hex(&[0, 0x1f, 0xff]), "00 1f ff");
        assert_eq!(hex(&[]), "");
    }
}
