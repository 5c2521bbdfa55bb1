//! What is told at the end of a run. Its JSON form is described in the help of the
//! command: fields are added, none changes its meaning.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::timeline::{Point, Timeline};
use crate::bench::count::faults::Fault;
use crate::bench::count::latency::{Latencies, Summary};
use crate::bench::load::pace::Schedule;
use crate::bench::load::plan::{Mode, Plan};
use crate::bench::load::run::{Run, lock};

#[derive(Debug, Serialize)]
pub(in crate::bench) struct Report {
    pub(in crate::bench) format: &'static str,
    pub(in crate::bench) url: String,
    pub(in crate::bench) mode: &'static str,
    pub(in crate::bench) ended: Ended,
    pub(in crate::bench) environment: Environment,
    pub(in crate::bench) load: Load,
    pub(in crate::bench) seconds: f64,
    pub(in crate::bench) connections: Connections,
    pub(in crate::bench) handshake: Option<Summary>,
    pub(in crate::bench) messages: Messages,
    pub(in crate::bench) bytes: Bytes,
    pub(in crate::bench) latency: Option<Summary>,
    pub(in crate::bench) distribution: Vec<(f64, f64)>,
    pub(in crate::bench) timeline: Vec<Point>,
    pub(in crate::bench) errors: Vec<Fault>,
    pub(in crate::bench) thresholds: Vec<Verdict>,
    /// For plots.
    #[serde(skip)]
    pub(in crate::bench) latencies: Latencies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::bench) enum Ended {
    #[serde(rename = "done")]
    Done,
    #[serde(rename = "interrupted")]
    Interrupted,
    #[serde(rename = "connections lost")]
    ConnectionsLost,
}

#[derive(Debug, Serialize)]
pub(in crate::bench) struct Environment {
    pub(in crate::bench) version: &'static str,
    pub(in crate::bench) os: &'static str,
    pub(in crate::bench) arch: &'static str,
    pub(in crate::bench) processors: usize,
    pub(in crate::bench) threads: usize,
    pub(in crate::bench) command: Vec<String>,
    /// Milliseconds since 1970.
    pub(in crate::bench) started: u64,
}

#[derive(Debug, Serialize)]
pub(in crate::bench) struct Load {
    pub(in crate::bench) connections: u32,
    pub(in crate::bench) window: Option<usize>,
    pub(in crate::bench) rate: Option<u64>,
    pub(in crate::bench) ramp: f64,
    pub(in crate::bench) warmup: f64,
    pub(in crate::bench) duration: Option<f64>,
    pub(in crate::bench) messages: Option<u64>,
    pub(in crate::bench) payload: Option<PayloadShape>,
}

#[derive(Debug, Serialize)]
pub(in crate::bench) struct PayloadShape {
    pub(in crate::bench) kind: &'static str,
    pub(in crate::bench) bytes: usize,
    pub(in crate::bench) binary: bool,
}

#[derive(Debug, Serialize)]
pub(in crate::bench) struct Connections {
    pub(in crate::bench) wanted: u32,
    pub(in crate::bench) opened: u64,
    pub(in crate::bench) failed: u64,
    pub(in crate::bench) lost: u64,
    pub(in crate::bench) reopened: u64,
    pub(in crate::bench) survived: u64,
    pub(in crate::bench) http2: u64,
    pub(in crate::bench) compressed: u64,
}

#[derive(Debug, Serialize)]
pub(in crate::bench) struct Messages {
    pub(in crate::bench) sent: u64,
    pub(in crate::bench) received: u64,
    /// Answers that came in a second of what was measured.
    pub(in crate::bench) rate: f64,
    /// Of those received, the ones that came after the end of the load.
    pub(in crate::bench) drained: u64,
    pub(in crate::bench) lost: u64,
    pub(in crate::bench) unsent: u64,
    pub(in crate::bench) late: u64,
}

#[derive(Debug, Serialize)]
pub(in crate::bench) struct Bytes {
    pub(in crate::bench) sent: u64,
    pub(in crate::bench) received: u64,
    /// Bytes of answers that came in a second of what was measured.
    pub(in crate::bench) rate: f64,
    pub(in crate::bench) wire_sent: Option<u64>,
    pub(in crate::bench) wire_received: Option<u64>,
}

/// A threshold, and what it was compared with.
#[derive(Clone, Debug, Serialize)]
pub(in crate::bench) struct Verdict {
    pub(in crate::bench) condition: String,
    /// In the unit of the condition's bound, microseconds for times; none where
    /// too few were answered, which fails too.
    pub(in crate::bench) value: Option<f64>,
    pub(in crate::bench) failed: bool,
    #[serde(skip)]
    pub(in crate::bench) is_time: bool,
}

impl Report {
    pub(in crate::bench) fn new(
        run: &Run,
        timeline: &Timeline,
        schedule: &Schedule,
        (ended, at): (Ended, Instant),
        wire: Option<(u64, u64)>,
    ) -> Self {
        let plan = &run.plan;
        let (counts, latencies) = (timeline.counts(), timeline.latencies());
        let seconds = measured(plan, timeline, schedule, at);
        let in_a_second = |count: u64| (count as f64 / seconds.max(1e-9) * 10.0).round() / 10.0;
        let gauges = &run.gauges;
        Self {
            format: "longwire-bench/1",
            url: super::command::url(&plan.url),
            mode: mode(plan),
            ended,
            environment: environment(run),
            load: load(plan),
            seconds,
            connections: Connections {
                wanted: plan.connections,
                opened: gauges.opened.get(),
                failed: gauges.failed.get(),
                lost: gauges.lost.get(),
                reopened: gauges.reopened.get(),
                survived: gauges.survived.get(),
                http2: gauges.http2.get(),
                compressed: gauges.compressed.get(),
            },
            handshake: lock(&run.handshakes).summary(),
            messages: Messages {
                sent: counts.sent,
                received: counts.received,
                rate: in_a_second(counts.in_time),
                drained: counts.drained,
                lost: counts.lost,
                unsent: counts.unsent,
                late: counts.late,
            },
            bytes: Bytes {
                sent: counts.sent_bytes,
                received: counts.received_bytes,
                rate: in_a_second(counts.in_time_bytes),
                wire_sent: wire.map(|(sent, _)| sent),
                wire_received: wire.map(|(_, received)| received),
            },
            latency: latencies.summary(),
            distribution: if latencies.count() == 0 {
                Vec::new()
            } else {
                latencies.distribution()
            },
            timeline: timeline.points().to_vec(),
            errors: run.faults.by_kind(),
            thresholds: Vec::new(),
            latencies: latencies.clone(),
        }
    }

    pub(in crate::bench) fn errors(&self) -> u64 {
        self.errors.iter().map(|fault| fault.count).sum()
    }
}

/// Seconds from the end of the warm-up to the end of the load, not to that of waiting
/// for an answer that does not come.
fn measured(plan: &Plan, timeline: &Timeline, schedule: &Schedule, ended: Instant) -> f64 {
    let last = timeline.counts().last.unwrap_or(ended);
    let end = plan.messages.map_or(ended, |_| last);
    let end = schedule.until.map_or(end, |until| until.min(end));
    let time = end.checked_duration_since(timeline.began());
    time.unwrap_or(Duration::ZERO).as_secs_f64()
}

fn mode(plan: &Plan) -> &'static str {
    match plan.mode {
        Mode::Idle => "idle",
        Mode::FanOut { .. } => "fan-out",
        Mode::Echo if plan.rate.is_some() => "open",
        Mode::Echo => "closed",
    }
}

fn environment(run: &Run) -> Environment {
    Environment {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads: run.plan.threads,
        command: super::command::shown(std::env::args()),
        started: run.started,
    }
}

fn load(plan: &Plan) -> Load {
    let idle = plan.mode == Mode::Idle;
    Load {
        connections: plan.connections,
        window: (plan.rate.is_none() && !idle).then_some(plan.window),
        rate: plan.rate,
        ramp: plan.ramp.as_secs_f64(),
        warmup: plan.warmup.as_secs_f64(),
        duration: plan.duration.map(|duration| duration.as_secs_f64()),
        messages: plan.messages,
        payload: (!idle).then(|| PayloadShape {
            kind: plan.payload.kind(),
            bytes: plan.payload.bytes(),
            binary: plan.payload.is_binary(),
        }),
    }
}
