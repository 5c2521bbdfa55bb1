//! What `longwire serve` serves where it is told what: an echo, a broadcast, a process
//! for each connection, files, a page.

use std::process::Command;

use longwire::ClientBuilder;

use crate::program::run;
use crate::service::{Folder, Service, end, eventually, next, request};

#[tokio::test]
async fn an_echo_and_a_broadcast_have_their_paths_and_nothing_else_is_there() {
    let service = Service::start(&["--echo", "/echo", "--broadcast", "/news"]);
    let mut socket = longwire::connect(service.url("/echo")).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(next(&mut socket).await.as_text(), Some("hello"));
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(longwire::connect(service.url("/news")).await.unwrap());
    }
    // A member is one once it has heard itself.
    for socket in &mut all {
        socket.send("here").await.unwrap();
        assert_eq!(next(socket).await.as_text(), Some("here"));
    }
    all[0]
        .send(longwire::Message::binary(vec![1, 2]))
        .await
        .unwrap();
    for socket in &mut all {
        loop {
            let message = next(socket).await;
            if message.is_binary() {
                assert_eq!(message.as_bytes(), [1, 2]);
                break;
            }
        }
    }
    assert!(longwire::connect(service.url("/chat")).await.is_err());
    assert!(request(&service.address, "/", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn two_services_at_one_path_are_told_apart_by_the_error() {
    let output = run(&["serve", "--echo", "--broadcast"], b"");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("two at /: give them paths"), "{told}");
}

#[tokio::test]
async fn the_files_of_a_folder_are_served_beside_sockets() {
    let folder = Folder::new("static");
    folder.write("public/index.html", "<p>hello");
    folder.write("public/.env", "SECRET=1");
    folder.write("outside", "secret");
    let public = folder.path().join("public");
    let service = Service::start(&["--static", public.to_str().unwrap(), "--echo"]);
    let answer = request(&service.address, "/", "");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("<p>hello"),
        "{answer}"
    );
    for path in ["/.env", "/../outside", "/%2e%2e/outside", "/nothing"] {
        let answer = request(&service.address, path, "");
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(next(&mut socket).await.as_text(), Some("hello"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_speaks_by_lines_and_knows_the_request() {
    let command = "/run=echo \"$REQUEST_METHOD $SCRIPT_NAME|$PATH_INFO|$QUERY_STRING|$HTTP_X_MINE|$HTTP_PROXY$HTTP_AUTHORIZATION|$GIVEN$HIDDEN\"; while read -r line; do echo \"<$line>\"; done; echo bye";
    let options = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--exec",
        command,
        "--exec-env",
        "GIVEN",
    ];
    let mut serve = crate::program::longwire(&options);
    let service = Service::run(serve.env("GIVEN", "given").env("HIDDEN", "hidden"));
    let client = ClientBuilder::new()
        .header("X-Mine", "mine")
        .header("Proxy", "http://evil.example")
        .bearer_token("secret")
        .unwrap();
    let mut socket = client
        .connect(&service.url("/run/a%20b?c=d"))
        .await
        .unwrap();
    let told = next(&mut socket).await;
    assert_eq!(told.as_text(), Some("GET /run|/a b|c=d|mine||given"));
    for line in ["one", "two; exit 1", ""] {
        socket.send(line).await.unwrap();
        assert_eq!(
            next(&mut socket).await.as_text(),
            Some(format!("<{line}>").as_str())
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_end_of_a_process_ends_its_socket_by_its_result() {
    let service = Service::start(&[
        "--exec",
        "/well=echo out; echo err >&2",
        "--exec",
        "/failed=echo out; exit 3",
        "--exec",
        "/missing=longwire-no-such-command",
        "--exec",
        "/endless=head -c 17000000 /dev/zero",
    ]);
    for (path, output, code) in [
        ("/well", true, 1000),
        ("/failed", true, 1011),
        ("/missing", false, 1011),
        ("/endless", false, 1011),
    ] {
        let mut socket = longwire::connect(service.url(path)).await.unwrap();
        if output {
            assert_eq!(next(&mut socket).await.as_text(), Some("out"));
        }
        assert_eq!(end(&mut socket).await.0, code, "{path}");
    }
    service.logged("err");
    service.logged("exit status: 3");
}

#[cfg(unix)]
#[tokio::test]
async fn bytes_pass_as_they_are_where_lines_are_not_wanted() {
    let service = Service::start(&["--exec", "cat", "--exec-binary"]);
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    let sent: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    socket
        .send(longwire::Message::binary(sent.clone()))
        .await
        .unwrap();
    let mut got = Vec::new();
    while got.len() < sent.len() {
        let message = next(&mut socket).await;
        assert!(message.is_binary());
        got.extend_from_slice(message.as_bytes());
    }
    assert_eq!(got, sent);
}

/// Whether a process is there, and no zombie.
fn lives(pid: &str) -> bool {
    let output = Command::new("ps")
        .args(["-o", "stat=", "-p", pid])
        .output()
        .unwrap();
    !String::from_utf8(output.stdout).unwrap().trim().is_empty()
}

#[cfg(unix)]
#[tokio::test]
async fn no_process_outlives_its_socket() {
    // Each says who it is, and who its child is; the second does not obey SIGTERM.
    let quiet = "/quiet=sleep 1000 & echo $$ $!; wait";
    let deaf = "/deaf=trap '' TERM; sleep 1000 & echo $$ $!; while :; do wait; sleep 1000; done";
    let service = Service::start(&["--exec", quiet, "--exec", deaf, "--exec-grace", "100ms"]);
    for path in ["/quiet", "/deaf"] {
        for clean in [true, false] {
            let mut socket = longwire::connect(service.url(path)).await.unwrap();
            let pids = next(&mut socket).await;
            let pids: Vec<_> = pids
                .as_text()
                .unwrap()
                .split(' ')
                .map(str::to_owned)
                .collect();
            assert!(pids.iter().all(|pid| lives(pid)), "{pids:?}");
            if clean {
                socket.close(1000, "").await.unwrap();
            } else {
                socket.terminate();
            }
            eventually("they end", || !pids.iter().any(|pid| lives(pid)));
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_leaves_the_group_of_a_command_holds_nothing_of_its_socket() {
    let away = "echo $$; setsid sh -c 'echo $$; exec sleep 1000' & wait";
    let service = Service::start(&["--exec", away, "--exec-grace", "100ms"]);
    let pipes = || {
        let folder = format!("/proc/{}/fd", service.id());
        let files = std::fs::read_dir(folder).unwrap().flatten();
        let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        let all = links.filter(|link| link.to_string_lossy().starts_with("pipe:"));
        all.count()
    };
    let before = pipes();
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    next(&mut socket).await;
    let away = next(&mut socket).await;
    assert!(pipes() > before);
    socket.close(1000, "").await.unwrap();
    eventually("the pipes are closed", || pipes() == before);
    let pid = away.as_text().unwrap();
    assert!(lives(pid), "it has left the group");
    Command::new("kill").arg(pid).status().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn no_process_outlives_its_server() {
    let command = "trap '' TERM; sleep 1000 & echo $$ $!; while :; do wait; sleep 1000; done";
    for signals in [1, 2] {
        let mut service = Service::start(&["--exec", command, "--drain", "200ms"]);
        let mut socket = longwire::connect(service.url("/")).await.unwrap();
        let pids = next(&mut socket).await;
        let pids: Vec<_> = pids
            .as_text()
            .unwrap()
            .split(' ')
            .map(str::to_owned)
            .collect();
        service.signal("-TERM");
        if signals == 2 {
            service.logged("once more stops at once");
            service.signal("-TERM");
        }
        assert!(service.ended().success());
        eventually("they end", || !pids.iter().any(|pid| lives(pid)));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_is_asked_to_end_before_a_short_drain_is_over() {
    let folder = Folder::new("exec-drain");
    let state = folder.path().join("state");
    let command = format!(
        "trap 'echo saved > {}; exit' TERM; echo here; while :; do sleep 0.1; done",
        state.display()
    );
    let mut service = Service::start(&["--exec", &command, "--exec-grace", "30s", "--drain", "2s"]);
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    assert_eq!(next(&mut socket).await.as_text(), Some("here"));
    service.signal("-TERM");
    assert!(service.ended().success());
    assert!(state.exists(), "its state is saved");
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_waits_for_a_client_that_does_not_read() {
    // As much as it can, and then it says how much that was.
    let folder = Folder::new("exec-slow");
    let count = folder.path().join("count");
    let command = format!(
        "i=0; while [ $i -lt 4000 ]; do head -c 65535 /dev/zero | tr '\\0' x; echo; i=$((i+1)); echo $i > {}; done",
        count.display()
    );
    let service = Service::start(&["--exec", &command, "--compression", "off"]);
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    assert_eq!(next(&mut socket).await.len(), 65_535);
    let written = || {
        let text = std::fs::read_to_string(&count).unwrap_or_default();
        text.trim().parse::<usize>().unwrap_or(0)
    };
    // It stands still far from its end: kernel buffers and the high-water mark are full.
    let mut last = (0, std::time::Instant::now());
    eventually("it stands still", || {
        let now = written();
        if now != last.0 {
            last = (now, std::time::Instant::now());
        }
        now > 0 && last.1.elapsed() > std::time::Duration::from_millis(500)
    });
    assert!(last.0 < 2000, "{} of 4000 lines were taken", last.0);
    // And goes on once the client reads.
    for _ in 0..last.0 + 10 {
        assert_eq!(next(&mut socket).await.len(), 65_535);
    }
    eventually("it goes on", || written() > last.0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_does_not_read_ends_with_its_client_all_the_same() {
    let service = Service::start(&[
        "--exec",
        "echo $$; exec sleep 1000",
        "--heartbeat",
        "200ms",
        "--exec-grace",
        "100ms",
    ]);
    let mut socket = longwire::connect(service.url("/")).await.unwrap();
    let pid = next(&mut socket).await.as_text().unwrap().to_owned();
    // More than all buffers take.
    let flood = async {
        loop {
            let message = longwire::Message::binary(vec![0; 1 << 20]);
            socket.send(message).await.unwrap();
        }
    };
    let until = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(until, flood).await.is_err());
    assert!(lives(&pid));
    socket.terminate();
    drop(socket);
    eventually("it ends", || !lives(&pid));
}

#[cfg(unix)]
#[tokio::test]
async fn no_more_processes_run_than_may() {
    let service = Service::start(&[
        "--exec",
        "cat",
        "--max-processes",
        "1",
        "--metrics",
        "127.0.0.1:0",
    ]);
    let mut first = longwire::connect(service.url("/")).await.unwrap();
    first.send("x").await.unwrap();
    next(&mut first).await;
    match longwire::connect(service.url("/")).await {
        Err(longwire::Error::Refused(refusal)) => assert_eq!(refusal.status.as_u16(), 503),
        other => panic!("expected a refusal, got {other:?}"),
    }
    let metrics = service.said("/metrics");
    let metrics = metrics.split_once("http://").unwrap().1;
    let metrics = request(metrics.split('/').next().unwrap(), "/metrics", "");
    assert!(
        metrics.contains("refused_total{reason=\"max_processes\"} 1\n"),
        "{metrics}"
    );
    first.close(1000, "").await.unwrap();
    let deadline = tokio::time::Instant::now() + crate::service::PATIENCE;
    while longwire::connect(service.url("/")).await.is_err() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "there is room again"
        );
    }
}
