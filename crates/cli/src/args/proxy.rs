//! Options of `longwire proxy`, `longwire record` and `longwire replay`.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use super::serve::TlsArgs;
use super::values;
use super::way::WayArgs;

const PROXY: &str = "\
Where clients connect to is the first line printed. With a path in the URL, that
is asked for; without one, what the client asks for. What the options of the
connection say to the server replaces what the client says; --compression
dedicated leaves the client's offer as it is.

Exit codes:
  0  stopped by Ctrl-C or SIGTERM
  1  the proxy could not listen, or not record any more
  2  the command line or the URL is wrong

Examples:
  longwire proxy ws://127.0.0.1:8000                    show what passes
  longwire proxy --json ws://127.0.0.1:8000 | jq 'select(.event == \"message\").data'
  longwire proxy --rewrite-origin https://example.com   a page and its sockets
  longwire proxy --latency 200ms --jitter 50ms --bandwidth 64k wss://example.com
  longwire proxy --drop-rate 1% --seed 7 --fragment 10 ws://127.0.0.1:8000
  longwire proxy --lines tcp://127.0.0.1:6379           a WebSocket for a TCP service
  longwire proxy --raw --lines ws://127.0.0.1:8000      a TCP port for a WebSocket";

const RECORD: &str = "\
The recording has a line of JSON for each message; `longwire replay` plays it.
Credentials and cookies are left out unless --secrets is given.

Exit codes:
  0  stopped by Ctrl-C or SIGTERM, all is recorded
  1  the proxy could not listen, or not record any more
  2  the command line or the URL is wrong

Examples:
  longwire record -o session.jsonl ws://127.0.0.1:8000
  longwire record -o session.jsonl --har session.har wss://example.com/chat
  longwire replay session.jsonl ws://127.0.0.1:8000";

const REPLAY: &str = "\
Without a URL, the recording is shown instead of played. Answers are compared
in their order, JSON by what it says.

Exit codes:
  0  the answers were the recorded ones
  1  they were not, or the connection was lost
  2  the command line, the URL or the recording is wrong
  3  the server could not be reached
  4  the server refused the handshake, or answered it wrongly

Examples:
  longwire replay session.jsonl                        show what is in it
  longwire replay session.jsonl --har session.har      for a browser's tools
  longwire replay session.jsonl ws://127.0.0.1:8000
  longwire replay session.jsonl ws://127.0.0.1:8000 --ignore id --ignore '..date'
  longwire replay session.har ws://127.0.0.1:8000 --speed original --json";

/// Options of `longwire proxy`.
#[derive(clap::Args)]
#[command(after_help = PROXY)]
pub(crate) struct Args {
    /// The server behind the proxy: <ws://127.0.0.1:8000>, <https://example.com>,
    /// or a service that speaks no WebSocket: <tcp://127.0.0.1:6379>, `unix:PATH`
    pub(crate) url: String,
    /// Record what passes in this file, for `longwire replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) between: BetweenArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) faults: FaultArgs,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// Options of `longwire record`.
#[derive(clap::Args)]
#[command(after_help = RECORD, mut_arg("origin", |origin| origin.short(None)))]
pub(crate) struct RecordArgs {
    /// The server behind the proxy, such as <ws://127.0.0.1:8000>
    pub(crate) url: String,
    /// The file to record in
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) between: BetweenArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// What a proxy does with what passes.
#[derive(clap::Args)]
// Each is a switch of the command line.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct BetweenArgs {
    /// Where to listen, HOST:PORT or `unix:PATH`; port 0 takes one that is free
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    pub(crate) listen: String,
    /// Take clients that speak no WebSocket: their bytes become messages
    #[arg(long)]
    pub(crate) raw: bool,
    /// Where one side speaks no WebSocket: a text message for each line, instead
    /// of binary messages as the bytes come; a line that is no UTF-8 is binary
    #[arg(long)]
    pub(crate) lines: bool,
    /// Tell the server its own origin instead of that of the client's page
    #[arg(long, conflicts_with = "origin")]
    pub(crate) rewrite_origin: bool,
    /// Where the server cannot judge it (--rewrite-origin, tcp:, unix:): let
    /// pages of this origin through too; may be repeated, `*` lets all
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Write over a recording that is there already
    #[arg(long)]
    pub(crate) force: bool,
    /// At the end, write what passed as a HAR file, which browsers' tools open
    #[arg(long, value_name = "FILE")]
    pub(crate) har: Option<PathBuf>,
    /// Show and record each frame too, not only whole messages
    #[arg(long)]
    pub(crate) frames: bool,
    /// Show and record credentials and cookies too
    #[arg(long)]
    pub(crate) secrets: bool,
    /// Bytes of a message that are shown and recorded; the rest passes unseen
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = keep)]
    pub(crate) keep: usize,
    /// Print lines of JSON, as they are recorded
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) json: bool,
    /// Do not print what passes
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How a proxy disturbs what passes.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Disturbance")]
pub(crate) struct FaultArgs {
    /// Hold all bytes back for so long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) latency: Option<Duration>,
    /// Let the latency vary by up to so much, more or less; the order is kept
    #[arg(long, value_name = "DURATION", value_parser = values::duration, requires = "latency")]
    pub(crate) jitter: Option<Duration>,
    /// Let so many bytes through in a second
    #[arg(long, value_name = "SIZE", value_parser = some_bytes)]
    pub(crate) bandwidth: Option<NonZero<usize>>,
    /// Lose a connection after so many messages (5), bytes (10kB) or time (30s)
    #[arg(long, value_name = "LIMIT", value_parser = drop_after)]
    pub(crate) drop_after: Option<DropAfter>,
    /// Lose a connection at a message with this probability, such as 1% or 0.01
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) drop_rate: Option<f64>,
    /// Lose connections without telling either end: nothing passes any more
    #[arg(long)]
    pub(crate) drop_silently: bool,
    /// Cut messages into WebSocket fragments of so many bytes
    #[arg(long, value_name = "SIZE", value_parser = some_bytes)]
    pub(crate) fragment: Option<NonZero<usize>>,
    /// Write so many bytes at a time, wherever frames begin
    #[arg(long, value_name = "SIZE", value_parser = some_bytes)]
    pub(crate) chop: Option<NonZero<usize>>,
    /// Disturb what this side sends only
    #[arg(long, value_name = "SIDE", value_enum)]
    pub(crate) disturb: Option<SideArg>,
    /// Make the same choices as the run that had this seed
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

impl FaultArgs {
    /// Whether anything is disturbed.
    pub(crate) fn is_any(&self) -> bool {
        let times = self.latency.is_some() || self.bandwidth.is_some();
        let shapes = self.fragment.is_some() || self.chop.is_some();
        times || shapes || self.drop_after.is_some() || self.drop_rate.is_some()
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SideArg {
    Client,
    Server,
}

/// Options of `longwire replay`.
#[derive(clap::Args)]
#[command(after_help = REPLAY, mut_args(of_the_way_need_a_url))]
pub(crate) struct ReplayArgs {
    /// A recording of `longwire record`, or a HAR file of a browser's tools
    #[arg(value_name = "RECORDING")]
    pub(crate) file: PathBuf,
    /// The server to play to: at the recorded path where this has none
    pub(crate) url: Option<String>,
    /// How fast: `original`, times that as in `2x`, or `max`, which waits for
    /// the recorded answers only
    #[arg(long, value_name = "SPEED", default_value = "max", value_parser = speed, requires = "url")]
    pub(crate) speed: Speed,
    /// Play this connection only; may be repeated
    #[arg(long, value_name = "NUMBER")]
    pub(crate) connection: Vec<u64>,
    /// Do not compare this field of JSON answers, such as `id`, `items[].date`
    /// or, at any depth, `..date`; may be repeated
    #[arg(long, value_name = "PATH", requires = "url")]
    pub(crate) ignore: Vec<String>,
    /// How long to wait for a recorded answer
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration, requires = "url")]
    pub(crate) within: Duration,
    /// Report the differences as JSON; without a URL, print the recording's lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the recording as a HAR file, which browsers' tools open
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "connection", "json"])]
    pub(crate) har: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// The options of the connection say how to get to the server that is played to.
fn of_the_way_need_a_url(option: clap::Arg) -> clap::Arg {
    if option.get_help_heading() == Some("Connection") {
        option.requires("url")
    } else {
        option
    }
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speed {
    /// As fast as answers come.
    Max,
    /// So many times as fast as it was recorded.
    Times(f64),
}

/// When a connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropAfter {
    Messages(u64),
    Bytes(u64),
    Time(Duration),
}

/// The most that `--keep` takes: of a message in each direction of each
/// connection so much may be held.
const MOST_KEPT: usize = 64 << 20;

/// Beyond these a recording is not played in anyone's time, or its pace is none.
const SPEEDS: std::ops::RangeInclusive<f64> = 1e-3..=1e6;

fn keep(text: &str) -> Result<usize, String> {
    let size = values::size(text)?;
    if (1..=MOST_KEPT).contains(&size) {
        return Ok(size);
    }
    Err(format!("expected a size from 1 to 64M, got {text:?}"))
}

fn some_bytes(text: &str) -> Result<NonZero<usize>, String> {
    NonZero::new(values::size(text)?).ok_or_else(|| "expected at least 1 byte, got 0".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let (number, each) = match text.strip_suffix('%') {
        Some(percent) => (percent, 0.01),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>().map(|number| number * each) {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err(format!("expected a rate such as 1% or 0.01, got {text:?}")),
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    let expected = || format!("expected original, max, or times such as 2x, got {text:?}");
    match text {
        "max" => Ok(Speed::Max),
        "original" => Ok(Speed::Times(1.0)),
        _ => {
            let times = text.strip_suffix('x').ok_or_else(expected)?;
            match times.parse::<f64>() {
                Ok(times) if SPEEDS.contains(&times) => Ok(Speed::Times(times)),
                Ok(times) if times > 0.0 => {
                    Err(format!("expected 0.001x to 1000000x, got {text:?}"))
                }
                _ => Err(expected()),
            }
        }
    }
}

fn drop_after(text: &str) -> Result<DropAfter, String> {
    let expected = || {
        format!("expected messages as in 5, bytes as in 10kB, or a time as in 30s, got {text:?}")
    };
    let unit = text
        .trim_start_matches(|char: char| char.is_ascii_digit() || char == '.')
        .trim();
    let number = text[..text.len() - unit.len()].trim();
    let unit = unit.to_ascii_lowercase();
    match unit.as_str() {
        "" | "message" | "messages" => {
            let messages = number.parse().map_err(|_| expected())?;
            Ok(DropAfter::Messages(messages))
        }
        "byte" | "bytes" => Ok(DropAfter::Bytes(number.parse().map_err(|_| expected())?)),
        unit if unit.ends_with('b') => {
            let bytes = values::size(&format!("{number}{unit}")).map_err(|_| expected())?;
            Ok(DropAfter::Bytes(bytes as u64))
        }
        // It could be minutes and megabytes alike.
        "m" => Err(format!(
            "expected 10min or 10MB instead of {text:?}, which could be both"
        )),
        _ => values::duration(text)
            .map(DropAfter::Time)
            .map_err(|_| expected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_of_messages_bytes_or_time() {
        for (text, limit) in [
            ("5", DropAfter::Messages(5)),
            ("1 message", DropAfter::Messages(1)),
            ("100bytes", DropAfter::Bytes(100)),
            ("10kB", DropAfter::Bytes(10 << 10)),
            ("2MiB", DropAfter::Bytes(2 << 20)),
            ("250ms", DropAfter::Time(Duration::from_millis(250))),
            ("2min", DropAfter::Time(Duration::from_mins(2))),
        ] {
            assert_eq!(drop_after(text), Ok(limit), "{text}");
        }
        for bad in ["", "x", "10m", "-1", "1.5", "5 apples"] {
            assert!(drop_after(bad).unwrap_err().contains("expected"), "{bad}");
        }
    }

    #[test]
    fn speeds_and_rates_are_within_reason() {
        assert_eq!(speed("max"), Ok(Speed::Max));
        assert_eq!(speed("0.5x"), Ok(Speed::Times(0.5)));
        for bad in ["", "2", "0x", "-1x", "nanx"] {
            assert!(
                speed(bad).unwrap_err().contains("expected original"),
                "{bad}"
            );
        }
        for bad in ["infx", "1e-18x", "1e7x"] {
            assert!(speed(bad).unwrap_err().contains("expected 0.001x"), "{bad}");
        }
        assert_eq!((rate("50%"), rate("0.25")), (Ok(0.5), Ok(0.25)));
        for bad in ["", "101%", "-1", "2", "nan"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
