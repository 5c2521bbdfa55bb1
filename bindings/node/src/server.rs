//! The server's handshake, for requests that JavaScript has read.

use http::{Method, Request, Response, Uri, Version};
use longwire::server::{Accepted, Handshake, OriginPolicy};
use longwire::{Compression, Drive, Limits, Options};
use napi::Error;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::bridge::NativeBridge;
use crate::life::Gone;
use crate::mailbox::NativeMailbox;
use crate::runtime;
use crate::settings::{heartbeat, milliseconds, whole};
use crate::socket::NativeSocket;

/// What the sockets of a server are to be.
#[napi(object)]
#[derive(Default)]
pub struct SocketOptions {
    /// Largest message received, in bytes.
    pub max_payload: Option<f64>,
    /// Bytes that may wait to be sent.
    pub max_buffered_amount: Option<f64>,
    /// Whether messages are compressed: `shared` or `dedicated`.
    pub compression: Option<String>,
    /// The window's size of a dedicated context.
    pub window_bits: Option<u8>,
    /// zlib's `memLevel`.
    pub memory_level: Option<u8>,
    /// zlib's `level`.
    pub level: Option<u8>,
    /// Messages of fewer bytes are not compressed.
    pub threshold: Option<u32>,
    /// Milliseconds from one ping to the next; 0 for none.
    pub heartbeat_interval: Option<u32>,
    /// Milliseconds to answer one.
    pub heartbeat_timeout: Option<u32>,
    /// Milliseconds that the closing handshake may take.
    pub close_timeout: Option<u32>,
}

/// Above those of Node.
const HEADER_BYTES: usize = 1 << 20;
const HEADER_FIELDS: usize = 1 << 16;

/// zlib's, where nothing else is said.
const WINDOW_BITS: u8 = 15;
const MEMORY_LEVEL: u8 = 8;

impl SocketOptions {
    pub(crate) fn options(&self) -> Options {
        // Node has bounds of its own for what a request may have.
        let mut limits = Limits::default()
            .header_bytes(HEADER_BYTES)
            .header_fields(HEADER_FIELDS);
        if let Some(max) = self.max_payload {
            limits = limits.message_size(whole(max)).frame_size(whole(max));
        }
        if let Some(max) = self.max_buffered_amount {
            limits = limits.output_high_water(whole(max));
        }
        let compression = match self.compression.as_deref() {
            Some("shared") => Compression::Shared,
            Some("dedicated") => Compression::Dedicated {
                window_bits: self.window_bits.unwrap_or(WINDOW_BITS),
                memory_level: self.memory_level.unwrap_or(MEMORY_LEVEL),
            },
            _ => Compression::Off,
        };
        let mut options = Options::new(Drive::Caller)
            .limits(limits)
            .compression(compression);
        if let Some(level) = self.level {
            options = options.compression_level(level);
        }
        if let Some(threshold) = self.threshold {
            options = options.compression_threshold(threshold as usize);
        }
        if let Some(timeout) = self.close_timeout {
            options = options.close_timeout(milliseconds(timeout));
        }
        options.heartbeat(heartbeat(self.heartbeat_interval, self.heartbeat_timeout))
    }
}

/// A response that refuses.
#[napi(object, object_from_js = false)]
pub struct Refusal {
    /// Its status.
    pub status: u16,
    /// Names and values of its headers.
    pub headers: Vec<Vec<String>>,
    /// Its body, which says why.
    pub body: String,
}

/// A connection of the system that JavaScript hands over.
#[napi(object, object_to_js = false)]
pub struct Taken {
    /// Its descriptor, which stays the caller's.
    pub descriptor: i32,
    /// Whether it is a Unix socket, and not TCP.
    pub pipe: bool,
    /// The response, which is still to be written.
    pub head: Buffer,
    /// What was read behind the request.
    pub unhandled: Buffer,
}

/// A client's opening handshake, until it is accepted.
#[napi]
pub struct NativeHandshake {
    state: State,
}

enum State {
    Refused(Response<String>),
    Read(Box<Handshake>),
    Accepted(Box<Accepted>),
    Done,
}

fn out_of_order() -> Error {
    Error::from_reason("expected a handshake that is read, then accepted, then opened")
}

#[napi]
impl NativeHandshake {
    /// Reads a request. `headers` has names and values in turn.
    #[napi(constructor)]
    pub fn new(
        method: String,
        url: String,
        http_version: String,
        headers: Vec<String>,
        options: SocketOptions,
    ) -> Self {
        let state = match read(&method, &url, &http_version, &headers, options.options()) {
            Ok(handshake) => State::Read(Box::new(handshake)),
            Err(response) => State::Refused(*response),
        };
        Self { state }
    }

    /// The response to a request that is no handshake in due form.
    #[napi(getter)]
    pub fn refusal(&self) -> Option<Refusal> {
        let State::Refused(response) = &self.state else {
            return None;
        };
        Some(Refusal {
            status: response.status().as_u16(),
            headers: pairs(response),
            body: response.body().clone(),
        })
    }

    /// The subprotocols offered, the client's favourite first.
    #[napi(getter)]
    pub fn offered(&self) -> Vec<String> {
        match &self.state {
            State::Read(handshake) => handshake.offered_subprotocols().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Why a page may not open a socket: `policy` is `any`, `same-origin`, `same-site` or
    /// `list`, for which only those that are `allowed` may.
    #[napi]
    pub fn judge_origin(
        &self,
        policy: String,
        allowed: Vec<String>,
        secure: bool,
    ) -> napi::Result<Option<String>> {
        let State::Read(handshake) = &self.state else {
            return Err(out_of_order());
        };
        let policy = match policy.as_str() {
            "any" => OriginPolicy::Any,
            "same-origin" => OriginPolicy::SameOrigin,
            "list" => OriginPolicy::AllowList(allowed),
            _ => OriginPolicy::SameSite,
        };
        let judged = handshake.judge_origin(policy, secure);
        Ok(judged.err().map(|error| error.to_string()))
    }

    /// Accepts, with this subprotocol: names and values of the response's headers.
    #[napi]
    pub fn accept(&mut self, subprotocol: Option<String>) -> napi::Result<Vec<Vec<String>>> {
        let State::Read(handshake) = std::mem::replace(&mut self.state, State::Done) else {
            return Err(out_of_order());
        };
        let accepted = handshake.accept(subprotocol.as_deref());
        let (response, accepted) =
            accepted.map_err(|error| Error::from_reason(error.to_string()))?;
        self.state = State::Accepted(Box::new(accepted));
        Ok(pairs(&response))
    }

    /// Opens the socket on a connection of the system, whose descriptor is duplicated:
    /// the caller may close its own. None where there is no descriptor, or no other one
    /// left: the handshake is as it was.
    #[cfg(unix)]
    #[napi]
    pub fn open_descriptor(
        &mut self,
        env: napi::Env,
        taken: Taken,
        mailbox: &NativeMailbox,
        socket: u32,
    ) -> napi::Result<Option<NativeSocket>> {
        use std::io::Write as _;
        use std::os::fd::BorrowedFd;
        use std::os::unix::net::UnixStream;

        let Taken {
            descriptor,
            pipe,
            head,
            unhandled,
        } = taken;
        let gone = Gone::of(env)?;
        if descriptor < 0 {
            return Ok(None);
        }
        // SAFETY: the caller keeps the descriptor open during the call.
        let Ok(owned) = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned() else {
            // There are too many already.
            return Ok(None);
        };
        let accepted = self.accepted()?;
        let whole = |written: std::io::Result<usize>| match written {
            Ok(count) if count == head.len() => Ok(()),
            Ok(_) => Err(std::io::ErrorKind::WriteZero.into()),
            Err(error) => Err(error),
        };
        let _entered = runtime()?.enter();
        let unhandled = unhandled.to_vec();
        let opened = if pipe {
            let mut stream = UnixStream::from(owned);
            whole(stream.write(&head))?;
            accepted.over(tokio::net::UnixStream::from_std(stream)?, unhandled)
        } else {
            let mut stream = std::net::TcpStream::from(owned);
            whole(stream.write(&head))?;
            stream.set_nodelay(true)?;
            let peer = stream.peer_addr().ok();
            accepted.over_from(tokio::net::TcpStream::from_std(stream)?, unhandled, peer)
        };
        NativeSocket::open(opened, mailbox, socket, gone).map(Some)
    }

    /// Opens the socket over a stream of JavaScript, which has written the response.
    #[napi]
    pub fn open_bridge(
        &mut self,
        env: napi::Env,
        bridge: &NativeBridge,
        mailbox: &NativeMailbox,
        socket: u32,
    ) -> napi::Result<NativeSocket> {
        let accepted = self.accepted()?;
        let gone = Gone::of(env)?;
        let _entered = runtime()?.enter();
        let opened = accepted.over(bridge.transport(), Vec::new());
        NativeSocket::open(opened, mailbox, socket, gone)
    }
}

impl NativeHandshake {
    fn accepted(&mut self) -> napi::Result<Accepted> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Accepted(accepted) => Ok(*accepted),
            _ => Err(out_of_order()),
        }
    }
}

fn read(
    method: &str,
    url: &str,
    http_version: &str,
    headers: &[String],
    options: Options,
) -> Result<Handshake, Box<Response<String>>> {
    let request = request(method, url, http_version, headers).map_err(|error| {
        let mut response = Response::new(format!("{error}\n"));
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
        Box::new(response)
    })?;
    Handshake::read(&request, options).map_err(|error| Box::new(error.response()))
}

fn request(
    method: &str,
    url: &str,
    http_version: &str,
    headers: &[String],
) -> http::Result<Request<()>> {
    let version = match http_version {
        "1.1" => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    // A path that is none in our eyes is not ours to judge.
    let uri = url.parse().unwrap_or_else(|_| Uri::from_static("/"));
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes())?)
        .uri(uri)
        .version(version);
    for pair in headers.chunks_exact(2) {
        // What JavaScript has as code units is bytes.
        let value: Vec<u8> = pair[1].chars().map(|c| c as u8).collect();
        request = request.header(&pair[0], value);
    }
    request.body(())
}

fn pairs<B>(response: &Response<B>) -> Vec<Vec<String>> {
    let pairs = response.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        vec![title_case(name.as_str()), value.into_owned()]
    });
    pairs.collect()
}

/// A header's name as it is usually written: `Sec-WebSocket-Accept`.
fn title_case(name: &str) -> String {
    let parts = name.split('-').map(|part| match part {
        "websocket" => "WebSocket".to_owned(),
        part => {
            let (first, rest) = part.split_at(part.len().min(1));
            first.to_ascii_uppercase() + rest
        }
    });
    parts.collect::<Vec<_>>().join("-")
}
