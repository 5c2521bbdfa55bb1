//! What has passed on a connection.

/// What has passed on a connection since it was opened.
///
/// Bytes are those of frames as the transport has them, heads and control frames
/// included, compressed where they are. A message counts once its last fragment is
/// handed out, or taken to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Messages received whole.
    pub messages_received: u64,
    /// Messages sent whole.
    pub messages_sent: u64,
    /// Bytes of frames received.
    pub bytes_received: u64,
    /// Bytes of frames that the transport has taken.
    pub bytes_sent: u64,
}
