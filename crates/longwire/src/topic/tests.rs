//! Crowds whose connections are played.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use longwire_proto::{EncodedBatch, EncodedMessage};

use super::crowd::{CHUNK, lock};
use super::{
    Crowd, Deliver, Place, Progress, Reach, Reachable, Reactor, SlowSubscriber, Subscribe, Target,
    Topic,
};
use crate::socket::Delivery;

/// Keeps the crowd that summons it.
#[derive(Default)]
struct Summoned(Mutex<Vec<Arc<Crowd>>>);

impl Reactor for Summoned {
    fn summon(&self, crowd: Arc<Crowd>) -> bool {
        lock(&self.0).push(crowd);
        true
    }
}

/// A subscriber with this key.
struct Member(Arc<Summoned>, usize);

impl Reachable for Member {
    fn reach(&self) -> Reach {
        let target = Target::Connection {
            key: self.1,
            number: 0,
        };
        Reach::new(Place::Reactor(self.0.clone()), target)
    }
}

impl Subscribe for Member {}

/// Takes so many messages of each batch, and notes them.
#[derive(Default)]
struct Line {
    takes: usize,
    taken: Vec<String>,
    again: Vec<Waker>,
    disconnected: usize,
}

impl Deliver for Line {
    fn deliver(&mut self, _: &Target, batch: &EncodedBatch, again: &dyn Fn() -> Waker) -> Delivery {
        let count = self.takes.min(batch.messages().len());
        let taken = batch.messages()[..count].iter();
        let text = |message: &EncodedMessage| String::from_utf8(message.payload().to_vec());
        self.taken
            .extend(taken.map(|message| text(message).unwrap()));
        if count < batch.messages().len() {
            self.again.push(again());
        }
        Delivery::Taken(count)
    }

    fn disconnect(&mut self, _: &Target) {
        self.disconnected += 1;
    }
}

/// Works until there is nothing more to do.
fn work(summoned: &Summoned, line: &mut Line) {
    loop {
        let crowds = std::mem::take(&mut *lock(&summoned.0));
        if crowds.is_empty() {
            return;
        }
        for crowd in crowds {
            while crowd.work(line) == Progress::More {}
        }
    }
}

#[test]
fn a_slow_subscriber_that_may_take_more_loses_nothing_to_what_comes_at_the_same_time() {
    for slow in [
        SlowSubscriber::Disconnect,
        SlowSubscriber::DropOldest,
        SlowSubscriber::KeepLatest,
    ] {
        let summoned = Arc::new(Summoned::default());
        let topic = Topic::with(1 << 20, slow);
        let _subscription = topic.subscribe(&Member(summoned.clone(), 0));
        let mut line = Line::default();
        topic.publish("a");
        work(&summoned, &mut line);
        assert_eq!((line.taken.len(), line.again.len()), (0, 1));
        // It is not asked again before it has said so.
        topic.publish("b");
        work(&summoned, &mut line);
        assert_eq!(line.again.len(), 1);
        line.takes = usize::MAX;
        let again = line.again.pop().unwrap();
        again.wake_by_ref();
        again.wake();
        topic.publish("c");
        work(&summoned, &mut line);
        let expected = if slow == SlowSubscriber::KeepLatest {
            &["b", "c"][..]
        } else {
            &["a", "b", "c"]
        };
        assert_eq!(line.taken, expected, "{slow:?}");
        assert_eq!(line.disconnected, 0);
    }
}

#[test]
fn a_crowd_is_summoned_once_until_it_has_nothing_more_to_do() {
    let summoned = Arc::new(Summoned::default());
    let topic = Topic::new();
    let members = (0..2 * CHUNK).map(|key| Member(summoned.clone(), key));
    let subscriptions: Vec<_> = members.map(|member| topic.subscribe(&member)).collect();
    let mut line = Line {
        takes: usize::MAX,
        ..Line::default()
    };
    topic.publish("a");
    let crowd = lock(&summoned.0).pop().unwrap();
    assert_eq!(crowd.work(&mut line), Progress::More);
    // Some have got it, and all are to get more.
    topic.publish("b");
    assert!(lock(&summoned.0).is_empty());
    while crowd.work(&mut line) == Progress::More {}
    assert_eq!(line.taken.len(), 4 * CHUNK);
    topic.publish("c");
    assert_eq!(lock(&summoned.0).len(), 1);
    drop(subscriptions);
    assert_eq!(topic.subscribers(), 0);
}
