//! Options of `longwire serve`, each in the group that its help has: `services`
//! (what is served), `access` (to whom), `limits`, `operation` (how it is run).

pub(crate) mod access;

pub(crate) mod limits;

pub(crate) mod operation;

pub(crate) mod services;

use std::num::NonZero;
use std::path::PathBuf;

use super::way::CompressionArg;

use access::AccessArgs;
use limits::LimitArgs;
use operation::OperationArgs;
use services::ServiceArgs;

const AFTER: &str = "\
Without --echo, --broadcast, --exec and --static a demo is served: a page at /, sockets at
/echo, /chat and /article/websocket/demo/hello.

The secrets of --auth come from a file or a variable of the environment (env:NAME), with a
line each:
  token  NAME:TOKEN, or the token alone; clients send \"Authorization: Bearer TOKEN\"
  basic  NAME:PASSWORD, where the password is as it is or bcrypt's ($2y$..., htpasswd -nB NAME)
  jwt    not lines: the public key in PEM (RS256, ES256, EdDSA by its kind), or else the
         secret of HS256, of 32 bytes at least

Signals:
  SIGHUP           reads the configuration, the secrets and the certificates again
  SIGTERM, SIGINT  closes all sockets with 1001 and waits for them; once more stops at once

Exit codes:
  0  stopped by a signal
  1  could not listen, or a file that the options name cannot be used
  2  the command line or the configuration file is wrong

Examples:
  longwire serve                                         a page to try things on
  longwire serve --broadcast /news                       what one sends, all get
  longwire serve --exec 'wc -c' --exec-binary            a process for each connection
  longwire serve --exec /time='while date; do sleep 1; done' --static public
  longwire serve --tls-cert cert.pem --tls-key key.pem --auth token:tokens.txt
  longwire serve --config longwire.toml --metrics        what a service would run
  longwire serve --echo --max-message 64k --print-config > longwire.toml";

/// Options of `longwire serve`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes one that is free
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", value_parser = super::values::address)]
    pub(crate) listen: String,
    /// What to log: error, warn, info, debug, or a filter such as longwire=debug
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG")]
    pub(crate) log: String,
    /// How messages are compressed, where a client can do that
    #[arg(long, value_name = "MODE", value_enum, default_value = "shared")]
    pub(crate) compression: CompressionArg,
    /// On how many threads to serve: one for each processor by default
    #[arg(long, value_name = "COUNT")]
    pub(crate) threads: Option<NonZero<usize>>,
    /// Speak HTTP/2 too, as it is by default
    #[arg(long, overrides_with = "no_http2")]
    pub(crate) http2: bool,
    /// Speak HTTP/1.1 alone
    #[arg(long, overrides_with = "http2")]
    pub(crate) no_http2: bool,
    #[command(flatten)]
    pub(crate) services: ServiceArgs,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) operation: OperationArgs,
}

/// Options of TLS.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
// The names of the options are those of the fields.
#[allow(clippy::struct_field_names)]
pub(crate) struct TlsArgs {
    /// Speak TLS with the certificate chain in this PEM file; it is read again
    /// when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate, a PEM file too
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate made for this run; clients have to be told
    /// to take it
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls_self_signed: bool,
    /// Take only clients with a certificate of the CA in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
}
