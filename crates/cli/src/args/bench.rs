//! Options of `longwire bench`.

use super::way::WayArgs;

/// Options of `longwire bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to connect to, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}
