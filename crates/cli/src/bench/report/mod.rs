//! What came of a run, and how it looks.
//!
//! Read `timeline` (second by second), `contents` (all that is told) and `verdict`
//! (thresholds), then `table`, `page` (with `plots`, each a `plot` along a `scale`)
//! and `progress`. `show` writes numbers, `command` the command line without its
//! secrets.

pub(super) mod show;

pub(super) mod command;

pub(super) mod timeline;

pub(super) mod contents;

pub(super) mod verdict;

pub(super) mod table;

pub(super) mod scale;

pub(super) mod plot;

pub(super) mod plots;

pub(super) mod page;

pub(super) mod progress;
