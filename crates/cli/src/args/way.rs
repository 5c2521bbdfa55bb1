//! How to get to a server, for all commands that go to one.

use std::path::PathBuf;

use super::values;

/// How to get to the server.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
// Each is a switch of the command line.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct WayArgs {
    /// Offer a subprotocol; may be repeated, the favourite first
    #[arg(short, long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// Add a header to the request; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = values::field)]
    pub(crate) header: Vec<(String, String)>,
    /// Send a cookie; may be repeated
    #[arg(short = 'b', long, value_name = "NAME=VALUE")]
    pub(crate) cookie: Vec<String>,
    /// Send this Origin, as a browser on that site would
    #[arg(short, long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// Send a user name and a password
    #[arg(short, long, value_name = "NAME:PASSWORD", conflicts_with = "bearer")]
    pub(crate) user: Option<String>,
    /// Send a bearer token
    #[arg(long, value_name = "TOKEN")]
    pub(crate) bearer: Option<String>,
    /// Follow redirects, up to 10
    #[arg(short = 'L', long)]
    pub(crate) location: bool,
    /// Give up on each step of connecting after this long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub(crate) timeout: std::time::Duration,
    /// Go through this proxy, such as <http://host:3128> or <socks5://host:1080>
    #[arg(short = 'x', long, value_name = "URL", conflicts_with = "no_proxy")]
    pub(crate) proxy: Option<String>,
    /// Go through no proxy, whatever `HTTPS_PROXY` and `ALL_PROXY` say
    #[arg(long)]
    pub(crate) no_proxy: bool,
    /// Connect to this Unix socket
    #[arg(long, value_name = "PATH")]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Trust the CA in this PEM file too
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Show the server the certificate in this PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Take any certificate of the server's
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,
    /// Do not offer HTTP/2
    #[arg(long = "http1.1")]
    pub(crate) http1: bool,
    /// Whether to offer compression [default: dedicated]
    #[arg(long, value_name = "MODE", value_enum)]
    pub(crate) compression: Option<CompressionArg>,
    /// Do not offer compression: the same as --compression off
    #[arg(long, conflicts_with = "compression")]
    pub(crate) no_compression: bool,
}

impl WayArgs {
    /// How messages are compressed, as asked for or not.
    pub(crate) fn compression(&self) -> CompressionArg {
        if self.no_compression {
            return CompressionArg::Off;
        }
        self.compression.unwrap_or_default()
    }
}

/// How messages are compressed (RFC 7692).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CompressionArg {
    /// Not at all
    Off,
    /// Each message on its own: connections hold nothing for it
    Shared,
    /// With a context for each connection: smaller messages, more memory
    #[default]
    Dedicated,
}
