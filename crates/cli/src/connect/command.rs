//! `/commands` of the prompt.

use std::path::PathBuf;

/// What can be said at the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A text to send.
    Say(String),
    Ping(String),
    Close(u16, String),
    /// The content of a file, as a binary message.
    Binary(PathBuf),
    /// The content of a file, as a text.
    Send(PathBuf),
    Reconnect,
    Stats,
    Help,
    /// Nothing: an empty line.
    Nothing,
}

/// A command as it is listed.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) arguments: &'static str,
    pub(super) about: &'static str,
}

/// All commands.
pub(super) const KNOWN: [Known; 8] = [
    known(
        "/ping",
        "[TEXT]",
        "send a ping; its answer tells the latency",
    ),
    known(
        "/close",
        "[CODE [REASON]]",
        "close the connection: 1000 by default",
    ),
    known("/send", "FILE", "send a file as a text message"),
    known("/binary", "FILE", "send a file as a binary message"),
    known("/reconnect", "", "close the connection and open a new one"),
    known(
        "/stats",
        "",
        "show messages, bytes, latency and compression",
    ),
    known("/help", "", "show this"),
    known("/quit", "", "close the connection and end, as Ctrl-D does"),
];

const fn known(name: &'static str, arguments: &'static str, about: &'static str) -> Known {
    Known {
        name,
        arguments,
        about,
    }
}

/// Why a line is no command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("there is no {0}; there are {names} (to send a text that begins with a slash, write //)", names = names())]
    Unknown(String),
    #[error("expected {expected}, got {got:?}")]
    Arguments { expected: String, got: String },
}

fn names() -> String {
    KNOWN.map(|known| known.name).join(" ")
}

/// Reads a line of the prompt. A line that begins with `/` is a command, one
/// that begins with `//` a text with one slash less.
pub(super) fn parse(line: &str) -> Result<Command, CommandError> {
    let Some(rest) = line.strip_prefix('/') else {
        return Ok(if line.is_empty() {
            Command::Nothing
        } else {
            Command::Say(line.to_owned())
        });
    };
    if rest.starts_with('/') {
        return Ok(Command::Say(rest.to_owned()));
    }
    let line = line.trim_end();
    let (name, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let arguments = arguments.trim_start();
    let wrong = || CommandError::Arguments {
        expected: usage(name),
        got: line.to_owned(),
    };
    let file = || {
        let path = unescaped(arguments);
        (!path.is_empty())
            .then(|| PathBuf::from(path))
            .ok_or_else(wrong)
    };
    let alone = |command| arguments.is_empty().then_some(command).ok_or_else(wrong);
    match name {
        // RFC 6455 section 5.5.
        "/ping" if arguments.len() <= 125 => Ok(Command::Ping(arguments.to_owned())),
        "/ping" => Err(CommandError::Arguments {
            expected: "a ping of at most 125 bytes".to_owned(),
            got: format!("{} bytes", arguments.len()),
        }),
        "/close" if arguments.is_empty() => Ok(Command::Close(1000, String::new())),
        "/close" => {
            let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
            let code = code.parse().map_err(|_| wrong())?;
            Ok(Command::Close(code, reason.trim().to_owned()))
        }
        "/binary" => Ok(Command::Binary(file()?)),
        "/send" => Ok(Command::Send(file()?)),
        "/reconnect" => alone(Command::Reconnect),
        "/stats" => alone(Command::Stats),
        "/help" => alone(Command::Help),
        "/quit" => alone(Command::Close(1000, String::new())),
        _ => Err(CommandError::Unknown(name.to_owned())),
    }
}

/// A file's name without the quotes or backslashes that completion writes.
fn unescaped(name: &str) -> String {
    let quoted = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    if let Some(name) = quoted {
        return name.to_owned();
    }
    if cfg!(windows) {
        return name.to_owned();
    }
    let home = name.strip_prefix("~/").zip(std::env::home_dir());
    if let Some((rest, home)) = home {
        return format!("{}/{}", home.display(), unescaped(rest));
    }
    let mut chars = name.chars();
    std::iter::from_fn(|| match chars.next() {
        Some('\\') => chars.next(),
        char => char,
    })
    .collect()
}

fn usage(name: &str) -> String {
    KNOWN
        .iter()
        .find(|known| known.name == name)
        .map(|known| format!("{name} {}", known.arguments).trim_end().to_owned())
        .unwrap_or_default()
}

/// What `/help` says.
pub(super) fn help() -> String {
    let mut lines: Vec<String> = KNOWN
        .iter()
        .map(|known| {
            let usage = format!("{} {}", known.name, known.arguments);
            format!("{usage:<24} {}", known.about)
        })
        .collect();
    lines.push("//TEXT                   send a text that begins with a slash".to_owned());
    lines.push("Tab completes; Up and Ctrl-R find earlier lines; an unfinished JSON".to_owned());
    lines.push("value goes on in the next line, an empty line sends it as it is".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_text_or_a_command() {
        let say = |text: &str| Ok(Command::Say(text.to_owned()));
        let close = |code, reason: &str| Ok(Command::Close(code, reason.to_owned()));
        for (line, command) in [
            ("hello", say("hello")),
            (" /ping", say(" /ping")),
            ("//etc", say("/etc")),
            ("", Ok(Command::Nothing)),
            ("/ping", Ok(Command::Ping(String::new()))),
            ("/ping a b", Ok(Command::Ping("a b".to_owned()))),
            ("/close", close(1000, "")),
            ("/close 4000 so long", close(4000, "so long")),
            ("/quit ", close(1000, "")),
            ("/binary a b.png", Ok(Command::Binary("a b.png".into()))),
            ("/binary a\\ b", Ok(Command::Binary("a b".into()))),
            ("/send \"x\"", Ok(Command::Send("x".into()))),
            ("/stats", Ok(Command::Stats)),
        ] {
            assert_eq!(parse(line), command, "{line}");
        }
    }

    #[test]
    fn what_is_no_command_names_those_there_are() {
        for bad in ["/pong", "/", "/close now", "/send", "/stats all"] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains('/'), "{bad}: {error}");
        }
        let error = parse("/pong").unwrap_err().to_string();
        assert!(
            error.contains("there is no /pong") && error.contains("/ping"),
            "{error}"
        );
        let error = parse("/close now").unwrap_err().to_string();
        assert_eq!(error, "expected /close [CODE [REASON]], got \"/close now\"");
        assert!(parse(&format!("/ping {}", "a".repeat(126))).is_err());
    }

    #[test]
    #[cfg(unix)]
    fn a_tilde_is_the_home_of_who_types() {
        let home = std::env::home_dir().unwrap();
        let parsed = parse("/send ~/a\\ b");
        assert_eq!(parsed, Ok(Command::Send(home.join("a b"))));
        assert_eq!(parse("/send \"~/a\""), Ok(Command::Send("~/a".into())));
    }
}
