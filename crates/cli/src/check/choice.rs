//! Which cases are tried.

use super::case::Case;
use crate::args::check::ChoiceArgs;

impl ChoiceArgs {
    /// Whether this case was asked for.
    pub(crate) fn takes(&self, case: &Case) -> bool {
        let is_in = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &case.id));
        (self.case.is_empty() || is_in(&self.case)) && !is_in(&self.skip)
    }
}

/// Whether an id matches a pattern, in which `*` is any text.
fn matches(pattern: &str, id: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == id;
    };
    let Some(after) = id.strip_prefix(start) else {
        return false;
    };
    let mut ends = after.char_indices().map(|(at, _)| at).chain([after.len()]);
    ends.any(|at| matches(rest, &after[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, id, expected) in [
            ("utf8.*", "utf8.valid-nul", true),
            ("utf8.*", "close.one-byte", false),
            ("*.valid-*", "utf8.valid-nul", true),
            ("*nul", "utf8.valid-nul", true),
            ("*nu", "utf8.valid-nul", false),
            ("close.one-byte", "close.one-byte", true),
            ("close.one", "close.one-byte", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, id), expected, "{pattern} {id}");
        }
    }
}
