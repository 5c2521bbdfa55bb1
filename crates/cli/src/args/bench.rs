//! Options of `longwire bench`.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use super::threshold::{Threshold, threshold};
use super::values;
use super::way::WayArgs;

const AFTER: &str = "\
Closed and open loop:
  Without --rate each connection keeps --window messages on their way and sends
  the next one when an answer comes: this finds how much a server can do. A
  server that stalls is asked less meanwhile, so the latencies look better than
  what people would see.
  With --rate messages are due at fixed instants, whatever the server does, and
  their latency counts from the instant each was due. It is what people would
  see at that load. What was sent more than 10 ms after it was due is counted
  as late, what was not sent at all as unsent.
  What is lost or unsent has no latency. For a threshold on a percentile or max
  it took longer than all that was answered.
  Messages due in the warm-up are sent and checked, but not in the result.

Answers:
  An echo is expected: the same message, in the order sent. Each message carries
  its number, so that a lost, changed or repeated one is noticed. --no-verify
  takes any message for an answer.
  With --fan-out the first connection sends, and all must receive what it sent.
  A message is found again by a token within it, so servers may wrap it. One that
  a member does not get holds the sender up for --answer-timeout; at a --rate it
  does not.

Templates:
  {{seq}}         the number of the message on its connection
  {{connection}}  the number of the connection
  {{time}}        milliseconds since 1970
  {{token}}       what --fan-out finds a message by
  {{words:N}}     N random words
  {{bytes:N}}     N random bytes; in text messages, in hex

Thresholds:
  METRIC and a bound, with >, >=, < or <= between them. The run fails where one
  is true. Metrics: p50, p99, p99.99 or any other percentile, min, mean, max
  (with us, ms or s), rate (messages a second; k and M), errors and lost (a
  count, or a percentage of all messages).

JSON report:
  An object. Times are microseconds, null where nothing was measured.
  format       \"longwire-bench/1\"; fields may be added, none changes its meaning
  url          without its credentials and the values of its query
  mode         \"closed\", \"open\", \"fan-out\" or \"idle\"
  ended        \"done\", \"interrupted\" or \"connections lost\"
  environment  version, os, arch, processors, threads, command, started (ms since 1970)
  load         connections, window, rate, ramp, warmup, duration, messages, payload
  seconds      how long was measured
  connections  wanted, opened, failed, lost, reopened, survived, http2, compressed
  handshake    latency (below) of opening a connection, from resolving on
  messages     sent, received, rate (that came a second, before the end of the load),
               drained (received after it, and in no rate), lost, unsent, late
  bytes        sent, received (payloads), rate; wire_sent, wire_received (--wire-bytes)
  latency      count, min, mean, stddev, max, p50, p75, p90, p95, p99, p99.9, p99.99
  distribution [percentile, latency] in rising order
  timeline     for each second: second, sent, received, errors, open, p50, p99, max
  errors       kind, count, example
  thresholds   condition, value, failed

Exit codes:
  0  the run is over, and no threshold was passed
  1  no message was answered, or with --idle no connection survived
  2  the command line, a file or the URL is wrong
  3  no connection was opened: the server could not be reached
  4  no connection was opened: the server refused, or answered wrongly
  5  a threshold was passed

Examples:
  longwire bench ws://127.0.0.1:8000/echo
  longwire bench -c 50 --window 16 -d 30s --html report.html ws://127.0.0.1:8000/echo
  longwire bench --rate 20k --warmup 2s --fail-if 'p99>20ms' --fail-if 'errors>0' \\
      ws://127.0.0.1:8000/echo
  longwire bench --size 4k --binary --no-compression ws://127.0.0.1:8000/echo
  longwire bench -c 100 --fan-out --rate 100 \\
      --template '{\"type\":\"message\",\"text\":\"{{token}}\",\"id\":1,\"date\":{{time}}}' \\
      ws://127.0.0.1:8000/chat
  longwire bench --idle -c 4000 --ramp 10s -d 5m ws://127.0.0.1:8000/echo";

/// Options of `longwire bench`.
#[derive(clap::Args)]
#[command(after_help = AFTER)]
// Each is a switch of the command line.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct Args {
    /// Where to connect to, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// What is asked of the server.
#[derive(clap::Args)]
#[command(next_help_heading = "Load")]
// Each is a switch of the command line.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct LoadArgs {
    /// How many connections
    #[arg(short, long, value_name = "COUNT", default_value = "10")]
    pub(crate) connections: NonZero<u32>,
    /// Messages on their way on each connection
    #[arg(
        short,
        long,
        value_name = "COUNT",
        default_value = "1",
        conflicts_with = "rate"
    )]
    pub(crate) window: NonZero<u32>,
    /// Messages a second, on all connections together, such as 500 or 20k
    #[arg(short, long, value_name = "COUNT", value_parser = values::count)]
    pub(crate) rate: Option<NonZero<u64>>,
    /// Send for so long: 10 s, where --messages says nothing else
    #[arg(short, long, value_name = "DURATION", value_parser = values::some_time)]
    pub(crate) duration: Option<Duration>,
    /// Send so many messages, on all connections together
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = values::count)]
    pub(crate) messages: Option<NonZero<u64>>,
    /// Send for so long before anything is measured
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = values::duration)]
    pub(crate) warmup: Duration,
    /// Open the connections evenly over so long; the load begins when all are open
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = values::duration)]
    pub(crate) ramp: Duration,
    /// Wait so long for an answer; where none comes, the connection is given up
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::some_time)]
    pub(crate) answer_timeout: Duration,
    /// Open a connection anew that was lost, or could not be opened; with --messages and
    /// no --duration, it is given up after trying for --answer-timeout
    #[arg(long)]
    pub(crate) reconnect: bool,
    /// Ping each connection so often; 0 is never
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = values::duration)]
    pub(crate) heartbeat: Duration,
    /// The first connection sends, and all must receive it
    #[arg(long)]
    pub(crate) fan_out: bool,
    /// The server does not send a message back to who sent it
    #[arg(long, requires = "fan_out")]
    pub(crate) others_only: bool,
    /// Send nothing: open the connections, hold them and count which survive
    #[arg(
        long,
        conflicts_with_all = [
            "fan_out", "rate", "window", "messages", "warmup",
            "size", "file", "template", "binary", "no_verify",
        ]
    )]
    pub(crate) idle: bool,
    /// Run on so many threads: one for each processor by default
    #[arg(long, value_name = "COUNT")]
    pub(crate) threads: Option<NonZero<usize>>,
}

/// What the messages are.
#[derive(clap::Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct PayloadArgs {
    /// Messages of so many bytes: a number, and random words or bytes
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = values::size)]
    pub(crate) size: usize,
    /// What this file has
    #[arg(short, long, value_name = "FILE", conflicts_with = "size")]
    pub(crate) file: Option<PathBuf>,
    /// This text with its {{placeholders}} filled in, or that of a file as @FILE
    #[arg(short, long, value_name = "TEXT", conflicts_with_all = ["size", "file"])]
    pub(crate) template: Option<String>,
    /// Binary messages instead of text
    #[arg(long)]
    pub(crate) binary: bool,
    /// Take any message for an answer
    #[arg(long, conflicts_with = "fan_out")]
    pub(crate) no_verify: bool,
}

/// What is told about it.
#[derive(clap::Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct ReportArgs {
    /// Print the report as JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report to this file too, as a page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Fail where this is true, such as 'p99>20ms', 'rate<10k' or 'errors>0'; may be repeated
    #[arg(long, value_name = "CONDITION", value_parser = threshold)]
    pub(crate) fail_if: Vec<Threshold>,
    /// Count the bytes of frames too: it shows what compression saves, and costs a little
    #[arg(long)]
    pub(crate) wire_bytes: bool,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
