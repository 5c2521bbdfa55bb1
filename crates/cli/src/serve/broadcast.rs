//! A broadcast: what one sends, all get, whoever sent it included, in one order.
//!
//! One that does not read loses its place when too much waits for it, and nobody else
//! waits for it.

use longwire::{EncodedMessage, Message, Result, SlowSubscriber, Socket, Topic};

/// Bytes that wait for a client at most.
const MOST_BEHIND: usize = 4 << 20;

/// Who is connected to one path. Clones are the same.
#[derive(Clone)]
pub(super) struct Broadcast {
    topic: Topic,
}

impl Default for Broadcast {
    fn default() -> Self {
        Self {
            topic: Topic::with(MOST_BEHIND, SlowSubscriber::Disconnect),
        }
    }
}

impl Broadcast {
    /// Lets a socket take part until it closes.
    pub(super) async fn join(self, socket: Socket) -> Result<()> {
        let (sender, mut receiver) = socket.split();
        let _subscription = self.topic.subscribe(&sender);
        while let Some(message) = receiver.next().await {
            self.topic.publish(match message? {
                Message::Text(text) => EncodedMessage::text(&text),
                Message::Binary(bytes) => EncodedMessage::binary(&bytes),
            });
            // A sender is not faster than the delivery, and has heard its own words
            // before it leaves.
            self.topic.flush().await;
        }
        Ok(())
    }
}
