//! Load whose connections each have a fixed number of messages in flight.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::Clients;
use crate::process::{Cpu, Server};

/// What a round came to.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Messages echoed.
    pub messages: u64,
    /// Time that passed.
    pub elapsed: Duration,
    /// Processor time of the server.
    pub cpu: Cpu,
}

impl Round {
    /// Nanoseconds of the server's processor for each message.
    pub fn cpu_per_message(&self) -> f64 {
        self.cpu.total as f64 / self.messages as f64
    }

    /// Messages a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }
}

/// A load that can be let run and stopped again.
pub struct ClosedLoop {
    clients: Clients,
    window: usize,
    in_flight: u64,
}

impl ClosedLoop {
    /// Over these connections.
    pub fn new(clients: Clients, window: usize) -> Self {
        Self {
            clients,
            window,
            in_flight: 0,
        }
    }

    /// Runs so long, and then until all that was sent has come back.
    pub fn round(&mut self, server: &Server, time: Duration) -> Result<Round, Failure> {
        let before = server.cpu()?;
        let start = Instant::now();
        let mut messages = 0;
        for i in 0..self.clients.all.len() {
            self.clients.send(i, self.window)?;
            self.in_flight += self.window as u64;
        }
        let mut sending = true;
        while self.in_flight > 0 {
            let in_flight = &mut self.in_flight;
            self.clients.receive(false, |clients, i, replies| {
                messages += replies as u64;
                if sending {
                    return clients.send(i, replies);
                }
                *in_flight -= replies as u64;
                Ok(())
            })?;
            sending &= start.elapsed() < time;
        }
        Ok(Round {
            messages,
            elapsed: start.elapsed(),
            cpu: server.cpu()? - before,
        })
    }
}
