//! Options of `longwire check`.

use std::path::PathBuf;
use std::time::Duration;

use super::values;
use super::way::WayArgs;

const EXIT_CODES: &str = "\
Exit codes:
  0  no case failed (with --strict: all were strict)
  1  a case failed
  2  the command line is wrong
  3  the server could not be reached
  4  the server refuses the handshake, or answers it wrongly";

const SERVER: &str = "\
The server must echo: each message comes back as it was.

Verdicts:
  strict    as the RFCs ask
  lenient   otherwise, but within what they allow
  info      observed, and not judged
  skipped   could not be tried, such as compression where the server has none
  failed    against the RFCs

Exit codes:
  0  no case failed (with --strict: none was lenient either)
  1  a case failed
  2  the command line is wrong
  3  the server could not be reached
  4  the server refuses the handshake, or answers it wrongly

Examples:
  longwire check server ws://127.0.0.1:8000/echo
  longwire check server --case 'utf8.*' --verbose ws://127.0.0.1:8000/echo
  longwire check server --html report.html --junit report.xml wss://example.com/echo";

const CLIENT: &str = "\
The tester plays the server. The client's test program asks which case comes next,
connects to the URL it is told, echoes each message as it came until the connection
ends, and asks again:

  GET /next?client=NAME   {\"case\":\"utf8.valid-nul\",\"url\":\"ws://...\",\"subprotocols\":[],
                           \"compression\":false,\"sent\":\"...\",\"expected\":\"...\"}
                          or {\"done\":true}; a WebSocket there is sent the same
  GET /report             the report so far

A program that takes a URL and echoes can be tested as it is with --run, which starts
it for each case. In its command stand {url}, {case}, {subprotocols} (with commas) and
{compression} (true or false). How it exits does not count.

Verdicts:
  strict    as the RFCs ask
  lenient   otherwise, but within what they allow
  info      observed, and not judged
  skipped   could not be tried, such as compression that the client does not offer
  failed    against the RFCs

Exit codes:
  0  no case failed (with --strict: none was lenient either)
  1  a case failed, or the client went away
  2  the command line is wrong, or the address is taken

Examples:
  longwire check client
  longwire check client --listen 127.0.0.1:0 --html report.html
  longwire check client --run 'python3 echo.py {url}' --case 'close.*' --verbose";

/// Options of `longwire check`.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) what: What,
}

/// What is tested.
#[derive(clap::Subcommand)]
pub(crate) enum What {
    /// Test a server that echoes
    Server(Box<ServerArgs>),
    /// Test a client that echoes
    Client(Box<ClientArgs>),
    /// List the cases, with what each sends and expects
    List(ListArgs),
}

/// Options of `longwire check server`.
#[derive(clap::Args)]
#[command(after_help = SERVER)]
pub(crate) struct ServerArgs {
    /// Where the server echoes, such as <ws://127.0.0.1:8000/echo>
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// How many cases are tried at once; those that press the server run alone
    #[arg(long, value_name = "COUNT", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) jobs: u16,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

/// Options of `longwire check client`.
#[derive(clap::Args)]
#[command(after_help = CLIENT)]
pub(crate) struct ClientArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:9001")]
    pub(crate) listen: String,
    /// Start this command for each case, and kill it at its end
    #[arg(long, value_name = "COMMAND")]
    pub(crate) run: Option<String>,
    /// How many commands run at once; cases that press the client run alone
    #[arg(long, value_name = "COUNT", default_value = "4", requires = "run", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) jobs: u16,
    /// Give the client up when nothing was heard of it for this long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::duration)]
    pub(crate) idle: Duration,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Options of `longwire check list`.
#[derive(clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    /// Print a JSON object a line instead
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which cases.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cases")]
pub(crate) struct ChoiceArgs {
    /// Only cases whose id matches, such as <utf8.*>; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) case: Vec<String>,
    /// No cases whose id matches; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) skip: Vec<String>,
}

/// How cases are judged and told.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Report")]
pub(crate) struct ReportArgs {
    /// How long the peer has for each thing that is expected of it
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = values::duration)]
    pub(crate) patience: Duration,
    /// Lenient verdicts count as failures
    #[arg(long)]
    pub(crate) strict: bool,
    /// Tell each case, with what went over the wire where it failed
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Write the report as JSON; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as JUnit XML, for CI systems
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the report as one HTML page with each case's wire log
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}
