//! `longwire proxy`, `longwire record`, `longwire replay`: stand between client
//! and server, and show, record or disturb what passes; play a recording.
//!
//! Read `event` (what is recorded; `docs/recording.md` says it for others),
//! `recording` (the file), `redact` (what is left out), `har` (for browsers'
//! tools), `show` and `sink` (where events go); `fragment`, `faults` (the
//! disturbances), `tap` (a copy is decoded), `pump` (the bytes of one
//! direction), `idle` (whether they move), `body` (how far a request goes); `endpoint` (who is connected), `tls`, `origin`, `rewrite` (the request),
//! `adapter` (ends that speak no WebSocket), `connection` (one of them, from
//! request to end), `running` (the proxy); `replay`.

mod event;

mod recording;

mod redact;

mod har;

mod show;

mod sink;

mod fragment;

mod faults;

mod tap;

mod pump;

mod idle;

mod body;

mod endpoint;

mod tls;

mod origin;

mod rewrite;

mod adapter;

mod connection;

mod running;

mod replay;

use std::process::ExitCode;

use crate::args::proxy::{Args, FaultArgs, RecordArgs, ReplayArgs};
use running::Wanted;

pub(crate) async fn run(args: Args) -> ExitCode {
    let wanted = Wanted {
        url: args.url,
        record: args.record,
        between: args.between,
        tls: args.tls,
        faults: args.faults,
        way: args.way,
    };
    running::run(wanted).await
}

pub(crate) async fn record(args: RecordArgs) -> ExitCode {
    let wanted = Wanted {
        url: args.url,
        record: Some(args.output),
        between: args.between,
        tls: args.tls,
        faults: FaultArgs::default(),
        way: args.way,
    };
    running::run(wanted).await
}

pub(crate) async fn replay(args: ReplayArgs) -> ExitCode {
    replay::run(args).await
}
