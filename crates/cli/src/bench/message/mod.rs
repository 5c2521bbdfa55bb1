//! The messages of a run.
//!
//! Read `stamp` (what makes a message the one it is), `template` (with placeholders,
//! the random ones from `chance`), `payload` (all kinds, and whether an answer is
//! one of them).

pub(super) mod chance;

pub(super) mod stamp;

pub(super) mod template;

pub(super) mod payload;
