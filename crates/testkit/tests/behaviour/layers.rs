//! The house is in order: arrows point down, files are one idea, nothing is
//! unsafe.

use std::path::{Path, PathBuf};

use longwire_testkit::layers::upward_in_crate;
use longwire_testkit::spec::workspace;

/// The crates, and what of the workspace each may depend on.
const CRATES: [(&str, &[&str]); 5] = [
    ("crates/proto", &[]),
    ("crates/longwire", &["longwire-proto"]),
    ("crates/cli", &["longwire"]),
    ("crates/testkit", &["longwire", "longwire-proto"]),
    ("examples", &["longwire"]),
];

fn manifest(folder: &str) -> toml::Table {
    let path = workspace().join(folder).join("Cargo.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

#[test]
fn no_module_uses_one_that_is_listed_above_it() {
    for (folder, _) in CRATES {
        let src = workspace().join(folder).join("src");
        if src.join("lib.rs").exists() {
            let found = upward_in_crate(&src).unwrap();
            let told: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert!(told.is_empty(), "{}", told.join("\n"));
        }
    }
}

#[test]
fn a_crate_depends_only_on_those_below_it() {
    for (folder, allowed) in CRATES {
        let manifest = manifest(folder);
        let dependencies = manifest["dependencies"].as_table().unwrap();
        for name in dependencies
            .keys()
            .filter(|name| name.starts_with("longwire"))
        {
            assert!(
                allowed.contains(&name.as_str()),
                "{folder} depends on {name}"
            );
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_which_forbid_unsafe_code() {
    let lints = &manifest(".")["workspace"]["lints"]["rust"];
    assert_eq!(lints["unsafe_code"].as_str(), Some("forbid"));
    for (folder, _) in CRATES {
        let manifest = manifest(folder);
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{folder}"
        );
    }
}

#[test]
fn no_source_file_is_longer_than_800_lines() {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for (folder, _) in CRATES {
        files(&workspace().join(folder), &mut found);
    }
    assert!(found.len() > 30);
    for path in found {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 800, "{} has {lines} lines", path.display());
    }
}
