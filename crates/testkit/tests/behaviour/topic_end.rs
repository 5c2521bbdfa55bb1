//! How topics, subscriptions and subscribers end.

use std::num::NonZero;
use std::sync::mpsc;

use longwire::handler::{Context, Handler, MessageRef};
use longwire::server::Route;
use longwire::{
    ClientBuilder, Compression, Drive, Options, Server, SlowSubscriber, Socket, Subscription, Topic,
};

use crate::support::{Raw, TestServer, soon};
use crate::topic::{chat, handled_chat, join, next, number};

/// Subscribes, and gives the subscription away.
struct Forgetful(Topic, mpsc::Sender<Subscription>);

impl Handler for Forgetful {
    fn open(&mut self, context: &mut Context<'_>) {
        let _ = self.1.send(self.0.subscribe(context));
        context.send("subscribed").unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}
}

/// Handlers that subscribe, and their subscriptions.
fn forgetful(topic: &Topic) -> (Route, mpsc::Receiver<Subscription>) {
    let (give, given) = mpsc::channel();
    let topic = topic.clone();
    let route = Route::handled(move |_| Forgetful(topic.clone(), give.clone()));
    (route, given)
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
    let topic = Topic::new();
    let wakers = event_fds();
    for _ in 0..5 {
        let (route, given) = forgetful(&topic);
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
    /// Subscribes to nothing.
    struct Guest;
    impl Handler for Guest {
        fn open(&mut self, context: &mut Context<'_>) {
            context.send("open").unwrap();
        }

        fn message(&mut self, context: &mut Context<'_>, message: MessageRef<'_>) {
            context.send(message).unwrap();
        }
    }
    let topic = Topic::new();
    let (members, given) = forgetful(&topic);
    let server = Server::new()
        .threads(NonZero::<usize>::MIN)
        .route("/member", members)
        .route("/guest", Route::handled(|_| Guest));
    let server = TestServer::start(server).await;
    let client = ClientBuilder::new();
    for _ in 0..5 {
        let mut member = client.connect(&server.url("/member")).await.unwrap();
        assert_eq!(next(&mut member).await.as_text(), Some("subscribed"));
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
    for slow in [SlowSubscriber::KeepLatest, SlowSubscriber::DropOldest] {
        let topic = Topic::with(100_000, slow);
        let (route, given) = forgetful(&topic);
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
