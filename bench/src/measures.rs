//! What is measured of each server, in rounds that take turns: a machine that is slow
//! for a while is slow for all.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::client::{Clients, open};
use crate::closed_loop::{ClosedLoop, Round};
use crate::contestants::Contestant;
use crate::figures::Spread;
use crate::process::{Cpu, Server};
use crate::wire::{deflated, json, masked};
use crate::{fan_out, open_loop};

const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// Deliveries of the measures of fan-out.
const FAN_OUT_BYTES: usize = 64;

/// The rate of the measure of latency, of what saturates the floor.
const LOAD: f64 = 0.5;

/// Connections that are opened for each of several servers at the same time.
const MOST_TOGETHER: usize = 1000;

/// Different messages of the measures of compression.
const TEXTS: u32 = 256;

/// Messages that each connection exchanges before its memory is looked at.
const EXCHANGED: usize = 64;

/// Connections of the measure of memory.
const IDLE: usize = 5000;

/// How rounds are run.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// How many.
    pub count: usize,
    /// How long each server's turn in each is.
    pub time: Duration,
}

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub enum Measure {
    /// Messages that come back.
    Echo {
        /// Of each.
        bytes: usize,
        /// In all.
        connections: usize,
        /// Messages that a connection has on their way.
        window: usize,
    },
    /// 1 KiB of JSON that comes back, compressed.
    Compressed {
        /// `--compression`
        mode: &'static str,
    },
    /// A message of 64 bytes for all.
    FanOut {
        /// Connections.
        subscribers: usize,
        /// Messages sent at once.
        at_once: usize,
    },
    /// The 99th percentile of an echo of 20 bytes, at half the rate that saturates the
    /// floor.
    Latency,
    /// Connections opened, one after another.
    Handshakes,
    /// Bytes resident for each idle connection.
    Memory {
        /// `--compression`, and whether a message has been exchanged.
        mode: &'static str,
    },
}

/// What a server came to.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whose it is.
    pub name: &'static str,
    /// In the unit of the measure.
    pub value: Spread,
    /// As a part of the floor's, round by round.
    pub ratio: Option<Spread>,
    /// Nanoseconds in user code for each message, sampled over all rounds.
    pub user: Option<f64>,
}

impl Measure {
    /// All, in the order of the report.
    pub const ALL: [Self; 18] = [
        Self::echo(20, 100, 1),
        Self::echo(20, 100, 16),
        Self::echo(1 << 10, 100, 1),
        Self::echo(1 << 10, 100, 16),
        Self::echo(16 << 10, 100, 1),
        Self::echo(64 << 10, 100, 1),
        Self::echo(1 << 20, 10, 1),
        Self::Latency,
        Self::Handshakes,
        Self::fan_out(1000, 1),
        Self::fan_out(1000, 8),
        Self::fan_out(10_000, 1),
        Self::fan_out(10_000, 8),
        Self::Compressed { mode: "shared" },
        Self::Compressed { mode: "dedicated" },
        Self::Memory { mode: "off" },
        Self::Memory { mode: "shared" },
        Self::Memory { mode: "dedicated" },
    ];

    const fn echo(bytes: usize, connections: usize, window: usize) -> Self {
        Self::Echo {
            bytes,
            connections,
            window,
        }
    }

    const fn fan_out(subscribers: usize, at_once: usize) -> Self {
        Self::FanOut {
            subscribers,
            at_once,
        }
    }

    /// A short name, to choose it by.
    pub fn name(&self) -> String {
        match self {
            Self::Echo { bytes, window, .. } => format!("echo-{bytes}-w{window}"),
            Self::Compressed { mode } => format!("deflate-{mode}"),
            Self::FanOut {
                subscribers,
                at_once,
            } => format!("fan-out-{subscribers}x{at_once}"),
            Self::Latency => "latency".to_owned(),
            Self::Handshakes => "handshakes".to_owned(),
            Self::Memory { mode } => format!("memory-{mode}"),
        }
    }

    /// What the table is of.
    pub fn title(&self) -> String {
        match self {
            Self::Echo {
                bytes,
                connections,
                window,
            } => format!("Echo of {bytes} B, {connections} connections, window {window}"),
            Self::Compressed { mode: "shared" } => {
                "Echo of 1 KiB of JSON, compressed without context takeover".to_owned()
            }
            Self::Compressed { .. } => {
                "Echo of 1 KiB of JSON, compressed with contexts of 32 KiB".to_owned()
            }
            Self::FanOut {
                subscribers,
                at_once: 1,
            } => format!("Fan-out of a message of {FAN_OUT_BYTES} B to {subscribers}"),
            Self::FanOut {
                subscribers,
                at_once,
            } => format!(
                "Fan-out of {at_once} messages at once of {FAN_OUT_BYTES} B to {subscribers}"
            ),
            Self::Latency => "Latency at half the floor's rate: 20 B, 100 connections".to_owned(),
            Self::Handshakes => "Opening handshakes".to_owned(),
            Self::Memory { mode: "off" } => format!("Memory of {IDLE} idle connections"),
            Self::Memory { mode } => {
                format!("Memory of {IDLE} idle connections, compression {mode}, after 64 messages")
            }
        }
    }

    /// What the values are.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Echo { .. } | Self::Compressed { .. } => "CPU ns a message",
            Self::FanOut { .. } => "CPU ns a delivery",
            Self::Latency => "p99, us",
            Self::Handshakes => "CPU us a handshake",
            Self::Memory { .. } => "bytes resident each",
        }
    }

    /// Measures these servers.
    pub fn run(
        &self,
        contestants: &[Contestant],
        rounds: Rounds,
    ) -> Result<Vec<Standing>, Failure> {
        let together = match self {
            // So many connections are open for one server at a time.
            Self::FanOut { subscribers, .. } if *subscribers > MOST_TOGETHER => 1,
            _ => contestants.len().max(1),
        };
        let mut floor: Option<Vec<f64>> = None;
        let mut standings = Vec::new();
        for group in contestants.chunks(together) {
            let running = self.run_together(group, rounds)?;
            if let Some(one) = running.iter().find(|one| one.is_floor) {
                floor = Some(one.values.clone());
            }
            let told = running.into_iter();
            standings.extend(told.filter_map(|one| one.standing(floor.as_deref())));
        }
        Ok(standings)
    }

    /// Rounds in which these servers take turns.
    fn run_together(&self, group: &[Contestant], rounds: Rounds) -> Result<Vec<Running>, Failure> {
        let mut running = Vec::new();
        for contestant in group {
            if let Some(server) = contestant.start(&self.flags())? {
                let load = self.prepare(&server)?;
                running.push(Running {
                    name: contestant.name,
                    is_floor: contestant.is_floor(),
                    server,
                    load,
                    values: Vec::new(),
                    messages: 0,
                    cpu: Cpu::default(),
                });
            }
        }
        let count = match self {
            Self::Memory { .. } => 1,
            _ => rounds.count,
        };
        for round in 0..=count {
            let mut rate = None;
            for one in &mut running {
                one.turn(rounds.time, &mut rate, round == 0 && count > 1)?;
            }
        }
        Ok(running)
    }

    fn flags(&self) -> Vec<&'static str> {
        match self {
            Self::Compressed { mode } => vec!["--compression", mode],
            Self::Memory { mode } if *mode != "off" => vec!["--compression", mode],
            Self::FanOut { .. } => vec!["--fanout"],
            _ => Vec::new(),
        }
    }

    fn extensions(&self) -> &'static str {
        match self {
            Self::Compressed { mode } | Self::Memory { mode } => match *mode {
                "off" => "",
                "shared" => {
                    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
                }
                _ => "permessage-deflate",
            },
            _ => "",
        }
    }

    fn prepare(&self, server: &Server) -> Result<Load, Failure> {
        let connect = |count, frames: &[Vec<u8>]| {
            Clients::open(server.address, "/", self.extensions(), count, frames)
        };
        Ok(match *self {
            Self::Echo {
                bytes,
                connections,
                window,
            } => {
                let frame = masked(BINARY, false, &vec![b'x'; bytes]);
                let clients = connect(connections, &[frame])?;
                Load::Closed(ClosedLoop::new(clients, window))
            }
            Self::Compressed { .. } => {
                let clients = connect(100, &compressed()?)?;
                Load::Closed(ClosedLoop::new(clients, 1))
            }
            Self::FanOut {
                subscribers,
                at_once,
            } => {
                let frame = masked(BINARY, false, &[b'x'; FAN_OUT_BYTES]);
                Load::FanOut {
                    clients: connect(subscribers, &[frame])?,
                    at_once,
                }
            }
            Self::Latency => {
                let frame = masked(BINARY, false, &[b'x'; 20]);
                Load::Open {
                    clients: connect(100, std::slice::from_ref(&frame))?,
                    closed: ClosedLoop::new(connect(100, &[frame])?, 1),
                }
            }
            Self::Handshakes => Load::Handshakes,
            Self::Memory { mode } => Load::Idle {
                extensions: self.extensions(),
                frames: match mode {
                    "off" => Vec::new(),
                    _ => compressed()?,
                },
            },
        })
    }
}

/// Messages of JSON, each compressed alone: what a client sends that keeps no context.
fn compressed() -> Result<Vec<Vec<u8>>, Failure> {
    (0..TEXTS)
        .map(|seed| Ok(masked(TEXT, true, &deflated(json(1024, seed).as_bytes())?)))
        .collect()
}

/// What a server is put under.
enum Load {
    Closed(ClosedLoop),
    FanOut {
        clients: Clients,
        at_once: usize,
    },
    Open {
        clients: Clients,
        closed: ClosedLoop,
    },
    Handshakes,
    Idle {
        extensions: &'static str,
        frames: Vec<Vec<u8>>,
    },
}

/// A server, and its figures so far.
struct Running {
    name: &'static str,
    is_floor: bool,
    server: Server,
    load: Load,
    values: Vec<f64>,
    messages: u64,
    cpu: Cpu,
}

impl Running {
    /// One turn. The rate of the floor in this round is the first server's to find.
    fn turn(
        &mut self,
        time: Duration,
        rate: &mut Option<f64>,
        warm_up: bool,
    ) -> Result<(), Failure> {
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
            Load::Open { clients, closed } => {
                let rate = match *rate {
                    Some(rate) => rate,
                    None => *rate.insert(closed.round(&self.server, time)?.rate()),
                };
                let latencies = open_loop::run(clients, rate * LOAD, time)?;
                latencies.value_at_quantile(0.99) as f64 / 1e3
            }
            Load::Handshakes => handshakes(&self.server, time)?.cpu_per_message() / 1e3,
            Load::Idle { extensions, frames } if self.values.is_empty() => {
                idle(&self.server, extensions, frames)?
            }
            Load::Idle { .. } => return Ok(()),
        };
        if !warm_up {
            self.values.push(value);
        }
        Ok(())
    }

    fn standing(self, floor: Option<&[f64]>) -> Option<Standing> {
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
