//! `longwire ping`.

use std::process::ExitCode;

use crate::args::ping::Args;

pub(crate) async fn run(args: Args) -> ExitCode {
    let _ = (args.url, args.way);
    ExitCode::FAILURE
}
