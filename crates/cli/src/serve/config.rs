//! The configuration file: a TOML file whose keys are the names of the options.
//!
//! What it says is put before the command line's own words and parsed with them, so
//! that a value means the same in both. The command line and the environment win.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use clap::builder::ValueRange;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::args::Cli;
use crate::args::serve::Args;

/// Largest file that is taken for a configuration.
const MOST_BYTES: u64 = 1 << 20;

/// Options that a file cannot have: they are about the file.
const ABOUT_FILE: [&str; 5] = ["config", "print-config", "check-config", "help", "version"];

/// How alike a key and an option's name have to be for one to be meant.
const ALIKE: f64 = 0.7;

/// What the command line and the file say together.
pub(super) struct Settings {
    pub(super) args: Args,
    /// Each option that has a value: its name, its values, and who says so.
    pub(super) said: Vec<Said>,
}

/// What is said of an option.
#[derive(Clone, PartialEq)]
pub(super) struct Said {
    pub(super) name: String,
    pub(super) values: Vec<String>,
    is_flag: bool,
    by: &'static str,
}

impl Settings {
    /// Reads the file that the command line names, if any.
    pub(super) fn load(arguments: &[OsString]) -> Result<Self, String> {
        let given = parse(arguments).map_err(|error| first_line(&error))?;
        let file = given.get_one::<std::path::PathBuf>("config").cloned();
        let Some(file) = file else {
            return Self::new(&given, &[]);
        };
        let text = read(&file)?;
        let entries = entries(&text, &given, arguments)
            .map_err(|(line, problem)| format!("{}:{line}: {problem}", file.display()))?;
        let keys: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        let tokens = entries.into_iter().flat_map(|entry| entry.tokens);
        let all = with(arguments, tokens);
        let matches = parse(&all).map_err(|error| {
            format!(
                "{} and the command line: {}",
                file.display(),
                first_line(&error)
            )
        })?;
        Self::new(&matches, &keys)
    }

    fn new(matches: &ArgMatches, in_file: &[String]) -> Result<Self, String> {
        let args = Args::from_arg_matches(matches).map_err(|error| first_line(&error))?;
        let said = command()
            .get_arguments()
            .filter_map(|arg| said(arg, matches, in_file))
            .collect();
        Ok(Self { args, said })
    }

    /// The options as a file.
    pub(super) fn to_toml(&self) -> String {
        let mut text = String::new();
        for said in &self.said {
            let quoted = |value: &String| toml::Value::from(value.as_str()).to_string();
            let value = match said.values.as_slice() {
                _ if said.is_flag => "true".to_owned(),
                [one] => quoted(one),
                many => format!(
                    "[{}]",
                    many.iter().map(quoted).collect::<Vec<_>>().join(", ")
                ),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{} = {value} # {}", said.name, said.by);
        }
        text
    }
}

/// The definition of `longwire serve`.
fn command() -> Command {
    let mut command = Cli::command();
    command.build();
    let serve = command.find_subcommand("serve").cloned();
    serve.unwrap_or(command)
}

fn parse(arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let mut matches = Cli::command().try_get_matches_from(arguments)?;
    Ok(matches
        .remove_subcommand()
        .map(|(_, serve)| serve)
        .unwrap_or_default())
}

/// The command line with these words before its own.
fn with(arguments: &[OsString], words: impl Iterator<Item = String>) -> Vec<OsString> {
    // The first word is the program, whatever it is called.
    let mut own = arguments.iter().skip(1);
    let own = own.position(|word| word == "serve");
    let at = own.map_or(arguments.len(), |at| at + 2);
    let mut all = arguments[..at].to_vec();
    all.extend(words.map(OsString::from));
    all.extend_from_slice(&arguments[at..]);
    all
}

/// What clap says, without its hints on usage.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn read(file: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| format!("could not read {}: {error}", file.display());
    let size = std::fs::metadata(file).map_err(told)?.len();
    if size > MOST_BYTES {
        return Err(format!(
            "expected a configuration of at most {MOST_BYTES} bytes, got {size} in {}",
            file.display()
        ));
    }
    std::fs::read_to_string(file).map_err(told)
}

/// An option as the file has it.
struct Entry {
    name: String,
    tokens: Vec<String>,
}

/// A line of the file, and what is wrong there.
type Problem = (usize, String);

fn entries(text: &str, given: &ArgMatches, arguments: &[OsString]) -> Result<Vec<Entry>, Problem> {
    let line_at = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(span.start));
        (line, error.message().to_owned())
    })?;
    let command = command();
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        let line = line_at(key.span().start);
        let arg = option(&command, key.get_ref()).map_err(|problem| (line, problem))?;
        let name = arg.get_long().unwrap_or_default().to_owned();
        if entries.iter().any(|entry: &Entry| entry.name == name) {
            return Err((line, format!("expected {name} once, got it twice")));
        }
        let tokens = tokens(&command, arg, value).map_err(|problem| (line, problem))?;
        let all = with(arguments, tokens.iter().cloned());
        if let Err(error) = parse(&all)
            && is_of_value(&error)
        {
            return Err((line, first_line(&error)));
        }
        let source = given.value_source(arg.get_id().as_str());
        let is_given = matches!(
            source,
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        );
        if !is_given {
            // What is false may be the name of its opposite.
            let said = tokens.first().map(|token| token.trim_start_matches("--"));
            let said = said.and_then(|token| token.split('=').next());
            let name = said.map_or(name, str::to_owned);
            entries.push(Entry { name, tokens });
        }
    }
    Ok(entries)
}

/// Whether one value is wrong, whatever the others are.
fn is_of_value(error: &clap::Error) -> bool {
    use clap::error::ErrorKind::{
        InvalidValue, NoEquals, TooFewValues, TooManyValues, ValueValidation, WrongNumberOfValues,
    };
    matches!(
        error.kind(),
        InvalidValue
            | NoEquals
            | TooFewValues
            | TooManyValues
            | ValueValidation
            | WrongNumberOfValues
    )
}

/// The option with this name.
fn option<'a>(command: &'a Command, key: &str) -> Result<&'a Arg, String> {
    let names = |arg: &&Arg| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        arg.get_long() == Some(key) || aliases.contains(&key)
    };
    let known = command.get_arguments().find(names);
    if let Some(arg) = known
        && !ABOUT_FILE.contains(&arg.get_long().unwrap_or_default())
    {
        return Ok(arg);
    }
    let all = command.get_arguments().filter_map(Arg::get_long);
    let nearest = all
        .filter(|name| !ABOUT_FILE.contains(name))
        .map(|name| (strsim::jaro_winkler(name, &key.replace('_', "-")), name))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .filter(|(alike, _)| *alike >= ALIKE);
    Err(match nearest {
        Some((_, name)) => format!("unknown key {key:?}: did you mean {name:?}?"),
        None => format!("unknown key {key:?}: `longwire serve --help` has the names"),
    })
}

/// What the command line would say.
fn tokens(
    command: &Command,
    arg: &Arg,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<String>, String> {
    let name = arg.get_long().unwrap_or_default();
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    let may_be_bare = arg
        .get_num_args()
        .is_some_and(|count| count == ValueRange::new(0..=1));
    match value.get_ref() {
        DeValue::Boolean(true) if is_flag || may_be_bare => Ok(vec![format!("--{name}")]),
        DeValue::Boolean(false) if is_flag => {
            let opposite = format!("no-{name}");
            let has = command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(&opposite));
            Ok(has.then(|| format!("--{opposite}")).into_iter().collect())
        }
        DeValue::Boolean(false) if may_be_bare => Ok(Vec::new()),
        other if is_flag => Err(format!(
            "expected true or false for {name}, got {}",
            kind(other)
        )),
        DeValue::Array(values) if matches!(arg.get_action(), ArgAction::Append) => values
            .iter()
            .map(|value| Ok(format!("--{name}={}", scalar(name, value.get_ref())?)))
            .collect(),
        one => Ok(vec![format!("--{name}={}", scalar(name, one)?)]),
    }
}

fn scalar(name: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        other => Err(format!("expected a value for {name}, got {}", kind(other))),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// What is said of this option, if anything.
fn said(arg: &Arg, matches: &ArgMatches, in_file: &[String]) -> Option<Said> {
    let name = arg.get_long()?.to_owned();
    if ABOUT_FILE.contains(&name.as_str()) {
        return None;
    }
    let id = arg.get_id().as_str();
    let by = match matches.value_source(id)? {
        ValueSource::DefaultValue => "by default",
        ValueSource::EnvVariable => "from the environment",
        _ if in_file.contains(&name) => "from the file",
        _ => "from the command line",
    };
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    if is_flag && !matches.get_flag(id) {
        return None;
    }
    let raw = matches.get_raw(id)?;
    Some(Said {
        name,
        values: raw
            .map(|value| value.to_string_lossy().into_owned())
            .collect(),
        is_flag,
        by,
    })
}
