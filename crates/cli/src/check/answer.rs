//! How a client's handshake is answered, and what it should make of it (RFC 6455
//! section 4.1).

use super::accept::{accepting, asks_for_a_websocket};
use super::case::Case;
use super::client::Client;
use super::expect::step;
use super::outcome::Outcome;
use super::session::{Heard, Session};
use crate::wire::{Frame, Head, Opcode};

/// Makes the bytes of the answer to a request.
pub(crate) type Respond = Box<dyn Fn(&Head) -> Vec<u8> + Send + Sync>;

/// What the client should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Take the connection as open: it echoes.
    Take,
    /// Fail the connection: it says nothing, and ends the stream.
    Refuse,
    /// Follow HTTP: the tester ends the stream, and the client too.
    GiveUp,
}

/// Why a request cannot be used for a case.
pub(crate) type Unfit = fn(&Head) -> Option<&'static str>;

/// An answer to the opening handshake.
pub(crate) struct Answer {
    respond: Respond,
    then: Then,
    /// In writes of how many bytes.
    chop: Option<usize>,
    unfit: Unfit,
}

impl Answer {
    /// These bytes.
    pub(crate) fn bytes(
        then: Then,
        respond: impl Fn(&Head) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self {
            respond: Box::new(respond),
            then,
            chop: None,
            unfit: |_| None,
        }
    }

    /// The answer that accepts, changed.
    pub(crate) fn head(
        then: Then,
        change: impl Fn(&Head, &mut Head) + Send + Sync + 'static,
    ) -> Self {
        Self::bytes(then, move |request| {
            let mut answer = accepting(request);
            change(request, &mut answer);
            answer.encode()
        })
    }

    /// The answer that accepts, with a field more.
    pub(crate) fn with(then: Then, name: &'static str, value: &'static str) -> Self {
        Self::head(then, move |_, answer| {
            answer.fields.push((name.to_owned(), value.to_owned()));
        })
    }

    /// In writes of this size.
    pub(crate) fn chopped(mut self, size: usize) -> Self {
        self.chop = Some(size);
        self
    }

    /// Only for requests of which this says nothing.
    pub(crate) fn unless(mut self, unfit: Unfit) -> Self {
        self.unfit = unfit;
        self
    }

    /// The case in which a client is answered so.
    pub(crate) fn case(self, id: impl Into<String>, section: &'static str) -> Case {
        let expected = match self.then {
            Then::Take => "the connection opens: messages are echoed",
            Then::Refuse => "the client fails the connection: it sends no frame and hangs up",
            Then::GiveUp => "no WebSocket: the client sends nothing more and hangs up",
        };
        let answer = std::sync::Arc::new(self);
        Case::client(id.into(), section, move |client| {
            let answer = std::sync::Arc::clone(&answer);
            Box::pin(async move { answer.give(client).await })
        })
        .expected(expected)
    }

    async fn give(&self, client: &Client) -> Outcome {
        let arrival = match client.comes().await {
            Ok(arrival) => arrival,
            Err(absent) => return absent.into(),
        };
        if let Err(why) = asks_for_a_websocket(&arrival.head) {
            return Outcome::Fail(why);
        }
        if let Some(why) = (self.unfit)(&arrival.head) {
            let answer = accepting(&arrival.head);
            let mut session = client.accept(arrival, &answer).await;
            session.close().await;
            client.keep_log(session.log);
            return Outcome::Skip(why.to_owned());
        }
        let bytes = (self.respond)(&arrival.head);
        let agreed = Head::parse(&bytes).ok();
        let agreed = agreed.as_ref().filter(|_| self.then == Then::Take);
        let mut session = client.answer(arrival, &bytes, self.chop, agreed).await;
        let outcome = match self.then {
            Then::Take => session.is_taken().await,
            Then::Refuse => session.is_refused().await,
            Then::GiveUp => {
                session.hang_up().await;
                session.is_refused().await
            }
        };
        client.keep_log(session.log);
        outcome
    }
}

impl Session {
    /// The client took the answer: it echoes, compressed messages too where that
    /// was agreed on, and closes in order.
    pub(crate) async fn is_taken(&mut self) -> Outcome {
        step!(self.is_alive().await);
        if self.deflate.is_some() {
            // The same twice: what refers back must not refer too far.
            for _ in 0..2 {
                let plain = b"again and again and again and again";
                let payload = self.compress(plain);
                self.send(Frame::new(Opcode::TEXT, payload).rsv(0b100))
                    .await;
                step!(self.echo_of(Opcode::TEXT, plain).await);
            }
        }
        self.close().await
    }

    /// The client did not take the answer: nothing comes but the end.
    pub(crate) async fn is_refused(&mut self) -> Outcome {
        match self.hear().await {
            Heard::End | Heard::Reset(_) => return Outcome::Pass,
            Heard::Item(item) if item.opcode == Opcode::CLOSE => {
                step!(self.ends_after_close().await);
                let got = Heard::Item(item);
                return Outcome::Lenient(format!(
                    "the client ended the connection, but took it as open before: it sent {}",
                    got.shown()
                ));
            }
            Heard::Item(item) => {
                let got = Heard::Item(item);
                return Outcome::Fail(format!("expected no frame, got {}", got.shown()));
            }
            Heard::Silence => {}
        }
        // Whether it waits for messages, or for something else.
        self.send(Frame::new(Opcode::TEXT, "is it open?")).await;
        Outcome::Fail(match self.hear().await {
            Heard::Item(item) => format!(
                "the client took the answer: it sent {}",
                Heard::Item(item).shown()
            ),
            _ => "expected the client to hang up, it did nothing".to_owned(),
        })
    }
}
