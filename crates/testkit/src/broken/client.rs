//! The echo client: what a tester of clients has connect to it.

use std::io::{self, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::deflate::Params;
use super::faults::{Fault, Plan};
use super::http::{Head, accept_for};
use super::negotiation;
use super::session::{Phase, Session};
use super::stream::{self, NoHead};

/// Interim responses that are passed over.
const MOST_INTERIM: usize = 8;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The rule it breaks.
    pub plan: Plan,
    /// Its `Sec-WebSocket-Extensions`, if any.
    pub extensions: Option<String>,
    /// The subprotocols it offers.
    pub subprotocols: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plan: Plan(None),
            extensions: Some("permessage-deflate; client_max_window_bits".to_owned()),
            subprotocols: Vec::new(),
        }
    }
}

/// How a connection ended that was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a closing handshake.
    Closed,
    /// The server broke a rule.
    Failed,
    /// The TCP connection ended before.
    Lost,
}

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The URL is none that can be connected to.
    #[error("expected a URL such as ws://127.0.0.1:9001/path, got {0:?}")]
    Url(String),
    /// The network failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The response is not what section 4.1 says it must be.
    #[error("the server's handshake is wrong: {0}")]
    Handshake(&'static str),
}

/// Connects, and echoes every message until the connection ends.
///
/// # Errors
///
/// [`CaseError`] where it was not opened. What happens once it is open is no
/// error: see [`Ended`].
pub fn run_case(url: &str, options: &Options) -> Result<Ended, CaseError> {
    let plan = options.plan;
    let (authority, target) = split_url(url).ok_or_else(|| CaseError::Url(url.to_owned()))?;
    let mut stream = TcpStream::connect(authority)?;
    stream.set_nodelay(true)?;
    let key = key(plan);
    stream.write_all(&request(options, authority, target, &key))?;
    if plan.breaks(Fault::FramesTooEarly) {
        stream.write_all(b"\x81\x85\0\0\0\0early")?;
    }
    let (response, early) = read_response(plan, &mut stream)?;
    let deflate = check(options, &response, &key).map_err(CaseError::Handshake)?;
    let mut session = Session::new(plan, false, deflate);
    let ran = stream::run(plan, &mut stream, &mut session, &early);
    let phase = session.phase();
    if ran.is_ok() {
        stream::end(plan, false, phase, &mut stream);
    }
    Ok(match phase {
        Phase::Open => Ended::Lost,
        Phase::Closed => Ended::Closed,
        Phase::Failed => Ended::Failed,
    })
}

/// Reads the final response, and what came behind it; those that only say that it
/// will come are passed over (RFC 9110 section 15.2).
fn read_response(plan: Plan, stream: &mut TcpStream) -> Result<(Head, Vec<u8>), CaseError> {
    let mut early = Vec::new();
    for _ in 0..MOST_INTERIM {
        let (response, behind) = match stream::read_head(plan, stream, early) {
            Ok(head) => head,
            Err(NoHead::Ended) => return Err(CaseError::Handshake("it ended before its response")),
            Err(NoHead::Late) => return Err(CaseError::Handshake("its response took too long")),
            Err(NoHead::Invalid(_)) => return Err(CaseError::Handshake("it is no HTTP/1.1")),
        };
        let status = response.first_line.split(' ').nth(1).unwrap_or_default();
        if status == "101" || !status.starts_with('1') {
            return Ok((response, behind));
        }
        early = behind;
    }
    Err(CaseError::Handshake("it has too many interim responses"))
}

/// The authority, with its port, and the target.
fn split_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("ws://")?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if target.is_empty() { "/" } else { target };
    (has_port && target.starts_with('/')).then_some((authority, target))
}

fn key(plan: Plan) -> String {
    let bytes: [u8; 16] = rand::random();
    match plan.0 {
        Some(Fault::SameKey) => "dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
        Some(Fault::ShortKey) => STANDARD.encode(&bytes[..15]),
        _ => STANDARD.encode(bytes),
    }
}

/// The request of section 4.1.
fn request(options: &Options, authority: &str, target: &str, key: &str) -> Vec<u8> {
    let plan = options.plan;
    let method = if plan.breaks(Fault::AsksByPost) {
        "POST"
    } else {
        "GET"
    };
    let version = if plan.breaks(Fault::AsksHttp10) {
        "HTTP/1.0"
    } else {
        "HTTP/1.1"
    };
    let number = if plan.breaks(Fault::WrongVersion) {
        "12"
    } else {
        "13"
    };
    let subprotocols = options.subprotocols.join(", ");
    let extensions = options.extensions.as_deref().unwrap_or_default();
    let fields = [
        ("Host", authority, Some(Fault::AsksNoHost)),
        ("Upgrade", "websocket", Some(Fault::AsksNoUpgrade)),
        ("Connection", "Upgrade", Some(Fault::AsksNoConnection)),
        ("Sec-WebSocket-Key", key, Some(Fault::NoKey)),
        ("Sec-WebSocket-Version", number, Some(Fault::NoVersion)),
        ("Sec-WebSocket-Protocol", &subprotocols, None),
        ("Sec-WebSocket-Extensions", extensions, None),
    ];
    let mut request = format!("{method} {target} {version}\r\n");
    for (name, value, without) in fields {
        if !value.is_empty() && !without.is_some_and(|fault| plan.breaks(fault)) {
            request.push_str(name);
            request.push_str(": ");
            request.push_str(value);
            request.push_str("\r\n");
        }
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// What a response that is as section 4.1 has it agrees to.
fn check(options: &Options, response: &Head, key: &str) -> Result<Option<Params>, &'static str> {
    let plan = options.plan;
    let mut words = response.first_line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().unwrap_or_default();
    let is_200 = status == "200" && plan.breaks(Fault::TakesStatus200);
    if version != "HTTP/1.1" || (status != "101" && !is_200) {
        return Err("expected HTTP/1.1 101");
    }
    let upgrade = response.list("upgrade");
    let is_upgrade = if plan.breaks(Fault::CaseSensitiveResponse) {
        upgrade == "websocket"
    } else {
        upgrade.eq_ignore_ascii_case("websocket")
            || (upgrade.is_empty() && plan.breaks(Fault::TakesResponseNoUpgrade))
            || (!upgrade.is_empty() && plan.breaks(Fault::TakesResponseOtherUpgrade))
    };
    if !is_upgrade {
        return Err("expected Upgrade: websocket");
    }
    let is_connection = response.has("connection", "upgrade");
    if !is_connection && !plan.breaks(Fault::TakesResponseNoConnection) {
        return Err("expected Connection: Upgrade");
    }
    let is_there = response.all("sec-websocket-accept").next().is_some();
    let is_right = response.one("sec-websocket-accept") == Some(&accept_for(key));
    let forgiven = if is_there {
        Fault::TakesWrongAccept
    } else {
        Fault::TakesNoAccept
    };
    if !is_right && !plan.breaks(forgiven) {
        return Err("expected the Sec-WebSocket-Accept of the key");
    }
    let mut selected = response.all("sec-websocket-protocol");
    let is_offered = match (selected.next(), selected.next()) {
        (None, _) => true,
        (Some(name), None) => options.subprotocols.iter().any(|offered| offered == name),
        (Some(_), Some(_)) => false,
    };
    if !is_offered && !plan.breaks(Fault::TakesOtherSubprotocol) {
        return Err("expected a subprotocol that was offered, or none");
    }
    let parse = |plan, header: &str| negotiation::parse(plan, header);
    let offered = parse(
        Plan(None),
        options.extensions.as_deref().unwrap_or_default(),
    );
    let agreed = parse(plan, &response.list("sec-websocket-extensions"));
    let (Ok(offered), Ok(agreed)) = (offered, agreed) else {
        return Err("expected a list of extensions");
    };
    negotiation::confirm(plan, &offered, &agreed)
        .map_err(|_| "expected an extension that was offered, or none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_where_its_target_begins() {
        for (url, parts) in [
            ("ws://127.0.0.1:9001", Some(("127.0.0.1:9001", "/"))),
            ("ws://[::1]:80/a?b=c", Some(("[::1]:80", "/a?b=c"))),
            ("ws://localhost/a", None),
            ("wss://localhost:1/a", None),
            ("nonsense", None),
        ] {
            assert_eq!(split_url(url), parts, "{url}");
        }
    }
}
