//! What clients may make the server hold, and how long they may take.

use std::time::Duration;

use crate::args::values::{self, OrOff};

/// What clients may make the server hold, and how long they may take.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Largest message taken; larger ones end their connection with 1009
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = values::some_size)]
    pub(crate) max_message: usize,
    /// Largest frame taken
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = values::some_size)]
    pub(crate) max_frame: usize,
    /// Most frames of one message
    #[arg(long, value_name = "COUNT", default_value_t = 131_072)]
    pub(crate) max_fragments: usize,
    /// Most bytes of a request's head; a larger one gets 431
    #[arg(long, value_name = "SIZE", default_value = "16k", value_parser = values::some_size)]
    pub(crate) max_header: usize,
    /// Most fields of a request's head
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = values::some)]
    pub(crate) max_header_fields: usize,
    /// Most pings, and most pongs, that wait for a slow client
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub(crate) max_queued_control: usize,
    /// Bytes that wait for a slow client before senders have to wait
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = values::size)]
    pub(crate) output_high_water: usize,
    /// Most connections at once; those above get 503
    #[arg(long, value_name = "COUNT", default_value_t = 65_536, value_parser = values::some)]
    pub(crate) max_connections: usize,
    /// Most connections at once from one IPv4 address or IPv6 /64
    #[arg(long, value_name = "COUNT", default_value_t = 4096, value_parser = values::some)]
    pub(crate) max_connections_per_address: usize,
    /// Most sockets and requests at once on one HTTP/2 connection
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    pub(crate) max_streams: u32,
    /// Memory for unfinished messages and waiting output, over all connections
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = values::size)]
    pub(crate) memory: usize,
    /// The same for one address: a quarter of all by default
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) memory_per_address: Option<usize>,
    /// How often clients are pinged, or off
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = values::duration_or_off)]
    pub(crate) heartbeat: OrOff,
    /// How long a client may take to answer a ping
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = values::duration)]
    pub(crate) heartbeat_timeout: Duration,
    /// Close connections on which no message passed for so long, or off
    #[arg(long, value_name = "DURATION", default_value = "off", value_parser = values::duration_or_off)]
    pub(crate) idle_timeout: OrOff,
    /// How long a client may take for the handshake of TLS, and for a request's head
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub(crate) handshake_timeout: Duration,
    /// How long a client may take to answer a Close frame
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub(crate) close_timeout: Duration,
    /// How long a client may take nothing of a page that is sent
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::duration)]
    pub(crate) write_timeout: Duration,
}
