//! `longwire serve`: a server to try things on, and one to run as a service.
//!
//! Read `config` for where its options come from, `auth` and `hosts` for who may come in, `live`,
//! `metrics` and `view` for what is seen of it, `demo`, `chat`, `broadcast` and `exec` for
//! what its sockets do, `page` for what browsers get, `kept`, `settings` and `site` for all of that together;
//! then `service_manager`, `announce` and `running` for its life.

mod config;

mod auth;

mod tls;

mod hosts;

mod live;

mod metrics;

mod view;

mod demo;

mod chat;

mod broadcast;

mod exec;

mod page;

mod kept;

mod settings;

mod site;

mod service_manager;

mod announce;

mod running;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::serve::Args;
use crate::{exit, output};
use config::Settings;

pub(crate) async fn run(args: Args) -> ExitCode {
    // The file goes between the command line's words and their meaning.
    drop(args);
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let settings = match Settings::load(&arguments) {
        Ok(settings) => settings,
        Err(error) => return wrong(&error),
    };
    let operation = &settings.args.operation;
    if operation.print_config {
        anstream::print!("{}", settings.to_toml());
        return ExitCode::SUCCESS;
    }
    if operation.check_config {
        return match running::check(&settings.args) {
            Ok(()) => {
                output::note("the options and the files they name are in order");
                ExitCode::SUCCESS
            }
            Err(unfit) => unfit.tell(),
        };
    }
    running::run(settings, arguments).await
}

fn wrong(error: &str) -> ExitCode {
    output::error(error);
    ExitCode::from(exit::USAGE)
}
