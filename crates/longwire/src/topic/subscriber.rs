//! One subscriber of a topic, and what it could not take yet.

use std::collections::VecDeque;
use std::sync::Arc;

use longwire_proto::{EncodedBatch, EncodedMessage};

use crate::socket::Shared;

/// What a message that waits costs beside its bytes.
const ENTRY: usize = 64;

/// What a message costs where it waits.
pub(super) fn cost(message: &EncodedMessage) -> usize {
    ENTRY + message.payload().len()
}

/// What happens to a subscriber for whom more waits than the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SlowSubscriber {
    /// Its connection is closed with 1008: it never misses a message unnoticed. The
    /// default.
    #[default]
    Disconnect,
    /// It misses the oldest messages: for what is of interest while it is fresh.
    DropOldest,
    /// It gets the latest message alone, whatever the limit: for states, of which each
    /// replaces the one before.
    KeepLatest,
}

/// What messages are sent to.
#[derive(Clone)]
pub(crate) enum Target {
    Socket(Arc<Shared>),
    /// A handler's connection, by its place in a reactor and its number, which no other
    /// there has.
    Connection {
        key: usize,
        number: u64,
    },
}

pub(super) struct Subscriber {
    /// Another has none of it.
    pub(super) id: u64,
    pub(super) target: Target,
    /// The number of the first message that it has not been given.
    pub(super) next: u64,
    waiting: Option<Box<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<EncodedMessage>,
    bytes: usize,
}

impl Waiting {
    fn pop(&mut self) -> bool {
        let message = self.messages.pop_front();
        self.bytes -= message.as_ref().map_or(0, cost);
        message.is_some()
    }
}

impl Subscriber {
    pub(super) fn new(id: u64, target: Target, next: u64) -> Self {
        Self {
            id,
            target,
            next,
            waiting: None,
        }
    }

    /// Whether anything waits for it.
    pub(super) fn is_slow(&self) -> bool {
        self.waiting.is_some()
    }

    /// What waits for it, from the oldest on, of about so many bytes.
    pub(super) fn waiting(&self, bytes: usize) -> Option<EncodedBatch> {
        let waiting = self.waiting.as_deref()?;
        let mut left = bytes;
        let messages = waiting.messages.iter().take_while(|message| {
            let takes = left > 0;
            left = left.saturating_sub(cost(message));
            takes
        });
        Some(EncodedBatch::new(messages.cloned().collect()))
    }

    /// So many of the messages that waited have been sent.
    pub(super) fn forget(&mut self, count: usize) {
        if let Some(waiting) = &mut self.waiting {
            for _ in 0..count {
                waiting.pop();
            }
        }
        self.waiting.take_if(|waiting| waiting.messages.is_empty());
    }

    /// Keeps messages for later. Says whether that can be.
    pub(super) fn wait(
        &mut self,
        messages: &[EncodedMessage],
        limit: usize,
        slow: SlowSubscriber,
    ) -> bool {
        for message in messages {
            let waiting = self.waiting.get_or_insert_default();
            match slow {
                SlowSubscriber::Disconnect if waiting.bytes + cost(message) > limit => {
                    return false;
                }
                SlowSubscriber::Disconnect => {}
                SlowSubscriber::DropOldest => {
                    while waiting.bytes + cost(message) > limit && waiting.pop() {}
                }
                SlowSubscriber::KeepLatest => while waiting.pop() {},
            }
            waiting.bytes += cost(message);
            waiting.messages.push_back(message.clone());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(subscriber: &Subscriber) -> Vec<String> {
        let waiting = subscriber.waiting(usize::MAX);
        let waiting = waiting.iter().flat_map(EncodedBatch::messages);
        waiting
            .map(|message| String::from_utf8(message.payload().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn what_waits_is_bounded_as_the_policy_says() {
        let messages = ["a", "b", "c", "d"].map(EncodedMessage::text);
        let limit = 2 * (ENTRY + 1);
        for (slow, kept, left) in [
            (SlowSubscriber::Disconnect, false, &["a", "b"][..]),
            (SlowSubscriber::DropOldest, true, &["c", "d"]),
            (SlowSubscriber::KeepLatest, true, &["d"]),
        ] {
            let target = Target::Connection { key: 0, number: 0 };
            let mut subscriber = Subscriber::new(0, target, 0);
            assert!(!subscriber.is_slow());
            assert_eq!(subscriber.wait(&messages, limit, slow), kept);
            assert_eq!(texts(&subscriber), left);
            subscriber.forget(left.len() - 1);
            assert_eq!(texts(&subscriber), left[left.len() - 1..]);
            subscriber.forget(1);
            assert!(!subscriber.is_slow());
        }
    }

    #[test]
    fn what_waits_is_given_out_in_parts() {
        let messages = ["a", "b", "c"].map(EncodedMessage::text);
        let target = Target::Connection { key: 0, number: 0 };
        let mut subscriber = Subscriber::new(0, target, 0);
        assert!(subscriber.wait(&messages, 1000, SlowSubscriber::Disconnect));
        let part = |bytes| subscriber.waiting(bytes).unwrap().messages().len();
        assert_eq!([1, 65, 66, 130, 131, 1000].map(part), [1, 1, 2, 2, 3, 3]);
    }
}
