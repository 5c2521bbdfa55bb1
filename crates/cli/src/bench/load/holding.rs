//! One connection from its opening to its end, and again where that is asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Version;
use longwire::http;
use longwire::{Error, Socket};
use tokio::time::{sleep, timeout};

use super::fan_out::Part;
use super::pace::{Pace, Schedule};
use super::plan::Mode;
use super::run::{Lane, lock};
use super::sending::End;
use super::{echo, idle};
use crate::bench::count::faults::{kind_of_end, kind_of_error};

/// Wait before a connection is opened again, doubled with each try that fails.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// And at most.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How long a connection's closing handshake may take at the end of a run.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// What a connection does while it is open.
enum Work {
    Echo(Pace),
    FanOut(Part),
    Idle,
}

impl Work {
    fn new(lane: &Lane, connection: u32) -> Self {
        let plan = &lane.run.plan;
        match plan.mode {
            Mode::Echo => Self::Echo(Pace::new(plan.rhythm(connection), plan.quota(connection))),
            Mode::FanOut { .. } => Self::FanOut(Part::new(lane, connection)),
            Mode::Idle => Self::Idle,
        }
    }

    async fn with(
        &mut self,
        lane: &Arc<Lane>,
        connection: u32,
        socket: &mut Socket,
        schedule: Schedule,
    ) -> End {
        match self {
            Self::Echo(pace) => echo::exchange(lane, connection, socket, pace, schedule).await,
            Self::FanOut(part) => part.take(lane, socket, schedule).await,
            Self::Idle => idle::hold(lane, socket, schedule).await,
        }
    }

    /// What was due while there was no connection is not sent later.
    fn skip(&mut self, lane: &Lane, schedule: &Schedule) {
        if let Self::Echo(pace) = self {
            lane.tally().counts.unsent += pace.skip(schedule, Instant::now());
        }
    }

    /// Nothing is done any more with this connection, while others go on.
    fn end(&mut self, lane: &Lane) {
        lane.run.gauges.gone.up();
        lane.run.changed.notify_one();
        if let Self::FanOut(part) = self {
            part.end(lane);
        }
    }

    /// Counts what was not done.
    fn leave(self, lane: &Lane, schedule: &Schedule) {
        let now = Instant::now();
        match self {
            Self::Echo(mut pace) => {
                let until = schedule.until.map_or(now, |until| until.min(now));
                let mut unsent = pace.skip(schedule, until);
                if !lane.run.is_interrupted() && !schedule.is_past(Duration::ZERO) {
                    unsent += pace.left();
                }
                lane.tally().counts.unsent += unsent;
            }
            Self::FanOut(part) => part.leave(lane, schedule),
            Self::Idle => {}
        }
    }
}

/// Opens the connection when it is its turn, and keeps it at work until the run
/// ends.
pub(in crate::bench) async fn hold(lane: Arc<Lane>, connection: u32) {
    let run = Arc::clone(&lane.run);
    let at = run.epoch + run.plan.opens_after(connection);
    tokio::select! {
        () = tokio::time::sleep_until(at.into()) => {}
        () = Arc::clone(&run).over() => return,
    }
    let opened = open(&lane, true).await;
    let work = opened.is_some().then(|| Work::new(&lane, connection));
    run.gauges.tried.up();
    run.changed.notify_one();
    let Some(schedule) = run.begun().await else {
        return;
    };
    let work = match work {
        Some(work) => Some(work),
        None if run.plan.reconnect => Some(Work::new(&lane, connection)),
        None => None,
    };
    if let Some(work) = work {
        return keep(&lane, connection, work, opened, schedule).await;
    }
    let mut work = Work::new(&lane, connection);
    work.end(&lane);
    give_up(&lane, schedule).await;
    work.leave(&lane, &schedule);
}

/// Works with this socket, and those opened after it, until the run ends.
async fn keep(
    lane: &Arc<Lane>,
    connection: u32,
    mut work: Work,
    mut opened: Option<Socket>,
    schedule: Schedule,
) {
    let run = &lane.run;
    loop {
        if let Some(mut socket) = opened.take() {
            let end = work.with(lane, connection, &mut socket, schedule).await;
            if end == End::Done {
                work.leave(lane, &schedule);
                run.gauges.survived.up();
                run.changed.notify_one();
                run.gauges.open.down();
                let _ = timeout(CLOSE_WITHIN, socket.close(1000, "")).await;
                return;
            }
            run.gauges.open.down();
            run.gauges.lost.up();
            if end == End::Closed {
                tell_end(lane, &socket);
            } else {
                socket.terminate();
            }
        }
        if !run.plan.reconnect {
            work.end(lane);
            give_up(lane, schedule).await;
            return work.leave(lane, &schedule);
        }
        opened = again(lane, &schedule).await;
        if opened.is_none() {
            return work.leave(lane, &schedule);
        }
        work.skip(lane, &schedule);
    }
}

/// Waits for the end of the run, to know what this connection did not do until then.
async fn give_up(lane: &Arc<Lane>, schedule: Schedule) {
    let over = Arc::clone(&lane.run).over();
    match schedule.until {
        Some(until) => drop(tokio::time::timeout_at(until.into(), over).await),
        None => over.await,
    }
}

/// Opens the connection again; `None` where the run ends first.
async fn again(lane: &Arc<Lane>, schedule: &Schedule) -> Option<Socket> {
    let run = Arc::clone(&lane.run);
    let over = Arc::clone(&run).over();
    let trying = async {
        let mut wait = FIRST_WAIT;
        loop {
            // Those lost at the same time do not come back at the same time.
            sleep(wait.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            if let Some(socket) = open(lane, false).await {
                run.gauges.reopened.up();
                return socket;
            }
            wait = (wait * 2).min(LAST_WAIT);
        }
    };
    // Where only the number of messages ends the run, a server that stays away must.
    let lately = || Instant::now().checked_add(run.plan.answer_timeout);
    let until = schedule.until.or_else(lately);
    tokio::select! {
        socket = trying => Some(socket),
        () = over => None,
        () = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        } => None,
    }
}

/// Opens a connection, counted.
async fn open(lane: &Arc<Lane>, first: bool) -> Option<Socket> {
    let run = &lane.run;
    let _permit = run.opening.acquire().await;
    let began = Instant::now();
    let opened = tokio::select! {
        opened = lane.client.connect(&run.plan.url) => opened,
        () = Arc::clone(run).over() => return None,
    };
    match opened {
        Ok(socket) => {
            lock(&run.handshakes).record(began.elapsed());
            run.gauges.opened.up();
            run.gauges.open.up();
            if socket.http_version() == Version::HTTP_2 {
                run.gauges.http2.up();
            }
            if socket.compression().is_some() {
                run.gauges.compressed.up();
            }
            Some(socket)
        }
        Err(error) => {
            if first {
                run.gauges.failed.up();
            }
            tell_error(lane, error);
            None
        }
    }
}

fn tell_error(lane: &Lane, error: Error) {
    let faults = &lane.run.faults;
    faults.count(&kind_of_error(&error), || error.to_string());
    lock(&lane.run.first_error).get_or_insert(error);
}

fn tell_end(lane: &Lane, socket: &Socket) {
    let closed = socket.closed();
    lane.run.faults.count(&kind_of_end(closed.as_ref()), || {
        closed.map_or_else(
            || "the connection broke".to_owned(),
            |closed| format!("the connection was closed: {closed}"),
        )
    });
}
