//! One subscriber of a topic, and what it could not take yet.

use std::collections::VecDeque;
use std::sync::Arc;

use longwire_proto::{EncodedBatch, EncodedMessage};

use crate::socket::Shared;

/// What a message that waits costs beside its bytes.
const ENTRY: usize = 64;

/// Bytes of what waits that are tried at once, as long as not all are taken.
const LEAST_STEP: usize = 4 << 10;

/// Bytes of what waits that are sent at once.
const MOST_STEP: usize = 64 << 10;

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

struct Waiting {
    messages: VecDeque<EncodedMessage>,
    bytes: usize,
    /// About how many of them to send next: more where all were taken before.
    step: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            step: LEAST_STEP,
        }
    }
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

    /// What to send next of what waits for it, from the oldest on.
    pub(super) fn waiting(&self) -> Option<EncodedBatch> {
        let waiting = self.waiting.as_deref()?;
        let mut left = waiting.step;
        let messages = waiting.messages.iter().take_while(|message| {
            let takes = left > 0;
            left = left.saturating_sub(cost(message));
            takes
        });
        Some(EncodedBatch::new(messages.cloned().collect()))
    }

    /// So many of the messages that waited have been sent, all that were to be or not.
    pub(super) fn forget(&mut self, count: usize, all: bool) {
        if let Some(waiting) = &mut self.waiting {
            for _ in 0..count {
                waiting.pop();
            }
            waiting.step = if all {
                (waiting.step * 2).min(MOST_STEP)
            } else {
                LEAST_STEP
            };
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
        let waiting = subscriber.waiting();
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
            subscriber.forget(left.len() - 1, true);
            assert_eq!(texts(&subscriber), left[left.len() - 1..]);
            subscriber.forget(1, true);
            assert!(!subscriber.is_slow());
        }
    }

    #[test]
    fn what_waits_is_tried_with_a_little_and_sent_in_parts_that_grow() {
        let message = EncodedMessage::binary(&[0; 1024 - ENTRY]);
        let target = Target::Connection { key: 0, number: 0 };
        let mut subscriber = Subscriber::new(0, target, 0);
        let slow = SlowSubscriber::Disconnect;
        assert!(subscriber.wait(&vec![message; 1000], 1 << 20, slow));
        let mut parts = Vec::new();
        for all in [true, true, true, true, true, false, true] {
            let part = subscriber.waiting().unwrap().messages().len();
            subscriber.forget(if all { part } else { 1 }, all);
            parts.push(part);
        }
        assert_eq!(parts, [4, 8, 16, 32, 64, 64, 4]);
    }
}
