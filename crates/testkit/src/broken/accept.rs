//! The server's side of the opening handshake (RFC 6455 section 4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::deflate::Params;
use super::faults::{Fault, Plan};
use super::http::{Head, HeadError, accept_for};
use super::negotiation;

/// What a server answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// The connection is open once this is sent.
    Accepted {
        response: Vec<u8>,
        deflate: Option<Params>,
    },
    /// The connection ends once this is sent.
    Refused { response: Vec<u8> },
}

/// Why a request is refused: the status, the fields that say more, and a line.
type Refusal = (&'static str, &'static str, &'static str);

const BAD_REQUEST: &str = "400 Bad Request";
const UPGRADE_REQUIRED: &str = "426 Upgrade Required";

/// Answers a request.
pub(super) fn answer(plan: Plan, offers_deflate: bool, request: &Head) -> Answer {
    match check(plan, request).and_then(|key| accept(plan, offers_deflate, request, &key)) {
        Ok(answer) => answer,
        Err(refusal) => refuse(refusal),
    }
}

/// Answers a head that is none.
pub(super) fn refuse_head(error: HeadError) -> Answer {
    refuse(match error {
        HeadError::Invalid => (BAD_REQUEST, "", "expected an HTTP/1.1 request"),
        HeadError::TooLarge => (
            "431 Request Header Fields Too Large",
            "",
            "the request is too large",
        ),
    })
}

/// Answers a head that did not come in time.
pub(super) fn refuse_late() -> Answer {
    refuse(("408 Request Timeout", "", "the request took too long"))
}

fn refuse((status, fields, why): Refusal) -> Answer {
    let length = why.len() + 1;
    // What names protocols to upgrade to says so in Connection (RFC 9110 section 7.8).
    let connection = if fields.contains("Upgrade:") {
        "Upgrade, close"
    } else {
        "close"
    };
    let response = format!(
        "HTTP/1.1 {status}\r\n{fields}Connection: {connection}\r\nContent-Type: text/plain\r\n\
         Content-Length: {length}\r\n\r\n{why}\n"
    );
    Answer::Refused {
        response: response.into_bytes(),
    }
}

/// The key of a request that is as section 4.2.1 has it.
fn check(plan: Plan, request: &Head) -> Result<String, Refusal> {
    let bad = |why| (BAD_REQUEST, "", why);
    let ensure = |holds: bool, fault: Fault, refusal: Refusal| {
        if holds || plan.breaks(fault) {
            Ok(())
        } else {
            Err(refusal)
        }
    };
    let words: Vec<&str> = request.first_line.split(' ').collect();
    let &[method, target, version] = words.as_slice() else {
        return Err(bad("expected a method, a target and a version"));
    };
    let is_http11 = version == "HTTP/1.1";
    let is_http10 = version == "HTTP/1.0" && plan.breaks(Fault::TakesHttp10);
    if !is_http11 && !is_http10 {
        return Err(("505 HTTP Version Not Supported", "", "expected HTTP/1.1"));
    }
    let allow = ("405 Method Not Allowed", "Allow: GET\r\n", "expected GET");
    ensure(method == "GET", Fault::TakesPost, allow)?;
    let is_path = target.starts_with('/') || target.contains("://");
    if !is_path {
        return Err(bad("expected a target such as /"));
    }
    ensure(
        !target.contains('#'),
        Fault::TakesFragment,
        bad("expected no fragment identifier"),
    )?;
    let hosts = request.all("host").count();
    ensure(hosts != 0, Fault::TakesNoHost, bad("expected a Host field"))?;
    ensure(
        hosts < 2,
        Fault::TakesTwoHosts,
        bad("expected one Host field"),
    )?;
    let bodies = request.all("content-length").all(|value| value == "0");
    ensure(bodies, Fault::TakesContentLength, bad("expected no body"))?;
    let chunked = request.all("transfer-encoding").next().is_some();
    ensure(
        !chunked,
        Fault::TakesTransferEncoding,
        bad("expected no Transfer-Encoding"),
    )?;
    check_upgrade(plan, request)?;
    check_version(plan, request)?;
    check_origin(plan, request)?;
    check_key(plan, request)
}

fn check_upgrade(plan: Plan, request: &Head) -> Result<(), Refusal> {
    let expected = (
        UPGRADE_REQUIRED,
        "Upgrade: websocket\r\n",
        "expected Upgrade: websocket",
    );
    let upgrade = request.list("upgrade");
    let is_upgrade = if plan.breaks(Fault::CaseSensitiveUpgrade) {
        upgrade == "websocket"
    } else {
        request.has("upgrade", "websocket")
            || (upgrade.is_empty() && plan.breaks(Fault::TakesNoUpgrade))
            || (!upgrade.is_empty() && plan.breaks(Fault::TakesOtherUpgrade))
    };
    if !is_upgrade {
        return Err(expected);
    }
    let connection = request.list("connection");
    let is_connection = if plan.breaks(Fault::CaseSensitiveConnection) {
        connection.split(',').any(|part| part.trim() == "Upgrade")
    } else if plan.breaks(Fault::NoConnectionLists) {
        connection.eq_ignore_ascii_case("upgrade")
    } else {
        request.has("connection", "upgrade") || plan.breaks(Fault::TakesNoConnection)
    };
    if is_connection {
        Ok(())
    } else {
        Err((BAD_REQUEST, "", "expected Connection: Upgrade"))
    }
}

fn check_version(plan: Plan, request: &Head) -> Result<(), Refusal> {
    const TOLD: &str = "Sec-WebSocket-Version: 13\r\n";
    let mut versions = request.all("sec-websocket-version");
    let first = versions.next();
    let is_taken = match (first, versions.next()) {
        (None, _) => plan.breaks(Fault::TakesNoVersion),
        (Some("13"), None) => true,
        (Some("13"), Some(_)) => plan.breaks(Fault::TakesTwoVersions),
        (Some(_), _) => plan.breaks(Fault::TakesVersion8),
    };
    if is_taken {
        return Ok(());
    }
    let why = "expected Sec-WebSocket-Version: 13";
    Err(match first {
        None | Some("13") => (BAD_REQUEST, TOLD, why),
        Some(_) if plan.breaks(Fault::No426) => (BAD_REQUEST, "", why),
        Some(_) if plan.breaks(Fault::Status400ForVersion) => (BAD_REQUEST, TOLD, why),
        Some(_) => (
            UPGRADE_REQUIRED,
            "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n",
            why,
        ),
    })
}

/// Only a page of this very server may connect; what is no browser sends no
/// Origin.
fn check_origin(plan: Plan, request: &Head) -> Result<(), Refusal> {
    let host = request.all("host").next().unwrap_or_default();
    let is_own = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, rest)| rest);
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    if request.all("origin").all(is_own) || plan.breaks(Fault::TakesCrossSite) {
        return Ok(());
    }
    Err(("403 Forbidden", "", "this origin may not connect"))
}

fn check_key(plan: Plan, request: &Head) -> Result<String, Refusal> {
    let mut keys = request.all("sec-websocket-key");
    let key = keys.next();
    let spelled =
        !plan.breaks(Fault::CaseSensitiveNames) || request.is_spelled("Sec-WebSocket-Key");
    let key = match (key, keys.next()) {
        (Some(_), Some(_)) if !plan.breaks(Fault::TakesTwoKeys) => None,
        (Some(key), _) if spelled => Some(key),
        (None, _) if plan.breaks(Fault::TakesNoKey) => return Ok(String::new()),
        _ => None,
    };
    let key = key.ok_or((BAD_REQUEST, "", "expected one Sec-WebSocket-Key"))?;
    let is_taken = match STANDARD.decode(key) {
        Ok(bytes) => bytes.len() == 16 || plan.breaks(Fault::TakesShortKey),
        Err(_) => plan.breaks(Fault::TakesNoBase64Key),
    };
    let invalid = (
        BAD_REQUEST,
        "",
        "expected a Sec-WebSocket-Key of 16 bytes in base64",
    );
    if is_taken {
        Ok(key.to_owned())
    } else {
        Err(invalid)
    }
}

/// The response of section 4.2.2.
fn accept(plan: Plan, offers_deflate: bool, request: &Head, key: &str) -> Result<Answer, Refusal> {
    let offers = negotiation::parse(plan, &request.list("sec-websocket-extensions"))
        .map_err(|_| (BAD_REQUEST, "", "expected a list of extensions"))?;
    let subprotocols = request.list("sec-websocket-protocol");
    let mut subprotocols = subprotocols.split(',').map(str::trim);
    if !subprotocols.all(|name| name.is_empty() || negotiation::is_token(name)) {
        return Err((BAD_REQUEST, "", "expected a list of subprotocols"));
    }
    let agreed = offers_deflate
        .then(|| negotiation::answer(plan, &offers))
        .flatten();
    let status = if plan.breaks(Fault::Status200) {
        "200 OK"
    } else {
        "101 Switching Protocols"
    };
    let mut response = format!("HTTP/1.1 {status}\r\n");
    let mut add = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            response.push_str(part);
        }
    };
    if !plan.breaks(Fault::NoUpgradeInResponse) {
        add("Upgrade", "websocket");
    }
    if !plan.breaks(Fault::NoConnectionInResponse) {
        add("Connection", "Upgrade");
    }
    if plan.breaks(Fault::WrongAccept) {
        add("Sec-WebSocket-Accept", &accept_for("another key"));
    } else if !plan.breaks(Fault::NoAccept) {
        add("Sec-WebSocket-Accept", &accept_for(key));
    }
    if let Some(subprotocol) = subprotocol(plan, request) {
        add("Sec-WebSocket-Protocol", &subprotocol);
    }
    if let Some((_, agreed)) = &agreed {
        add("Sec-WebSocket-Extensions", agreed);
    } else if plan.breaks(Fault::ExtensionNotOffered) && offers.is_empty() {
        add("Sec-WebSocket-Extensions", "permessage-deflate");
    }
    if plan.breaks(Fault::LengthIn101) {
        add("Content-Length", "0");
    }
    if plan.breaks(Fault::BodyIn101) {
        add("Content-Length", "5");
        response.push_str("\r\nhello");
    } else {
        response.push_str("\r\n");
    }
    Ok(Answer::Accepted {
        response: response.into_bytes(),
        deflate: agreed.map(|(params, _)| params),
    })
}

/// An echo speaks whatever subprotocol the client likes best.
fn subprotocol(plan: Plan, request: &Head) -> Option<String> {
    let offered = request.list("sec-websocket-protocol");
    if plan.breaks(Fault::SubprotocolNotOffered) {
        return Some("not-offered".to_owned());
    }
    if plan.breaks(Fault::TwoSubprotocols) && offered.contains(',') {
        return Some(offered);
    }
    let first = offered
        .split(',')
        .map(str::trim)
        .find(|name| negotiation::is_token(name));
    first.map(str::to_owned)
}
