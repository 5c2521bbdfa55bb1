//! Options of `longwire connect`.

use std::time::Duration;

use super::values;
use super::way::WayArgs;

const AFTER: &str = "\
Exit codes:
  0  the connection was closed by a closing handshake
  1  the connection was lost, or failed
  2  the command line or the URL is wrong
  3  the server could not be reached
  4  the server refused the handshake, or answered it wrongly

Examples:
  longwire connect wss://example.com/chat
  echo hi | longwire connect --wait 1s ws://127.0.0.1:8000/echo";

/// Options of `longwire connect`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Where to connect to, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    /// Go on printing messages for so long after stdin has ended
    #[arg(short, long, value_name = "DURATION", default_value = "0", value_parser = values::duration)]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}
