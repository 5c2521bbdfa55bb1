//! Two ends, two pipes, and the time.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use longwire_proto::{Closed, TransportState};

use super::end::End;
use super::pipe::{Item, Line, Loss, Pipe};
use super::rng::Rng;

/// Both ends of a connection and what lies between.
#[derive(Debug)]
pub struct World {
    /// The client, then the server.
    pub ends: [End; 2],
    /// From the client, then from the server.
    pipes: [Pipe; 2],
    start: Instant,
    now: Instant,
    rng: Rng,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// How each end was closed: the client, then the server.
    pub closed: [Option<Closed>; 2],
    /// The virtual time that it took.
    pub took: Duration,
}

impl World {
    /// A client and a server joined by two lines; `start` is the instant that
    /// both were made at.
    pub fn new(start: Instant, seed: u64, ends: [End; 2], lines: [Line; 2]) -> Self {
        Self {
            ends,
            pipes: lines.map(Pipe::new),
            start,
            now: start,
            rng: Rng::new(seed),
        }
    }

    /// Bytes written from the client, and from the server.
    pub fn written(&self) -> [u64; 2] {
        [self.pipes[0].written, self.pipes[1].written]
    }

    /// Runs until both ends are closed, nothing happens any more, or the time is
    /// up.
    pub fn run(&mut self, most: Duration) -> Outcome {
        loop {
            // What one end does at an instant may be the other's to answer in
            // the same.
            while self.turn() {}
            let done = self.ends.iter().all(|end| end.dropped);
            let next = self.next().filter(|next| *next <= self.start + most);
            match next {
                Some(next) if !done => self.now = self.now.max(next),
                _ => break,
            }
        }
        Outcome {
            closed: [0, 1].map(|i| self.ends[i].connection.closed().cloned()),
            took: self.now - self.start,
        }
    }

    fn next(&self) -> Option<Instant> {
        let arrivals = (0..2)
            .filter(|&i| self.ends[1 - i].reads)
            .filter_map(|i| self.pipes[i].next());
        let alive = || self.ends.iter().filter(|end| !end.dropped);
        let timeouts = alive().filter_map(|end| end.connection.next_timeout());
        let scripts = alive().filter_map(End::next);
        arrivals
            .chain(timeouts)
            .chain(scripts)
            .filter(|at| *at > self.now)
            .min()
    }

    /// Lets both ends do what they can at this instant. Whether anything was.
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for i in 0..2 {
            if self.ends[i].dropped {
                // What arrives where nobody is is lost.
                while self.pipes[1 - i].read(self.now, usize::MAX).is_some() {}
                continue;
            }
            self.ends[i].play(self.now);
            busy |= self.read(i);
            let end = &mut self.ends[i];
            if end
                .connection
                .next_timeout()
                .is_some_and(|at| at <= self.now)
            {
                end.connection.handle_timeout(self.now);
            }
            self.ends[i].play(self.now);
            busy |= self.write(i);
            self.obey_transport_state(i);
        }
        busy
    }

    fn read(&mut self, i: usize) -> bool {
        if !self.ends[i].reads {
            return false;
        }
        let most = self.pipes[1 - i].line.most_at_once;
        let most = 1 + self.rng.below(most);
        let Some(item) = self.pipes[1 - i].read(self.now, most) else {
            return false;
        };
        let end = &mut self.ends[i];
        match item {
            Item::Bytes(mut bytes) => end.take_input(&mut bytes, self.now),
            Item::End => end.connection.handle_input_end(),
            Item::Reset => end.connection.handle_transport_lost(),
        }
        true
    }

    fn write(&mut self, i: usize) -> bool {
        let room = self.pipes[i].room();
        let peer_is_gone = self.ends[1 - i].dropped;
        let end = &mut self.ends[i];
        end.most_buffered = end.most_buffered.max(end.connection.buffered());
        if end.connection.buffered() == 0 || room == 0 {
            return false;
        }
        if peer_is_gone {
            end.connection.handle_output_failed(self.now);
            return true;
        }
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = end.connection.poll_transmit(&mut slices);
        assert!(filled > 0, "{} bytes wait", end.connection.buffered());
        let mut bytes = Vec::new();
        for slice in &slices[..filled] {
            let left = room - bytes.len();
            bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        bytes.truncate(1 + self.rng.below(bytes.len()));
        end.connection.handle_transmitted(bytes.len(), self.now);
        end.wire.extend_from_slice(&bytes);
        if let Some(loss) = self.pipes[i].write(&bytes, self.now) {
            self.lose(loss);
        }
        true
    }

    fn lose(&mut self, loss: Loss) {
        for pipe in &mut self.pipes {
            match loss {
                Loss::End => pipe.end(Item::End, self.now),
                Loss::Reset => pipe.end(Item::Reset, self.now),
                Loss::Silence => pipe.fall_silent(),
            }
        }
    }

    fn obey_transport_state(&mut self, i: usize) {
        let end = &mut self.ends[i];
        let state = end.connection.transport_state();
        if state != TransportState::Open && !end.shut {
            end.shut = true;
            self.pipes[i].end(Item::End, self.now);
        }
        end.dropped = state == TransportState::Closed;
    }
}
