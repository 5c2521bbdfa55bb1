//! What is served.

use std::path::PathBuf;
use std::time::Duration;

use crate::args::values;

/// What is served.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Services")]
pub(crate) struct ServiceArgs {
    /// Return each message, at / or this path; may be repeated
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "/", value_parser = values::path)]
    pub(crate) echo: Vec<String>,
    /// Send each message to all that are connected to the same path, whoever sent it
    /// included; may be repeated
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "/", value_parser = values::path)]
    pub(crate) broadcast: Vec<String>,
    /// Run this command of the shell for each connection: messages are lines of
    /// its stdin and stdout (one that has several lines reads as several messages), its environment is CGI's; at / and below, or at the path
    /// in front and below; may be repeated
    #[arg(long, value_name = "[PATH=]COMMAND")]
    pub(crate) exec: Vec<String>,
    /// With --exec, do without lines: what the command writes is sent as binary
    /// messages, what arrives is written as it came
    #[arg(long)]
    pub(crate) exec_binary: bool,
    /// With --exec, give the command this variable of the environment too; may be
    /// repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) exec_env: Vec<String>,
    /// With --exec, how many commands run at the same time at most; clients above
    /// get 503
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    pub(crate) max_processes: usize,
    /// With --exec, how long a command has to end once its connection has: then
    /// it gets SIGTERM, and after as long again SIGKILL
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = values::duration)]
    pub(crate) exec_grace: Duration,
    /// Serve the files of this folder at /
    #[arg(long = "static", value_name = "FOLDER")]
    pub(crate) files: Option<PathBuf>,
    /// Serve the page with the view of connections, at / or this path; without other
    /// services it is there anyway
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "/", value_parser = values::path)]
    pub(crate) page: Option<String>,
    /// Who may see the view of connections on the page: nobody, whoever comes
    /// from this machine, or all users of --auth too; local for the demo alone, off
    /// with --page, as behind a proxy all may seem to come from this machine
    #[arg(long, value_name = "WHO", value_enum)]
    pub(crate) view: Option<Viewers>,
    /// Let those who see the view close connections
    #[arg(long)]
    pub(crate) view_close: bool,
}

/// Who may see the view of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Viewers {
    /// Nobody
    Off,
    /// Who comes from this machine, by its own name, past no proxy
    Local,
    /// All users of --auth, from anywhere
    Users,
}

/// A command and the path in front of it, if there is one.
pub(crate) fn at_path(text: &str) -> (&str, &str) {
    let path = text.split_once('=').filter(|(path, _)| {
        path.starts_with('/') && !path.contains(|char: char| char.is_whitespace() || char == '*')
    });
    path.unwrap_or(("/", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_have_a_path_in_front() {
        for (text, expected) in [
            ("wc -c", ("/", "wc -c")),
            ("/count=wc -c", ("/count", "wc -c")),
            ("/usr/bin/env A=1 b", ("/", "/usr/bin/env A=1 b")),
            ("A=1 b", ("/", "A=1 b")),
            ("/a=b=c", ("/a", "b=c")),
        ] {
            assert_eq!(at_path(text), expected);
        }
    }
}
