//! `longwire ping`.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use crate::odd_server::{CLOSE, Connection, OddServer, PING, PONG};
use crate::program::{Serve, longwire, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs it to its end; gives its exit code and its events.
fn ping(arguments: &[&str]) -> (i32, Vec<Value>) {
    let output = run(&[&["ping", "--json"], arguments].concat(), b"");
    let stdout = text(&output.stdout);
    let events = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (output.status.code().unwrap(), events.collect())
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == kind)
        .collect()
}

fn sequences(events: &[Value], kind: &str) -> Vec<u64> {
    let events = of_kind(events, kind).into_iter();
    events.map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Answers the pings whose number this is true of, one behind the other's answer
/// where it is asked for.
fn pongs(answers: fn(u64) -> bool) -> OddServer {
    OddServer::start(move |mut connection, _| {
        connection.accept()?;
        answer(&mut connection, answers)
    })
}

fn answer(connection: &mut Connection, answers: fn(u64) -> bool) -> io::Result<()> {
    for number in 1.. {
        let (opcode, payload) = connection.read()?;
        match opcode {
            PING if answers(number) => connection.write(PONG, &payload)?,
            CLOSE => return connection.write(CLOSE, &payload),
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn the_steps_come_first_then_a_line_for_each_ping_then_a_summary() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let output = run(&["ping", "-c", "3", "-i", "10ms", &url], b"");
    assert_eq!(output.status.code(), Some(0));
    let stdout = text(&output.stdout);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 9, "{stdout}");
    assert!(
        lines[0].starts_with(&format!("{url} at {}", serve.address)),
        "{stdout}"
    );
    for step in ["resolve ", "connect ", "upgrade "] {
        assert!(lines[1].contains(step), "{stdout}");
    }
    for (line, seq) in lines[2..5].iter().zip(1..) {
        assert!(
            line.starts_with(&format!("pong: seq={seq} time=")),
            "{stdout}"
        );
    }
    assert_eq!(lines[6], url);
    assert_eq!(lines[7], "3 sent, 3 answered, 0% lost");
    assert!(
        lines[8].starts_with("round trip min/avg/max/stddev = "),
        "{stdout}"
    );
    assert!(output.stderr.is_empty());
}

#[test]
fn a_step_of_tls_is_told_too() {
    let serve = Serve::with(&["--tls-self-signed"]);
    let url = format!("wss://{}/echo", serve.address);
    let cases = [
        (&[][..], "HTTP/2.0", &["http2", "upgrade"][..]),
        (&["--http1.1"], "HTTP/1.1", &["upgrade"]),
    ];
    for (further, http, last) in cases {
        let arguments = ["-c", "2", "-i", "10ms", "--insecure", &url];
        let (code, events) = ping(&[&arguments, further].concat());
        assert_eq!(code, 0);
        let steps = events[0]["steps"].as_array().unwrap();
        let names: Vec<&str> = steps
            .iter()
            .map(|step| step["step"].as_str().unwrap())
            .collect();
        let expected = [&["resolve", "connect", "tls"][..], last].concat();
        assert_eq!(names, expected, "{events:?}");
        assert_eq!(events[0]["http"], http);
        assert_eq!(sequences(&events, "pong"), [1, 2]);
    }
}

#[test]
fn what_is_not_answered_is_lost() {
    let server = pongs(|number| number % 2 == 0);
    let arguments = ["-c", "4", "-i", "20ms", "--wait", "2s", &server.url()];
    let (code, events) = ping(&arguments);
    assert_eq!(code, 0, "some were answered");
    assert_eq!(sequences(&events, "pong"), [2, 4]);
    assert_eq!(sequences(&events, "timeout"), [1, 3]);
    let summary = of_kind(&events, "summary")[0];
    assert_eq!(
        (&summary["sent"], &summary["received"]),
        (&4.into(), &2.into())
    );
    assert_eq!(summary["loss"], 50.0);
}

#[test]
fn a_pong_that_comes_late_is_told_and_lost_all_the_same() {
    // The first ping's pong comes behind the second's.
    let server = OddServer::start(|mut connection, _| {
        connection.accept()?;
        let (_, first) = connection.read()?;
        let (_, second) = connection.read()?;
        connection.write(PONG, &second)?;
        connection.write(PONG, b"unasked")?;
        connection.write(PONG, &first)?;
        answer(&mut connection, |_| true)
    });
    let arguments = ["-c", "3", "-i", "2s", "--wait", "1s", &server.url()];
    let (code, events) = ping(&arguments);
    assert_eq!(code, 0);
    assert_eq!(sequences(&events, "timeout"), [1]);
    assert_eq!(sequences(&events, "pong"), [2, 1, 3]);
    let late: Vec<bool> = of_kind(&events, "pong")
        .iter()
        .map(|event| event["late"] == true)
        .collect();
    assert_eq!(late, [false, true, false]);
    assert_eq!(of_kind(&events, "summary")[0]["received"], 2);
}

#[test]
fn nothing_answered_is_exit_code_1() {
    let server = pongs(|_| false);
    let arguments = ["-c", "2", "-i", "10ms", "--wait", "100ms", &server.url()];
    let (code, events) = ping(&arguments);
    assert_eq!(code, 1);
    assert_eq!(sequences(&events, "timeout"), [1, 2]);
    let summary = of_kind(&events, "summary")[0];
    assert_eq!(summary["min"], Value::Null);
    assert_eq!(summary["loss"], 100.0);
}

#[test]
fn a_connection_that_ends_is_told_and_the_summary_comes() {
    let server = OddServer::start(|mut connection, _| {
        connection.accept()?;
        let (_, payload) = connection.read()?;
        connection.write(PONG, &payload)?;
        connection.write(CLOSE, b"\x03\xe9so long")?;
        connection.read().map(drop)
    });
    let (code, events) = ping(&["-i", "10ms", &server.url()]);
    assert_eq!(code, 0);
    let closed = of_kind(&events, "close")[0];
    assert_eq!(
        (&closed["code"], &closed["reason"]),
        (&1001.into(), &"so long".into())
    );
    assert_eq!(closed["by"], "peer");
    assert_eq!(events.last().unwrap()["event"], "summary");
}

#[test]
fn ctrl_c_ends_it_with_the_summary() {
    let serve = Serve::start();
    let mut child = longwire(&["ping", "-i", "20ms", &serve.url("/echo")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("pong: seq=3 ") {
        line.clear();
        assert_ne!(
            stdout.read_line(&mut line).unwrap(),
            0,
            "it ended by itself"
        );
    }
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(killed.unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(
        rest.contains(" answered, ") && rest.contains("min/avg/max/stddev"),
        "{rest}"
    );
}

#[test]
fn each_failure_has_its_exit_code_and_the_steps_that_were_done() {
    let serve = Serve::start();
    let refused = run(&["ping", &serve.url("/nowhere")], b"");
    let stderr = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.contains("connect ") && stderr.contains("is the path right?"),
        "{stderr}"
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ws://{}", free.local_addr().unwrap());
    drop(free);
    assert_eq!(run(&["ping", &nobody], b"").status.code(), Some(3));
    assert_eq!(run(&["ping", "http://x"], b"").status.code(), Some(2));
    assert_eq!(
        run(&["ping", "-c", "0", &nobody], b"").status.code(),
        Some(2)
    );
}

#[test]
fn what_was_agreed_is_told_as_connect_does() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let (_, events) = ping(&["-c", "1", &url]);
    let output = run(&["connect", "--json", &url], b"");
    let first = text(&output.stdout);
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    for field in ["event", "url", "http", "subprotocol", "compression"] {
        assert_eq!(events[0][field], first[field], "{field}");
    }
    let (_, events) = ping(&["-c", "1", "--no-compression", &url]);
    assert_eq!(events[0]["compression"], Value::Null);
}
