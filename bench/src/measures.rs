//! What is measured of each server, in rounds that take turns: a machine that is slow
//! for a while is slow for all.

use std::time::Duration;

use crate::Failure;
use crate::client::Clients;
use crate::closed_loop::ClosedLoop;
use crate::contestants::{ALL, Contestant};
use crate::process::Server;
use crate::turns::{IDLE, Load, Running, Standing};
use crate::wire::{BINARY, TEXT, deflated, json, masked};

/// Deliveries of the measures of fan-out.
const FAN_OUT_BYTES: usize = 64;

/// A turn of the measure of latency. Interruptions of a processor last up to milliseconds
/// and come some dozen times a second: most turns have none, and the lower quartile of
/// their percentiles is of these. In one long run, each percentile would be that of the
/// interruptions.
const SLICE: Duration = Duration::from_millis(20);

/// Connections that are opened for each of several servers at the same time.
const MOST_TOGETHER: usize = 1000;

/// Different messages of the measures of compression.
const TEXTS: u32 = 256;

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
    /// The 99th percentile, and the median, of an echo of 20 bytes at half the rate that
    /// saturates the floor. The floor is measured twice: how far the ratio of the second
    /// is from 1 is the machine's doing.
    Latency,
    /// Connections opened, one after another.
    Handshakes,
    /// Bytes resident for each idle connection.
    Memory {
        /// `--compression`, and whether a message has been exchanged.
        mode: &'static str,
    },
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
            _ => ALL.len() + 1,
        };
        let mut floor: Option<Vec<f64>> = None;
        let mut standings = Vec::new();
        let mut contestants = contestants.to_vec();
        if let (Self::Latency, Some(floor)) =
            (self, contestants.iter().position(Contestant::is_floor))
        {
            let again = contestants[floor].renamed("floor, again");
            contestants.insert(floor + 1, again);
        }
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
                let is_floor = contestant.is_floor();
                running.push(Running::new(contestant.name, is_floor, server, load));
            }
        }
        let count = match self {
            Self::Memory { .. } => 1,
            _ => rounds.count,
        };
        let mut saturated = match self {
            Self::Latency => Some(self.saturated()?),
            _ => None,
        };
        let (turns, time) = match self {
            Self::Latency => (rounds.time.div_duration_f64(SLICE).ceil() as usize, SLICE),
            _ => (1, rounds.time),
        };
        for round in 0..=count {
            let rate = match &mut saturated {
                Some((floor, closed)) => closed.round(floor, rounds.time)?.rate(),
                None => 0.0,
            };
            for turn in 0..turns {
                // None has always the same before it.
                let first = (round + turn) % running.len().max(1);
                let (late, early) = running.split_at_mut(first);
                for one in early.iter_mut().chain(late) {
                    one.turn(time, rate, round == 0 && count > 1)?;
                }
            }
            for one in &mut running {
                one.end_round();
            }
        }
        Ok(running)
    }

    /// A floor of its own, and what saturates it.
    fn saturated(&self) -> Result<(Server, ClosedLoop), Failure> {
        let floor = ALL[0]
            .start(&[])?
            .ok_or("without the floor there is no rate")?;
        match self.prepare(&floor)? {
            Load::Open(clients) => Ok((floor, ClosedLoop::new(clients, 1))),
            _ => Err("no rate is asked for".into()),
        }
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
                Load::Open(connect(100, &[frame])?)
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
