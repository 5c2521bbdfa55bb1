//! The control channel: a client's test program asks which case comes next, by
//! HTTP or by WebSocket, and connects to it on the same port. `docs/check.md`
//! describes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::accept::{accepting, asks_for_a_websocket};
use super::desk::{Arrival, Desk, Offer};
use super::log::{By, Log};
use super::report::Report;
use super::session::{Playing, Session};
use crate::wire::{Frame, Head, Opcode, read_head};

/// Connections at once; further ones wait.
const MOST_CONNECTIONS: usize = 256;

/// How long a request may take to come, and an answer to go.
const WITHIN: Duration = Duration::from_secs(10);

/// How long the listener rests where it cannot accept.
const REST: Duration = Duration::from_millis(100);

/// Bytes of a client's name.
const MOST_NAME: usize = 200;

/// What is told to whoever asks once all is done.
const DONE: &str = r#"{"done":true}"#;

const HOW_TO: &str = "\
longwire check client plays the server here.

GET /next?client=NAME  the next case, or {\"done\":true}; a WebSocket there gets the same
GET /report            the report so far

Connect to a case's \"url\", echo each message as it came until the connection ends,
then ask for the next.
";

/// What the channel needs to know.
pub(crate) struct Channel {
    pub(crate) desk: Arc<Desk>,
    /// What came of the cases so far.
    pub(crate) report: Arc<Mutex<Report>>,
    pub(crate) patience: Duration,
}

impl Channel {
    /// Answers connections, for as long as this is polled.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                sleep(REST).await;
                continue;
            };
            let channel = Arc::clone(&self);
            tokio::spawn(async move {
                channel.attend(stream).await;
                drop(slot);
            });
        }
    }

    async fn attend(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut log = Log::new();
        let (head, unread) = match timeout(WITHIN, read_head(&mut stream)).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => return self.desk.note(error.to_string()),
            Err(_) => return self.desk.note("no whole request".to_owned()),
        };
        self.desk.hear();
        let (path, query) = match head.request() {
            Some((_, target)) => target.split_once('?').unwrap_or((target, "")),
            None => return answer(&mut stream, "400 Bad Request", "expected a request\n").await,
        };
        if let Some(id) = path.strip_prefix("/case/") {
            log.head(By::Peer, &String::from_utf8_lossy(&head.encode()));
            let arrival = Arrival {
                stream: Box::new(stream),
                unread,
                log,
                head: head.clone(),
            };
            if let Err(mut arrival) = self.desk.hand_over(id, arrival) {
                let why = "this case waits for nobody: /next tells which does\n";
                answer(&mut arrival.stream, "404 Not Found", why).await;
            }
            return;
        }
        if head.request().is_none_or(|(method, _)| method != "GET") {
            let why = "expected GET\n";
            return answer(&mut stream, "405 Method Not Allowed", why).await;
        }
        match path {
            "/next" => self.next(stream, head.clone(), unread, query).await,
            "/report" => {
                let json = self.report_so_far();
                answer(&mut stream, "200 OK", &json).await;
            }
            "/" => answer(&mut stream, "200 OK", HOW_TO).await,
            _ => answer(&mut stream, "404 Not Found", HOW_TO).await,
        }
    }

    fn report_so_far(&self) -> String {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.to_json()
    }

    /// Tells the next case, once there is one.
    async fn next(&self, mut stream: TcpStream, head: Head, unread: Vec<u8>, query: &str) {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let name = pairs.into_iter().find(|(key, _)| key == "client");
        if let Some((_, name)) = name.filter(|(_, name)| !name.is_empty()) {
            let name: String = name.chars().take(MOST_NAME).collect();
            if let Err(known) = self.desk.name(&name) {
                let why = format!("this run tests {known:?}: start another for {name:?}\n");
                return answer(&mut stream, "409 Conflict", &why).await;
            }
        }
        if head.get("Upgrade").is_none() {
            return self.next_by_http(stream).await;
        }
        if let Err(why) = asks_for_a_websocket(&head) {
            return answer(&mut stream, "400 Bad Request", &format!("{why}\n")).await;
        }
        if stream.write_all(&accepting(&head).encode()).await.is_ok() {
            self.next_by_websocket(stream, head, unread).await;
        }
    }

    async fn next_by_http(&self, mut stream: TcpStream) {
        let Some(offer) = self.offered(&stream).await else {
            return;
        };
        let told = told(offer.as_ref());
        let written = timeout(WITHIN, write(&mut stream, "200 OK", told)).await;
        self.settle(offer, matches!(written, Ok(Ok(()))));
    }

    async fn next_by_websocket(&self, stream: TcpStream, head: Head, unread: Vec<u8>) {
        let Some(offer) = self.offered(&stream).await else {
            return;
        };
        let told = told(offer.as_ref()).to_owned();
        let mut session = Session::new(
            Box::new(stream),
            Playing::Server,
            head,
            unread,
            None,
            self.patience,
            Log::new(),
        );
        session.send(Frame::new(Opcode::TEXT, told)).await;
        // A client that answers the Close frame has read what came before it.
        session.close().await;
        self.settle(offer, true);
    }

    /// What is offered next, `Some(None)` once all is done; `None` where the
    /// client hangs up before.
    async fn offered(&self, stream: &TcpStream) -> Option<Option<Offer>> {
        tokio::select! {
            offer = self.desk.next() => Some(offer),
            () = hangs_up(stream) => None,
        }
    }

    fn settle(&self, offer: Option<Offer>, told: bool) {
        match offer {
            Some(offer) if told => {
                // The case may have given up meanwhile.
                let _ = offer.taken.send(());
            }
            Some(offer) => self.desk.put_back(offer),
            None => self.desk.bid_farewell(),
        }
    }
}

fn told(offer: Option<&Offer>) -> &str {
    offer.map_or(DONE, |offer| &offer.told)
}

/// Resolves when the peer has ended its stream and said nothing more.
async fn hangs_up(stream: &TcpStream) {
    match stream.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

async fn answer(stream: &mut (impl longwire::Transport + ?Sized), status: &str, body: &str) {
    let _ = timeout(WITHIN, write(stream, status, body)).await;
}

/// Writes a response and ends the stream. Pages from elsewhere may read it: a
/// browser is a client too.
async fn write(
    stream: &mut (impl longwire::Transport + ?Sized),
    status: &str,
    body: &str,
) -> std::io::Result<()> {
    let kind = if body.starts_with('{') {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
