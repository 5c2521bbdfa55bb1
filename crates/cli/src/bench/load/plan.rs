//! What a run is to do, checked.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use longwire::{ClientBuilder, Drive, Error, Heartbeat, Limits};

use super::pace::Rhythm;
use crate::args::bench::Args;
use crate::bench::message::payload::{Payload, PayloadError};

/// How long a run sends where nothing else is said.
const DURATION: Duration = Duration::from_secs(10);

/// Bytes that an answer may have more than what it answers, in a server that wraps it.
const WRAPPING: usize = 1 << 20;

/// Connections that are being opened at a time: more would be refused by the queue
/// of a server's listener.
pub(in crate::bench) const OPENING_AT_ONCE: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Mode {
    /// A server that answers each message with itself.
    Echo,
    /// One sends, all receive.
    FanOut { others_only: bool },
    /// Nothing is sent.
    Idle,
}

#[derive(Debug)]
pub(in crate::bench) struct Plan {
    pub(in crate::bench) url: String,
    pub(in crate::bench) mode: Mode,
    pub(in crate::bench) connections: u32,
    pub(in crate::bench) threads: usize,
    pub(in crate::bench) window: usize,
    pub(in crate::bench) rate: Option<u64>,
    pub(in crate::bench) messages: Option<u64>,
    pub(in crate::bench) duration: Option<Duration>,
    pub(in crate::bench) warmup: Duration,
    pub(in crate::bench) ramp: Duration,
    pub(in crate::bench) answer_timeout: Duration,
    pub(in crate::bench) reconnect: bool,
    pub(in crate::bench) verify: bool,
    pub(in crate::bench) payload: Payload,
}

impl Plan {
    pub(in crate::bench) fn new(args: &Args) -> Result<Self, PayloadError> {
        let load = &args.load;
        let mode = match (load.idle, load.fan_out) {
            (true, _) => Mode::Idle,
            (_, true) => Mode::FanOut {
                others_only: load.others_only,
            },
            _ => Mode::Echo,
        };
        let messages = load.messages.map(NonZero::get);
        let processors = || available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let threads = load.threads.unwrap_or_else(processors).get();
        Ok(Self {
            url: args.url.clone(),
            mode,
            connections: load.connections.get(),
            threads: threads.min(load.connections.get() as usize),
            window: load.window.get() as usize,
            rate: load.rate.map(NonZero::get),
            messages,
            duration: load.duration.or(messages.is_none().then_some(DURATION)),
            warmup: load.warmup,
            ramp: load.ramp,
            answer_timeout: load.answer_timeout,
            reconnect: load.reconnect,
            verify: !args.payload.no_verify,
            payload: Payload::new(&args.payload, load.fan_out)?,
        })
    }

    /// The client of one thread: threads share no HTTP/2 connections.
    pub(in crate::bench) fn client(&self, args: &Args) -> Result<ClientBuilder, Error> {
        let limits = Limits::default();
        let most = limits.message_size.max(self.payload.bytes() * 2 + WRAPPING);
        let frame = limits.frame_size.max(most);
        let interval = args.load.heartbeat;
        let heartbeat = (!interval.is_zero()).then(|| Heartbeat {
            interval,
            ..Heartbeat::default()
        });
        Ok(args
            .way
            .client()?
            .drive(Drive::Caller)
            .limits(limits.message_size(most).frame_size(frame))
            .heartbeat(heartbeat))
    }

    /// What decides when messages of this connection are due.
    pub(in crate::bench) fn rhythm(&self, connection: u32) -> Rhythm {
        let alone = matches!(self.mode, Mode::FanOut { .. });
        match self.rate {
            None => Rhythm::Window(self.window),
            Some(per_second) => Rhythm::Rate {
                per_second,
                first: if alone { 0 } else { u64::from(connection) },
                of: if alone {
                    1
                } else {
                    u64::from(self.connections)
                },
            },
        }
    }

    /// How many messages this connection is to send.
    pub(in crate::bench) fn quota(&self, connection: u32) -> Option<u64> {
        let messages = self.messages?;
        if matches!(self.mode, Mode::FanOut { .. }) {
            return Some(messages);
        }
        let (all, index) = (u64::from(self.connections), u64::from(connection));
        Some(messages / all + u64::from(index < messages % all))
    }

    /// When this connection is to be opened, from the start on.
    pub(in crate::bench) fn opens_after(&self, connection: u32) -> Duration {
        self.ramp
            .mul_f64(f64::from(connection) / f64::from(self.connections))
    }
}
