//! Time of work in memory that takes nanoseconds.

use std::time::{Duration, Instant};

use crate::figures::Spread;

/// Looks at the clock to find out what one takes.
const LOOKS: usize = 10_000;

/// What is timed.
pub trait Work {
    /// Makes ready what a pass uses up. It is not timed.
    fn prepare(&mut self) {}

    /// Does all of it once; returns the plain bytes it has handled.
    fn pass(&mut self) -> usize;
}

/// A clock of which is known what a look takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    look: f64,
}

impl Stopwatch {
    /// Finds out what a look at the clock takes.
    pub fn new() -> Self {
        let looks = (0..LOOKS).map(|_| Instant::now().elapsed().as_nanos() as f64);
        Self {
            look: Spread::of(looks.collect()).map_or(0.0, |looks| looks.lower_quartile),
        }
    }

    /// Nanoseconds of a pass: the lower quartile of as many as so much time has, one at
    /// least. One before them brings everything into the caches.
    pub fn turn(&self, work: &mut dyn Work, time: Duration) -> f64 {
        work.prepare();
        work.pass();
        let mut passes = Vec::new();
        let start = Instant::now();
        loop {
            work.prepare();
            let before = Instant::now();
            work.pass();
            passes.push(before.elapsed().as_nanos() as f64 - self.look);
            if start.elapsed() >= time {
                break;
            }
        }
        Spread::of(passes).map_or(f64::NAN, |passes| passes.lower_quartile)
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}
