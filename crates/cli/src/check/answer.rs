//! How the tester, playing the server, answers a client's handshake.

use crate::wire::{Head, accept_for_key};

/// Makes the bytes of the answer of the client's request.
pub(crate) type Respond = Box<dyn Fn(&Head) -> Vec<u8> + Send + Sync>;

/// An answer to the opening handshake, and what the client should make of it.
pub(crate) struct Answer {
    pub(crate) respond: Respond,
    /// Whether the client should take it.
    pub(crate) is_good: bool,
}

/// The answer that accepts a request (RFC 6455 section 4.2.2, step 5).
pub(crate) fn accepting(request: &Head) -> Head {
    let key = request.get("Sec-WebSocket-Key").unwrap_or_default();
    Head {
        first_line: "HTTP/1.1 101 Switching Protocols".to_owned(),
        fields: vec![
            ("Upgrade".to_owned(), "websocket".to_owned()),
            ("Connection".to_owned(), "Upgrade".to_owned()),
            ("Sec-WebSocket-Accept".to_owned(), accept_for_key(key)),
        ],
    }
}
