//! What each fault changes in the server's handshake, and that it changes nothing else.

use super::super::accept::{Answer, answer, refuse_head};
use super::super::faults::{FAULTS, Fault, Plan, Role};
use super::super::http::Head;

/// A request that is as it should be.
const GOOD: &str = "GET / HTTP/1.1\r\n\
    Host: example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// What is in the good request, and what stands in its place.
const PROBES: &[(&str, &str, &str)] = &[
    ("good", "", ""),
    ("POST", "GET", "POST"),
    ("HTTP/1.0", "HTTP/1.1", "HTTP/1.0"),
    ("fragment", "GET /", "GET /#a"),
    ("no Host", "Host: example.com\r\n", ""),
    (
        "two Hosts",
        "Host: example.com\r\n",
        "Host: example.com\r\nHost: b\r\n",
    ),
    ("no Upgrade", "Upgrade: websocket\r\n", ""),
    ("Upgrade h2c", "Upgrade: websocket", "Upgrade: h2c"),
    (
        "Upgrade in capitals",
        "Upgrade: websocket",
        "Upgrade: WebSocket",
    ),
    ("no Connection", "Connection: Upgrade\r\n", ""),
    (
        "Connection in small letters",
        "Connection: Upgrade",
        "Connection: upgrade",
    ),
    (
        "Connection list",
        "Connection: Upgrade",
        "Connection: keep-alive, Upgrade",
    ),
    (
        "no key",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "",
    ),
    (
        "short key",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25j",
    ),
    (
        "no base64",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ!!",
    ),
    (
        "two keys",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version",
    ),
    (
        "names in small letters",
        "Sec-WebSocket-Key",
        "sec-websocket-key",
    ),
    ("no version", "Sec-WebSocket-Version: 13\r\n", ""),
    (
        "two versions",
        "Version: 13\r\n",
        "Version: 13\r\nSec-WebSocket-Version: 13\r\n",
    ),
    ("version 8", "Version: 13", "Version: 8"),
    (
        "own origin",
        "\r\n\r\n",
        "\r\nOrigin: http://example.com\r\n\r\n",
    ),
    (
        "other origin",
        "\r\n\r\n",
        "\r\nOrigin: http://evil.example\r\n\r\n",
    ),
    ("space before colon", "Host:", "Host :"),
    ("folded", "example.com\r\n", "example.com\r\n b\r\n"),
    ("bare LF", "example.com\r\n", "example.com\n"),
    (
        "chunked",
        "\r\n\r\n",
        "\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    ("length", "\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n"),
    ("NUL", "\r\n\r\n", "\r\nA: b\0c\r\n\r\n"),
    ("invalid name", "\r\n\r\n", "\r\nA(b): c\r\n\r\n"),
    (
        "subprotocols",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Protocol: a, b\r\n\r\n",
    ),
    (
        "deflate",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ),
    (
        "deflate no takeover",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n",
    ),
    (
        "deflate server bits",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n",
    ),
    (
        "deflate quoted",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"15\"\r\n\r\n",
    ),
    (
        "deflate client bits",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
    ),
    (
        "deflate unknown",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; foo\r\n\r\n",
    ),
    (
        "deflate second offer",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; foo, permessage-deflate\r\n\r\n",
    ),
    (
        "deflate duplicate",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_no_context_takeover\r\n\r\n",
    ),
    (
        "deflate bits 7",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n\r\n",
    ),
    (
        "deflate bits 16",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n\r\n",
    ),
    (
        "deflate bits 08",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=08\r\n\r\n",
    ),
    (
        "deflate bits empty",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits\r\n\r\n",
    ),
    (
        "deflate takeover value",
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover=1\r\n\r\n",
    ),
];

/// What a server answers to a probe.
fn answered(plan: Plan, (_, old, new): &(&str, &str, &str)) -> String {
    let request = GOOD.replacen(old, new, usize::from(!old.is_empty()));
    let answer = match Head::read(plan, request.as_bytes()) {
        Ok(Some((head, _))) => answer(plan, true, &head),
        Ok(None) => return "waits".to_owned(),
        Err(error) => refuse_head(error),
    };
    let response = match answer {
        Answer::Accepted { response, .. } | Answer::Refused { response } => response,
    };
    String::from_utf8(response).unwrap()
}

/// The one probe that each fault changes the answer to.
const CHANGES: &[(Fault, &str)] = &[
    (Fault::TakesPost, "POST"),
    (Fault::TakesHttp10, "HTTP/1.0"),
    (Fault::TakesNoUpgrade, "no Upgrade"),
    (Fault::TakesOtherUpgrade, "Upgrade h2c"),
    (Fault::TakesNoConnection, "no Connection"),
    (Fault::TakesNoKey, "no key"),
    (Fault::TakesShortKey, "short key"),
    (Fault::TakesNoBase64Key, "no base64"),
    (Fault::TakesTwoKeys, "two keys"),
    (Fault::TakesNoVersion, "no version"),
    (Fault::TakesTwoVersions, "two versions"),
    (Fault::TakesNoHost, "no Host"),
    (Fault::TakesTwoHosts, "two Hosts"),
    (Fault::CaseSensitiveUpgrade, "Upgrade in capitals"),
    (
        Fault::CaseSensitiveConnection,
        "Connection in small letters",
    ),
    (Fault::CaseSensitiveNames, "names in small letters"),
    (Fault::NoConnectionLists, "Connection list"),
    (Fault::TakesFragment, "fragment"),
    (Fault::TwoSubprotocols, "subprotocols"),
    (Fault::TakesCrossSite, "other origin"),
    (Fault::TakesVersion8, "version 8"),
    (Fault::No426, "version 8"),
    (Fault::Status400ForVersion, "version 8"),
    (Fault::TakesSpaceBeforeColon, "space before colon"),
    (Fault::TakesFolding, "folded"),
    (Fault::TakesBareLf, "bare LF"),
    (Fault::TakesTransferEncoding, "chunked"),
    (Fault::TakesContentLength, "length"),
    (Fault::TakesNul, "NUL"),
    (Fault::TakesInvalidName, "invalid name"),
    (Fault::TakesUnknownParameter, "deflate unknown"),
    (Fault::TakesDuplicateParameter, "deflate duplicate"),
    (Fault::TakesBits7, "deflate bits 7"),
    (Fault::TakesBits16, "deflate bits 16"),
    (Fault::TakesBits08, "deflate bits 08"),
    (Fault::TakesBitsEmpty, "deflate bits empty"),
    (Fault::TakesTakeoverValue, "deflate takeover value"),
    (Fault::IgnoresQuotes, "deflate quoted"),
    (Fault::FirstOfferOnly, "deflate second offer"),
    (Fault::DropsServerNoTakeover, "deflate no takeover"),
    (Fault::AgreesLargerWindow, "deflate server bits"),
];

/// What is in every response that accepts.
const IN_ALL: [Fault; 8] = [
    Fault::WrongAccept,
    Fault::NoAccept,
    Fault::NoUpgradeInResponse,
    Fault::NoConnectionInResponse,
    Fault::Status200,
    Fault::SubprotocolNotOffered,
    Fault::LengthIn101,
    Fault::BodyIn101,
];

/// Whether a fault changes the answer to a probe.
fn changes(fault: Fault, name: &str, correct: &str) -> bool {
    let is_accepted = correct.starts_with("HTTP/1.1 101 ");
    let is_agreed = correct.contains("permessage-deflate");
    match fault {
        Fault::ExtensionNotOffered => is_accepted && !name.starts_with("deflate"),
        Fault::AnswersClientBits => is_agreed && name != "deflate client bits",
        _ if IN_ALL.contains(&fault) => is_accepted,
        _ => CHANGES.contains(&(fault, name)),
    }
}

#[test]
fn each_fault_changes_what_it_is_about_and_nothing_else() {
    for entry in FAULTS.iter().filter(|entry| entry.role != Role::Client) {
        let fault = entry.fault;
        let mut changed_one = false;
        for probe in PROBES {
            let correct = answered(Plan(None), probe);
            let changed = answered(Plan(Some(fault)), probe) != correct;
            assert_eq!(
                changed,
                changes(fault, probe.0, &correct),
                "{fault}: {}",
                probe.0
            );
            changed_one |= changed;
        }
        let is_of_a_handshake = ["RFC 6455 4.", "RFC 9112"]
            .iter()
            .any(|section| entry.section.starts_with(section));
        let is_tried = changed_one || fault == Fault::LosesPipelined;
        assert!(!is_of_a_handshake || is_tried, "{fault}");
    }
}

#[test]
fn what_is_as_it_should_be_is_accepted_and_the_rest_refused() {
    let refused = [
        "POST",
        "HTTP/1.0",
        "fragment",
        "no ",
        "two ",
        "Upgrade h2c",
        "short key",
        "version 8",
        "other origin",
        "space",
        "folded",
        "bare",
        "chunked",
        "length",
        "NUL",
        "invalid",
    ];
    for probe in PROBES {
        let status = if refused.iter().any(|start| probe.0.starts_with(start)) {
            "4"
        } else {
            "101"
        };
        let status = if probe.0 == "HTTP/1.0" { "505" } else { status };
        let answer = answered(Plan(None), probe);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{}: {answer}",
            probe.0
        );
    }
}
