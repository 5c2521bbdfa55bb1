//! What a case is.

use std::borrow::Cow;

use futures_util::future::BoxFuture;

use super::client::Client;
use super::outcome::{Level, Outcome};
use super::server::Server;
use super::session::Session;

/// What is done in an open connection; the peer may be a server or a client.
pub(crate) type Talk = Box<dyn for<'s> Fn(&'s mut Session) -> BoxFuture<'s, Outcome> + Send + Sync>;

/// What is done to a server; the case opens its connections itself.
pub(crate) type Attempt = Box<dyn for<'s> Fn(&'s Server) -> BoxFuture<'s, Outcome> + Send + Sync>;

/// What is done to a client; the case answers its handshakes itself.
pub(crate) type Visit = Box<dyn for<'s> Fn(&'s Client) -> BoxFuture<'s, Outcome> + Send + Sync>;

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
    /// Only on a client.
    Client {
        /// What the client should offer.
        subprotocols: &'static [&'static str],
        /// Whether it should offer permessage-deflate.
        compression: bool,
        run: Visit,
    },
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
    pub(crate) fn client<F>(id: impl Into<Cow<'static, str>>, section: &'static str, run: F) -> Self
    where
        F: for<'s> Fn(&'s Client) -> BoxFuture<'s, Outcome> + Send + Sync + 'static,
    {
        let body = Body::Client {
            subprotocols: &[],
            compression: false,
            run: Box::new(run),
        };
        Self {
            body,
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

    /// The same with a client that was told to offer these subprotocols.
    pub(crate) fn asking_for_subprotocols(mut self, names: &'static [&'static str]) -> Self {
        if let Body::Client { subprotocols, .. } = &mut self.body {
            *subprotocols = names;
        }
        self
    }

    /// The same with a client that was told to offer compression.
    pub(crate) fn asking_for_compression(mut self) -> Self {
        if let Body::Client { compression, .. } = &mut self.body {
            *compression = true;
        }
        self
    }

    /// Whether it needs compression to be offered.
    pub(crate) fn is_about_compression(&self) -> bool {
        let offers = matches!(self.body, Body::Talk { offer: Some(_), .. });
        offers || self.group() == "agreement" || self.id == "hostile.bomb"
    }

    /// The part of the id before the dot.
    pub(crate) fn group(&self) -> &str {
        self.id
            .split_once('.')
            .map_or(&*self.id, |(group, _)| group)
    }
}
