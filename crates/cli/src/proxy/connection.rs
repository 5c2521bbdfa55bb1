//! One connection through the proxy, from the client's request to the end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::time::{sleep, timeout};

use super::adapter::{self, Shape};
use super::body::Body;
use super::endpoint::{Stream, Upstream};
use super::event::{End, Exchange, Side, What};
use super::faults::Faults;
use super::idle::Moved;
use super::pump::{Over, pump};
use super::rewrite::{Rewriting, plain_response};
use super::sink::{Clock, Sink};
use super::tap::{Tap, TapOptions};
use super::{origin, redact};
use crate::output;
use crate::wire::{DeflateParams, Head, read_head};

/// How long a client may take to send its request.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// How long the other side may say nothing once one has ended.
const END_WITHIN: Duration = Duration::from_secs(10);

/// How long a server may say nothing to a plain request whose client has ended.
const PLAIN_WITHIN: Duration = Duration::from_mins(1);

/// How long both ends of a lost connection have to see that.
const LOST_WITHIN: Duration = Duration::from_secs(5);

/// How long a connection that is lost silently is held for ends that do not
/// notice.
const SILENT_WITHIN: Duration = Duration::from_hours(1);

/// Interim responses (RFC 9110 section 15.2) before the one that counts.
const MOST_INTERIM: usize = 16;

/// What all connections of a proxy have in common.
#[derive(Debug)]
pub(super) struct Between {
    pub(super) upstream: Upstream,
    /// How clients that speak no WebSocket, or a service that does not, are
    /// spoken to.
    pub(super) shape: Shape,
    /// Where the server is one of WebSockets and clients speak it themselves.
    pub(super) rewriting: Option<Rewriting>,
    /// Whether pages are judged here, and which may come through.
    pub(super) judge_origins: Option<Vec<String>>,
    pub(super) tap: TapOptions,
    pub(super) secrets: bool,
    pub(super) faults: Faults,
    /// How long a server may take to answer.
    pub(super) answer_within: Duration,
    pub(super) sink: Arc<Sink>,
}

/// One connection.
struct Connection<'b> {
    between: &'b Between,
    conn: u64,
    peer: String,
    clock: Clock,
    /// Whether it was told to be open, and not yet to be over.
    is_open: AtomicBool,
}

/// Leads a client's connection to its end.
pub(super) async fn serve(between: &Between, conn: u64, client: Stream, peer: String) {
    let connection = Connection {
        between,
        conn,
        peer,
        clock: Clock::start(),
        is_open: AtomicBool::new(false),
    };
    tokio::select! {
        () = connection.lead(client) => {}
        () = between.sink.stopped() => {
            if connection.is_open.load(Ordering::Relaxed) {
                connection.end("proxy", "it was stopped");
            }
        }
    }
}

impl Connection<'_> {
    async fn lead(&self, mut client: Stream) {
        let (request, rest) = match timeout(REQUEST_WITHIN, read_head(&mut client)).await {
            Ok(Ok(read)) => read,
            // Browsers open connections to have them at hand.
            Ok(Err(crate::wire::HeadError::Ended(0))) => return,
            Ok(Err(error)) => {
                return self
                    .refuse(client, "400 Bad Request", &error.to_string())
                    .await;
            }
            Err(_) => {
                let why = "no request came";
                return self.refuse(client, "408 Request Timeout", why).await;
            }
        };
        if let Some(allowed) = &self.between.judge_origins
            && !origin::is_allowed(&request, allowed)
        {
            let origin = request.get("Origin").unwrap_or_default();
            let why = format!("pages of {origin} may not come through (--allow-origin {origin})");
            return self.refuse(client, "403 Forbidden", &why).await;
        }
        let is_handshake = request
            .all("Upgrade")
            .any(|upgrade| upgrade.to_ascii_lowercase().contains("websocket"));
        if !is_handshake && !matches!(self.between.upstream, Upstream::WebSocket { .. }) {
            let why = "expected a WebSocket: there is no HTTP server behind this proxy";
            return self.refuse(client, "426 Upgrade Required", why).await;
        }
        if request.first_line.starts_with("CONNECT ") {
            let why = "this stands in front of one server: connect to it as to the server";
            return self.refuse(client, "405 Method Not Allowed", why).await;
        }
        let server = match self.between.upstream.open(self.between.answer_within).await {
            Ok(stream) => stream,
            Err(why) => return self.refuse(client, "502 Bad Gateway", &why).await,
        };
        let server: Stream = match &self.between.upstream {
            Upstream::WebSocket { .. } => server,
            Upstream::Tcp(_) | Upstream::Unix(_) => {
                Box::new(adapter::server(server, self.between.shape))
            }
        };
        if is_handshake {
            self.websocket(client, server, request, rest).await;
        } else {
            self.plain(client, server, request, rest).await;
        }
    }

    /// A handshake, and the frames behind it.
    async fn websocket(&self, client: Stream, mut server: Stream, asked: Head, rest: Vec<u8>) {
        let request = match &self.between.rewriting {
            Some(rewriting) => rewriting.handshake(asked),
            None => asked,
        };
        let answer = async {
            server.write_all(&request.encode()).await?;
            server.flush().await?;
            final_response(&mut server).await
        };
        let (response, behind) = match timeout(self.between.answer_within, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let why = format!("the server did not answer: {error}");
                return self.refuse(client, "502 Bad Gateway", &why).await;
            }
            Err(_) => {
                let why = "the server took too long to answer (--timeout)";
                return self.refuse(client, "504 Gateway Timeout", why).await;
            }
        };
        self.tell(What::Open(self.exchange(&request, &response)));
        let is_open = response.status() == Some(101);
        if response.status() == Some(403) && request.get("Origin").is_some() {
            let advice = "the server may want its own origin: --rewrite-origin";
            self.between.sink.note(self.conn, advice);
        }
        let mut client = client;
        let mut first = response.encode();
        if !is_open {
            first.extend_from_slice(&behind);
        }
        let written = async {
            client.write_all(&first).await?;
            client.flush().await
        };
        if written.await.is_err() {
            return self.end("client", "it went away before the answer");
        }
        if !is_open {
            return self.refused(client, server).await;
        }
        let params = response
            .all("Sec-WebSocket-Extensions")
            .find_map(DeflateParams::parse);
        self.frames(client, server, rest, behind, params).await;
    }

    /// A server's refusal: what it says more, and the end.
    async fn refused(&self, client: Stream, server: Stream) {
        let moved = Moved::now();
        let (mut client, mut server) = (moved.watch(client), moved.watch(server));
        let copying = copy_bidirectional(&mut client, &mut server);
        let _ = moved.or_idle(END_WITHIN, copying).await;
        self.end("server", "it refused the handshake");
    }

    async fn frames(
        &self,
        client: Stream,
        server: Stream,
        rest: Vec<u8>,
        behind: Vec<u8>,
        params: Option<DeflateParams>,
    ) {
        let between = self.between;
        let tap = |from| {
            let sink = Arc::clone(&between.sink);
            Tap::new(from, self.conn, self.clock, sink, between.tap, params)
        };
        let moved = Moved::now();
        let (mut from_client, mut to_client) = tokio::io::split(moved.watch(client));
        let (mut from_server, mut to_server) = tokio::io::split(moved.watch(server));
        let (mut up_tap, mut down_tap) = (tap(Side::Client), tap(Side::Server));
        let (up_lane, down_lane) = between.faults.lanes(self.conn);
        let lifetime = async {
            match between.faults.lifetime() {
                Some(lifetime) => sleep(lifetime).await,
                None => std::future::pending().await,
            }
        };
        let (side, over, is_cut_off) = {
            let up = pump(&mut from_client, &mut to_server, rest, &mut up_tap, up_lane);
            let down = pump(
                &mut from_server,
                &mut to_client,
                behind,
                &mut down_tap,
                down_lane,
            );
            let (mut up, mut down) = (pin!(up), pin!(down));
            let (side, over) = tokio::select! {
                over = &mut up => (Side::Client, over),
                over = &mut down => (Side::Server, over),
                () = lifetime => (Side::Client, Over::Lost),
            };
            // What the other side has still to say.
            let within = END_WITHIN + between.faults.most_latency();
            let last = match (side, &over) {
                (Side::Client, Over::Ended) => moved.or_idle(within, down).await,
                (Side::Server, Over::Ended) => moved.or_idle(within, up).await,
                _ => Some(Over::Ended),
            };
            match last {
                Some(Over::Lost) => (side, Over::Lost, false),
                Some(_) => (side, over, false),
                None => (side, over, true),
            }
        };
        let within = if up_tap.is_within_a_frame() || down_tap.is_within_a_frame() {
            ", within a frame"
        } else {
            ""
        };
        match over {
            Over::Ended => {
                let (by, why) = ending(side, &up_tap, &down_tap);
                let cut_off = if is_cut_off {
                    let (by, after) = (side.other().name(), END_WITHIN.as_secs());
                    format!("; the {by} did not end, and was cut off after {after} s of silence")
                } else {
                    String::new()
                };
                self.end(by.name(), &format!("{why}{within}{cut_off}"));
            }
            Over::Failed(error) => self.end(side.name(), &format!("{error}{within}")),
            Over::Lost => {
                self.end("proxy", &format!("the connection was dropped{within}"));
                let is_silent = between.faults.drop_silently();
                if !is_silent {
                    let _ = tokio::join!(to_client.shutdown(), to_server.shutdown());
                }
                // What is not read any more would take back what was written last.
                let silence = async {
                    tokio::join!(silence(&mut from_client), silence(&mut from_server));
                };
                let most = if is_silent {
                    SILENT_WITHIN
                } else {
                    LOST_WITHIN
                };
                let _ = timeout(most, silence).await;
            }
        }
    }

    /// A plain request, whose answer is not looked at.
    async fn plain(&self, client: Stream, server: Stream, asked: Head, mut rest: Vec<u8>) {
        let mut body = match Body::of(&asked) {
            Ok(body) => body,
            Err(why) => return self.refuse(client, "400 Bad Request", &why).await,
        };
        let request = match &self.between.rewriting {
            Some(rewriting) => rewriting.plain(asked),
            None => asked,
        };
        let moved = Moved::now();
        let (mut from_client, mut to_client) = tokio::io::split(moved.watch(client));
        let (mut from_server, mut to_server) = tokio::io::split(moved.watch(server));
        let up = async {
            to_server.write_all(&request.encode()).await?;
            loop {
                let of_body = body.take(&rest).map_err(std::io::Error::other)?;
                rest.truncate(of_body);
                to_server.write_all(&rest).await?;
                to_server.flush().await?;
                rest.clear();
                if body.is_over() {
                    break;
                }
                if from_client.read_buf(&mut rest).await? == 0 {
                    return to_server.shutdown().await;
                }
            }
            // Another request on this connection would pass unseen: the response
            // says that it is closed, and clients ask again on the next.
            silence(&mut from_client).await;
            to_server.shutdown().await
        };
        let down = async {
            let (response, behind) = final_response(&mut from_server)
                .await
                .map_err(|error| std::io::Error::other(error.to_string()))?;
            self.tell(What::Http(self.exchange(&request, &response)));
            let head = plain_response(response).encode();
            to_client.write_all(&head).await?;
            to_client.write_all(&behind).await?;
            to_client.flush().await?;
            tokio::io::copy(&mut from_server, &mut to_client).await?;
            to_client.shutdown().await
        };
        let (mut up, mut down) = (pin!(up), pin!(down));
        let result = tokio::select! {
            result = &mut down => result,
            result = &mut up => match result {
                // A client that has said all may still wait for the answer.
                Ok(()) => moved.or_idle(PLAIN_WITHIN, down).await.unwrap_or_else(|| {
                    let after = PLAIN_WITHIN.as_secs();
                    let why = format!("the client has ended, and no answer came in {after} s");
                    Err(std::io::Error::other(why))
                }),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = result {
            let line = redact::target(&request.first_line);
            self.between
                .sink
                .note(self.conn, &format!("{line}: {error}"));
        }
    }

    /// Answers instead of the server, which could not.
    async fn refuse(&self, mut client: Stream, status: &str, why: &str) {
        self.end("proxy", &format!("{status}: {why}"));
        let body = format!("longwire proxy: {}\n", output::harmless(why));
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = async {
            client.write_all(response.as_bytes()).await?;
            client.shutdown().await
        };
        let _ = timeout(END_WITHIN, answer).await;
    }

    fn exchange(&self, request: &Head, response: &Head) -> Exchange {
        let (_, target) = request.request().unwrap_or_default();
        let url = self.between.upstream.url_of(target);
        let seen = |head: &Head| {
            if self.between.secrets {
                head.clone().into()
            } else {
                redact::head(head, response.get("Sec-WebSocket-Protocol")).into()
            }
        };
        Exchange {
            peer: self.peer.clone(),
            url: if self.between.secrets {
                url
            } else {
                redact::target(&url)
            },
            request: seen(request),
            response: seen(response),
        }
    }

    fn end(&self, by: &str, why: &str) {
        self.tell(What::End(End {
            by: by.to_owned(),
            why: why.to_owned(),
        }));
    }

    fn tell(&self, what: What) {
        match &what {
            What::Open(_) => self.is_open.store(true, Ordering::Relaxed),
            What::End(_) => self.is_open.store(false, Ordering::Relaxed),
            _ => {}
        }
        self.clock.tell(&self.between.sink, self.conn, what);
    }
}

/// Who ended a connection, and how, where one side has ended its stream.
fn ending(side: Side, up: &Tap, down: &Tap) -> (Side, String) {
    let with = |code: Option<u16>| match code {
        Some(code) => format!("closed with {code}"),
        None => "closed without a code".to_owned(),
    };
    let unanswered = |code, other: Side| {
        let by = other.name();
        format!("{}, and the {by} did not answer", with(code))
    };
    match (up.closed(), down.closed()) {
        (Some(client), Some(server)) if client.at <= server.at => (Side::Client, with(client.code)),
        (_, Some(server)) if up.closed().is_some() => (Side::Server, with(server.code)),
        (Some(client), None) => (Side::Client, unanswered(client.code, Side::Server)),
        (_, Some(server)) => (Side::Server, unanswered(server.code, Side::Client)),
        (None, None) => (side, "it ended the stream without a Close frame".to_owned()),
    }
}

/// Takes what one end sends and says nothing, until it gives up.
async fn silence(from: &mut (impl AsyncRead + Unpin)) {
    let mut scratch = vec![0; 4096];
    while let Ok(1..) = from.read(&mut scratch).await {}
}

/// The response that counts.
async fn final_response(
    server: &mut (impl AsyncRead + Unpin),
) -> Result<(Head, Vec<u8>), crate::wire::HeadError> {
    let (mut response, mut behind) = read_head(server).await?;
    for _ in 0..MOST_INTERIM {
        if !matches!(response.status(), Some(100 | 102..=199)) {
            break;
        }
        // Nobody asked for it: `Expect` is not passed on.
        let mut before = &behind[..];
        let (next, mut rest) = read_head(&mut (&mut before).chain(&mut *server)).await?;
        rest.extend_from_slice(before);
        (response, behind) = (next, rest);
    }
    Ok((response, behind))
}
