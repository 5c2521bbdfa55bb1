//! A server under one measure: its load, its turns, and what they come to.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Clients, open};
use crate::closed_loop::{ClosedLoop, Round};
use crate::figures::Spread;
use crate::process::{Cpu, Server};
use crate::{fan_out, open_loop};

/// The rate of the measure of latency, of what saturates the floor.
const LOAD: f64 = 0.5;

/// Messages that each connection exchanges before its memory is looked at.
const EXCHANGED: usize = 64;

/// Connections of the measure of memory.
pub const IDLE: usize = 5000;

/// What a server came to.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whose it is.
    pub name: &'static str,
    /// In the unit of the measure.
    pub value: Spread,
    /// As a part of the floor's, round by round.
    pub ratio: Option<Spread>,
    /// The median latency, where the value is a higher percentile.
    pub p50: Option<Spread>,
    /// Nanoseconds in user code for each message, sampled over all rounds.
    pub user: Option<f64>,
}

/// What a server is put under.
pub enum Load {
    /// Messages that come back, always as many on their way.
    Closed(ClosedLoop),
    /// Messages for all.
    FanOut {
        /// Who gets them; the first sends.
        clients: Clients,
        /// Messages sent together.
        at_once: usize,
    },
    /// Messages at a fixed rate.
    Open(Clients),
    /// Connections opened and dropped.
    Handshakes,
    /// Connections that are open.
    Idle {
        /// What they offer.
        extensions: &'static str,
        /// What each exchanges first.
        frames: Vec<Vec<u8>>,
    },
}

/// A server, and its figures so far.
pub struct Running {
    name: &'static str,
    /// Whether the others are measured against it.
    pub is_floor: bool,
    server: Server,
    load: Load,
    /// Of this round.
    turns: Vec<f64>,
    /// Of each round, the lower quartile of its turns.
    pub values: Vec<f64>,
    /// Of each turn.
    p50: Vec<f64>,
    messages: u64,
    cpu: Cpu,
}

impl Running {
    /// A server under this load.
    pub fn new(name: &'static str, is_floor: bool, server: Server, load: Load) -> Self {
        Self {
            name,
            is_floor,
            server,
            load,
            turns: Vec::new(),
            values: Vec::new(),
            p50: Vec::new(),
            messages: 0,
            cpu: Cpu::default(),
        }
    }

    /// One turn; a load of a fixed rate has half of this one.
    pub fn turn(&mut self, time: Duration, rate: f64, warm_up: bool) -> Result<(), Failure> {
        let value = match &mut self.load {
            Load::Closed(closed) => {
                let round = closed.round(&self.server, time)?;
                if !warm_up {
                    self.messages += round.messages;
                    self.cpu += round.cpu;
                }
                round.cpu_per_message()
            }
            Load::FanOut { clients, at_once } => {
                fan_out::round(clients, &self.server, *at_once, time)?.cpu_per_message()
            }
            Load::Open(clients) => {
                let latencies = open_loop::run(clients, rate * LOAD, time)?;
                let us = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
                if !warm_up {
                    self.p50.push(us(0.5));
                }
                us(0.99)
            }
            Load::Handshakes => handshakes(&self.server, time)?.cpu_per_message() / 1e3,
            Load::Idle { extensions, frames } if self.values.is_empty() => {
                idle(&self.server, extensions, frames)?
            }
            Load::Idle { .. } => return Ok(()),
        };
        if !warm_up {
            self.turns.push(value);
        }
        Ok(())
    }

    /// Makes the round's value of its turns.
    pub fn end_round(&mut self) {
        let turns = Spread::of(std::mem::take(&mut self.turns));
        self.values.extend(turns.map(|turns| turns.lower_quartile));
    }

    /// What it came to, beside what the floor did in each round.
    pub fn standing(self, floor: Option<&[f64]>) -> Option<Standing> {
        let ratios = floor.map(|floor| {
            let pairs = self.values.iter().zip(floor);
            pairs.map(|(value, floor)| value / floor).collect()
        });
        let ticks = self.cpu.user_ticks + self.cpu.system_ticks;
        let user = (ticks > 0).then(|| {
            let part = self.cpu.user_ticks as f64 / ticks as f64;
            part * self.cpu.total as f64 / self.messages as f64
        });
        Some(Standing {
            name: self.name,
            value: Spread::of(self.values)?,
            ratio: ratios.and_then(Spread::of),
            p50: Spread::of(self.p50),
            user,
        })
    }
}

/// Connections opened and dropped, one after another.
fn handshakes(server: &Server, time: Duration) -> Result<Round, Failure> {
    let before = server.cpu()?;
    let start = Instant::now();
    let mut messages = 0;
    while start.elapsed() < time {
        let stream = open(server.address, "/", "")?;
        // Without this, the port stays taken for a minute.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        messages += 1;
    }
    Ok(Round {
        messages,
        elapsed: start.elapsed(),
        cpu: server.cpu()? - before,
    })
}

/// Resident bytes for each of many connections, after each has had messages echoed, if any
/// are given.
fn idle(server: &Server, extensions: &str, frames: &[Vec<u8>]) -> Result<f64, Failure> {
    let open = |count| {
        let nothing = [vec![0]];
        let frames = if frames.is_empty() { &nothing } else { frames };
        Clients::open(server.address, "/", extensions, count, frames)
    };
    // What the first connections set up is not theirs.
    drop(open(8)?);
    let before = server.resident()?;
    let mut clients = open(IDLE)?;
    for _ in 0..frames.len().min(EXCHANGED) {
        let mut waiting = 0;
        for i in 0..IDLE {
            clients.send(i, 1)?;
            waiting += 1;
            while waiting == 64 || (i + 1 == IDLE && waiting > 0) {
                clients.receive(false, |_, _, replies| {
                    waiting -= replies;
                    Ok(())
                })?;
            }
        }
    }
    let after = server.resident()?;
    Ok(after.saturating_sub(before) as f64 / IDLE as f64)
}
