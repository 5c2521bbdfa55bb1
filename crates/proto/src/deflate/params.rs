//! The negotiation of permessage-deflate (RFC 7692 sections 5 and 7.1).

use super::{Compression, CompressionConfig, MAX_WINDOW_BITS, MIN_WINDOW_BITS};
use crate::Role;
use crate::http::extension::{Extension, ExtensionParam};

/// The extension's registered name (RFC 7692 section 9.1).
pub const EXTENSION: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The parameters that both ends have agreed on (RFC 7692 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreement {
    /// The server compresses each message on its own.
    pub server_no_context_takeover: bool,
    /// The client compresses each message on its own.
    pub client_no_context_takeover: bool,
    /// The server's LZ77 window as a power of two: 8 to 15.
    pub server_max_window_bits: u8,
    /// The client's LZ77 window as a power of two: 8 to 15.
    pub client_max_window_bits: u8,
}

/// One direction of an [`Agreement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Direction {
    pub(crate) takeover: bool,
    pub(crate) window_bits: u8,
}

impl Agreement {
    /// What `sender` does.
    pub(crate) fn direction(self, sender: Role) -> Direction {
        match sender {
            Role::Server => Direction {
                takeover: !self.server_no_context_takeover,
                window_bits: self.server_max_window_bits.min(MAX_WINDOW_BITS),
            },
            Role::Client => Direction {
                takeover: !self.client_no_context_takeover,
                window_bits: self.client_max_window_bits.min(MAX_WINDOW_BITS),
            },
        }
    }
}

/// Why parameters are declined, or fail the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// A parameter that RFC 7692 does not define.
    #[error("expected a parameter of permessage-deflate, got {0:?}")]
    Unknown(String),
    /// A parameter that is there more than once.
    #[error("expected the parameter {0} of permessage-deflate once, got it again")]
    Repeated(&'static str),
    /// A value where there is to be none, none where there is to be one, or one
    /// out of range.
    #[error("expected {expected} for {name} of permessage-deflate, got {}", or_none(.got.as_deref()))]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it may have.
        expected: &'static str,
        /// Its value.
        got: Option<String>,
    },
    /// The server agreed to something that was not offered.
    #[error("expected {expected} from the server, got {got}")]
    NotOffered {
        /// What the offer allows.
        expected: String,
        /// The server's answer.
        got: String,
    },
}

fn or_none(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}

/// Parameters as one end names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: ClientBits,
}

/// The parameter `client_max_window_bits`, which may come without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ClientBits {
    #[default]
    Absent,
    WithoutValue,
    Value(u8),
}

impl ClientBits {
    /// The parameter that says no more than it has to: the largest window is
    /// the default.
    fn offered(bits: u8) -> Self {
        named(bits).map_or(Self::WithoutValue, Self::Value)
    }

    fn answered(bits: u8) -> Self {
        named(bits).map_or(Self::Absent, Self::Value)
    }
}

impl Params {
    //= rfc7692#7-2, rfc7692#7-3, rfc7692#7-4
    //= rfc7692#7.1.1.1-1, rfc7692#7.1.1.2-1, rfc7692#7.1.2.1-1, rfc7692#7.1.2.2-1
    fn parse(extension: &Extension) -> Result<Self, NegotiationError> {
        let mut params = Self::default();
        let mut seen = Vec::new();
        for ExtensionParam { name, value } in &extension.params {
            let known = [
                SERVER_NO_CONTEXT_TAKEOVER,
                CLIENT_NO_CONTEXT_TAKEOVER,
                SERVER_MAX_WINDOW_BITS,
                CLIENT_MAX_WINDOW_BITS,
            ];
            let name = *known
                .iter()
                .find(|known| *known == name)
                .ok_or_else(|| NegotiationError::Unknown(name.clone()))?;
            if seen.contains(&name) {
                return Err(NegotiationError::Repeated(name));
            }
            seen.push(name);
            let value = value.as_deref();
            match name {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    params.server_no_context_takeover = no_value(name, value)?;
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    params.client_no_context_takeover = no_value(name, value)?;
                }
                SERVER_MAX_WINDOW_BITS => params.server_max_window_bits = Some(bits(name, value)?),
                _ => {
                    params.client_max_window_bits = match value {
                        None => ClientBits::WithoutValue,
                        value => ClientBits::Value(bits(name, value)?),
                    };
                }
            }
        }
        Ok(params)
    }

    fn into_extension(self) -> Extension {
        let mut params = Vec::new();
        let mut add = |name: &str, value: Option<u8>| {
            params.push(ExtensionParam {
                name: name.to_owned(),
                value: value.map(|bits| bits.to_string()),
            });
        };
        if self.server_no_context_takeover {
            add(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            add(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if let Some(bits) = self.server_max_window_bits {
            add(SERVER_MAX_WINDOW_BITS, Some(bits));
        }
        match self.client_max_window_bits {
            ClientBits::Absent => {}
            ClientBits::WithoutValue => add(CLIENT_MAX_WINDOW_BITS, None),
            ClientBits::Value(bits) => add(CLIENT_MAX_WINDOW_BITS, Some(bits)),
        }
        Extension {
            name: EXTENSION.to_owned(),
            params,
        }
    }

    /// What holds once a server has answered with these.
    fn agreement(self) -> Agreement {
        let max = MAX_WINDOW_BITS;
        Agreement {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(max),
            client_max_window_bits: match self.client_max_window_bits {
                ClientBits::Value(bits) => bits,
                _ => max,
            },
        }
    }
}

fn no_value(name: &'static str, value: Option<&str>) -> Result<bool, NegotiationError> {
    match value {
        None => Ok(true),
        Some(value) => Err(NegotiationError::Value {
            name,
            expected: "no value",
            got: Some(value.to_owned()),
        }),
    }
}

/// A decimal number of 8 to 15, without leading zeros.
fn bits(name: &'static str, value: Option<&str>) -> Result<u8, NegotiationError> {
    value
        .filter(|value| !value.starts_with('0') && value.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|value| value.parse().ok())
        .filter(|bits| (MIN_WINDOW_BITS..=MAX_WINDOW_BITS).contains(bits))
        .ok_or_else(|| NegotiationError::Value {
            name,
            expected: "a number of 8 to 15",
            got: value.map(str::to_owned),
        })
}

/// The part of a window that is worth naming: the largest is the default.
fn named(bits: u8) -> Option<u8> {
    (bits < MAX_WINDOW_BITS).then_some(bits)
}

/// The smallest window to ask of a peer: zlib, which most have, makes none of
/// 256 bytes.
const LEAST_ASKED: u8 = 9;

//= rfc7692#5-1, rfc7692#7.1.2.2-2, rfc6455#9-1, rfc6455#9-3, rfc6455#9.1-4, rfc6455#9.1-6
//= rfc6455#9.2-1, rfc6455#4.1-22
/// What a client offers, its favourite first.
pub(crate) fn offer(config: &CompressionConfig) -> Vec<Extension> {
    let offers = offers(config);
    offers.into_iter().map(Params::into_extension).collect()
}

fn offers(config: &CompressionConfig) -> Vec<Params> {
    let bits = config.window_bits();
    match config.mode {
        Compression::Off => Vec::new(),
        Compression::Shared => vec![Params {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            client_max_window_bits: ClientBits::WithoutValue,
            ..Params::default()
        }],
        Compression::Dedicated { .. } => {
            let favourite = Params {
                server_max_window_bits: named(bits.max(LEAST_ASKED)),
                client_max_window_bits: ClientBits::offered(bits),
                ..Params::default()
            };
            // For a server that knows one window alone: it is to keep nothing.
            let fallback = Params {
                server_no_context_takeover: true,
                client_max_window_bits: ClientBits::WithoutValue,
                ..Params::default()
            };
            if favourite.server_max_window_bits.is_some() {
                vec![favourite, fallback]
            } else {
                vec![favourite]
            }
        }
    }
}

//= rfc6455#9-2, rfc6455#9-3
//= rfc7692#5-2, rfc7692#5-3, rfc7692#5-4, rfc7692#7-1, rfc7692#7.1-1
/// A server's answer to the offers: the first that can be met.
pub(crate) fn accept(
    config: &CompressionConfig,
    offers: &[Extension],
) -> Option<(Extension, Agreement)> {
    if config.mode == Compression::Off {
        return None;
    }
    let offer = offers
        .iter()
        .filter(|offer| offer.name == EXTENSION)
        .find_map(|offer| Params::parse(offer).ok())?;
    let answer = answer(config, offer);
    Some((answer.into_extension(), answer.agreement()))
}

//= rfc7692#7.1.1.1-2, rfc7692#7.1.1.1-3, rfc7692#7.1.1.2-2, rfc7692#7.1.2.1-2
//= rfc7692#7.1.2.1-3, rfc7692#7.1.2.2-3, rfc7692#7.1.2.2-4, rfc7692#7.1.2.2-5
fn answer(config: &CompressionConfig, offer: Params) -> Params {
    let own = config.window_bits();
    let alone = config.mode == Compression::Shared;
    let asked = own.max(LEAST_ASKED);
    let client_bits = match offer.client_max_window_bits {
        ClientBits::Absent => ClientBits::Absent,
        ClientBits::WithoutValue => ClientBits::answered(asked),
        ClientBits::Value(bits) => ClientBits::answered(bits.min(asked)),
    };
    // A client that cannot be asked for a small window would have us hold the
    // largest: it is asked to take nothing over instead.
    let unbounded = client_bits == ClientBits::Absent && own < MAX_WINDOW_BITS;
    let server_bits = offer.server_max_window_bits;
    Params {
        server_no_context_takeover: offer.server_no_context_takeover || alone,
        client_no_context_takeover: offer.client_no_context_takeover || alone || unbounded,
        server_max_window_bits: server_bits.map(|bits| bits.min(own)).or_else(|| named(own)),
        client_max_window_bits: client_bits,
    }
}

//= rfc7692#5-5, rfc7692#7-5, rfc7692#7-6, rfc7692#7.1-2, rfc7692#7.1.2.2-6
/// A client's verdict on the server's answer: what is agreed on, where it meets
/// one of the offers.
pub(crate) fn conclude(
    config: &CompressionConfig,
    extension: &Extension,
) -> Result<Agreement, NegotiationError> {
    let answer = Params::parse(extension)?;
    let mut first = None;
    for offer in offers(config) {
        match answer.meets(offer, extension) {
            Ok(()) => {
                let mut agreement = answer.agreement();
                // What this end does beyond the agreement is its own matter.
                agreement.client_no_context_takeover |= offer.client_no_context_takeover;
                let own = config.window_bits();
                agreement.client_max_window_bits = agreement.client_max_window_bits.min(own);
                return Ok(agreement);
            }
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    Err(first.unwrap_or_else(|| NegotiationError::NotOffered {
        expected: "no extension".to_owned(),
        got: extension.to_string(),
    }))
}

impl Params {
    /// Whether these answer the offer; `whole` is what errors show.
    fn meets(self, offer: Self, whole: &Extension) -> Result<(), NegotiationError> {
        let refuse = |expected: String| {
            Err(NegotiationError::NotOffered {
                expected,
                got: whole.to_string(),
            })
        };
        if offer.server_no_context_takeover && !self.server_no_context_takeover {
            return refuse(SERVER_NO_CONTEXT_TAKEOVER.to_owned());
        }
        if let Some(most) = offer.server_max_window_bits
            && self.server_max_window_bits.is_none_or(|bits| bits > most)
        {
            return refuse(format!("{SERVER_MAX_WINDOW_BITS} of at most {most}"));
        }
        match (offer.client_max_window_bits, self.client_max_window_bits) {
            (_, ClientBits::Absent) | (ClientBits::WithoutValue, ClientBits::Value(_)) => Ok(()),
            (ClientBits::Value(most), ClientBits::Value(bits)) if bits <= most => Ok(()),
            // A window must be named here; only an offer may leave it open.
            (_, ClientBits::WithoutValue) => Err(NegotiationError::Value {
                name: CLIENT_MAX_WINDOW_BITS,
                expected: "a number of 8 to 15",
                got: None,
            }),
            (ClientBits::Absent, _) => refuse(format!("no {CLIENT_MAX_WINDOW_BITS}")),
            (ClientBits::Value(most), _) => {
                refuse(format!("{CLIENT_MAX_WINDOW_BITS} of at most {most}"))
            }
        }
    }
}
