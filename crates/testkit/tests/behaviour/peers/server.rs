//! Foreign clients of our server.

use longwire::server::{Accept, Decision, Refuse, Route, UpgradeRequest};
use longwire::{CloseCode, Event, Result, Role, Server, Socket};
use serde_json::{Value, json};

use super::{CODES, Case, closes, pass, peers};
use crate::support::{TestServer, echo};

const PINGS: usize = 50;

const REFUSALS: [u16; 5] = [400, 401, 404, 429, 503];

fn may_be_sent(code: u16) -> bool {
    CloseCode::new(code).may_be_sent_by(Role::Server)
}

/// What the foreign servers do, by ours.
async fn our_server() -> TestServer {
    let mut server = Server::new()
        .route("/echo", echo)
        .route(format!("/ping/{PINGS}"), ping)
        .route("/chat", Route::new(echo).subprotocols(["v2", "v1"]))
        .route("/subprotocol", Route::new(echo).on_upgrade(choose_second))
        .route("/report", Route::new(report).on_upgrade(attach_report));
    for code in CODES.into_iter().filter(|code| may_be_sent(*code)) {
        server = server.route(
            format!("/close/{code}/because%20of%20th%C3%A4t"),
            move |socket| close(socket, code),
        );
    }
    for status in REFUSALS {
        let refuse = Route::new(echo).on_upgrade(move |_| async move { Err(refuse(status)) });
        server = server.route(format!("/refuse/{status}"), refuse);
    }
    TestServer::start(server).await
}

async fn close(mut socket: Socket, code: u16) -> Result<()> {
    let closed = socket.close(code, "because of thät").await?;
    assert!(closed.clean && closed.code == code, "{closed}");
    Ok(())
}

async fn ping(mut socket: Socket) -> Result<()> {
    let payloads: Vec<String> = (0..PINGS).map(|i| format!("ping {i}")).collect();
    for payload in &payloads {
        socket.ping(payload.clone()).await?;
    }
    let mut answers = Vec::new();
    while answers.len() < PINGS
        && let Some(event) = socket.next_event().await
    {
        if let Event::Pong(payload) = event? {
            answers.push(String::from_utf8(payload.to_vec()).unwrap());
        }
    }
    assert_eq!(answers, payloads);
    socket.send(format!("pongs: {PINGS}")).await?;
    echo(socket).await
}

#[derive(Clone)]
struct Report(String);

async fn attach_report(request: UpgradeRequest) -> Decision {
    let headers: Value = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let report = json!({"path": request.uri().to_string(), "headers": headers});
    Ok(Accept::new().attach(Report(report.to_string())))
}

async fn report(mut socket: Socket) -> Result<()> {
    let Report(report) = socket.extensions().get::<Report>().unwrap().clone();
    socket.send(report).await?;
    echo(socket).await
}

async fn choose_second(request: UpgradeRequest) -> Decision {
    Ok(Accept::new().subprotocol(&request.subprotocols()[1]))
}

fn refuse(status: u16) -> Refuse {
    let response = longwire::http::Response::builder()
        .status(status)
        .header("X-Why", "because")
        .body("not for you\n")
        .unwrap();
    Refuse::response(response)
}

/// Runs each foreign client through the scenarios.
async fn clients(cases: &[Case]) -> Vec<Vec<Value>> {
    let mut told = Vec::new();
    for peer in peers() {
        let server = our_server().await;
        told.extend(pass(peer, &server.url(""), cases).await);
    }
    told
}

#[tokio::test]
async fn foreign_clients_get_back_what_they_send_in_all_sizes() {
    clients(&[("echo", json!({}), 14)]).await;
}

#[tokio::test]
async fn foreign_clients_may_send_in_fragments_with_pings_in_between() {
    clients(&[("fragments", json!({}), 10)]).await;
}

#[tokio::test]
async fn foreign_clients_get_every_pong_in_order_and_answer_our_pings() {
    let pinged = json!({"path": format!("/ping/{PINGS}"), "count": PINGS});
    clients(&[("ping", json!({}), 4), ("pinged", pinged, PINGS)]).await;
}

#[tokio::test]
async fn foreign_clients_may_close_with_every_code_and_without_one() {
    clients(&[("close", json!({}), 49)]).await;
}

#[tokio::test]
async fn foreign_clients_are_told_our_code_and_reason() {
    let codes = CODES.into_iter().filter(|code| may_be_sent(*code));
    clients(&[("closed", closes(codes), 15)]).await;
}

#[tokio::test]
async fn foreign_clients_agree_with_us_on_a_subprotocol_and_show_their_headers() {
    let agree = |path: &str, offered: &[&str], expected: &str| {
        let parameters = json!({"path": path, "offered": offered, "expected": expected});
        ("subprotocol", parameters, 1)
    };
    let headers = json!({"x-mine": "yes", "authorization": "Bearer abc"});
    clients(&[
        agree("/chat", &["v1", "v2"], "v2"),
        agree("/chat", &["v1"], "v1"),
        agree("/chat", &["v3", "v1"], "v1"),
        agree("/subprotocol", &["a", "b", "c"], "b"),
        agree("/echo", &[], ""),
        ("report", json!({"path": "/report", "headers": headers}), 1),
    ])
    .await;
}

#[tokio::test]
async fn foreign_clients_are_told_why_they_are_refused() {
    let refused = |status| {
        let path = format!("/refuse/{status}");
        ("handshake", json!({"path": path, "status": status}), 1)
    };
    let told = clients(&REFUSALS.map(refused)).await;
    for steps in told {
        assert_eq!(steps[0]["headers"]["x-why"], "because", "{steps:?}");
        assert_eq!(steps[0]["body"], "not for you\n", "{steps:?}");
    }
    clients(&[("handshake", json!({"path": "/nowhere", "status": 404}), 1)]).await;
}

#[tokio::test]
async fn foreign_clients_pass_with_our_origin_or_none_and_not_with_another() {
    for peer in peers() {
        let server = our_server().await;
        let from = |origin: Option<&str>, status| {
            let parameters = json!({"origin": origin, "status": status});
            ("handshake", parameters, 1)
        };
        let own = format!("http://{}", server.addr);
        let cases = [
            from(None, 101),
            from(Some(&own), 101),
            from(Some("http://evil.example"), 403),
            from(Some("null"), 403),
        ];
        pass(peer, &server.url(""), &cases).await;
    }
}
