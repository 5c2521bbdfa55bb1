//! One message for many sockets.

use std::num::NonZero;

use longwire::handler::{Context, Handler, MessageRef};
use longwire::server::Route;
use longwire::{
    ClientBuilder, Compression, Limits, Message, Server, SlowSubscriber, Socket, Subscription,
    Topic,
};
use longwire_proto::Opcode;

use crate::support::{Raw, TestServer, soon};

/// A route that publishes what its sockets send, to all of them.
pub(crate) fn chat(topic: &Topic) -> Route {
    let topic = topic.clone();
    Route::new(move |socket: Socket| {
        let topic = topic.clone();
        async move {
            let (sender, mut receiver) = socket.split();
            let _subscription = topic.subscribe(&sender);
            sender.send("subscribed").await?;
            while let Some(message) = receiver.next().await {
                topic.publish(message?);
            }
            Ok(())
        }
    })
}

pub(crate) async fn join(server: &TestServer, client: &ClientBuilder) -> Socket {
    let mut socket = client.connect(&server.url("/")).await.unwrap();
    let first = soon(socket.next()).await.unwrap().unwrap();
    assert_eq!(first.as_text(), Some("subscribed"));
    socket
}

pub(crate) async fn next(socket: &mut Socket) -> Message {
    soon(socket.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn all_subscribers_get_all_messages_in_the_same_order_on_any_number_of_threads() {
    for (threads, chat) in [None, NonZero::new(1), NonZero::new(3)]
        .into_iter()
        .flat_map(|threads| [chat, handled_chat].map(|chat| (threads, chat)))
    {
        let topic = Topic::new();
        let mut server = Server::new().route("/", chat(&topic));
        if let Some(threads) = threads {
            server = server.threads(threads);
        }
        let server = TestServer::start(server).await;
        let mut sockets = Vec::new();
        for i in 0..30 {
            let compression = if i % 2 == 0 {
                Compression::Off
            } else {
                Compression::DEDICATED
            };
            let client = ClientBuilder::new().compression(compression);
            sockets.push(join(&server, &client).await);
        }
        assert_eq!(topic.subscribers(), 30);
        for (i, socket) in sockets.iter_mut().enumerate() {
            for n in 0..10 {
                let text = format!("{n} of {i} {}", "and more ".repeat(n * i));
                socket.send(text).await.unwrap();
            }
        }
        let mut all = Vec::new();
        for socket in &mut sockets {
            let mut got = Vec::new();
            for _ in 0..300 {
                got.push(next(socket).await);
            }
            all.push(got);
        }
        assert!(all.iter().all(|got| *got == all[0]));
        for i in 0..30 {
            let of_one = all[0].iter().map(|message| message.as_text().unwrap());
            let of_one: Vec<_> = of_one
                .filter(|text| text.split(' ').nth(2) == Some(&i.to_string()))
                .collect();
            let in_order = (0..10).all(|n| of_one[n].starts_with(&format!("{n} of {i} ")));
            assert!(of_one.len() == 10 && in_order, "{of_one:?}");
        }
    }
}

/// As [`chat`], by handlers.
pub(crate) fn handled_chat(topic: &Topic) -> Route {
    struct Member(Topic, Option<Subscription>);
    impl Handler for Member {
        fn open(&mut self, context: &mut Context<'_>) {
            self.1 = Some(self.0.subscribe(context));
            context.send("subscribed").unwrap();
        }

        fn message(&mut self, _: &mut Context<'_>, message: MessageRef<'_>) {
            self.0.publish(message);
        }
    }
    let topic = topic.clone();
    Route::handled(move |_| Member(topic.clone(), None))
}

#[tokio::test]
async fn messages_for_which_there_is_no_room_at_once_come_once_each_and_in_order() {
    let topic = Topic::new();
    let limits = Limits::default().output_high_water(1000);
    let server = Server::new().route("/", chat(&topic)).limits(limits);
    let server = TestServer::start(server).await;
    let handlers = Topic::new();
    let limits = Limits::default().output_high_water(1000);
    let handled = Server::new()
        .route("/", handled_chat(&handlers))
        .limits(limits);
    let handled = TestServer::start(handled).await;
    for (compression, (server, topic)) in [Compression::DEDICATED, Compression::Off]
        .into_iter()
        .flat_map(|compression| {
            [(&server, &topic), (&handled, &handlers)].map(|server| (compression, server))
        })
    {
        let client = ClientBuilder::new().compression(compression);
        let mut socket = join(server, &client).await;
        let mut noise = 1_u32;
        let texts: Vec<String> = (0..50)
            .map(|i| {
                let mut text = format!("{i} ");
                for _ in 0..100 {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    text += &noise.to_string();
                }
                text
            })
            .collect();
        for text in &texts {
            topic.publish(text.as_str());
        }
        for text in &texts {
            assert_eq!(next(&mut socket).await.as_text(), Some(text.as_str()));
        }
        topic.publish("end");
        assert_eq!(next(&mut socket).await.as_text(), Some("end"));
    }
}

/// A topic, and a client that does not read while more is published than the kernel
/// takes. Gives how many messages were published.
async fn falling_behind(
    slow: SlowSubscriber,
    chat: fn(&Topic) -> Route,
) -> (TestServer, Raw, Topic, u32) {
    let topic = Topic::with(100_000, slow);
    let server = Server::new()
        .route("/", chat(&topic))
        .compression(Compression::Off);
    let server = TestServer::start(server).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    assert_eq!(raw.read().await.unwrap().1, b"subscribed");
    let published = 3000;
    for i in 0..published {
        let mut payload = vec![0; 10_000];
        payload[..4].copy_from_slice(&u32::to_be_bytes(i));
        topic.publish(payload.as_slice());
        // So that they are not all delivered at once.
        topic.flush().await;
    }
    (server, raw, topic, published)
}

pub(crate) fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(*payload.first_chunk().unwrap())
}

#[tokio::test]
async fn a_subscriber_that_is_too_slow_is_disconnected_and_no_other() {
    for chat in [chat, handled_chat] {
        disconnected(chat).await;
    }
}

async fn disconnected(chat: fn(&Topic) -> Route) {
    let (server, mut raw, topic, published) =
        falling_behind(SlowSubscriber::Disconnect, chat).await;
    let mut expected = 0;
    let code = loop {
        match raw.read().await.unwrap() {
            (0x82, payload) => {
                assert_eq!(number(&payload), expected);
                expected += 1;
            }
            (0x88, payload) => break u16::from_be_bytes(*payload.first_chunk().unwrap()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 1008);
    assert!(expected < published);
    while topic.subscribers() > 0 {
        tokio::task::yield_now().await;
    }
    let mut other = join(&server, &ClientBuilder::new()).await;
    topic.publish("still here");
    assert_eq!(next(&mut other).await.as_text(), Some("still here"));
}

#[tokio::test]
async fn a_slow_subscriber_may_miss_the_oldest_messages_or_get_the_latest_alone() {
    for (slow, chat) in [SlowSubscriber::DropOldest, SlowSubscriber::KeepLatest]
        .into_iter()
        .flat_map(|slow| [chat, handled_chat].map(|chat| (slow, chat)))
    {
        let (_server, mut raw, topic, published) = falling_behind(slow, chat).await;
        let mut numbers = Vec::new();
        while numbers.last() != Some(&(published - 1)) {
            let (first, payload) = raw.read().await.unwrap();
            assert_eq!(first, 0x82);
            numbers.push(number(&payload));
        }
        assert!(numbers.is_sorted(), "in order");
        let gaps: Vec<_> = numbers
            .windows(2)
            .filter(|two| two[1] != two[0] + 1)
            .collect();
        assert_eq!(gaps.len(), 1, "{slow:?}: {gaps:?}");
        let after = published - gaps[0][1];
        match slow {
            SlowSubscriber::KeepLatest => assert_eq!(after, 1),
            // What fits 100,000 bytes.
            _ => assert!((5..=10).contains(&after), "{after}"),
        }
        // It follows again.
        topic.publish("caught up");
        assert_eq!(raw.read().await.unwrap().1, b"caught up");
    }
}

#[tokio::test]
async fn a_subscriber_gets_what_is_published_after_it_has_subscribed_and_nothing_else() {
    struct Member(Topic, Option<Subscription>);
    impl Handler for Member {
        fn open(&mut self, context: &mut Context<'_>) {
            self.0.publish("before");
            self.1 = Some(self.0.subscribe(context));
            self.0.publish("after");
        }

        fn message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}
    }
    let topics = [Topic::new(), Topic::new()];
    let sockets = {
        let topic = topics[0].clone();
        Route::new(move |socket: Socket| {
            let topic = topic.clone();
            async move {
                let (sender, mut receiver) = socket.split();
                topic.publish("before");
                let _subscription = topic.subscribe(&sender);
                topic.publish("after");
                while receiver.next().await.is_some() {}
                Ok(())
            }
        })
    };
    let handlers = {
        let topic = topics[1].clone();
        Route::handled(move |_| Member(topic.clone(), None))
    };
    for (topic, route) in topics.iter().zip([sockets, handlers]) {
        let server = TestServer::with(route).await;
        let mut first = server.connect().await;
        assert_eq!(next(&mut first).await.as_text(), Some("after"));
        // The first is there: what comes before goes to it alone.
        for _ in 0..20 {
            let mut other = server.connect().await;
            assert_eq!(next(&mut first).await.as_text(), Some("before"));
            assert_eq!(next(&mut first).await.as_text(), Some("after"));
            assert_eq!(next(&mut other).await.as_text(), Some("after"));
            other.close(1000, "").await.unwrap();
        }
        topic.publish("end");
        assert_eq!(next(&mut first).await.as_text(), Some("end"));
    }
}

#[tokio::test]
async fn more_than_is_queued_for_a_thread_before_it_delivers_makes_all_its_subscribers_slow() {
    for (slow, code) in [
        (SlowSubscriber::Disconnect, Some(1008)),
        (SlowSubscriber::DropOldest, None),
    ] {
        let topic = Topic::with(100 << 20, slow);
        let server = Server::new()
            .route("/", chat(&topic))
            .compression(Compression::Off);
        let server = TestServer::start(server).await;
        let mut raw = Raw::connect(server.addr, "/").await;
        assert_eq!(raw.read().await.unwrap().1, b"subscribed");
        let many = Topic::MAX_QUEUED / 10_000 + 10;
        for i in 0..many {
            let mut payload = vec![0; 10_000];
            payload[..4].copy_from_slice(&u32::try_from(i).unwrap().to_be_bytes());
            topic.publish(payload.as_slice());
        }
        let (first, payload) = raw.read().await.unwrap();
        if let Some(code) = code {
            let told = u16::from_be_bytes(*payload.first_chunk().unwrap());
            assert_eq!((first, told), (0x88, code));
        } else {
            assert_eq!(first, 0x82);
            assert!(number(&payload) > 0);
        }
    }
}

#[tokio::test]
async fn who_waits_for_the_delivery_has_got_its_own_words_before_it_is_closed() {
    let topic = Topic::new();
    let route = {
        let topic = topic.clone();
        move |socket: Socket| {
            let topic = topic.clone();
            async move {
                let _subscription = topic.subscribe(&socket);
                let mut socket = socket;
                while let Some(message) = socket.next().await {
                    topic.publish(message?);
                    topic.flush().await;
                }
                Ok(())
            }
        }
    };
    let server = TestServer::with(route).await;
    for _ in 0..20 {
        let mut raw = Raw::connect(server.addr, "/").await;
        let words = raw.frame(true, Opcode::Text, b"last words");
        let close = raw.frame(true, Opcode::Close, &1000_u16.to_be_bytes());
        raw.write(&[words, close].concat()).await;
        assert_eq!(raw.read().await.unwrap(), (0x81, b"last words".to_vec()));
        assert_eq!(raw.read_close().await, 1000);
    }
    topic.flush().await;
}
