//! `longwire proxy`, `longwire record`, `longwire replay`.

use std::process::ExitCode;

use crate::args::proxy::{Args, RecordArgs, ReplayArgs};

pub(crate) async fn run(args: Args) -> ExitCode {
    let _ = (args.url, args.way);
    ExitCode::FAILURE
}

pub(crate) async fn record(args: RecordArgs) -> ExitCode {
    let _ = (args.url, args.way);
    ExitCode::FAILURE
}

pub(crate) async fn replay(args: ReplayArgs) -> ExitCode {
    let _ = (args.url, args.way);
    ExitCode::FAILURE
}
