//! The opening handshake as a server reads it (RFC 6455 section 4.2).

use crate::check::case::Case;
use crate::check::outcome::{Level, Outcome};
use crate::check::server::{Server, Unopened, judge};
use crate::wire::{Frame, Head, HeadError, Opcode};

const READING: &str = "RFC 6455 4.2.1";
const ANSWERING: &str = "RFC 6455 4.2.2";

/// Makes of a good request what the case is about.
type Change = fn(&mut Head);

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, sent, change) in GOOD {
        cases.push(accepted(name, sent, *change));
    }
    for (name, section, level, sent, change) in BAD {
        cases.push(
            refused(name, section, *change)
                .level(*level)
                .sent(*sent)
                .expected("a status of 400 or above"),
        );
    }
    for version in [
        "0", "7", "8", "12", "14", "255", "256", "013", "+13", "abc", "",
    ] {
        cases.push(version_case(version));
    }
    cases.extend(in_pieces());
    cases.extend(answers());
    cases
}

/// Sets a field, once.
pub(crate) fn set(head: &mut Head, name: &str, value: &str) {
    remove(head, name);
    head.fields.push((name.to_owned(), value.to_owned()));
}

/// Removes a field.
pub(crate) fn remove(head: &mut Head, name: &str) {
    head.fields
        .retain(|(field, _)| !field.eq_ignore_ascii_case(name));
}

/// Adds a field beside those of the same name.
fn add(head: &mut Head, name: &str, value: &str) {
    head.fields.push((name.to_owned(), value.to_owned()));
}

/// Replaces a word of the request line.
fn line(head: &mut Head, from: &str, to: &str) {
    head.first_line = head.first_line.replacen(from, to, 1);
}

/// What a server should accept, however unusual it looks.
const GOOD: &[(&str, &str, Change)] = &[
    ("plain", "a request with nothing but what is needed", |_| {}),
    ("upgrade-in-other-case", "Upgrade: WebSocket", |head| {
        set(head, "Upgrade", "WebSocket");
    }),
    ("connection-in-other-case", "Connection: upgrade", |head| {
        set(head, "Connection", "upgrade");
    }),
    (
        "connection-list",
        "Connection: keep-alive, Upgrade, as Firefox has it",
        |head| set(head, "Connection", "keep-alive, Upgrade"),
    ),
    (
        "connection-in-two-lines",
        "Connection: keep-alive and Connection: Upgrade",
        |head| {
            set(head, "Connection", "keep-alive");
            add(head, "Connection", "Upgrade");
        },
    ),
    ("names-in-other-case", "all names in lower case", |head| {
        for (name, _) in &mut head.fields {
            name.make_ascii_lowercase();
        }
    }),
    ("names-in-upper-case", "all names in upper case", |head| {
        for (name, _) in &mut head.fields {
            name.make_ascii_uppercase();
        }
    }),
    (
        "fields-in-other-order",
        "the fields the other way round",
        |head| {
            head.fields.reverse();
        },
    ),
    (
        "spaces-around-values",
        "spaces and tabs around values",
        |head| {
            set(head, "Upgrade", "  websocket \t");
            set(head, "Sec-WebSocket-Version", "\t13  ");
        },
    ),
    ("unknown-fields", "fields nobody knows", |head| {
        add(head, "X-Longwire-Check", "yes");
        add(head, "Sec-WebSocket-Unknown", "1");
    }),
    (
        "user-agent-and-cookies",
        "what browsers send beside it",
        |head| {
            add(head, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64)");
            add(head, "Accept-Language", "de,en;q=0.5");
            add(head, "Cookie", "a=1; b=\"2\"");
            add(head, "Cache-Control", "no-cache");
            add(head, "Pragma", "no-cache");
        },
    ),
    ("key-of-the-rfc", "the key that the RFC prints", |head| {
        set(head, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    }),
    ("no-origin", "no Origin, as programs have none", |head| {
        remove(head, "Origin");
    }),
    (
        "empty-subprotocol-list-element",
        "Sec-WebSocket-Protocol: a,,b",
        |head| {
            set(head, "Sec-WebSocket-Protocol", "longwire-a,,longwire-b");
        },
    ),
];

/// What a server should refuse. That it need not decode a key is said in section 4.2.2.
#[allow(clippy::type_complexity)]
const BAD: &[(&str, &str, Level, &str, Change)] = &[
    ("post", READING, Level::Must, "the method POST", |head| {
        line(head, "GET ", "POST ");
        add(head, "Content-Length", "0");
    }),
    ("put", READING, Level::Must, "the method PUT", |head| {
        line(head, "GET ", "PUT ");
        add(head, "Content-Length", "0");
    }),
    (
        "method-in-lower-case",
        READING,
        Level::Must,
        "the method get",
        |head| {
            line(head, "GET ", "get ");
        },
    ),
    ("http-1.0", READING, Level::Must, "HTTP/1.0", |head| {
        line(head, "HTTP/1.1", "HTTP/1.0");
    }),
    ("http-0.9", READING, Level::Must, "HTTP/0.9", |head| {
        line(head, "HTTP/1.1", "HTTP/0.9");
    }),
    ("no-host", READING, Level::Must, "no Host", |head| {
        remove(head, "Host");
    }),
    (
        "two-hosts",
        "RFC 9112 3.2",
        Level::Must,
        "two different Host fields",
        |head| {
            head.fields
                .insert(0, ("Host".to_owned(), "elsewhere.example".to_owned()));
        },
    ),
    ("no-upgrade", READING, Level::Must, "no Upgrade", |head| {
        remove(head, "Upgrade");
    }),
    (
        "upgrade-to-h2c",
        READING,
        Level::Must,
        "Upgrade: h2c",
        |head| {
            set(head, "Upgrade", "h2c");
        },
    ),
    (
        "upgrade-to-websocket2",
        READING,
        Level::Must,
        "Upgrade: websocket2",
        |head| {
            set(head, "Upgrade", "websocket2");
        },
    ),
    (
        "no-connection",
        READING,
        Level::Must,
        "no Connection",
        |head| {
            remove(head, "Connection");
        },
    ),
    (
        "connection-keep-alive",
        READING,
        Level::Must,
        "Connection: keep-alive",
        |head| {
            set(head, "Connection", "keep-alive");
        },
    ),
    (
        "connection-upgraded",
        READING,
        Level::Must,
        "Connection: Upgraded",
        |head| {
            set(head, "Connection", "Upgraded");
        },
    ),
    (
        "no-key",
        READING,
        Level::Must,
        "no Sec-WebSocket-Key",
        |head| {
            remove(head, "Sec-WebSocket-Key");
        },
    ),
    (
        "empty-key",
        READING,
        Level::Must,
        "an empty Sec-WebSocket-Key",
        |head| {
            set(head, "Sec-WebSocket-Key", "");
        },
    ),
    (
        "key-of-15-bytes",
        READING,
        Level::Should,
        "a key of 15 bytes",
        |head| {
            set(head, "Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0O");
        },
    ),
    (
        "key-of-17-bytes",
        READING,
        Level::Should,
        "a key of 17 bytes",
        |head| {
            set(head, "Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0ODxA=");
        },
    ),
    (
        "key-not-base64",
        READING,
        Level::Should,
        "a key that is no base64",
        |head| {
            set(head, "Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==");
        },
    ),
    (
        "two-keys",
        "RFC 6455 11.3.1",
        Level::Must,
        "two keys",
        |head| {
            add(head, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        },
    ),
    (
        "no-version",
        READING,
        Level::Must,
        "no Sec-WebSocket-Version",
        |head| {
            remove(head, "Sec-WebSocket-Version");
        },
    ),
    (
        "two-versions",
        "RFC 6455 11.3.5",
        Level::Must,
        "Sec-WebSocket-Version: 13, twice",
        |head| add(head, "Sec-WebSocket-Version", "13"),
    ),
    (
        "extensions-malformed",
        "RFC 6455 9.1",
        Level::Must,
        "Sec-WebSocket-Extensions: ;=;",
        |head| set(head, "Sec-WebSocket-Extensions", ";=;"),
    ),
    (
        "extensions-unclosed-quote",
        "RFC 6455 9.1",
        Level::Must,
        "an extension whose parameter's quote is not closed",
        |head| set(head, "Sec-WebSocket-Extensions", "longwire; a=\"b"),
    ),
    (
        "subprotocol-no-token",
        "RFC 6455 11.3.4",
        Level::Should,
        "a subprotocol that is no token",
        |head| set(head, "Sec-WebSocket-Protocol", "a b, c@d"),
    ),
    (
        "fragment",
        "RFC 6455 3",
        Level::Info,
        "a request target with a fragment",
        |head| line(head, " HTTP/1.1", "#fragment HTTP/1.1"),
    ),
];

fn accepted(name: &str, sent: &'static str, change: Change) -> Case {
    Case::server(format!("opening.good-{name}"), READING, move |server| {
        Box::pin(async move {
            let mut request = server.request();
            change(&mut request);
            opens(server, &request).await
        })
    })
    .level(if name == "empty-subprotocol-list-element" {
        Level::Info
    } else {
        Level::Must
    })
    .sent(sent)
    .expected("101, and an echo")
}

/// The request is accepted and the connection works.
async fn opens(server: &Server, request: &Head) -> Outcome {
    let mut session = match server.open_with(request).await {
        Ok(session) => session,
        Err(unopened) => return unopened.into(),
    };
    let outcome = match session.is_alive().await {
        Outcome::Pass => session.close().await,
        outcome => outcome,
    };
    server.keep_log(session.log);
    outcome
}

fn refused(name: &str, section: &'static str, change: Change) -> Case {
    Case::server(format!("opening.bad-{name}"), section, move |server| {
        Box::pin(async move {
            let mut request = server.request();
            change(&mut request);
            is_refused(server, &request.encode()).await
        })
    })
}

/// The request is refused, in so many words or leniently by hanging up.
pub(crate) async fn is_refused(server: &Server, bytes: &[u8]) -> Outcome {
    match server.ask(bytes).await {
        Ok(asked) => {
            server.keep_log(asked.log);
            match asked.head.status() {
                Some(400..=599) => Outcome::Pass,
                Some(101) => Outcome::Fail("expected a refusal, got 101".to_owned()),
                _ => Outcome::Lenient(format!("expected a refusal, got {}", asked.head.first_line)),
            }
        }
        Err(Unopened::Head(HeadError::Ended(_) | HeadError::Io(_))) => {
            Outcome::Lenient("expected a refusal, got the end of the stream".to_owned())
        }
        Err(Unopened::Head(HeadError::Invalid(text))) => {
            Outcome::Lenient(format!("expected a refusal in HTTP, got {text:?}"))
        }
        Err(unopened) => Outcome::Fail(format!("expected a refusal, got {unopened}")),
    }
}

fn version_case(version: &'static str) -> Case {
    let name = match version {
        "" => "empty".to_owned(),
        "+13" => "plus-13".to_owned(),
        version => version.to_owned(),
    };
    Case::server(
        format!("opening.version-{name}"),
        ANSWERING,
        move |server| {
            Box::pin(async move {
                let mut request = server.request();
                set(&mut request, "Sec-WebSocket-Version", version);
                let asked = match server.ask(&request.encode()).await {
                    Ok(asked) => asked,
                    Err(unopened) => {
                        return Outcome::Lenient(format!("expected 426, got {unopened}"));
                    }
                };
                server.keep_log(asked.log);
                let tells_13 = asked
                    .head
                    .all("Sec-WebSocket-Version")
                    .flat_map(|value| value.split(','))
                    .any(|version| version.trim() == "13");
                match asked.head.status() {
                    Some(101) => Outcome::Fail("expected a refusal, got 101".to_owned()),
                    Some(400..=599) if tells_13 => Outcome::Pass,
                    Some(400..=599) => {
                        let got = &asked.head.first_line;
                        let why =
                            format!("expected Sec-WebSocket-Version: 13, got {got} without it");
                        // What is no version at all may be refused as any bad request.
                        match version.parse::<u8>() {
                            Ok(number) if number.to_string() == version => Outcome::Fail(why),
                            _ => Outcome::Lenient(why),
                        }
                    }
                    _ => Outcome::Fail(format!("expected 426, got {}", asked.head.first_line)),
                }
            })
        },
    )
    .sent(format!("Sec-WebSocket-Version: {version}"))
    .expected("426 (or another refusal) that names version 13")
}

fn in_pieces() -> Vec<Case> {
    vec![
        Case::server("opening.good-chopped", READING, |server| {
            Box::pin(async move {
                let request = server.request();
                match server.ask_chopped(&request.encode(), 7).await {
                    Ok(asked) => {
                        server.keep_log(asked.log);
                        accepts(&asked.head, &request)
                    }
                    Err(unopened) => unopened.into(),
                }
            })
        })
        .sent("a request in writes of seven bytes")
        .expected("101"),
        Case::server("opening.good-frame-behind", READING, |server| {
            Box::pin(async move {
                let request = server.request();
                let mut bytes = request.encode();
                let frame = Frame::new(Opcode::TEXT, "early").masked([5, 6, 7, 8]);
                bytes.extend_from_slice(&frame.encode());
                let asked = match server.ask(&bytes).await {
                    Ok(asked) => asked,
                    Err(unopened) => return unopened.into(),
                };
                let outcome = accepts(&asked.head, &request);
                let mut session = server.session(asked);
                let outcome = match outcome {
                    Outcome::Pass => session.echo_of(Opcode::TEXT, b"early").await,
                    outcome => outcome,
                };
                server.keep_log(session.log);
                outcome
            })
        })
        // A client has to wait for the answer (section 4.1); what a server makes
        // of one that does not is left to it.
        .level(Level::Info)
        .sent("a request and a frame in one write")
        .expected("101, and the echo of the frame"),
        Case::server("opening.good-absolute-form", "RFC 9112 3.2.2", |server| {
            Box::pin(async move {
                let mut request = server.request();
                let target = format!("GET http://{}{} ", server.host, server.resource);
                let from = format!("GET {} ", server.resource);
                line(&mut request, &from, &target);
                opens(server, &request).await
            })
        })
        .level(Level::Should)
        .sent("the request target in absolute form: http://host/path")
        .expected("101, and an echo"),
    ]
}

fn accepts(response: &Head, request: &Head) -> Outcome {
    if response.status() != Some(101) {
        return Outcome::Fail(format!("expected 101, got {}", response.first_line));
    }
    judge(response, request).map_or_else(Outcome::Fail, |()| Outcome::Pass)
}

/// What the answer must not have.
fn answers() -> Vec<Case> {
    let silent = |name: &str, field: &'static str, value: Option<&'static str>| {
        Case::server(format!("opening.answer-{name}"), ANSWERING, move |server| {
            Box::pin(async move {
                let mut request = server.request();
                remove(&mut request, field);
                if let Some(value) = value {
                    set(&mut request, field, value);
                }
                let session = match server.open_with(&request).await {
                    Ok(session) => session,
                    Err(unopened) => return unopened.into(),
                };
                let got = session.head.get(field).map(str::to_owned);
                server.keep_log(session.log);
                match got {
                    None => Outcome::Pass,
                    Some(got) => {
                        Outcome::Fail(format!("expected no {field} in the answer, got {got:?}"))
                    }
                }
            })
        })
    };
    vec![
        silent("no-subprotocol", "Sec-WebSocket-Protocol", None)
            .sent("no Sec-WebSocket-Protocol")
            .expected("101 without one"),
        silent("no-extension", "Sec-WebSocket-Extensions", None)
            .sent("no Sec-WebSocket-Extensions")
            .expected("101 without one"),
        silent(
            "unknown-extension",
            "Sec-WebSocket-Extensions",
            Some("x-longwire-check; a=1; b=\"2\""),
        )
        .sent("an extension nobody knows")
        .expected("101 without it"),
        Case::server("opening.answer-subprotocol", ANSWERING, |server| {
            Box::pin(async move {
                let mut request = server.request();
                let field = "Sec-WebSocket-Protocol";
                set(&mut request, field, "x-longwire-one, x-longwire-two");
                let session = match server.open_with(&request).await {
                    Ok(session) => session,
                    // A server may insist on one it knows.
                    Err(Unopened::Refused(head)) => {
                        return Outcome::Info(format!("refused with {}", head.first_line));
                    }
                    Err(unopened) => return unopened.into(),
                };
                let got = session.head.get(field).map(str::to_owned);
                server.keep_log(session.log);
                match got.as_deref() {
                    None | Some("x-longwire-one" | "x-longwire-two") => Outcome::Pass,
                    Some(got) => {
                        Outcome::Fail(format!("expected one that was offered, got {got:?}"))
                    }
                }
            })
        })
        .sent("two subprotocols nobody knows")
        .expected("101 with none, or with one of them"),
        Case::server("opening.answer-no-body", "RFC 9110 15.2", |server| {
            Box::pin(async move {
                let mut session = match server.open(None).await {
                    Ok(session) => session,
                    Err(unopened) => return unopened.into(),
                };
                let has = |field| session.head.get(field).is_some();
                let outcome = if has("Content-Length") || has("Transfer-Encoding") {
                    Outcome::Fail("expected no body in a 101, got its length".to_owned())
                } else {
                    session.is_alive().await
                };
                server.keep_log(session.log);
                outcome
            })
        })
        .sent("a good request")
        .expected("101 without Content-Length or Transfer-Encoding"),
        Case::server("opening.good-after-refusal", ANSWERING, |server| {
            Box::pin(async move {
                let mut request = server.request();
                remove(&mut request, "Upgrade");
                // Whether it refuses that one is for another case.
                let _ = is_refused(server, &request.encode()).await;
                opens(server, &server.request()).await
            })
        })
        .sent("a bad request, then a good one on a connection of its own")
        .expected("101, whatever came of the first"),
    ]
}
