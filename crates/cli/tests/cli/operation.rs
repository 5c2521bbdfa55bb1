//! `longwire serve` as a service: its configuration, its metrics, its signals.

use std::process::Stdio;

use longwire::{Error, Socket};
use serde_json::Value;

use crate::program::{longwire, run};
use crate::service::{Folder, Service, end, next, request};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_file_says_the_same_as_the_options_and_the_command_line_wins() {
    let folder = Folder::new("config");
    let file = folder.write(
        "longwire.toml",
        "listen = \"127.0.0.1:0\"\necho = [\"/a\", \"/b\"]\nmax-message = 10\nhttp2 = false\nexec-binary = true\nmax-connections = 7\n",
    );
    let printed = run(
        &[
            "serve",
            "--config",
            &file,
            "--max-connections",
            "8",
            "--print-config",
        ],
        b"",
    );
    let printed = text(&printed.stdout);
    for line in [
        "echo = [\"/a\", \"/b\"] # from the file",
        "max-message = \"10\" # from the file",
        "no-http2 = true # from the file",
        "exec-binary = true # from the file",
        "max-connections = \"8\" # from the command line",
        "max-frame = \"16M\" # by default",
    ] {
        assert!(
            printed.lines().any(|known| known == line),
            "{line} in\n{printed}"
        );
    }
    // What is printed is a file that says the same.
    let again = folder.write("again.toml", &printed);
    let reprinted = text(&run(&["serve", "--config", &again, "--print-config"], b"").stdout);
    let values = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .map(|line| line.split(" # ").next().unwrap().to_owned());
        lines.collect()
    };
    assert_eq!(values(&reprinted), values(&printed));

    let service = Service::run(&mut longwire(&["serve", "--config", &file]));
    for path in ["/a", "/b"] {
        let mut socket = longwire::connect(service.url(path)).await.unwrap();
        socket.send("short").await.unwrap();
        assert_eq!(next(&mut socket).await.as_text(), Some("short"));
        socket.send("far too long").await.unwrap();
        assert_eq!(end(&mut socket).await.0, 1009);
    }
}

#[test]
fn what_is_wrong_in_a_file_is_told_by_line_and_what_was_meant() {
    let folder = Folder::new("config-wrong");
    for (content, told) in [
        (
            "\nmax_message = 1\n",
            "wrong.toml:2: unknown key \"max_message\": did you mean \"max-message\"?",
        ),
        (
            "lissten = \"x\"",
            ":1: unknown key \"lissten\": did you mean \"listen\"?",
        ),
        (
            "zzzz = 1",
            ":1: unknown key \"zzzz\": `longwire serve --help` has the names",
        ),
        ("config = \"x\"", ":1: unknown key \"config\""),
        (
            "echo = true\n\nmax-message = \"5x\"",
            ":3: invalid value '5x'",
        ),
        ("threads = 0", ":1: invalid value '0'"),
        (
            "echo = true\nexec-binary = \"yes\"",
            ":2: expected true or false for exec-binary, got a string",
        ),
        ("[tls]\ncert = 1", ":1: unknown key \"tls\""),
        (
            "listen = { port = 1 }",
            ":1: expected a value for listen, got a table",
        ),
        (
            "origin = [\"a\"]\nallow-origin = [\"b\"]",
            "expected allow-origin once",
        ),
        ("a = ", ":1: "),
        (
            "tls-cert = \"a\"\ntls-self-signed = true",
            "cannot be used with",
        ),
    ] {
        let file = folder.write("wrong.toml", content);
        for further in [&[][..], &["--check-config"], &["--print-config"]] {
            let output = run(&[&["serve", "--config", &file], further].concat(), b"");
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{content}: {stderr}");
            assert!(stderr.contains(told), "{told:?} in {stderr}");
        }
    }
    let file = folder.write(
        "right.toml",
        "tls-cert = \"/nowhere\"\ntls-key = \"/nowhere\"",
    );
    let output = run(&["serve", "--config", &file, "--check-config"], b"");
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["serve", "--check-config"], b"");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("are in order"));
}

#[cfg(unix)]
#[test]
fn a_program_that_is_called_as_its_command_reads_its_file_too() {
    let folder = Folder::new("config-called");
    let file = folder.write("longwire.toml", "echo = true\n");
    let called = folder.path().join("serve");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_longwire"), &called).unwrap();
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "cd \"$0\" && PATH=. && serve serve --config \"$1\" --check-config",
    ]);
    let output = command.arg(folder.path()).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn what_would_keep_a_server_from_starting_is_found_before() {
    for (options, told) in [
        (&["--origin", "nonsense"][..], "expected an origin"),
        (&["--echo", "/connections", "--page", "/"], "/connections"),
        (&["--listen", "nonsense"], "expected an address"),
        (&["--metrics", "nonsense"], "expected an address"),
    ] {
        for further in [&["--check-config"][..], &[]] {
            let output = run(&[&["serve"], options, further].concat(), b"");
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{options:?}: {stderr}");
            assert!(stderr.contains(told), "{told:?} in {stderr}");
            assert!(!stderr.contains("could not listen"), "{stderr}");
        }
    }
}

#[test]
fn what_would_do_nothing_is_told() {
    for (options, told) in [
        (&["--view", "users"][..], "expected --auth"),
        (&["--echo", "--view", "local"], "expected --page"),
        (&["--echo", "--view-close"], "expected --page"),
        (&["--exec", ""], "expected a command"),
        (&["--exec", "/run= "], "expected a command"),
    ] {
        let output = run(&[&["serve", "--check-config"], options].concat(), b"");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{options:?}: {stderr}");
        assert!(stderr.contains(told), "{told:?} in {stderr}");
    }
}

/// The address of the metrics.
fn metrics_of(service: &Service) -> String {
    let line = service.said("/metrics");
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn metrics_are_apart_and_count_what_happens() {
    let service = Service::start(&["--echo", "--metrics", "127.0.0.1:0", "--max-message", "10"]);
    let metrics = metrics_of(&service);
    assert!(request(&service.address, "/metrics", "").starts_with("HTTP/1.1 404"));
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    for _ in 0..3 {
        socket.send("hello").await.unwrap();
        next(&mut socket).await;
    }
    let mut failing = longwire::connect(service.url("/")).await.unwrap();
    failing.send("far too long").await.unwrap();
    assert_eq!(end(&mut failing).await.0, 1009);
    let evil = longwire::ClientBuilder::new().origin("http://evil.example");
    assert!(evil.connect(&service.url("/")).await.is_err());
    service.logged("code=1006");
    let expected = [
        "longwire_sockets_open{route=\"/\"} 1",
        "longwire_sockets_opened_total{route=\"/\"} 2",
        "longwire_sockets_closed_total{code=\"1009\",by=\"violation\"} 1",
        "longwire_messages_total{direction=\"received\"} 3",
        "longwire_messages_total{direction=\"sent\"} 3",
        "longwire_refused_total{reason=\"forbidden\"} 1",
        "longwire_handshake_duration_seconds_count 3",
        "longwire_connections_total 4",
        "longwire_draining 0",
    ];
    let mut answer = String::new();
    crate::service::eventually("the metrics say so", || {
        answer = request(&metrics, "/metrics", "");
        expected
            .iter()
            .all(|line| answer.lines().any(|known| known == *line))
    });
    // What has passed on a socket counts after its end too.
    socket.close(1000, "").await.unwrap();
    crate::service::eventually("the sums stay", || {
        let answer = request(&metrics, "/metrics", "");
        answer.contains("longwire_sockets_open{route=\"/\"} 0\n")
            && answer.contains("longwire_messages_total{direction=\"sent\"} 3\n")
    });
    // What clients choose does not make a series each.
    for code in [3001, 3002, 4999] {
        let mut socket = longwire::connect(service.url("/")).await.unwrap();
        socket.close(code, "").await.unwrap();
    }
    crate::service::eventually("codes are counted by the thousand", || {
        let answer = request(&metrics, "/metrics", "");
        answer.contains("closed_total{code=\"3xxx\",by=\"client\"} 2\n")
            && answer.contains("closed_total{code=\"4xxx\",by=\"client\"} 1\n")
            && !answer.contains("code=\"300")
    });
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    // Each sample has a type, and is a number.
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let family = name.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .fold(family, |name, end| name.trim_end_matches(end));
        assert!(body.contains(&format!("# TYPE {family} ")), "{line}");
    }
    for (path, said) in [("/healthz", "alive"), ("/readyz", "ready")] {
        let answer = request(&metrics, path, "");
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(said),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_server_that_drains_is_alive_but_not_ready_and_takes_no_more() {
    let mut service = Service::start(&["--echo", "--metrics", "127.0.0.1:0", "--drain", "60s"]);
    let metrics = metrics_of(&service);
    // One that does not answer the Close frame holds it up.
    let mut deaf = std::net::TcpStream::connect(&service.address).unwrap();
    handshake(&mut deaf, &service.address);
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    service.signal("-TERM");
    assert_eq!(end(&mut socket).await.0, 1001);
    let answer = request(&metrics, "/readyz", "");
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("draining"),
        "{answer}"
    );
    assert!(request(&metrics, "/healthz", "").starts_with("HTTP/1.1 200"));
    // One that was under way as the signal came is closed at once.
    let deadline = tokio::time::Instant::now() + crate::service::PATIENCE;
    while longwire::connect(service.url("/")).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "no more are taken");
    }
    // Who asks twice does not wait.
    service.signal("-TERM");
    service.logged("stopped at once");
    assert!(service.ended().success());
}

fn handshake(stream: &mut std::net::TcpStream, address: &str) {
    use std::io::{Read as _, Write as _};
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
}

#[tokio::test]
async fn one_that_does_not_answer_is_told_of_when_the_time_is_up() {
    let mut service = Service::start(&["--echo", "--drain", "100ms"]);
    let mut deaf = std::net::TcpStream::connect(&service.address).unwrap();
    handshake(&mut deaf, &service.address);
    let peer = deaf.local_addr().unwrap();
    service.logged("socket opened");
    service.signal("-TERM");
    service.logged("stopped: 0 of 1 sockets closed");
    service.logged(&format!("{peer} did not answer the Close frame"));
    assert!(service.ended().success());
}

fn status(result: &Result<Socket, Error>) -> u16 {
    match result {
        Ok(_) => 101,
        Err(Error::Refused(refusal)) => refusal.status.as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_hangup_reads_the_configuration_again_and_a_wrong_one_changes_nothing() {
    let folder = Folder::new("reload");
    let tokens = folder.write("tokens", "ann:0123456789abcdef");
    let file = folder.write("longwire.toml", "echo = true\nlog = \"info\"\n");
    let service = Service::start(&["--config", &file]);
    let url = service.url("/");
    let mut open = longwire::connect(&url).await.unwrap();
    folder.write(
        "longwire.toml",
        &format!("echo = true\nlog = \"warn,longwire=info\"\nauth = \"token:{tokens}\"\nmax-message = 10\norigin = \"https://app.example\"\nthreads = 1\n"),
    );
    service.signal("-HUP");
    service.logged("threads stays as it was");
    service.logged("the configuration is read again");
    // It is told each time, as it is so until then.
    service.signal("-HUP");
    service.logged_times("threads stays as it was", 2);
    let client = |token: &str| longwire::ClientBuilder::new().bearer_token(token).unwrap();
    assert_eq!(status(&longwire::connect(&url).await), 401);
    let ann = client("0123456789abcdef").origin("https://app.example");
    let mut new = ann.connect(&url).await.unwrap();
    new.send("far too long").await.unwrap();
    assert_eq!(end(&mut new).await.0, 1009);
    // What was open goes on as it was.
    open.send("far too long").await.unwrap();
    assert_eq!(next(&mut open).await.as_text(), Some("far too long"));
    // A secret alone may change too.
    folder.write("tokens", "bob:fedcba9876543210");
    folder.write("longwire.toml", "echo = true\nmax-mesage = 1\n");
    service.signal("-HUP");
    service.logged("did you mean \"max-message\"?");
    assert_eq!(status(&client("0123456789abcdef").connect(&url).await), 101);
    folder.write(
        "longwire.toml",
        &format!("echo = true\nauth = \"token:{tokens}\"\nmax-frame = 9\n"),
    );
    service.signal("-HUP");
    let deadline = tokio::time::Instant::now() + crate::service::PATIENCE;
    while client("fedcba9876543210").connect(&url).await.is_err() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the new secret counts"
        );
    }
    assert_eq!(status(&client("0123456789abcdef").connect(&url).await), 401);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_manager_hands_over_the_socket_and_is_told_how_things_go() {
    use std::os::unix::net::UnixDatagram;
    let folder = Folder::new("systemd");
    let path = folder.path().join("notify");
    let notified = UnixDatagram::bind(&path).unwrap();
    notified
        .set_read_timeout(Some(crate::service::PATIENCE))
        .unwrap();
    let told = || {
        let mut state = [0; 256];
        let len = notified.recv(&mut state).unwrap();
        text(&state[..len])
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // The shell knows its own number, which the program keeps.
    let script = format!(
        "LISTEN_PID=$$ LISTEN_FDS=1 exec {} serve --echo 3<&0 0</dev/null",
        env!("CARGO_BIN_EXE_longwire")
    );
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args(["-c", &script])
        .env("NOTIFY_SOCKET", &path)
        .env_remove("RUST_LOG");
    let mut service = Service::run_with_stdin(
        &mut shell,
        Stdio::from(std::os::fd::OwnedFd::from(listener)),
    );
    assert_eq!(service.address, address);
    assert_eq!(told(), "READY=1");
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(next(&mut socket).await.as_text(), Some("hello"));
    service.signal("-TERM");
    assert_eq!(told(), "STOPPING=1");
    assert!(service.ended().success());
}

#[tokio::test]
async fn who_may_see_the_view_sees_connections_come_and_go_and_may_close_them_where_allowed() {
    for (options, may_close) in [(&[][..], false), (&["--view-close"][..], true)] {
        let service = Service::start(options);
        let mut view = longwire::connect(service.url("/connections"))
            .await
            .unwrap();
        let mut echo = longwire::connect(service.url("/echo?secret=1"))
            .await
            .unwrap();
        echo.send("hello").await.unwrap();
        next(&mut echo).await;
        let row = loop {
            let said: Value =
                serde_json::from_str(next(&mut view).await.as_text().unwrap()).unwrap();
            assert_eq!(said["may_close"], may_close);
            let row = said["connections"][0].clone();
            if row["sent"]["messages"] == 1 {
                break row;
            }
        };
        assert_eq!(row["path"], "/echo");
        assert_eq!(row["received"]["messages"], 1);
        assert_eq!(row["http"], "1.1");
        assert!(row["address"].as_str().unwrap().starts_with("127.0.0.1:"));
        view.send(format!("{{\"close\":{}}}", row["id"]))
            .await
            .unwrap();
        if may_close {
            assert_eq!(end(&mut echo).await.1, "closed by the operator");
        } else {
            echo.send("still here").await.unwrap();
            next(&mut echo).await;
            echo.close(1000, "").await.unwrap();
        }
        loop {
            let said: Value =
                serde_json::from_str(next(&mut view).await.as_text().unwrap()).unwrap();
            if said["open"] == 0 {
                break;
            }
        }
    }
}

#[tokio::test]
async fn the_view_is_for_nobody_who_only_seems_to_be_here() {
    let service = Service::start(&["--allow-origin", "*"]);
    let url = service.url("/connections");
    let client = longwire::ClientBuilder::new;
    assert_eq!(status(&client().connect(&url).await), 101);
    let elsewhere = client().origin("http://evil.example");
    assert_eq!(status(&elsewhere.connect(&url).await), 403);
    let proxied = client().header("X-Forwarded-For", "203.0.113.7");
    assert_eq!(status(&proxied.connect(&url).await), 403);
    for (options, expected) in [
        (&["--view", "off"][..], 403),
        (&["--page"], 403),
        (&["--page", "--view", "local"], 101),
    ] {
        let service = Service::start(options);
        let view = client().connect(&service.url("/connections")).await;
        assert_eq!(status(&view), expected, "{options:?}");
    }
}
