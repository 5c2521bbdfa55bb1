//! Arrows that point up: a module that uses one listed after it.
//!
//! Each `lib.rs` and `mod.rs` lists its modules bottom-up. This scan reads
//! paths (`crate::x`, `super::x`, and the trees of `use`) in code without its
//! comments, strings and tests, which is enough for code that is formatted.

use std::fmt;
use std::path::{Path, PathBuf};

/// A use of a module from one that stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upward {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The module that the file belongs to.
    pub from: String,
    /// The module that it uses.
    pub to: String,
}

impl fmt::Display for Upward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: `{}` uses `{}`, which is listed above it",
            self.file.display(),
            self.line,
            self.from,
            self.to
        )
    }
}

/// The uses that point up in a crate, given its `src` folder.
pub fn upward_in_crate(src: &Path) -> std::io::Result<Vec<Upward>> {
    let mut found = Vec::new();
    check_folder(src, "lib.rs", &["crate".to_owned()], &mut found)?;
    Ok(found)
}

/// Checks the modules that a folder's list has, and the folders below it.
fn check_folder(
    folder: &Path,
    list: &str,
    path: &[String],
    found: &mut Vec<Upward>,
) -> std::io::Result<()> {
    let modules = listed_modules(&std::fs::read_to_string(folder.join(list))?);
    for (at, module) in modules.iter().enumerate() {
        let mut files = Vec::new();
        let file = folder.join(format!("{module}.rs"));
        if file.exists() {
            files.push((file, path.len() + 1));
        }
        let below = folder.join(module);
        if below.is_dir() {
            collect(&below, path.len() + 1, &mut files)?;
        }
        for (file, depth) in files {
            let text = std::fs::read_to_string(&file)?;
            for (line, used) in used_modules(&text, path, depth) {
                if modules[at + 1..].contains(&used) {
                    found.push(Upward {
                        file: file.clone(),
                        line,
                        from: module.clone(),
                        to: used,
                    });
                }
            }
        }
        if below.join("mod.rs").exists() {
            let path = [path, std::slice::from_ref(module)].concat();
            check_folder(&below, "mod.rs", &path, found)?;
        }
    }
    Ok(())
}

/// The files of a module's folder, each with the length of its own path.
fn collect(folder: &Path, depth: usize, files: &mut Vec<(PathBuf, usize)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let own = if path.ends_with("mod.rs") {
                depth
            } else {
                depth + 1
            };
            files.push((path, own));
        }
    }
    Ok(())
}

/// The modules that a file lists, in its order.
fn listed_modules(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
            line.strip_prefix("mod ")?.strip_suffix(';')
        })
        .filter(|name| *name != "tests")
        .map(str::to_owned)
        .collect()
}

/// The modules below `parent` that a file's code names, with their lines. The
/// file's own path has `depth` parts.
fn used_modules(text: &str, parent: &[String], depth: usize) -> Vec<(usize, String)> {
    let code = code_of(text);
    // `crate::a::b` from the root, or as many `super` as lead to the parent.
    let absolute = parent.join("::") + "::";
    let supers = "super::".repeat(depth.saturating_sub(parent.len()));
    let mut used = Vec::new();
    for prefix in [absolute, supers] {
        if prefix.is_empty() {
            continue;
        }
        for (at, _) in code.match_indices(&prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            for name in first_names(&code[at + prefix.len()..]) {
                used.push((line, name));
            }
        }
    }
    used
}

/// The first names of a path, or of each branch of a tree.
fn first_names(text: &str) -> Vec<String> {
    let Some(tree) = text.strip_prefix('{') else {
        return identifier(text).into_iter().collect();
    };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut start = true;
    for (at, char) in tree.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            char if char.is_whitespace() => {}
            _ if start => {
                names.extend(identifier(&tree[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

/// The code without comments, strings and the tests at its end; lines stay.
fn code_of(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut out = String::new();
    for line in code.lines() {
        let mut in_string = false;
        let mut chars = line.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '\\' if in_string => {
                    chars.next();
                }
                '"' => in_string = !in_string,
                '/' if !in_string && chars.peek() == Some(&'/') => break,
                _ if in_string => {}
                char => out.push(char),
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate of these files, gone with the test.
    struct Fixture(PathBuf);

    impl Fixture {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder =
                std::env::temp_dir().join(format!("longwire-layers-{name}-{}", std::process::id()));
            for (file, text) in files {
                let path = folder.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self(folder)
        }

        fn upward(&self) -> Vec<(String, String, usize)> {
            let found = upward_in_crate(&self.0).unwrap();
            found.into_iter().map(|u| (u.from, u.to, u.line)).collect()
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn uses_that_point_down_are_fine() {
        let fixture = Fixture::new(
            "down",
            &[
                ("lib.rs", "mod low;\n\npub mod high;\n"),
                (
                    "low.rs",
                    "// crate::high\nconst A: &str = \"crate::high::x\";\nuse std::fmt;\n",
                ),
                (
                    "high/mod.rs",
                    "mod a;\nmod b;\nuse crate::low;\nuse a::X;\n",
                ),
                (
                    "high/a.rs",
                    "use crate::low::Y;\n#[cfg(test)]\nmod tests {\n use super::super::b;\n}\n",
                ),
                ("high/b.rs", "use super::a;\nfn f() { super::a::g(); }\n"),
            ],
        );
        assert_eq!(fixture.upward(), []);
    }

    #[test]
    fn every_kind_of_use_that_points_up_is_found() {
        let up = |from: &str, line| (from.to_owned(), "high".to_owned(), line);
        for (name, code, line) in [
            ("use", "use crate::high;", 1),
            (
                "tree",
                "\nuse crate::{\n    other::{self, high},\n    high::X,\n};",
                2,
            ),
            ("inline", "fn f() {\n    crate::high::g();\n}", 2),
            ("super", "use super::high::X;", 1),
        ] {
            let list = "pub(crate) mod other;\nmod low;\npub mod high;\n";
            let files = [
                ("lib.rs", list),
                ("low.rs", code),
                ("high.rs", ""),
                ("other.rs", ""),
            ];
            let fixture = Fixture::new(name, &files);
            assert_eq!(fixture.upward(), [up("low", line)], "{code}");
        }
        let fixture = Fixture::new(
            "nested",
            &[
                ("lib.rs", "mod low;\nmod high;\n"),
                ("low/mod.rs", "mod a;\nmod b;\n"),
                ("low/a.rs", "use super::b::X;\nuse super::super::high::Y;\n"),
                ("low/b.rs", "use crate::low::a;\n"),
                ("high.rs", ""),
            ],
        );
        assert_eq!(
            fixture.upward(),
            [up("low", 2), ("a".into(), "b".into(), 1)]
        );
    }
}
