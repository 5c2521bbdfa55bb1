//! `longwire bench`: a server under load.
//!
//! Read `message` (what is sent), `count` (what is counted), `load` (what is done to
//! the server) and `report` (what came of it), then this file, which starts the
//! threads; `files` makes room for connections.

// Counts become rates and shares, and places in plots: 52 bits are enough for them.
#![allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]

mod message;

mod count;

mod load;

mod report;

mod files;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longwire::client::Observer;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::args::bench::Args;
use crate::{exit, output};
use load::holding;
use load::pace::Schedule;
use load::plan::Plan;
use load::run::{Lane, Phase, Run, lock};
use report::contents::{Ended, Report};
use report::progress::Progress;
use report::timeline::Timeline;
use report::{page, table, verdict};

/// A threshold was passed.
const THRESHOLD: u8 = 5;

/// How often the bar is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(200);

/// Time between two points of the time line, where it is no long one.
const POINT: Duration = Duration::from_secs(1);

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

pub(crate) async fn run(args: Args) -> ExitCode {
    match prepare(&args) {
        Ok((run, lanes, phase)) => drive(&args, &run, lanes, phase).await,
        Err(code) => code,
    }
}

type Prepared = (Arc<Run>, Vec<Arc<Lane>>, watch::Sender<Phase>);

fn prepare(args: &Args) -> Result<Prepared, ExitCode> {
    let wrong = |text: String| {
        output::error(&text);
        ExitCode::from(exit::USAGE)
    };
    let plan = Plan::new(args).map_err(|error| wrong(error.to_string()))?;
    files::make_room(plan.connections, plan.threads).map_err(wrong)?;
    if let Some(path) = &args.report.html {
        // Told now rather than after a long run, and what is not there stays so until then.
        let is_there = path.exists();
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path);
        file.map_err(|error| wrong(format!("could not write to {}: {error}", path.display())))?;
        if !is_there {
            let _ = std::fs::remove_file(path);
        }
    }
    let threads = plan.threads;
    let clients = (0..threads).map(|_| plan.client(args));
    let clients: Result<Vec<_>, _> = clients.collect();
    let clients = clients.map_err(|error| exit::with(&error))?;
    let (phase, phases) = watch::channel(Phase::Opening);
    let run = Run::new(plan, phases).map_err(|error| {
        output::error(&format!("could not start: {error}"));
        ExitCode::FAILURE
    })?;
    let run = Arc::new(run);
    let lanes = clients.into_iter().map(|client| {
        let client = if args.report.wire_bytes {
            client.observer(Arc::clone(&run.wire) as Arc<dyn Observer>)
        } else {
            client
        };
        Arc::new(Lane::new(Arc::clone(&run), client))
    });
    let lanes = lanes.collect();
    Ok((run, lanes, phase))
}

/// Runs the connections of a thread to their end.
fn start(
    lane: Arc<Lane>,
    index: usize,
    threads: usize,
    done: mpsc::Sender<()>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let work = move || {
        runtime.block_on(async {
            let mut connections = JoinSet::new();
            for connection in (0..lane.run.plan.connections).skip(index).step_by(threads) {
                connections.spawn(holding::hold(Arc::clone(&lane), connection));
            }
            while connections.join_next().await.is_some() {}
        });
        drop(done);
    };
    let named = std::thread::Builder::new().name(format!("load-{index}"));
    named.spawn(work).map(drop)
}

async fn drive(
    args: &Args,
    run: &Arc<Run>,
    lanes: Vec<Arc<Lane>>,
    phase: watch::Sender<Phase>,
) -> ExitCode {
    let (done, mut all_done) = mpsc::channel(1);
    for (index, lane) in lanes.iter().enumerate() {
        if let Err(error) = start(Arc::clone(lane), index, lanes.len(), done.clone()) {
            output::error(&format!("could not start a thread: {error}"));
            return ExitCode::FAILURE;
        }
    }
    drop(done);
    let progress = Progress::new(args.report.quiet);
    let ctrl_c = tokio::signal::ctrl_c();
    tokio::pin!(ctrl_c);
    let opened = tokio::select! {
        () = opening(run, &progress) => true,
        _ = &mut ctrl_c => false,
    };
    if !opened || (run.gauges.opened.get() == 0 && !run.plan.reconnect) {
        progress.clear();
        let _ = phase.send(Phase::Interrupted);
        return not_opened(run);
    }
    let mut measured = Measured::start(run, lanes, phase);
    let mut ticks = interval(DRAWN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = all_done.recv() => break,
            _ = &mut ctrl_c, if !measured.ended => {
                measured.end(Ended::Interrupted);
                tokio::spawn(stop_at_once());
            }
            () = run.changed.notified() => {}
            _ = ticks.tick() => {}
            () = sleep_until(measured.next.into()), if !measured.ended => measured.take(),
        }
        if run.is_done() && !measured.ended {
            let how = ended(run, &measured.schedule);
            measured.end(how);
        }
        progress.running(run, &measured.schedule, &measured.timeline);
    }
    progress.clear();
    tell(args, measured.report(args.report.wire_bytes))
}

/// A run from the moment that all connections are open.
struct Measured {
    run: Arc<Run>,
    lanes: Vec<Arc<Lane>>,
    phase: watch::Sender<Phase>,
    schedule: Schedule,
    timeline: Timeline,
    /// When the next point of the time line is due.
    next: Instant,
    /// Bytes of frames before what is measured.
    wire: (u64, u64),
    /// Whether connections are only closed any more.
    ended: bool,
    how: Ended,
    /// When that was.
    at: Instant,
}

impl Measured {
    fn start(run: &Arc<Run>, lanes: Vec<Arc<Lane>>, phase: watch::Sender<Phase>) -> Self {
        let schedule = schedule(&run.plan);
        let wire = run.wire.so_far();
        let timeline = Timeline::new(&schedule, run);
        let _ = phase.send(Phase::Running(schedule));
        let first = if run.plan.warmup.is_zero() {
            POINT
        } else {
            Duration::ZERO
        };
        Self {
            run: Arc::clone(run),
            lanes,
            phase,
            schedule,
            timeline,
            next: schedule.measured + first,
            wire,
            ended: false,
            how: Ended::Done,
            at: schedule.measured,
        }
    }

    /// A point of the time line, or the end of the warm-up.
    fn take(&mut self) {
        if self.next == self.schedule.measured {
            self.wire = self.run.wire.so_far();
        } else {
            self.timeline.take(&self.lanes, &self.run);
        }
        self.next += POINT * self.timeline.each();
    }

    /// Nothing is measured any more.
    fn end(&mut self, how: Ended) {
        self.timeline.finish(&self.lanes, &self.run);
        self.ended = true;
        self.how = how;
        self.at = Instant::now();
        let _ = self.phase.send(match how {
            Ended::Interrupted => Phase::Interrupted,
            _ => Phase::Over,
        });
    }

    fn report(mut self, wire_bytes: bool) -> Report {
        if !self.ended {
            self.end(ended(&self.run, &self.schedule));
        }
        // What connections have counted at their end.
        self.timeline.gather(&self.lanes);
        let wire = wire_bytes.then(|| {
            let (sent, received) = self.run.wire.so_far();
            (sent - self.wire.0, received - self.wire.1)
        });
        let ended = (self.how, self.at);
        Report::new(&self.run, &self.timeline, &self.schedule, ended, wire)
    }
}

/// How a run ended that nobody interrupted.
fn ended(run: &Run, schedule: &Schedule) -> Ended {
    let is_over = schedule.is_past(Duration::ZERO);
    match run.gauges.survived.get() {
        0 if !is_over => Ended::ConnectionsLost,
        _ => Ended::Done,
    }
}

/// Waits until each connection was tried.
async fn opening(run: &Run, progress: &Progress) {
    let all = u64::from(run.plan.connections);
    let mut ticks = interval(DRAWN_EVERY);
    while run.gauges.tried.get() < all {
        tokio::select! {
            () = run.changed.notified() => {}
            _ = ticks.tick() => progress.opening(run),
        }
    }
}

fn schedule(plan: &Plan) -> Schedule {
    let start = Instant::now();
    let measured = start + plan.warmup;
    Schedule {
        start,
        measured,
        until: plan.duration.and_then(|time| measured.checked_add(time)),
    }
}

/// Nothing could be measured: the reason, where there is one.
fn not_opened(run: &Run) -> ExitCode {
    let error = lock(&run.first_error).take();
    let opened = run.gauges.opened.get();
    match error {
        Some(error) if opened == 0 => {
            let all = run.plan.connections;
            if all > 1 {
                output::note(&format!("none of {all} connections could be opened"));
            }
            exit::with(&error)
        }
        _ => {
            output::error(&format!(
                "interrupted with {opened} connections open, and no load yet"
            ));
            ExitCode::from(exit::FAILED)
        }
    }
}

/// The second Ctrl-C.
async fn stop_at_once() {
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(INTERRUPTED);
    }
}

fn tell(args: &Args, mut report: Report) -> ExitCode {
    let judged = args.report.fail_if.iter();
    report.thresholds = judged.map(|limit| verdict::judge(limit, &report)).collect();
    let printed = if args.report.json {
        print_json(&report)
    } else {
        table::print(&report)
    };
    // Whoever read our output has enough.
    let printed = printed.or_else(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    });
    if let Err(error) = printed {
        output::error(&format!("could not write the report: {error}"));
        return ExitCode::from(exit::FAILED);
    }
    if let Some(path) = &args.report.html
        && let Err(error) = std::fs::write(path, page::html(&report))
    {
        let path = path.display();
        output::error(&format!("could not write the page to {path}: {error}"));
        return ExitCode::from(exit::FAILED);
    }
    code(args, &report)
}

fn print_json(report: &Report) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, report)?;
    writeln!(stdout)
}

fn code(args: &Args, report: &Report) -> ExitCode {
    if report.thresholds.iter().any(|verdict| verdict.failed) {
        return ExitCode::from(THRESHOLD);
    }
    let nothing = if args.load.idle {
        report.connections.survived == 0
    } else {
        report.latency.is_none()
    };
    if nothing {
        output::error(if args.load.idle {
            "no connection was open at the end"
        } else {
            "no message was answered"
        });
        return ExitCode::from(exit::FAILED);
    }
    ExitCode::SUCCESS
}
