//! Options of `longwire ping`.

use std::num::NonZero;
use std::time::Duration;

use super::values;
use super::way::WayArgs;

const AFTER: &str = "\
First come the steps to the server, then a line for each ping. A ping is one of
WebSocket's own (RFC 6455 section 5.5.2), which every server answers, whatever
its messages mean. Its payload carries its number.

With --json each line is an object. Its field \"event\" is one of:
  open     url, http, address, compression (null where not agreed), subprotocol, ms,
           and steps: a list of step and ms
  pong     seq, latency_ms, and late where it came after --wait
  timeout  seq
  close    code, reason, clean, by
  summary  sent, received, loss (percent), min, avg, max, stddev (ms)

Exit codes:
  0  pings were answered
  1  none was
  2  the command line or the URL is wrong
  3  the server could not be reached
  4  the server refused the handshake, or answered it wrongly

Examples:
  longwire ping ws://127.0.0.1:8000/echo
  longwire ping -c 5 -i 200ms wss://example.com/chat
  longwire ping -c 1 --json wss://example.com/chat | jq .";

/// Options of `longwire ping`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Where to connect to, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    /// Stop after so many pings; without it, Ctrl-C stops
    #[arg(short, long, value_name = "COUNT")]
    pub(crate) count: Option<NonZero<u64>>,
    /// Time from one ping to the next
    #[arg(short, long, value_name = "DURATION", default_value = "1s", value_parser = values::duration)]
    pub(crate) interval: Duration,
    /// Count a ping as lost that is not answered after so long
    #[arg(short, long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub(crate) wait: Duration,
    /// Print an object in a line for each event
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}
