//! Options of `longwire connect`.

use std::path::PathBuf;
use std::time::Duration;

use super::values;
use super::way::WayArgs;

const AFTER: &str = "\
At a terminal, lines are edited and remembered, Tab completes /commands, /help lists them,
and an unfinished JSON value goes on in the next line. In a pipe, each line is a message;
one received may have several lines, which --json keeps together.

Exit codes:
  0  the connection was closed by a closing handshake, or --count or --exit-on was met
  1  the connection was lost, or failed
  2  the command line or the URL is wrong
  3  the server could not be reached
  4  the server refused the handshake, or answered it wrongly
  5  the connection ended before --count or --exit-on was met

Filters (--filter, --exit-on) are paths into JSON messages:
  .price   .user.name   .items[0]   .items[-1]   .items[].id   .[\"a key\"]   .
and may compare what they find with a JSON value: .type == \"trade\", .id != 7

Events of --json, one object a line, each with \"event\" and \"time\" (RFC 3339):
  open     url, http, subprotocol, compression (null where not agreed)
  message  direction (sent, received), type (text, binary), data or base64; with a
           filter that finds values, values
  sent     bytes (of --binary in a pipe, whose message is not kept)
  ping     direction, base64
  pong     direction, base64, latency_ms (null where it answers no ping)
  retry    wait_ms (with --reconnect)
  close    code, reason, clean, by
  error    message, exit

Examples:
  longwire connect wss://example.com/chat
  longwire connect --bearer $TOKEN --subprotocol chat.v2 --verbose wss://example.com/chat
  echo hi | longwire connect --wait 1s ws://127.0.0.1:8000/echo
  echo '{\"subscribe\":\"btc\"}' | longwire connect --count 5 --filter .price wss://example.com
  longwire connect --no-input --json wss://example.com/feed |
      jq -r 'select(.event == \"message\").data'
  longwire connect --binary --count 1 ws://127.0.0.1:8000/echo < cat.png > same.png";

/// Options of `longwire connect`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
// Each is a switch of the command line.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct Args {
    /// Where to connect to, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    /// Go on printing messages for so long after stdin has ended: 0 by default,
    /// without an end with --count or --exit-on
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) wait: Option<Duration>,
    /// Read nothing from stdin: print until the connection ends
    #[arg(long, conflicts_with = "wait")]
    pub(crate) no_input: bool,
    /// Connect again, after a pause, where the connection is lost or cannot be
    /// opened for the moment
    #[arg(short, long)]
    pub(crate) reconnect: bool,
    /// Show the handshake and each frame, on stderr or above the prompt
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Close after so many messages received; with --filter, those it lets pass
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Close after a message that contains this text, or, where it begins with
    /// a dot, for which this filter finds something other than null and false
    #[arg(short, long, value_name = "TEXT|FILTER")]
    pub(crate) exit_on: Option<String>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// How messages are shown.
#[derive(clap::Args)]
#[command(next_help_heading = "Messages")]
// Each is a switch of the command line.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct ShowArgs {
    /// Show what this path finds in JSON messages, and nothing of others; one
    /// that compares lets whole messages pass
    #[arg(short, long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Print an object for each event instead of messages
    #[arg(long)]
    pub(crate) json: bool,
    /// Send binary messages: the whole of stdin as one, or each line that is
    /// typed; in a pipe, what comes is written as it is, with nothing between
    #[arg(long)]
    pub(crate) binary: bool,
    /// Write binary messages to this file, one behind the other, or to a new
    /// file each in this folder
    #[arg(long, value_name = "FILE|FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// What to put in front of messages at a terminal
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    pub(crate) time: TimeArg,
    /// Show JSON as it came, not in lines of its own
    #[arg(long)]
    pub(crate) compact: bool,
    /// Neither read nor write the history of lines typed, which is kept in
    /// `~/.local/state/longwire/history`
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// Which time stands in front of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TimeArg {
    /// The time of day, in UTC
    #[default]
    Utc,
    /// Seconds since the program began
    Elapsed,
    /// None
    Off,
}
