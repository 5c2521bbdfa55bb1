//! `longwire check` on our server and our client, and on clients that misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread::JoinHandle;

use longwire_testkit::broken::client::{Options, run_case};
use longwire_testkit::broken::{FAULTS, Plan, Role};
use longwire_testkit::check_client;
use longwire_testkit::peers::{Peer, require};
use serde_json::Value;

use crate::program::{Serve, run, started};

/// Cases that only observe, and take their time for it.
const SLOW: [&str; 6] = [
    "--skip",
    "limits.*",
    "--skip",
    "answering.never",
    "--skip",
    "answering.http-1.0",
];

/// A folder of a test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("longwire-check-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `longwire check client` on a free port, stopped with the test.
struct Tester {
    child: Child,
    /// As `127.0.0.1:PORT`.
    address: String,
    stderr: Option<JoinHandle<String>>,
    stdout: Option<JoinHandle<String>>,
}

impl Tester {
    fn start(options: &[&str]) -> Self {
        let mut child = started(&["check", "client", "--listen", "127.0.0.1:0"], options);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut stdout = child.stdout.take().unwrap();
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map_or_else(|| panic!("no address in {line:?}"), |(address, _)| address);
        let rest = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let told = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            child,
            address: address.to_owned(),
            stderr: Some(rest),
            stdout: Some(told),
        }
    }

    /// What it answers to `GET`.
    fn get(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The next case.
    fn next(&self) -> Value {
        let answer = self.get("/next?client=test");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON in {answer:?}"))
    }

    /// Goes through all cases with this client.
    fn play(&self, client: impl Fn(&str)) {
        loop {
            let next = self.next();
            match next["url"].as_str() {
                Some(url) => client(url),
                None => return assert_eq!(next["done"], true),
            }
        }
    }

    /// Waits for its end; gives what it said on stdout and stderr.
    fn end(mut self) -> (ExitStatus, String, String) {
        let status = self.child.wait().unwrap();
        let stdout = self.stdout.take().unwrap().join().unwrap();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        (status, stdout, stderr)
    }
}

impl Drop for Tester {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ids of the cases with a verdict.
fn ids<'r>(report: &'r Value, verdict: &str) -> Vec<&'r str> {
    let cases = report["cases"].as_array().unwrap().iter();
    cases
        .filter(|case| case["verdict"] == verdict)
        .map(|case| case["id"].as_str().unwrap())
        .collect()
}

/// Whether Python's parser takes a file as XML; where there is no Python, it is
/// not tried.
fn is_xml(path: &str) -> bool {
    let program = "import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])";
    let python = Command::new("python3").args(["-c", program, path]).status();
    if python.is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
    }
    python.is_ok_and(|status| status.success())
}

#[test]
fn our_client_passes_every_case_for_clients_strictly() {
    let folder = Folder::new("client");
    let (json, junit, html) = (
        folder.file("report.json"),
        folder.file("report.xml"),
        folder.file("report.html"),
    );
    let reports = ["--json", &json, "--junit", &junit, "--html", &html];
    let patience = ["--patience", "20s", "--strict"];
    let tester = Tester::start(&[&reports[..], &SLOW, &patience].concat());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let played = runtime.block_on(check_client::go_through_all(&tester.address));
    played.unwrap();
    let (status, stdout, stderr) = tester.end();
    assert!(status.success(), "{stdout}{stderr}");

    let report = folder.json("report.json");
    assert_eq!(report["tested"], "longwire");
    assert_eq!(ids(&report, "failed"), Vec::<&str>::new());
    assert_eq!(ids(&report, "lenient"), Vec::<&str>::new());
    // It always offers what that case must not have.
    let skipped = ["compression.client-bits-not-offered"];
    assert_eq!(ids(&report, "skipped"), skipped);
    let total = report["cases"].as_array().unwrap().len();
    assert!(total > 400, "{total}");
    assert!(is_xml(&junit));
    assert_eq!(
        folder.read("report.xml").matches("<testcase").count(),
        total
    );
    let page = folder.read("report.html");
    assert_eq!(page.matches("<details class=\"case ").count(), total);
    assert!(page.contains("href=\"https://www.rfc-editor.org/rfc/rfc7692.html#section-7.1.2.1\""));
}

#[test]
fn our_server_passes_every_case_for_servers_strictly() {
    let serve = Serve::start();
    let url = serve.url("/echo");
    let arguments = [
        "check",
        "server",
        "--strict",
        "--patience",
        "20s",
        "--json",
        "-",
        "--skip",
        "slow.*",
        "--skip",
        "hostile.*",
        "--skip",
        "limits.*",
        &url,
    ];
    let output = run(&arguments, b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ids(&report, "failed"), Vec::<&str>::new(), "{stderr}");
    assert_eq!(ids(&report, "lenient"), Vec::<&str>::new());
    // It agrees to no context that is kept.
    assert_eq!(ids(&report, "skipped"), ["deflate.example-shared-window"]);
    assert!(ids(&report, "strict").len() > 300);
    assert!(output.status.success());
}

/// A fault of a client's, and cases that fail because of it.
const CAUGHT: [(&str, &str); 10] = [
    ("takes-masked", "framing.mask-wrong"),
    ("does-not-mask", "framing.mask-own"),
    ("same-key", "request.key-fresh"),
    ("asks-for-version-12", "request.version"),
    ("takes-status-200", "answering.status-200-with-upgrade"),
    ("larger-window", "compression.client-window-9"),
    ("takes-wrong-accept", "answering.accept-of-another-key"),
    (
        "takes-other-subprotocol",
        "answering.subprotocol-not-offered",
    ),
    (
        "takes-duplicate-parameter",
        "compression.server-no-context-twice",
    ),
    ("loses-early-frames", "answering.frame-behind"),
];

#[test]
fn a_client_that_breaks_a_rule_is_caught_on_it() {
    let folder = Folder::new("broken");
    let (json, junit) = (folder.file("report.json"), folder.file("report.xml"));
    for (fault, case) in CAUGHT {
        let entry = FAULTS.iter().find(|entry| entry.name == fault).unwrap();
        assert_ne!(entry.role, Role::Server);
        for plan in [Plan(None), Plan(Some(entry.fault))] {
            let tester = Tester::start(&["--case", case, "--json", &json, "--junit", &junit]);
            let options = Options {
                plan,
                ..Options::default()
            };
            tester.play(|url| {
                let _ = run_case(url, &options);
            });
            let (status, stdout, _) = tester.end();
            let caught = plan.0.is_some();
            assert_eq!(status.code(), Some(i32::from(caught)), "{fault}: {stdout}");
            assert_eq!(stdout.contains("failed"), caught, "{fault}: {stdout}");
            let report = folder.json("report.json");
            assert_eq!(ids(&report, "failed").contains(&case), caught, "{fault}");
            let failures = folder.read("report.xml").matches("<failure ").count();
            assert_eq!(failures, usize::from(caught));
            assert!(is_xml(&junit));
        }
    }
}

#[test]
fn the_control_channel_answers_as_documented() {
    let tester = Tester::start(&["--case", "answering.plain"]);
    let report = tester.get("/report");
    assert!(report.contains("Access-Control-Allow-Origin: *"));
    assert!(report.contains("\"role\": \"client\"") && report.contains("\"cases\": []"));
    assert!(tester.get("/nowhere").starts_with("HTTP/1.1 404 "));
    assert!(
        tester
            .get("/case/answering.nothing")
            .starts_with("HTTP/1.1 404 ")
    );
    assert!(tester.get("/").contains("/next?client=NAME"));

    let next = tester.next();
    assert_eq!(next["case"], "answering.plain");
    let url = format!("ws://{}/case/answering.plain", tester.address);
    assert_eq!(next["url"], url);
    assert_eq!(next["subprotocols"], serde_json::json!([]));
    assert_eq!(next["compression"], false);
    assert!(next["sent"].is_string() && next["expected"].is_string());
    let other = tester.get("/next?client=another");
    assert!(
        other.starts_with("HTTP/1.1 409 ") && other.contains("\"test\""),
        "{other}"
    );

    run_case(&url, &Options::default()).unwrap();
    // The same by WebSocket.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let control = format!("ws://{}/next", tester.address);
    let (told, closed) = runtime.block_on(async {
        let mut socket = longwire::connect(&control).await.unwrap();
        let told = socket.next().await.unwrap().unwrap();
        assert!(socket.next().await.is_none());
        (told, socket.closed().unwrap())
    });
    assert_eq!(told.as_text(), Some(r#"{"done":true}"#));
    assert_eq!((u16::from(closed.code), closed.clean), (1000, true));
    let (status, stdout, _) = tester.end();
    assert!(status.success());
    assert!(
        stdout.contains("1 cases in") && stdout.contains("1 strict"),
        "{stdout}"
    );
}

#[test]
fn a_case_that_the_client_passes_over_is_skipped() {
    let options = [
        "--case",
        "control.ping-*",
        "--patience",
        "100ms",
        "--verbose",
    ];
    let tester = Tester::start(&options);
    while tester.next()["url"].is_string() {}
    let (status, stdout, stderr) = tester.end();
    assert!(status.success(), "{stdout}{stderr}");
    assert!(
        stderr.contains("asked for another case without connecting"),
        "{stderr}"
    );
    assert!(
        stdout.contains("skipped") && !stdout.contains("strict"),
        "{stdout}"
    );
}

#[test]
fn a_client_that_goes_away_is_told() {
    // It knows a case and does not come.
    let tester = Tester::start(&["--case", "control.ping-*", "--idle", "300ms"]);
    tester.next();
    let (status, stdout, stderr) = tester.end();
    assert_eq!(status.code(), Some(1));
    assert!(
        stdout.contains("no connection came within 300ms"),
        "{stdout}"
    );
    assert!(
        stderr.contains("1 of ") && stderr.contains("asked for no more within 300ms"),
        "{stderr}"
    );

    // It does not ask for more after a case.
    let tester = Tester::start(&["--case", "control.ping-*", "--idle", "300ms"]);
    let next = tester.next();
    run_case(next["url"].as_str().unwrap(), &Options::default()).unwrap();
    let (status, stdout, _) = tester.end();
    assert_eq!(status.code(), Some(1));
    assert!(
        stdout.contains("the client asked for no more: did it die?"),
        "{stdout}"
    );
}

#[test]
fn what_is_no_request_for_a_websocket_fails_the_case() {
    let tester = Tester::start(&["--case", "answering.plain"]);
    tester.next();
    let answer = tester.get("/case/answering.plain");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    assert_eq!(tester.next()["done"], true);
    let (status, stdout, _) = tester.end();
    assert_eq!(status.code(), Some(1));
    assert!(
        stdout.contains("expected a request for a WebSocket with Upgrade: websocket"),
        "{stdout}"
    );
}

/// What `--run` starts in these tests: this program, with a URL in the environment.
#[test]
fn an_echo_in_a_process_of_its_own() {
    let Ok(url) = std::env::var("LONGWIRE_CHECK_URL") else {
        return;
    };
    let compression = std::env::var("LONGWIRE_CHECK_COMPRESSION").as_deref() == Ok("true");
    let names = std::env::var("LONGWIRE_CHECK_SUBPROTOCOLS").unwrap_or_default();
    let names: Vec<String> = names.split_terminator(',').map(str::to_owned).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _ = runtime.block_on(check_client::echo(&url, &names, compression));
    // Only the tester ends it.
    std::thread::sleep(std::time::Duration::from_mins(5));
}

#[cfg(unix)]
#[test]
fn a_command_is_started_for_each_case_and_killed_at_its_end() {
    let this = std::env::current_exe().unwrap();
    let command = format!(
        "LONGWIRE_CHECK_URL={{url}} LONGWIRE_CHECK_COMPRESSION={{compression}} \
         LONGWIRE_CHECK_SUBPROTOCOLS={{subprotocols}} '{}' --exact \
         check::an_echo_in_a_process_of_its_own",
        this.display()
    );
    let chosen = [
        "--case",
        "request.*",
        "--case",
        "deflate.text-*",
        "--case",
        "close.code-10*",
    ];
    let options = [
        "--run",
        &command,
        "--strict",
        "--patience",
        "20s",
        "--verbose",
    ];
    let tester = Tester::start(&[&chosen[..], &options].concat());
    let address = tester.address.clone();
    let (status, stdout, stderr) = tester.end();
    assert!(status.success(), "{stdout}{stderr}");
    assert!(!stdout.contains("skipped"), "{stdout}{stderr}");
    // None of them is left.
    let left = Command::new("pgrep").args(["-f", &address]).output();
    assert!(left.is_err() || left.unwrap().stdout.is_empty());
}

#[test]
fn a_command_that_does_not_connect_fails_its_case_with_what_it_said() {
    let tester = Tester::start(&[
        "--run",
        "echo starting; echo no such module >&2; exit 3",
        "--case",
        "answering.plain",
        "--patience",
        "200ms",
    ]);
    let (status, stdout, _) = tester.end();
    assert_eq!(status.code(), Some(1));
    assert!(
        stdout.contains("the command did not connect: exit status: 3"),
        "{stdout}"
    );
    assert!(stdout.contains("no such module"), "{stdout}");
}

/// The example of `docs/check.md` in a language.
fn example(language: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/check.md");
    let text = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{language}\n");
    let (_, rest) = text.split_once(&fence).unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

#[test]
fn the_documented_examples_are_whole_test_programs() {
    for (peer, language) in [(Peer::Node, "js"), (Peer::Python, "python")] {
        let Some(peer) = require(peer) else {
            continue;
        };
        let options = [
            "--case",
            "control.*",
            "--case",
            "deflate.text-1*",
            "--case",
            "request.*",
        ];
        let tester = Tester::start(&[&options[..], &["--patience", "20s"]].concat());
        let url = format!("http://{}", tester.address);
        let output = peer.source(&example(language)).arg(url).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let (status, stdout, _) = tester.end();
        assert!(status.success(), "{stdout}");
        assert!(!stdout.contains("skipped"), "{stdout}");
    }
}

#[test]
fn an_address_that_is_taken_and_a_pattern_that_fits_nothing_are_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["check", "client", "--listen", &address], b"");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("--listen takes another address"),
        "{stderr}"
    );
    let output = run(&["check", "client", "--case", "nothing"], b"");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("`longwire check list` has their ids"),
        "{stderr}"
    );
}
