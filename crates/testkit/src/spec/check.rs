//! What does not fit: between the lists, the code and the tests.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use super::markers::{Marker, MarkerKind};
use super::requirements::Requirement;

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An id that is not `standard#section-number`, or not the next number.
    Id {
        /// The id.
        id: String,
    },
    /// An id that stands twice.
    Repeated {
        /// The id.
        id: String,
    },
    /// An exception without a reason.
    NoReason {
        /// The requirement.
        id: String,
    },
    /// An exception, and code that says it meets the requirement.
    NeedlessException {
        /// The requirement.
        id: String,
    },
    /// A requirement that no code says it meets.
    NoCode {
        /// The requirement.
        id: String,
        /// What it asks for.
        text: String,
    },
    /// A requirement that no test says it checks.
    NoTest {
        /// The requirement.
        id: String,
        /// What it asks for.
        text: String,
    },
    /// A marker with an id that is in no list.
    Unknown {
        /// The id.
        id: String,
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// A marker of a test outside a test, or of code inside one.
    Misplaced {
        /// The id.
        id: String,
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id { id } => write!(f, "{id}: expected the section's next number"),
            Self::Repeated { id } => write!(f, "{id}: expected each id once"),
            Self::NoReason { id } => write!(f, "{id}: expected a reason for the exception"),
            Self::NeedlessException { id } => {
                write!(f, "{id}: expected no exception, there is code for it")
            }
            Self::NoCode { id, text } => write!(f, "{id}: expected code: {text}"),
            Self::NoTest { id, text } => write!(f, "{id}: expected a test: {text}"),
            Self::Unknown { id, file, line } => {
                write!(f, "{}:{line}: {id} is in no list", file.display())
            }
            Self::Misplaced { id, file, line } => write!(
                f,
                "{}:{line}: {id}: expected `test` behind the ids in tests, and there alone",
                file.display()
            ),
        }
    }
}

/// All that does not fit.
pub fn check(requirements: &[Requirement], markers: &[Marker]) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_list(requirements, &mut problems);
    let known: HashSet<&str> = requirements.iter().map(|r| r.id.as_str()).collect();
    for Marker {
        id,
        kind,
        file,
        line,
        in_test,
    } in markers
    {
        let (id, file, line) = (id.clone(), file.clone(), *line);
        if !known.contains(id.as_str()) {
            problems.push(Problem::Unknown { id, file, line });
        } else if *in_test != (*kind == MarkerKind::Test) {
            problems.push(Problem::Misplaced { id, file, line });
        }
    }
    for requirement in requirements {
        check_met(requirement, markers, &mut problems);
    }
    problems
}

fn check_list(requirements: &[Requirement], problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    let mut before: Option<(&str, &str, u32)> = None;
    for requirement in requirements {
        let id = requirement.id.clone();
        if !seen.insert(requirement.id.as_str()) {
            problems.push(Problem::Repeated { id });
            continue;
        }
        let parts = requirement.parts();
        let next = match (before, parts) {
            (Some((standard, section, number)), Some(now))
                if (standard, section) == (now.0, now.1) =>
            {
                now.2 == number + 1
            }
            (_, Some((_, _, number))) => number == 1,
            (_, None) => false,
        };
        if !next {
            problems.push(Problem::Id { id });
        }
        before = parts;
    }
}

fn check_met(requirement: &Requirement, markers: &[Marker], problems: &mut Vec<Problem>) {
    let has = |kind| {
        markers
            .iter()
            .any(|marker| marker.id == requirement.id && marker.kind == kind)
    };
    let id = requirement.id.clone();
    if let Some(reason) = &requirement.exception {
        if reason.trim().is_empty() {
            problems.push(Problem::NoReason { id });
        } else if has(MarkerKind::Code) {
            problems.push(Problem::NeedlessException { id });
        }
        return;
    }
    if !requirement.level.binds() {
        return;
    }
    let text = requirement.text.clone();
    if !has(MarkerKind::Code) {
        let (id, text) = (id.clone(), text.clone());
        problems.push(Problem::NoCode { id, text });
    }
    if !has(MarkerKind::Test) {
        problems.push(Problem::NoTest { id, text });
    }
}

#[cfg(test)]
mod tests {
    use super::super::requirements::{Level, Obliged};
    use super::*;

    fn requirement(id: &str, level: Level, exception: Option<&str>) -> Requirement {
        Requirement {
            id: id.to_owned(),
            level,
            role: Obliged::Both,
            text: "something".to_owned(),
            exception: exception.map(str::to_owned),
        }
    }

    fn marker(id: &str, kind: MarkerKind, in_test: bool) -> Marker {
        Marker {
            id: id.to_owned(),
            kind,
            file: "a.rs".into(),
            line: 1,
            in_test,
        }
    }

    fn told(requirements: &[Requirement], markers: &[Marker]) -> Vec<String> {
        let problems = check(requirements, markers);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_has_code_and_test_or_a_reason_is_no_problem() {
        let list = [
            requirement("r#1-1", Level::Must, None),
            requirement("r#1-2", Level::Must, Some("a reason")),
            requirement("r#1-3", Level::May, None),
            requirement("r#2-1", Level::ShouldNot, None),
        ];
        let markers = ["r#1-1", "r#2-1"].map(|id| {
            [
                marker(id, MarkerKind::Code, false),
                marker(id, MarkerKind::Test, true),
            ]
        });
        assert_eq!(told(&list, markers.as_flattened()), [""; 0]);
    }

    #[test]
    fn each_thing_that_does_not_fit_is_told() {
        let must = |id: &str| requirement(id, Level::Must, None);
        let code = |id: &str| marker(id, MarkerKind::Code, false);
        let test = |id: &str| marker(id, MarkerKind::Test, true);
        let both = [code("r#1-1"), test("r#1-1")];
        let cases: [(Vec<Requirement>, Vec<Marker>, &str); 9] = [
            (vec![must("r#1-1")], vec![test("r#1-1")], "expected code"),
            (vec![must("r#1-1")], vec![code("r#1-1")], "expected a test"),
            (vec![must("r#1-2")], vec![], "next number"),
            (vec![must("r1")], vec![], "next number"),
            (
                vec![must("r#1-1"), must("r#1-1")],
                both.to_vec(),
                "each id once",
            ),
            (
                vec![requirement("r#1-1", Level::Must, Some(" "))],
                vec![],
                "reason",
            ),
            (
                vec![requirement("r#1-1", Level::Must, Some("why"))],
                vec![code("r#1-1")],
                "expected no exception",
            ),
            (vec![], vec![code("r#9-9")], "in no list"),
            (
                vec![must("r#1-1")],
                vec![code("r#1-1"), marker("r#1-1", MarkerKind::Test, false)],
                "there alone",
            ),
        ];
        for (list, markers, expected) in cases {
            let told = told(&list, &markers);
            assert!(
                told.iter().any(|t| t.contains(expected)),
                "{expected}: {told:?}"
            );
        }
    }
}
