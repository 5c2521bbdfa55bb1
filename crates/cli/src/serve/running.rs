//! A server from its start to its end: the signals it obeys on the way.

use std::ffi::OsString;
use std::num::NonZero;
use std::process::ExitCode;
use std::thread::available_parallelism;

use longwire::server::{BoundServer, ServerHandle, ShutdownReport};
use tracing_subscriber::EnvFilter;

use super::announce;
use super::auth::Auth;
use super::config::{Said, Settings};
use super::hosts::Hosts;
use super::kept::Kept;
use super::service_manager::{self, notify};
use super::site::{self, Site};
use crate::args::serve::Args;
use crate::{exit, output};

/// Options that stay as they were when the configuration is read again.
const FIXED: [&str; 5] = ["listen", "threads", "memory", "max-processes", "metrics"];

/// Sets another log filter.
type SetFilter = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Why a server cannot start: what is told, and the exit code.
pub(super) struct Unfit {
    told: String,
    code: u8,
}

impl Unfit {
    /// Tells it, and gives the exit code.
    pub(super) fn tell(&self) -> ExitCode {
        output::error(&self.told);
        ExitCode::from(self.code)
    }
}

/// What is wrong with a file, or with options that do not go together.
impl From<String> for Unfit {
    fn from(told: String) -> Self {
        let code = exit::FAILED;
        Self { told, code }
    }
}

/// What is wrong with what a server is made of, or with listening.
impl From<longwire::Error> for Unfit {
    fn from(error: longwire::Error) -> Self {
        let code = match error {
            longwire::Error::Usage(_) => exit::USAGE,
            _ => exit::FAILED,
        };
        let told = error.to_string();
        Self { told, code }
    }
}

/// Whether all that the options ask for can be had, without listening.
pub(super) fn check(args: &Args) -> Result<(), Unfit> {
    prepare(args, &Kept::new(args)).map(|_| ())
}

/// What the options ask for.
struct Prepared {
    filter: EnvFilter,
    auth: Option<Auth>,
    site: Site,
}

fn prepare(args: &Args, kept: &Kept) -> Result<Prepared, Unfit> {
    let filter = EnvFilter::try_new(&args.log).map_err(|error| {
        let log = &args.log;
        Unfit {
            told: format!("expected a log filter, got {log:?}: {error}"),
            code: exit::USAGE,
        }
    })?;
    let auth = Auth::load(&args.access)?;
    let site = site::build(args, kept)?;
    site.server.check()?;
    Ok(Prepared { filter, auth, site })
}

/// Serves until a signal ends it.
pub(super) async fn run(settings: Settings, arguments: Vec<OsString>) -> ExitCode {
    let args = &settings.args;
    let kept = Kept::new(args);
    let prepared = match prepare(args, &kept) {
        Ok(prepared) => prepared,
        Err(unfit) => return unfit.tell(),
    };
    let set_filter = start_log(prepared.filter);
    kept.set_auth(prepared.auth);
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("could not wait for signals: {error}")),
    };
    let processors = || available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let server = prepared.site.server;
    let server = server.threads(args.threads.unwrap_or_else(processors));
    let bound = match bind(server, &args.listen).await {
        Ok(bound) => bound,
        Err(unfit) => return unfit.tell(),
    };
    kept.reach.set(bound.local_addr());
    let metrics = match &args.operation.metrics {
        None => None,
        Some(address) => match kept
            .metrics
            .clone()
            .serve(address, Hosts::new(args, address))
            .await
        {
            Ok((local, _)) => Some(local),
            Err(error) => {
                return failed(&format!(
                    "could not listen on {address} for the metrics: {error} (choose another address with --metrics)"
                ));
            }
        },
    };
    announce::tell(
        bound.local_addr(),
        args.tls.is_asked_for(),
        &prepared.site.places,
        metrics,
    );
    if args.tls.tls_self_signed {
        output::note(
            "the certificate is self-signed: browsers warn of it, `connect` takes it with --insecure",
        );
    }
    let handle = bound.handle();
    let mut running = tokio::spawn(bound.run());
    notify("READY=1");
    let mut serving = Serving {
        started: settings.said.clone(),
        settings,
        arguments,
        kept,
        handle,
        set_filter,
    };
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => serving.reload(),
                Signal::Stop => break,
            },
            _ = &mut running => return failed("the server has ended by itself"),
        }
    }
    serving.stop(&mut signals).await;
    running.abort();
    ExitCode::SUCCESS
}

async fn bind(server: longwire::Server, address: &str) -> Result<BoundServer, Unfit> {
    let (bound, told) = match service_manager::listener()? {
        Some(listener) => (
            server.with_listener(listener),
            "could not use the socket of the service manager".to_owned(),
        ),
        None => (
            server.bind(address).await,
            format!("could not listen on {address} (choose another address with --listen)"),
        ),
    };
    bound.map_err(|error| match error {
        longwire::Error::Io(error) => Unfit::from(format!("{told}: {error}")),
        other => other.into(),
    })
}

fn failed(error: &str) -> ExitCode {
    output::error(error);
    ExitCode::FAILURE
}

fn start_log(filter: EnvFilter) -> SetFilter {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(anstream::stderr)
        .with_target(false)
        .compact()
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    subscriber.init();
    Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
}

/// A server that runs.
struct Serving {
    /// What was said as it started.
    started: Vec<Said>,
    settings: Settings,
    arguments: Vec<OsString>,
    kept: Kept,
    handle: ServerHandle,
    set_filter: SetFilter,
}

impl Serving {
    /// Reads the configuration again. One that is wrong changes nothing.
    fn reload(&mut self) {
        notify("STATUS=reading the configuration again");
        match self.try_reload() {
            Ok(()) => {
                tracing::info!("the configuration is read again");
                notify("STATUS=the configuration was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the configuration stays as it was");
                notify("STATUS=the configuration is wrong and stays as it was");
            }
        }
    }

    fn try_reload(&mut self) -> Result<(), String> {
        let settings = Settings::load(&self.arguments)?;
        let prepared = prepare(&settings.args, &self.kept).map_err(|unfit| unfit.told)?;
        for name in FIXED {
            let before = self.started.iter().find(|said| said.name == name);
            let after = settings.said.iter().find(|said| said.name == name);
            if before.map(|said| &said.values) != after.map(|said| &said.values) {
                tracing::warn!("{name} stays as it was until the server is started anew");
            }
        }
        // What is new is not to be open for the moment between the two.
        let auth = prepared.auth;
        let is_asked_for = auth.is_some();
        if is_asked_for {
            self.kept.set_auth(auth);
        }
        let replaced = self.handle.replace(prepared.site.server);
        replaced.map_err(|error| error.to_string())?;
        if !is_asked_for {
            self.kept.set_auth(None);
        }
        if let Err(error) = (self.set_filter)(prepared.filter) {
            tracing::warn!(%error, "the log filter stays as it was");
        }
        self.settings = settings;
        Ok(())
    }

    /// Closes all sockets and waits for them, or for another signal.
    async fn stop(&self, signals: &mut Signals) {
        notify("STOPPING=1");
        self.kept.metrics.drain();
        output::note("closing all sockets; once more stops at once");
        let drain = self.settings.args.operation.drain;
        // Commands that are left by then are killed: all are asked before.
        let grace = self.settings.args.services.exec_grace.min(drain / 2);
        let asking = async {
            tokio::time::sleep(drain.saturating_sub(grace)).await;
            self.kept.processes.terminate();
            std::future::pending::<()>().await;
        };
        let again = async { while !matches!(signals.next().await, Signal::Stop) {} };
        tokio::select! {
            report = self.handle.shutdown(drain) => tell(&report),
            () = asking => {}
            () = again => output::note("stopped at once"),
        }
        self.kept.processes.kill();
    }
}

fn tell(report: &ShutdownReport) {
    let answered = report.open - report.unanswered.len().min(report.open);
    output::note(&format!(
        "stopped: {answered} of {} sockets closed",
        report.open
    ));
    for peer in report.unanswered.iter().flatten() {
        output::note(&format!("{peer} did not answer the Close frame"));
    }
}

/// What a signal asks for.
enum Signal {
    Reload,
    Stop,
}

/// Ctrl-C, and what a service manager sends.
#[cfg(unix)]
struct Signals {
    reload: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            reload: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.reload.recv() => Signal::Reload,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Stop
    }
}
