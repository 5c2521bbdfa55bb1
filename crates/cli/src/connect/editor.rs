//! The line editor of the prompt: completion, hints, colours, lines of JSON, and
//! the history.

use std::borrow::Cow;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use owo_colors::Style;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::config::{ColorMode, Configurer as _};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::{DefaultHistory, History as _};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Behavior, Cmd, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event,
    EventContext, EventHandler, Helper, KeyEvent, Movement, RepeatCount,
};
use tokio::sync::mpsc;

use super::clock::Clock;
use super::command::KNOWN;
use super::input::{Input, Inputs, end_on_terminate};
use super::keys::Keys;
use super::look::{Palette, coloured};
use super::screen::{Gate, Screen};
use super::tokens::is_unfinished;

/// Lines that the history keeps.
const MOST_HISTORY: usize = 1000;

/// Bytes of a line that the history keeps.
const MOST_HISTORY_LINE: usize = 64 << 10;

/// Bytes of a line that is coloured while it is typed.
const MOST_COLOURED: usize = 4 << 10;

/// Lines typed ahead of what is sent.
const MOST_AHEAD: usize = 64;

/// What stands in front of a line, behind the time.
const MARK: &str = "> ";

/// Starts the prompt; `None` where the terminal cannot do it.
pub(super) fn start(palette: Palette, clock: Clock, history: bool) -> Option<(Screen, Inputs)> {
    let config = Config::builder()
        .max_history_size(MOST_HISTORY)
        .and_then(|config| config.history_ignore_dups(true))
        .ok()?
        // What is painted is known by its prompt: `Aid` has no colours for who
        // wants none.
        .color_mode(ColorMode::Forced)
        .behavior(Behavior::PreferTerm)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .build();
    let gate = Arc::new(Gate::default());
    let aid = Aid {
        palette,
        clock,
        gate: gate.clone(),
        ended: Mutex::new(None),
        history: HistoryHinter::new(),
        files: FilenameCompleter::new(),
    };
    let mut editor = Editor::with_config(config).ok()?;
    editor.set_helper(Some(aid));
    editor.set_auto_add_history(false);
    for key in [KeyEvent::ctrl('C'), KeyEvent::ctrl('D')] {
        let leaving = Box::new(Leaving { gate: gate.clone() });
        let handler = EventHandler::Conditional(leaving);
        editor.bind_sequence(key, handler);
    }
    let printer = editor.create_external_printer().ok()?;
    let screen = Screen::start(printer, gate.clone(), Keys::keep());
    let (lines, received) = mpsc::channel(MOST_AHEAD);
    end_on_terminate(lines.clone());
    let (interrupts, interrupted) = mpsc::channel(MOST_AHEAD);
    let history = if history {
        History::open(&mut editor)
    } else {
        History(None)
    };
    let reader = Reader {
        editor,
        gate,
        history,
        prompt: clock.blank() + MARK,
        lines,
        interrupts,
    };
    std::thread::spawn(move || reader.run());
    Some((screen, Inputs::new(received, interrupted)))
}

/// The thread that reads lines.
struct Reader {
    editor: Editor<Aid, DefaultHistory>,
    gate: Arc<Gate>,
    history: History,
    prompt: String,
    lines: mpsc::Sender<Input>,
    interrupts: mpsc::Sender<()>,
}

impl Reader {
    fn run(mut self) {
        while self.gate.begin() {
            if let Some(aid) = self.editor.helper() {
                aid.set_ended(None);
            }
            let read = self.editor.readline(&self.prompt);
            self.gate.leave();
            let told = match read {
                Ok(line) => {
                    let line = line.trim_end_matches('\n').to_owned();
                    self.history.add(&mut self.editor, &line);
                    self.lines
                        .blocking_send(Input::Line(line.into_bytes()))
                        .is_ok()
                }
                Err(ReadlineError::Interrupted) if self.gate.is_over() => {
                    if self.gate.is_line_empty() {
                        wipe();
                    }
                    false
                }
                Err(ReadlineError::Interrupted) => {
                    // More of them than can wait say the same.
                    let _ = self.interrupts.try_send(());
                    true
                }
                Err(ReadlineError::Eof) => self.lines.blocking_send(Input::End).is_ok(),
                Err(_) => {
                    let _ = self.lines.blocking_send(Input::End);
                    false
                }
            };
            if !told {
                break;
            }
        }
        self.gate.gone();
    }
}

/// Takes away the last prompt, above the line that the editor has begun.
fn wipe() {
    const UP_AND_CLEAR: &[u8] = b"\x1b[A\r\x1b[J";
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    let terminal: &mut dyn io::Write = if stdout.is_terminal() {
        &mut stdout
    } else if stderr.is_terminal() {
        &mut stderr
    } else {
        return;
    };
    let _ = terminal.write_all(UP_AND_CLEAR);
    let _ = terminal.flush();
}

/// Ctrl-C and Ctrl-D on an empty line: the keys beside Enter that end it. On
/// another, Ctrl-C clears it, and Ctrl-D deletes a character.
struct Leaving {
    gate: Arc<Gate>,
}

impl ConditionalEventHandler for Leaving {
    fn handle(
        &self,
        event: &Event,
        _: RepeatCount,
        _: bool,
        ctx: &EventContext<'_>,
    ) -> Option<Cmd> {
        let is_end = event.get(0) == Some(&KeyEvent::ctrl('D'));
        if !ctx.line().is_empty() {
            return (!is_end).then_some(Cmd::Kill(Movement::WholeBuffer));
        }
        self.gate.leave();
        Some(if is_end {
            Cmd::EndOfFile
        } else {
            Cmd::Interrupt
        })
    }
}

/// What helps whoever types.
struct Aid {
    palette: Palette,
    clock: Clock,
    gate: Arc<Gate>,
    /// When the line was ended, where it is.
    ended: Mutex<Option<String>>,
    history: HistoryHinter,
    files: FilenameCompleter,
}

impl Aid {
    fn set_ended(&self, time: Option<String>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Whether a line is one of those that are coloured: a command, or JSON.
    fn has_colours(&self, line: &str) -> bool {
        let is_short = line.len() <= MOST_COLOURED;
        self.palette.0 && is_short && line.trim_start().starts_with(['/', '{', '['])
    }
}

impl Helper for Aid {}

impl Completer for Aid {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        ctx: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..pos).unwrap_or(line);
        if ["/send ", "/binary "]
            .iter()
            .any(|command| typed.starts_with(command))
        {
            return self.files.complete(line, pos, ctx);
        }
        if !typed.starts_with('/') {
            return Ok((pos, Vec::new()));
        }
        let candidates = KNOWN
            .iter()
            .filter(|known| known.name.starts_with(typed))
            .map(|known| {
                let space = if known.arguments.is_empty() { "" } else { " " };
                Pair {
                    display: known.name.to_owned(),
                    replacement: format!("{}{space}", known.name),
                }
            });
        Ok((0, candidates.collect()))
    }
}

impl Hinter for Aid {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<String> {
        self.gate.key(line.is_empty());
        if line.contains('\n') {
            return None;
        }
        let typed = line.trim_end();
        let arguments = KNOWN
            .iter()
            .find(|known| known.name == typed && pos == line.len() && !known.arguments.is_empty());
        if let Some(known) = arguments {
            let space = if line.ends_with(' ') { "" } else { " " };
            return Some(format!("{space}{}", known.arguments));
        }
        let hint = self.history.hint(line, pos, ctx)?;
        // A hint of several lines would push what is above it away.
        (!hint.contains('\n')).then_some(hint)
    }
}

impl Highlighter for Aid {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if !self.has_colours(line) {
            return Cow::Borrowed(line);
        }
        if line.starts_with('/') {
            let (name, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
            let is_known = KNOWN.iter().any(|known| known.name == name);
            let style = if is_known {
                Style::new().magenta().bold()
            } else {
                Style::new()
            };
            return Cow::Owned(self.palette.paint(style, name) + rest);
        }
        Cow::Owned(coloured(line, self.palette))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        default: bool,
    ) -> Cow<'b, str> {
        self.gate.painted();
        if !default {
            return Cow::Borrowed(prompt);
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let time = ended.clone().unwrap_or_else(|| self.clock.blank());
        let mark = self.palette.paint(Style::new().magenta(), MARK);
        Cow::Owned(self.palette.dim(&time) + &mark)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.palette.dim(hint))
    }

    /// Has each key paint the line: brackets and quotes change the colour of what
    /// is behind them, and the gate knows a painting for a key by it.
    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        self.gate.key(line.is_empty());
        true
    }
}

impl Validator for Aid {
    /// Whether Enter ends the line. JSON goes on until it is complete, or a line
    /// is empty.
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let line = ctx.input();
        if is_unfinished(line) && !line.ends_with('\n') {
            return Ok(ValidationResult::Incomplete);
        }
        self.gate.leave();
        self.set_ended(Some(self.clock.now()));
        // Painted once more, with the time.
        Ok(ValidationResult::Valid(Some(String::new())))
    }
}

/// The lines of earlier runs.
struct History(Option<PathBuf>);

impl History {
    /// The file in the user's state folder, where there is one.
    fn open(editor: &mut Editor<Aid, DefaultHistory>) -> Self {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(std::env::home_dir()?.join(".local/state")));
        let path = state.and_then(|state| {
            let folder = state.join("longwire");
            fs::create_dir_all(&folder).ok()?;
            Some(folder.join("history"))
        });
        if let Some(path) = &path {
            // The first run has none.
            let _ = editor.load_history(path);
        }
        Self(path)
    }

    /// Keeps a line. One that begins with a space, as with shells, is not.
    fn add(&self, editor: &mut Editor<Aid, DefaultHistory>, line: &str) {
        if line.trim().is_empty() || line.starts_with(' ') || line.len() > MOST_HISTORY_LINE {
            return;
        }
        let is_new = editor.add_history_entry(line).unwrap_or(false);
        if is_new && let Some(path) = &self.0 {
            // A prompt without a history is better than none.
            let _ = editor.history_mut().append(path);
        }
    }
}
