//! `docs/conformance.md`: each requirement, its code and its tests, for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::markers::{Marker, MarkerKind};
use super::requirements::Requirement;

/// The document.
pub fn report(requirements: &[Requirement], markers: &[Marker]) -> String {
    let mut out = String::from(
        "# Conformance\n\n\
         Written by the test `every_requirement_is_met_by_code_and_by_a_test`, from `spec/*.toml`\n\
         and the markers in the code. Renew it with `cargo nextest run -p longwire-testkit conformance`.\n",
    );
    let mut section = None;
    let mut standard = None;
    for requirement in requirements {
        let Some((its_standard, its_section, _)) = requirement.parts() else {
            continue;
        };
        if standard != Some(its_standard) {
            standard = Some(its_standard);
            summary(&mut out, its_standard, requirements);
        }
        if section != Some(its_section) {
            section = Some(its_section);
            let _ = write!(
                out,
                "\n### {} section {its_section}\n\n\
                 | | level | who | requirement | code | tests |\n|---|---|---|---|---|---|\n",
                its_standard.to_uppercase()
            );
        }
        row(&mut out, requirement, markers);
    }
    out
}

fn summary(out: &mut String, standard: &str, requirements: &[Requirement]) {
    let of_standard = || {
        requirements
            .iter()
            .filter(move |r| r.parts().is_some_and(|(its, _, _)| its == standard))
    };
    let total = of_standard().count();
    let excepted = of_standard().filter(|r| r.exception.is_some()).count();
    let binding = of_standard().filter(|r| r.level.binds()).count();
    let _ = write!(
        out,
        "\n## {}\n\n{total} requirements, {binding} of them MUST or SHOULD. \
         {excepted} have an exception, told below with its reason;\n\
         all other MUST and SHOULD have code and a test.\n",
        standard.to_uppercase()
    );
}

fn row(out: &mut String, requirement: &Requirement, markers: &[Marker]) {
    let (_, number) = requirement.id.rsplit_once('#').unwrap_or_default();
    let text = match &requirement.exception {
        Some(reason) => format!("{} *Exception: {reason}.*", requirement.text),
        None => requirement.text.clone(),
    };
    let _ = writeln!(
        out,
        "| {number} | {} | {} | {text} | {} | {} |",
        requirement.level,
        format!("{:?}", requirement.role).to_lowercase(),
        files(&requirement.id, MarkerKind::Code, markers),
        files(&requirement.id, MarkerKind::Test, markers),
    );
}

/// Links to the files, without lines: those change with each edit.
fn files(id: &str, kind: MarkerKind, markers: &[Marker]) -> String {
    let files: BTreeSet<_> = markers
        .iter()
        .filter(|marker| marker.id == id && marker.kind == kind)
        .map(|marker| marker.file.to_string_lossy().into_owned())
        .collect();
    let links: Vec<String> = files
        .iter()
        .map(|file| {
            let short = file
                .trim_start_matches("crates/")
                .replace("/src/", "/")
                .replace("/tests/behaviour/", "/");
            format!("[{short}](../{file})")
        })
        .collect();
    links.join(", ")
}
