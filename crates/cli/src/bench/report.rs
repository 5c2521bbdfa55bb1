//! What is told at the end of a run. Its JSON form is described in the help of the
//! command: fields are added, none changes its meaning.

use std::time::Duration;

use serde::Serialize;

use super::faults::Fault;
use super::latency::{Latencies, Summary};
use super::pace::Schedule;
use super::plan::{Mode, Plan};
use super::run::{Run, lock};
use super::timeline::{Point, Timeline};
use super::verdict::Verdict;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) format: &'static str,
    pub(super) url: String,
    pub(super) mode: &'static str,
    pub(super) ended: Ended,
    pub(super) environment: Environment,
    pub(super) load: Load,
    pub(super) seconds: f64,
    pub(super) connections: Connections,
    pub(super) handshake: Option<Summary>,
    pub(super) messages: Messages,
    pub(super) bytes: Bytes,
    pub(super) latency: Option<Summary>,
    pub(super) distribution: Vec<(f64, f64)>,
    pub(super) timeline: Vec<Point>,
    pub(super) errors: Vec<Fault>,
    pub(super) thresholds: Vec<Verdict>,
    /// For plots.
    #[serde(skip)]
    pub(super) latencies: Latencies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Ended {
    #[serde(rename = "done")]
    Done,
    #[serde(rename = "interrupted")]
    Interrupted,
    #[serde(rename = "connections lost")]
    ConnectionsLost,
}

#[derive(Debug, Serialize)]
pub(super) struct Environment {
    pub(super) version: &'static str,
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
    pub(super) processors: usize,
    pub(super) threads: usize,
    pub(super) command: Vec<String>,
    /// Milliseconds since 1970.
    pub(super) started: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) window: Option<usize>,
    pub(super) rate: Option<u64>,
    pub(super) ramp: f64,
    pub(super) warmup: f64,
    pub(super) duration: Option<f64>,
    pub(super) messages: Option<u64>,
    pub(super) payload: Option<PayloadShape>,
}

#[derive(Debug, Serialize)]
pub(super) struct PayloadShape {
    pub(super) kind: &'static str,
    pub(super) bytes: usize,
    pub(super) binary: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Connections {
    pub(super) wanted: u32,
    pub(super) opened: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
    pub(super) reopened: u64,
    pub(super) survived: u64,
    pub(super) http2: u64,
    pub(super) compressed: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Messages {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) rate: f64,
    pub(super) lost: u64,
    pub(super) unsent: u64,
    pub(super) late: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Bytes {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) wire_sent: Option<u64>,
    pub(super) wire_received: Option<u64>,
}

impl Report {
    pub(super) fn new(
        run: &Run,
        timeline: &Timeline,
        schedule: &Schedule,
        ended: Ended,
        wire: Option<(u64, u64)>,
    ) -> Self {
        let plan = &run.plan;
        let (counts, latencies) = (timeline.counts(), timeline.latencies());
        let seconds = measured(plan, timeline, schedule);
        let gauges = &run.gauges;
        Self {
            format: "longwire-bench/1",
            url: plan.url.clone(),
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
                rate: (counts.received as f64 / seconds.max(1e-9) * 10.0).round() / 10.0,
                lost: counts.lost,
                unsent: counts.unsent,
                late: counts.late,
            },
            bytes: Bytes {
                sent: counts.sent_bytes,
                received: counts.received_bytes,
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

    pub(super) fn errors(&self) -> u64 {
        self.errors.iter().map(|fault| fault.count).sum()
    }
}

/// Seconds from the end of the warm-up to the end of the load, not to that of waiting
/// for an answer that does not come.
fn measured(plan: &Plan, timeline: &Timeline, schedule: &Schedule) -> f64 {
    let now = std::time::Instant::now();
    let last = timeline.counts().last.unwrap_or(now);
    let end = match schedule.until {
        _ if plan.messages.is_some() => last,
        Some(until) => until.min(now),
        None => now,
    };
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
