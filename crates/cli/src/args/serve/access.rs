//! Who may come.

use std::path::PathBuf;

/// Who may come.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessArgs {
    /// Let pages of this origin open sockets too, such as
    /// <https://example.com>; may be repeated, `*` lets all
    #[arg(long, visible_alias = "origin", value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Take requests for this host too, such as example.com, or for all (`*`): at a
    /// loopback address without --auth only this machine's names and the hosts of
    /// --allow-origin are taken, as a page of anywhere may have its own name lead here;
    /// a proxy in front may need it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Let in only those who have a token, a password, or a JSON Web Token:
    /// token:FILE, basic:FILE or jwt:FILE, with env:NAME for FILE where it is in the
    /// environment; may be repeated, one of them will do
    #[arg(long, value_name = "SCHEME:FILE", value_parser = auth)]
    pub(crate) auth: Vec<AuthArg>,
    /// Take the token from this cookie too, which pages can have; scripts of the same
    /// site may read it unless it is `HttpOnly`
    #[arg(long, value_name = "NAME")]
    pub(crate) auth_cookie: Option<String>,
    /// Take the token from this parameter of the URL too; what is in a URL ends up in
    /// logs and histories, so let such tokens expire soon
    #[arg(long, value_name = "NAME")]
    pub(crate) auth_query: Option<String>,
    /// Whom a JSON Web Token has to come from (`iss`)
    #[arg(long, value_name = "ISSUER")]
    pub(crate) jwt_issuer: Option<String>,
    /// Whom a JSON Web Token has to be for (`aud`); one that is for somebody is
    /// refused without this
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) jwt_audience: Option<String>,
}

/// How clients show who they are, and what that is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthArg {
    pub(crate) scheme: AuthScheme,
    pub(crate) source: SecretSource,
}

/// What clients show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthScheme {
    Token,
    Basic,
    Jwt,
}

/// Where secrets are: never on the command line, which all users of a machine see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    File(PathBuf),
    Environment(String),
}

fn auth(text: &str) -> Result<AuthArg, String> {
    let expected = || {
        format!("expected token:FILE, basic:FILE or jwt:FILE (or env:NAME for FILE), got {text:?}")
    };
    let (scheme, source) = text.split_once(':').ok_or_else(expected)?;
    let scheme = match scheme {
        "token" => AuthScheme::Token,
        "basic" => AuthScheme::Basic,
        "jwt" => AuthScheme::Jwt,
        _ => return Err(expected()),
    };
    let source = match source.strip_prefix("env:") {
        Some(name) => SecretSource::Environment(name.to_owned()),
        None if source.is_empty() => return Err(expected()),
        None => SecretSource::File(source.into()),
    };
    Ok(AuthArg { scheme, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_in_a_file_or_in_the_environment() {
        let arg = auth("token:env:TOKENS").unwrap();
        assert_eq!(arg.scheme, AuthScheme::Token);
        assert_eq!(arg.source, SecretSource::Environment("TOKENS".to_owned()));
        let arg = auth("jwt:/etc/key.pem").unwrap();
        assert_eq!(arg.source, SecretSource::File("/etc/key.pem".into()));
        for bad in ["", "token", "token:", "digest:file"] {
            assert!(auth(bad).unwrap_err().contains("token:FILE"), "{bad}");
        }
    }
}
