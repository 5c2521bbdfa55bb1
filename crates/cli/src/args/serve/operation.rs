//! How a server is run as a service.

use std::path::PathBuf;
use std::time::Duration;

use crate::args::values;

/// How a server is run as a service.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Operation")]
pub(crate) struct OperationArgs {
    /// Read options from this TOML file: keys are their names, such as
    /// max-message = "1M"; the command line wins
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print what the command line and the file say together, as such a file
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Say whether the options and the files they name are in order
    #[arg(long)]
    pub(crate) check_config: bool,
    /// Answer /metrics (Prometheus), /healthz and /readyz at this address, apart
    /// from what is served
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:9464", value_parser = values::address)]
    pub(crate) metrics: Option<String>,
    /// How long open sockets have to close when the server is stopped
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration)]
    pub(crate) drain: Duration,
}
