//! Who may come in, and who it is.
//!
//! Read `secrets` for where secrets are from, then `tokens`, `passwords` and `jwt` for
//! the three ways to show who one is; this file has what a request must have of them.

mod secrets;

mod tokens;

mod passwords;

mod jwt;

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, COOKIE, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode, Uri};
use longwire::http;
use longwire::server::Body;
use url::form_urlencoded;

use crate::args::serve::access::{AccessArgs, AuthArg, AuthScheme};
use jwt::Jwt;
use passwords::Passwords;
use tokens::Tokens;

/// Longest credentials that are looked at.
const MOST_BYTES: usize = 8 << 10;

/// Who has come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: Arc<str>,
    /// `AUTH_TYPE` of CGI.
    pub(super) scheme: &'static str,
    /// When what it has shown is no longer good.
    pub(super) until: Option<SystemTime>,
}

/// What a request must have.
pub(super) struct Auth {
    ways: Vec<Way>,
    cookie: Option<String>,
    query: Option<String>,
}

enum Way {
    Tokens(Tokens),
    Passwords(Passwords),
    Jwt(Box<Jwt>),
}

/// What a request has.
enum Shown {
    Token(String),
    Password(String, String),
}

impl Auth {
    /// Reads the secrets. `None` where all may come in.
    pub(super) fn load(args: &AccessArgs) -> Result<Option<Self>, String> {
        if args.auth.is_empty() {
            for (name, value) in [
                ("auth-cookie", &args.auth_cookie),
                ("auth-query", &args.auth_query),
                ("jwt-issuer", &args.jwt_issuer),
                ("jwt-audience", &args.jwt_audience),
            ] {
                if value.is_some() {
                    return Err(format!("expected --auth where there is --{name}, got none"));
                }
            }
            return Ok(None);
        }
        let way = |arg: &AuthArg| {
            let secret = secrets::read(&arg.source)?;
            let told = |problem| format!("{}: {problem}", secrets::name(&arg.source));
            Ok::<_, String>(match arg.scheme {
                AuthScheme::Token => Way::Tokens(Tokens::parse(&secret).map_err(told)?),
                AuthScheme::Basic => Way::Passwords(Passwords::parse(&secret).map_err(told)?),
                AuthScheme::Jwt => {
                    let (issuer, audience) = (&args.jwt_issuer, &args.jwt_audience);
                    let jwt = Jwt::new(secret.as_bytes(), issuer.as_deref(), audience.as_deref());
                    Way::Jwt(Box::new(jwt.map_err(told)?))
                }
            })
        };
        Ok(Some(Self {
            ways: args.auth.iter().map(way).collect::<Result<_, _>>()?,
            cookie: args.auth_cookie.clone(),
            query: args.auth_query.clone(),
        }))
    }

    /// Who sends a request with these headers; `None` where it does not say so, or not
    /// truly.
    pub(super) async fn user(&self, headers: &HeaderMap, uri: &Uri) -> Option<User> {
        let shown = self.shown(headers, uri)?;
        for way in &self.ways {
            let user = match (way, &shown) {
                (Way::Tokens(tokens), Shown::Token(token)) => tokens.user(token),
                (Way::Jwt(jwt), Shown::Token(token)) => jwt.user(token),
                (Way::Passwords(passwords), Shown::Password(name, password)) => {
                    passwords.user(name, password).await
                }
                _ => None,
            };
            if user.is_some() {
                return user;
            }
        }
        None
    }

    /// The header says who it is, or else the cookie, or else the URL.
    fn shown(&self, headers: &HeaderMap, uri: &Uri) -> Option<Shown> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            return authorization(value.to_str().ok()?);
        }
        let cookie = self
            .cookie
            .as_deref()
            .and_then(|name| cookie(headers, name));
        let token = cookie.or_else(|| {
            let (name, query) = (self.query.as_deref()?, uri.query()?);
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        })?;
        (token.len() <= MOST_BYTES).then_some(Shown::Token(token))
    }

    /// The answer to who may not come in.
    pub(super) fn refusal(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(
            "401 Unauthorized: expected credentials of this server\n",
        ));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        for challenge in self.challenges() {
            let value = HeaderValue::from_static(challenge);
            response.headers_mut().append(WWW_AUTHENTICATE, value);
        }
        response
    }

    fn challenges(&self) -> Vec<&'static str> {
        let mut challenges = Vec::new();
        for way in &self.ways {
            let challenge = match way {
                Way::Passwords(_) => "Basic realm=\"longwire\", charset=\"UTF-8\"",
                Way::Tokens(_) | Way::Jwt(_) => "Bearer realm=\"longwire\"",
            };
            if !challenges.contains(&challenge) {
                challenges.push(challenge);
            }
        }
        challenges
    }

    /// The cookie and the parameter of the URL that are nobody else's to see.
    pub(super) fn private(&self) -> (Option<&str>, Option<&str>) {
        (self.cookie.as_deref(), self.query.as_deref())
    }
}

/// The header `Authorization` (RFC 6750, RFC 7617).
fn authorization(value: &str) -> Option<Shown> {
    if value.len() > MOST_BYTES {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Shown::Token(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some(Shown::Password(name.to_owned(), password.to_owned()))
}

/// The value of a cookie.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(COOKIE).into_iter();
    let pairs = values.filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|pairs| pairs.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    })
}
