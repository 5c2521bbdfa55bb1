//! A connection whose server answers each message with itself.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::Sink;
use longwire::{Message, Socket};

use super::pace::{Pace, Schedule};
use super::run::Lane;
use super::sending::{BATCH, End, GRACE, LATE, Wait};
use super::turns::{Turn, Turns, take_turns};
use crate::bench::count::tally::Tally;
use crate::output::harmless;

/// Messages that are looked at to find which one an answer belongs to, where some
/// are missing.
const LOOK_AHEAD: usize = 64;

/// Characters of a message in an error.
const SHOWN: usize = 60;

/// A message that was sent and not answered yet.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    sequence: u64,
    due: Instant,
    sent: Instant,
}

/// The exchange on one socket.
struct Exchange<'a> {
    lane: &'a Lane,
    connection: u32,
    socket: &'a mut Socket,
    pace: &'a mut Pace,
    schedule: Schedule,
    waiting: VecDeque<Waiting>,
    /// The message that something else was taken for the answer of. Where its answer
    /// still comes, what was taken for it was not asked for.
    astray: Option<Waiting>,
    scratch: Vec<u8>,
    wait: Wait,
    alarm: Option<Instant>,
}

/// Sends what is due and takes the answers, until the run is over or the
/// connection is.
pub(in crate::bench) async fn exchange(
    lane: &Arc<Lane>,
    connection: u32,
    socket: &mut Socket,
    pace: &mut Pace,
    schedule: Schedule,
) -> End {
    let mut exchange = Exchange {
        wait: Wait::new(&lane.run),
        lane,
        connection,
        socket,
        pace,
        schedule,
        waiting: VecDeque::new(),
        astray: None,
        scratch: Vec::new(),
        alarm: None,
    };
    let end = poll_fn(|cx| exchange.poll(cx)).await;
    let unanswered = if end == End::Done {
        0
    } else {
        exchange.waiting.len()
    };
    exchange.lose(unanswered);
    end
}

impl Turns for Exchange<'_> {
    fn socket(&mut self) -> &mut Socket {
        self.socket
    }

    fn take(&mut self, message: &Message, tally: &mut Tally) {
        self.receive(message, tally);
    }

    fn send(&mut self, cx: &mut Context<'_>, tally: &mut Tally) -> bool {
        self.send_due(cx, tally)
    }

    fn is_done(&mut self, _: &mut Context<'_>) -> bool {
        self.waiting.is_empty() && self.pace.is_over(&self.schedule, Instant::now())
    }
}

impl Exchange<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let lane = self.lane;
        let turn = take_turns(self, cx, &mut lane.tally());
        match turn {
            Turn::Ended(end) => Poll::Ready(end),
            Turn::Others => Poll::Pending,
            Turn::Idle => self.poll_time(cx),
        }
    }

    /// Sends what is due, as far as the connection takes it.
    fn send_due(&mut self, cx: &mut Context<'_>, tally: &mut Tally) -> bool {
        let mut sent = 0;
        if self.schedule.is_past(GRACE) {
            tally.counts.unsent += self.pace.skip(&self.schedule, Instant::now());
        }
        while sent < BATCH {
            let now = Instant::now();
            let Some((sequence, due)) = self.pace.due(&self.schedule, now, self.waiting.len())
            else {
                break;
            };
            let mut socket = Pin::new(&mut *self.socket);
            if Sink::<Message>::poll_ready(socket.as_mut(), cx).is_pending() {
                break;
            }
            let run = &self.lane.run;
            let message = run
                .plan
                .payload
                .message(&run.stamp(self.connection, sequence, due));
            let bytes = message.len();
            if Sink::<Message>::start_send(socket, message).is_err() {
                // What ended the connection comes up when reading.
                break;
            }
            self.pace.advance(&self.schedule, due);
            self.waiting.push_back(Waiting {
                sequence,
                due,
                sent: now,
            });
            if self.schedule.measures(due) {
                tally.sent(bytes);
                tally.counts.late += u64::from(now - due > LATE);
            }
            sent += 1;
        }
        sent > 0
    }

    fn receive(&mut self, answer: &Message, tally: &mut Tally) {
        let now = Instant::now();
        let Some(first) = self.waiting.front().copied() else {
            if let Some(astray) = self.astray.filter(|astray| self.answers(astray, answer)) {
                self.astray = None;
                self.count(&astray, answer, now, tally);
                return;
            }
            if self.lane.run.plan.verify {
                self.unexpected(answer);
            }
            return;
        };
        if !self.lane.run.plan.verify || self.answers(&first, answer) {
            self.waiting.pop_front();
            return self.count(&first, answer, now, tally);
        }
        if let Some(astray) = self.astray.filter(|astray| self.answers(astray, answer)) {
            self.astray = None;
            return self.count(&astray, answer, now, tally);
        }
        let found = (1..self.waiting.len().min(LOOK_AHEAD))
            .filter(|_| self.lane.run.plan.payload.varies())
            .find(|index| {
                let waiting = self.waiting.get(*index).copied();
                waiting.is_some_and(|waiting| self.answers(&waiting, answer))
            });
        if let Some(index) = found {
            let faults = &self.lane.run.faults;
            faults.count("missing", || {
                format!(
                    "expected an answer to message {}, got one to a later message",
                    first.sequence
                )
            });
            tally.counts.lost += self.measured(index);
            self.waiting.drain(..index);
            if let Some(waiting) = self.waiting.pop_front() {
                self.count(&waiting, answer, now, tally);
            }
            return;
        }
        self.mismatch(&first, answer);
        self.waiting.pop_front();
        if let Some(before) = self.astray.replace(first) {
            tally.counts.lost += u64::from(self.schedule.measures(before.due));
        }
    }

    fn answers(&mut self, waiting: &Waiting, answer: &Message) -> bool {
        let run = &self.lane.run;
        let stamp = run.stamp(self.connection, waiting.sequence, waiting.due);
        run.plan.payload.is(&stamp, answer, &mut self.scratch)
    }

    fn count(&self, waiting: &Waiting, answer: &Message, now: Instant, tally: &mut Tally) {
        self.schedule.count(waiting.due, now, answer.len(), tally);
    }

    fn unexpected(&self, answer: &Message) {
        let faults = &self.lane.run.faults;
        faults.count("unexpected", || {
            format!("expected no message, got {}", shown(answer))
        });
    }

    fn mismatch(&self, waiting: &Waiting, answer: &Message) {
        let run = &self.lane.run;
        run.faults.count("mismatch", || {
            let stamp = run.stamp(self.connection, waiting.sequence, waiting.due);
            let expected = run.plan.payload.message(&stamp);
            let (expected, got) = (shown(&expected), shown(answer));
            format!("expected the message as it was sent, {expected}, got {got}")
        });
    }

    /// How many of the first messages that wait are measured.
    fn measured(&self, count: usize) -> u64 {
        let first = self.waiting.iter().take(count);
        first
            .filter(|waiting| self.schedule.measures(waiting.due))
            .count() as u64
    }

    fn lose(&self, count: usize) {
        let astray = self.astray.iter();
        let astray = astray.filter(|astray| self.schedule.measures(astray.due));
        let lost = self.measured(count) + astray.count() as u64;
        self.lane.tally().counts.lost += lost;
    }

    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.wait.is_over(cx) {
            return Poll::Ready(End::Done);
        }
        let mut wake = self.schedule.until;
        if let Some(first) = self.waiting.front() {
            let silent = first.sent + self.lane.run.plan.answer_timeout;
            if self.wait.poll_until(cx, silent).is_ready() {
                self.lane.run.faults.count("answer-timeout", || {
                    format!("expected an answer to message {}, got none", first.sequence)
                });
                return Poll::Ready(End::Silent);
            }
            wake = None;
        }
        if let Some(due) = self.pace.alarm(&self.schedule) {
            if due <= Instant::now() {
                // The connection is full: it wakes us.
                return Poll::Pending;
            }
            let pacer = &self.lane.run.pacer;
            if pacer.poll(cx, due, &mut self.alarm).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        if let Some(wake) = wake
            && self.wait.poll_until(cx, wake).is_ready()
        {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

fn shown(message: &Message) -> String {
    let text = String::from_utf8_lossy(message.as_bytes());
    let start: String = text.chars().take(SHOWN).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    let kind = if message.is_text() { "text" } else { "binary" };
    let (start, bytes) = (harmless(&start).replace('\n', "\\n"), message.len());
    format!("{kind} {start:?}{more} ({bytes} bytes)")
}
