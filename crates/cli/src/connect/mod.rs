//! `longwire connect`: talk to a server, at a prompt or as a pipe.
//!
//! Read `clock` and `tokens` (times, JSON as text), `filter` (what of a message
//! is wanted), `look` and `events` (how it is shown), `files`, `command` (what
//! the prompt understands), `input` (where lines come from), `keys`,
//! `screen` and `editor` (the prompt), `link` (the connection), `traffic` and `watch` (what
//! passes on the wire), `printer` (where all of it goes), `talker` (what is said),
//! `session` (what happens in which order), then this file.

mod clock;

mod tokens;

mod filter;

mod look;

mod events;

mod files;

mod command;

mod input;

mod keys;

mod screen;

mod editor;

mod link;

mod traffic;

mod watch;

mod printer;

mod talker;

mod session;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::Error;

use crate::args::connect::Args;
use crate::{exit, output};
use clock::Clock;
use events::Event;
use files::Files;
use filter::{Filter, FilterError, Pattern};
use input::Inputs;
use look::{Look, Palette};
use printer::{Place, Printer};
use screen::Aside;
use session::{Outcome, Session};
use talker::Source;
use watch::Watch;

/// The connection ended before `--count` or `--exit-on` was met.
const ENDED_EARLY: u8 = 5;

pub(crate) async fn run(args: Args) -> ExitCode {
    let prepared = prepare(args);
    let (session, inputs, controls) = match prepared {
        Ok(prepared) => prepared,
        Err(Refused::Client(error)) => return exit::with(&error),
        Err(refused) => {
            output::error(&refused.to_string());
            return ExitCode::from(exit::USAGE);
        }
    };
    let outcome = session.run(inputs, controls).await;
    let end = end(&session, &outcome);
    if let Some((text, code)) = &end.error {
        let event = Event::Error {
            message: text,
            exit: *code,
        };
        // Whoever reads stdout may be gone; stderr tells it too.
        let _ = session.printer.event(event).await;
    }
    if let Some(screen) = &session.printer.prompt {
        screen.finish().await;
    }
    if let Some(note) = &end.note {
        output::note(&output::harmless(note));
    }
    match end.error {
        Some((text, code)) => {
            output::error(&output::harmless(&text));
            ExitCode::from(code)
        }
        None => ExitCode::SUCCESS,
    }
}

/// What is wrong with the command line.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Client(#[from] Error),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("could not write to {0}: {1}")]
    Output(String, io::Error),
    #[error(
        "expected --binary without --reconnect in a pipe: a message that is one stream cannot \
         be sent again"
    )]
    Stream,
}

type Prepared = (Session, Inputs, tokio::sync::mpsc::Receiver<watch::Control>);

fn prepare(args: Args) -> Result<Prepared, Refused> {
    let client = args.way.client()?;
    let filter = args.show.filter.as_deref().map(Filter::parse).transpose()?;
    let exit_on = args.exit_on.as_deref().map(Pattern::parse).transpose()?;
    let files = match &args.show.output {
        None => None,
        Some(path) => {
            let files = Files::open(path);
            let files =
                files.map_err(|error| Refused::Output(path.display().to_string(), error))?;
            Some(Mutex::new(files))
        }
    };
    let is_terminal = io::stdout().is_terminal();
    let palette = Palette(is_terminal && wants_colour(&io::stdout()));
    let clock = Clock::new(args.show.time);
    let is_typed = io::stdin().is_terminal() && !args.no_input;
    let prompt = is_typed.then(|| {
        input::ignore_ctrl_c();
        let palette = Palette(wants_colour(&io::stderr()));
        editor::start(palette, clock, !args.show.no_history)
    });
    let (screen, inputs) = match prompt.flatten() {
        Some((screen, inputs)) => (Some(screen), inputs),
        None if args.no_input => (None, Inputs::none()),
        None if args.show.binary && !is_typed => {
            if args.reconnect {
                return Err(Refused::Stream);
            }
            (None, Inputs::none())
        }
        None => (None, Inputs::from_stdin()),
    };
    let aside = screen.clone().map_or(Aside::Stderr, Aside::Screen);
    let aside_palette = Palette(wants_colour(&io::stderr()));
    let verbose = args.verbose.then_some((aside, aside_palette));
    let (watch, controls) = Watch::new(verbose);
    let watch = Arc::new(watch);
    let waits_for_more = args.count.is_some() || exit_on.is_some();
    let printer = Printer {
        place: match &screen {
            Some(screen) if is_terminal => Place::Screen(screen.clone()),
            None if is_terminal => Place::Terminal,
            _ => Place::Pipe,
        },
        prompt: screen,
        look: Look {
            palette,
            clock,
            compact: args.show.compact,
        },
        json: args.show.json,
        raw: args.show.binary,
        filter,
        files,
    };
    let session = Session {
        client: client.observer(watch.clone()),
        url: args.url,
        source: match &printer.prompt {
            Some(_) => Source::Prompt,
            None if args.show.binary && !is_typed && !args.no_input => Source::Whole,
            None => Source::Lines,
        },
        printer,
        watch,
        reconnect: args.reconnect,
        count: args.count,
        exit_on,
        binary: args.show.binary,
        wait: args.wait.or((!waits_for_more).then_some(Duration::ZERO)),
    };
    Ok((session, inputs, controls))
}

/// Whether this is a terminal that wants colours.
fn wants_colour(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// What is said at the end.
struct End {
    note: Option<String>,
    /// A message and the exit code.
    error: Option<(String, u8)>,
}

fn end(session: &Session, outcome: &Outcome) -> End {
    let is_awaited = session.count.is_some() || session.exit_on.is_some();
    let (note, error) = match outcome {
        Outcome::Met => (None, None),
        Outcome::Closed(closed) if is_awaited => {
            let text =
                format!("the connection ended before --count or --exit-on was met: {closed}");
            (None, Some((text, ENDED_EARLY)))
        }
        Outcome::Closed(closed) => {
            let is_told = session.source == Source::Prompt || closed.code.get() != 1000;
            (is_told.then(|| format!("closed: {closed}")), None)
        }
        Outcome::Broken(closed) => {
            let code = if is_awaited {
                ENDED_EARLY
            } else {
                exit::FAILED
            };
            (
                None,
                Some((format!("the connection broke: {closed}"), code)),
            )
        }
        Outcome::Failed(error) => (None, Some((exit::explain(error), exit::code(error)))),
        Outcome::Interrupted => (None, Some(("interrupted".to_owned(), exit::FAILED))),
        // Whoever read our output has enough.
        Outcome::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => (None, None),
        Outcome::Output(error) => {
            let text = format!("could not write to stdout: {error}");
            (None, Some((text, exit::FAILED)))
        }
    };
    End { note, error }
}
