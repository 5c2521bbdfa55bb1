//! Sending without waiting, for programs with an event loop of their own: messages are
//! queued as they come and written together, and the program asks what has been taken.

use std::ops::Range;

use longwire_proto::MessageKind;

use super::Outgoing;
use super::halves::Sender;
use crate::error::Result;
use crate::message::Message;
use crate::waiting::wait;

impl Sender {
    /// Queues a message, which [`Sender::write_queued`] writes. Gives from where to
    /// where it is in the stream of all messages' frames, in bytes since the connection
    /// was opened: [`Sender::transmitted`] tells how much of that the transport has.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Send`] where more waits than
    /// [`longwire_proto::Limits::output_high_water`], or a message in fragments has not
    /// ended; [`crate::Error::Closed`] or [`crate::Error::Closing`] where nothing can be
    /// sent any more.
    pub fn queue(&self, message: impl Into<Message>) -> Result<Range<u64>> {
        self.shared().queue(&Outgoing::Message(message.into()))
    }

    /// As [`Sender::queue`], a text that is lent: it is copied once, into its frame.
    pub fn queue_text(&self, text: &str) -> Result<Range<u64>> {
        self.shared()
            .queue_with(|connection| connection.send_text(text))
    }

    /// As [`Sender::queue`], a binary message that is lent: it is copied once, into its
    /// frame.
    pub fn queue_binary(&self, bytes: &[u8]) -> Result<Range<u64>> {
        self.shared()
            .queue_with(|connection| connection.send_binary(bytes))
    }

    /// As [`Sender::queue`], a fragment of a message: the last one with `fin`.
    pub fn queue_fragment(
        &self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<Range<u64>> {
        self.shared()
            .queue_with(|connection| connection.send_fragment(kind, payload, fin))
    }

    /// Queues a ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`Sender::queue`], and where too many pings wait.
    pub fn queue_ping(&self, payload: &[u8]) -> Result<()> {
        self.shared()
            .queue_with(|connection| connection.ping(payload))
            .map(drop)
    }

    /// Queues a pong that nobody asked for, with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`Sender::queue_ping`].
    pub fn queue_pong(&self, payload: &[u8]) -> Result<()> {
        self.shared()
            .queue_with(|connection| connection.pong(payload))
            .map(drop)
    }

    /// Writes as much of what is queued as the transport takes now; the rest follows by
    /// itself.
    pub fn write_queued(&self) {
        self.shared().write_now();
    }

    /// How much of the stream of messages' frames the transport has taken, in bytes
    /// since the connection was opened.
    pub fn transmitted(&self) -> u64 {
        self.shared()
            .connection(|connection| connection.message_offsets().1)
    }

    /// Waits until the transport has taken the stream of messages' frames up to here.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Closed`] or [`crate::Error::Closing`] where it never will.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn transmitted_to(&self, offset: u64) -> Result<()> {
        let shared = self.shared();
        wait(
            || shared.wake_all(),
            |cx| shared.poll_transmitted(cx, offset),
        )
        .await
    }

    /// Drops the transport at once, without a closing handshake: the end is abnormal
    /// for both sides.
    pub fn terminate(&self) {
        self.shared().cut();
    }
}
