//! Says what is where.

use std::net::SocketAddr;

use owo_colors::OwoColorize as _;

use super::site::Place;

/// The first line has the address, for scripts.
pub(super) fn tell(
    address: SocketAddr,
    secure: bool,
    places: &[Place],
    metrics: Option<SocketAddr>,
) {
    let s = if secure { "s" } else { "" };
    let http = format!("http{s}://{address}/");
    anstream::println!("Longwire listens on {}", http.bold().underline());
    anstream::println!();
    for place in places {
        let scheme = if place.is_page { "http" } else { "ws" };
        line(
            &format!("{scheme}{s}://{address}{}", place.path),
            &place.what,
        );
    }
    if let Some(metrics) = metrics {
        line(
            &format!("http://{metrics}/metrics"),
            "metrics for Prometheus; /healthz, /readyz",
        );
    }
    anstream::println!();
    anstream::println!("{}", "Ctrl-C stops it.".dimmed());
}

fn line(url: &str, what: &str) {
    anstream::println!("  {:<60} {}", url.cyan().to_string(), what.dimmed());
}
