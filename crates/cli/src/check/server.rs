//! The server under test: how to get to it, and requests that may be wrong.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longwire::{ClientBuilder, Error, Transport};
use percent_encoding::percent_decode_str;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use url::Url;

use super::log::{By, Log};
use super::outcome::Outcome;
use super::session::{Playing, Session};
use crate::args::way::WayArgs;
use crate::wire::{DeflateParams, Head, HeadError, accept_for_key, read_head};

/// The server under test.
pub(crate) struct Server {
    client: ClientBuilder,
    /// The URL as it was given.
    pub(crate) url: String,
    /// The same without a password, for reports.
    pub(crate) shown: String,
    /// `Host` as the URL has it.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) resource: String,
    /// What the command line adds to each request.
    fields: Vec<(String, String)>,
    /// How long the server has for what is expected of it.
    pub(crate) patience: Duration,
    /// The logs of the connections of the case that runs.
    log: Mutex<Log>,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// The way to the server.
    Way(Error),
    /// No answer, or none that is HTTP.
    Head(HeadError),
    /// Nothing within the time.
    Silence,
    /// Another answer than 101.
    Refused(Head),
    /// The answer accepts wrongly.
    Wrong(String),
}

impl std::fmt::Display for Unopened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Way(error) => write!(f, "{error}"),
            Self::Head(error) => write!(f, "{error}"),
            Self::Silence => f.write_str("no answer to the handshake"),
            Self::Refused(head) => write!(f, "the handshake was answered with {}", head.first_line),
            Self::Wrong(why) => f.write_str(why),
        }
    }
}

impl Server {
    /// The server at a `ws` or `wss` URL.
    pub(crate) fn new(url: &str, way: &WayArgs, patience: Duration) -> Result<Self, Error> {
        let client = way.client()?;
        let parsed = Url::parse(url).map_err(|source| longwire::error::UsageError::Url {
            url: url.to_owned(),
            source,
        })?;
        let mut fields = way.header.clone();
        if !way.cookie.is_empty() {
            fields.push(("Cookie".to_owned(), way.cookie.join("; ")));
        }
        if let Some(origin) = &way.origin {
            fields.push(("Origin".to_owned(), origin.clone()));
        }
        if !way.subprotocol.is_empty() {
            let names = way.subprotocol.join(", ");
            fields.push(("Sec-WebSocket-Protocol".to_owned(), names));
        }
        let mut shown = parsed.clone();
        if parsed.password().is_some() {
            // A URL with a password has a host, so that one can be set.
            let _ = shown.set_password(Some("***"));
        }
        let credentials = match &way.user {
            Some(user) => Some(user.clone()),
            None if parsed.username().is_empty() => None,
            None => Some(format!(
                "{}:{}",
                percent_decode_str(parsed.username()).decode_utf8_lossy(),
                percent_decode_str(parsed.password().unwrap_or_default()).decode_utf8_lossy()
            )),
        };
        if let Some(mut credentials) = credentials
            && way.bearer.is_none()
        {
            if !credentials.contains(':') {
                credentials.push(':');
            }
            let value = format!("Basic {}", STANDARD.encode(credentials));
            fields.push(("Authorization".to_owned(), value));
        }
        if let Some(token) = &way.bearer {
            fields.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        let host = &parsed[url::Position::BeforeHost..url::Position::AfterPort];
        let resource = &parsed[url::Position::BeforePath..url::Position::AfterQuery];
        Ok(Self {
            client,
            url: url.to_owned(),
            shown: shown.to_string(),
            host: host.to_owned(),
            resource: resource.to_owned(),
            fields,
            patience,
            log: Mutex::new(Log::new()),
        })
    }

    /// The same server for one case, with a log of its own.
    pub(crate) fn for_case(&self) -> Self {
        Self {
            client: self.client.clone(),
            url: self.url.clone(),
            shown: self.shown.clone(),
            host: self.host.clone(),
            resource: self.resource.clone(),
            fields: self.fields.clone(),
            patience: self.patience,
            log: Mutex::new(Log::new()),
        }
    }

    /// What went over the wire so far.
    pub(crate) fn take_log(&self) -> Log {
        let mut log = self
            .log
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::replace(&mut log, Log::new())
    }

    /// Adds the log of a connection that is done.
    pub(crate) fn keep_log(&self, log: Log) {
        let mut whole = self
            .log
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        whole.append(log);
    }

    /// A byte stream to it, on which nothing has been said.
    pub(crate) async fn dial(&self) -> Result<Box<dyn Transport>, Unopened> {
        self.client.dial(&self.url).await.map_err(Unopened::Way)
    }

    /// A request that any server should accept.
    pub(crate) fn request(&self) -> Head {
        let key: [u8; 16] = rand::random();
        let mut fields = vec![
            ("Host".to_owned(), self.host.clone()),
            ("Upgrade".to_owned(), "websocket".to_owned()),
            ("Connection".to_owned(), "Upgrade".to_owned()),
            ("Sec-WebSocket-Key".to_owned(), STANDARD.encode(key)),
            ("Sec-WebSocket-Version".to_owned(), "13".to_owned()),
        ];
        fields.extend(self.fields.iter().cloned());
        Head {
            first_line: format!("GET {} HTTP/1.1", self.resource),
            fields,
        }
    }

    /// Sends bytes on a connection of their own and reads the head of the answer.
    pub(crate) async fn ask(&self, bytes: &[u8]) -> Result<Asked, Unopened> {
        self.ask_chopped(bytes, bytes.len()).await
    }

    /// The same in writes of `size` bytes.
    pub(crate) async fn ask_chopped(&self, bytes: &[u8], size: usize) -> Result<Asked, Unopened> {
        let mut log = Log::new();
        let asked = self.ask_logged(bytes, size, &mut log).await;
        match asked {
            Ok((stream, head, unread)) => Ok(Asked {
                stream,
                head,
                unread,
                log,
            }),
            Err(error) => {
                self.keep_log(log);
                Err(error)
            }
        }
    }

    async fn ask_logged(
        &self,
        bytes: &[u8],
        size: usize,
        log: &mut Log,
    ) -> Result<(Box<dyn Transport>, Head, Vec<u8>), Unopened> {
        let mut stream = self.dial().await?;
        let start = &bytes[..bytes.len().min(2000)];
        log.head(By::Tester, &String::from_utf8_lossy(start));
        // A server that has seen enough may hang up before all is written.
        for piece in bytes.chunks(size.max(1)) {
            let _ = timeout(self.patience, stream.write_all(piece)).await;
            let _ = timeout(self.patience, stream.flush()).await;
            if size < bytes.len() {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
        let read = timeout(self.patience, read_head(&mut stream)).await;
        let (head, unread) = match read {
            Err(_) => {
                log.text(By::Peer, "no answer");
                return Err(Unopened::Silence);
            }
            Ok(Err(error)) => {
                log.text(By::Peer, error.to_string());
                return Err(Unopened::Head(error));
            }
            Ok(Ok(read)) => read,
        };
        log.head(By::Peer, &String::from_utf8_lossy(&head.encode()));
        Ok((stream, head, unread))
    }

    /// Opens a connection in order, with this offer of permessage-deflate.
    pub(crate) async fn open(&self, offer: Option<&str>) -> Result<Session, Unopened> {
        let mut request = self.request();
        if let Some(offer) = offer {
            let field = ("Sec-WebSocket-Extensions".to_owned(), offer.to_owned());
            request.fields.push(field);
        }
        self.open_with(&request).await
    }

    /// Opens a connection with a request that should be accepted.
    pub(crate) async fn open_with(&self, request: &Head) -> Result<Session, Unopened> {
        let asked = self.ask(&request.encode()).await?;
        if asked.head.status() != Some(101) {
            self.keep_log(asked.log);
            return Err(Unopened::Refused(asked.head));
        }
        if let Err(why) = judge(&asked.head, request) {
            self.keep_log(asked.log);
            return Err(Unopened::Wrong(why));
        }
        Ok(self.session(asked))
    }

    /// The session that an answer began.
    pub(crate) fn session(&self, asked: Asked) -> Session {
        let extensions = asked.head.get("Sec-WebSocket-Extensions");
        let deflate = extensions.and_then(DeflateParams::parse);
        Session::new(
            asked.stream,
            Playing::Client,
            asked.head,
            asked.unread,
            deflate,
            self.patience,
            asked.log,
        )
    }
}

/// A connection on which a request was answered.
pub(crate) struct Asked {
    pub(crate) stream: Box<dyn Transport>,
    pub(crate) head: Head,
    /// What came behind the head.
    pub(crate) unread: Vec<u8>,
    pub(crate) log: Log,
}

/// Whether a 101 accepts the request as it should (RFC 6455 section 4.2.2, step 5).
pub(crate) fn judge(response: &Head, request: &Head) -> Result<(), String> {
    let key = request.get("Sec-WebSocket-Key").unwrap_or_default();
    let wanted = accept_for_key(key);
    let accept = response.get("Sec-WebSocket-Accept");
    if accept != Some(&wanted) {
        return Err(format!(
            "expected Sec-WebSocket-Accept: {wanted}, got {accept:?}"
        ));
    }
    let upgrade = response.get("Upgrade");
    if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(format!("expected Upgrade: websocket, got {upgrade:?}"));
    }
    let connection = response.get("Connection");
    let has_upgrade = |value: &str| {
        let mut options = value.split(',').map(str::trim);
        options.any(|option| option.eq_ignore_ascii_case("upgrade"))
    };
    if !connection.is_some_and(has_upgrade) {
        return Err(format!("expected Connection: Upgrade, got {connection:?}"));
    }
    Ok(())
}

/// A session that could not be opened fails the case.
impl From<Unopened> for Outcome {
    fn from(unopened: Unopened) -> Self {
        Self::Fail(format!("no connection: {unopened}"))
    }
}
