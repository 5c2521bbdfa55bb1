//! The parts of the engine, measured in memory and each beside what the memory can do:
//! `plain` has masking, UTF-8 and the copy that is the limit, then `frames` and
//! `compression`; this file has the list.

mod plain;

mod frames;

mod compression;

pub use plain::Copying;

use crate::Failure;
use crate::stopwatch::Work;

/// The bytes that a pass over many small pieces goes through: with what it copies them
/// to, they fit the nearest cache.
const BLOCK: usize = 16 << 10;

/// More than any cache has.
const MEMORY: usize = 128 << 20;

/// One thing to measure.
pub struct Case {
    /// What is done.
    pub name: &'static str,
    /// Plain bytes of one operation.
    pub bytes: usize,
    /// Whether they are read at all.
    pub touched: bool,
    /// Operations of a pass.
    pub count: usize,
    /// All operations of a pass.
    pub work: Box<dyn Work>,
}

impl Case {
    fn new(name: &'static str, bytes: usize, work: impl Work + 'static) -> Self {
        Self {
            name,
            bytes,
            touched: true,
            count: count(bytes),
            work: Box::new(work),
        }
    }

    /// Fails unless a pass does what it should.
    pub fn check(&mut self) -> Result<(), Failure> {
        for _ in 0..2 {
            self.work.prepare();
            let (handled, expected) = (self.work.pass(), self.count * self.bytes);
            if handled != expected {
                let (name, bytes) = (self.name, self.bytes);
                let wrong = format!("{name} of {bytes} B: {handled} bytes of {expected}");
                return Err(wrong.into());
            }
        }
        Ok(())
    }
}

/// How many pieces of so many bytes a pass goes through.
fn count(bytes: usize) -> usize {
    (BLOCK / bytes).max(1)
}

/// How a case is made, so that it holds no memory before its turn.
pub type Make = Box<dyn Fn() -> Result<Case, Failure>>;

/// All cases, in the order of the report.
pub fn all() -> Vec<Make> {
    let mut all: Vec<Make> = Vec::new();
    let sizes = [20, 125, 1 << 10, 64 << 10];
    for bytes in sizes.into_iter().chain([1 << 20, MEMORY]) {
        all.push(Box::new(move || Ok(plain::masking(bytes))));
    }
    for bytes in sizes {
        all.push(Box::new(move || Ok(plain::owning(bytes))));
    }
    for mixed in [false, true] {
        for bytes in sizes.into_iter().chain([1 << 20]) {
            all.push(Box::new(move || Ok(plain::utf8(bytes, mixed))));
        }
    }
    for decode in [
        frames::binary_lent,
        frames::binary_owned,
        frames::text_lent,
        frames::text_owned,
    ] {
        for bytes in sizes {
            all.push(Box::new(move || Ok(decode(bytes))));
        }
    }
    for encode in [
        frames::encode_through,
        frames::encode_queued,
        frames::encode_masked,
    ] {
        for bytes in sizes {
            all.push(Box::new(move || Ok(encode(bytes))));
        }
    }
    for make in [compression::deflate, compression::inflate] {
        for dedicated in [false, true] {
            all.push(Box::new(move || make(dedicated)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_handles_the_bytes_it_is_measured_by() {
        for make in all() {
            let mut case = make().unwrap();
            if case.bytes < MEMORY {
                case.check().unwrap();
            }
        }
    }
}
