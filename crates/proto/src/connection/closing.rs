//! How a connection ends (RFC 6455 section 7): the closing handshake from
//! either end, failure, timeouts, and a transport that breaks.

use std::time::{Duration, Instant};

use super::heartbeat::{Deadline, later};
use super::{Connection, TransportState};
use crate::Role;
use crate::close::{CloseCode, CloseFrame};
use crate::closed::{Closed, ClosedBy, TimeoutKind};
use crate::error::ProtocolError;
use crate::header::FrameHeader;
use crate::limits::Limit;
use crate::message::ControlPayload;
use crate::opcode::Opcode;

/// Where in its life a connection is. Small while it is open.
#[derive(Debug)]
pub(super) enum State {
    Open,
    /// Our Close frame is on its way, the peer's is awaited.
    CloseSent {
        by: ClosedBy,
        deadline: Box<Deadline>,
    },
    /// Both Close frames are exchanged, or this end gave up: what waits is
    /// still written, what comes is dropped.
    Ending {
        closed: Box<Closed>,
        end: End,
        deadline: Box<Deadline>,
    },
    /// Writing has failed. Input is read on, as the peer's Close frame may be
    /// in it.
    ReadOut {
        /// Who started the closing handshake, where our Close frame is out.
        closing: Option<ClosedBy>,
        deadline: Instant,
    },
    Closed(Box<Closed>),
}

/// Who ends the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// This end, as soon as all is written (section 7.1.1: the server's part).
    Drop,
    /// The peer (section 7.1.1: what a client waits for).
    Await,
    /// This end, but the peer gets time to read what was written: a transport
    /// dropped with unread input takes our last words with it.
    Linger,
}

impl State {
    //= rfc6455#7.1.7-4
    /// Whether frames that arrive still mean something.
    pub(super) fn reads_frames(&self) -> bool {
        matches!(
            self,
            Self::Open | Self::CloseSent { .. } | Self::ReadOut { .. }
        )
    }

    //= rfc6455#5.5.2-1
    /// Whether a ping is answered: no Close frame has been received.
    pub(super) fn writes_frames(&self) -> bool {
        matches!(self, Self::Open | Self::CloseSent { .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Open | Self::Closed(_) => None,
            Self::CloseSent { deadline, .. } | Self::Ending { deadline, .. } => Some(deadline.at),
            Self::ReadOut { deadline, .. } => Some(*deadline),
        }
    }
}

impl Connection {
    /// How the connection ended, once it has.
    pub fn closed(&self) -> Option<&Closed> {
        match &self.state {
            State::Closed(closed) => Some(closed),
            _ => None,
        }
    }

    /// What is to be done with the transport.
    pub fn transport_state(&self) -> TransportState {
        match &self.state {
            State::Closed(_) => TransportState::Closed,
            State::Ending {
                end: End::Linger, ..
            } if self.output.is_empty() => TransportState::ShutDown,
            _ => TransportState::Open,
        }
    }

    //= rfc6455#7.1.2-1, rfc6455#7.2.1-2, rfc6455#7.3-1, rfc6455#7.3-2
    //= rfc6455#7.1.7-6
    /// Starts the closing handshake (section 7.1.2), behind all that waits to
    /// be sent. Does nothing where the connection is closing already.
    pub fn close(&mut self, frame: Option<&CloseFrame>, now: Instant) {
        if self.is_open() {
            self.start_closing(frame, ClosedBy::Local, now);
        }
    }

    //= rfc6455#7.1.3-1
    fn start_closing(&mut self, frame: Option<&CloseFrame>, by: ClosedBy, now: Instant) {
        self.push_close(frame);
        let deadline = Box::new(self.deadline(now, self.config.close_timeout));
        self.state = State::CloseSent { by, deadline };
    }

    /// What the peer takes of our messages puts the end off. What it sends does
    /// not, nor what that makes us answer.
    fn deadline(&self, now: Instant, period: Duration) -> Deadline {
        Deadline::new(now, period, self.data_transmitted)
    }

    //= rfc6455#5.5.1-7, rfc6455#5.5.1-8, rfc6455#5.5.1-9, rfc6455#5.5.1-10, rfc6455#5.5.1-14
    //= rfc6455#7.1.3-1, rfc6455#7.1.5-1, rfc6455#7.1.6-1
    /// The peer's Close frame.
    pub(super) fn handle_close(
        &mut self,
        payload: &ControlPayload,
        now: Instant,
    ) -> Result<Option<CloseFrame>, ProtocolError> {
        let frame = parse_close(payload)?;
        let (by, clean) = match &self.state {
            State::CloseSent { by, .. } => (by.clone(), true),
            State::ReadOut { closing, .. } => {
                // Without our own Close frame, the handshake is not done.
                let clean = closing.is_some();
                (closing.clone().unwrap_or(ClosedBy::Peer), clean)
            }
            _ => {
                self.push_close(frame.as_ref());
                (ClosedBy::Peer, true)
            }
        };
        let closed = Box::new(Closed {
            code: frame
                .as_ref()
                .map_or(CloseCode::NO_STATUS, CloseFrame::code),
            reason: frame
                .as_ref()
                .map_or_else(String::new, |f| f.reason().to_owned()),
            clean,
            by,
        });
        //= rfc6455#5.5.1-12, rfc6455#5.5.1-13, rfc6455#7.1.1-2
        //= rfc6455#7.1.1-4, rfc6455#7.1.1-5
        let end = match self.role() {
            Role::Server => End::Drop,
            Role::Client => End::Await,
        };
        self.assembler.clear();
        self.state = State::Ending {
            closed,
            end,
            deadline: Box::new(self.deadline(now, self.config.close_timeout)),
        };
        self.finish_if_done();
        Ok(frame)
    }

    //= rfc6455#7.1.7-1, rfc6455#7.1.7-3, rfc6455#8.1-1, rfc6455#10.7-2
    /// Fails the connection (section 7.1.7): the peer is told why and nothing
    /// it sends is looked at any more.
    pub(super) fn fail(&mut self, error: ProtocolError, now: Instant) {
        let reason = error.to_string();
        let code = error.close_code();
        self.end_abnormally(code, &reason, ClosedBy::Failure(error), now);
    }

    /// Fails the connection because what was handed out has passed a limit of
    /// whoever holds it: `value`, where at most `max` may be.
    pub fn refuse(&mut self, limit: Limit, value: usize, max: usize, now: Instant) {
        if self.state.reads_frames() {
            self.fail(ProtocolError::limit(limit, value as u64, max), now);
        }
    }

    /// The peer has not answered a ping.
    pub(super) fn declare_dead(&mut self, now: Instant) {
        let kind = TimeoutKind::Heartbeat;
        self.end_abnormally(
            CloseCode::INTERNAL_ERROR,
            &kind.to_string(),
            ClosedBy::Timeout(kind),
            now,
        );
    }

    fn end_abnormally(&mut self, code: CloseCode, reason: &str, by: ClosedBy, now: Instant) {
        if self.is_open() {
            self.output.drop_unsent();
            self.count_output();
            let end = reason.floor_char_boundary(CloseFrame::MAX_REASON);
            let frame = CloseFrame::checked(code, reason[..end].to_owned());
            self.push_close(Some(&frame));
        } else if let State::ReadOut { .. } = self.state {
            return self.become_closed(Closed::abnormal(by));
        }
        self.assembler.clear();
        self.state = State::Ending {
            closed: Box::new(Closed::abnormal(by)),
            end: End::Linger,
            deadline: Box::new(self.deadline(now, self.config.linger)),
        };
        self.finish_if_done();
    }

    /// Nothing was said for too long.
    pub(super) fn close_idle(&mut self, now: Instant) {
        let kind = TimeoutKind::Idle;
        let frame = CloseFrame::checked(CloseCode::GOING_AWAY, kind.to_string());
        self.start_closing(Some(&frame), ClosedBy::Timeout(kind), now);
    }

    //= rfc6455#7.2.1-1, rfc6455#7.1.4-1
    /// The peer will send nothing more. Where its Close frame has not come, the
    /// connection is lost, and with it what waits to be sent.
    pub fn handle_input_end(&mut self) {
        self.input_ended = true;
        match &self.state {
            State::Open | State::CloseSent { .. } | State::ReadOut { .. } => {
                self.become_closed(Closed::abnormal(ClosedBy::Lost));
            }
            State::Ending { .. } => self.finish_if_done(),
            State::Closed(_) => {}
        }
    }

    /// The transport takes no more output, as when the peer is gone. Input may
    /// still hold the peer's Close frame: go on until its end.
    pub fn handle_output_failed(&mut self, now: Instant) {
        let closing = match &self.state {
            State::Open => None,
            State::CloseSent { by, .. } => Some(by.clone()).filter(|_| !self.output.has_data()),
            State::Ending { .. } => return self.end_without_output(),
            State::ReadOut { .. } | State::Closed(_) => return,
        };
        self.drop_output();
        self.state = State::ReadOut {
            closing,
            deadline: later(now, self.config.linger),
        };
    }

    /// The transport broke: neither input nor output will pass any more.
    pub fn handle_transport_lost(&mut self) {
        if let State::Ending { .. } = self.state {
            self.end_without_output();
        }
        self.handle_input_end();
    }

    //= rfc6455#7.1.1-3, rfc6455#5.5.1-13
    pub(super) fn handle_closing_timeout(&mut self, now: Instant) {
        let moved = self.data_transmitted;
        let passed = match &mut self.state {
            State::Open | State::Closed(_) => false,
            State::CloseSent { deadline, .. } | State::Ending { deadline, .. } => {
                deadline.has_passed(now, moved)
            }
            State::ReadOut { deadline, .. } => now >= *deadline,
        };
        if !passed {
            return;
        }
        let by = match &self.state {
            State::CloseSent { by, .. } if *by != ClosedBy::Local => by.clone(),
            State::CloseSent { .. } => ClosedBy::Timeout(TimeoutKind::Close),
            State::Ending { .. } => return self.end_without_output(),
            _ => ClosedBy::Lost,
        };
        self.become_closed(Closed::abnormal(by));
    }

    //= rfc6455#5.5.1-11, rfc6455#7.1.2-2, rfc6455#7.1.4-1
    /// Closes the connection where nothing is left to write or wait for.
    pub(super) fn finish_if_done(&mut self) {
        let State::Ending { closed, end, .. } = &self.state else {
            return;
        };
        if !self.output.is_empty() {
            return;
        }
        if self.input_ended || *end == End::Drop {
            let closed = Closed::clone(closed);
            self.become_closed(closed);
        }
    }

    fn become_closed(&mut self, closed: Closed) {
        self.drop_output();
        self.assembler.clear();
        self.forget_context();
        self.state = State::Closed(Box::new(closed));
    }

    /// Closes the connection, whatever waits to be written. Where that has our
    /// own Close frame in it, the closing handshake is not done.
    fn end_without_output(&mut self) {
        if let State::Ending { closed, .. } = &self.state {
            let mut closed = Closed::clone(closed);
            closed.clean &= !self.output.has_data();
            self.become_closed(closed);
        }
    }

    fn drop_output(&mut self) {
        self.output.clear();
        // Shrinking cannot fail.
        let _ = self.output_share.resize(0);
    }

    //= rfc6455#5.5.1-1, rfc6455#5.5.1-2, rfc6455#5.5.1-3, rfc6455#5.5.1-5
    fn push_close(&mut self, frame: Option<&CloseFrame>) {
        let mut payload = Vec::new();
        if let Some(frame) = frame {
            payload.extend(frame.code().get().to_be_bytes());
            payload.extend(frame.reason().as_bytes());
        }
        let header = FrameHeader {
            fin: true,
            rsv1: false,
            opcode: Opcode::Close,
            masking_key: self.next_masking_key(),
            payload_len: payload.len() as u64,
        };
        self.output.push(header, &payload);
        self.count_output();
        self.sending = None;
    }
}

//= rfc6455#5.5.1-2, rfc6455#10.7-1
/// The body of a Close frame (section 5.5.1).
fn parse_close(payload: &[u8]) -> Result<Option<CloseFrame>, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(ProtocolError::CloseTooShort)
        };
    };
    let code = CloseCode::new(u16::from_be_bytes(*code));
    if !code.may_be_received() {
        return Err(ProtocolError::CloseCode { code });
    }
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok(Some(CloseFrame::checked(code, reason.to_owned()))),
        Err(error) => Err(ProtocolError::CloseReason {
            at: error.valid_up_to() as u64,
        }),
    }
}
