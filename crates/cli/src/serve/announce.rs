//! Says what is where.

use std::io::{self, Write};
use std::net::SocketAddr;

use owo_colors::OwoColorize as _;

use super::site::Place;

/// The first line has the address, for scripts. Where nobody reads it, the server
/// serves all the same.
pub(super) fn tell(
    address: SocketAddr,
    secure: bool,
    places: &[Place],
    metrics: Option<SocketAddr>,
) {
    if let Err(error) = print(address, secure, places, metrics) {
        tracing::debug!(%error, "could not write to stdout");
    }
}

fn print(
    address: SocketAddr,
    secure: bool,
    places: &[Place],
    metrics: Option<SocketAddr>,
) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let s = if secure { "s" } else { "" };
    let http = format!("http{s}://{address}/");
    writeln!(out, "Longwire listens on {}", http.bold().underline())?;
    writeln!(out)?;
    for place in places {
        let scheme = if place.is_page { "http" } else { "ws" };
        let url = format!("{scheme}{s}://{address}{}", place.path);
        line(&mut out, &url, &place.what)?;
    }
    if let Some(metrics) = metrics {
        let what = "metrics for Prometheus; /healthz, /readyz";
        line(&mut out, &format!("http://{metrics}/metrics"), what)?;
    }
    writeln!(out)?;
    writeln!(out, "{}", "Ctrl-C stops it.".dimmed())?;
    out.flush()
}

fn line(out: &mut impl Write, url: &str, what: &str) -> io::Result<()> {
    writeln!(out, "  {:<60} {}", url.cyan().to_string(), what.dimmed())
}
