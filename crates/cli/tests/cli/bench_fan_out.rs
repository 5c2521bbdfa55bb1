//! `longwire bench --fan-out`: one sends, all receive.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::bench::{bench, errors};
use crate::odd_server::{OddServer, TEXT, frame};
use crate::program::Serve;

#[test]
fn what_one_sends_all_receive_though_the_server_wraps_it() {
    let serve = Serve::start();
    let url = serve.url("/chat");
    let template = r#"{"type":"message","text":"{{token}}","id":1,"date":{{time}}}"#;
    for further in [&["--window", "3"][..], &["--rate", "200"]] {
        let arguments = [
            "-c",
            "5",
            "--fan-out",
            "-n",
            "60",
            "--template",
            template,
            &url,
        ];
        let (code, report) = bench(&[&arguments, further].concat());
        assert_eq!((code, errors(&report)), (0, vec![]), "{report}");
        assert_eq!(report["mode"], "fan-out");
        assert_eq!(report["messages"]["sent"], 60);
        assert_eq!(report["messages"]["received"], 300);
        assert_eq!(report["messages"]["lost"], 0);
    }
}

#[test]
fn who_does_not_receive_all_is_told() {
    // Sends to the others; the third member misses every fourth message.
    let members: Arc<Mutex<Vec<(usize, TcpStream)>>> = Arc::default();
    let server = OddServer::start(move |mut connection, number| {
        connection.accept()?;
        members.lock().unwrap().push((number, connection.writer()));
        for sent in 1.. {
            let message = connection.message()?;
            for (member, stream) in members.lock().unwrap().iter_mut() {
                if *member != number && !(*member == 2 && sent % 4 == 0) {
                    frame(stream, TEXT, &[b"<b>", &message[..], b"</b>"].concat())?;
                }
            }
        }
        Ok(())
    });
    // Opened one after the other, so that the numbers are those of the members.
    let arguments = [
        "-c",
        "4",
        "--ramp",
        "2s",
        "--fan-out",
        "--others-only",
        "-n",
        "40",
    ];
    let further = ["--answer-timeout", "2s", &server.url()];
    let (code, report) = bench(&[&arguments[..], &further].concat());
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["messages"]["sent"], 40);
    assert_eq!(report["messages"]["lost"], 10, "{report}");
    assert_eq!(report["messages"]["received"], 110);
}
