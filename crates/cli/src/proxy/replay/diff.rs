//! The difference of two texts as lines, for a terminal: where it begins, and no
//! more than can be read.

use owo_colors::OwoColorize as _;
use similar::{ChangeTag, TextDiff};

use crate::output;

/// Lines that are compared, from shortly before the first difference on.
const MOST_COMPARED: usize = 200;

/// Lines that are shown.
const MOST_SHOWN: usize = 40;

/// Lines around a difference.
const CONTEXT: usize = 3;

/// Characters of a line: a longer one is shown as several.
const MOST_WIDE: usize = 200;

/// The difference as a unified diff.
pub(super) fn unified(recorded: &str, received: &str) -> String {
    let (recorded, received) = (lines(recorded), lines(received));
    let same = recorded.iter().zip(&received);
    let same = same.take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(CONTEXT);
    let (old, new) = (part(&recorded, from), part(&received, from));
    let diff = TextDiff::from_slices(&old, &new);
    let mut shown = vec!["--- recorded".red().to_string()];
    shown.push("+++ received".green().to_string());
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let at = |start: usize, end: usize| format!("{},{}", from + start + 1, end - start);
        let old = at(first.old_range().start, last.old_range().end);
        let new = at(first.new_range().start, last.new_range().end);
        shown.push(format!("@@ -{old} +{new} @@").cyan().to_string());
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = output::harmless(change.value());
            shown.push(match change.tag() {
                ChangeTag::Delete => format!("-{line}").red().to_string(),
                ChangeTag::Insert => format!("+{line}").green().to_string(),
                ChangeTag::Equal => format!(" {line}"),
            });
        }
    }
    let beyond = recorded.len().max(received.len()) - from.min(recorded.len().max(received.len()));
    let left_out = shown.len().saturating_sub(MOST_SHOWN) + beyond.saturating_sub(MOST_COMPARED);
    shown.truncate(MOST_SHOWN);
    if left_out > 0 {
        shown.push(format!("\u{2026} {left_out} more lines (all with --json)"));
    }
    shown.push(String::new());
    shown.join("\n")
}

/// The lines of a text, the long ones in pieces.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    for mut line in text.lines() {
        while let Some((end, _)) = line.char_indices().nth(MOST_WIDE) {
            let (piece, rest) = line.split_at(end);
            lines.push(piece);
            line = rest;
        }
        lines.push(line);
    }
    lines
}

fn part<'l>(lines: &[&'l str], from: usize) -> Vec<&'l str> {
    let from = lines.iter().skip(from);
    from.take(MOST_COMPARED).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(recorded: &str, received: &str) -> String {
        anstream::adapter::strip_str(&unified(recorded, received)).to_string()
    }

    #[test]
    fn what_is_around_a_difference_is_shown_where_it_is() {
        let recorded: Vec<String> = (1..1000).map(|line| format!("line {line}")).collect();
        let mut received = recorded.clone();
        received[499] = "another\u{1b}[2J".to_owned();
        assert_eq!(
            plain(&recorded.join("\n"), &received.join("\n")),
            "--- recorded\n+++ received\n@@ -497,7 +497,7 @@\n line 497\n line 498\n line 499\n\
             -line 500\n+another\\u{1b}[2J\n line 501\n line 502\n line 503\n\
             \u{2026} 303 more lines (all with --json)\n"
        );
        assert_eq!(
            plain("a\nb", "a\nc"),
            "--- recorded\n+++ received\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
        assert_eq!(plain("", "c").lines().last(), Some("+c"));
    }

    #[test]
    fn large_ones_are_told_in_few_lines() {
        let wide = "x".repeat(1 << 20);
        let high = "x\n".repeat(1 << 20);
        for (one, other) in [(&wide, &high), (&high, &wide), (&wide, &String::new())] {
            let shown = plain(one, other);
            assert_eq!(shown.lines().count(), MOST_SHOWN + 1, "{shown}");
            assert!(shown.len() < 16 << 10 && shown.contains("more lines"));
        }
        // Where only the end of one long line differs, that is what is shown.
        let shown = plain(&format!("{wide}a"), &format!("{wide}b"));
        assert!(shown.contains("a\n+") && shown.len() < 4 << 10, "{shown}");
    }
}
