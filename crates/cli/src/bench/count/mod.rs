//! What is counted while a run goes on: `latency` (how long answers took), `faults`
//! (what went wrong), `tally` (messages and bytes).

pub(super) mod latency;

pub(super) mod faults;

pub(super) mod tally;
