//! When `longwire bench` sends, and which time its numbers are of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::bench::{bench, echo};
use crate::odd_server::{OddServer, TEXT};
use crate::program::Serve;

#[test]
fn at_a_rate_every_message_is_due_and_counted() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let arguments = [
        "-c", "7", "--rate", "500", "-d", "1s", "--warmup", "0.2", &url,
    ];
    let (code, report) = bench(&arguments);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["mode"], "open");
    let count = |name: &str| report["messages"][name].as_u64().unwrap();
    assert_eq!(count("sent") + count("unsent"), 500, "{report}");
    assert_eq!(count("received") + count("lost"), count("sent"), "{report}");
    let (_, report) = bench(&["-c", "2", "--rate", "5k", "-n", "700", &url]);
    assert_eq!(report["messages"]["sent"], 700);
    assert_eq!(report["messages"]["received"], 700);
}

#[test]
fn the_stall_of_a_server_is_seen_by_all_who_would_have_waited() {
    // Once, for as long as half of the run.
    let stalls = || {
        OddServer::start(|mut connection, _| {
            connection.accept()?;
            let message = connection.message()?;
            std::thread::sleep(Duration::from_secs(1));
            connection.write(TEXT, &message)?;
            echo(&mut connection)
        })
    };
    let p75 = |report: &Value| report["latency"]["p75"].as_f64().unwrap();
    let server = stalls();
    let (_, open) = bench(&["-c", "1", "--rate", "200", "-d", "2s", &server.url()]);
    assert!(p75(&open) > 300_000.0, "{open}");
    let server = stalls();
    let (_, closed) = bench(&["-c", "1", "-d", "2s", &server.url()]);
    assert!(p75(&closed) < 300_000.0, "{closed}");
    assert!(closed["latency"]["max"].as_f64().unwrap() > 900_000.0);
}

#[test]
fn what_could_not_be_sent_in_time_has_waited_since_it_was_due() {
    // All is due within two seconds, and taken three after the first of it came; the
    // kernel holds a part.
    let server = OddServer::start(|mut connection, _| {
        connection.accept()?;
        connection.writer().peek(&mut [0])?;
        std::thread::sleep(Duration::from_secs(3));
        echo(&mut connection)
    });
    let arguments = ["-c", "1", "--rate", "400", "-n", "800", "--size", "65000"];
    let further = ["--no-compression", "--answer-timeout", "60s", &server.url()];
    let (_, report) = bench(&[&arguments[..], &further].concat());
    assert!(
        report["messages"]["late"].as_u64().unwrap() >= 100,
        "{report}"
    );
    assert_eq!(report["messages"]["received"], 800, "{report}");
    assert!(
        report["latency"]["min"].as_f64().unwrap() > 700_000.0,
        "{report}"
    );
}

#[test]
fn connections_are_opened_over_the_ramp() {
    let (opened, first) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let server = OddServer::start({
        let (opened, first) = (Arc::clone(&opened), Arc::clone(&first));
        move |mut connection, _| {
            connection.accept()?;
            opened.fetch_add(1, Ordering::SeqCst);
            let message = connection.message()?;
            // The load begins when all are open.
            first.fetch_or(opened.load(Ordering::SeqCst) < 5, Ordering::SeqCst);
            connection.write(TEXT, &message)?;
            echo(&mut connection)
        }
    });
    let began = std::time::Instant::now();
    let (code, _) = bench(&["-c", "5", "--ramp", "1s", "-n", "5", &server.url()]);
    assert_eq!(code, 0);
    assert!(
        began.elapsed() >= Duration::from_millis(800),
        "the last of five opens then"
    );
    assert!(!first.load(Ordering::SeqCst));
}

/// Answers the first message at once, and all others when the load is over.
fn falls_asleep() -> OddServer {
    OddServer::start(|mut connection, _| {
        connection.accept()?;
        let message = connection.message()?;
        connection.write(TEXT, &message)?;
        std::thread::sleep(Duration::from_secs(3));
        echo(&mut connection)
    })
}

#[test]
fn the_rate_is_of_what_came_before_the_end_of_the_load() {
    for load in [["--window", "10"], ["--rate", "10"]] {
        let server = falls_asleep();
        let arguments = ["-c", "1", "-d", "1s", "--fail-if", "rate<5"];
        let (code, report) = bench(&[&arguments[..], &load, &[&server.url()]].concat());
        assert_eq!(code, 5, "{report}");
        assert_eq!(report["seconds"], 1.0, "{report}");
        assert_eq!(report["messages"]["rate"], 1.0, "{report}");
        let count = |name: &str| report["messages"][name].as_u64().unwrap();
        assert_eq!(count("drained"), count("received") - 1, "{report}");
        assert!(count("drained") >= 5, "{report}");
        let points = report["timeline"].as_array().unwrap();
        assert_eq!(points.len(), 1, "{report}");
        assert_eq!(points[0]["received"], 1.0, "{report}");
        let size = report["bytes"]["received"].as_f64().unwrap()
            / report["messages"]["received"].as_f64().unwrap();
        assert_eq!(report["bytes"]["rate"], size, "{report}");
    }
}

#[test]
fn the_rate_has_what_came_after_the_warm_up_though_it_was_due_in_it() {
    // What is due in the warm-up is answered after it, and fills the window until then.
    let server = OddServer::start(|mut connection, _| {
        connection.accept()?;
        let first = connection.message()?;
        std::thread::sleep(Duration::from_secs(2));
        connection.write(TEXT, &first)?;
        for _ in 0..3 {
            let message = connection.message()?;
            connection.write(TEXT, &message)?;
        }
        std::thread::sleep(Duration::from_secs(5));
        echo(&mut connection)
    });
    let arguments = ["-c", "1", "--window", "4", "--warmup", "1s", "-d", "4s"];
    let (_, report) = bench(&[&arguments[..], &[&server.url()]].concat());
    assert_eq!(report["messages"]["rate"], 1.0, "{report}");
}

#[test]
fn where_the_number_of_messages_ends_the_load_the_time_goes_to_the_last_answer() {
    let server = falls_asleep();
    let arguments = ["-c", "1", "-n", "20", "--rate", "20", &server.url()];
    let (code, report) = bench(&arguments);
    assert_eq!(code, 0, "{report}");
    assert!(report["seconds"].as_f64().unwrap() >= 2.9, "{report}");
    assert!(
        report["messages"]["rate"].as_f64().unwrap() < 7.0,
        "{report}"
    );
    assert_eq!(report["messages"]["drained"], 0);
}
