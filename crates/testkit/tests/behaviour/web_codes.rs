//! Every close code that there could be, from either side of a standard `WebSocket`.

use longwire::web::{Event, ExceptionName, ReadyState, WebSocket};
use longwire_proto::Opcode;
use tokio::net::TcpListener;

use crate::support::Raw;
use crate::web::{closes, fails, next};

//= whatwg#feedback-from-the-protocol-5, whatwg#feedback-from-the-protocol-6 test
#[tokio::test]
async fn every_code_from_0_to_5000_of_a_server_is_told_or_fails_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    for code in 0..=5000_u16 {
        let socket = WebSocket::new(&url).unwrap();
        let mut raw = Raw::accept(&listener).await;
        assert_eq!(next(&socket).await, Event::Open);
        raw.send(Opcode::Close, &code.to_be_bytes()).await;
        drop(raw);
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => {
                assert_eq!(closes(&socket).await, (true, code, String::new()));
            }
            _ => fails(&socket).await,
        }
    }
}

//= whatwg#interface-definition-10, whatwg#interface-definition-13 test
#[tokio::test]
async fn every_code_from_0_to_5000_of_a_program_is_sent_or_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    for code in 0..=5000_u16 {
        if code != 1000 && !(3000..5000).contains(&code) {
            let socket = WebSocket::new(&url).unwrap();
            let error = socket.close(Some(code), None).unwrap_err();
            assert_eq!(error.name(), ExceptionName::InvalidAccessError, "{code}");
            assert_eq!(socket.ready_state(), ReadyState::Connecting);
            drop(Raw::accept(&listener).await);
            continue;
        }
        let socket = WebSocket::new(&url).unwrap();
        let mut raw = Raw::accept(&listener).await;
        assert_eq!(next(&socket).await, Event::Open);
        let reason = format!("\u{e9}{code}");
        socket.close(Some(code), Some(&reason)).unwrap();
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        assert_eq!(raw.read().await, Some((0x88, payload.clone())));
        raw.send(Opcode::Close, &payload).await;
        drop(raw);
        assert_eq!(closes(&socket).await, (true, code, reason));
    }
}
