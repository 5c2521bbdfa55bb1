//! One message for many sockets.

use std::num::NonZero;

use longwire::handler::{Context, Handler, MessageRef};
use longwire::server::Route;
use longwire::{
    ClientBuilder, Compression, Drive, Limits, Message, Options, Server, SlowSubscriber, Socket,
    Subscription, Topic,
};
use longwire_proto::Opcode;

use crate::support::{Raw, TestServer, soon};

/// A route that publishes what its sockets send, to all of them.
fn chat(topic: &Topic) -> Route {
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

async fn join(server: &TestServer, client: &ClientBuilder) -> Socket {
    let mut socket = client.connect(&server.url("/")).await.unwrap();
    let first = soon(socket.next()).await.unwrap().unwrap();
    assert_eq!(first.as_text(), Some("subscribed"));
    socket
}

async fn next(socket: &mut Socket) -> Message {
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
fn handled_chat(topic: &Topic) -> Route {
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
async fn a_subscription_ends_when_it_is_dropped_and_when_its_socket_does() {
    let topic = Topic::new();
    let server = TestServer::with(chat(&topic)).await;
    let client = ClientBuilder::new();
    let mut stays = join(&server, &client).await;
    let mut leaves = join(&server, &client).await;
    assert_eq!(topic.subscribers(), 2);
    leaves.close(1000, "").await.unwrap();
    while topic.subscribers() > 1 {
        tokio::task::yield_now().await;
    }
    topic.publish("hello");
    assert_eq!(next(&mut stays).await.as_text(), Some("hello"));
    // A socket that is gone, its subscription forgotten.
    let (give, mut given) = tokio::sync::mpsc::unbounded_channel();
    let other = Topic::new();
    let forgetting = {
        let other = other.clone();
        move |socket: Socket| {
            let (other, give) = (other.clone(), give.clone());
            async move {
                let (sender, mut receiver) = socket.split();
                give.send(other.subscribe(&sender)).unwrap();
                while receiver.next().await.is_some() {}
                Ok(())
            }
        }
    };
    let server = TestServer::with(forgetting).await;
    let mut socket = server.connect().await;
    let subscription = soon(given.recv()).await.unwrap();
    socket.close(1000, "").await.unwrap();
    while other.subscribers() > 0 {
        other.publish("anybody?");
        tokio::task::yield_now().await;
    }
    drop(subscription);
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

fn number(payload: &[u8]) -> u32 {
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
async fn what_was_published_when_the_topic_is_dropped_still_comes_and_its_task_ends() {
    let (one, other) = tokio::io::duplex(1000);
    let options = Options::new(Drive::Caller).heartbeat(None);
    let server = Socket::over(one, longwire::Role::Server, &options);
    let mut client = Socket::over(other, longwire::Role::Client, &options);
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    let topic = Topic::new();
    let subscription = topic.subscribe(&server);
    assert_eq!(tasks.num_alive_tasks(), before + 1);
    // More than fits the transport.
    for i in 0..10_u32 {
        topic.publish(i.to_be_bytes().repeat(1000).as_slice());
    }
    drop(topic);
    for i in 0..10 {
        assert_eq!(number(next(&mut client).await.as_bytes()), i);
    }
    let ended = async {
        while tasks.num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
    drop(subscription);
}

#[tokio::test]
async fn a_topic_that_is_gone_finishes_what_waits_for_slow_subscribers() {
    let topic = Topic::with(100 << 20, SlowSubscriber::Disconnect);
    let (give, mut given) = tokio::sync::mpsc::unbounded_channel();
    let joining = {
        let topic = std::sync::Mutex::new(Some(topic.clone()));
        move |socket: Socket| {
            let topic = topic.lock().unwrap().take().unwrap();
            let give = give.clone();
            async move {
                let (sender, mut receiver) = socket.split();
                let subscription = topic.subscribe(&sender);
                drop(topic);
                give.send(()).unwrap();
                while receiver.next().await.is_some() {}
                drop(subscription);
                Ok(())
            }
        }
    };
    let server = Server::new()
        .route("/", joining)
        .compression(Compression::Off);
    let server = TestServer::start(server).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    soon(given.recv()).await.unwrap();
    for i in 0..1000 {
        let mut payload = vec![0; 10_000];
        payload[..4].copy_from_slice(&u32::to_be_bytes(i));
        topic.publish(payload.as_slice());
    }
    topic.flush().await;
    drop(topic);
    for i in 0..1000 {
        assert_eq!(number(&raw.read().await.unwrap().1), i);
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

#[tokio::test]
async fn a_topic_holds_nothing_of_subscribers_and_threads_that_are_gone() {
    let topic = Topic::new();
    for _ in 0..20 {
        let known = topic.clone();
        // A thread and a runtime each.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (one, _other) = tokio::io::duplex(1000);
                let socket =
                    Socket::over(one, longwire::Role::Server, &Options::new(Drive::Caller));
                let subscription = known.subscribe(&socket);
                known.publish("hello");
                known.flush().await;
                assert_eq!(known.subscribers(), 1);
                subscription
            })
        });
        let subscription = thread.join().unwrap();
        // Its runtime is gone, and nobody waits for it.
        topic.publish("hello?");
        soon(topic.flush()).await;
        assert_eq!(topic.subscribers(), 0);
        drop(subscription);
    }
}

#[tokio::test]
async fn a_server_that_is_gone_leaves_nothing_of_its_subscribed_handlers_behind() {
    /// Subscribes, and gives the subscription away.
    struct Forgetful(Topic, std::sync::mpsc::Sender<Subscription>);
    impl Handler for Forgetful {
        fn open(&mut self, context: &mut Context<'_>) {
            let _ = self.1.send(self.0.subscribe(context));
            context.send("subscribed").unwrap();
        }

        fn message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}
    }
    let topic = Topic::new();
    let wakers = event_fds();
    for _ in 0..5 {
        let (give, given) = std::sync::mpsc::channel();
        let kept = topic.clone();
        let route = Route::handled(move |_| Forgetful(kept.clone(), give.clone()));
        let server = TestServer::start(Server::new().route("/kept", route)).await;
        let client = ClientBuilder::new();
        let mut socket = client.connect(&server.url("/kept")).await.unwrap();
        assert_eq!(next(&mut socket).await.as_text(), Some("subscribed"));
        let subscription = given.recv().unwrap();
        // One whose handler holds its subscription.
        let other = TestServer::with(handled_chat(&topic)).await;
        drop(join(&other, &client).await);
        drop((server, other));
        while let Some(Ok(_)) = soon(socket.next()).await {}
        loop {
            topic.publish("anybody?");
            soon(topic.flush()).await;
            if topic.subscribers() == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop((subscription, given));
    }
    // Each server has had one for each thread, which ends when it comes to it. What a client
    // starts once stays.
    let ended = async {
        while event_fds() > wakers + 2 {
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
}

/// How many eventfds this process has, by which threads are woken.
fn event_fds() -> usize {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else {
        return 0;
    };
    let links = all.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    links
        .filter(|link| link.to_string_lossy().contains("eventfd"))
        .count()
}

#[tokio::test]
async fn a_connection_gets_nothing_for_one_that_had_its_place_before() {
    /// Subscribes where the path says so, and gives the subscription away.
    struct Member(Option<(Topic, std::sync::mpsc::Sender<Subscription>)>);
    impl Handler for Member {
        fn open(&mut self, context: &mut Context<'_>) {
            if let Some((topic, give)) = &self.0 {
                let _ = give.send(topic.subscribe(context));
            }
            context.send("open").unwrap();
        }

        fn message(&mut self, context: &mut Context<'_>, message: MessageRef<'_>) {
            context.send(message).unwrap();
        }
    }
    let topic = Topic::new();
    let (give, given) = std::sync::mpsc::channel();
    let (known, given_to) = (topic.clone(), give.clone());
    let server = Server::new()
        .threads(NonZero::<usize>::MIN)
        .route(
            "/member",
            Route::handled(move |_| Member(Some((known.clone(), given_to.clone())))),
        )
        .route("/guest", Route::handled(|_| Member(None)));
    let server = TestServer::start(server).await;
    let client = ClientBuilder::new();
    for _ in 0..5 {
        let mut member = client.connect(&server.url("/member")).await.unwrap();
        assert_eq!(next(&mut member).await.as_text(), Some("open"));
        let subscription = given.recv().unwrap();
        member.close(1000, "").await.unwrap();
        while server.handle.open_sockets() > 0 {
            tokio::task::yield_now().await;
        }
        let mut guest = client.connect(&server.url("/guest")).await.unwrap();
        assert_eq!(next(&mut guest).await.as_text(), Some("open"));
        topic.publish("for members");
        topic.flush().await;
        guest.send("anything else?").await.unwrap();
        assert_eq!(next(&mut guest).await.as_text(), Some("anything else?"));
        assert_eq!(topic.subscribers(), 0);
        guest.close(1000, "").await.unwrap();
        drop(subscription);
    }
    drop(give);
}

#[tokio::test]
async fn the_task_of_a_topic_ends_with_its_last_subscriber() {
    let (one, _other) = tokio::io::duplex(1000);
    let options = Options::new(Drive::Caller).heartbeat(None);
    let socket = Socket::over(one, longwire::Role::Server, &options);
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    let topic = Topic::new();
    for _ in 0..3 {
        let two = [topic.subscribe(&socket), topic.subscribe(&socket)];
        assert_eq!(tasks.num_alive_tasks(), before + 1);
        let [one, other] = two;
        drop(one);
        topic.publish("one is left");
        topic.flush().await;
        // The task has its turn, and waits again.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(tasks.num_alive_tasks(), before + 1);
        drop(other);
        let ended = async {
            while tasks.num_alive_tasks() > before {
                tokio::task::yield_now().await;
            }
        };
        soon(ended).await;
    }
}

#[tokio::test]
async fn a_slow_subscriber_that_is_gone_is_noticed_though_its_subscription_is_kept() {
    /// Subscribes, and gives the subscription away.
    struct Forgetful(Topic, std::sync::mpsc::Sender<Subscription>);
    impl Handler for Forgetful {
        fn open(&mut self, context: &mut Context<'_>) {
            let _ = self.1.send(self.0.subscribe(context));
            context.send("subscribed").unwrap();
        }

        fn message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}
    }
    for slow in [SlowSubscriber::KeepLatest, SlowSubscriber::DropOldest] {
        let topic = Topic::with(100_000, slow);
        let (give, given) = std::sync::mpsc::channel();
        let known = topic.clone();
        let route = Route::handled(move |_| Forgetful(known.clone(), give.clone()));
        let server = Server::new()
            .route("/", route)
            .compression(Compression::Off);
        let server = TestServer::start(server).await;
        let mut raw = Raw::connect(server.addr, "/").await;
        assert_eq!(raw.read().await.unwrap().1, b"subscribed");
        let subscription = given.recv().unwrap();
        for _ in 0..3000 {
            topic.publish([0; 10_000].as_slice());
            topic.flush().await;
        }
        assert_eq!(topic.subscribers(), 1);
        drop(raw);
        let noticed = async {
            while topic.subscribers() > 0 {
                topic.publish("anybody?");
                topic.flush().await;
                tokio::task::yield_now().await;
            }
        };
        soon(noticed).await;
        drop(subscription);
    }
}
