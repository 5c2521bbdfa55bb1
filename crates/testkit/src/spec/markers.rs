//! Markers: comments that say which requirement the code below meets.
//!
//! `//= rfc6455#5.1-3` stands in code, `//= rfc6455#5.1-3 test` in a test;
//! several ids are separated by commas. Python has `#=` instead.

use std::path::{Path, PathBuf};

/// What a marker claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// The code meets the requirement.
    Code,
    /// The test would fail if it did not.
    Test,
}

/// One id in one marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The requirement's id.
    pub id: String,
    /// What is claimed.
    pub kind: MarkerKind,
    /// The file, relative to the workspace.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// Whether the marker stands in a test.
    pub in_test: bool,
}

/// Folders that have no code of ours.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".venv", "__pycache__"];

/// The markers of all code below these folders of the workspace.
pub fn find_markers(workspace: &Path, folders: &[&str]) -> std::io::Result<Vec<Marker>> {
    let mut files = Vec::new();
    for folder in folders {
        collect(&workspace.join(folder), &mut files)?;
    }
    files.sort();
    let mut markers = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let relative = file.strip_prefix(workspace).unwrap_or(&file);
        markers.extend(markers_in(relative, &text));
    }
    Ok(markers)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            if !name.is_some_and(|name| SKIPPED.contains(&name)) {
                collect(&path, files)?;
            }
        } else if matches!(extension, Some("rs" | "mjs" | "py")) {
            files.push(path);
        }
    }
    Ok(())
}

/// The markers of one file.
pub fn markers_in(file: &Path, text: &str) -> Vec<Marker> {
    let is_test_file = file
        .components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "peers")))
        || file.file_name().is_some_and(|name| name == "tests.rs");
    let mut in_test = is_test_file;
    let mut before = "";
    let mut markers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        in_test |= before == "#[cfg(test)]" && line.starts_with("mod ");
        before = line;
        let Some(claim) = line.strip_prefix("//=").or_else(|| line.strip_prefix("#=")) else {
            continue;
        };
        let claim = claim.trim();
        let (ids, kind) = match claim.strip_suffix(" test") {
            Some(ids) => (ids, MarkerKind::Test),
            None => (claim, MarkerKind::Code),
        };
        markers.extend(ids.split(',').map(|id| Marker {
            id: id.trim().to_owned(),
            kind,
            file: file.to_owned(),
            line: at + 1,
            in_test,
        }));
    }
    markers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_with_their_kind_and_place() {
        let text = "    //= rfc1#1-1, rfc1#1-2\nfn f() {}\n#[cfg(test)]\nfn g() {}\n#[cfg(test)]\nmod tests {\n//= rfc1#1-1 test\n";
        let got = markers_in(Path::new("src/a.rs"), text);
        let told: Vec<_> = got
            .iter()
            .map(|m| (m.id.as_str(), m.kind, m.line, m.in_test))
            .collect();
        assert_eq!(
            told,
            [
                ("rfc1#1-1", MarkerKind::Code, 1, false),
                ("rfc1#1-2", MarkerKind::Code, 1, false),
                ("rfc1#1-1", MarkerKind::Test, 7, true),
            ]
        );
        let python = markers_in(Path::new("peers/p.py"), "#= rfc1#1-1 test\n");
        assert!(python[0].in_test);
    }
}
