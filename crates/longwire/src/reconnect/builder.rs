//! The settings of a [`ReconnectingSocket`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use longwire_proto::{Closed, ClosedBy};

use super::backoff::Backoff;
use super::budget::RetryBudget;
use super::outbox::{Bounds, WhileAway};
use crate::client::ClientBuilder;
use crate::error::{Error, Result};

/// Why there is no connection any more, or none yet.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lost {
    /// It was open, and ended so.
    Closed(Closed),
    /// It could not be opened.
    Failed(Error),
}

impl Lost {
    /// Whether another try is worth it, as far as this library can tell: the
    /// network failed, or the server is overloaded, restarts or broke. It is not
    /// where a peer closed with 1000, found fault with what was sent (1002, 1003,
    /// 1007 to 1010), or refused in another way than for the moment.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Failed(error) => error.is_worth_retrying(),
            Self::Closed(closed) => {
                let fault_of_ours = matches!(closed.code.get(), 1000 | 1002 | 1003 | 1007..=1010);
                let failed = matches!(closed.by, ClosedBy::Failure(_));
                !(failed || closed.clean && fault_of_ours)
            }
        }
    }

    /// How long the server asks to stay away (RFC 9110 section 10.2.3).
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let Self::Failed(Error::Refused(refusal)) = self else {
            return None;
        };
        let asks = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        let value = refusal.headers.get(http::header::RETRY_AFTER)?;
        let seconds = value.to_str().ok()?.trim().parse().ok()?;
        asks.contains(&refusal.status)
            .then(|| Duration::from_secs(seconds))
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Closed(closed) => Error::closed(closed),
            Self::Failed(error) => error,
        }
    }
}

/// Before a try: how often there was none in a row, and what it uses.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// From 1; it starts anew after a connection that lasted.
    pub number: u32,
    /// Where to connect to.
    pub url: String,
    /// With what.
    pub client: ClientBuilder,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Refresh = Arc<dyn Fn(Attempt) -> BoxFuture<Result<Attempt>> + Send + Sync>;
type Decide = Arc<dyn Fn(&Lost) -> bool + Send + Sync>;

/// Settings of a [`super::ReconnectingSocket`].
#[derive(Clone)]
pub struct ReconnectingBuilder {
    pub(super) url: String,
    pub(super) client: ClientBuilder,
    pub(super) backoff: Backoff,
    pub(super) budget: RetryBudget,
    pub(super) lasting: Duration,
    pub(super) most_retry_after: Duration,
    pub(super) close_timeout: Duration,
    pub(super) bounds: Bounds,
    pub(super) decide: Decide,
    pub(super) refresh: Option<Refresh>,
    pub(super) seed: Option<u64>,
}

impl fmt::Debug for ReconnectingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingBuilder")
            .field("url", &self.url)
            .field("backoff", &self.backoff)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl ReconnectingBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            client: ClientBuilder::new(),
            backoff: Backoff::default(),
            budget: RetryBudget::default(),
            lasting: Duration::from_secs(10),
            most_retry_after: Duration::from_mins(10),
            close_timeout: Duration::from_secs(30),
            bounds: Bounds {
                messages: 1024,
                bytes: 1 << 20,
                while_away: WhileAway::default(),
            },
            decide: Arc::new(Lost::is_worth_retrying),
            refresh: None,
            seed: None,
        }
    }

    /// What connections are made with.
    #[must_use]
    pub fn client(mut self, client: ClientBuilder) -> Self {
        self.client = client;
        self
    }

    /// How long to wait before each try.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How often to try.
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// How long a connection must have been open for the waits to start small
    /// again: 10 s.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = time;
        self
    }

    /// The longest wait that a server may ask for with `Retry-After`: 10 min. A
    /// jitter comes on top.
    #[must_use]
    pub fn most_retry_after(mut self, time: Duration) -> Self {
        self.most_retry_after = time;
        self
    }

    /// How long closing may take in all, sending what waits included: 30 s.
    #[must_use]
    pub fn close_timeout(mut self, time: Duration) -> Self {
        self.close_timeout = time;
        self
    }

    /// What becomes of messages that are sent while there is no connection: they
    /// wait by default.
    #[must_use]
    pub fn while_away(mut self, policy: WhileAway) -> Self {
        self.bounds.while_away = policy;
        self
    }

    /// How much may wait to be sent: 1,024 messages of 1 MiB together. One
    /// message always may.
    #[must_use]
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.bounds.messages = messages;
        self.bounds.bytes = bytes;
        self
    }

    /// Decides whether to try again: [`Lost::is_worth_retrying`] does by default.
    #[must_use]
    pub fn retry_if(mut self, decide: impl Fn(&Lost) -> bool + Send + Sync + 'static) -> Self {
        self.decide = Arc::new(decide);
        self
    }

    /// Asked before each try, the first included: may renew what the server will
    /// ask for, such as a token in a header, or go elsewhere. Its error counts as
    /// one of the try.
    #[must_use]
    pub fn refresh<F, Fut>(mut self, refresh: F) -> Self
    where
        F: Fn(Attempt) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Attempt>> + Send + 'static,
    {
        self.refresh = Some(Arc::new(move |attempt| Box::pin(refresh(attempt))));
        self
    }

    /// Has the waits come from this seed, for a test.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}
