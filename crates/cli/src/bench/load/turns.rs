//! A connection under load takes what came and sends what is due, in turns.

use std::task::{Context, Poll};

use futures_util::{SinkExt, StreamExt as _};
use longwire::{Message, Socket};

use super::sending::{BATCH, End, ROUNDS};
use crate::bench::count::tally::Tally;

/// What a connection does in its turns.
pub(in crate::bench) trait Turns {
    fn socket(&mut self) -> &mut Socket;

    /// A message came.
    fn take(&mut self, message: &Message, tally: &mut Tally);

    /// Sends what is due, as far as the connection takes it; whether that was anything.
    fn send(&mut self, cx: &mut Context<'_>, tally: &mut Tally) -> bool;

    /// Whether all was sent and answered.
    fn is_done(&mut self, cx: &mut Context<'_>) -> bool;
}

/// What came of the turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Turn {
    /// The connection is done.
    Ended(End),
    /// Others are to have their turn; it will be polled again.
    Others,
    /// There is nothing to take and to send.
    Idle,
}

/// Takes turns until there is nothing to do, or others have waited long enough.
pub(in crate::bench) fn take_turns(
    work: &mut impl Turns,
    cx: &mut Context<'_>,
    tally: &mut Tally,
) -> Turn {
    for _ in 0..ROUNDS {
        let mut taken = 0;
        while taken < BATCH {
            match work.socket().poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(message))) => work.take(&message, tally),
                Poll::Ready(_) => return Turn::Ended(End::Closed),
                Poll::Pending => break,
            }
            taken += 1;
        }
        let sent = work.send(cx, tally);
        if sent {
            // Errors come up when reading too.
            let _ = SinkExt::<Message>::poll_flush_unpin(work.socket(), cx);
        }
        if work.is_done(cx) {
            return Turn::Ended(End::Done);
        }
        if !sent && taken == 0 {
            return Turn::Idle;
        }
    }
    cx.waker().wake_by_ref();
    Turn::Others
}
