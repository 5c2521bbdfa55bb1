//! What a case is.

use std::borrow::Cow;

use futures_util::future::BoxFuture;

use super::answer::Answer;
use super::outcome::{Level, Outcome};
use super::server::Server;
use super::session::Session;

/// What is done in an open connection; the peer may be a server or a client.
pub(crate) type Talk = Box<dyn for<'s> Fn(&'s mut Session) -> BoxFuture<'s, Outcome> + Send + Sync>;

/// What is done to a server; the case opens its connections itself.
pub(crate) type Attempt = Box<dyn for<'s> Fn(&'s Server) -> BoxFuture<'s, Outcome> + Send + Sync>;

/// How a case is tried.
pub(crate) enum Body {
    /// After a correct handshake.
    Talk {
        /// The permessage-deflate offer that the handshake has, where one is
        /// needed.
        offer: Option<&'static str>,
        run: Talk,
    },
    /// Only on a server.
    Server(Attempt),
    /// Only on a client: how its handshake is answered.
    Client(Answer),
}

/// One requirement, and how it is tried.
pub(crate) struct Case {
    /// `group.name`, stable across versions.
    pub(crate) id: Cow<'static, str>,
    /// Where it is asked for: `RFC 6455 5.2`.
    pub(crate) section: &'static str,
    pub(crate) level: Level,
    /// What is sent.
    pub(crate) sent: Cow<'static, str>,
    /// What is expected.
    pub(crate) expected: Cow<'static, str>,
    pub(crate) body: Body,
}

impl Case {
    /// A case in an open connection.
    pub(crate) fn talk<F>(id: impl Into<Cow<'static, str>>, section: &'static str, run: F) -> Self
    where
        F: for<'s> Fn(&'s mut Session) -> BoxFuture<'s, Outcome> + Send + Sync + 'static,
    {
        Self {
            id: id.into(),
            section,
            level: Level::Must,
            sent: Cow::Borrowed(""),
            expected: Cow::Borrowed(""),
            body: Body::Talk {
                offer: None,
                run: Box::new(run),
            },
        }
    }

    /// A case for servers.
    pub(crate) fn server<F>(id: impl Into<Cow<'static, str>>, section: &'static str, run: F) -> Self
    where
        F: for<'s> Fn(&'s Server) -> BoxFuture<'s, Outcome> + Send + Sync + 'static,
    {
        Self {
            body: Body::Server(Box::new(run)),
            ..Self::talk(id, section, |_| Box::pin(async { Outcome::Pass }))
        }
    }

    /// A case for clients.
    pub(crate) fn client(
        id: impl Into<Cow<'static, str>>,
        section: &'static str,
        answer: Answer,
    ) -> Self {
        Self {
            body: Body::Client(answer),
            ..Self::talk(id, section, |_| Box::pin(async { Outcome::Pass }))
        }
    }

    pub(crate) fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    pub(crate) fn sent(mut self, sent: impl Into<Cow<'static, str>>) -> Self {
        self.sent = sent.into();
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<Cow<'static, str>>) -> Self {
        self.expected = expected.into();
        self
    }

    /// The same in a connection that agreed to permessage-deflate.
    pub(crate) fn offering(mut self, parameters: &'static str) -> Self {
        if let Body::Talk { offer, .. } = &mut self.body {
            *offer = Some(parameters);
        }
        self
    }

    /// The part of the id before the dot.
    pub(crate) fn group(&self) -> &str {
        self.id
            .split_once('.')
            .map_or(&*self.id, |(group, _)| group)
    }
}
