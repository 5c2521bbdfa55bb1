//! The command that made a report, and its URL, without what is secret in them:
//! reports are shown to others.

use clap::{Arg, Args as _};

use crate::args::bench::Args;

/// Options whose value is a secret.
const SECRET: [&str; 4] = ["bearer", "user", "cookie", "proxy"];

/// An option whose value has a secret behind a colon: the header's name stays.
const HEADER: &str = "header";

/// What is to be shown of a value.
type Shown = fn(&str) -> String;

/// The arguments, with `...` for secrets.
pub(in crate::bench) fn shown(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let command = Args::augment_args(clap::Command::new("bench"));
    let options: Vec<&Arg> = command.get_arguments().collect();
    let mut value: Option<Shown> = None;
    let shown = arguments.enumerate().map(|(index, argument)| {
        // Where it was installed is nobody's business.
        if index == 0 {
            return "longwire".to_owned();
        }
        // What an option waits for is its value, whatever it looks like.
        if let Some(shown) = value.take() {
            return shown(&argument);
        }
        let (text, next) = read(&options, &argument);
        value = next;
        text
    });
    shown.collect()
}

/// The argument as it is shown, and how the next one is where that is its value.
fn read(options: &[&Arg], argument: &str) -> (String, Option<Shown>) {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let option = options.iter().find(|arg| arg.get_long() == Some(name));
        return match (option.and_then(|arg| value_of(arg)), value) {
            (shown, None) => (argument.to_owned(), shown),
            (shown, Some(value)) => (format!("--{name}={}", shown.unwrap_or(url)(value)), None),
        };
    }
    let Some(letters) = argument.strip_prefix('-') else {
        return (url(argument), None);
    };
    // Several may stand together; the first with a value has all that follows.
    for (at, letter) in letters.char_indices() {
        let option = options.iter().find(|arg| arg.get_short() == Some(letter));
        let Some(shown) = option.and_then(|arg| value_of(arg)) else {
            continue;
        };
        let (flags, value) = letters.split_at(at + letter.len_utf8());
        return match value.strip_prefix('=').unwrap_or(value) {
            "" => (argument.to_owned(), Some(shown)),
            value => (format!("-{flags}{}", shown(value)), None),
        };
    }
    (argument.to_owned(), None)
}

/// How the value of an option is shown, where it has one.
fn value_of(option: &Arg) -> Option<Shown> {
    let name = option.get_long().unwrap_or_default();
    let shown: Shown = if SECRET.contains(&name) {
        |_| "...".to_owned()
    } else if name == HEADER {
        header
    } else {
        url
    };
    option.get_action().takes_values().then_some(shown)
}

fn header(field: &str) -> String {
    let name = field.split_once(':').map_or(field, |(name, _)| name);
    format!("{name}: ...")
}

/// A URL may carry a name and a password, and a token in its query.
pub(in crate::bench) fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = match authority.rfind('@') {
        Some(at) => format!("...{}", &authority[at..]),
        None => authority.to_owned(),
    };
    let Some((path, query)) = rest.split_once('?') else {
        return format!("{scheme}://{authority}{rest}");
    };
    let query = query.split('&').map(|parameter| {
        let name = parameter.split_once('=').map(|(name, _)| name);
        name.map_or_else(|| "...".to_owned(), |name| format!("{name}=..."))
    });
    let query: Vec<String> = query.collect();
    format!("{scheme}://{authority}{path}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let arguments = [
            "/usr/bin/longwire",
            "bench",
            "--bearer",
            "s1",
            "--user=a:s2",
            "-ua:s3",
            "-H",
            "X-Key: s4",
            "--header=X-Key: s5",
            "-HX-Key: s6",
            "--cookie",
            "s=s7",
            "-d",
            "5s",
            "-qb",
            "s=s9",
            "-qua:s10",
            "-xhttp://a:s11@proxy",
            "-x",
            "http://a:s12@proxy",
            "--origin=https://a:s13@example.com",
            "wss://a:s8@example.com/p@q?room=s14&s15",
        ];
        let shown = shown(arguments.iter().map(|text| (*text).to_owned()));
        let expected = [
            "longwire",
            "bench",
            "--bearer",
            "...",
            "--user=...",
            "-u...",
            "-H",
            "X-Key: ...",
            "--header=X-Key: ...",
            "-HX-Key: ...",
            "--cookie",
            "...",
            "-d",
            "5s",
            "-qb",
            "...",
            "-qu...",
            "-x...",
            "-x",
            "...",
            "--origin=https://...@example.com",
            "wss://...@example.com/p@q?room=...&...",
        ];
        assert_eq!(shown, expected);
    }
}
