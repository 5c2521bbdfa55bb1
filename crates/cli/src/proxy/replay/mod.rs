//! `longwire replay`.
use crate::args::proxy::ReplayArgs;
use std::process::ExitCode;
pub(super) async fn run(_args: ReplayArgs) -> ExitCode {
    ExitCode::FAILURE
}
