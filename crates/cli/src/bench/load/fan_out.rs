//! A member of a fan-out: it receives what the first connection sends, and is that
//! connection, or another.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::Sink;
use longwire::{Message, Socket};

use super::fan::Sent;
use super::pace::{Pace, Schedule};
use super::plan::Mode;
use super::run::Lane;
use super::sending::{BATCH, End, GRACE, LATE, Wait};
use super::turns::{Turn, Turns, take_turns};
use crate::bench::count::tally::Tally;
use crate::bench::message::stamp::whole_time;

/// How far a connection has received, also over several sockets.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::bench) struct Heard {
    /// The number of the next message.
    next: u64,
    /// Messages received that are measured.
    measured: u64,
}

/// A connection's part in the run.
pub(in crate::bench) struct Member<'a> {
    lane: &'a Lane,
    socket: &'a mut Socket,
    /// Of the connection that sends.
    pace: Option<&'a mut Pace>,
    /// Messages sent.
    sent: &'a mut u64,
    /// Of a connection that has to receive.
    heard: Option<&'a mut Heard>,
    schedule: Schedule,
    wait: Wait,
    alarm: Option<Instant>,
    /// When the sender was last let go on.
    moved: Instant,
    all_sent: Option<Sent>,
    finish: Pin<Box<dyn Future<Output = Option<Sent>> + Send>>,
}

/// What a connection carries from one socket to the next.
#[derive(Debug)]
pub(in crate::bench) struct Part {
    pace: Option<Pace>,
    sent: u64,
    heard: Option<Heard>,
    /// Whether the others do not count on it any more.
    left: bool,
}

impl Part {
    pub(in crate::bench) fn new(lane: &Lane, connection: u32) -> Self {
        let plan = &lane.run.plan;
        let sends = connection == 0;
        let others_only = plan.mode == Mode::FanOut { others_only: true };
        let heard = (!(sends && others_only)).then(Heard::default);
        if heard.is_some() {
            lane.run.fan.join();
        }
        let pace = Pace::new(plan.rhythm(connection), plan.quota(connection));
        Self {
            pace: sends.then_some(pace),
            sent: 0,
            heard,
            left: false,
        }
    }

    /// Takes part with this socket until the run is over or the connection is.
    pub(in crate::bench) async fn take(
        &mut self,
        lane: &Arc<Lane>,
        socket: &mut Socket,
        schedule: Schedule,
    ) -> End {
        let mut all_sent = lane.run.fan.all_sent.subscribe();
        let mut member = Member {
            wait: Wait::new(&lane.run),
            lane,
            socket,
            pace: self.pace.as_mut(),
            sent: &mut self.sent,
            heard: self.heard.as_mut(),
            schedule,
            alarm: None,
            moved: Instant::now(),
            all_sent: None,
            finish: Box::pin(async move {
                let sent = all_sent.wait_for(Option::is_some).await;
                sent.ok().and_then(|sent| *sent)
            }),
        };
        poll_fn(|cx| member.poll(cx)).await
    }

    /// The connection is gone: the others need not wait for what it would send, or
    /// for it to receive.
    pub(in crate::bench) fn end(&mut self, lane: &Lane) {
        if self.pace.is_some() {
            finish(lane, self.sent);
        }
        if let Some(heard) = &self.heard
            && !std::mem::replace(&mut self.left, true)
        {
            lane.run.fan.leave(heard.next);
        }
    }

    /// Counts what was not sent and not received.
    pub(in crate::bench) fn leave(mut self, lane: &Lane, schedule: &Schedule) {
        let fan = &lane.run.fan;
        if let Some(pace) = &mut self.pace {
            let until = schedule.until.unwrap_or_else(Instant::now);
            let until = until.min(Instant::now());
            let mut unsent = pace.skip(schedule, until);
            if !lane.run.is_interrupted() && !schedule.is_past(Duration::ZERO) {
                unsent += pace.left();
            }
            lane.tally().counts.unsent += unsent;
            finish(lane, self.sent);
        }
        let Some(heard) = &self.heard else {
            return;
        };
        let total = fan.all_sent.borrow().map(|sent| sent.total);
        // Where the run was interrupted, what is on its way is not lost.
        let interrupted = lane.run.is_interrupted();
        let end = total.filter(|_| !interrupted).unwrap_or(heard.next);
        let first = fan.first_measured.load(Ordering::Acquire);
        let expected = end.saturating_sub(first);
        lane.tally().counts.lost += expected.saturating_sub(heard.measured);
        self.end(lane);
    }
}

/// Tells the members how much was sent, once.
fn finish(lane: &Lane, total: u64) {
    lane.run.fan.all_sent.send_if_modified(|sent| {
        let at = Instant::now();
        let first = sent.is_none();
        if first {
            *sent = Some(Sent { at, total });
        }
        first
    });
}

impl Turns for Member<'_> {
    fn socket(&mut self) -> &mut Socket {
        self.socket
    }

    fn take(&mut self, message: &Message, tally: &mut Tally) {
        self.receive(message, tally);
    }

    fn send(&mut self, cx: &mut Context<'_>, tally: &mut Tally) -> bool {
        self.send_due(cx, tally)
    }

    fn is_done(&mut self, cx: &mut Context<'_>) -> bool {
        self.has_all(cx)
    }
}

impl Member<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let lane = self.lane;
        let turn = take_turns(self, cx, &mut lane.tally());
        match turn {
            Turn::Ended(end) => Poll::Ready(end),
            Turn::Others => Poll::Pending,
            Turn::Idle => self.poll_time(cx),
        }
    }

    fn receive(&mut self, message: &Message, tally: &mut Tally) {
        let now = Instant::now();
        let run = &self.lane.run;
        let found = run.fan.find(message.as_bytes());
        let Some(heard) = self.heard.as_deref_mut() else {
            if found.is_some() {
                run.faults.count("unexpected", || {
                    "expected no message back at its sender (leave --others-only away?)".to_owned()
                });
            }
            return;
        };
        // A server may say more than what was sent, such as who is there.
        let Some((sequence, nanos)) = found else {
            return;
        };
        if sequence < heard.next {
            let next = heard.next;
            run.faults.count("repeated", || {
                format!("expected message {next}, got {sequence} again, or behind a later one")
            });
            return;
        }
        let passed = sequence - heard.next + 1;
        if passed > 1 {
            let next = heard.next;
            run.faults.count("missing", || {
                format!("expected message {next}, got {sequence}")
            });
        }
        heard.next = sequence + 1;
        run.fan.pass(passed);
        let so_far = now.saturating_duration_since(run.epoch).as_nanos();
        let nanos = whole_time(nanos, u64::try_from(so_far).unwrap_or(u64::MAX));
        let due = run.epoch + Duration::from_nanos(nanos);
        heard.measured += u64::from(self.schedule.measures(due));
        self.schedule.count(due, now, message.len(), tally);
    }

    fn send_due(&mut self, cx: &mut Context<'_>, tally: &mut Tally) -> bool {
        let Some(pace) = self.pace.as_deref_mut() else {
            return false;
        };
        let run = &self.lane.run;
        let mut sent = 0;
        if self.schedule.is_past(GRACE) {
            tally.counts.unsent += pace.skip(&self.schedule, Instant::now());
        }
        while sent < BATCH {
            let now = Instant::now();
            let waiting = if run.plan.rate.is_some() {
                0
            } else {
                let window = run.plan.window as u64;
                match run.fan.waiting(*self.sent, window, cx.waker()) {
                    Some(waiting) => waiting as usize,
                    None => break,
                }
            };
            // What is lost within the window may leave more waiting than was counted.
            let waiting = waiting.min(run.plan.window.saturating_sub(1));
            let Some((sequence, due)) = pace.due(&self.schedule, now, waiting) else {
                break;
            };
            let mut socket = Pin::new(&mut *self.socket);
            if Sink::<Message>::poll_ready(socket.as_mut(), cx).is_pending() {
                break;
            }
            let message = run.plan.payload.message(&run.stamp(0, sequence, due));
            let bytes = message.len();
            if Sink::<Message>::start_send(socket, message).is_err() {
                // What ended the connection comes up when reading.
                break;
            }
            pace.advance(&self.schedule, due);
            *self.sent += 1;
            self.moved = now;
            if self.schedule.measures(due) {
                run.fan.first_measured.fetch_min(sequence, Ordering::AcqRel);
                tally.sent(bytes);
                tally.counts.late += u64::from(now - due > LATE);
            }
            sent += 1;
        }
        if pace.is_over(&self.schedule, Instant::now()) {
            finish(self.lane, *self.sent);
        }
        sent > 0
    }

    /// Whether all was sent and received.
    fn has_all(&mut self, cx: &mut Context<'_>) -> bool {
        if self.all_sent.is_none()
            && let Poll::Ready(sent) = self.finish.as_mut().poll(cx)
        {
            self.all_sent = sent;
        }
        let heard = self.heard.as_deref();
        self.all_sent
            .is_some_and(|sent| heard.is_none_or(|heard| heard.next >= sent.total))
    }

    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.wait.is_over(cx) {
            return Poll::Ready(End::Done);
        }
        let run = &self.lane.run;
        if let Some(sent) = self.all_sent {
            let silent = sent.at + run.plan.answer_timeout;
            if self.wait.poll_until(cx, silent).is_ready() {
                run.faults.count("answer-timeout", || {
                    "expected all that was sent, the last of it did not come".to_owned()
                });
                return Poll::Ready(End::Done);
            }
            return Poll::Pending;
        }
        let Some(pace) = self.pace.as_deref() else {
            return Poll::Pending;
        };
        if let Some(due) = pace.alarm(&self.schedule) {
            let later = due > Instant::now();
            if later && run.pacer.poll(cx, due, &mut self.alarm).is_ready() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let silent = self.moved + run.plan.answer_timeout;
        let wake = self
            .schedule
            .until
            .map_or(silent, |until| until.min(silent));
        if self.wait.poll_until(cx, wake).is_ready() {
            self.let_go_on();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Some members did not receive what others have: the sender goes on without them.
    fn let_go_on(&mut self) {
        let run = &self.lane.run;
        if self.moved.elapsed() < run.plan.answer_timeout {
            return;
        }
        run.faults.count("answer-timeout", || {
            "expected all to receive a message, some did not".to_owned()
        });
        run.fan.pass_missing(*self.sent);
        self.moved = Instant::now();
    }
}
