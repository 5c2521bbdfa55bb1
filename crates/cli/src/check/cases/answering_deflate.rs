//! How a client takes answers to its offer of permessage-deflate, good and bad
//! (RFC 7692 sections 5.1 and 7.1).

use crate::check::accept::offers;
use crate::check::answer::{Answer, Then};
use crate::check::case::Case;
use crate::check::outcome::{Level, Outcome};
use crate::wire::Head;

use super::agreement::refers_no_further_back;

const FIELD: &str = "Sec-WebSocket-Extensions";

const BITS: &str = "client_max_window_bits";

/// The name of a case, the answer, and its section.
type Row = (&'static str, &'static str, &'static str);

/// Answers to any offer that a client has to take.
const GOOD: [Row; 9] = [
    ("plain", "permessage-deflate", "RFC 7692 7.1"),
    (
        "server-no-context",
        "permessage-deflate; server_no_context_takeover",
        "RFC 7692 7.1.1.1",
    ),
    (
        "client-no-context",
        "permessage-deflate; client_no_context_takeover",
        "RFC 7692 7.1.1.2",
    ),
    (
        "no-context",
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        "RFC 7692 7.1.1",
    ),
    (
        "server-bits-9",
        "permessage-deflate; server_max_window_bits=9",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-15",
        "permessage-deflate; server_max_window_bits=15",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-quoted",
        "permessage-deflate; server_max_window_bits=\"10\"",
        "RFC 6455 9.1",
    ),
    (
        "white-space",
        "permessage-deflate ;  server_no_context_takeover ;\tserver_max_window_bits=12 ",
        "RFC 6455 9.1",
    ),
    (
        "no-white-space",
        "permessage-deflate;server_no_context_takeover;server_max_window_bits=12",
        "RFC 6455 9.1",
    ),
];

/// Answers to an offer with `client_max_window_bits` that a client has to take.
const GOOD_WITH_BITS: [Row; 2] = [
    (
        "client-bits-9",
        "permessage-deflate; client_max_window_bits=9",
        "RFC 7692 7.1.2.2",
    ),
    (
        "all-parameters",
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover; \
         client_max_window_bits=10; server_max_window_bits=11",
        "RFC 7692 7.1",
    ),
];

/// Answers that no client may take, whatever it offered.
const BAD: [Row; 23] = [
    (
        "unknown-parameter",
        "permessage-deflate; unknown",
        "RFC 7692 7.1",
    ),
    (
        "unknown-with-value",
        "permessage-deflate; unknown=1",
        "RFC 7692 7.1",
    ),
    (
        "server-no-context-twice",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "RFC 7692 7.1",
    ),
    (
        "client-no-context-twice",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "RFC 7692 7.1",
    ),
    (
        "server-bits-twice",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "RFC 7692 7.1",
    ),
    (
        "server-no-context-value",
        "permessage-deflate; server_no_context_takeover=1",
        "RFC 7692 7.1.1.1",
    ),
    (
        "client-no-context-value",
        "permessage-deflate; client_no_context_takeover=true",
        "RFC 7692 7.1.1.2",
    ),
    (
        "server-bits-no-value",
        "permessage-deflate; server_max_window_bits",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-7",
        "permessage-deflate; server_max_window_bits=7",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-16",
        "permessage-deflate; server_max_window_bits=16",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-0",
        "permessage-deflate; server_max_window_bits=0",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-09",
        "permessage-deflate; server_max_window_bits=09",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-plus",
        "permessage-deflate; server_max_window_bits=+9",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-word",
        "permessage-deflate; server_max_window_bits=ten",
        "RFC 7692 7.1.2.1",
    ),
    (
        "server-bits-266",
        "permessage-deflate; server_max_window_bits=266",
        "RFC 7692 7.1.2.1",
    ),
    (
        "client-bits-no-value",
        "permessage-deflate; client_max_window_bits",
        "RFC 7692 7.1.2.2",
    ),
    (
        "client-bits-7",
        "permessage-deflate; client_max_window_bits=7",
        "RFC 7692 7.1.2.2",
    ),
    (
        "client-bits-16",
        "permessage-deflate; client_max_window_bits=16",
        "RFC 7692 7.1.2.2",
    ),
    (
        "client-bits-010",
        "permessage-deflate; client_max_window_bits=010",
        "RFC 7692 7.1.2.2",
    ),
    (
        "two-answers",
        "permessage-deflate, permessage-deflate",
        "RFC 7692 5.1",
    ),
    (
        "another-extension-too",
        "permessage-deflate, x-unasked",
        "RFC 6455 4.1",
    ),
    ("another-name", "permessage-deflated", "RFC 6455 4.1"),
    ("broken-grammar", "permessage-deflate; =10", "RFC 6455 9.1"),
];

/// A client that offers no compression leaves nothing to try.
fn offers_nothing(request: &Head) -> Option<&'static str> {
    offers(request)
        .is_empty()
        .then_some("the client did not offer permessage-deflate")
}

fn offers_no_bits(request: &Head) -> Option<&'static str> {
    let has_bits = offers(request).iter().any(|offer| offer.has(BITS));
    (!has_bits).then_some("the client did not offer client_max_window_bits")
}

fn offers_bits(request: &Head) -> Option<&'static str> {
    let has_bits = offers(request).iter().any(|offer| offer.has(BITS));
    offers_nothing(request)
        .or_else(|| has_bits.then_some("the client did offer client_max_window_bits"))
}

fn offers_compression(request: &Head) -> Option<&'static str> {
    let offers_it = !offers(request).is_empty();
    offers_it.then_some("the client offers permessage-deflate also where it is told not to")
}

/// The client asks for what is not in an answer that is otherwise good.
fn asks_for_more(request: &Head) -> Option<&'static str> {
    let asks = |name| offers(request).iter().any(|offer| offer.has(name));
    offers_nothing(request).or_else(|| {
        (asks("server_no_context_takeover") || asks("server_max_window_bits"))
            .then_some("the client asks for parameters that this answer does not have")
    })
}

/// Whether a client refers no further back than it was told to.
fn window(bits: u8) -> Case {
    let id = format!("compression.client-window-{bits}");
    Case::client(id, "RFC 7692 7.1.2.2", move |client| {
        Box::pin(async move {
            // Written with the parts exchanged: it is the client's window.
            let wanted = format!("permessage-deflate; server_max_window_bits={bits}");
            let mut session = match client.open(Some(&wanted)).await {
                Ok(session) => session,
                Err(outcome) => return outcome,
            };
            let outcome = if session.deflate.is_some() {
                refers_no_further_back(&mut session, bits).await
            } else {
                session.close().await;
                Outcome::Skip("the client did not offer client_max_window_bits".to_owned())
            };
            client.keep_log(session.log);
            outcome
        })
    })
    .asking_for_compression()
    .sent(format!(
        "101 with client_max_window_bits={bits}; noise that comes again beyond that window"
    ))
    .expected("the echo, with no reference beyond the window")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let row = |then: Then, unfit, (name, value, section): Row| {
        Answer::with(then, FIELD, value)
            .unless(unfit)
            .case(format!("compression.{name}"), section)
            .asking_for_compression()
            .sent(format!("101 with {FIELD}: {value}"))
    };
    for good in GOOD {
        cases.push(row(Then::Take, asks_for_more, good));
    }
    for good in GOOD_WITH_BITS {
        cases.push(row(Then::Take, offers_no_bits, good));
    }
    let around_the_equals_sign = (
        "white-space-around-equals",
        "permessage-deflate; server_max_window_bits = 12",
        "RFC 6455 9.1",
    );
    // The grammar of RFC 2616, on which the RFC builds, allows it between any two
    // tokens; that of its successors does not.
    cases.push(row(Then::Take, asks_for_more, around_the_equals_sign).level(Level::Info));
    cases.push(
        Answer::head(Then::Take, |_, _| {})
            .unless(offers_nothing)
            .case("compression.declined", "RFC 7692 5.1")
            .asking_for_compression()
            .sent("101 without the compression that was offered"),
    );
    for bits in [9, 12] {
        cases.push(window(bits));
    }
    for bad in BAD {
        cases.push(row(Then::Refuse, offers_nothing, bad));
    }
    cases.push(row(
        Then::Refuse,
        offers_bits,
        (
            "client-bits-not-offered",
            "permessage-deflate; client_max_window_bits=10",
            "RFC 7692 7.1.2.2",
        ),
    ));
    cases.push(
        Answer::head(Then::Refuse, |_, answer| {
            for _ in 0..2 {
                let field = (FIELD.to_owned(), "permessage-deflate".to_owned());
                answer.fields.push(field);
            }
        })
        .unless(offers_nothing)
        .case("compression.two-fields", "RFC 7692 5.1")
        .asking_for_compression()
        .sent("101 with permessage-deflate in each of two fields"),
    );
    cases.push(
        Answer::with(Then::Refuse, FIELD, "permessage-deflate")
            .unless(offers_compression)
            .case("compression.not-offered", "RFC 6455 4.1")
            .sent("101 with permessage-deflate, which was not offered"),
    );
    cases.push(
        Answer::with(Then::Refuse, FIELD, "")
            .unless(offers_nothing)
            .case("compression.empty-field", "RFC 6455 9.1")
            .asking_for_compression()
            .level(Level::Info)
            .sent("101 with an empty Sec-WebSocket-Extensions"),
    );
    cases
}
