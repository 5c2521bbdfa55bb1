//! Every requirement of the standards is met by code and by a test.

use longwire_testkit::spec::{check, find_markers, load, report, workspace};

#[test]
fn every_requirement_is_met_by_code_and_by_a_test() {
    let workspace = workspace();
    let requirements = load(&workspace.join("spec")).unwrap();
    assert!(requirements.len() > 100, "the lists are there");
    let markers = find_markers(&workspace, &["crates", "examples"]).unwrap();
    let problems = check(&requirements, &markers);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        told.len(),
        told.join("\n")
    );

    let path = workspace.join("docs/conformance.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let renewed = report(&requirements, &markers);
    if written == renewed {
        return;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "docs/conformance.md is out of date: run `cargo nextest run -p longwire-testkit conformance` and commit it"
    );
    std::fs::write(&path, renewed).unwrap();
}
