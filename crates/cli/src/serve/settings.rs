//! The options of a server that are no routes.

use longwire::{Heartbeat, Limits, Server};

use super::kept::Kept;
use super::tls::self_signed;
use crate::args::serve::Args;
use crate::args::serve::limits::LimitArgs;

/// The server with them.
pub(super) fn apply(server: Server, args: &Args, kept: &Kept) -> Result<Server, String> {
    let limits = &args.limits;
    let heartbeat = limits.heartbeat.0.map(|interval| Heartbeat {
        interval,
        timeout: limits.heartbeat_timeout,
    });
    let mut server = server
        .compression(args.compression.into())
        .http2(!args.no_http2)
        .http2_max_streams(limits.max_streams)
        .limits(of_messages(limits))
        .max_connections(limits.max_connections)
        .max_connections_per_address(limits.max_connections_per_address)
        .memory_budget(kept.budget.clone())
        .heartbeat(heartbeat)
        .idle_timeout(limits.idle_timeout.0)
        .handshake_timeout(limits.handshake_timeout)
        .close_timeout(limits.close_timeout)
        .write_timeout(limits.write_timeout)
        .observer(kept.metrics.clone());
    if let Some(bytes) = limits.memory_per_address {
        server = server.memory_per_address(bytes);
    }
    let made = || {
        let made = kept.self_signed.get_or_init(|| self_signed(&args.listen));
        made.clone()
    };
    if let Some(tls) = args.tls.server(made)? {
        server = server.tls(tls);
    }
    Ok(server)
}

fn of_messages(limits: &LimitArgs) -> Limits {
    Limits::default()
        .message_size(limits.max_message)
        .frame_size(limits.max_frame)
        .fragments(limits.max_fragments)
        .header_bytes(limits.max_header)
        .header_fields(limits.max_header_fields)
        .queued_control_frames(limits.max_queued_control)
        .output_high_water(limits.output_high_water)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn the_limits_are_the_librarys_where_nothing_is_said() {
        let Command::Serve(args) = Cli::parse_from(["longwire", "serve"]).command else {
            panic!("expected the command serve");
        };
        assert_eq!(of_messages(&args.limits), Limits::default());
        let heartbeat = Heartbeat::default();
        assert_eq!(args.limits.heartbeat.0, Some(heartbeat.interval));
        assert_eq!(args.limits.heartbeat_timeout, heartbeat.timeout);
    }
}
