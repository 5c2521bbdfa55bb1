//! Options of `longwire serve`.

use std::num::NonZero;
use std::path::PathBuf;

use super::way::CompressionArg;

/// Options of `longwire serve`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes one that is free
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub(crate) listen: String,
    /// What to log: error, warn, info, debug, or a filter such as longwire=debug
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG")]
    pub(crate) log: String,
    /// Let pages of this origin open sockets too, such as
    /// <https://example.com>; may be repeated, `*` lets all
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// How messages are compressed, where a client can do that
    #[arg(long, value_name = "MODE", value_enum, default_value = "shared")]
    pub(crate) compression: CompressionArg,
    /// On how many threads to serve: one for each processor by default
    #[arg(long, value_name = "COUNT")]
    pub(crate) threads: Option<NonZero<usize>>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// Options of TLS.
#[derive(clap::Args)]
#[command(next_help_heading = "TLS")]
// The names of the options are those of the fields.
#[allow(clippy::struct_field_names)]
pub(crate) struct TlsArgs {
    /// Speak TLS with the certificate chain in this PEM file; it is read again
    /// when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate, a PEM file too
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate made for this run; clients have to be told
    /// to take it
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls_self_signed: bool,
}
