//! The hosts that requests may be for.
//!
//! A page of anywhere may have its own name lead to this machine (DNS rebinding): to the
//! browser what answers there is of the page's own origin then, and all checks of origins
//! pass. What gives it away is the name itself, in `Host`. So a server that listens for
//! this machine alone and asks nobody who they are takes requests for this machine's
//! names, and for those it is told.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::HOST;
use http::{HeaderMap, Response, StatusCode, Uri};
use longwire::http;
use longwire::server::Body;

use crate::args::serve::Args;

/// The name that stands for all.
const ALL: &str = "*";

/// The hosts that requests may be for, at one listener.
pub(super) struct Hosts {
    names: Vec<String>,
}

/// Whether a listener is for this machine alone.
#[derive(Default)]
pub(super) struct Reach(AtomicBool);

impl Reach {
    /// It listens here.
    pub(super) fn set(&self, address: SocketAddr) {
        let is_local = address.ip().to_canonical().is_loopback();
        self.0.store(is_local, Ordering::Relaxed);
    }

    pub(super) fn is_local(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Hosts {
    /// Those that are named, those of pages that are let in, and the one that is
    /// listened at.
    pub(super) fn new(args: &Args, listen: &str) -> Self {
        let access = &args.access;
        let of_origins = access.allow_origin.iter().filter_map(|origin| {
            let (_, authority) = origin.split_once("://")?;
            Some(without_port(authority))
        });
        let given = access.host.iter().map(String::as_str);
        let names = given.chain(of_origins).chain([without_port(listen)]);
        Self {
            names: names.map(str::to_ascii_lowercase).collect(),
        }
    }

    /// The answer to a request that is for none of these.
    pub(super) fn refusal(&self, headers: &HeaderMap, uri: &Uri) -> Option<Response<Body>> {
        // What names no host comes from no browser.
        let host = host(headers, uri)?.to_ascii_lowercase();
        let is_ours = is_this_machine(&host)
            || self
                .names
                .iter()
                .any(|name| name == ALL || *name == host.trim_end_matches('.'));
        if is_ours {
            return None;
        }
        tracing::warn!(%host, "refused a request for another host (--host takes it)");
        let mut response = Response::new(Body::from(
            "421 Misdirected Request: expected a request for this machine, such as for localhost, got one for another host (`longwire serve --host NAME` takes it)\n",
        ));
        *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
        Some(response)
    }
}

/// The host that a client asks for, without its port.
pub(super) fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let asked = uri.authority().map(http::uri::Authority::as_str);
    let asked = match asked {
        Some(asked) => asked,
        // One that is no text is no name of ours either.
        None => headers.get(HOST)?.to_str().unwrap_or_default(),
    };
    Some(without_port(asked))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

/// Whether this name leads to the machine of whoever asks, whatever DNS says.
pub(super) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = bare.parse().ok();
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_some_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn requests_are_for_this_machine_or_for_a_host_that_is_named() {
        let words = [
            "longwire",
            "serve",
            "--host=a.example",
            "--origin=https://b.example:8443",
        ];
        let Command::Serve(args) = Cli::parse_from(words).command else {
            panic!("expected the command serve");
        };
        let hosts = Hosts::new(&args, "dev.test:8000");
        for (host, is_taken) in [
            ("localhost:8000", true),
            ("LOCALHOST.", true),
            ("app.localhost:1", true),
            ("127.0.0.1:8000", true),
            ("[::1]:8000", true),
            ("[::1]", true),
            ("A.example:8000", true),
            ("b.example", true),
            ("dev.test:8000", true),
            ("evil.example:8000", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("0.0.0.0:8000", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            let refusal = hosts.refusal(&headers, &Uri::from_static("/"));
            assert_eq!(refusal.is_none(), is_taken, "{host:?}");
        }
        let nameless = hosts.refusal(&HeaderMap::new(), &Uri::from_static("/"));
        assert!(nameless.is_none());
    }
}
