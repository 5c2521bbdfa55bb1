//! Options of `longwire proxy`, `longwire record` and `longwire replay`.

use super::way::WayArgs;

/// Options of `longwire proxy`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server behind the proxy, such as <ws://127.0.0.1:8000>
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// Options of `longwire record`.
#[derive(clap::Args)]
pub(crate) struct RecordArgs {
    /// The server behind the proxy, such as <ws://127.0.0.1:8000>
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// Options of `longwire replay`.
#[derive(clap::Args)]
pub(crate) struct ReplayArgs {
    /// The server to play to, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}
