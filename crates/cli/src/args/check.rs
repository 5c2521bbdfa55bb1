//! Options of `longwire check`.

use super::way::WayArgs;

/// Options of `longwire check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to connect to, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}
