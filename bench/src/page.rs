//! The page of the documentation that has what the benches print.

use crate::Failure;

/// The folder of the documentation.
pub const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// Puts `tables` into `docs/performance.md`, between the marks of this name.
pub fn write(name: &str, tables: &str) -> Result<(), Failure> {
    let page = format!("{DOCS}/performance.md");
    let text = std::fs::read_to_string(&page)?;
    let text = filled(&text, name, tables).ok_or_else(|| format!("{page} has no {name} marks"))?;
    Ok(std::fs::write(page, text)?)
}

/// The page with other tables between its marks; `None` where it lacks one.
fn filled(page: &str, name: &str, tables: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- {name}: begin -->"),
        format!("<!-- {name}: end -->"),
    );
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    let tables = tables.trim_end();
    Some(format!("{before}{begin}\n\n{tables}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_replace_what_is_between_their_marks_and_nothing_else() {
        let page = "a <!-- x: begin -->old<!-- x: end --> b <!-- y: begin -->y<!-- y: end -->";
        let new = filled(page, "x", "new\n").unwrap();
        let expected = "a <!-- x: begin -->\n\nnew\n\n<!-- x: end --> b \
                        <!-- y: begin -->y<!-- y: end -->";
        assert_eq!(new, expected);
        assert_eq!(filled(&new, "x", "new").as_deref(), Some(expected));
        assert_eq!(filled(page, "z", "new"), None);
    }
}
