//! The command that made a report, without what is secret in it: reports are shown
//! to others.

/// Options whose value is a secret.
const SECRET: [&str; 6] = ["--bearer", "--user", "-u", "--cookie", "-b", "--proxy"];

/// Options whose value has a secret behind a colon: the header's name stays.
const HEADERS: [&str; 2] = ["--header", "-H"];

/// The arguments, with `...` for secrets.
pub(in crate::bench) fn shown(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut shown = Vec::new();
    let mut before = String::new();
    for argument in arguments {
        let mut text = if SECRET.contains(&before.as_str()) {
            "...".to_owned()
        } else if HEADERS.contains(&before.as_str()) {
            header(&argument)
        } else {
            attached(&argument)
        };
        text = without_userinfo(&text);
        shown.push(text);
        before = argument;
    }
    // Where it was installed is nobody's business.
    if let Some(program) = shown.first_mut() {
        "longwire".clone_into(program);
    }
    shown
}

/// `--bearer=x` and `-ux` have their value in the same argument.
fn attached(argument: &str) -> String {
    let starts = |option: &&&str| {
        let rest = argument.strip_prefix(**option).unwrap_or_default();
        let long = option.starts_with("--");
        (long && rest.starts_with('=')) || (!long && !rest.is_empty())
    };
    if let Some(option) = SECRET.iter().find(starts) {
        return format!("{option}=...");
    }
    match HEADERS.iter().find(starts) {
        Some(option) => {
            let value = argument[option.len()..].trim_start_matches('=');
            format!("{option}={}", header(value))
        }
        None => argument.to_owned(),
    }
}

fn header(field: &str) -> String {
    let name = field.split_once(':').map_or(field, |(name, _)| name);
    format!("{name}: ...")
}

/// A URL may carry a name and a password.
fn without_userinfo(argument: &str) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else {
        return argument.to_owned();
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://...{}", &rest[at..]),
        None => argument.to_owned(),
    }
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
            "wss://a:s8@example.com/p@q",
        ];
        let shown = shown(arguments.iter().map(|text| (*text).to_owned()));
        let expected = [
            "longwire",
            "bench",
            "--bearer",
            "...",
            "--user=...",
            "-u=...",
            "-H",
            "X-Key: ...",
            "--header=X-Key: ...",
            "-H=X-Key: ...",
            "--cookie",
            "...",
            "-d",
            "5s",
            "wss://...@example.com/p@q",
        ];
        assert_eq!(shown, expected);
    }
}
