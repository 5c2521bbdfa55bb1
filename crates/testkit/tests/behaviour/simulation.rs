//! Two engines over a simulated network: every cut, delay and loss, by seed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longwire_proto::{
    CloseCode, ClosedBy, Config, Connection, MemoryBudget, MessageKind, TimeoutKind,
};
use longwire_testkit::sim::{End, Line, Loss, Outcome, Rng, Seen, Step, World};

const SECOND: Duration = Duration::from_secs(1);

/// More than all that a script waits for and all timeouts take.
const LONG: Duration = Duration::from_secs(1000);

fn text(text: &str) -> Step {
    Step::Send(MessageKind::Text, text.as_bytes().to_vec())
}

fn binary(len: usize) -> Step {
    Step::Send(MessageKind::Binary, vec![0xb1; len])
}

fn close(code: u16, reason: &str) -> Step {
    Step::Close(Some((code, reason.to_owned())))
}

/// A client and a server that run these scripts.
fn ends(start: Instant, config: &Arc<Config>, scripts: [Vec<Step>; 2], seed: u64) -> [End; 2] {
    let mut keys = Rng::new(seed ^ 0xdead);
    let next_key = Box::new(move || (keys.next_u64() as u32).to_be_bytes());
    let [client, server] = scripts;
    [
        End::new(Connection::client(config.clone(), next_key, start), client),
        End::new(Connection::server(config.clone(), start), server),
    ]
}

fn world(scripts: [Vec<Step>; 2], lines: [Line; 2], seed: u64) -> World {
    let start = Instant::now();
    let config = Arc::new(Config::default());
    World::new(start, seed, ends(start, &config, scripts, seed), lines)
}

fn by(outcome: &Outcome, end: usize) -> &ClosedBy {
    &outcome.closed[end].as_ref().expect("it is closed").by
}

/// All kinds of frames, in both directions.
fn conversation() -> [Vec<Step>; 2] {
    [
        vec![
            text("hello"),
            Step::Ping(b"1".to_vec()),
            Step::Fragments(
                MessageKind::Text,
                vec![b"\xce".to_vec(), vec![], b"\xba.".to_vec()],
            ),
            binary(126),
            Step::Receive(3),
            text(""),
            close(4000, "bye"),
        ],
        vec![
            text("κόσμε"),
            binary(5000),
            Step::Ping(b"2".to_vec()),
            Step::Fragments(MessageKind::Binary, vec![vec![1; 200], vec![2; 130]]),
        ],
    ]
}

/// A script of random steps.
fn random_script(rng: &mut Rng) -> Vec<Step> {
    let mut script = Vec::new();
    for _ in 0..rng.below(8) {
        let len = match rng.below(16) {
            0..4 => rng.below(3),
            4..9 => 120 + rng.below(12),
            9..15 => rng.below(2000),
            _ => 65_530 + rng.below(12),
        };
        script.push(match rng.below(6) {
            0 => text(&"ä€𝄞x".repeat(len / 10)),
            1 => binary(len),
            2 => {
                let pieces = (0..=rng.below(5)).map(|i| vec![i as u8; len / 5]).collect();
                Step::Fragments(MessageKind::Binary, pieces)
            }
            3 => Step::Ping(vec![7; len.min(125)]),
            4 => Step::Wait(Duration::from_millis(rng.below(30_000) as u64)),
            _ => text("short"),
        });
    }
    if rng.one_in(2) {
        script.push(Step::Close(match rng.below(3) {
            0 => None,
            1 => Some((1000, String::new())),
            _ => Some((4321, "reason ä".to_owned())),
        }));
    }
    script
}

fn random_line(rng: &mut Rng) -> Line {
    Line {
        latency: Duration::from_millis(rng.below(3000) as u64),
        capacity: [1, 10, 1000, 64 << 10, 1 << 20][rng.below(5)],
        most_at_once: [1, 2, 7, 100, 64 << 10][rng.below(5)],
        loss: None,
    }
}

/// What holds in every world, however it went.
fn check(world: &World, outcome: &Outcome, seed: u64) {
    for (i, end) in world.ends.iter().enumerate() {
        let who = format!("seed {seed}, {}", end.connection.role());
        let Some(closed) = &outcome.closed[i] else {
            assert!(
                end.connection.is_open(),
                "{who}: it neither closed nor stayed open"
            );
            continue;
        };
        let peer = &world.ends[1 - i];
        let received = end.received();
        let sent: Vec<&Seen> = peer.sent.iter().collect();
        assert!(
            received.len() <= sent.len() && received == sent[..received.len()],
            "{who}: received is not a prefix of sent"
        );
        if closed.clean && matches!(by(outcome, 1 - i), ClosedBy::Local) {
            assert_eq!(
                received.len(),
                sent.len(),
                "{who}: a message before the close is missing"
            );
        }
        let abnormal = closed.code == CloseCode::ABNORMAL;
        assert!(!(abnormal && closed.clean), "{who}: {closed:?}");
        let told = |(_, seen): &(Instant, Seen)| matches!(seen, Seen::Closing(_));
        assert_eq!(abnormal, !end.seen.iter().any(told), "{who}: {closed:?}");
        assert!(
            end.most_buffered <= (1 << 20) + 66_000 + 64 * 139,
            "{who}: {} bytes waited",
            end.most_buffered
        );
        if let Some(at) = end
            .seen
            .iter()
            .position(|(_, s)| matches!(s, Seen::Closing(_)))
        {
            assert_eq!(
                at,
                end.seen.len() - 1,
                "{who}: something after a Close frame"
            );
        }
    }
}

//= rfc6455#5.4-13 test
#[test]
fn a_conversation_is_the_same_however_it_is_cut() {
    let expected = |world: &mut World| {
        let outcome = world.run(LONG);
        check(world, &outcome, 0);
        assert!(
            outcome.closed.iter().all(|c| c.as_ref().unwrap().clean),
            "{outcome:?}"
        );
        [0, 1].map(|i| {
            let seen: Vec<Seen> = world.ends[i].received().into_iter().cloned().collect();
            (seen, outcome.closed[i].clone())
        })
    };
    let whole = expected(&mut world(
        conversation(),
        [Line::default(), Line::default()],
        0,
    ));
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        let lines = [0, 1].map(|_| Line {
            most_at_once: 1 + rng.below(300),
            ..Line::default()
        });
        let cut = expected(&mut world(conversation(), lines, seed));
        assert_eq!(cut, whole, "seed {seed}");
    }
}

#[test]
fn thousands_of_random_conversations_keep_every_promise() {
    for seed in 0..3000 {
        let mut rng = Rng::new(seed);
        let scripts = [0, 1].map(|_| random_script(&mut rng));
        let lines = [0, 1].map(|_| random_line(&mut rng));
        let mut world = world(scripts, lines, seed);
        let outcome = world.run(LONG);
        check(&world, &outcome, seed);
    }
}

#[test]
fn a_connection_lost_at_any_byte_ends_on_both_sides_and_delivers_a_prefix() {
    let mut whole = world(conversation(), [Line::default(), Line::default()], 1);
    whole.run(LONG);
    let written = whole.written();
    assert!(written[0] > 100 && written[1] > 5000);
    for direction in 0..2 {
        for at in 0..=written[direction] {
            // Long runs of a payload's bytes are all alike.
            if at > 400 && at + 400 < written[direction] && at % 17 != 0 {
                continue;
            }
            for loss in [Loss::End, Loss::Reset, Loss::Silence] {
                let mut lines = [Line::default(), Line::default()];
                lines[direction].loss = Some((at, loss));
                let mut world = world(conversation(), lines, at);
                let outcome = world.run(LONG);
                check(&world, &outcome, at);
                for closed in &outcome.closed {
                    assert!(
                        closed.is_some(),
                        "lost after {at} bytes by {loss:?}: {outcome:?}"
                    );
                }
                assert!(
                    outcome.took <= 60 * SECOND,
                    "{loss:?} at {at}: {:?}",
                    outcome.took
                );
            }
        }
    }
}

#[test]
fn pongs_echo_the_pings_in_order_also_behind_a_stalled_line() {
    for seed in 0..200 {
        let pings: Vec<Vec<u8>> = (0..40_u8).map(|i| vec![i; usize::from(i) * 3]).collect();
        let mut script: Vec<Step> = pings.iter().cloned().map(Step::Ping).collect();
        script.push(Step::Wait(30 * SECOND));
        script.push(close(1000, ""));
        let narrow = Line {
            capacity: 50,
            most_at_once: 9,
            latency: Duration::from_millis(1),
            ..Line::default()
        };
        let other = vec![binary(3000), binary(200)];
        let mut world = world([script, other], [narrow.clone(), narrow], seed);
        let outcome = world.run(LONG);
        check(&world, &outcome, seed);
        let answers: Vec<Vec<u8>> = world.ends[0]
            .seen
            .iter()
            .filter_map(|(_, seen)| match seen {
                Seen::Pong(payload) if payload.len() != 8 => Some(payload.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(answers, pings, "seed {seed}");
    }
}

#[test]
fn a_peer_that_never_reads_is_found_by_the_heartbeat_and_holds_a_bounded_output() {
    let flood: Vec<Step> = (0..1000).map(|_| binary(60_000)).collect();
    let mut world = world([Vec::new(), flood], [Line::default(), Line::default()], 1);
    world.ends[0].reads = false;
    let outcome = world.run(LONG);
    let timeout = ClosedBy::Timeout(TimeoutKind::Heartbeat);
    assert_eq!(*by(&outcome, 1), timeout);
    assert!(world.ends[1].most_buffered <= (1 << 20) + 60_100);
    assert!(!world.ends[1].script.is_empty() || world.ends[1].sent.len() < 30);
}

#[test]
fn a_peer_that_vanishes_in_silence_is_found_within_two_heartbeats() {
    let mut lines = [Line::default(), Line::default()];
    lines[1].loss = Some((0, Loss::Silence));
    let mut world = world([Vec::new(), vec![text("lost")]], lines, 1);
    let outcome = world.run(LONG);
    let timeout = ClosedBy::Timeout(TimeoutKind::Heartbeat);
    assert_eq!([by(&outcome, 0), by(&outcome, 1)], [&timeout, &timeout]);
    assert_eq!(
        outcome.took,
        41 * SECOND,
        "20 s, 20 s, and a second to linger"
    );
}

#[test]
fn a_peer_that_never_answers_the_close_is_given_up_after_ten_seconds() {
    let mut world = world(
        [vec![close(1000, "")], Vec::new()],
        [Line::default(), Line::default()],
        1,
    );
    world.ends[1].reads = false;
    let outcome = world.run(15 * SECOND);
    let timeout = ClosedBy::Timeout(TimeoutKind::Close);
    assert_eq!(*by(&outcome, 0), timeout);
}

#[test]
fn simultaneous_closes_are_clean_whatever_the_delay() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut script = || {
            let wait = Duration::from_millis(rng.below(50) as u64);
            vec![Step::Wait(wait), close(1000, "")]
        };
        let scripts = [script(), script()];
        let mut world = world(scripts, [Line::default(), Line::default()], seed);
        let outcome = world.run(LONG);
        for closed in &outcome.closed {
            assert!(closed.as_ref().unwrap().clean, "seed {seed}: {outcome:?}");
        }
        assert!(outcome.took < SECOND, "seed {seed}: {:?}", outcome.took);
    }
}

#[test]
fn a_large_message_on_a_slow_line_outlives_the_heartbeat() {
    // At most 300 bytes every 10 ms: 1.5 MiB take a minute or so, in which no
    // pong gets through.
    let slow = Line {
        capacity: 300,
        most_at_once: 300,
        ..Line::default()
    };
    for sizes in [[3 << 19, 0], [0, 3 << 19]] {
        let scripts = sizes.map(|len| match len {
            0 => vec![Step::Receive(1), close(1000, "")],
            len => vec![binary(len)],
        });
        let mut world = world(scripts, [slow.clone(), slow.clone()], 7);
        let outcome = world.run(Duration::from_secs(1000));
        for closed in &outcome.closed {
            assert!(closed.as_ref().unwrap().clean, "{outcome:?}");
        }
        assert!(outcome.took > 41 * SECOND, "{:?}", outcome.took);
    }
}

#[test]
fn a_peer_that_fails_us_and_takes_nothing_is_dropped_after_the_linger_time() {
    let narrow = Line {
        capacity: 3,
        ..Line::default()
    };
    let mut world = world(
        [Vec::new(), vec![binary(100)]],
        [Line::default(), narrow],
        1,
    );
    world.ends[0].reads = false;
    let start = world.run(SECOND).took;
    let now = Instant::now() + SECOND;
    let server = &mut world.ends[1].connection;
    let mut input = longwire_proto::Input::new(&mut []);
    assert!(server.handle_input(&mut input, now).is_none());
    let mut garbage = [0xff];
    let mut input = longwire_proto::Input::new(&mut garbage);
    assert!(server.handle_input(&mut input, now).is_none());
    assert!(server.buffered() > 0);
    let at = server.next_timeout().unwrap();
    assert_eq!(at, now + SECOND);
    server.handle_timeout(at);
    assert!(matches!(server.closed().unwrap().by, ClosedBy::Failure(_)));
    assert!(start <= SECOND);
}

#[test]
fn the_memory_budget_is_whole_again_after_every_end() {
    for seed in 0..300 {
        let budget = MemoryBudget::new(16 << 20);
        let mut config = Config::default();
        config.memory_budget = Some(budget.clone());
        let config = Arc::new(config);
        let mut rng = Rng::new(seed);
        let scripts = [0, 1].map(|_| random_script(&mut rng));
        let mut lines = [0, 1].map(|_| random_line(&mut rng));
        if rng.one_in(2) {
            lines[rng.below(2)].loss = Some((rng.below(10_000) as u64, Loss::Reset));
        }
        let start = Instant::now();
        let ends = ends(start, &config, scripts, seed);
        let mut world = World::new(start, seed, ends, lines);
        let outcome = world.run(LONG);
        check(&world, &outcome, seed);
        if outcome.closed.iter().all(Option::is_some) {
            assert_eq!(budget.used(), 0, "seed {seed}");
        }
        drop(world);
        assert_eq!(budget.used(), 0, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let mut rng = Rng::new(seed);
        let scripts = [0, 1].map(|_| random_script(&mut rng));
        let lines = [0, 1].map(|_| random_line(&mut rng));
        let mut world = world(scripts, lines, seed);
        let took = world.run(LONG).took;
        (took, world.ends.map(|end| (end.wire, end.seen.len())))
    };
    for seed in 0..50 {
        assert!(trace(seed) == trace(seed), "seed {seed}");
    }
}
