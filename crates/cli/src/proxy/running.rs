//! The proxy itself: it listens, leads each client to the server, and ends with
//! everything recorded.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use longwire::ServerTls;
use owo_colors::OwoColorize as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::adapter::{self, Shape};
use super::connection::{Between, serve};
use super::endpoint::{Listener, Stream, Upstream};
use super::event::{Header, VERSION, date};
use super::faults::Faults;
use super::har;
use super::recording::Recorder;
use super::rewrite::Rewriting;
use super::show;
use super::sink::{Failure, Printed, Sink};
use super::tap::TapOptions;
use super::tls;
use crate::args::proxy::{BetweenArgs, FaultArgs};
use crate::args::serve::TlsArgs;
use crate::args::way::WayArgs;
use crate::{exit, output};

/// Connections at once: further clients wait to be let in.
const MOST_CONNECTIONS: usize = 1024;

/// How long to wait after a client could not be let in, for want of files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long connections have to end when the proxy does.
const END_WITHIN: Duration = Duration::from_secs(2);

/// What `longwire proxy` or `longwire record` is to do.
pub(super) struct Wanted {
    pub(super) url: String,
    pub(super) record: Option<PathBuf>,
    pub(super) between: BetweenArgs,
    pub(super) tls: TlsArgs,
    pub(super) faults: FaultArgs,
    pub(super) way: WayArgs,
}

pub(super) async fn run(wanted: Wanted) -> ExitCode {
    let (upstream, rewriting) = match check(&wanted) {
        Ok(checked) => checked,
        Err(error) => {
            output::error(&error);
            return ExitCode::from(exit::USAGE);
        }
    };
    let args = &wanted.between;
    let tls = match tls::of(&wanted.tls, &args.listen) {
        Ok(tls) => tls,
        Err(error) => {
            output::error(&error);
            return ExitCode::from(exit::USAGE);
        }
    };
    let listener = match Listener::bind(&args.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            output::error(&format!(
                "could not listen on {}: {error} (choose another address with --listen)",
                args.listen
            ));
            return ExitCode::FAILURE;
        }
    };
    let own = listener.name(match (args.raw, &tls) {
        (true, None) => "tcp",
        (true, Some(_)) => "tls",
        (false, None) => "ws",
        (false, Some(_)) => "wss",
    });
    let header = Header {
        longwire_recording: VERSION,
        url: upstream.name(),
        listen: own.clone(),
        started: date(SystemTime::now()),
    };
    let files = match Files::create(&wanted, &header) {
        Ok(files) => files,
        Err(error) => {
            output::error(&error);
            return ExitCode::FAILURE;
        }
    };
    let printed = match (args.json, args.quiet) {
        (true, _) => Printed::Json,
        (_, true) => Printed::Nothing,
        _ => Printed::Lines,
    };
    let sink = Arc::new(Sink::new(printed, files.recorder));
    let faults = Faults::new(wanted.faults);
    // Whoever knows the address may stop it.
    let stop = exit::stop_signal();
    if announce(&own, &header, args.json).is_err() {
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = faults.seed() {
        output::note(&format!("--seed {seed} makes the same choices again"));
    }
    let is_judge = args.rewrite_origin || !upstream.is_websocket();
    let between = Arc::new(Between {
        upstream,
        shape: if args.lines {
            Shape::Lines
        } else {
            Shape::Bytes
        },
        rewriting,
        judge_origins: is_judge.then(|| args.allow_origin.clone()),
        tap: TapOptions {
            keep: args.keep,
            frames: args.frames,
        },
        secrets: args.secrets,
        faults,
        answer_within: wanted.way.timeout,
        sink,
    });
    let doors = Doors {
        listener,
        tls,
        raw: args.raw,
    };
    let connections = accept(&doors, &between, stop).await;
    drop(doors);
    finish(
        wanted.record.as_deref(),
        args,
        files.recording.as_ref(),
        connections,
        &between.sink,
    )
}

/// Says what was recorded, and writes the HAR file.
fn finish(
    record: Option<&Path>,
    args: &BetweenArgs,
    recording: Option<&RecordingFile>,
    connections: u64,
    sink: &Sink,
) -> ExitCode {
    // Behind the ^C that a terminal shows.
    if io::stderr().is_terminal() {
        anstream::eprintln!();
    }
    let recorded = match record {
        Some(path) => format!(", recorded in {}", path.display()),
        None => String::new(),
    };
    let connections = show::count(connections, "connection");
    output::note(&format!("stopped: {connections}{recorded}"));
    let mut code = match sink.failure() {
        None | Some(Failure::Stdout) => ExitCode::SUCCESS,
        Some(Failure::Recording(error)) => {
            output::error(&format!("could not record any more: {error}"));
            ExitCode::FAILURE
        }
    };
    if let (Some(out), Some(recording)) = (&args.har, recording)
        && let Err(error) = har::export(recording.path(), out)
    {
        output::error(&error);
        code = ExitCode::FAILURE;
    }
    code
}

/// What is behind the proxy, and what requests have to say to it; or what is
/// wrong with the options.
fn check(wanted: &Wanted) -> Result<(Upstream, Option<Rewriting>), String> {
    let (args, way, faults) = (&wanted.between, &wanted.way, &wanted.faults);
    let loses = faults.drop_after.is_some() || faults.drop_rate.is_some();
    if faults.drop_silently && !loses {
        return Err("--drop-silently needs to know when: --drop-after or --drop-rate".into());
    }
    if faults.seed.is_some() && faults.jitter.is_none() && faults.drop_rate.is_none() {
        return Err("--seed is for what is left to chance: --jitter or --drop-rate".into());
    }
    if faults.disturb.is_some() && !faults.is_any() {
        return Err("--disturb needs a disturbance, such as --latency or --drop-after".into());
    }
    let upstream = Upstream::parse(&wanted.url, way)?;
    let is_all_websocket = upstream.is_websocket() && !args.raw;
    if args.lines && is_all_websocket {
        return Err("--lines is for a side that speaks no WebSocket: --raw, tcp: or unix:".into());
    }
    if args.raw && !upstream.is_websocket() {
        return Err("--raw needs a WebSocket server behind it, such as ws://HOST".into());
    }
    if args.rewrite_origin && !is_all_websocket {
        return Err("--rewrite-origin is for a WebSocket server and its pages".into());
    }
    if !args.allow_origin.is_empty() && upstream.is_websocket() && !args.rewrite_origin {
        return Err("--allow-origin has no use here: the server judges origins itself".into());
    }
    let Upstream::WebSocket { url, .. } = &upstream else {
        return if says_anything(way) {
            Err("the options of the connection are for a WebSocket server: tcp: and unix: take none".into())
        } else {
            Ok((upstream, None))
        };
    };
    let rewriting = if args.raw {
        None
    } else {
        Some(Rewriting::new(url, way, args.rewrite_origin)?)
    };
    Ok((upstream, rewriting))
}

/// Whether an option says something to a server, or about the way to one, that
/// a service without WebSocket has no use for. `--timeout` it has.
fn says_anything(way: &WayArgs) -> bool {
    let lists = way.subprotocol.len() + way.header.len() + way.cookie.len();
    let is_told = [&way.origin, &way.user, &way.bearer, &way.proxy]
        .iter()
        .any(|option| option.is_some());
    let has_files = [&way.unix_socket, &way.ca_file, &way.cert]
        .iter()
        .any(|option| option.is_some());
    let is_for_tls = way.insecure || way.http1;
    let is_compressed = way.no_compression || way.compression.is_some();
    let is_switched = way.location || way.no_proxy || is_for_tls || is_compressed;
    lists > 0 || is_told || has_files || is_switched
}

/// Says where to connect to. The first line has the address, for scripts.
fn announce(own: &str, header: &Header, json: bool) -> io::Result<()> {
    if json {
        return show::json(header);
    }
    let (own, url) = (
        own.bold().underline().to_string(),
        header.url.cyan().to_string(),
    );
    let text = format!("Longwire listens on {own} in front of {url}");
    let mut stdout = anstream::stdout().lock();
    io::Write::write_all(&mut stdout, format!("{text}\n").as_bytes())?;
    io::Write::flush(&mut stdout)
}

/// How clients come in.
struct Doors {
    listener: Listener,
    tls: Option<ServerTls>,
    raw: bool,
}

/// Lets clients in until the proxy is stopped, and tells how many came.
async fn accept(doors: &Doors, between: &Arc<Between>, stop: impl Future<Output = ()>) -> u64 {
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut conn = 0;
    let accepting = async {
        loop {
            if room.available_permits() == 0 {
                output::note(&format!(
                    "{MOST_CONNECTIONS} connections are open: further clients wait"
                ));
            }
            let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let (client, peer) = match doors.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    output::note(&format!("a client could not be let in: {error}"));
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            conn += 1;
            let (between, tls, raw) = (Arc::clone(between), doors.tls.clone(), doors.raw);
            connections.spawn(async move {
                let secured = match &tls {
                    Some(tls) => tls::accept(tls, client).await,
                    None => Ok(client),
                };
                match secured {
                    Ok(client) => {
                        let client = as_websocket(client, &between, raw);
                        serve(&between, conn, client, peer).await;
                    }
                    Err(why) => between.sink.note(conn, &format!("{peer}: {why}")),
                }
                drop(place);
            });
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
        () = between.sink.stopped() => {}
    }
    between.sink.stop();
    let ending = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(END_WITHIN, ending).await;
    conn
}

/// The client as one that speaks WebSocket.
fn as_websocket(client: Stream, between: &Between, raw: bool) -> Stream {
    match &between.upstream {
        Upstream::WebSocket {
            url,
            client: builder,
        } if raw => {
            let builder = (**builder).clone();
            Box::new(adapter::client(
                client,
                between.shape,
                builder,
                url.to_string(),
            ))
        }
        _ => client,
    }
}

/// The recording that is written, and where it is.
struct Files {
    recorder: Option<Recorder>,
    recording: Option<RecordingFile>,
}

/// The file of a recording: kept where it was asked for, and otherwise until a
/// HAR file is made of it.
enum RecordingFile {
    Kept(PathBuf),
    Temporary(PathBuf),
}

impl RecordingFile {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }
}

impl Drop for RecordingFile {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Files {
    fn create(wanted: &Wanted, header: &Header) -> Result<Self, String> {
        // It is written at the end: that it cannot be is known now.
        if let Some(har) = &wanted.between.har
            && let Err(error) = OpenOptions::new().append(true).create(true).open(har)
        {
            return Err(format!("could not write {}: {error}", har.display()));
        }
        let (recorder, recording) = if let Some(path) = &wanted.record {
            let is_there = std::fs::metadata(path)
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0);
            if is_there && !wanted.between.force {
                return Err(format!(
                    "{} is there already: choose another file, or --force to write over it",
                    path.display()
                ));
            }
            let recorder = Recorder::create(path, header);
            (recorder, RecordingFile::Kept(path.clone()))
        } else if wanted.between.har.is_some() {
            let name = format!("longwire-{:016x}.jsonl", rand::random::<u64>());
            let path = std::env::temp_dir().join(name);
            let recorder = private(&path).and_then(|file| Recorder::over(file, header));
            (recorder, RecordingFile::Temporary(path))
        } else {
            return Ok(Self {
                recorder: None,
                recording: None,
            });
        };
        match recorder {
            Ok(recorder) => Ok(Self {
                recorder: Some(recorder),
                recording: Some(recording),
            }),
            Err(error) => Err(format!(
                "could not record in {}: {error}",
                recording.path().display()
            )),
        }
    }
}

/// A new file that others cannot read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
