//! `longwire ping`: the way to a server step by step, then the round trip of pings.
//!
//! Read `steps` (of the way), `summary` (what is told at the end) and `lines` (how
//! it is printed), then this file.

// Counts become rates and shares, and places in plots: 52 bits are enough for them.
#![allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]

mod steps;

mod summary;

mod lines;

use std::collections::VecDeque;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longwire::bytes::Bytes;
use longwire::client::Observer;
use longwire::{Event, Receiver, Sender, Socket};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until, timeout};

use crate::args::ping::Args;
use crate::{exit, output};
use lines::Lines;
use steps::Steps;
use summary::Trips;

/// Pings that are waited for at most; of more, the first count as lost.
const MOST_WAITING: usize = 10_000;

/// Pings that came too late are told apart from what was never asked for so long.
const MOST_OVERDUE: usize = 1_000;

/// How long the closing handshake may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Args) -> ExitCode {
    let steps = Arc::new(Steps::default());
    let client = match args.way.client() {
        Ok(client) => client
            // The pings are ours.
            .heartbeat(None)
            .observer(Arc::clone(&steps) as Arc<dyn Observer>),
        Err(error) => return exit::with(&error),
    };
    let began = Instant::now();
    let connected = tokio::select! {
        connected = client.connect(&args.url) => connected,
        _ = tokio::signal::ctrl_c() => return ExitCode::from(exit::FAILED),
    };
    let socket = match connected {
        Ok(socket) => socket,
        Err(error) => {
            tell_steps(&steps);
            return exit::with(&error);
        }
    };
    let lines = Lines { json: args.json };
    let mut pinging = Pinging {
        lines,
        count: args.count.map(std::num::NonZero::get),
        wait: args.wait,
        waiting: VecDeque::new(),
        overdue: VecDeque::new(),
        trips: Trips::default(),
        next: 1,
    };
    let told = lines.open(&socket, &steps.so_far(), began.elapsed());
    let told = match told {
        Ok(()) => pinging.ping(socket, args.interval).await,
        Err(error) => Err(error),
    };
    let summary = pinging.trips.summary();
    match told.and_then(|()| lines.summary(&args.url, &summary)) {
        // Whoever read our output has enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            output::error(&format!("could not write to stdout: {error}"));
            ExitCode::from(exit::FAILED)
        }
        _ if summary.received == 0 => ExitCode::from(exit::FAILED),
        _ => ExitCode::SUCCESS,
    }
}

/// How far it got, where it did not get to the end.
fn tell_steps(steps: &Steps) {
    for (name, took) in steps.so_far() {
        let took = summary::millis(took);
        output::note(&format!("{name} {took:.3} ms"));
    }
}

/// A ping that was sent.
#[derive(Clone, Copy)]
struct Sent {
    seq: u64,
    at: Instant,
}

struct Pinging {
    lines: Lines,
    count: Option<u64>,
    wait: Duration,
    waiting: VecDeque<Sent>,
    /// Those that are counted as lost, and may come still.
    overdue: VecDeque<Sent>,
    trips: Trips,
    next: u64,
}

impl Pinging {
    /// Pings until all are sent and answered or lost, the connection ends, or
    /// Ctrl-C.
    async fn ping(&mut self, socket: Socket, every: Duration) -> io::Result<()> {
        let (sender, mut receiver) = socket.split();
        // An interval of nothing is as fast as it goes, which is a millisecond.
        let mut ticks: Interval = interval(every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ctrl_c = tokio::signal::ctrl_c();
        tokio::pin!(ctrl_c);
        while self.goes_on() {
            let overdue = self.waiting.front().map(|sent| sent.at + self.wait);
            tokio::select! {
                event = receiver.next_event() => match event {
                    Some(Ok(Event::Pong(payload))) => self.pong(&payload)?,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return self.lines.closed(receiver.closed().as_ref()),
                },
                _ = ticks.tick(), if self.sends() => self.send(&sender).await?,
                () = until(overdue) => self.give_up()?,
                _ = &mut ctrl_c => break,
            }
        }
        close(&sender, &mut receiver).await;
        Ok(())
    }

    fn sends(&self) -> bool {
        self.count.is_none_or(|count| self.next <= count)
    }

    fn goes_on(&self) -> bool {
        self.sends() || !self.waiting.is_empty()
    }

    async fn send(&mut self, sender: &Sender) -> io::Result<()> {
        let seq = self.next;
        let at = Instant::now();
        // The end of the connection is told by the receiving half. One that takes
        // nothing more is waited for as its pongs are.
        let sending = timeout(self.wait, sender.ping(payload(seq)));
        if !matches!(sending.await, Ok(Ok(()))) {
            return Ok(());
        }
        self.next += 1;
        self.trips.sent();
        if self.waiting.len() >= MOST_WAITING {
            self.give_up()?;
        }
        self.waiting.push_back(Sent { seq, at });
        Ok(())
    }

    fn pong(&mut self, payload: &Bytes) -> io::Result<()> {
        let now = Instant::now();
        let Some(seq) = sequence(payload) else {
            return Ok(());
        };
        let at = |queue: &VecDeque<Sent>| queue.iter().position(|sent| sent.seq == seq);
        if let Some(index) = at(&self.waiting) {
            // A server may answer only the last of several pings (RFC 6455 section
            // 5.5.3); those before it are lost when their time is over.
            if let Some(sent) = self.waiting.remove(index) {
                self.trips.received(now - sent.at);
                return self.lines.pong(seq, now - sent.at, false);
            }
        }
        if let Some(index) = at(&self.overdue)
            && let Some(sent) = self.overdue.remove(index)
        {
            return self.lines.pong(seq, now - sent.at, true);
        }
        Ok(())
    }

    /// The first that is waited for counts as lost.
    fn give_up(&mut self) -> io::Result<()> {
        let Some(sent) = self.waiting.pop_front() else {
            return Ok(());
        };
        if self.overdue.len() >= MOST_OVERDUE {
            self.overdue.pop_front();
        }
        self.overdue.push_back(sent);
        self.lines.timeout(sent.seq, self.wait)
    }
}

fn payload(seq: u64) -> String {
    format!("longwire ping {seq}")
}

/// The number in a pong's payload, where it answers a ping of ours.
fn sequence(payload: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(payload).ok()?;
    text.strip_prefix("longwire ping ")?.parse().ok()
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

async fn close(sender: &Sender, receiver: &mut Receiver) {
    // 1000 without a reason can always be sent.
    let _ = sender.close(1000, "");
    let ended = async { while receiver.next().await.is_some_and(|next| next.is_ok()) {} };
    let _ = timeout(CLOSE_WITHIN, ended).await;
}
