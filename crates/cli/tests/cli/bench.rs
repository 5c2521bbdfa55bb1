//! `longwire bench` against good servers and bad ones.

use std::io;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::odd_server::{CLOSE, Connection, OddServer, TEXT};
use crate::program::{Serve, longwire, run};

/// Runs it to its end; gives its exit code and its report.
pub(crate) fn bench(arguments: &[&str]) -> (i32, Value) {
    let output = run(&[&["bench", "--json"], arguments].concat(), b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stderr}"));
    (output.status.code().unwrap(), report)
}

pub(crate) fn errors(report: &Value) -> Vec<(&str, u64)> {
    let errors = report["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            (
                error["kind"].as_str().unwrap(),
                error["count"].as_u64().unwrap(),
            )
        })
        .collect()
}

/// Answers each message with itself.
pub(crate) fn echo(connection: &mut Connection) -> io::Result<()> {
    loop {
        let message = connection.message()?;
        connection.write(TEXT, &message)?;
    }
}

#[test]
fn every_kind_of_message_comes_back_as_it_was_sent() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let file = std::env::temp_dir().join(format!("longwire-cli-bench-{}", std::process::id()));
    std::fs::write(&file, "what the file has").unwrap();
    let path = file.to_str().unwrap();
    let at_path = format!("@{path}");
    let kinds: [&[&str]; 12] = [
        &[],
        &["--size", "0"],
        &["--size", "5"],
        &["--size", "200k", "--window", "4"],
        &["--size", "4k", "--binary"],
        &["--size", "4k", "--no-compression"],
        &["--file", path],
        &["--file", path, "--binary"],
        &[
            "--template",
            "{{seq}} {{connection}} {{time}} {{words:20}} {{bytes:9}} {{token}}",
        ],
        &[
            "--template",
            "{{bytes:300}}",
            "--binary",
            "--compression",
            "shared",
        ],
        &["--template", &at_path],
        &["--no-verify", "--threads", "1"],
    ];
    for kind in kinds {
        let (code, report) = bench(&[&["-c", "3", "-n", "100", &url], kind].concat());
        assert_eq!(code, 0, "{kind:?}: {report}");
        assert_eq!(errors(&report), [], "{kind:?}");
        assert_eq!(report["ended"], "done");
        assert_eq!(report["mode"], "closed");
        for count in ["sent", "received"] {
            assert_eq!(report["messages"][count], 100, "{kind:?}");
        }
        assert_eq!(report["messages"]["lost"], 0);
        assert_eq!(report["latency"]["count"], 100);
        assert_eq!(report["bytes"]["sent"], report["bytes"]["received"]);
        assert_eq!(report["connections"]["survived"], 3);
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_wrong_answer_is_no_answer() {
    let server = OddServer::start(|mut connection, _| {
        connection.accept()?;
        loop {
            let mut message = connection.message()?;
            message.reverse();
            connection.write(TEXT, &message)?;
        }
    });
    let (code, report) = bench(&["-c", "2", "-n", "10", &server.url()]);
    assert_eq!(code, 1, "nothing was answered: {report}");
    assert_eq!(errors(&report), [("mismatch", 10)]);
    assert_eq!(report["messages"]["lost"], 10);
    let example = report["errors"][0]["example"].as_str().unwrap();
    assert!(
        example.starts_with("expected the message as it was sent"),
        "{example}"
    );
    let (code, report) = bench(&["-c", "2", "-n", "10", "--no-verify", &server.url()]);
    assert_eq!((code, errors(&report)), (0, vec![]));
}

#[test]
fn a_message_more_or_less_does_not_make_the_others_wrong() {
    let greets = OddServer::start(|mut connection, _| {
        connection.accept()?;
        let first = connection.message()?;
        connection.write(TEXT, b"welcome")?;
        connection.write(TEXT, &first)?;
        echo(&mut connection)
    });
    let (code, report) = bench(&["-c", "1", "-n", "50", &greets.url()]);
    assert_eq!(
        (code, errors(&report)),
        (0, vec![("mismatch", 1)]),
        "{report}"
    );
    assert_eq!(report["messages"]["received"], 50);
    let skips = OddServer::start(|mut connection, _| {
        connection.accept()?;
        for number in 1.. {
            let message = connection.message()?;
            if number % 10 != 0 {
                connection.write(TEXT, &message)?;
            }
        }
        Ok(())
    });
    let arguments = ["-c", "1", "-n", "95", "--window", "8", &skips.url()];
    // What is lost took longer than all that was answered.
    let limits = ["p50>600s", "p90>600s", "p91>600s", "max>600s"];
    let limits = limits.map(|limit| ["--fail-if", limit]).concat();
    let (code, report) = bench(&[&arguments[..], &limits].concat());
    let verdicts = report["thresholds"].as_array().unwrap().iter();
    let failed: Vec<&Value> = verdicts.map(|verdict| &verdict["failed"]).collect();
    assert_eq!(failed, [false, false, true, true], "{report}");
    assert_eq!(code, 5);
    assert_eq!(errors(&report), [("missing", 9)], "{report}");
    assert_eq!(report["messages"]["received"], 86);
    assert_eq!(report["messages"]["lost"], 9);
}

#[test]
fn what_is_refused_closed_or_silent_is_counted_by_kind_and_the_rest_goes_on() {
    let server = OddServer::start(|mut connection, number| {
        match number {
            0 | 1 => return connection.refuse("503 Service Unavailable"),
            2 => return Ok(()),
            _ => connection.accept()?,
        }
        match number {
            3 => {
                for _ in 0..5 {
                    let message = connection.message()?;
                    connection.write(TEXT, &message)?;
                }
                connection.write(CLOSE, b"\x03\xf3gone")?;
                connection.read().map(drop)
            }
            4 => loop {
                connection.message()?;
            },
            _ => echo(&mut connection),
        }
    });
    let arguments = [
        "-c",
        "6",
        "-d",
        "2s",
        "--answer-timeout",
        "4s",
        &server.url(),
    ];
    let (code, report) = bench(&arguments);
    assert_eq!(code, 0, "{report}");
    let mut kinds = errors(&report);
    kinds.sort_unstable();
    let expected = [
        ("answer-timeout", 1),
        ("closed-1011", 1),
        ("http", 1),
        ("refused-503", 2),
    ];
    assert_eq!(kinds, expected, "{report}");
    let count = |name: &str| report["connections"][name].as_u64().unwrap();
    assert_eq!([count("opened"), count("failed")], [3, 3]);
    assert_eq!([count("lost"), count("survived")], [2, 1]);
    assert!(report["messages"]["lost"].as_u64().unwrap() >= 1);
}

#[test]
fn a_run_ends_where_no_connection_is_left_unless_they_are_opened_again() {
    let closes = || {
        OddServer::start(|mut connection, _| {
            connection.accept()?;
            for _ in 0..5 {
                let message = connection.message()?;
                connection.write(TEXT, &message)?;
            }
            Ok(())
        })
    };
    let server = closes();
    let (code, report) = bench(&["-c", "2", "-d", "600s", &server.url()]);
    assert_eq!(code, 0);
    assert_eq!(report["ended"], "connections lost");
    assert_eq!(errors(&report), [("closed-1006", 2)]);
    assert_eq!(report["messages"]["received"], 10);
    let server = closes();
    let (code, report) = bench(&["-c", "2", "-n", "30", "--reconnect", &server.url()]);
    assert_eq!(code, 0);
    assert_eq!(report["ended"], "done", "{report}");
    assert!(
        report["connections"]["reopened"].as_u64().unwrap() >= 4,
        "{report}"
    );
    assert_eq!(
        report["messages"]["received"].as_u64().unwrap()
            + report["messages"]["lost"].as_u64().unwrap(),
        30
    );
}

#[test]
fn a_server_that_stays_away_ends_a_run_of_a_number_of_messages() {
    let server = OddServer::start(|mut connection, number| {
        if number > 0 {
            return connection.refuse("503 Service Unavailable");
        }
        connection.accept()?;
        for _ in 0..5 {
            let message = connection.message()?;
            connection.write(TEXT, &message)?;
        }
        Ok(())
    });
    let arguments = ["-c", "1", "-n", "30", "--reconnect"];
    let further = ["--answer-timeout", "1s", &server.url()];
    let (code, report) = bench(&[&arguments[..], &further].concat());
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["ended"], "connections lost", "{report}");
    let count = |name: &str| report["messages"][name].as_u64().unwrap();
    assert_eq!(count("received"), 5, "{report}");
    assert_eq!(count("lost") + count("unsent"), 25, "{report}");
}

#[test]
fn no_page_is_left_behind_where_nothing_was_opened() {
    let server = OddServer::start(|mut connection, _| connection.refuse("404 Not Found"));
    let file = std::env::temp_dir().join(format!("longwire-cli-none-{}", std::process::id()));
    let output = run(
        &["bench", "--html", file.to_str().unwrap(), &server.url()],
        b"",
    );
    assert_eq!(output.status.code(), Some(4));
    assert!(!file.exists());
}

#[test]
fn idle_connections_are_held_and_those_that_survive_counted() {
    let server = OddServer::start(|mut connection, number| {
        connection.accept()?;
        if number % 4 == 3 {
            connection.write(CLOSE, b"\x03\xe9")?;
        }
        loop {
            connection.message()?;
        }
    });
    let (code, report) = bench(&["--idle", "-c", "40", "-d", "1s", &server.url()]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["mode"], "idle");
    assert_eq!(errors(&report), [("closed-1001", 10)]);
    assert_eq!(report["connections"]["survived"], 30);
    assert_eq!(report["handshake"]["count"], 40);
    assert_eq!(report["latency"], Value::Null);
}

#[test]
fn what_cannot_work_is_told_before_anything_is_sent() {
    let cases: [(&[&str], i32, &str); 14] = [
        (
            &["--fail-if", "p99"],
            2,
            "expected a comparison such as p99>20ms",
        ),
        (&["--fail-if", "latency>1ms"], 2, "expected one of p50, p90"),
        (&["--fail-if", "p99>1"], 2, "a time with its unit"),
        (&["--template", "{{number}}"], 2, "expected one of {{seq}}"),
        (&["--file", "/nowhere/x"], 2, "could not read /nowhere/x"),
        (
            &["--file", env!("CARGO_BIN_EXE_longwire")],
            2,
            "add --binary",
        ),
        (
            &["--html", "/nowhere/x.html"],
            2,
            "could not write to /nowhere/x.html",
        ),
        (&["--fan-out", "--size", "10"], 2, "at least 34 bytes"),
        (&["--fan-out", "--template", "x"], 2, "expected {{token}}"),
        (&["--rate", "0"], 2, "expected a count"),
        (&["-d", "0"], 2, "expected more than no time"),
        (&["--answer-timeout", "0s"], 2, "expected more than no time"),
        (&["--idle", "--binary"], 2, "cannot be used with"),
        (&[], 3, "is a server listening there?"),
    ];
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ws://{}", free.local_addr().unwrap());
    drop(free);
    for (arguments, code, told) in cases {
        let output = run(&[&["bench", &nobody], arguments].concat(), b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
    let serve = Serve::start();
    let output = run(&["bench", &serve.url("/nowhere")], b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("none of 10 connections") && stderr.contains("is the path right?"));
}

#[test]
fn ctrl_c_ends_it_early_with_the_report_so_far() {
    let (hundredth, hundredths) = mpsc::channel();
    let server = OddServer::start(move |mut connection, _| {
        connection.accept()?;
        for _ in 0..100 {
            let message = connection.message()?;
            connection.write(TEXT, &message)?;
        }
        hundredth.send(()).map_err(io::Error::other)?;
        echo(&mut connection)
    });
    let child = longwire(&["bench", "--json", "-c", "1", "-d", "600s", &server.url()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    hundredths.recv_timeout(Duration::from_mins(1)).unwrap();
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ended"], "interrupted");
    assert!(report["messages"]["received"].as_u64().unwrap() >= 99);
    assert_eq!(
        report["messages"]["lost"], 0,
        "what is on its way is not lost"
    );
}

#[cfg(unix)]
#[test]
fn the_limit_of_open_files_is_raised_or_told() {
    let serve = Serve::start();
    let program = env!("CARGO_BIN_EXE_longwire");
    let url = serve.url("/echo");
    let limited = |limit: &str| {
        let script =
            format!("ulimit {limit} 90 && exec {program} bench --idle -c 100 -d 100ms {url}");
        std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap()
    };
    let raised = limited("-Sn");
    let stderr = String::from_utf8_lossy(&raised.stderr);
    assert_eq!(raised.status.code(), Some(0), "{stderr}");
    let told = limited("-n");
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("open files for 100 connections"),
        "{stderr}"
    );
    assert!(stderr.contains("LimitNOFILE"), "{stderr}");
}
