//! A network that is not there: two engines joined by two pipes under a virtual
//! clock. Everything that chance decides comes from a seed, so that a run can
//! be had again.
//!
//! Read `rng`, `pipe` (bytes on their way), `end` (a connection and its
//! script), `world` (both, and time).

mod rng;

mod pipe;

mod end;

mod world;

pub use end::{End, Seen, Step};
pub use pipe::{Line, Loss};
pub use rng::Rng;
pub use world::{Outcome, World};
