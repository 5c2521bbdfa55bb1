//! The requirement lists under `spec/`, and what in the code and the tests
//! meets them.
//!
//! Read `requirements` (the lists), `markers` (what code and tests claim),
//! `check` (what does not fit), `report` (the document for people).

mod requirements;

mod markers;

mod check;

mod report;

pub use check::{Problem, check};
pub use markers::{Marker, MarkerKind, find_markers, markers_in};
pub use report::report;
pub use requirements::{Level, Requirement, SpecError, load};

use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
