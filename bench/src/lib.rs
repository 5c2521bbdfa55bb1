//! What the benches share: load, the processes that it is put on, and how figures are
//! told. Bottom-up, and in this order to read.

pub mod wire;

pub mod figures;

pub mod page;

pub mod callgrind;

pub mod stopwatch;

pub mod micro;

pub mod process;

pub mod client;

pub mod closed_loop;

pub mod open_loop;

pub mod fan_out;

pub mod contestants;

pub mod turns;

pub mod measures;

pub mod plot;

pub mod report;

/// Anything that ends a bench.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
